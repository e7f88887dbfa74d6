"""Sums of many days from few numbers: the same, to the bit, as all of their days added at once."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.stretches import Stretch, condensed, few, over, row, total, width
from analytics.windows import Layout, Totals
from wattwell.model import Float64

LAYOUT = Layout.of({"a": 2, "b": 1}, ["b"])
AMOUNTS = st.one_of(
    st.floats(-1e6, 1e6),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300),
    st.sampled_from([0.0, -0.0, 0.1, 1e16, -1e16, 1.0, 5e-324, 2.0**-1074, 1 / 3]),
)
COLUMNS = st.integers(1, 40).flatmap(
    lambda count: st.lists(st.lists(AMOUNTS, min_size=3, max_size=3), min_size=count, max_size=count)
)


def exact(columns: Float64) -> list[str]:
    return [math.fsum(column).hex() for column in columns.T.tolist()]


@settings(max_examples=150, deadline=None)
@given(COLUMNS)
def test_few_numbers_have_the_exact_sum(rows: list[list[float]]) -> None:
    columns = np.array(rows)
    found = few(columns)
    assert len(found) <= len(columns)
    # The sums less what they round to must agree too: then all that either of them holds is the same.
    for one, other in zip(columns.T.tolist(), found.T.tolist(), strict=True):
        assert math.fsum([*one, *(-value for value in other)]) == 0


@pytest.mark.parametrize("decades", [0, 3, 12])
def test_a_stretch_of_days_takes_few(decades: int) -> None:
    dice = np.random.default_rng(decades)
    columns = dice.uniform(0.5, 2, (32, 50)) * 10.0 ** dice.integers(0, decades + 1, (32, 50))
    assert len(few(columns)) <= 4
    assert exact(few(columns)) == exact(columns)


def test_what_cannot_be_added_stays_as_it_is() -> None:
    columns = np.array([[1.7e308, 1.0], [1.7e308, 2.0], [-1.7e308, 3.0]])
    assert few(columns).tolist() == columns.tolist()
    assert few(columns) is not columns, "nobody's rows are shared"


def a_day(seed: int) -> Totals:
    dice = np.random.default_rng(seed)
    peak = dice.uniform(1, 9) if seed % 3 else -math.inf
    return Totals(
        sums=dice.uniform(-1, 1, 3) * 10.0 ** dice.integers(-6, 9, 3),
        usable=dice.integers(0, 97, 2),
        measured=dice.integers(0, 86_400_000_001, 2),
        peaks=np.array([peak]),
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 150), st.lists(st.integers(0, 150), max_size=5), st.data())
def test_any_days_in_any_stretches_come_to_their_sum(count: int, cuts: list[int], data: st.DataObject) -> None:
    days = [a_day(seed) for seed in range(count)]
    rows = np.array([row(day) for day in days]).reshape(count, width(LAYOUT))
    bounds = sorted({0, count, *(cut for cut in cuts if cut < count)})
    pieces: list[Stretch] = []
    for low, high in pairwise(bounds):
        piece = over(rows[low:high], LAYOUT)
        pieces.append(condensed(piece) if data.draw(st.booleans()) else piece)
    found = total(data.draw(st.permutations(pieces)), LAYOUT)
    assert [value.hex() for value in found.sums.tolist()] == [
        math.fsum(day.sums[place] for day in days).hex() for place in range(3)
    ]
    assert found.usable.tolist() == [sum(int(day.usable[place]) for day in days) for place in range(2)]
    assert found.measured.tolist() == [sum(int(day.measured[place]) for day in days) for place in range(2)]
    assert found.peaks.tolist() == [max((float(day.peaks[0]) for day in days), default=-math.inf)]
    assert (found.usable.dtype, found.measured.dtype) == (np.int64, np.int64)


def test_two_centuries_of_microseconds_are_exact() -> None:
    day = Totals(np.zeros(3), np.array([96, 95]), np.array([86_400_000_000, 86_399_999_999]), np.zeros(1))
    rows = np.tile(row(day), (73_050, 1))
    assert total([over(rows, LAYOUT)], LAYOUT).measured.tolist() == [73_050 * 86_400_000_000, 73_050 * 86_399_999_999]
