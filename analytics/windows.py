"""Sums of a KPI's quantities over any window, from blocks of one UTC day each.

A window is the end of its first day, whole days whose sums are kept, and the beginning of its last day: work grows
with its days, not its intervals, and every window is summed in the same order whether it is asked for alone or among
thousands. Counts and measured time are whole numbers, so shares are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.balance import Quantity
from wattwell.intervals import DAY, floor_to
from wattwell.model import Float64, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBlock:
    """One KPI's quantities over one UTC day of n grid intervals."""

    values: Float64
    """Shape (quantities, n): 0 where not usable."""
    usable: Int64
    """Shape (n + 1): running count of usable intervals."""
    measured: Int64
    """Shape (n + 1): running sum, over usable intervals, of the smallest measured time, microseconds."""
    peaks: Float64
    """Shape (n): the first quantity where usable, else -inf; empty where the KPI has no use for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """One KPI's quantities over a window."""

    sums: tuple[float, ...]
    usable: int
    measured: int
    """Microseconds."""
    peak: float
    """Largest interval value of the first quantity; -inf without one."""

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            sums=tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),
            usable=self.usable + other.usable,
            measured=self.measured + other.measured,
            peak=max(self.peak, other.peak),
        )


def day_blocks(quantities: Sequence[Quantity], days: int, peaks: bool) -> list[DayBlock]:
    """Blocks of consecutive UTC days from quantities over all of their intervals."""
    usable = np.logical_and.reduce([quantity.usable for quantity in quantities])
    measured = np.minimum.reduce([quantity.measured for quantity in quantities])
    values = np.stack([np.where(usable, quantity.value, 0.0) for quantity in quantities])
    values = values.reshape(len(quantities), days, -1)
    width = DAY // values.shape[-1]

    def running(column: Int64) -> Int64:
        padded = np.zeros((days, values.shape[-1] + 1), dtype=np.int64)
        np.cumsum(column.reshape(days, -1), axis=-1, out=padded[:, 1:])
        return padded

    counts = running(usable.astype(np.int64))
    spans = running(np.where(usable, np.rint(measured * width), 0.0).astype(np.int64))
    top = np.where(usable, quantities[0].value, -np.inf).reshape(days, -1)
    return [
        DayBlock(
            values=values[:, day], usable=counts[day], measured=spans[day], peaks=top[day] if peaks else np.empty(0)
        )
        for day in range(days)
    ]


def part(block: DayBlock, low: int, high: int) -> Sums:
    """The sums over intervals [low, high) of a block's day."""
    peaks = block.peaks[low:high]
    return Sums(
        sums=tuple(block.values[:, low:high].sum(axis=1).tolist()),
        usable=int(block.usable[high] - block.usable[low]),
        measured=int(block.measured[high] - block.measured[low]),
        peak=float(peaks.max()) if len(peaks) else -math.inf,
    )


def whole(block: DayBlock) -> Sums:
    """The sums over all of a block's day."""
    return part(block, 0, len(block.usable) - 1)


def total(days: Sequence[Sums], width: int) -> Sums:
    """The sum of whole days, correctly rounded; ``width`` is the number of quantities."""
    return Sums(
        sums=tuple(math.fsum(day.sums[place] for day in days) for place in range(width)),
        usable=sum(day.usable for day in days),
        measured=sum(day.measured for day in days),
        peak=max((day.peak for day in days), default=-math.inf),
    )


def window_sums(
    start: int, end: int, grid: int, block: Callable[[int], DayBlock], middle: Callable[[int, int], Sums]
) -> Sums:
    """Sums over ``[start, end)``, grid edges; ``block`` gives a day's block, ``middle`` the total of whole days."""
    first, last = floor_to(start, DAY), floor_to(end, DAY)
    low, high = (start - first) // grid, (end - last) // grid
    if first == last:
        return part(block(first), low, high)
    found = part(block(first), low, DAY // grid) if low else None
    days = middle(first + DAY if low else first, last)
    found = days if found is None else found + days
    return found + part(block(last), 0, high) if high else found


def intervals_in(start: int, end: int, grid: int) -> int:
    """How many grid intervals a window has."""
    return (end - start) // grid


def named(names: Sequence[str], sums: Sums) -> Mapping[str, float]:
    """A window's sums by quantity."""
    return dict(zip(names, sums.sums, strict=True))
