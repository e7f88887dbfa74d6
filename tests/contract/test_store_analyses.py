"""The contract of every ReadingStore for what the analysis stores: interval values, checkpoints and events."""

from __future__ import annotations

import numpy as np
import pytest

from tests.storing import (
    EVER,
    A,
    B,
    C,
    amounts,
    edges,
    event,
    ledger,
    update,
)
from tests.support import T0
from wattwell.errors import StoreError
from wattwell.intervals import MINUTE
from wattwell.store.protocol import MeterUpdate, ReadingStore


def test_save_replaces_its_range_only(store: ReadingStore) -> None:
    store.save([update((0, 6), [0, 1, 2, 3, 4, 5])])
    store.save([update((2, 4), [2.5])])
    assert amounts(store) == [(0, 0), (1, 1), (2, 2.5), (4, 4), (5, 5)]
    store.save([update((2, 4), [2.5])])
    assert amounts(store) == [(0, 0), (1, 1), (2, 2.5), (4, 4), (5, 5)], "twice is once"
    whole = update((5, 6), [5.5, 6.5])
    store.save([MeterUpdate(**{n: getattr(whole, n) for n in MeterUpdate.__slots__} | {"start": -EVER, "end": EVER})])
    assert amounts(store) == [(5, 5.5), (6, 6.5)]


def test_intervals_by_meter_and_time(store: ReadingStore) -> None:
    nan = float("nan")
    store.save([update((0, 3), [1.0, nan, 3.0]), update((1, 2), [7.0], key=B), update((0, 1), [9.0], key=C)])
    found = store.intervals("s", ["b", "nobody", "a"], T0, T0 + 2 * MINUTE)
    assert found.meters == ("b", "a")
    assert found.meter.tolist() == [0, 1], "a missing interval has no row"
    assert ((found.values.start - T0) // MINUTE).tolist() == [1, 0]
    assert found.values.value.tolist() == [7.0, 1.0]
    assert found.values.measured.tolist() == [0.75, 0.75]
    assert found.values.recovered.tolist() == [False, False]
    assert amounts(store) == [(0, 1.0), (2, 3.0)]
    assert len(store.intervals("s", [], -EVER, EVER).values) == 0
    assert len(store.intervals("nowhere", ["a"], -EVER, EVER).values) == 0


def test_intervals_of_many_sites_are_those_of_each(store: ReadingStore) -> None:
    store.save([update((0, 3), [1.0, 2.0, 3.0]), update((1, 2), [7.0], key=B), update((0, 2), [9.0, 8.0], key=C)])
    wanted = {"s": ["b", "nobody", "a"], "empty": [], "other": ["a"], "nowhere": ["a"]}
    found = store.intervals_of(wanted, T0, T0 + 2 * MINUTE)
    assert list(found) == list(wanted)
    for site, meters in wanted.items():
        alone = store.intervals(site, meters, T0, T0 + 2 * MINUTE)
        assert (found[site].meters, found[site].meter.tolist()) == (alone.meters, alone.meter.tolist())
        for name in ("start", "value", "measured", "recovered"):
            assert getattr(found[site].values, name).tolist() == getattr(alone.values, name).tolist()
    assert found["s"].values.value.tolist() == [7.0, 1.0, 2.0]
    assert found["other"].values.value.tolist() == [9.0, 8.0]
    assert store.intervals_of({}, -EVER, EVER) == {}


def test_extent(store: ReadingStore) -> None:
    assert store.extent("s") is None
    store.save([update((3, 5), [1.0, 1.0]), update((9, 10), [1.0], key=B), update((0, 1), [1.0], key=C)])
    assert store.extent("s") == (T0 + 3 * MINUTE, T0 + 9 * MINUTE)


def test_checkpoints(store: ReadingStore) -> None:
    store.save([update(points=[(1, None), (3, 2.5), (5, 0.1)])])
    assert edges(store) == [(1, None), (3, 2.5), (5, 0.1)]
    assert store.checkpoints([A], T0)[A][0].state == (T0, 1.5, None, None, None, None, None)
    assert edges(store, A, T0 + 3 * MINUTE) == [(3, 2.5), (5, 0.1)]
    store.save([update(points=[(3, 9.0)], forget=(2, 5))])
    assert edges(store) == [(1, None), (3, 9.0), (5, 0.1)]
    store.save([update(points=[(5, 7.0)])])
    assert edges(store) == [(1, None), (3, 9.0), (5, 7.0)], "a checkpoint replaces the one of the same edge"
    store.save([update(forget=(0, 9))])
    assert edges(store) == []
    assert store.checkpoints([B], -EVER) == {}


def test_events_that_are_not_found_again_are_withdrawn(store: ReadingStore) -> None:
    store.save([update(events=[event(1), event(5), event(9)], judged=(0, 10))])
    store.save([update(events=[event(5, "jump", "pending")], judged=(4, 8))])
    assert ledger(store) == [
        (1, "reset", "booked"),
        (5, "jump", "pending"),
        (5, "reset", "withdrawn"),
        (9, "reset", "booked"),
    ]
    store.save([update(events=[event(5)], judged=(4, 8))])
    assert ledger(store)[1:3] == [(5, "jump", "withdrawn"), (5, "reset", "booked")], "found again, and no more"
    store.save([update(judged=(0, 10))])
    assert {state for _, _, state in ledger(store)} == {"withdrawn"}


def test_a_transient_replaces_the_rollover_of_its_time(store: ReadingStore) -> None:
    store.save([update(events=[event(3, "rollover")], judged=(0, 4))])
    store.save([update(events=[event(3, "transient")], judged=(4, 5))])
    assert ledger(store) == [(3, "transient", "booked")]


def test_events_by_site_meter_and_time(store: ReadingStore) -> None:
    store.save([update(events=[event(1), event(2)], judged=(0, 9))])
    store.save([update(key=B, events=[event(1, key=B)], judged=(0, 9))])
    store.save([update(key=C, events=[event(3, key=C)], judged=(0, 9))])

    def found(*query: object) -> list[tuple[str, str, int]]:
        return [(e.site, e.meter, (e.at - T0) // MINUTE) for e in store.events(*query)]  # type: ignore[arg-type]

    assert found(None, None, None, None) == [("s", "a", 1), ("s", "b", 1), ("s", "a", 2), ("other", "a", 3)]
    assert found("s", "a", None, None) == [("s", "a", 1), ("s", "a", 2)]
    assert found(None, None, T0 + 2 * MINUTE, T0 + 3 * MINUTE) == [("s", "a", 2)]
    assert store.events("s", "a", None, None)[0] == event(1)
    store.save([update(events=[event(2, "jump", "pending")], judged=(2, 3))])
    assert store.event_counts() == {
        ("s", "reset", "booked"): 2,
        ("s", "reset", "withdrawn"): 1,
        ("s", "jump", "pending"): 1,
        ("other", "reset", "booked"): 1,
    }


def test_saves_are_all_or_nothing(store: ReadingStore) -> None:
    store.save([update((0, 1), [1.0])])
    good, bad = update((0, 1), [2.0]), update((0, 2), [1.0, 2.0], key=B)
    object.__setattr__(bad.values, "recovered", np.array(["no boolean", "at all"]))
    with pytest.raises(StoreError):
        store.save([good, bad])
    assert amounts(store) == [(0, 1.0)]
    assert amounts(store, B) == []
    store.save([])
