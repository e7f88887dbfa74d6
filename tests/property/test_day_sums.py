"""Whatever a store lives through, a value made of stored sums of days is, to the bit, that of the interval values."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from analytics.evaluate import Window
from tests import collecting
from tests.sites import a_site, meter
from tests.support import T0, readings_of
from wattwell.engine.book import KpiBook
from wattwell.engine.engine import Engine
from wattwell.engine.retention import horizon
from wattwell.errors import StoreError
from wattwell.intervals import DAY, HOUR, MINUTE, Interval, floor_to
from wattwell.model import Correction, Factor, KpiValue, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import DaySums, MeterUpdate

GRID = HOUR
METERS = ("grid", "chiller", "ups-a", "ups-b")
ASKED = ("pue", "dcie", "ppue_cooling", "peak_demand_kw", "load_factor", "cue_location", "cfe")


def plant(version: int) -> Site:
    """The site; each version is another configuration, some with other interval values, some only with other sums."""
    it = meter("it", "it_ups", formula=((1, "ups-a"), (1, "ups-b")))
    factors = {
        "grid_kg_per_kwh": Factor(constant=0.4 if version != 1 else 0.3),
        "grid_carbon_free_share": Factor(constant=0.25),
    }
    site = a_site({"grid": "utility_import", "chiller": "chiller", "ups-a": None, "ups-b": None}, it, factors=factors)
    changed: dict[str, Any] = {}
    if version == 2:
        changed["chiller"] = {"role": "fan", "accuracy": 0.05}
    if version == 3:
        changed["ups-b"] = {"factors": ((-(2**62), 2.0),)}
    if version == 4:
        changed["grid"] = {"max_gap": 26 * HOUR}
    meters = {name: replace(one, **{"max_gap": 6 * HOUR} | changed.get(name, {})) for name, one in site.meters.items()}
    meters["chiller"] = replace(meters["chiller"], parent="grid")
    return replace(site, meters=meters)


class Crash(StoreError):
    """A power cut."""


class Dying:
    """A store that lives until one of its writes, before it or after it."""

    def __init__(self, store: DuckdbStore, writes: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, writes, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def _write(self, name: str, *args: Any) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Crash(f"before {name}")
        getattr(self._store, name)(*args)
        if self._left < 0:
            raise Crash(f"after {name}")

    def save(self, updates: Sequence[MeterUpdate]) -> None:
        self._write("save", updates)

    def clear(self, token: int) -> None:
        self._write("clear", token)

    def keep_day_sums(self, kept: Sequence[DaySums]) -> None:
        self._write("keep_day_sums", kept)


class Forgetful:
    """The same store to somebody who knows no sums of days."""

    def __init__(self, store: DuckdbStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def day_sums(self, *_: object) -> Mapping[int, bytes]:
        return {}


@dataclass(slots=True)
class Life:
    """One store, the engines that come and go, and the dials that are read."""

    dice: random.Random
    days: int
    store: DuckdbStore = field(default_factory=lambda: DuckdbStore(Path("memory"), duckdb.connect()))
    version: int = 0
    held: list[tuple[tuple[str, str], int, float]] = field(default_factory=list)
    """Readings that will come late."""
    asked: int = 0

    def engine(self, store: Any = None) -> Engine:
        config = replace(collecting.config(plant(self.version)), grid=GRID, provisional=1e-9)
        return Engine(config, (), self.store if store is None else store, lambda: T0 + (self.days + 3) * DAY, {})

    def begin(self) -> None:
        """Most readings of all days; some are held back."""
        rows = []
        for name in METERS:
            level, at = self.dice.uniform(0, 99), T0 - 17 * MINUTE
            while at < T0 + self.days * DAY:
                at += self.dice.choice([20, 40, 60, 90, 240]) * MINUTE
                level += self.dice.uniform(0, 9) * (3 if name == "grid" else 1)
                row = (("s", name), at, round(level, 2))
                (self.held if self.dice.random() < 0.03 else rows).append(row)
        self.store.commit(readings_of(rows), [])

    def late(self) -> None:
        """A few of the late ones, and some that contradict."""
        self.dice.shuffle(self.held)
        rows, self.held = self.held[:3], self.held[3:]
        if rows and self.dice.random() < 0.3:
            (key, at, value) = rows[0]
            rows.append((key, at, value + 0.5))
        if rows:
            self.store.commit(readings_of(rows), [])

    def correct(self) -> None:
        at = T0 + self.dice.randrange(self.days * DAY)
        plain: dict[str, Any] = {"site": "s", "meter": self.dice.choice(METERS), "at": at, "author": "a", "reason": "r"}
        self.store.add_corrections([Correction(event="replacement", final=None, first=0.0, **plain)])

    def crash(self) -> None:
        """Somewhere in a pass; what the engine knew is gone."""
        dying = Dying(self.store, self.dice.choice([0, 0, 1, 2]), after=self.dice.random() < 0.5)
        engine = self.engine(dying)
        try:
            self.ask(engine)
            engine.refresh()
            self.ask(engine)
        except Crash:
            self.check(engine, "after it failed")  # it may as well live on

    def prune(self, engine: Engine) -> None:
        engine.prune(floor_to(T0 + self.dice.randrange(self.days * DAY // 3), GRID))

    def spans(self) -> list[Interval]:
        def edge() -> int:
            return T0 + self.dice.randrange(-2 * DAY, (self.days + 2) * DAY) // GRID * GRID

        pairs = [sorted((edge(), edge())) for _ in range(2)]
        whole = [Interval(T0, T0 + self.days * DAY), Interval(T0 + 5 * HOUR, T0 + (self.days - 1) * DAY)]
        return [*whole, *(Interval(low, high) for low, high in pairs if low < high)]

    def ask(self, engine: Engine) -> None:
        """As a command does, so that sums are kept."""
        for span in self.spans():
            engine.kpi_values("s", ["pue"], None, _iso(span.start), _iso(span.end))

    def check(self, engine: Engine, when: str) -> None:
        """Every value is that of somebody who only knows the interval values that are stored."""
        fresh = KpiBook(engine.config, Forgetful(self.store))  # type: ignore[arg-type]
        for span in self.spans():
            window = Window(name=None, interval=span)
            for name in ASKED:
                assert _bits(engine._book.value("s", name, window)) == _bits(fresh.value("s", name, window)), when
            for one, other in zip(engine._book.closures("s", window), fresh.closures("s", window), strict=True):
                assert one == other, when
        self.asked += 1


def _iso(at: int) -> str:
    return str(np.datetime64(at, "us")) + "Z"


def _bits(value: KpiValue) -> tuple[object, ...]:
    amounts = (value.value, value.numerator, value.denominator, value.usable, value.coverage)
    return (*(None if amount is None else float(amount).hex() for amount in amounts), value.issues, repr(value.parts))


def one_life(seed: int, days: int, steps: int) -> Life:
    life = Life(random.Random(seed), days)
    life.begin()
    engine = life.engine()
    engine.refresh()
    for _ in range(steps):
        step = life.dice.choice(["late", "late", "correct", "crash", "restart", "configure", "prune", "ask"])
        if step in ("late", "correct"):
            getattr(life, step)()
            if life.dice.random() < 0.5:
                life.check(engine, f"{step}, not analysed yet")
            engine.refresh()
        elif step == "prune":
            life.prune(engine)
        else:
            if step == "crash":
                life.late()
                life.crash()
            elif step == "configure":
                life.version = life.dice.randrange(5)
            elif step == "ask":
                life.ask(engine)
            engine = engine if step == "ask" else life.engine()
            engine.refresh()
        life.check(engine, step)
        life.ask(engine)
    return life


@pytest.mark.parametrize("seed", range(6))
def test_a_value_is_that_of_the_interval_values(seed: int) -> None:
    life = one_life(seed, days=40, steps=14)
    kept = life.store.rows("SELECT count(*) FROM day_sums")[0][0]
    assert life.asked >= 14
    assert kept > 20, "sums were kept"
    life.store.close()


def test_stored_sums_are_what_a_new_process_uses() -> None:
    life = Life(random.Random(1), 70)
    life.begin()
    first = life.engine()
    first.refresh()
    assert life.store.day_sums("s", _digest(first), T0, T0 + 70 * DAY) == {}
    window = Window(name=None, interval=Interval(T0, T0 + 70 * DAY))
    first.kpi_values("s", ["pue"], None, _iso(T0), _iso(T0 + 70 * DAY))
    expected = first._book.value("s", "pue", window)
    assert len(life.store.day_sums("s", _digest(first), T0, T0 + 70 * DAY)) == 70

    class Unread(Forgetful):
        day_sums = DuckdbStore.day_sums

        def intervals(self, *_: object) -> object:
            raise AssertionError("interval values are not needed")

    again = KpiBook(first.config, Unread(life.store))  # type: ignore[arg-type]
    assert again.value("s", "pue", window) == expected
    life.store.close()


def test_days_that_still_change_are_not_written_again_and_again() -> None:
    life = Life(random.Random(2), 10)
    life.begin()
    engine = life.engine()
    engine.refresh()
    book = engine._book
    book.value("s", "pue", Window(name=None, interval=Interval(T0, T0 + 10 * DAY)))
    book.keep(T0 + 10 * DAY)
    assert max(life.store.day_sums("s", _digest(engine), T0, T0 + 10 * DAY)) == T0 + 8 * DAY
    book.keep(T0 + 11 * DAY)
    assert max(life.store.day_sums("s", _digest(engine), T0, T0 + 10 * DAY)) == T0 + 9 * DAY, "and later they are"
    life.store.close()


def _digest(engine: Engine) -> str:
    return engine._book._summed["s"].digest


def test_horizons_touch_no_sums() -> None:
    """What pruning stores of a meter holds no interval values, and so drops nothing."""
    life = Life(random.Random(3), 10)
    life.begin()
    engine = life.engine()
    engine.refresh()
    life.ask(engine)
    before = life.store.day_sums("s", _digest(engine), T0, T0 + 10 * DAY)
    one = engine.config.sites["s"].meters["grid"]
    found = horizon(life.store, one, (), GRID, T0 + 5 * DAY)
    assert found is not None
    life.store.save([found])
    assert life.store.day_sums("s", _digest(engine), T0, T0 + 10 * DAY) == before != {}
    life.store.close()
