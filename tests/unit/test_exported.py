"""What /metrics shows beside KPIs: targets, roles, weather, the meter tree, meter events, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import STEP
from tests.support import T0, readings_of
from wattwell.config import parse
from wattwell.engine.engine import Engine
from wattwell.engine.exported import EVENTS
from wattwell.engine.queries import Snapshot
from wattwell.intervals import DAY, HOUR, MINUTE
from wattwell.store.duckdb import DuckdbStore

POWER = {"grid": 150.0, "it": 100.0, "pump-a": 10.0, "pump-b": 20.0}


def meters() -> list[dict[str, Any]]:
    weather = {"quantity": "temperature", "accumulation": "instantaneous", "period": "5m", "max_gap": "12m"}
    return [
        {"id": "grid", "role": "utility_import", **STEP},
        {"id": "it", "role": "it_ups", "parent": "grid", **STEP},
        {"id": "pump-a", "role": "pump", "parent": "grid", **STEP},
        {"id": "pump-b", "role": "pump", "parent": "grid", **STEP},
        {"id": "pumps", "role": None, "quantity": "power", "formula": "pump-a + pump-b"},
        {"id": "old", "role": "fan", "until": "2025-12-01", **STEP},
        {"id": "roof", "role": "outdoor_dry_bulb", **weather},
        {"id": "hall", "role": "hall_air", **weather},
    ]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": meters()}
    site |= {"targets": {"pue": 1.4, "renewable_share": 0.3, "cfe": 0.8}}
    config = parse({"sites": [site], "alerts": []}, tmp_path)
    store = DuckdbStore.open(tmp_path / "wattwell.duckdb")
    yield Engine(config, (), store, lambda: T0 + DAY + 10 * MINUTE)
    store.close()


def shown(engine: Engine, silent_from: dict[str, int] | None = None) -> Snapshot:
    """The snapshot after a day of readings every five minutes; some meters fall silent."""
    values = POWER | {"roof": 21.5, "hall": 24.0}
    ends = dict.fromkeys(values, T0 + DAY + 5 * MINUTE) | (silent_from or {})
    rows = [(("s", name), at, value) for name, value in values.items() for at in range(T0, ends[name] + 1, 5 * MINUTE)]
    engine.store.commit(readings_of(rows, received_at=T0 + DAY), [])
    engine.refresh()
    return engine.snapshot()


def test_roles_add_up_and_sensors_show(engine: Engine) -> None:
    snapshot = shown(engine)
    assert snapshot.role_power_watts == {
        ("s", "utility_import"): pytest.approx(150_000),
        ("s", "it_ups"): pytest.approx(100_000),
        ("s", "pump"): pytest.approx(30_000),
    }
    assert snapshot.power_watts["s", "total"] == pytest.approx(150_000)
    assert snapshot.power_watts["s", "cooling"] == pytest.approx(30_000)
    assert snapshot.outdoor_celsius == {("s", "roof", "outdoor_dry_bulb"): pytest.approx(21.5)}
    assert snapshot.targets == {("s", "pue"): 1.4, ("s", "ref"): 0.3, ("s", "cfe"): 0.8}
    assert snapshot.meter_events == {("s", event, "booked"): 0 for event in EVENTS}


def test_a_role_with_a_silent_meter_is_left_out(engine: Engine) -> None:
    snapshot = shown(engine, {"pump-b": T0 + 20 * HOUR, "roof": T0 + 20 * HOUR})
    assert {role for _, role in snapshot.role_power_watts} == {"utility_import", "it_ups"}
    assert snapshot.outdoor_celsius == {}


def test_the_balance_is_that_of_the_page(engine: Engine) -> None:
    snapshot = shown(engine)
    (document,) = engine.balance("s")
    assert snapshot.balance_residuals == {("s", "grid"): document["residual"] / document["parent_amount"]}
    assert snapshot.balance_residuals["s", "grid"] == pytest.approx(20 / 150)
    assert snapshot.balance_tolerances == {("s", "grid"): document["tolerance"] / document["parent_amount"]}


def test_limits_are_those_of_the_meters_in_service(engine: Engine) -> None:
    snapshot = shown(engine)
    assert snapshot.reporting_limits == {("s", name): 900.0 for name in (*POWER, "roof", "hall")}
    assert [problem["code"] for problem in engine.problems("s") if problem["code"] == "meter.stale"] == []


def test_nothing_is_known_of_an_empty_store(engine: Engine) -> None:
    snapshot = engine.snapshot()
    assert (snapshot.role_power_watts, snapshot.outdoor_celsius, snapshot.balance_residuals) == ({}, {}, {})


def test_a_site_without_any_figure(tmp_path: Path) -> None:
    spare = {"id": "spare", "role": "hall_air", "quantity": "temperature", "accumulation": "instantaneous"}
    site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [spare]}
    store = DuckdbStore.open(tmp_path / "wattwell.duckdb")
    snapshot = Engine(parse({"sites": [site], "alerts": []}, tmp_path), (), store, lambda: T0).snapshot()
    store.close()
    assert (snapshot.power_watts, snapshot.role_power_watts) == ({}, {})
    assert [value for value in snapshot.kpis if value.value is not None] == []
