"""What a KPI will be at the year's end, from the site's own months. Pure.

The year so far counts as it is. For each month that is left, or what is left of it, the value is expected between two
ends: that month a year ago, moved by the least and by the most that months of the last twelve differed from the year
before (at least SHIFTS of them must be known); or else, where that is not known, between the best and the worst of the
last twelve months (at least MONTHS of them, so that they hold warm and cold ones). Months are weighed by the KPI's
denominator, as in the year's own figure. Where a month that is left has no expectation, nothing is said at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHIFTS = 3
MONTHS = 6
_YEAR = 12


@dataclass(frozen=True, slots=True)
class Part:
    """A KPI over a span."""

    value: float
    weight: float
    """Its denominator, scaled up to the whole span where some of it has no value."""


def year_end(done: Part, left: Sequence[tuple[int, float]], past: Mapping[int, Part]) -> tuple[float, float] | None:
    """Lower and upper end of the year's figure; None where too little is known.

    ``done`` is the year so far; ``left`` the months that are left, as month numbers (year x 12 + month) with the share
    of each that is left; ``past`` the whole months before, by number.
    """
    weight = done.weight
    low = high = done.value * done.weight
    first = min((number for number, _ in left), default=0)
    for number, share in left:
        found = _expected(number, first, past)
        if found is None:
            return None
        least, most, size = found
        weight += size * share
        low += least * size * share
        high += most * size * share
    return (low / weight, high / weight) if weight > 0 else None


def _expected(number: int, first: int, past: Mapping[int, Part]) -> tuple[float, float, float] | None:
    """Least, most and weight of a month; ``first`` is the first month that is left."""
    recent = [past[month] for month in range(first - _YEAR, first) if month in past]
    shifts = [
        past[month].value - past[month - _YEAR].value
        for month in range(first - _YEAR, first)
        if month in past and month - _YEAR in past
    ]
    before = past.get(number - _YEAR)
    if before is not None and len(shifts) >= SHIFTS:
        return before.value + min(shifts), before.value + max(shifts), before.weight
    if len(recent) < MONTHS:
        return None
    values = [part.value for part in recent]
    weight = before.weight if before is not None else sum(part.weight for part in recent) / len(recent)
    return min(values), max(values), weight
