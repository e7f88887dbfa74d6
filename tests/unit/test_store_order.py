"""Rows in order of series and time, whatever order they come in."""

from __future__ import annotations

import numpy as np
import pytest

from wattwell.store.order import sort_by_series


@pytest.mark.parametrize("highest", [9, 70_000], ids=["few series", "more than are counted"])
@pytest.mark.parametrize("arrival", ["by time", "by series", "shuffled", "a late one"])
def test_rows_come_in_order(arrival: str, highest: int) -> None:
    series = np.tile(np.array([highest, 2, 5], dtype=np.int32), 50)
    at = np.repeat(np.arange(50, dtype=np.int64), 3)
    rows = {
        "by time": np.arange(150),
        "by series": np.lexsort((at, series)),
        "shuffled": np.random.default_rng(1).permutation(150),
        "a late one": np.roll(np.arange(150), -1),
    }[arrival]
    series, at = series[rows], at[rows]
    order, places = sort_by_series(series, at)
    assert [number for number, _ in places] == [2, 5, highest]
    for number, place in places:
        assert set(series[order][place]) == {number}
        assert at[order][place].tolist() == list(range(50))


def test_no_rows_have_no_order() -> None:
    order, places = sort_by_series(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))
    assert (len(order), len(places)) == (0, 0)
