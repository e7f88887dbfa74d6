"""What every store keeps for a remote one: the order of commits, revisions, and nothing pruned too early."""

from __future__ import annotations

import math

from tests.storing import A, B, put
from tests.support import T0, readings_of
from wattwell.intervals import DAY, MINUTE
from wattwell.model import MeterKey
from wattwell.store.outbox import START, Place
from wattwell.store.protocol import ReadingStore


def sent(store: ReadingStore, after: Place = START, limit: int = 100) -> list[tuple[MeterKey, int, float, int]]:
    """(meter, minute, value, revision) of what is next."""
    found = store.outgoing(after, limit)
    columns = (found.meter, found.at, found.value, found.revision)
    return [(found.keys[m], (at - T0) // MINUTE, v, r) for m, at, v, r in zip(*map(list, columns), strict=True)]


def test_readings_go_out_by_commit_and_none_twice(store: ReadingStore) -> None:
    put(store, (B, 5, 1.0), (A, 9, 2.0), (A, 8, 3.0))
    put(store, (A, 1, 4.0))
    everything = sent(store)
    assert everything == [(B, 5, 1.0, 0), (A, 8, 3.0, 0), (A, 9, 2.0, 0), (A, 1, 4.0, 0)]
    for limit in (1, 2, 3, 4, 5):
        place, pieces = START, []
        while piece := sent(store, place, limit):
            assert len(piece) <= limit
            assert store.waiting(place)[0] == len(everything) - len(pieces)
            pieces += piece
            place = store.outgoing(place, limit).last
        assert pieces == everything
        assert place.whole == store.outgoing(START, 100).last.token
        assert store.waiting(place) == (0, None)


def test_what_replaces_another_value_goes_out_with_the_next_revision(store: ReadingStore) -> None:
    put(store, (A, 1, 4.0), (A, 2, math.nan), received=T0 + 7)
    place = store.outgoing(START, 9).last
    assert sent(store) == [(A, 1, 4.0, 0)]  # a rejected value is nothing to send
    put(store, (A, 1, 5.0), (A, 2, 6.0), received=T0 + 8)
    put(store, (A, 1, 5.0))
    assert sent(store, place) == sent(store) == [(A, 1, 5.0, 1), (A, 2, 6.0, 0)]
    assert store.waiting(place) == (2, T0 + 8)
    put(store, (A, 1, 4.5))
    assert sent(store) == [(A, 2, 6.0, 0), (A, 1, 4.5, 2)]
    assert store.count_by_meter(T0, T0 + DAY, 2**62) == {(A, 0): 1, (A, 2): 1}
    assert store.count_by_meter(T0, T0 + DAY, place.token) == {}


def test_readings_of_one_millisecond_are_told_apart_once_for_all(store: ReadingStore) -> None:
    def apart() -> list[tuple[MeterKey, int, bool]]:
        found = store.outgoing(START, 100)
        rows = zip(found.meter.tolist(), (found.at - T0).tolist(), found.apart.tolist(), strict=True)
        return sorted((found.keys[meter], at, flag) for meter, at, flag in rows)

    store.commit(readings_of([(A, T0 + 400, 1.0), (A, T0 + 1000, 2.0), (B, T0 + 401, 3.0), (A, T0 + 401, 4.0)]), [])
    store.commit(readings_of([(A, T0 + 1, 5.0), (A, T0 + 1999, 6.0), (A, T0 + 2000, 7.0)]), [])
    expected = [(A, 1, True), (A, 400, False), (A, 401, True), (A, 1000, False), (A, 1999, True), (A, 2000, False)]
    assert apart() == [*expected, (B, 401, False)]
    store.commit(readings_of([(A, T0 + 402, 8.0), (A, T0 + 400, 9.0), (A, T0 + 401, 9.0)]), [])
    assert apart() == [*expected[:3], (A, 402, True), *expected[3:], (B, 401, False)]


def test_what_is_not_safe_elsewhere_is_not_pruned(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0), (A, 1, 2.0))
    settled = store.outgoing(START, 9).last.token
    put(store, (A, 2, 3.0), (A, 3, math.nan))
    store.hold(settled)
    assert store.prune(T0 + DAY, {}) == 3
    assert sent(store) == [(A, 2, 3.0, 0)]
    store.hold(store.outgoing(START, 9).last.token)
    assert store.prune(T0 + DAY, {}) == 1


def test_accepted_readings_are_told_with_revision_and_commit(store: ReadingStore) -> None:
    put(store, (A, 1, 4.0), (A, 0, 3.0), (A, 2, math.nan), (B, 1, 1.0))
    first = store.outgoing(START, 9).last.token
    put(store, (A, 1, 5.0), (A, 3, 9.0))
    found = store.accepted([A, ("s", "none")], T0, T0 + 3 * MINUTE)
    assert list(found) == [A]
    told = found[A]
    columns = (told.at - T0, told.value, told.revision, told.apart, told.token - first)
    assert list(zip(*(each.tolist() for each in columns), strict=True)) == [
        (0, 3.0, 0, False, 0),
        (MINUTE, 5.0, 1, False, 1),
    ]
    assert store.accepted([B], T0 + 2 * MINUTE, T0 + DAY) == {}
