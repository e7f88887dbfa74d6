"""Sums of the quantities of a site's figures over any window, from blocks of one UTC day each.

A window is the end of its first day, whole days whose sums are kept, and the beginning of its last day: work grows
with its days, not its intervals, and every window is summed in the same order whether it is asked for alone or among
thousands. Counts and measured time are whole numbers, so shares are exact. All figures of a site stand in one block:
what is asked of one window is mostly asked of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.balance import Quantity
from wattwell.intervals import DAY, HOUR, Interval, ceil_to, floor_to
from wattwell.model import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the quantities of each figure of a site stand in its blocks."""

    rows: Mapping[str, slice]
    """By figure: the rows of its quantities."""
    place: Mapping[str, int]
    """By figure: which one it is."""
    peak: Mapping[str, int]
    """By figure that needs its peak: which of them it is."""
    owner: Int64
    """By row: the place of its figure."""

    @classmethod
    def of(cls, widths: Mapping[str, int], peaked: Collection[str] = ()) -> Layout:
        """From the number of quantities of each figure; ``peaked``: those whose largest interval is asked for."""
        bounds = list(accumulate(widths.values(), initial=0))
        return cls(
            rows={name: slice(*ends) for name, ends in zip(widths, pairwise(bounds), strict=True)},
            place={name: place for place, name in enumerate(widths)},
            peak={name: place for place, name in enumerate(name for name in widths if name in peaked)},
            owner=np.repeat(np.arange(len(widths), dtype=np.int64), list(widths.values())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBlock:
    """All figures of a site over one UTC day of n grid intervals."""

    values: Float64
    """Shape (rows, n): 0 where the figure is not usable."""
    usable: Int64
    """Shape (figures, n + 1): running count of usable intervals."""
    measured: Int64
    """Shape (figures, n + 1): running sum, over usable intervals, of the smallest measured time, microseconds."""
    peaks: Float64
    """Shape (figures that need it, n): the first quantity where usable, else -inf."""

    @property
    def size(self) -> int:
        """Bytes."""
        return self.values.nbytes + self.usable.nbytes + self.measured.nbytes + self.peaks.nbytes


@dataclass(frozen=True, slots=True)
class Totals:
    """All figures of a site over a span."""

    sums: Float64
    """By row."""
    usable: Int64
    """By figure."""
    measured: Int64
    """By figure, microseconds."""
    peaks: Float64

    @property
    def size(self) -> int:
        """Bytes."""
        return self.sums.nbytes + self.usable.nbytes + self.measured.nbytes + self.peaks.nbytes

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.sums + other.sums,
            self.usable + other.usable,
            self.measured + other.measured,
            np.maximum(self.peaks, other.peaks),
        )

    def of(self, name: str, layout: Layout, most: int | None = None) -> Sums:
        """One figure's; of its quantities the first ``most``."""
        place, peak = layout.place[name], layout.peak.get(name)
        return Sums(
            sums=tuple(self.sums[layout.rows[name]][:most].tolist()),
            usable=int(self.usable[place]),
            measured=int(self.measured[place]),
            peak=-math.inf if peak is None else float(self.peaks[peak]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """One figure's quantities over a window."""

    sums: tuple[float, ...]
    usable: int
    measured: int
    """Microseconds."""
    peak: float
    """Largest interval value of the first quantity; -inf without one."""


def day_blocks(figures: Mapping[str, Sequence[Quantity]], layout: Layout, days: int) -> list[DayBlock]:
    """Blocks of consecutive UTC days, from the quantities of each figure over all of their intervals."""
    usable = np.stack([_all_usable(quantities) for quantities in figures.values()])
    measured = np.stack([_least_measured(quantities) for quantities in figures.values()])
    peaked = [layout.place[name] for name in layout.peak]
    first = [layout.rows[name].start for name in layout.peak]
    values: Float64 = np.broadcast_to(0.0, (len(layout.owner), usable.shape[1]))
    peaks: Float64 = np.full((len(peaked), usable.shape[1]), -np.inf)
    if usable.any():
        given = np.stack([quantity.value for quantities in figures.values() for quantity in quantities])
        values = np.where(usable[layout.owner], given, 0.0)
        peaks = np.where(usable[peaked], given[first], -np.inf)
    width = DAY * days // usable.shape[1]
    counts = _running(usable.astype(np.int64), days)
    spans = _running(np.where(usable, np.rint(measured * width), 0.0).astype(np.int64), days)
    values, peaks = (column.reshape(len(column), days, usable.shape[1] // days) for column in (values, peaks))
    return [
        DayBlock(values=values[:, day], usable=counts[:, day], measured=spans[:, day], peaks=peaks[:, day])
        for day in range(days)
    ]


def _all_usable(quantities: Sequence[Quantity]) -> Bool:
    found: Bool = np.all(_distinct(quantity.usable for quantity in quantities), axis=0)
    return found


def _least_measured(quantities: Sequence[Quantity]) -> Float64:
    found: Float64 = np.min(_distinct(quantity.measured for quantity in quantities), axis=0)
    return found


def _distinct(columns: Iterable[NDArray[Any]]) -> list[NDArray[Any]]:
    """Each column once: the quantities of one figure mostly share theirs."""
    return list({id(column): column for column in columns}.values())


def _running(columns: Int64, days: int) -> Int64:
    """Running sums of each row by day, from 0 on."""
    rows = columns.reshape(len(columns), days, -1)
    padded = np.zeros((*rows.shape[:2], rows.shape[2] + 1), dtype=np.int64)
    np.cumsum(rows, axis=-1, out=padded[..., 1:])
    return padded


def part(block: DayBlock, low: int, high: int) -> Totals:
    """The sums over intervals [low, high) of a block's day."""
    return Totals(
        np.add.reduce(block.values[:, low:high], axis=1),
        block.usable[:, high] - block.usable[:, low],
        block.measured[:, high] - block.measured[:, low],
        np.maximum.reduce(block.peaks[:, low:high], axis=1, initial=-np.inf),
    )


def whole(block: DayBlock) -> Totals:
    """The sums over all of a block's day."""
    return part(block, 0, block.values.shape[1])


def window_sums(
    start: int, end: int, grid: int, block: Callable[[int], DayBlock], middle: Callable[[int, int], Totals]
) -> Totals:
    """Sums over ``[start, end)``, grid edges; ``block`` gives a day's block, ``middle`` the total of whole days."""
    first, last = floor_to(start, DAY), floor_to(end, DAY)
    low, high = (start - first) // grid, (end - last) // grid
    if first == last:
        return part(block(first), low, high)
    found = part(block(first), low, DAY // grid) if low else None
    days = middle(first + DAY if low else first, last)
    found = days if found is None else found + days
    return found + part(block(last), 0, high) if high else found


def hours_within(span: Interval) -> Interval:
    """The whole UTC hours in a span; nothing, at its start, where it holds none."""
    start, end = ceil_to(span.start, HOUR), floor_to(span.end, HOUR)
    return Interval(start, end) if start < end else Interval(span.start, span.start)


def intervals_in(start: int, end: int, grid: int) -> int:
    """How many grid intervals a window has."""
    return (end - start) // grid


def named(names: Sequence[str], sums: Sums) -> Mapping[str, float]:
    """A window's sums by quantity."""
    return dict(zip(names, sums.sums, strict=True))
