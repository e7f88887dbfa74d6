"""Raw readings may go; figures stay, and what comes later goes on as if nothing had been dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from tests.support import T0, readings_of
from wattwell.config import Config, parse
from wattwell.engine.engine import Engine
from wattwell.errors import UsageError
from wattwell.intervals import DAY, MINUTE
from wattwell.model import Correction, MeterKey
from wattwell.store.duckdb import DuckdbStore

STEP = 5 * MINUTE
METERS = [
    {"id": "dial", "quantity": "energy", "accumulation": "register", "max_rate": 500, "rollover_at": 1000},
    {"id": "pulse", "quantity": "energy", "accumulation": "delta", "max_rate": 500},
    {"id": "rate", "quantity": "power", "accumulation": "instantaneous"},
]
Row = tuple[MeterKey, int, float]


def config(**dial: object) -> Config:
    meters = [METERS[0] | dial, *METERS[1:]]
    return parse({"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": meters}]}, Path())


def rows(begin: int, end: int, seed: int) -> list[Row]:
    """Every five minutes from step ``begin`` to ``end``: a dial that rolls over and sometimes lies, pulses, a rate."""
    rng = np.random.default_rng(seed)
    found: list[Row] = []
    for step in range(begin, end):
        if rng.random() < 0.15:
            continue
        at = T0 + step * STEP + int(rng.integers(0, MINUTE))
        dial = 0.0 if rng.random() < 0.03 else (step * 3.7) % 1000
        found += [(("s", "dial"), at, dial), (("s", "pulse"), at, 2.0), (("s", "rate"), at, float(step % 50))]
    return found


def opened(chosen: Config) -> Engine:
    return engine_on(DuckdbStore(Path("memory"), duckdb.connect()), chosen)


def engine_on(store: DuckdbStore, chosen: Config) -> Engine:
    return Engine(chosen, (), store, lambda: T0 + 400 * DAY)


def figures(engine: Engine) -> list[bytes]:
    found = engine.store.intervals("s", ["dial", "pulse", "rate"], -(2**62), 2**62)
    values = found.values
    return [found.meter.tobytes(), values.start.tobytes(), values.value.tobytes(), values.measured.tobytes()]


def fed(engine: Engine, parts: Sequence[Sequence[Row]]) -> None:
    for part in parts:
        engine.store.commit(readings_of(part), [])
        engine.refresh()


@pytest.mark.parametrize("seed", range(6))
def test_figures_go_on_after_pruning_as_if_nothing_was_dropped(seed: int) -> None:
    early, late = rows(0, 900, seed), rows(900, 1400, seed + 100)
    whole, pruned = opened(config()), opened(config())
    fed(whole, [early, late])
    fed(pruned, [early])
    before = figures(pruned)
    horizon = T0 + 2 * DAY
    assert pruned.prune(horizon) > 500
    assert pruned.prune(horizon) == 0
    assert figures(pruned) == before
    again = [row for row in early if row[1] >= horizon][::7]  # late repetitions, and readings that were missing
    fed(pruned, [late, again])
    assert figures(pruned) == figures(whole)


def test_a_changed_meter_keeps_the_values_that_cannot_be_computed_again() -> None:
    engine = opened(config())
    fed(engine, [rows(0, 900, 1)])
    count = len(engine.series("s", "dial"))
    engine.prune(T0 + 2 * DAY)
    changed = engine_on(engine.store, config(max_rate=600))  # type: ignore[arg-type]
    changed.refresh()
    series = changed.series("s", "dial")
    assert len(series) == count
    assert sum(row["missing"] for row in series) == sum(row["missing"] for row in engine.series("s", "dial"))


def test_register_readings_around_a_month_start_stay() -> None:
    engine = opened(config())
    fed(engine, [rows(0, 40 * 288, 2)])
    engine.prune(T0 + 39 * DAY)
    kept = engine.store.readings([("s", "dial"), ("s", "rate")], 0, T0 + 38 * DAY)
    february = T0 + 31 * DAY
    assert ("s", "rate") not in kept
    at = kept["s", "dial"][0]
    assert at[0] < T0 + STEP
    assert at[-2] <= february <= at[-1]


def test_a_correction_older_than_the_readings_is_refused() -> None:
    engine = opened(config())
    fed(engine, [rows(0, 900, 3)])
    engine.prune(T0 + 2 * DAY)
    swap = Correction(
        site="s", meter="dial", at=T0 + DAY, event="replacement", final=999.0, first=0.0, author="a", reason="r"
    )
    with pytest.raises(UsageError, match="raw readings are kept from 2026-01-03T00:00:00Z on only"):
        engine.correct([swap])
    engine.correct([replace(swap, at=T0 + 3 * DAY)])
