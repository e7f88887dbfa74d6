"""The energy beside the IT load that rules on expectations look at: kept by day, as the interval values have it."""

from __future__ import annotations

import numpy as np
import pytest

from tests import collecting
from tests.sites import GRID, Cells, a_site
from tests.support import T0
from wattwell.engine.analyse import Changed
from wattwell.engine.book import KpiBook
from wattwell.intervals import DAY, Interval
from wattwell.model import Float64

SITE = a_site({"grid": "utility_import", "it": "it_ups"})
DAYS = 6
COUNT = DAYS * DAY // GRID


def values() -> dict[str, Float64]:
    made = np.random.default_rng(1)
    it = made.uniform(10, 20, COUNT)
    grid = it + made.uniform(2, 5, COUNT)
    grid[100:110], it[300] = np.nan, np.nan
    return {"grid": grid, "it": it}


class Counting(Cells):
    reads = 0

    def intervals(self, *args: object) -> object:  # type: ignore[override]
        """See ``ReadingStore.intervals``."""
        self.reads += 1
        return super().intervals(*args)  # type: ignore[arg-type]


def a_book(found: dict[str, Float64], powers: tuple[str, ...] = ("it", "total")) -> tuple[KpiBook, Counting]:
    store = Counting()
    for name, column in found.items():
        store.put(name, column)
    return KpiBook(collecting.config(SITE), store, powers), store  # type: ignore[arg-type]


@pytest.mark.parametrize("span", [(0, 96), (50, 150), (290, 330), (7, COUNT), (COUNT - 20, COUNT + 40)])
def test_it_is_that_of_the_intervals(span: tuple[int, int]) -> None:
    found = values()
    beside, it = a_book(found)[0].beside("s", T0 + span[0] * GRID, T0 + span[1] * GRID)
    expected = np.full((2, span[1] - span[0]), np.nan)
    here = slice(span[0], min(span[1], COUNT))
    known = np.isfinite(found["grid"] + found["it"])[here]
    for row, column in zip(expected, (found["grid"] - found["it"], found["it"]), strict=True):
        row[: len(known)] = np.where(known, column[here], np.nan)
    np.testing.assert_allclose(np.stack([beside, it]), expected, rtol=1e-12)


def test_a_window_that_moves_on_reads_no_day_twice() -> None:
    book, store = a_book(values())
    for end in range(96, COUNT + 1):
        book.beside("s", T0 + (end - 96) * GRID, T0 + end * GRID)
    assert store.reads <= DAYS


def test_what_changes_is_read_again() -> None:
    found = values()
    book, store = a_book(found)
    span = Interval(T0 + 150 * GRID, T0 + 250 * GRID)
    before = book.beside("s", span.start, span.end)[0].copy()
    found["grid"][200] += 1.0
    store.put("grid", found["grid"])
    book.forget([Changed("s", T0 + 200 * GRID, T0 + 201 * GRID)])
    after = book.beside("s", span.start, span.end)[0]
    np.testing.assert_allclose(after - before, np.where(np.arange(100) == 50, 1.0, 0.0), atol=1e-9)


def test_a_book_that_was_not_told_of_these_powers_knows_nothing() -> None:
    beside, it = a_book(values(), powers=())[0].beside("s", T0, T0 + DAY)
    assert np.isnan(beside).all()
    assert np.isnan(it).all()
