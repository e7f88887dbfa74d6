"""Any order, any repetition, any split into batches gives the interval values and events of the sorted stream."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import T0, a_meter, readings_of
from wattwell.engine.analyse import analyse
from wattwell.intervals import DAY, HOUR, MINUTE
from wattwell.model import Accumulation, Meter
from wattwell.store.duckdb import DuckdbStore
from wattwell.units import QuantityKind

GRID = 15 * MINUTE
KEY = ("s", "m")
METERS = {
    "register": a_meter(max_rate=600.0, rollover_at=1000.0, resolution=0.5),
    "delta": a_meter(accumulation=Accumulation.DELTA, max_rate=600.0),
    "power": a_meter(quantity=QuantityKind.POWER, unit="kW", accumulation=Accumulation.INSTANTANEOUS, max_rate=None),
    "factors": a_meter(max_rate=6000.0, factors=((-(2**62), 1.0), (T0 + 7 * MINUTE, -3.0), (T0 + DAY, 2.0))),
}


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[int, float]]:
    """Readings over some days: mostly a rising dial, with zeros, spikes, small steps back, gaps and rejected values."""
    now, level = T0, draw(st.floats(0, 900))
    rows = []
    for _ in range(draw(st.integers(1, 40))):
        now += draw(st.sampled_from([MINUTE, MINUTE, 4 * MINUTE, 5 * MINUTE + 1, 47 * MINUTE, 9 * 60 * MINUTE]))
        kind = draw(st.integers(0, 11))
        if kind <= 6:
            level = (level + draw(st.floats(0, 9))) % 1000
            rows.append((now, level))
        elif kind == 7:
            rows.append((now, max(0.0, level - draw(st.floats(0, 1)))))
        elif kind == 8:
            rows.append((now, 0.0))
        elif kind == 9:
            rows.append((now, draw(st.floats(0, 999))))
        elif kind == 10:
            rows.append((now, float("nan")))
        else:
            level = draw(st.floats(0, 999))
            rows.append((now, level))
    return rows


def stored(meter: Meter, batches: list[list[tuple[int, float]]], slab: int) -> tuple[object, ...]:
    store = DuckdbStore(Path("memory"), duckdb.connect())
    for batch in batches:
        store.commit(readings_of([(KEY, at, value) for at, value in batch], keys=[KEY]), [])
        analyse(store, {KEY: meter}, GRID, slab)
    values = store.intervals("s", ["m"], -(2**62), 2**62).values
    events = [e for e in store.events(None, None, None, None) if e.state != "withdrawn"]
    assert not store.dirty().meters
    store.close()
    return values.start.tolist(), values.value.tobytes(), values.measured.tobytes(), values.recovered.tolist(), events


@pytest.mark.parametrize("name", list(METERS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_arrival_gives_the_sorted_stream(name: str, data: st.DataObject) -> None:
    rows = data.draw(streams())
    late = data.draw(st.permutations(rows)) if data.draw(st.booleans()) else rows
    again = data.draw(st.lists(st.sampled_from(rows), max_size=5))
    arrived = [*late, *again]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(arrived)), max_size=6)))
    batches = [arrived[low:high] for low, high in zip([0, *cuts], [*cuts, len(arrived)], strict=True)]
    whole = stored(METERS[name], [rows], slab=10**9)
    split = stored(METERS[name], [batch for batch in batches if batch], slab=data.draw(st.sampled_from([3, 10**9])))
    assert split == whole


def test_what_lies_behind_a_meeting_is_held_against_what_was_stored() -> None:
    """Of two late readings the first changes little; the second, a day later, how a catch-up behind it is spread."""
    minutes = [(1, 0.0), (2, 0.0), (546, 0.0), (1086, 0.0), (1673, 1.0), (1677, 1.0), (1681, 1.0)]
    late = [(6, 0.0), (1626, 0.0)]

    def rows(chosen: list[tuple[int, float]]) -> list[tuple[int, float]]:
        return [(T0 + minute * MINUTE, value) for minute, value in chosen]

    whole = stored(METERS["register"], [rows(sorted([*minutes, *late]))], slab=10**9)
    assert stored(METERS["register"], [rows(minutes[:1]), rows(minutes[1:]), rows(late)], slab=10**9) == whole


def test_a_long_history_is_resumed_and_met_not_refolded(tmp_path: Path) -> None:
    """A late reading leaves the values beyond the next meeting point untouched, and they are the right ones."""
    meter = METERS["register"]
    at = T0 + np.arange(20 * 1440) * MINUTE
    rows = [(KEY, int(t), float(i % 900)) for i, t in enumerate(at.tolist())]
    missing = rows.pop(7000)
    store = DuckdbStore.open(tmp_path / "a.duckdb")
    store.commit(readings_of(rows), [])
    analyse(store, {KEY: meter}, GRID)
    store.commit(readings_of([missing]), [])
    (changed,) = analyse(store, {KEY: meter}, GRID)
    assert missing[1] - 3 * DAY < changed.start <= missing[1] < changed.end < missing[1] + 3 * DAY
    whole = DuckdbStore.open(tmp_path / "b.duckdb")
    whole.commit(readings_of([*rows, missing]), [])
    analyse(whole, {KEY: meter}, GRID)
    assert store.intervals("s", ["m"], 0, 2**62).values.value.tobytes() == (
        whole.intervals("s", ["m"], 0, 2**62).values.value.tobytes()
    )
    store.close()
    whole.close()


def test_what_changes_together_is_told_once(tmp_path: Path) -> None:
    meters = {("s", name): replace(METERS["register"], id=name) for name in ("a", "b", "c")}
    store = DuckdbStore.open(tmp_path / "a.duckdb")
    store.commit(readings_of([(key, T0 + i * MINUTE, float(i)) for key in meters for i in range(60)]), [])
    (changed,) = analyse(store, meters, GRID)
    assert changed.start <= T0 < T0 + HOUR <= changed.end
    store.close()


def test_sparse_readings_are_folded_once(tmp_path: Path) -> None:
    """Spans more than a day apart stay apart, but a fold that has gone on to the end is not begun again for each."""
    meter = replace(METERS["power"], max_gap=8 * DAY)
    store = DuckdbStore.open(tmp_path / "a.duckdb")
    store.commit(readings_of([(KEY, T0 + week * 7 * DAY, float(week)) for week in range(60)]), [])
    assert len(store.dirty().meters) == 60
    asked = []
    read = store.readings
    store.readings = lambda *args: asked.append(args) or read(*args)  # type: ignore[method-assign, func-returns-value]
    analyse(store, {KEY: meter}, GRID)
    assert len(asked) == 1
    assert len(store.intervals("s", ["m"], 0, 2**62).values) == 59 * 7 * 96
    store.close()
