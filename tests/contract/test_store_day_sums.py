"""The contract of every ReadingStore for sums of days: kept until an interval value of their day may differ."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.storing import A, B, C, amounts, put, update
from tests.support import T0
from wattwell.errors import StoreError
from wattwell.intervals import DAY, MINUTE
from wattwell.store.protocol import DaySums, MeterUpdate, ReadingStore

MINUTES = DAY // MINUTE


def sums(day: int, text: str, site: str = "s", digest: str = "d") -> DaySums:
    return DaySums(site, T0 + day * DAY, digest, text.encode())


def shown(store: ReadingStore, site: str = "s", digest: str = "d") -> dict[int, str]:
    found = store.day_sums(site, digest, -(2**62), 2**62)
    return {(at - T0) // DAY: made.decode() for at, made in found.items()}


def five_days(store: ReadingStore) -> None:
    store.save([update((0, 5 * MINUTES), [1.0] * (5 * MINUTES)), update((0, 1), [1.0], key=C)])
    store.keep_day_sums([sums(day, f"day {day}") for day in range(5)])
    store.keep_day_sums([sums(1, "elsewhere", site="other")])


def test_what_is_kept_is_given_back(store: ReadingStore) -> None:
    assert shown(store) == {}
    blob = bytes(range(256)) * 20
    store.keep_day_sums([DaySums("s", T0, "d", blob), DaySums("s", T0 + DAY, "d", b"")])
    assert store.day_sums("s", "d", T0, T0 + 2 * DAY) == {T0: blob, T0 + DAY: b""}
    assert store.day_sums("s", "d", T0, T0 + DAY) == {T0: blob}, "days that begin before the end"
    assert store.day_sums("s", "d", T0 + 1, T0 + DAY) == {}
    assert (shown(store, digest="e"), shown(store, site="t")) == ({}, {})
    store.keep_day_sums([])


def test_one_of_each_day_is_kept(store: ReadingStore) -> None:
    five_days(store)
    store.keep_day_sums([sums(2, "newer"), sums(3, "of another configuration", digest="e")])
    assert shown(store) == {0: "day 0", 1: "day 1", 2: "newer", 4: "day 4"}
    assert shown(store, digest="e") == {3: "of another configuration"}
    assert shown(store, "other") == {1: "elsewhere"}


@pytest.mark.parametrize(
    ("start", "end", "left"),
    [
        (2 * MINUTES, 3 * MINUTES, [0, 1, 3, 4]),
        (2 * MINUTES + 5, 2 * MINUTES + 6, [0, 1, 3, 4]),
        (2 * MINUTES - 1, 2 * MINUTES + 1, [0, 3, 4]),
        (3 * MINUTES, 3 * MINUTES, [0, 1, 2, 3, 4]),
        (4 * MINUTES + 1, 9 * MINUTES, [0, 1, 2, 3]),
        (5 * MINUTES, 9 * MINUTES, [0, 1, 2, 3, 4]),
        (-MINUTES, 1, [1, 2, 3, 4]),
    ],
)
@pytest.mark.parametrize("values", [True, False], ids=["new values", "none any more"])
def test_an_analysis_drops_the_days_that_it_touches(
    store: ReadingStore, start: int, end: int, left: list[int], values: bool
) -> None:
    five_days(store)
    store.save([update((start, end), [2.0] if values and start < end else [])])
    assert list(shown(store)) == left
    assert shown(store, "other") == {1: "elsewhere"}


def test_an_analysis_without_ends_drops_everything(store: ReadingStore) -> None:
    five_days(store)
    whole = update((0, 1), [6.0])
    forever = {"start": -(2**62), "end": 2**62}
    store.save([MeterUpdate(**{n: getattr(whole, n) for n in MeterUpdate.__slots__} | forever)])
    assert shown(store) == {}


def test_meters_of_one_site_drop_days_apart_and_alike(store: ReadingStore) -> None:
    five_days(store)
    spans = [(A, 0, 1), (B, 1, 3 * MINUTES), (C, 0, 1)]
    store.save([update((start, end), [1.0], key=key) for key, start, end in spans])
    assert shown(store) == {3: "day 3", 4: "day 4"}
    assert shown(store, "other") == {1: "elsewhere"}
    store.save([update((4 * MINUTES, 5 * MINUTES), key=B), update((0, 1), key=A)])
    assert shown(store) == {3: "day 3"}


def test_forgetting_a_meter_drops_the_days_of_its_site(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0), (A, 5 * MINUTES, 2.0), (C, 0, 1.0))
    five_days(store)
    store.forget([B])
    assert len(shown(store)) == 5, "a meter without values"
    store.forget([A])
    assert (shown(store), shown(store, "other")) == ({}, {1: "elsewhere"})


def test_forgetting_leaves_what_lies_before_the_readings(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0), (A, 5 * MINUTES, 2.0))
    five_days(store)
    store.prune(T0 + 2 * DAY + 15 * MINUTE, {})
    assert len(shown(store)) == 5, "interval values stay as they are"
    store.forget([A])
    assert list(shown(store)) == [0, 1]


def test_it_is_all_or_nothing(store: ReadingStore) -> None:
    five_days(store)
    bad = DaySums("s", T0 + 2 * DAY, "d", b"")
    object.__setattr__(bad, "day", "no day")
    with pytest.raises((StoreError, TypeError, ValueError)):
        store.keep_day_sums([sums(1, "newer"), bad])
    broken = update((0, 1), [2.0])
    object.__setattr__(broken.values, "recovered", ["no boolean"])
    with pytest.raises((StoreError, TypeError, ValueError)):
        store.save([update((MINUTES, MINUTES + 1), [2.0], key=B), broken])
    assert shown(store) == {day: f"day {day}" for day in range(5)}
    assert {value for _, value in amounts(store)} == {1.0}


def test_they_outlive_the_process(opener: Callable[[], ReadingStore]) -> None:
    store = opener()
    five_days(store)
    store.close()
    again = opener()
    assert len(shown(again)) == 5
    again.save([update((MINUTES, MINUTES + 1), [3.0])])
    assert list(shown(again)) == [0, 2, 3, 4], "what was kept before is known"
    again.close()
