"""A whole engine over a configuration and a store: documents as README has them, and figures that are right."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import T0, readings_of
from wattwell.app.access import rules_of
from wattwell.config import parse
from wattwell.engine.engine import Engine
from wattwell.errors import UsageError
from wattwell.intervals import HOUR, MINUTE, SECOND, iso
from wattwell.model import MeterKey, Reject
from wattwell.store.duckdb import DuckdbStore
from wattwell.web import shapes

REGISTER = {"quantity": "energy", "accumulation": "register", "max_rate": 6000, "period": "5m"}
STEP = {"quantity": "power", "accumulation": "instantaneous", "interpolation": "step", "period": "5m"}
KEYS = {
    "kpi": "site kpi label window start end value unit numerator denominator usable coverage estimated category basis"
    " provisional issues parts",
    "series": "site meter start end value unit measured estimated missing recovered",
    "events": "site meter event at before after booked unit state",
    "rejects": "site meter topic at received_at reason value count",
    "alerts": "signal inhibited_by silenced_by acknowledged_by between"
    " name site state value since fired_at resolved_at labels annotations"
    " above below clear window unit category coverage provisional peak",
    "power": "start end total it cooling power_chain lighting other water_litres",
    "problems": "meter code severity message since evidence remedy",
}
MODELS: dict[str, type[shapes.BaseModel]] = {
    "kpi": shapes.KpiShape,
    "series": shapes.SeriesShape,
    "events": shapes.EventShape,
    "rejects": shapes.RejectShape,
    "alerts": shapes.AlertShape,
    "power": shapes.PowerShape,
    "problems": shapes.ProblemShape,
    "sites": shapes.SiteShape,
}


def one_site(id: str = "s", **changes: Any) -> dict[str, Any]:
    """Import 150 kW, two UPS of 60 and 40 kW, cooling 20 kW, water 80 L/h, a thermometer, and a meter to come."""
    meters: list[dict[str, Any]] = [
        {"id": "grid", "role": "utility_import", "rollover_at": 100000, **REGISTER},
        {"id": "ups-a", **REGISTER},
        {"id": "ups-b", **STEP},
        {"id": "it", "role": "it_ups", "quantity": "energy", "formula": "ups-a + ups-b"},
        {"id": "chiller", "role": "chiller", **STEP},
        {"id": "beside", "quantity": "energy", "formula": "grid - it - chiller"},
        {
            "id": "water",
            "role": "water_input",
            "quantity": "water",
            "accumulation": "delta",
            "max_rate": 9,
            "period": "5m",
        },
        {"id": "air", "role": "supply_air", "quantity": "temperature", "accumulation": "instantaneous", "period": "5m"},
        {"id": "silent", "role": "lighting", **STEP, "from": "2030-01-01"},
    ]
    return {"id": id, "timezone": "UTC", "pue_category": 1, "meters": meters} | changes


def rows(until: int, site: str = "s", start: int = T0) -> list[tuple[MeterKey, int, float]]:
    found: list[tuple[MeterKey, int, float]] = []
    for at in range(start, until + 1, 5 * MINUTE):
        hours = (at - T0) / HOUR
        values = {
            "grid": 150 * hours,
            "ups-a": 60 * hours,
            "ups-b": 40.0,
            "chiller": 20.0,
            "water": 80 / 12,
            "air": 21.5,
        }
        found += [((site, name), at, value) for name, value in values.items()]
    return found


class Clock:
    now = T0 + 24 * HOUR + 7 * MINUTE


@pytest.fixture
def store() -> Iterator[DuckdbStore]:
    opened = DuckdbStore(Path("memory"), duckdb.connect())
    yield opened
    opened.close()


def engine_of(store: DuckdbStore, /, *sites: dict[str, Any], clock: Clock | None = None, **changes: Any) -> Engine:
    config = parse({"sites": list(sites)} | changes, Path())
    made = clock or Clock()
    return Engine(config, rules_of(config), store, lambda: made.now, {})


@pytest.fixture
def engine(store: DuckdbStore) -> Engine:
    """A day of one site, with a gap, a transient, a reject and a reading that was refused for its value."""
    kept = [row for row in rows(T0 + 24 * HOUR) if not (row[0][1] == "ups-a" and 6 * HOUR < row[1] - T0 < 8 * HOUR)]
    kept = [row for row in kept if not (row[0][1] == "chiller" and 10 * HOUR < row[1] - T0 < 11 * HOUR)]
    kept.append((("s", "grid"), T0 + 12 * HOUR + 2 * MINUTE, 99999.0))
    reject = Reject(site="s", meter="grid", topic=None, at=T0, received_at=T0, reason="value.range", value="-1")
    store.commit(readings_of(kept), [reject])
    made = engine_of(store, one_site())
    made.refresh()
    return made


def documents(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    return {
        "kpi": [
            *engine.kpi(None, None, "1h"),
            *engine.kpi("s", None, "24h", "2026-01-01T20:00Z"),
            *engine.kpi("s", None, "month"),
            *engine.kpi("s", None, None, "2025-12-01", "2026-03-01"),
        ],
        "series": engine.series("s"),
        "events": engine.events(),
        "rejects": engine.rejects(),
        "alerts": engine.alerts(),
        "power": engine.power("s", "2025-12-31", "2026-01-03"),
        "problems": engine.problems("s"),
        "sites": engine.sites(),
    }


def test_documents_have_the_shapes_of_the_interface(engine: Engine) -> None:
    for kind, found in documents(engine).items():
        assert found, kind
        for document in found:
            if kind in KEYS:
                assert set(document) == set(KEYS[kind].split()), kind
            MODELS[kind].model_validate(document)
            assert set(MODELS[kind].model_fields) <= set(document), kind
        json.dumps(found, allow_nan=False)


def test_days_that_have_not_come_push_no_others_out_of_memory(engine: Engine) -> None:
    for hours in (25, 26):  # windows from one day into the next: days are walked along
        (pue,) = engine.kpi("s", ["pue"], None, "2026-01-01", iso(T0 + hours * HOUR))
        assert pue["value"] == pytest.approx(1.5, rel=1e-12)
    assert max(day for _, day in engine._book._blocks._entries) == T0 + 24 * HOUR


def test_figures_of_a_day(engine: Engine) -> None:
    found = {each["kpi"]: each for each in engine.kpi("s", None, "24h", None, "2026-01-02")}
    pue = found["pue"]
    assert pue["value"] == pytest.approx(1.5, rel=1e-12)
    assert (pue["numerator"], pue["denominator"]) == (pytest.approx(150 * 24), pytest.approx(100 * 24))
    assert (pue["start"], pue["end"]) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    assert (pue["label"], pue["usable"], pue["coverage"]) == ("iPUE", 1, pytest.approx(22 / 24))
    assert pue["estimated"] == pytest.approx(2 / 24)
    assert found["wue"]["value"] == pytest.approx(0.8, rel=1e-12)
    assert (found["overhead_cooling"]["value"], found["overhead_cooling"]["usable"]) == (pytest.approx(0.2), 23 / 24)
    assert found["overhead_other"]["value"] == pytest.approx(0.3)
    assert found["overhead_lighting"]["value"] is None
    assert found["peak_demand_kw"]["value"] == pytest.approx(150)


def test_series_of_virtual_meters(engine: Engine) -> None:
    it = {each["start"]: each for each in engine.series("s", "it", "2026-01-01", "2026-01-02")}
    assert len(it) == 96
    plain, gap = it["2026-01-01T03:00:00Z"], it["2026-01-01T07:00:00Z"]
    assert (plain["value"], plain["measured"], plain["recovered"]) == (pytest.approx(25), 1, False)
    assert (gap["value"], gap["measured"], gap["estimated"], gap["recovered"]) == (pytest.approx(25), 0, 1, True)
    beside = {each["start"]: each for each in engine.series("s", "beside", "2026-01-01", "2026-01-02")}
    assert beside["2026-01-01T03:00:00Z"]["value"] == pytest.approx(150 / 4 - 25 - 5)
    missing = beside["2026-01-01T10:30:00Z"]
    assert (missing["value"], missing["measured"], missing["estimated"], missing["missing"]) == (None, 0, 0, 1)
    assert missing["recovered"] is False
    assert {each["unit"] for each in engine.series("s", "air")} == {"degC"}


def test_a_series_ends_where_the_data_ends_unless_told(engine: Engine) -> None:
    every = engine.series("s", "grid")
    assert (every[0]["start"], every[-1]["end"]) == ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
    assert [each["missing"] for each in engine.series("s", "grid", "2026-01-01T23:45Z", "2026-01-02T00:31Z")] == [
        0,
        1,
        1,
    ]
    assert engine.series("s", "grid", None, "2025-01-01") == engine.series("s", "grid", "2026-02-01") == []
    with pytest.raises(UsageError, match="--from 2026-01-02 must be before"):
        engine.series("s", "grid", "2026-01-02", "2026-01-01")
    with pytest.raises(UsageError, match="'gird'"):
        engine.series("s", "gird")


def test_power_by_subsystem(engine: Engine) -> None:
    found = {each["start"]: each for each in engine.power("s", "2026-01-01", "2026-01-03")}
    plain, hole = found["2026-01-01T03:00:00Z"], found["2026-01-01T10:30:00Z"]
    numbers = {
        name: plain[name] for name in ("total", "it", "cooling", "power_chain", "lighting", "other", "water_litres")
    }
    assert numbers == {
        "total": pytest.approx(150),
        "it": pytest.approx(100),
        "cooling": pytest.approx(20),
        "power_chain": None,
        "lighting": None,
        "other": pytest.approx(30),
        "water_litres": pytest.approx(20),
    }
    assert (hole["total"], hole["cooling"], hole["other"]) == (pytest.approx(150), None, None)
    assert {found["2026-01-02T12:00:00Z"][name] for name in numbers} == {None}


def test_the_ledgers_and_the_snapshot(engine: Engine) -> None:
    (catch_up, transient) = engine.events()
    assert (catch_up["event"], catch_up["meter"], catch_up["booked"]) == ("catch-up", "ups-a", pytest.approx(120))
    assert (transient["event"], transient["before"], transient["after"]) == ("transient", pytest.approx(1800), 99999)
    assert [each["reason"] for each in engine.rejects("s")] == ["value.range"]
    assert [each["code"] for each in engine.problems("s")] == ["rejects.value.range"]
    snapshot = engine.snapshot()
    assert snapshot.power_watts["s", "total"] == pytest.approx(150_000)
    assert ("s", "lighting") not in snapshot.power_watts
    states = {state for site, name, state in snapshot.alerts if (site, name) == ("s", "PueHigh")}
    assert states == {"inactive", "pending", "firing", "no_data"}
    assert {site for site, name, _ in snapshot.alerts if name == "SpoolGrowing"} == {""}
    assert {(value.kpi, value.window) for value in snapshot.kpis} >= {("pue", "24h"), ("wue", "365d")}


# -- the live edge ------------------------------------------------------------------------------------------------


def ends(engine: Engine, kpi: str, window: str = "1h", site: str = "s") -> list[str]:
    return [each["end"] for each in engine.kpi(site, [kpi], window)]


def test_live_windows_end_one_longest_period_before_now(store: DuckdbStore) -> None:
    site = one_site()
    next(m for m in site["meters"] if m["id"] == "ups-b")["period"] = "40m"  # a member of the virtual IT meter
    next(m for m in site["meters"] if m["id"] == "air")["period"] = "7d"
    engine = engine_of(store, site)
    assert ends(engine, "pue") == ends(engine, "wue") == ["2026-01-01T23:15:00Z"]
    assert ends(engine, "peak_demand_kw") == ends(engine, "ref") == ["2026-01-02T00:00:00Z"]
    assert ends(engine, "pue", "month") == ["2026-01-01T23:15:00Z"]


def test_the_live_edge_waits_for_meters_in_service_alone(store: DuckdbStore) -> None:
    site, clock = one_site(), Clock()
    site["meters"] += [
        {"id": "old", "role": "generator", **STEP, "period": "12h", "until": "2026-01-02"},
        {"id": "new", "role": "generator", **STEP, "period": "30d", "from": "2026-01-09"},
    ]
    engine = engine_of(store, site, clock=clock)
    for hours, end in [
        (24 - 1 / 60, "2026-01-01T11:45:00Z"),  # the last readings of the old one are still to come
        (36 - 1 / 60, "2026-01-01T23:45:00Z"),
        (36, "2026-01-02T11:45:00Z"),
        (24 * 8 + 1, "2025-12-10T01:00:00Z"),
    ]:
        clock.now = T0 + round(hours * 60) * MINUTE
        assert ends(engine, "pue") == [end]


def test_the_live_edge_waits_for_what_is_followed(store: DuckdbStore) -> None:
    """Readings that come by way of a remote store come later by the pace of looking, and a quarter minute."""
    site, clock = one_site(), Clock()
    engine = engine_of(store, site, clock=clock, store={"url": "victoriametrics://127.0.0.1", "follow": "10s"})
    clock.now = T0 + HOUR + 5 * MINUTE + 24 * SECOND
    assert ends(engine, "pue") == ["2026-01-01T00:45:00Z"]
    clock.now += SECOND
    assert ends(engine, "pue") == ["2026-01-01T01:00:00Z"]


# -- many sites ---------------------------------------------------------------------------------------------------


def small(id: str, **changes: Any) -> dict[str, Any]:
    meters = [{"id": "grid", "role": "utility_import", **STEP}, {"id": "load", "role": "it_ups", **STEP}]
    return {"id": id, "timezone": "UTC", "pue_category": 1, "meters": meters} | changes


def fill(store: DuckdbStore, engine: Engine, loads: dict[str, tuple[float, float]], days: int = 3) -> None:
    made = []
    for at in range(T0 - days * 24 * HOUR, T0 + days * 24 * HOUR + 1, 15 * MINUTE):
        for site, (grid, load) in loads.items():
            made += [((site, "grid"), at, grid), ((site, "load"), at, load)]
    store.commit(readings_of(made), [])
    engine.refresh()


def test_sites_with_other_zones_and_periods_roll_up(store: DuckdbStore) -> None:
    slow = [{"id": "grid", "role": "utility_import", **STEP, "period": "3h"}, {"id": "load", "role": "it_ups", **STEP}]
    there = small("there", timezone="America/Los_Angeles", fiscal_year_start=4, meters=slow)
    here = small("here", timezone="Asia/Tokyo")
    for site in (here, there):
        site["meters"] = [meter | {"max_gap": "15m"} for meter in site["meters"]]
    engine = engine_of(store, here, there)
    fill(store, engine, {"here": (150.0, 100.0), "there": (30.0, 10.0)})
    for window in ("1h", "24h", "day", "ytd"):
        one, other, both = engine.kpi(None, ["pue"], window)
        assert (both["site"], both["start"], both["end"]) == (
            "all",
            min(one["start"], other["start"]),
            max(one["end"], other["end"]),
        )
        assert one["end"] != other["end"]
        total = one["numerator"] + other["numerator"]
        assert both["value"] == total / (one["denominator"] + other["denominator"])
    (both,) = (each for each in engine.kpi(None, ["pue"], "24h") if each["site"] == "all")
    assert round(both["value"], 3) == 1.636
    together = [each for each in engine.kpi(None, ["pue"], "day", "2025-12-30", "2026-01-01") if each["site"] == "all"]
    assert [(each["start"], each["end"]) for each in together] == [
        ("2025-12-29T15:00:00Z", "2025-12-31T08:00:00Z"),
        ("2025-12-30T15:00:00Z", "2026-01-01T08:00:00Z"),
    ]
    asked = engine.kpi(None, ["pue"], "fiscal_year", "2025-01", "2026-01")
    fiscal = [each for each in asked if each["site"] == "all"]
    assert [(each["start"], each["end"]) for each in fiscal] == [("2024-12-31T15:00:00Z", "2026-01-01T21:00:00Z")]


def test_a_series_of_windows_rolls_up_edge_by_edge(store: DuckdbStore) -> None:
    sites = [small(name, meters=[m | {"max_gap": "15m"} for m in small(name)["meters"]]) for name in "ab"]
    engine = engine_of(store, *sites)
    fill(store, engine, {"a": (150.0, 100.0), "b": (30.0, 10.0)})
    found = engine.kpi(None, ["pue", "dcie"], "1h", "2026-01-01T10:00Z", "2026-01-01T11:00Z")
    assert [each["site"] for each in found] == ["a"] * 8 + ["b"] * 8 + ["all"] * 8
    assert {each["end"] for each in found} == {iso(T0 + 10 * HOUR + n * 15 * MINUTE) for n in (1, 2, 3, 4)}
    (alone,) = [each for each in engine.kpi(None, ["pue"], None, "2026-01-01", "2026-01-02") if each["site"] == "all"]
    assert round(alone["value"], 3) == 1.636


def test_one_site_asked_alone_has_no_roll_up(engine: Engine) -> None:
    assert [each["site"] for each in engine.kpi("s", ["pue"], "1h")] == ["s"]
    assert [each["site"] for each in engine.kpi(None, ["pue"], "1h")] == ["s", "all"]


def test_wrong_questions_are_refused_with_the_remedy(engine: Engine) -> None:
    for asked, says in [
        (("x", ["pue"], "1h"), "site 'x' is not configured; known: s"),
        (("s", ["pui"], "1h"), "kpi 'pui' is not known; use one of pue"),
        (("s", ["pue"], "2h"), "window '2h' is not known"),
        (("s", ["pue"], None), "--from is needed"),
        (("s", ["pue"], "1h", "tomorrow"), "'tomorrow' is not understood"),
    ]:
        with pytest.raises(UsageError, match=says):
            engine.kpi(*asked)
