"""Whatever the order of arrival, corrections, conflicts and crashes: the stored analysis is that of the sorted stream.

Dense streams over days, so that midnights, stored checkpoints and meeting points matter; several meters at different
ends of time; slabs so small that a pass takes many.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.fold import MeterFold
from tests.support import T0, a_meter, readings_of
from wattwell.engine.analyse import analyse
from wattwell.errors import StoreError
from wattwell.intervals import DAY, HOUR, MINUTE
from wattwell.model import Accumulation, Correction, Meter, MeterEvent, MeterKey
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import MeterUpdate
from wattwell.units import QuantityKind

GRID = 15 * MINUTE
FAR = 2**62
Row = tuple[int, float]
METERS: dict[MeterKey, Meter] = {
    ("s", "register"): a_meter(id="register", max_rate=600.0, rollover_at=1000.0, resolution=0.5),
    ("s", "dated"): a_meter(id="dated", max_rate=600.0, factors=((-FAR, 1.0), (T0 + DAY + HOUR, -3.0))),
    ("s", "delta"): a_meter(id="delta", max_rate=600.0, accumulation=Accumulation.DELTA),
    ("t", "power"): a_meter(
        id="power",
        site="t",
        quantity=QuantityKind.POWER,
        unit="kW",
        accumulation=Accumulation.INSTANTANEOUS,
        max_rate=None,
    ),
}
KEYS = list(METERS)
Analysis = tuple[list[int], bytes, bytes, list[bool], list[MeterEvent]]


def a_store() -> DuckdbStore:
    return DuckdbStore(Path("memory"), duckdb.connect())


def analysis_of(store: DuckdbStore, key: MeterKey) -> Analysis:
    values = store.intervals(key[0], [key[1]], -FAR, FAR).values
    events = [event for event in store.events(*key, None, None) if event.state != "withdrawn"]
    return (
        values.start.tolist(),
        values.value.tobytes(),
        values.measured.tobytes(),
        values.recovered.tolist(),
        sorted(events, key=lambda e: (e.at, e.event)),
    )


def sorted_stream(key: MeterKey, rows: dict[int, float], corrections: Sequence[Correction]) -> Analysis:
    """What folding the whole stream at once gives, without a store."""
    fold = MeterFold(METERS[key], GRID, [c for c in corrections if (c.site, c.meter) == key])
    at = np.array(sorted(rows), dtype=np.int64)
    fold.feed(at, np.array([rows[t] for t in at.tolist()], dtype=np.float64))
    values = fold.take_rest()
    return (
        values.start.tolist(),
        values.value.tobytes(),
        values.measured.tobytes(),
        values.recovered.tolist(),
        sorted(fold.take_events(), key=lambda e: (e.at, e.event)),
    )


def dense(rng: random.Random, count: int, start: int) -> Iterator[Row]:
    """A dial with a reading about every two minutes and, now and then, anything that can befall one."""
    now, level = start, rng.uniform(0, 900)
    for _ in range(count):
        now += rng.choice(
            [2 * MINUTE] * 12 + [MINUTE, 5 * MINUTE, 5 * MINUTE + 1, 40 * MINUTE, rng.randrange(1, 10**8)]
        )
        value, kind = level, rng.random()
        if kind < 0.9:
            value = level = (level + rng.choice([0.0, 0.25, rng.uniform(0, 5)])) % 1000
        elif kind < 0.92:
            value = max(0.0, level - rng.choice([0.25, 0.5, 0.75]))
        elif kind < 0.94:
            value = rng.choice([0.0, 900000.0, float("nan")])
        elif kind < 0.96:
            value = rng.uniform(0, 999)
        elif kind < 0.98:
            value = level = rng.uniform(0, 999)
        else:
            value = level = rng.uniform(0, 9)
        yield now, value


def a_correction(rng: random.Random, key: MeterKey, times: Sequence[int]) -> Correction:
    at = rng.choice([rng.choice(times), rng.randrange(times[0] - HOUR, times[-1] + HOUR), rng.choice(times) + 1])
    plain: dict[str, Any] = {"site": key[0], "meter": key[1], "at": at, "author": "a", "reason": "r"}
    if rng.random() < 0.6:
        return Correction(event="accept", final=None, first=None, **plain)
    return Correction(
        event="replacement", final=rng.uniform(0, 999), first=rng.choice([0.0, rng.uniform(0, 99)]), **plain
    )


class Crash(StoreError):
    """A power cut."""


class Failing:
    """A store that fails at one of its writes: before ``save`` number n, after it, or at ``clear``."""

    def __init__(self, store: DuckdbStore, saves: int, *, saved: bool) -> None:
        self._store, self._left, self._saved = store, saves, saved

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def save(self, updates: Sequence[MeterUpdate]) -> None:
        self._left -= 1
        if self._left < 0 and not self._saved:
            raise Crash("before it was saved")
        self._store.save(updates)
        if self._left < 0:
            raise Crash("after it was saved")

    def clear(self, token: int) -> None:
        raise Crash(f"before token {token} was cleared")


def arrivals(rng: random.Random, count: int) -> list[tuple[MeterKey, int, float]]:
    """Readings of all meters in order of arrival: some late, some twice, some contradicted."""
    found: list[tuple[MeterKey, int, float]] = []
    for place, key in enumerate(KEYS):
        rows = list(dense(rng, rng.randrange(count // 2, count), T0 + rng.choice([0, place, 3 * place]) * DAY))
        late = set(rng.sample(range(len(rows)), rng.choice([0, 1, 5, len(rows) // 3])))
        found += [(key, *row) for index, row in enumerate(rows) if index not in late]
        found += [(key, *rows[index]) for index in late]
    if rng.random() < 0.5:  # the meters side by side in time rather than one after the other
        found.sort(key=lambda row: (rng.random() < 0.02, row[1]))
    found += rng.sample(found, 5)
    return found + [(key, at, rng.uniform(0, 999)) for key, at, _ in rng.sample(found, 3)]


@dataclass(slots=True)
class History:
    """A store that lives through arrivals, corrections, passes and crashes, and what counts of it."""

    rng: random.Random
    slabs: Sequence[int]
    store: DuckdbStore = field(default_factory=a_store)
    counted: dict[MeterKey, dict[int, float]] = field(default_factory=lambda: {key: {} for key in KEYS})
    corrections: dict[tuple[MeterKey, str, int], Correction] = field(default_factory=dict)

    def live(self, arriving: Sequence[tuple[MeterKey, int, float]]) -> None:
        begin = 0
        while begin < len(arriving):
            end = begin + self.rng.choice([1, 2, 10, 200, 1000])
            self.commit(arriving[begin:end])
            begin = end
            if self.rng.random() < 0.1:
                self.correct()
            if self.rng.random() < 0.15:
                self.crash()
            elif self.rng.random() < 0.7:
                self.analyse()
        self.analyse()

    def commit(self, rows: Sequence[tuple[MeterKey, int, float]]) -> None:
        self.store.commit(readings_of(rows, keys=KEYS), [])
        for key, at, value in rows:
            if not np.isnan(value) or at not in self.counted[key]:
                self.counted[key][at] = value

    def correct(self) -> None:
        key = self.rng.choice(KEYS[:2])
        if self.counted[key]:
            entered = a_correction(self.rng, key, sorted(self.counted[key]))
            self.corrections[key, entered.event, entered.at] = entered
            self.store.add_corrections([entered])

    def analyse(self) -> None:
        analyse(self.store, METERS, GRID, self.rng.choice(self.slabs))

    def crash(self) -> None:
        failing = Failing(self.store, self.rng.choice([0, 1, 5, 10**9]), saved=self.rng.random() < 0.5)
        with pytest.raises(Crash):
            analyse(failing, METERS, GRID, self.rng.choice(self.slabs))

    def check(self) -> None:
        """Whatever it has been through, the analysis is that of the sorted stream, and nothing is left to do."""
        assert not self.store.dirty().meters
        for key in KEYS:
            expected = sorted_stream(key, self.counted[key], list(self.corrections.values()))
            found = analysis_of(self.store, key)
            assert found[4] == expected[4], key
            assert found == expected, key


def one_history(seed: int, count: int, slabs: Sequence[int]) -> None:
    rng = random.Random(seed)
    history = History(rng, slabs)
    history.live(arrivals(rng, count))
    history.check()
    history.store.close()


@pytest.mark.parametrize("seed", range(2))
def test_a_long_history_ends_in_the_sorted_stream(seed: int) -> None:
    one_history(seed, 1600, [10**9, 1000, 300])


@pytest.mark.parametrize("seed", range(4))
def test_checkpoints_may_stand_as_close_as_they_like(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattwell.engine.analyse._SPACING", 5 + 20 * seed)
    one_history(50 + seed, 700, [10**9, 100])


@pytest.mark.parametrize("seed", range(100, 108))
def test_a_short_history_ends_in_the_sorted_stream(seed: int) -> None:
    one_history(seed, 60, [10**9, 20, 3])


def in_parts(rows: Sequence[Row], cuts: Sequence[int]) -> Iterator[Sequence[Row]]:
    for low, high in pairwise([0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]):
        if low < high:
            yield rows[low:high]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_dial_beside_midnight_with_everything_at_once(data: st.DataObject) -> None:
    """Minutes around a midnight on a fine grid, so that edges fall between a reading and the one that judges it."""
    key = KEYS[0]
    values = st.sampled_from([990.0, 991.0, 995.0, 0.0, 1.0, 5.0, 7.0, 400.0, 401.0, 9e5, 990.75, float("nan")])
    steps = st.sampled_from([MINUTE, 4 * MINUTE, 11 * MINUTE, 14 * MINUTE, 16 * MINUTE, 5 * HOUR])
    now, rows = T0 + DAY - 50 * MINUTE, []
    for step, value in data.draw(st.lists(st.tuples(steps, values), min_size=3, max_size=14)):
        rows.append((now, value))
        now += step
    arriving = data.draw(st.permutations(rows))
    cuts = data.draw(st.lists(st.integers(1, len(rows)), max_size=8))
    entered = data.draw(st.lists(st.tuples(st.sampled_from(rows), st.booleans(), values), max_size=2))
    history = History(random.Random(0), [data.draw(st.sampled_from([2, 10**9]))])
    for place, part in enumerate(in_parts(arriving, cuts)):
        history.commit([(key, *row) for row in part])
        if place < len(entered):
            (at, _), swapped, dial = entered[place]
            final, first = (400.0 if np.isnan(dial) else dial, 1.0) if swapped else (None, None)
            event = "replacement" if swapped else "accept"
            each = Correction(
                site="s", meter="register", at=at, event=event, final=final, first=first, author="a", reason="r"
            )
            history.corrections[key, event, at] = each
            history.store.add_corrections([each])
        history.analyse()
    history.check()
    history.store.close()


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.parametrize("saves", range(5))
def test_a_crash_anywhere_in_a_pass_leaves_it_to_the_next(saves: int, saved: bool) -> None:
    history = History(random.Random(1), [100])
    rows = [(key, *row) for key in KEYS for row in dense(history.rng, 300, T0)]
    history.commit(rows[::2])
    history.analyse()
    history.commit(rows[1::2])
    with pytest.raises(Crash):
        analyse(Failing(history.store, saves, saved=saved), METERS, GRID, 100)
    assert history.store.dirty().meters
    history.analyse()
    history.check()
    history.store.close()
