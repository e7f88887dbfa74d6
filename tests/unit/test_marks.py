"""Which times a remote store is told of: spans that leave nothing out, and not much more."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forwarding import outgoing
from tests.storing import A, B, C
from tests.support import T0
from wattwell.intervals import HOUR, MINUTE, SECOND
from wattwell.store.marks import Mark, joined, merged, outwards, spans_of, told
from wattwell.store.remote import mark_lines


def test_a_mark_is_a_point_with_the_span_rounded_outwards() -> None:
    assert outwards((T0 + 1999, T0 + 5001)) == (T0 + 1000, T0 + 6000)
    assert outwards((T0, T0)) == (T0, T0)
    mark = Mark("hall 1", "c-1", T0 + 7 * SECOND, T0 + 1000, T0 + 6000)
    expected = "wattwell_forwarded,site=hall\\ 1,by=c-1 earliest=1767225600.001,latest=1767225600.006"
    assert list(mark_lines([mark], 1000)) == [f"{expected} 1767225607000"]
    assert list(mark_lines([mark], 1)) == [f"{expected} 1767225607000000"]


def test_a_field_that_shows_alone_is_no_mark_yet() -> None:
    shown = {
        ("s", "c", T0): {"earliest": 1767225600.001, "latest": 1767225600.006},
        ("s", "c", T0 + 1): {"latest": 1.0},
    }
    assert joined(shown) == [Mark("s", "c", T0, T0 + 1000, T0 + 6000)]


@given(st.integers(0, 4 * 10**15), st.integers(0, 10**15))
def test_a_span_comes_back_from_its_line_and_holds_its_readings(start: int, width: int) -> None:
    low, high = outwards((start, start + width))
    (line,) = mark_lines([Mark("s", "c", T0, low, high)], 1)
    fields = dict(pair.split("=") for pair in line.split(" ")[1].split(","))
    (mark,) = joined({("s", "c", T0): {name: float(text) for name, text in fields.items()}})
    assert (mark.earliest, mark.latest) == (low, high)
    assert start - 1000 < low <= start
    assert start + width <= high < start + width + 1000


def test_each_site_has_its_own_spans_and_long_gaps_part_them() -> None:
    day = 24 * HOUR
    found = spans_of(outgoing((A, 5), (C, 7), (B, 3), (A, 5 + HOUR), (A, day), (B, day + 2), (C, 8)))
    assert found == {"s": [(T0 + 3, T0 + 5 + HOUR), (T0 + day, T0 + day + 2)], "other": [(T0 + 7, T0 + 8)]}
    assert spans_of(outgoing()) == {}


def test_spans_that_meet_become_one() -> None:
    assert merged([(5, 9), (0, 1), (9, 12), (1, 1), (20, 21)]) == [(0, 1), (5, 12), (20, 21)]
    assert merged([(0, 9), (2, 3)]) == [(0, 9)]


def test_of_many_spans_the_nearest_become_one() -> None:
    pairs = [(n * 10 * HOUR, n * 10 * HOUR + MINUTE) for n in range(90)]
    assert told(pairs) == pairs
    near = [(at + 2 * HOUR, at + 2 * HOUR) for at, _ in pairs]
    assert told([*pairs, *near]) == [(at, at + 2 * HOUR) for at, _ in pairs]


@pytest.mark.parametrize("apart", [0, HOUR])
@given(spans=st.lists(st.tuples(st.integers(0, 10**11), st.integers(0, 10**10))))
def test_nothing_is_left_out_however_spans_are_put_together(apart: int, spans: list[tuple[int, int]]) -> None:
    real = [(low, low + width) for low, width in spans]
    for found in (merged(real, apart), told(real)):
        assert all(any(low <= mine and its <= high for low, high in found) for mine, its in real)
        assert all(one[1] < other[0] for one, other in pairwise(found))
