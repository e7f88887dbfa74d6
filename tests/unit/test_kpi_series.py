"""Which KPI values are written to a remote store, when, and again after late data: each at least once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from analytics.evaluate import Window
from tests.support import T0
from wattwell.app.kpi_teller import KpiTeller
from wattwell.config import parse
from wattwell.engine.analyse import Changed
from wattwell.engine.kpi_series import KpiSeries, Piece
from wattwell.errors import RemoteStoreError
from wattwell.intervals import DAY, HOUR, MINUTE
from wattwell.model import IntervalValues, KpiValue, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import Dirty, DirtySet, MeterUpdate
from wattwell.store.remote import KpiPoint

KEY = ("s", "grid")
BERLIN_MIDNIGHT = T0 + 23 * HOUR


def a_site(zone: str) -> Site:
    """One with a single meter."""
    grid = {"id": "grid", "role": "utility_import", "quantity": "power", "accumulation": "instantaneous"}
    document = {"sites": [{"id": "s", "timezone": zone, "pue_category": 1, "meters": [grid]}]}
    return parse(document, Path()).sites["s"]


class World:
    """One site that is analysed up to an hour before now; its PUE says which generation of readings it was made of."""

    def __init__(self) -> None:
        self.store = DuckdbStore(Path("spool"), duckdb.connect(":memory:"))
        self.now = T0 + 30 * HOUR
        self.generation = 1.0
        self.written: list[KpiPoint] = []
        self.away = False
        self.analyse(T0, T0 + 1000 * HOUR)
        self.restart()

    def analyse(self, start: int, end: int) -> None:
        """Interval values that start in ``[start, end)``."""
        at = np.arange(start, end, HOUR, dtype=np.int64)
        ones = np.ones(len(at))
        values = IntervalValues(start=at, value=ones, measured=ones, recovered=np.zeros(len(at), np.bool_))
        nothing: Any = {"events": (), "events_from": 0, "events_to": 0, "checkpoints": ()}
        self.store.save(
            [MeterUpdate(key=KEY, start=start, end=end, values=values, forget_from=0, forget_to=0, **nothing)]
        )

    def restart(self) -> None:
        """The process is killed: only what the store keeps is known to the next one."""
        self.series = KpiSeries(self.store, {"s": a_site("Europe/Berlin")}, self.value, lambda _site, now: now - HOUR)

    def value(self, site: str, kpi: str, window: Window) -> KpiValue:
        """PUE has a value once the window lies in what was analysed, others never."""
        known = kpi == "pue" and window.interval.start >= T0
        none: Any = dict.fromkeys(("label", "unit"), "") | dict.fromkeys(
            ("numerator", "denominator", "category", "basis")
        )
        shares = dict.fromkeys(("usable", "coverage", "estimated"), 1.0)
        return KpiValue(
            site=site,
            kpi=kpi,
            window=window.name,
            interval=window.interval,
            value=self.generation if known else None,
            provisional=False,
            issues=(),
            **none,
            **shares,
        )

    def write(self, points: list[KpiPoint]) -> tuple[str, ...]:
        if self.away:
            raise RemoteStoreError("away")
        self.written += points
        return ()

    def send(self) -> list[tuple[str, int, float, int]]:
        """Everything that there is to write; (window, hours after T0, value, revision) of it, in order."""
        self.written.clear()
        while KpiTeller(self.series, self.write).tell(self.now, lambda: self.now / 1e6):  # type: ignore[arg-type]
            pass
        return sorted((p.window, (p.at - T0) // HOUR, p.value, p.revision) for p in self.written)

    def late(self, start: int, end: int) -> None:
        """Readings come late and change intervals."""
        self.generation += 1
        self.series.before(DirtySet(1, (Dirty(KEY, start, end),)), self.now)
        self.series.after([Changed("s", start, end)], self.now)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.store.close()


def test_windows_are_written_once_when_they_are_over(world: World) -> None:
    assert world.send() == [("24h", hour, 1.0, 0) for hour in range(24, 30)]
    assert world.send() == []
    world.now += HOUR
    assert world.send() == [("24h", 30, 1.0, 0)]
    world.now = BERLIN_MIDNIGHT + DAY + HOUR
    assert world.send() == [*(("24h", hour, 1.0, 0) for hour in range(31, 48)), ("day", 47, 1.0, 0)]
    assert not world.series.take(world.now)


def test_late_data_is_written_again_in_the_next_hour_under_a_revision(world: World) -> None:
    world.now = T0 + 60 * HOUR
    world.send()
    world.late(T0 + 30 * HOUR, T0 + 31 * HOUR)
    world.late(T0 + 31 * HOUR, T0 + 32 * HOUR)
    assert world.send() == []
    world.now += HOUR
    again = [("24h", hour, 3.0, 1) for hour in range(31, 58)]
    assert world.send() == [*again, ("24h", 60, 3.0, 0), ("day", 47, 3.0, 1)]
    world.late(T0 + 59 * HOUR, T0 + 70 * HOUR)  # the newest windows only: what is to come is not due
    world.now += HOUR
    assert world.send() == [("24h", 60, 4.0, 2), ("24h", 61, 4.0, 0)]


def test_live_readings_are_no_news_for_what_was_written(world: World) -> None:
    world.send()
    before = world.store.load_state("kpi.series.s")
    world.late(T0 + 29 * HOUR, T0 + 30 * HOUR)
    assert before == world.store.load_state("kpi.series.s") is not None
    world.now += HOUR
    assert world.send() == [("24h", 30, 2.0, 0)]


def test_live_readings_do_not_ask_the_store_where_data_begin(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks through all interval values for it, and live readings touch nothing that was written."""
    world.send()
    world.restart()
    monkeypatch.setattr(world.store, "extent", lambda _site: pytest.fail("asked"))
    world.late(world.now - HOUR, world.now)


