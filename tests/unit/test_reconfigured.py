"""A meter that is configured anew: its interval values are made again from its readings, nobody else's are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from tests.support import T0, readings_of
from wattwell.config import Config, parse
from wattwell.engine.engine import Engine
from wattwell.intervals import DAY, MINUTE
from wattwell.store.duckdb import DuckdbStore

METER = {"quantity": "energy", "accumulation": "register", "max_rate": 500}
ROWS = [
    (("s", name), T0 + step * MINUTE, start + 2.0 * step) for name, start in (("a", 0), ("b", 50)) for step in range(61)
]
CHANGES: Mapping[str, tuple[Mapping[str, object], float | None]] = {
    "multiplier": ({"multiplier": 3}, 90.0),
    "sign": ({"sign": -1}, -30.0),
    "unit": ({"unit": "Wh"}, 0.03),
    "a multiplier that ended": ({"multiplier": [{"from": "2026-01-02", "value": 3}]}, 30.0),
    "a rate that is exceeded now": ({"max_rate": 100}, None),
    "nothing that counts": ({"equipment": "board 1"}, 30.0),
}


def config(change: Mapping[str, object]) -> Config:
    meters = [{"id": "a", **METER, **change}, {"id": "b", **METER}]
    return parse({"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": meters}]}, Path())


def values(engine: Engine, meter: str) -> list[float | None]:
    return [row["value"] for row in engine.series("s", meter)]


@pytest.mark.parametrize("name", CHANGES)
def test_values_are_made_again_with_what_is_configured_now(name: str) -> None:
    change, expected = CHANGES[name]
    store = DuckdbStore(Path("memory"), duckdb.connect())
    before = Engine(config({}), (), store, lambda: T0 + DAY)
    store.commit(readings_of(ROWS), [])
    before.refresh()
    assert values(before, "a")[:4] == [30.0] * 4
    untouched = values(before, "b")
    after = Engine(config(change), (), store, lambda: T0 + DAY)
    after.refresh()
    assert values(after, "a")[:4] == [None if expected is None else pytest.approx(expected, rel=1e-12)] * 4
    assert values(after, "b") == untouched
    Engine(config({}), (), store, lambda: T0 + DAY).refresh()
    assert values(before, "a")[:4] == [30.0] * 4, "and back again"
