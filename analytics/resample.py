"""Segments to interval values on the grid, with the shares measured, estimated and missing (METERING, Quality)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.segments import MEASURED, RECOVERED, Segments
from wattwell.intervals import HOUR, SECOND, starts
from wattwell.model import Accumulation, Float64, Int64, IntervalValues, Meter
from wattwell.units import AMOUNT_OF, CANONICAL, QuantityKind, convert

_RATE_SPAN = {QuantityKind.POWER: HOUR, QuantityKind.FLOW: SECOND}
EMPTY = IntervalValues(
    start=np.empty(0, dtype=np.int64), value=np.empty(0), measured=np.empty(0), recovered=np.empty(0, dtype=np.bool_)
)


def resample(meter: Meter, segments: Segments, start: int, end: int, grid: int) -> IntervalValues:
    """Values of the grid intervals in ``[start, end)`` that are known; both are grid edges.

    ``segments`` hold at least all that touch ``[start, end)``. Each is split at the grid's edges and where the
    meter's factor changes. A missing share of at most 10 % is scaled up and counts as estimated; with more the
    interval is missing as a whole and has no row. Every interval is summed piece by piece in time order, so its
    value does not depend on how much else is computed with it.
    """
    count = (end - start) // grid
    segments = segments.touching(start, end)
    if count <= 0 or not len(segments):
        return EMPTY
    cut = pieces(meter, segments, start, end, grid)

    def total(weights: Float64) -> Float64:
        return np.bincount(cut.cell, weights=weights, minlength=count).astype(np.float64, copy=False)

    covered = total(cut.width)
    if (cut.kind == MEASURED).all():
        measured, recovered = covered, np.zeros(count, dtype=np.bool_)
    else:
        measured = total(np.where(cut.kind == MEASURED, cut.width, 0.0))
        recovered = total(np.where(cut.kind == RECOVERED, 1.0, 0.0)) > 0
    value = total(cut.amount)
    missing = grid - covered
    if meter.quantity in AMOUNT_OF:
        value = np.where(missing > 0, value * grid / np.maximum(covered, 1.0), value)
    else:
        value = value / np.maximum(covered, 1.0)
    known = (covered > 0) & (missing * 10 <= grid)
    return IntervalValues(
        start=starts(start, end, grid)[known],
        value=value[known],
        measured=(measured / grid)[known],
        recovered=recovered[known],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Segments cut at grid edges and where the factor changes, in time order; columns of equal length."""

    cell: Int64
    """Number of the grid interval, from 0."""
    width: Float64
    """Microseconds."""
    kind: NDArray[np.uint8]
    amount: Float64
    """kWh, L, or value x microseconds for quantities that are averaged; after the factor."""


def pieces(meter: Meter, segments: Segments, start: int, end: int, grid: int) -> Pieces:
    """What of the segments, which all touch it, lies in ``[start, end)``, grid edges."""
    cuts = starts(start, end + grid, grid)
    changes = np.array([since for since, _ in meter.factors], dtype=np.int64)
    if len(changes) > 1:
        cuts = np.union1d(cuts, changes)
    index, low, high = _split(segments, cuts)
    # Only the first and the last segment reach beyond, and have been cut there.
    inside = slice(int(np.searchsorted(low, start)), int(np.searchsorted(high, end, side="right")))
    index, low, high = index[inside], low[inside], high[inside]
    factor: Float64 | float = meter.factors[0][1]
    if len(changes) > 1:
        factor = np.array([f for _, f in meter.factors])[np.searchsorted(changes, low, side="right") - 1]
    return Pieces(
        cell=(low - start) // grid,
        width=(high - low).astype(np.float64),
        kind=segments.kind[index],
        amount=_amounts(meter, segments, index, low, high) * factor,
    )


def _split(segments: Segments, cuts: Int64) -> tuple[Int64, Int64, Int64]:
    """Every segment cut at ``cuts``: position of the segment, start and end of each piece, in time order."""
    owner = np.searchsorted(segments.end, cuts, side="right")  # the first segment that ends after the cut
    cuts, owner = cuts[owner < len(segments)], owner[owner < len(segments)]
    within = segments.start[owner] < cuts
    cuts, owner = cuts[within], owner[within]
    index = np.repeat(np.arange(len(segments)), 1 + np.bincount(owner, minlength=len(segments)))
    low, high = segments.start[index], segments.end[index]
    begun = owner + np.arange(1, len(cuts) + 1)  # the pieces that begin at a cut
    low[begun] = high[begun - 1] = cuts
    return index, low, high


def _amounts(meter: Meter, segments: Segments, index: Int64, low: Int64, high: Int64) -> Float64:
    """kWh or L of each piece, or value x microseconds for quantities that are averaged; before the factor."""
    start = segments.start[index]
    length = (segments.end[index] - start).astype(np.float64)
    width = (high - low).astype(np.float64)
    if meter.accumulation is not Accumulation.INSTANTANEOUS:
        amount = convert(segments.first[index], meter.quantity, meter.unit, CANONICAL[meter.quantity])
        return amount * (width / length)
    first, last = segments.first[index], segments.last[index]
    slope = last - first
    mean = (first + slope * ((low - start) / length) + (first + slope * ((high - start) / length))) / 2.0
    canonical = convert(mean, meter.quantity, meter.unit, CANONICAL[meter.quantity])
    return canonical * width / _RATE_SPAN.get(meter.quantity, 1)