def test_what_was_not_safe_is_written_again_by_the_next_process(world: World) -> None:
    everything = world.send()
    world.restart()
    assert world.send() == everything
    world.series.settle(world.now / 1e6)
    world.restart()
    assert world.send() == []


def test_another_server_gets_what_was_not_safe_again(world: World) -> None:
    everything = world.send()
    world.series.forgotten()
    assert world.send() == everything
    world.series.settle(world.now / 1e6)
    world.series.forgotten()
    assert world.send() == []
    world.late(T0, T0 + HOUR)
    world.now += HOUR
    again = world.send()
    assert ("24h", 24, 2.0, 1) in again
    world.series.forgotten()
    assert world.send() == again
    world.series.settle(world.now / 1e6)
    world.restart()
    assert world.send() == []


def test_nothing_is_lost_while_the_server_is_away(world: World) -> None:
    world.away = True
    for _ in range(3):
        with pytest.raises(RemoteStoreError):
            world.send()
        world.now += HOUR
    world.away = False
    assert world.send() == [("24h", hour, 1.0, 0) for hour in range(24, 33)]


def test_a_crash_while_late_readings_are_analysed_is_made_up_for(world: World) -> None:
    world.send()
    world.series.settle(world.now / 1e6)
    world.series.before(DirtySet(1, (Dirty(KEY, T0 + 2 * HOUR, T0 + 3 * HOUR),)), world.now)
    world.restart()
    world.generation = 2.0
    world.series.before(DirtySet(0, ()), world.now)
    world.series.after([], world.now)
    world.now += HOUR
    assert world.send() == [*(("24h", hour, 2.0, 1) for hour in range(24, 29)), ("24h", 30, 2.0, 0)]


def test_everything_is_written_anew_when_asked_for(world: World) -> None:
    world.now = T0 + 60 * HOUR
    world.send()
    world.late(T0 + 30 * HOUR, T0 + 31 * HOUR)
    world.series.anew()
    assert {revision for _, _, _, revision in world.send()} == {2}
    assert len(world.written) == 60 - 24 + 1


def test_values_that_are_refused_for_good_hold_up_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    refused = lambda points: ("beyond retention",) * len(points)  # noqa: E731
    assert KpiTeller(world.series, refused).tell(world.now, lambda: 0.0)
    assert KpiTeller(world.series, refused).tell(world.now, lambda: 0.0)
    assert not world.series.take(world.now)
    assert [record.message for record in caplog.records] == [
        f"The remote store refuses {count} of {count} KPI values for good: beyond retention" for count in (1, 5)
    ]


def test_one_request_holds_some_hours(world: World) -> None:
    world.now = T0 + 900 * HOUR
    (piece,) = world.series.take(world.now)
    assert piece == Piece("s", T0, T0 + DAY, 0, again=False)
    world.series.points([piece])
    world.series.wrote([piece], 0.0)
    assert world.series.take(world.now) == [Piece("s", T0 + DAY, T0 + 2 * DAY, 0, again=False)]


def test_a_site_without_readings_has_nothing_to_write() -> None:
    store = DuckdbStore(Path("spool"), duckdb.connect(":memory:"))
    series = KpiSeries(store, {"s": a_site("UTC")}, lambda *_: pytest.fail("asked"), lambda _site, now: now)
    assert not series.busy(T0)
    series.before(DirtySet(1, (Dirty(KEY, T0, T0 + MINUTE),)), T0)
    series.after([Changed("s", T0, T0 + HOUR)], T0)
    assert not series.busy(T0)
    store.close()
