"""Sites made for one question each: what looks like a fault and is none, and what only a site of its own shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.commissioning.seen import Finding, lasting
from collector.normalise import MeterTable, normalise
from tests.faulty import BEGIN, STEP, findings, sent, telemetry, told
from wattwell.config import parse
from wattwell.engine.commission import Commissioning, document
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, parse_iso
from wattwell.model import Float64, Int64, Site
from wattwell.store.duckdb import DuckdbStore

COUNT = 3 * DAY // STEP
AT: Int64 = BEGIN + STEP * np.arange(COUNT, dtype=np.int64)
HOURS = (AT - BEGIN) / HOUR
POWER = {"quantity": "power", "accumulation": "instantaneous", "period": "10m"}
REGISTER = {"quantity": "energy", "accumulation": "register", "max_rate": 4000, "period": "10m", "resolution": 0.01}


def power(id: str, role: str | None = None, parent: str | None = None, **more: Any) -> dict[str, Any]:
    named = {"id": id, "role": role, "parent": parent}
    return {key: value for key, value in named.items() if value is not None} | POWER | more


def register(id: str, role: str | None = None, parent: str | None = None, **more: Any) -> dict[str, Any]:
    return power(id, role, parent, **(REGISTER | more))


def a_site(folder: Path, *meters: Mapping[str, Any], **changes: Any) -> Site:
    fields = {"id": "s", "timezone": "Europe/Berlin", "pue_category": 2, "meters": [dict(each) for each in meters]}
    return parse({"sites": [fields | changes]}, folder).sites["s"]


def load(kw: float, seed: int = 0, share: float = 0.1) -> Float64:
    """A load that varies about its mean."""
    rng = np.random.default_rng(seed)
    wave = np.sin(HOURS / 24 * 2 * np.pi + seed) + 0.3 * rng.standard_normal(COUNT)
    return np.round(kw * (1 + share * wave), 3)


def dial(kw: Float64, first: float = 1000.0) -> Float64:
    """A register that counts a load."""
    steps = np.concatenate(([0.0], np.cumsum(kw[:-1]))) * STEP / HOUR
    return np.round(first + steps, 2)


def found(folder: Path, site: Site, columns: Mapping[str, Float64], **how: Any) -> list[Finding]:
    return findings(folder, site, {meter: (AT[: len(v)], v) for meter, v in columns.items()}, **how)


# -- what rests ----------------------------------------------------------------------------------------------------


def test_a_standby_generator_and_lights_that_are_off_may_stand(tmp_path: Path) -> None:
    site = a_site(
        tmp_path,
        register("grid", "utility_import"),
        register("genset", "generator"),
        power("lights", "lighting", "grid"),
        register("pdu", "it_pdu", "grid"),
        register("chiller", "chiller", "grid"),
    )
    it = load(100)
    rest = dict.fromkeys(("genset", "chiller"), dial(0 * it))
    columns = {"grid": dial(1.2 * it), "pdu": dial(it), "lights": 0 * it, **rest}
    assert found(tmp_path, site, columns) == []


@pytest.mark.parametrize(("role", "severity"), [("utility_import", "info"), ("it_pdu", "warning")])
def test_of_two_feeds_one_may_be_in_reserve(tmp_path: Path, role: str, severity: str) -> None:
    site = a_site(
        tmp_path,
        register("feed-a", "utility_import"),
        register("pdu-a", "it_pdu"),
        register("second", role),
    )
    it = load(100)
    (finding,) = found(tmp_path, site, {"feed-a": dial(1.3 * it), "pdu-a": dial(it), "second": dial(0 * it)})
    assert (finding.code, finding.severity, finding.meter) == ("meter.frozen", severity, "second")
    assert ("what is in reserve may stand" in finding.message) == (severity == "info")


def test_air_that_nothing_moves_is_told(tmp_path: Path) -> None:
    fields = [register("grid", "utility_import"), register("pdu", "it_pdu"), register("crah-1", "crah")]
    it = load(100)
    columns = {"grid": dial(1.3 * it), "pdu": dial(it), "crah-1": dial(0 * it)}
    seen = found(tmp_path, a_site(tmp_path, *fields), columns)
    assert [(f.code, f.severity, f.meter) for f in seen] == [("meter.frozen", "warning", "crah-1")]
    two = a_site(tmp_path, *fields, register("crah-2", "crah"))
    seen = found(tmp_path, two, columns | {"crah-2": dial(0.1 * it)})
    assert [(f.code, f.severity, f.meter) for f in seen] == [("meter.frozen", "info", "crah-1")]


def test_a_site_that_is_not_at_work_yet_stands_as_a_whole(tmp_path: Path) -> None:
    site = a_site(tmp_path, register("grid", "utility_import"), register("pdu", "it_pdu"))
    assert found(tmp_path, site, {"grid": dial(np.zeros(COUNT)), "pdu": dial(np.zeros(COUNT))}) == []


def test_a_dial_too_coarse_to_move_in_a_day_says_nothing(tmp_path: Path) -> None:
    fields = [register("grid", "utility_import"), register("pdu", "it_pdu", unit="MWh", resolution=100)]
    it = load(100)
    columns = {"grid": dial(1.3 * it), "pdu": np.full(COUNT, 700.0)}
    assert found(tmp_path, a_site(tmp_path, *fields), columns) == []
    fields[1]["resolution"] = 0.01
    assert told(found(tmp_path, a_site(tmp_path, *fields), columns)) == [("meter.frozen", "pdu")]


@pytest.mark.parametrize(("kw", "codes"), [(12.0, []), (12.34, ["meter.frozen"])])
def test_a_running_rate_to_the_last_digit(tmp_path: Path, kw: float, codes: list[str]) -> None:
    site = a_site(tmp_path, register("grid", "utility_import"), register("pdu", "it_pdu"), power("fan", "fan"))
    it = load(100)
    seen = found(tmp_path, site, {"grid": dial(1.3 * it), "pdu": dial(it), "fan": np.full(COUNT, kw)})
    assert [(f.code, f.severity, f.meter) for f in seen] == [(code, "info", "fan") for code in codes]


@pytest.mark.parametrize("role", ["setpoint", "status", "valve", "damper", "fan_speed", "chw_supply", "hall_air"])
def test_what_is_set_or_controlled_may_stand(tmp_path: Path, role: str) -> None:
    kind = "ratio" if role in {"status", "valve", "damper", "fan_speed"} else "temperature"
    site = a_site(
        tmp_path, register("grid", "utility_import"), register("pdu", "it_pdu"), power("x", role, quantity=kind)
    )
    it = load(100)
    assert found(tmp_path, site, {"grid": dial(1.3 * it), "pdu": dial(it), "x": np.full(COUNT, 0.37)}) == []


def test_one_of_several_room_sensors_stands(tmp_path: Path) -> None:
    sensor = {"quantity": "temperature"}
    site = a_site(tmp_path, *(power(name, "rack_inlet", **sensor) for name in ("r1", "r2")))
    columns = {"r1": load(23, share=0.02), "r2": np.full(COUNT, 22.5)}
    columns = {name: np.concatenate((value, value)) for name, value in columns.items()}
    at = BEGIN + STEP * np.arange(2 * COUNT, dtype=np.int64)
    (finding,) = findings(tmp_path, site, {name: (at, value) for name, value in columns.items()})
    assert (finding.code, finding.severity, finding.meter) == ("meter.frozen", "info", "r2")


# -- directions ----------------------------------------------------------------------------------------------------


def test_meters_that_count_both_ways_or_out(tmp_path: Path) -> None:
    site = a_site(
        tmp_path,
        power("grid", "utility_import"),
        power("out", "grid_export"),
        power("pv", "onsite_renewable"),
        power("board"),
        power("pdu", "it_pdu", "board"),
        power("battery", None, "board"),
    )
    it, cycle = load(100), np.round(80 * np.sin(HOURS / 8 * 2 * np.pi), 2)
    columns = {"grid": 1.3 * it, "out": -load(20, 3), "pv": -load(0.4, 4), "board": it + cycle, "pdu": it}
    assert found(tmp_path, site, columns | {"battery": cycle}) == []


def test_a_net_import_meter_of_a_site_that_sends_out(tmp_path: Path) -> None:
    meters = [power("net", "utility_import"), power("pdu", "it_pdu"), power("chp", "generator")]
    it = load(100)
    columns = {"net": -load(150, 2), "pdu": it, "chp": load(280, 1)}
    assert found(tmp_path, a_site(tmp_path, *meters), columns) == []
    alone = {"net": -load(150, 2), "pdu": it}
    assert ("meter.reversed", "net") in told(found(tmp_path, a_site(tmp_path, *meters[:2]), alone))


def test_solar_below_the_board_is_no_child_above_its_parent(tmp_path: Path) -> None:
    site = a_site(
        tmp_path,
        register("board"),
        register("pv", "onsite_renewable", "board"),
        register("pdu", "it_pdu", "board"),
    )
    it, pv = load(100), load(30, 1)
    columns = {"pv": dial(1.2 * it), "pdu": dial(it)}
    assert found(tmp_path, site, columns | {"board": dial(0.01 * it)}) == []
    assert told(found(tmp_path, site, {"board": dial(0.3 * it), "pv": dial(pv), "pdu": dial(it)})) == [
        ("pue.below_one", None),
        ("balance.children", "board"),
    ]


def test_a_meter_without_a_role_whose_other_sign_closes_the_balance(tmp_path: Path) -> None:
    site = a_site(tmp_path, power("board"), *(power(name, None, "board") for name in ("a", "b", "c")))
    a, b, c = load(100, 1), load(60, 2), load(25, 3)
    (finding,) = found(tmp_path, site, {"board": a + b + c, "a": a, "b": -b, "c": c})
    assert (finding.code, finding.meter) == ("meter.reversed", "b")
    assert "with its sign turned round the balance of board closes" in finding.message
    (finding,) = found(tmp_path, site, {"board": -(a + b + c), "a": a, "b": b, "c": c})
    assert (finding.code, finding.meter) == ("meter.reversed", "board")


def test_one_of_three_current_transformers(tmp_path: Path) -> None:
    names = [f"pdu-{n}" for n in range(4)]
    site = a_site(tmp_path, register("ups", "it_ups"), *(register(name, "it_pdu", "ups") for name in names))
    loads = {name: load(50 + 2 * n, n) for n, name in enumerate(names)}
    whole = dial(np.sum(list(loads.values()), axis=0))
    columns = {name: dial(value) for name, value in loads.items()} | {"ups": whole}
    assert found(tmp_path, site, columns) == []
    (finding,) = found(tmp_path, site, columns | {"pdu-2": dial(loads["pdu-2"] / 3)})
    assert (finding.code, finding.meter) == ("meter.reversed", "pdu-2")
    assert "a third of what its siblings count" in finding.message


def test_a_few_resets_or_rollovers_are_no_countdown(tmp_path: Path) -> None:
    site = a_site(tmp_path, register("grid", "utility_import", rollover_at=1000), register("pdu", "it_pdu"))
    it = load(100)
    columns = {"grid": np.round(dial(1.3 * it) % 1000, 2), "pdu": dial(it)}
    assert found(tmp_path, site, columns) == []


# -- units ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.004, 0.02, 0.9])
def test_a_low_load_is_no_unit(tmp_path: Path, share: float) -> None:
    site = a_site(tmp_path, power("grid", "utility_import"), power("pdu", "it_pdu"), it_power_kw=1000)
    it = load(1000 * share)
    assert found(tmp_path, site, {"grid": it + load(14, 1), "pdu": it}) == []


@pytest.mark.parametrize(
    ("grid", "pdu", "declared", "blamed"),
    [
        (1000.0, 1.0, 500, {"grid"}),  # 130 MW beside 100 kW
        (1.0, 1000.0, 500, {"pdu"}),
        (0.001, 1.0, 500, {"grid"}),
        (1.0, 0.001, 500, {"pdu"}),
        (1.0, 0.001, None, {"grid", "pdu"}),  # either, and both are named
        (1.0, 1.0, 500, set()),
    ],
)
def test_totals_beside_each_other(
    tmp_path: Path, grid: float, pdu: float, declared: float | None, blamed: set[str]
) -> None:
    size = {} if declared is None else {"it_power_kw": declared}
    site = a_site(tmp_path, power("grid", "utility_import"), power("pdu", "it_pdu"), **size)
    it = load(100)
    seen = found(tmp_path, site, {"grid": 1.3 * it * grid, "pdu": it * pdu})
    assert {f.meter for f in seen if f.code == "meter.unit"} == blamed


def pdus(folder: Path, *, tree: bool) -> tuple[Site, dict[str, Float64]]:
    names = [f"pdu-{n}" for n in range(5)]
    parent = "ups" if tree else None
    site = a_site(folder, power("ups", "it_ups"), *(power(name, "it_pdu", parent) for name in names), pue_category=1)
    columns = {name: load(40 + 4 * n, n) for n, name in enumerate(names)}
    return site, columns | {"ups": np.sum(list(columns.values()), axis=0)}


def test_one_sibling_a_thousand_times_above_the_others(tmp_path: Path) -> None:
    site, columns = pdus(tmp_path, tree=False)
    (finding,) = found(tmp_path, site, columns | {"pdu-3": 1000 * columns["pdu-3"]})
    assert (finding.code, finding.meter) == ("meter.unit", "pdu-3")
    assert "4 others of its role" in finding.message


def test_one_sibling_a_thousand_times_below_may_be_idle(tmp_path: Path) -> None:
    site, columns = pdus(tmp_path, tree=False)
    assert found(tmp_path, site, columns | {"pdu-3": columns["pdu-3"] / 1000}) == []
    site, columns = pdus(tmp_path, tree=True)
    idle = columns["pdu-3"] / 1000
    assert found(tmp_path, site, columns | {"pdu-3": idle, "ups": columns["ups"] - columns["pdu-3"] + idle}) == []


def test_the_tree_tells_an_idle_sibling_from_a_wrong_unit(tmp_path: Path) -> None:
    site, columns = pdus(tmp_path, tree=True)
    (finding,) = found(tmp_path, site, columns | {"pdu-3": columns["pdu-3"] / 1000})
    assert (finding.code, finding.meter) == ("meter.unit", "pdu-3")
    assert "with MW (1,000 of it) it would fit" in finding.message


def test_more_water_than_any_cooling_needs(tmp_path: Path) -> None:
    litres: dict[str, Any] = {"quantity": "water", "accumulation": "delta", "max_rate": 1000, "unit": "m3"}
    site = a_site(
        tmp_path, power("grid", "utility_import"), power("pdu", "it_pdu"), power("w", "water_input", **litres)
    )
    it = load(100)
    seen = found(tmp_path, site, {"grid": 1.3 * it, "pdu": it, "w": load(20, 2)})
    assert told(seen) == [("meter.unit", "w")]
    assert "it is declared in m3, and with L" in seen[0].message
    assert found(tmp_path, site, {"grid": 1.3 * it, "pdu": it, "w": load(0.02, 2)}) == []


def test_unmetered_loads_are_no_fault(tmp_path: Path) -> None:
    site = a_site(tmp_path, power("grid", "utility_import"), *(power(f"pdu-{n}", "it_pdu", "grid") for n in range(3)))
    columns = {f"pdu-{n}": load(10 * (n + 1), n) for n in range(3)}
    assert found(tmp_path, site, columns | {"grid": load(140, 7)}) == []


# -- clocks --------------------------------------------------------------------------------------------------------


def clocked(folder: Path, at: Int64, received: Int64, period: str = "10m") -> list[tuple[str, str | None]]:
    """Findings on a meter whose readings of these times arrive at those."""
    site = a_site(folder, power("grid", "utility_import", period=period), timezone="Asia/Kolkata")
    table = MeterTable.of([site])
    store = DuckdbStore.open(folder / "clock.duckdb")
    judged = normalise(sent(table, "grid", at, load(100)[: len(at)], received), table, 31 * DAY)
    store.commit(judged.readings, judged.rejects)
    kept = Commissioning({"s": site}, 15 * MINUTE, store, lambda: BEGIN)
    said = [(f.code, f.meter) for f in kept.findings("s")]
    store.close()
    return said


def test_arrival_that_only_wanders_is_no_clock(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    batches = AT - AT % (6 * HOUR) + 6 * HOUR  # a gateway that uploads four times a day
    assert clocked(tmp_path / "a", AT, batches) == []
    assert clocked(tmp_path / "b", AT, AT + rng.integers(0, 40 * MINUTE, COUNT)) == []
    labelled = AT + STEP + SECOND  # a value that is labelled by the start of its ten minutes
    assert clocked(tmp_path / "c", AT, labelled) == []


def test_an_outage_and_what_it_held_back_is_no_clock(tmp_path: Path) -> None:
    ago = int(AT[-1]) - AT
    held = (ago < 12 * HOUR) & (ago >= 2 * HOUR)
    received = np.where(held, int(AT[-1]) - 2 * HOUR + np.arange(COUNT) * 1000, AT + SECOND)
    assert clocked(tmp_path, AT, received) == []


def test_half_an_hour_zone(tmp_path: Path) -> None:
    assert clocked(tmp_path, AT - 5 * HOUR - 30 * MINUTE, AT + SECOND) == [("meter.clock", "grid")]


def test_a_clock_that_has_been_put_right(tmp_path: Path) -> None:
    wrong = int(AT[-1]) - AT > DAY
    assert clocked(tmp_path, np.where(wrong, AT + 2 * HOUR, AT), AT + SECOND) == []


def test_days_with_a_change_of_the_clocks(tmp_path: Path) -> None:
    spring = telemetry(4.0, 1, parse_iso("2026-03-27T00:00:00Z"))
    columns = {"grid": (spring.at, 1000 * spring.values["utility"])}
    assert findings(tmp_path, a_site(tmp_path, register("grid", "utility_import")), columns) == []


# -- keeping -------------------------------------------------------------------------------------------------------


def test_findings_are_made_anew_when_figures_change_and_at_most_once_a_minute(tmp_path: Path) -> None:
    site = a_site(tmp_path, power("grid", "utility_import"))
    store = DuckdbStore.open(tmp_path / "w.duckdb")
    now = [BEGIN]
    kept = Commissioning({"s": site}, 15 * MINUTE, store, lambda: now[0])
    first = kept.findings("s")
    assert first == []
    now[0] += 2 * MINUTE
    assert kept.findings("s") is first, "nothing has changed"
    kept.changed()
    second = kept.findings("s")
    assert second is not first
    kept.changed()
    now[0] += 59 * SECOND
    assert kept.findings("s") is second, "too early"
    now[0] += SECOND
    assert kept.findings("s") is not second
    now[0] -= DAY
    kept.changed()
    assert kept.findings("s") == [], "a clock that went back does not stop it"
    store.close()


def test_a_finding_as_a_problem() -> None:
    finding = Finding(
        code="meter.clock",
        severity="warning",
        meter="m",
        message="off",
        evidence={"n": 1.0},
        remedy="set it",
        since=BEGIN,
    )
    assert document(finding) == {
        "meter": "m",
        "code": "meter.clock",
        "severity": "warning",
        "message": "off",
        "since": "2026-05-04T00:00:00Z",
        "evidence": {"n": 1.0},
        "remedy": "set it",
    }


@pytest.mark.parametrize(
    ("span", "words"),
    [(400_000, "0.4 s"), (12 * MINUTE, "12 min"), (2 * HOUR, "2 h"), (90 * MINUTE, "1 h 30 min"), (3.5 * DAY, "3.5 d")],
)
def test_spans_in_words(span: float, words: str) -> None:
    assert lasting(span) == words
