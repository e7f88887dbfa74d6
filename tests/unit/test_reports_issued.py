"""Issued reports: the gate, revisions with old value, new value and reason, and the audit ledger behind them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import readings_of
from wattwell.config import parse
from wattwell.engine.engine import Engine
from wattwell.engine.report_store import name_of, packed
from wattwell.errors import StoreError, UnknownError, UsageError
from wattwell.intervals import DAY, HOUR, iso, parse_iso
from wattwell.model import Correction
from wattwell.store.duckdb import DuckdbStore

REGISTER = {"quantity": "energy", "accumulation": "register", "max_rate": 6000, "period": "1h", "max_gap": "2h"}
METERS = [{"id": "grid", "role": "utility_import", **REGISTER}, {"id": "it", "role": "it_ups", **REGISTER}]
START = parse_iso("2026-08-01T00:00:00Z")
NOW = parse_iso("2026-10-02T12:00:00Z")
AUGUST, SEPTEMBER, OCTOBER = "2026-08", "2026-09", "2026-10"


def engine_of(store: DuckdbStore, now: int = NOW, **site: Any) -> Engine:
    document = {"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": METERS} | site]}
    config = parse(document, Path())
    engine = Engine(config, config.rules, store, lambda: now, {})
    engine.refresh()
    return engine


def put(store: DuckdbStore, meter: str, power: float, first: int = START, last: int = NOW) -> None:
    """A register that counts so many kW, read every hour."""
    times = range(first, last + 1, HOUR)
    store.commit(readings_of([(("s", meter), at, power * (at - START) / HOUR) for at in times]), [])


@pytest.fixture
def store() -> Iterator[DuckdbStore]:
    opened = DuckdbStore(Path("memory"), duckdb.connect(), lambda: NOW)
    put(opened, "grid", 150.0)
    put(opened, "it", 100.0)
    yield opened
    opened.close()


def pue(document: dict[str, Any], span: str = "current") -> float | None:
    found: float | None = document["headlines"][0][span]["value"]
    return found


def test_a_month_that_is_over_is_issued_once(store: DuckdbStore) -> None:
    engine = engine_of(store)
    first = engine.issue_report("s", SEPTEMBER)
    again = engine.issue_report("s", SEPTEMBER, "ann", "again")
    assert (first["new"], again["new"], first["refused"]) == (True, False, ())
    assert first["document"] == again["document"] == engine.report("s", SEPTEMBER)
    assert (first["document"]["status"], first["document"]["revision"]) == ("issued", 1)
    assert pue(first["document"]) == pytest.approx(1.5)
    (listed,) = engine.reports("s")
    assert (listed["key"], listed["revision"], listed["author"], listed["reason"]) == (
        SEPTEMBER,
        1,
        "wattwell",
        "period over",
    )
    assert engine.verify()["ok"]


def test_the_same_readings_give_the_same_document_in_another_store(store: DuckdbStore) -> None:
    other = DuckdbStore(Path("memory"), duckdb.connect(), lambda: NOW + DAY)
    for first in range(START, NOW, DAY):  # day by day, each half a day late
        put(other, "it", 100.0, first, min(first + DAY, NOW))
    put(other, "grid", 150.0)
    made = [
        engine_of(each, now).issue_report("s", AUGUST)["document"] for each, now in ((store, NOW), (other, NOW + 5))
    ]
    assert made[0] == made[1]


def test_a_month_that_goes_on_is_a_draft(store: DuckdbStore) -> None:
    outcome = engine_of(store).issue_report("s", OCTOBER)
    assert outcome["refused"] == ("October 2026 is not over yet.",)
    assert (outcome["document"]["status"], outcome["document"]["revision"]) == ("draft", None)
    assert not outcome["document"]["period"]["over"]
    assert engine_of(store).reports() == []


def test_a_month_without_data_is_not_issued(store: DuckdbStore) -> None:
    outcome = engine_of(store).issue_report("s", "2026-03")
    assert outcome["refused"] == ("Nothing is known of March 2026: no figure of the first page has a value.",)


def test_the_gate_names_each_breach(store: DuckdbStore) -> None:
    outcome = engine_of(store, it_power_kw=90).issue_report("s", SEPTEMBER)
    assert outcome["refused"] == ("E_IT 72000 kWh must not be above PD_IT x 720 h 64800 kWh.",)
    assert not outcome["new"]
    swapped = [{**METERS[0], "role": "it_ups"}, {**METERS[1], "role": "utility_import"}]
    refused = engine_of(store, meters=swapped).issue_report("s", SEPTEMBER)["refused"]
    assert [each.split(" must")[0] for each in refused] == ["E_IT 108000 kWh", "PUE 0.666666667"]


def test_late_readings_give_a_second_revision_and_the_first_stays(store: DuckdbStore) -> None:
    engine = engine_of(store)
    first = engine.issue_report("s", SEPTEMBER)["document"]
    at = parse_iso("2026-09-30T00:00:00Z")
    put(store, "grid", 150.0, at, at)  # the same once more changes nothing
    engine.refresh()
    assert not engine.issue_report("s", SEPTEMBER)["new"]
    shift = readings_of([(("s", "grid"), t, 150.0 * (t - START) / HOUR + 720) for t in range(at, NOW + 1, HOUR)])
    store.commit(shift, [])
    engine.refresh()
    outcome = engine.issue_report("s", SEPTEMBER)
    second = outcome["document"]
    assert (outcome["new"], second["revision"]) == (True, 2)
    assert pue(second) == pytest.approx(1.51)
    assert [each["number"] for each in second["revisions"]] == [1, 2]
    (change,) = [each for each in second["revisions"][1]["changes"] if each["name"] == "pue.current"]
    assert (change["old"], change["new"]) == (pytest.approx(1.5), pytest.approx(1.51))
    assert second["revisions"][1]["reason"] == "late readings or correction"
    assert engine.report("s", SEPTEMBER, 1) == first
    assert engine.report("s", SEPTEMBER) == second
    assert [each["revision"] for each in engine.reports()] == [2, 1]
    assert engine_of(store).reports() == engine.reports(), "a restart knows them all"
    assert engine.verify()["ok"]


def test_a_correction_restates_the_months_that_compare_themselves_with_it(store: DuckdbStore) -> None:
    engine = engine_of(store)
    for key in (AUGUST, SEPTEMBER):
        engine.issue_report("s", key)
    at = parse_iso("2026-08-15T00:30:00Z")
    final = 150.0 * (at - START) / HOUR + 100
    correction = Correction(
        site="s", meter="grid", at=at, event="replacement", final=final, first=final - 100, author="ann", reason="worn"
    )
    engine.correct([correction])
    engine.refresh()
    august, september = (engine.issue_report("s", key)["document"] for key in (AUGUST, SEPTEMBER))
    assert (august["revision"], september["revision"]) == (2, 2)
    names = {each["name"] for each in september["revisions"][1]["changes"]}
    assert {"pue.previous", "energy.previous"} <= names
    assert "pue.current" not in names


def test_a_detail_that_changes_alone_is_restated(store: DuckdbStore) -> None:
    """Blow-down is in no figure of the first page and in no KPI."""
    counts = {"quantity": "water", "accumulation": "register", "max_rate": 100, "period": "1h", "max_gap": "2h"}
    roles = {"tower": "water_tower_makeup", "drain": "water_blowdown"}
    meters = [*METERS, *({"id": name, "role": role, **counts} for name, role in roles.items())]
    put(store, "tower", 400.0)
    put(store, "drain", 100.0)
    engine = engine_of(store, meters=meters)
    first = engine.issue_report("s", SEPTEMBER)["document"]
    assert first["water"]["cycles"] == pytest.approx(4)
    at = parse_iso("2026-09-15T00:30:00Z")
    final = 100.0 * (at - START) / HOUR + 20_000
    engine.correct(
        [
            Correction(
                site="s",
                meter="drain",
                at=at,
                event="replacement",
                final=final,
                first=final - 20_000,
                author="ann",
                reason="worn",
            )
        ]
    )
    engine.refresh()
    outcome = engine.issue_report("s", SEPTEMBER)
    second = outcome["document"]
    assert (outcome["new"], second["revision"]) == (True, 2)
    assert second["water"]["cycles"] == pytest.approx(288 / 92)
    assert {each["name"] for each in second["revisions"][1]["changes"]} == {
        "section.water.cycles",
        "section.water.blowdown",
        "meter.drain",
    }


def test_a_provisional_pue_meets_no_limit(store: DuckdbStore) -> None:
    """54.8 % of the 365 days to the end of September are known; the first two months of data are in the store."""
    first = parse_iso("2026-10-01T00:00:00Z") - 200 * DAY
    for meter, power in (("grid", 150.0), ("it", 100.0)):
        put(store, meter, power, first, START)
    limits = {"limits": ["gb40879-2021"], "facility": {"start_of_operation": "2020-05-01", "connected_power_kw": 500}}
    (judged,) = engine_of(store, **limits).draft("s", SEPTEMBER)["limits"]
    assert judged["value"] == pytest.approx(1.5)
    assert judged["judgement"] == {"verdict": "provisional", "grade": None, "margin": None}
    assert judged["span"] == "the 365 days to 2026-09-30; provisional, 54.8% is usable"


def test_another_configuration_is_named_as_the_reason(store: DuckdbStore) -> None:
    engine_of(store).issue_report("s", SEPTEMBER)
    prices = {"currency": "EUR", "electricity_per_kwh": 0.1, "water_per_m3": 2.0}
    priced = engine_of(store, prices=prices).issue_report("s", SEPTEMBER)["document"]
    assert (priced["revision"], priced["revisions"][1]["reason"]) == (2, "configuration changed")
    named = engine_of(store, prices=prices, name="New name").issue_report("s", SEPTEMBER)
    assert not named["new"], "no figure differs"


def test_a_revision_that_is_not_there_is_named(store: DuckdbStore) -> None:
    engine = engine_of(store)
    with pytest.raises(UnknownError, match=r"has no revision 1; issued: none"):
        engine.report("s", SEPTEMBER, 1)
    with pytest.raises(UsageError, match=r"site 't' is not configured; known: s"):
        engine.report("t", SEPTEMBER)


def test_whoever_edits_an_issued_report_is_found_out(store: DuckdbStore) -> None:
    engine = engine_of(store)
    engine.issue_report("s", SEPTEMBER)
    name = name_of("s", SEPTEMBER, 1)
    store.save_states({name: packed('{"a":1}')})
    broken = engine.verify()["broken"]
    assert (broken["kind"], broken["seq"]) == ("report", engine.audit("report")[0]["seq"])
    assert "is not the one that was issued" in broken["problem"]
    store.save_states({name: "~"})
    assert "cannot be read" in engine.verify()["broken"]["problem"]
    with pytest.raises(StoreError, match="cannot be read"):
        engine.report("s", SEPTEMBER)


def test_nothing_is_left_half_entered(store: DuckdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(store)

    def full(con: object, items: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "enter", full)
        with pytest.raises(StoreError, match="full"):
            engine.issue_report("s", SEPTEMBER)
    assert store.load_state(name_of("s", SEPTEMBER, 1)) is None
    assert engine.issue_report("s", SEPTEMBER)["document"]["revision"] == 1


def test_a_draft_of_an_issued_month_shows_the_figures_as_they_are_now(store: DuckdbStore) -> None:
    engine = engine_of(store)
    engine.issue_report("s", SEPTEMBER)
    assert engine.draft("s", SEPTEMBER)["status"] == "draft"
    assert pue(engine.draft("s", SEPTEMBER)) == pue(engine.report("s", SEPTEMBER))


def test_periods_say_where_they_begin_and_end(store: DuckdbStore) -> None:
    found = engine_of(store).draft("s", AUGUST)["period"]
    assert (found["start"], found["end"], found["hours"]) == (iso(START), "2026-09-01T00:00:00Z", 744)
