"""Sums of whole days: what they are filed under, what is read of them, and how much of them is held at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analytics.stretches import DAYS, STRETCH, width
from analytics.windows import Layout, Totals
from tests.sites import Cells, a_site, meter
from tests.support import T0
from wattwell.engine import whole_days
from wattwell.engine.recent import Recent
from wattwell.engine.whole_days import SiteDays, WholeDays, digest
from wattwell.errors import StoreFull
from wattwell.intervals import DAY, HOUR
from wattwell.model import Factor, Site
from wattwell.store.protocol import DaySums

LAYOUT = Layout.of({"a": 2, "b": 1}, ["b"])
BEGIN = T0 - T0 % STRETCH


def the_site(values: Sequence[float] = tuple(range(5000)), **changes: Any) -> Site:
    hours = T0 + np.arange(len(values), dtype=np.int64) * HOUR
    factors = {"grid_kg_per_kwh": Factor(hours=hours, values=np.array(values, dtype=np.float64))}
    site = a_site({"grid": "utility_import", "it": "it_ups"}, factors=factors)
    return replace(site, meters={name: replace(one, **changes) for name, one in site.meters.items()})


def test_the_same_configuration_has_the_same_digest() -> None:
    assert digest(the_site(), 900) == digest(the_site(), 900)


def test_another_configuration_has_another_digest() -> None:
    one = list(range(5000))
    one[2500] += 1
    swapped = the_site()
    versions = [
        (the_site(), 900),
        (the_site(), 901),
        (the_site(one), 900),  # in the middle, where printed arrays have dots
        (the_site(accuracy=0.02), 900),
        (replace(swapped, meters=dict(reversed(swapped.meters.items()))), 900),
        (a_site({"grid": "utility_import"}, meter("it", "it_pdu")), 900),
    ]
    assert len({digest(*version) for version in versions}) == len(versions)
    assert digest(("ab", "c")) != digest(("a", "bc"))
    assert digest((1,), 2) != digest((1, 2))
    assert digest(1) != digest(1.0) != digest("1.0")


class Store(Cells):
    """Keeps sums, and notes what is read of them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []

    def day_sums(self, site: str, digest: str, start: int, end: int) -> Mapping[int, bytes]:
        self.asked.append((start, end))
        return super().day_sums(site, digest, start, end)


def a_day(site: str, day: int) -> Totals:
    dice = np.random.default_rng([ord(site), day // DAY])
    return Totals(dice.uniform(-9, 9, 3), dice.integers(0, 9, 2), dice.integers(0, 9, 2), dice.uniform(0, 9, 1))


def days_of(name: str, made: list[int]) -> SiteDays:
    def make(first: int, count: int) -> list[Totals]:
        made.extend(range(first, first + count * DAY, DAY))
        return [a_day(name, first + place * DAY) for place in range(count)]

    return SiteDays(name, LAYOUT, (), make)


def test_days_are_made_once_and_read_where_they_are_needed() -> None:
    store, made = Store(), list[int]()
    site = days_of("s", made)
    long = (BEGIN + 3 * DAY, BEGIN + 10 * STRETCH + 5 * DAY)
    first = WholeDays(store)  # type: ignore[arg-type]
    one = first.total(site, *long)
    assert made == list(range(*long, DAY))
    first.keep({"s": site}, long[1] + 9 * DAY)
    assert len(store.kept) == len(made)

    made.clear()
    store.asked.clear()
    again = WholeDays(store)  # type: ignore[arg-type]
    assert again.total(site, *long).sums.tolist() == one.sums.tolist()
    assert (made, store.asked) == ([], [long])
    noons = (BEGIN + 5 * DAY + 12 * HOUR, long[1] - 12 * HOUR)
    again.forget(lambda _, low, high: any(low < noon < high for noon in noons))
    store.asked.clear()
    again.total(site, *long)
    assert store.asked == [(BEGIN + 5 * DAY, BEGIN + 6 * DAY), (long[1] - DAY, long[1])], "not all between"


def test_a_stretch_is_asked_for_by_its_days_again() -> None:
    """What is inside of one window is the end of another."""
    store, made = Store(), list[int]()
    site = days_of("s", made)
    whole = WholeDays(store)  # type: ignore[arg-type]
    whole.total(site, BEGIN, BEGIN + 3 * STRETCH)
    found = whole.total(site, BEGIN + DAY, BEGIN + 2 * STRETCH + DAY)
    assert len(made) == 3 * DAYS, "none is made twice"
    assert found.sums.tolist() == [
        math.fsum(float(a_day("s", BEGIN + place * DAY).sums[row]) for place in range(1, 2 * DAYS + 1))
        for row in range(3)
    ]


@pytest.mark.parametrize("room", [0, 3 * DAYS * width(LAYOUT) * 8, 10**9])
def test_memory_is_bounded(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole_days, "_DAYS_ROOM", room)
    monkeypatch.setattr(whole_days, "_STRETCHES_ROOM", room // 10)
    store = Store()
    whole = WholeDays(store)  # type: ignore[arg-type]
    sites = {name: days_of(name, []) for name in ("s", "t", "u")}
    span = (BEGIN - 5 * DAY, BEGIN + 7 * STRETCH)
    for _ in range(2):
        for name, site in sites.items():
            found = whole.total(site, *span).sums.tolist()
            assert found == [
                math.fsum(float(a_day(name, day).sums[row]) for day in range(*span, DAY)) for row in range(3)
            ]
            whole.keep(sites, span[1] + 9 * DAY)
    assert sum(days.rows.nbytes for _, days in whole._days.items()) <= room
    assert sum(stretch.size for _, stretch in whole._stretches.items()) <= room // 10
    assert not any(whole._unsaved.values()), "what is no longer at hand is not waited for"


def test_a_store_that_fails_is_tried_again() -> None:
    store = Store()
    whole = WholeDays(store)  # type: ignore[arg-type]
    site = days_of("s", [])
    whole.total(site, BEGIN, BEGIN + 2 * DAY)
    keep = store.keep_day_sums

    def fails(_: Sequence[DaySums]) -> None:
        raise StoreFull("no room")

    store.keep_day_sums = fails  # type: ignore[method-assign]
    with pytest.raises(StoreFull):
        whole.keep({"s": site}, BEGIN + 9 * DAY)
    store.keep_day_sums = keep  # type: ignore[method-assign]
    whole.keep({"s": site}, BEGIN + 9 * DAY)
    assert len(store.kept) == 2


def test_recent_entries_by_their_size() -> None:
    recent: Recent[str, str] = Recent(10, len)
    recent.put("a", "xxxx")
    recent.put("b", "yyyy")
    assert recent.get("a") == "xxxx"
    recent.put("c", "zzz")
    assert [key for key, _ in recent.items()] == ["a", "c"], "the one that was used longest ago went"
    recent.put("a", "x")
    recent.put("d", "d" * 6)
    assert [key for key, _ in recent.items()] == ["c", "a", "d"]
    recent.drop(lambda key: key == "c")
    recent.put("e", "eee")
    assert [key for key, _ in recent.items()] == ["a", "d", "e"]
    recent.put("f", "f" * 11)
    assert list(recent.items()) == [], "what is larger than the room finds none, and has made room"
