"""Segments: what a meter's readings say about the time between them.

A segment is a span between two neighbouring readings over which the meter is known. Where nothing is known there is
no segment, so missing time is what no segment covers. Folding readings into segments is the work of
:mod:`analytics.registers` and :mod:`analytics.flows`; cutting them into grid intervals that of
:mod:`analytics.resample`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattwell.intervals import HOUR, SECOND
from wattwell.model import Bool, Float64, Int64, Meter, MeterEvent
from wattwell.units import AMOUNT_OF, QuantityKind, convert, scale_to_canonical

MEASURED, ESTIMATED, RECOVERED = 0, 1, 2
"""Segment kinds: measured; estimated; estimated because only the spread in time is unknown (a gap)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """Columns of equal length, ascending and not overlapping in time."""

    start: Int64
    end: Int64
    first: Float64
    """Amounts: the whole amount in the meter's unit, spread evenly. Rates and states: the value at the start."""
    last: Float64
    """Rates and states: the value at the end; amounts do not use it."""
    kind: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start)

    def touching(self, start: int, end: int) -> Segments:
        """Those that share time with ``[start, end)``, as a view."""
        low = int(np.searchsorted(self.end, start, side="right"))
        return self.select(slice(low, max(low, int(np.searchsorted(self.start, end)))))

    def select(self, mask: Bool | slice) -> Segments:
        """The segments where ``mask`` is true, copied; or those of a slice, as a view."""
        return Segments(
            start=self.start[mask],
            end=self.end[mask],
            first=self.first[mask],
            last=self.last[mask],
            kind=self.kind[mask],
        )


def segments_of(rows: Sequence[tuple[int, int, float, float, int]]) -> Segments:
    """Segments from (start, end, first, last, kind) rows."""
    return Segments(
        start=np.array([row[0] for row in rows], dtype=np.int64),
        end=np.array([row[1] for row in rows], dtype=np.int64),
        first=np.array([row[2] for row in rows], dtype=np.float64),
        last=np.array([row[3] for row in rows], dtype=np.float64),
        kind=np.array([row[4] for row in rows], dtype=np.uint8),
    )


NOTHING = segments_of(())


def join(parts: Sequence[Segments]) -> Segments:
    """Segments that follow one another in time as one."""
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else NOTHING
    return Segments(
        start=np.concatenate([part.start for part in parts]),
        end=np.concatenate([part.end for part in parts]),
        first=np.concatenate([part.first for part in parts]),
        last=np.concatenate([part.last for part in parts]),
        kind=np.concatenate([part.kind for part in parts]),
    )


class Point(NamedTuple):
    """One reading: its time and its value in the meter's unit."""

    at: int
    value: float


@dataclass(frozen=True, slots=True)
class FoldState:
    """Where a fold over a meter's readings stands; with it, folding goes on as if it had never stopped."""

    last: Point | None = None
    """The last accepted reading. Of a register its value is the level: the highest dial, jitter left aside; of a
    delta meter it is the last reading, accepted or not, and its value means nothing."""
    held: Point | None = None
    """A register's suspect, which the next reading decides."""
    back: Point | None = None
    """The accepted reading before a rollover, until the next reading confirms the rollover."""
    swap: float | None = None
    """After a replacement: the amount booked up to it, until the new dial's first reading is certain."""

    @property
    def settled_at(self) -> int | None:
        """No later reading changes what lies before this instant."""
        point = self.back or self.last
        return None if point is None else point.at

    @property
    def open_at(self) -> int | None:
        """Time of the first reading whose event a later reading may still change."""
        if self.swap is not None:
            return self.settled_at
        point = self.last if self.back else self.held
        return None if point is None else point.at

    def columns(self) -> tuple[float | int | None, ...]:
        """The fields in a row, to be stored."""
        pairs = [point or (None, None) for point in (self.last, self.held, self.back)]
        return (*pairs[0], *pairs[1], *pairs[2], self.swap)

    @classmethod
    def from_columns(cls, row: Sequence[float | int | None]) -> FoldState:
        """The state that :meth:`columns` wrote."""
        last, held, back = (
            None if at is None or value is None else Point(int(at), float(value))
            for at, value in zip(row[0:6:2], row[1:6:2], strict=True)
        )
        return cls(last, held, back, None if row[6] is None else float(row[6]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What a run of readings became."""

    segments: Segments
    """Settled segments."""
    tail: Segments
    """A segment that is booked at once but that the next reading may still withdraw."""
    events: tuple[MeterEvent, ...]
    """In the order they were known; of two about the same reading, or the same replacement, the later holds."""
    state: FoldState


def factor_pieces(meter: Meter, start: int, end: int) -> list[tuple[int, int, float]]:
    """The parts of ``[start, end)`` and the factor (multiplier x sign) in force in each."""
    pieces = []
    for index, (since, factor) in enumerate(meter.factors):
        until = meter.factors[index + 1][0] if index + 1 < len(meter.factors) else 2**62
        low, high = max(start, since), min(end, until)
        if low < high:
            pieces.append((low, high, factor))
    return pieces


def booked_amount(meter: Meter, start: int, end: int, step: float) -> float:
    """kWh or L, after the multiplier, of a dial step spread evenly over ``[start, end)``; of no time, nothing."""
    if start == end:
        return 0.0
    canonical = convert(step, meter.quantity, meter.unit, AMOUNT_UNIT[meter.quantity])
    if len(meter.factors) == 1:
        return canonical * abs(meter.factors[0][1])
    return sum(canonical * ((high - low) / (end - start)) * abs(f) for low, high, f in factor_pieces(meter, start, end))


AMOUNT_UNIT = {QuantityKind.ENERGY: "kWh", QuantityKind.WATER: "L"}
_RATE_SPAN = {QuantityKind.ENERGY: HOUR, QuantityKind.WATER: SECOND}
_SPARE = 1e-12
_ULP = 4 * float(np.finfo(np.float64).eps)


def capacity(meter: Meter, start: Int64, end: Int64) -> Float64:
    """The largest plausible dial step, in the meter's unit, in each span: ``max_rate`` x time (METERING).

    Across a change of the multiplier each side counts with its own. A rounding's worth is to spare, so that a step
    equal to the bound is plausible whatever its binary fraction.
    """
    if meter.max_rate is None:
        return np.full(len(start), np.inf)
    scale = scale_to_canonical(meter.quantity, meter.unit)
    span = _RATE_SPAN[AMOUNT_OF[meter.quantity]]
    if len(meter.factors) == 1:
        bound = meter.max_rate * (end - start) / span / (scale * abs(meter.factors[0][1]))
    else:
        bound = np.zeros(len(start))
        for index, (since, factor) in enumerate(meter.factors):
            until = meter.factors[index + 1][0] if index + 1 < len(meter.factors) else 2**62
            overlap = np.minimum(end, until) - np.maximum(start, since)
            bound += meter.max_rate * np.maximum(overlap, 0) / span / (scale * abs(factor))
    return bound * (1.0 + _SPARE)


def rounding(before: Float64 | float, after: Float64 | float) -> Float64:
    """What the difference of two dials may be off by for their binary fractions alone."""
    return np.asarray(_ULP * np.maximum(np.abs(before), np.abs(after)), dtype=np.float64)
