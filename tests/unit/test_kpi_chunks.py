"""How many days of a site are loaded or kept at once changes no figure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import T0, readings_of
from wattwell.config import parse
from wattwell.engine import book
from wattwell.engine.engine import Engine
from wattwell.intervals import DAY, HOUR, iso
from wattwell.store.duckdb import DuckdbStore

METERS: list[dict[str, Any]] = [
    {"id": "main", "role": "utility_import", "quantity": "energy", "accumulation": "register", "max_rate": 1e6},
    {"id": "ups", "role": "it_ups", "quantity": "power", "accumulation": "instantaneous", "parent": "main"},
    {"id": "rack", "quantity": "power", "accumulation": "instantaneous", "parent": "ups", "from": "2025-12-20"},
    {"id": "late", "role": "chiller", "quantity": "power", "accumulation": "instantaneous", "from": "2026-01-04"},
]
SITE = {
    "id": "s",
    "timezone": "UTC",
    "pue_category": 1,
    "meters": [meter | {"period": "1h", "max_gap": "3h"} for meter in METERS],
}


@pytest.fixture
def store() -> Iterator[DuckdbStore]:
    opened = DuckdbStore(Path("memory"), duckdb.connect())
    yield opened
    opened.close()


def days(store: DuckdbStore, first: int, end: int) -> None:
    """A reading of every meter each hour of some days after, or before, 2026 has begun."""
    hours = range(24 * first, 24 * end + 1)
    rows = []
    for n in hours:
        values = {"main": 5000.0 + 3.5 * n, "ups": 2.0 + n % 3, "rack": 1.0, "late": float(n)}
        rows += [(("s", name), T0 + n * HOUR, value) for name, value in values.items()]
    store.commit(readings_of(rows), [])


def answers(store: DuckdbStore) -> list[dict[str, Any]]:
    engine = Engine(parse({"sites": [SITE]}, Path()), (), store, lambda: T0 + 6 * DAY + HOUR, {})
    engine.refresh()
    before = [*engine.kpi("s", None, "365d"), *engine.kpi("s", None, "24h", iso(T0)), *engine.balance("s", "30d")]
    days(store, -40, -35)  # before all that was known
    engine.refresh()
    return [*before, *engine.kpi("s", None, "365d"), *engine.kpi("s", None, "year"), *engine.balance("s", "365d")]


def test_few_days_at_once_give_the_same_figures(store: DuckdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    days(store, -3, 6)
    whole = answers(store)
    assert sum(each.get("value") is not None for each in whole) > 20
    other = DuckdbStore(Path("other"), duckdb.connect())
    days(other, -3, 6)
    monkeypatch.setattr(book, "_CELLS", 1)
    monkeypatch.setattr(book, "_MORE", 0)
    assert answers(other) == whole
    other.close()
