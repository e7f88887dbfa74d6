"""The sum of any number of whole days, correctly rounded, from few numbers.

A day is one row of numbers: what :func:`analytics.windows.whole` says of it. Days stand in stretches of so many days
of the calendar of UTC. A stretch is condensed to a few numbers by column whose exact sum is that of its days, so that
a sum over ten years adds some hundreds of numbers, and comes out to the bit as if all of its days were added at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.windows import Layout, Totals
from wattwell.intervals import DAY
from wattwell.model import Float64

STRETCH = 32 * DAY
"""Stretches begin at multiples of it."""
DAYS = STRETCH // DAY
_PASSES = 4


@dataclass(frozen=True, slots=True)
class Stretch:
    """All figures of a site over some whole days."""

    parts: Float64
    """Shape (n, rows): numbers whose exact sum, column by column, is the sum over the days."""
    counts: Float64
    """How many intervals of each figure are usable, then the microseconds that were measured: whole numbers, exact."""
    peaks: Float64

    @property
    def size(self) -> int:
        """Bytes."""
        return self.parts.nbytes + self.counts.nbytes + self.peaks.nbytes


def width(layout: Layout) -> int:
    """How many numbers the row of a day has."""
    return len(layout.owner) + 2 * len(layout.place) + len(layout.peak)


def row(day: Totals) -> Float64:
    """The row of a day: its sums, counts and peaks; counts and microseconds of a day are exact as binary fractions."""
    return np.concatenate([day.sums, day.usable, day.measured, day.peaks])


def over(days: Float64, layout: Layout) -> Stretch:
    """Some days, one row each, taken together."""
    counted = len(layout.owner)
    peaked = counted + 2 * len(layout.place)
    return Stretch(
        parts=days[:, :counted],
        counts=days[:, counted:peaked].sum(axis=0),
        peaks=np.maximum.reduce(days[:, peaked:], axis=0, initial=-np.inf),
    )


def condensed(stretch: Stretch) -> Stretch:
    """The same from as few numbers as it takes."""
    return Stretch(few(stretch.parts), stretch.counts, stretch.peaks)


def few(columns: Float64) -> Float64:
    """Few numbers by column with the same exact sum.

    Each pass adds a column up and keeps what every addition rounds off (Ogita, Rump and Oishi 2005, "Accurate sum and
    dot product", algorithm 4.3); mostly two or three leave nothing.
    """
    found, rest = [], columns
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_PASSES):
            rest = rest[rest.any(axis=1)]
            if len(rest) < 2:
                break
            summed, rest = _added(rest)
            found.append(summed)
    parts = np.concatenate([np.array(found).reshape(-1, columns.shape[1]), rest[rest.any(axis=1)]])
    return parts if len(parts) < len(columns) and np.isfinite(parts).all() else columns.copy()


def _added(rows: Float64) -> tuple[Float64, Float64]:
    """The rounded sum of the rows, and the rounding error of each addition (Knuth's TwoSum), which is exact."""
    summed, errors = rows[0], np.empty_like(rows[1:])
    for place, each in enumerate(rows[1:]):
        before, summed = summed, summed + each
        kept = summed - before
        errors[place] = (before - (summed - kept)) + (each - kept)
    return summed, errors


def total(stretches: Sequence[Stretch], layout: Layout) -> Totals:
    """The sum of whole days, correctly rounded, whichever way they stand in stretches."""
    figures = len(layout.place)
    if not stretches:
        nothing = np.zeros(figures, dtype=np.int64)
        return Totals(np.zeros(len(layout.owner)), nothing, nothing, np.full(len(layout.peak), -np.inf))
    columns = np.concatenate([each.parts for each in stretches]).T.tolist()
    counts = np.sum([each.counts for each in stretches], axis=0).astype(np.int64)
    return Totals(
        np.array([math.fsum(column) for column in columns]),
        counts[:figures],
        counts[figures:],
        np.maximum.reduce([each.peaks for each in stretches], axis=0),
    )
