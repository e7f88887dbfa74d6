"""Many sites stepped together: read from the store at once, and the same alerts as each site by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from alerts.board import documents_of
from tests.support import T0, readings_of
from wattwell.config import parse
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.intervals import DAY, HOUR, MINUTE
from wattwell.model import SiteIntervals
from wattwell.store.duckdb import DuckdbStore

GRID = 15 * MINUTE
REGISTER = {"quantity": "energy", "accumulation": "register", "max_rate": 5000, "period": "5m", "max_gap": "1h"}
KINDS: tuple[tuple[dict[str, Any], ...], ...] = (
    (
        {"id": "grid", "role": "utility_import", **REGISTER},
        {"id": "it", "role": "it_ups", "parent": "grid", **REGISTER},
    ),
    (
        {"id": "grid", "role": "utility_import", **REGISTER},
        {"id": "pv", "role": "onsite_renewable", **REGISTER},
        {"id": "a", "parent": "grid", **REGISTER},
        {"id": "b", "parent": "grid", **REGISTER | {"period": "20m"}},
        {"id": "it", "role": "it_ups", "quantity": "energy", "formula": "a + b"},
        {"id": "chiller", "role": "chiller", "parent": "grid", **REGISTER},
    ),
    ({"id": "hall", "quantity": "temperature", "accumulation": "instantaneous", "unit": "degC"},),
)
RATES = {"grid": 150.0, "pv": 20.0, "it": 100.0, "a": 60.0, "b": 45.0, "chiller": 30.0, "hall": 0.0}
RULES = (
    {"name": "PueHour", "kpi": "pue", "window": "1h", "above": 1.4, "clear": 1.3, "sites": ["s0", "s1", "s3", "s4"]},
    {"name": "PueDay", "kpi": "pue", "window": "24h", "above": 1.2},
    {"name": "Cooling", "kpi": "ppue_cooling", "window": "1h", "above": 1.2, "sites": ["s1", "s4"]},
    {"name": "Load", "power": "it", "above": 101},
    {"name": "LoadMean", "power": "other", "window": "24h", "above": 20},
    {"name": "Covered", "coverage": "pue", "window": "1h", "below": 0.9},
    {"name": "Stale", "stale": "any", "above": "15m"},
    {"name": "Open", "balance": "any", "window": "24h", "above": 1},
)


class Counting(DuckdbStore):
    """A store that counts how often interval values are read."""

    def __init__(self) -> None:
        super().__init__(Path("memory"), duckdb.connect())
        self.reads: Counter[str] = Counter()

    def intervals(self, site: str, meters: Sequence[str], start: int, end: int) -> SiteIntervals:
        self.reads["one"] += 1
        return super().intervals(site, meters, start, end)

    def intervals_of(self, wanted: Mapping[str, Sequence[str]], start: int, end: int) -> Mapping[str, SiteIntervals]:
        self.reads["many"] += 1
        return super().intervals_of(wanted, start, end)


class Fleet:
    """Six sites of three kinds and what their alerts come to."""

    def __init__(self, folder: Path) -> None:
        self.now = T0
        self.config = _config(folder)
        self.store = Counting()
        self.engine = Engine(self.config, self.config.rules, self.store, lambda: self.now, {})

    def live(self, until: int, step: int = GRID) -> None:
        """Readings come in a step at a time; ``it`` of the first site is silent from 22:00 to 23:00."""
        while self.now < until:
            since, self.now = self.now, self.now + step
            rows = [
                ((site.id, meter.id), at, RATES[meter.id] * (at - T0) / HOUR * (1 + place / 50))
                for place, site in enumerate(self.config.sites.values())
                for meter in site.meters.values()
                if not meter.virtual
                for at in range(since + MINUTE * 5, self.now + 1, meter.period)
                if (site.id, meter.id) != ("s0", "it") or not 22 * HOUR < at - T0 < 23 * HOUR
            ]
            self.store.commit(readings_of(rows, received_at=self.now), [])
            self.engine.refresh()


def _config(folder: Path) -> Config:
    sites = [
        {"id": f"s{n}", "timezone": "UTC", "pue_category": 1, "meters": list(KINDS[n % len(KINDS)])} for n in range(6)
    ]
    return parse({"sites": sites, "alerts": list(RULES)}, folder)


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[tuple[Fleet, Fleet]]:
    made = Fleet(tmp_path), Fleet(tmp_path)
    yield made
    for each in made:
        each.store.close()


def test_a_step_of_many_sites_is_that_of_each(fleets: tuple[Fleet, Fleet], monkeypatch: pytest.MonkeyPatch) -> None:
    together, apart = fleets
    monkeypatch.setattr(apart.engine.watch._signals, "ready", lambda _steps: None)
    for fleet in fleets:
        fleet.live(T0 + 21 * HOUR, 21 * HOUR)
    for quarters in (90, 94, 96, 98):
        for fleet in fleets:
            fleet.live(T0 + quarters * GRID)
        assert documents_of(together.engine.watch.board) == documents_of(apart.engine.watch.board)
    states = {(each["site"], each["name"], each["state"]) for each in together.engine.alerts()}
    assert {("s1", "PueDay", "firing"), ("s1", "Load", "firing"), ("s0", "LoadMean", "firing")} <= states
    assert ("s0", "Load", "inactive") in states
    assert together.store.reads["one"] < apart.store.reads["one"]


def test_the_next_interval_of_all_sites_is_one_read(fleets: tuple[Fleet, Fleet]) -> None:
    fleet = fleets[0]
    fleet.live(T0 + DAY, DAY)
    fleet.live(T0 + DAY + 2 * GRID)
    fleet.store.reads.clear()
    fleet.live(fleet.now + GRID)
    # One of the day by the alerts: what else is read of interval values does not grow with the sites.
    assert fleet.store.reads == {"many": 1}
