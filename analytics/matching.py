"""Hourly matching (24x7 carbon-free energy): how much of a site's energy was carbon-free in the hour it was used.

In each UTC hour on-site renewable energy C covers the load L as far as it goes, min(C, L); what is left of the load has
the carbon-free share of the grid in that hour. An hour counts as a whole: one interval without a value leaves it out.
"""

from __future__ import annotations

import numpy as np

from wattwell.intervals import HOUR
from wattwell.model import Bool, Float64, Int64


def matched(
    start: Int64, grid: int, load: Float64, onsite: Float64, share: Float64, known: Bool
) -> tuple[Float64, Float64, Bool]:
    """kWh on consecutive intervals: what on-site energy covered, the carbon-free part of the rest, and what counts.

    Both are spread evenly over the intervals of their hour, and are 0 where it does not count.
    """
    hour = _hours(start)
    counts = whole_hours(start, grid) & ~some_in_hour(start, ~known)
    loads, made = (np.bincount(hour, weights=np.where(known, column, 0.0))[hour] for column in (load, onsite))
    covered = np.minimum(made, loads)
    rest = np.where(counts, loads - covered, 0.0) * np.where(counts, share, 0.0)
    intervals = HOUR // grid
    return np.where(counts, covered, 0.0) / intervals, rest / intervals, counts


def whole_hours(start: Int64, grid: int) -> Bool:
    """Where all intervals of the UTC hour are among these."""
    hour = _hours(start)
    return np.equal(np.bincount(hour)[hour], HOUR // grid)


def some_in_hour(start: Int64, column: Bool) -> Bool:
    """Where some interval of the UTC hour is marked."""
    hour = _hours(start)
    return np.bincount(hour, weights=column)[hour] > 0


def _hours(start: Int64) -> Int64:
    """The place of each interval's UTC hour, from 0 on."""
    return start // HOUR - start[:1] // HOUR
