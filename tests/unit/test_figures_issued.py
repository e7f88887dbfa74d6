"""Issued figures follow their data, also over a crash; configuration versions hold what counts and no secret."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analytics.evaluate import Window
from tests.support import T0, readings_of
from wattwell.config import parse
from wattwell.engine.audit import configuration, version_of
from wattwell.engine.engine import Engine
from wattwell.errors import StoreError
from wattwell.intervals import DAY, HOUR, MINUTE, iso
from wattwell.ledger import Entry, canonical, first_break
from wattwell.model import KpiValue
from wattwell.store.audit import Item
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import DirtySet

REGISTER = {"quantity": "energy", "accumulation": "register", "max_rate": 6000, "period": "1h", "max_gap": "2h"}
METERS = [{"id": "grid", "role": "utility_import", **REGISTER}, {"id": "it", "role": "it_ups", **REGISTER}]
DAYS = 6


def document(**site: Any) -> dict[str, Any]:
    return {"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": METERS} | site]}


def engine_of(store: DuckdbStore, **site: Any) -> Engine:
    config = parse(document(**site), Path())
    return Engine(config, config.rules, store, lambda: T0 + DAYS * DAY, {})


def fill(store: DuckdbStore, step: int) -> None:
    """150 kW, and 100 kW of it for IT."""
    for meter, power in (("grid", 150.0), ("it", 100.0)):
        times = range(T0, T0 + DAYS * DAY + 1, step)
        store.commit(readings_of([(("s", meter), at, power * (at - T0) / HOUR) for at in times]), [])


@pytest.fixture
def store() -> Iterator[DuckdbStore]:
    opened = DuckdbStore(Path("memory"), duckdb.connect(), lambda: T0)
    fill(opened, HOUR)
    yield opened
    opened.close()


def issue(engine: Engine) -> list[int | None]:
    """Every day is issued."""
    found = engine.issue("s", ["pue"], "day", iso(T0), iso(T0 + DAYS * DAY), "ann", "month end")
    return [each["revision"] for each in found]


def late(store: DuckdbStore, hour: int, value: float) -> None:
    """A later reading at a time that has one: it counts."""
    store.commit(readings_of([(("s", "it"), T0 + hour * HOUR, value)]), [])


def revised(store: DuckdbStore) -> list[tuple[int, int, str]]:
    """(day, revision, reason) of the figures that the program itself has entered."""
    found = [entry.content for entry in store.audit("figure")]
    return [
        (int(each["start"][8:10]) - 1, each["revision"], each["reason"])
        for each in found
        if each["author"] == "wattwell"
    ]


def full(items: object) -> None:
    """In place of ``append_audit``."""
    raise StoreError("the disk is full")


def test_only_the_figures_concerned_are_computed_again(store: DuckdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, MINUTE)
    engine = engine_of(store)
    engine.refresh()
    assert issue(engine) == [1] * DAYS
    computed: set[int] = set()
    value = engine._book.value

    def noted(site: str, kpi: str, window: Window) -> KpiValue:
        if window.name == "day":
            computed.add((window.interval.start - T0) // DAY)
        return value(site, kpi, window)

    monkeypatch.setattr(engine._book, "value", noted)
    late(store, 96, 100.0 * 96 + 1)  # at midnight: the fourth day ends, and the fifth begins, a kilowatt-hour higher
    engine.refresh()
    assert computed == {3, 4, 5}, "from there to where the analysis has met what was stored"
    assert revised(store) == [(3, 2, "late readings or correction"), (4, 2, "late readings or correction")]
    assert issue(engine) == [1, 1, 1, 2, 2, 1]
    engine.refresh()
    assert len(store.audit("figure")) == DAYS + 2
    assert first_break(store.audit()) is None


def test_a_crash_between_the_change_and_the_revision_is_made_up_for(
    store: DuckdbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(store)
    engine.refresh()
    issue(engine)
    late(store, 48, 100.0 * 48 + 1)

    with monkeypatch.context() as patched:
        patched.setattr(store, "append_audit", full)
        with pytest.raises(StoreError, match="disk is full"):
            engine.refresh()
    assert not store.dirty().meters, "the interval values are safe by then"
    assert revised(store) == []
    again = engine_of(store)
    again.refresh()
    assert [(day, revision) for day, revision, _ in revised(store)] == [(1, 2), (2, 2)]
    again.refresh()
    assert len(revised(store)) == 2


def test_a_crash_after_readings_that_came_while_it_was_noted_is_made_up_for(
    store: DuckdbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(store)
    engine.refresh()
    issue(engine)
    dirty, came = store.dirty, False

    def dirty_and_then_more() -> DirtySet:
        nonlocal came
        found = dirty()
        if not came:
            came = True
            late(store, 48, 100.0 * 48 + 1)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(store, "dirty", dirty_and_then_more)
        patched.setattr(store, "append_audit", full)
        with contextlib.suppress(StoreError):  # it may follow them already, or leave them to the next time
            engine.refresh()
    engine_of(store).refresh()
    assert [(day, revision) for day, revision, _ in revised(store)] == [(1, 2), (2, 2)]


def test_a_crash_after_another_configuration_is_made_up_for_with_its_reason(
    store: DuckdbStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(store)
    engine.refresh()
    issue(engine)
    append = store.append_audit

    def fail_at_figures(items: Sequence[Item]) -> Sequence[Entry]:
        if items[0][0] == "figure":
            full(items)
        return append(items)

    with monkeypatch.context() as patched:
        patched.setattr(store, "append_audit", fail_at_figures)
        with pytest.raises(StoreError, match="disk is full"):
            engine_of(store, pue_category=2).refresh()
    assert len(store.audit("configuration")) == 2
    engine_of(store, pue_category=2).refresh()
    assert revised(store) == [(day, 2, "configuration changed") for day in range(DAYS)]


def test_a_figure_that_loses_its_value_is_revised_to_none(store: DuckdbStore) -> None:
    engine = engine_of(store)
    engine.refresh()
    issue(engine)
    engine_of(store, pue_category=2).refresh()
    figures = [entry.content for entry in store.audit("figure")][DAYS:]
    assert [(each["revision"], each["value"], each["old_value"]) for each in figures] == [(2, None, 1.5)] * DAYS
    assert {each["reason"] for each in figures} == {"configuration changed"}


def test_figures_of_a_site_that_is_no_more_stay_as_they_are(store: DuckdbStore) -> None:
    engine = engine_of(store)
    engine.refresh()
    issue(engine)
    other = engine_of(store, id="t")
    late(store, 48, 100.0 * 48 + 1)
    other.refresh()
    assert revised(store) == []


def test_a_configuration_is_entered_once_and_again_when_it_differs(store: DuckdbStore) -> None:
    for _ in range(2):
        engine = engine_of(store)
        engine.refresh()
        engine.refresh()
    engine_of(store, wue_numerator="fresh").refresh()
    engine_of(store).refresh()
    kept = [entry.content["sites"]["s"]["wue_numerator"] for entry in store.audit("configuration")]
    assert kept == ["total_input", "fresh", "total_input"]


def test_a_configuration_version_holds_what_counts_and_no_secret(tmp_path: Path) -> None:
    hours = "time,value\n2026-01-01T00:00:00Z,0.5\n2026-01-01T01:00:00Z,0.25\n"
    (tmp_path / "grid.csv").write_text(hours)
    (tmp_path / "secret").write_text("hunter2")
    secrets = {
        "store": {"url": "duckdb:hidden.duckdb"},
        "mqtt": {
            "url": "mqtt://broker.example:1883",
            "client_id": "x",
            "username": "carol",
            "password_file": "secret",
        },
        "notify": [{"url": "json://pager.example/path", "token_file": "secret"}],
        "http": {"listen": "127.0.0.1:9"},
    }
    site = {"factors": {"grid_kg_per_kwh": "grid.csv"}}
    config = parse(document(**site) | secrets, tmp_path)
    made = configuration(config, config.rules)
    text = canonical(made)
    for secret in ("hunter2", "carol", "broker", "pager", "hidden", str(tmp_path)):
        assert secret not in text
    factor = made["sites"]["s"]["factors"]["grid_kg_per_kwh"]
    assert factor["values"]["count"] == 2
    assert len(factor["values"]["sha256"]) == 64
    meter = made["sites"]["s"]["meters"]["grid"]
    assert meter["factors"] == [{"from": None, "value": 1.0}]
    assert meter["in_service"] == {"from": None, "to": None}
    plain = parse(document(**site), tmp_path)
    assert version_of(configuration(plain, plain.rules)) == version_of(made), "where it runs determines no figure"
    versions = {version_of(made)}
    (tmp_path / "grid.csv").write_text(hours.replace("0.25", "0.26"))
    changes: list[dict[str, Any]] = [
        document(**site),
        document(**site) | {"grid": "5m"},
        document(**site) | {"late": "1d"},
        document(**site) | {"coverage": {"full": 0.8, "provisional": 0.5}},
        document(**site, pue_category=2),
        document(**site, meters=[METERS[0], METERS[1] | {"multiplier": 2}]),
        document(**site) | {"alerts": [{"name": "A", "kpi": "pue", "window": "24h", "above": 2}]},
    ]
    for change in changes:
        other = parse(change, tmp_path)
        versions.add(version_of(configuration(other, other.rules)))
    assert len(versions) == 1 + len(changes)
