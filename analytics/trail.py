"""One meter's readings followed through a window: dials at its ends, gaps, what was counted and what was not.

The trail folds the very readings that interval values were made of, from a state before the window until every instant
of the window is settled, and keeps of it what a person needs to check the amount by hand.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.fold import FOREVER, fold
from analytics.resample import pieces
from analytics.segments import ESTIMATED, NOTHING, RECOVERED, FoldState, Segments
from wattwell.intervals import Interval, ceil_to, floor_to
from wattwell.model import Accumulation, Correction, Float64, Int64, Meter

Reading = tuple[int, float]
"""Time and value in the meter's unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialAt:
    """A register's dial at an instant, on the line between two neighbouring readings."""

    at: int
    value: float
    before: Reading
    after: Reading


@dataclass(frozen=True, slots=True)
class Gap:
    """Time without readings close enough together."""

    start: int
    end: int
    treated: str
    """``recovered``: the amount is known, its spread is not; ``estimated``: only a part of the amount was seen;
    ``missing``: nothing is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What became of the amounts, kWh or L: ``read`` + ``scaled`` - ``left_out`` is the meter's amount."""

    read: float
    """What the readings say of the window."""
    scaled: float
    """Added where at most a tenth of an interval is missing."""
    scaled_intervals: int
    left_out: float
    """Read in intervals of which more is missing: they have no value."""


class Trail:
    """Follows one meter; takes its readings in runs, from before the window until ``settled``."""

    def __init__(
        self,
        meter: Meter,
        span: Interval,
        grid: int,
        corrections: Sequence[Correction],
        state: FoldState,
        false: Collection[int],
    ) -> None:
        """``span``: the window, on the grid; ``false``: times of readings that events have found to be transients."""
        self.meter = meter
        self.span = span
        self.count = 0
        """Accepted readings in the window."""
        self.refused = 0
        """Readings in the window that were rejected for their value."""
        self.first: Reading | None = None
        self.last: Reading | None = None
        self.gaps: list[Gap] = []
        self._grid = grid
        self._corrections = corrections
        self._swaps = {c.at: c for c in corrections if c.event == "replacement"}
        self._false = frozenset(false)
        self._state = state
        self._tail = NOTHING
        self._seen: dict[int, float] = {}
        self._known_to = span.start
        self._counted: list[float] = []
        self._ends: tuple[DialAt, DialAt] | None = None
        cells = span.width // grid
        self._width, self._amount = np.zeros(cells), np.zeros(cells)

    @property
    def settled(self) -> bool:
        """Whether no later reading says anything of the window."""
        at = self._state.settled_at
        return at is not None and at >= self.span.end

    def feed(self, at: Int64, value: Float64, until: int = FOREVER) -> None:
        """Takes all readings of ``[.., until)`` that follow those fed before; NaN marks refused ones."""
        for point in (self._state.last, self._state.back, self._state.held):
            if point is not None:
                self._seen[point.at] = point.value
        self._note(at, value)
        folded = fold(self.meter, self._state, at, value, self._corrections, until)
        self._take(folded.segments, at, value)
        self._state, self._tail = folded.state, folded.tail
        if self._tail.start.size:
            self._seen |= self._values_at(np.concatenate([self._tail.start, self._tail.end]), at, value)

    def finish(self) -> None:
        """No more readings are to come: what is unknown by now is missing."""
        self._take(self._tail, np.empty(0, dtype=np.int64), np.empty(0))
        self._tail = NOTHING
        if self._known_to < self.span.end:
            self.gaps.append(Gap(self._known_to, self.span.end, "missing"))
        self.gaps.sort(key=lambda gap: gap.start)

    # -- what was found ---------------------------------------------------------------------------------------

    @property
    def dial(self) -> tuple[DialAt, DialAt] | None:
        """A register at the first and at the last instant of the window at which it is known."""
        return self._ends if self.meter.accumulation is Accumulation.REGISTER else None

    @property
    def counted(self) -> float:
        """A register's or delta meter's amount in the window in its own unit, as far as it is known."""
        return math.fsum(self._counted)

    def booked(self, start: Int64, value: Float64) -> Booked:
        """The readings against the stored interval values of the window: their starts, and kWh or L."""
        has = np.zeros(len(self._amount), dtype=np.bool_)
        stored = np.zeros(len(self._amount))
        cell = (start - self.span.start) // self._grid
        has[cell], stored[cell] = True, value
        scaled = has & (self._width < self._grid)
        return Booked(
            read=math.fsum(self._amount.tolist()),
            scaled=math.fsum((stored - self._amount)[scaled].tolist()),
            scaled_intervals=int(scaled.sum()),
            left_out=math.fsum(self._amount[~has].tolist()),
        )

    # -- following --------------------------------------------------------------------------------------------

    def _note(self, at: Int64, value: Float64) -> None:
        """Counts the readings inside the window."""
        inside = slice(*np.searchsorted(at, [self.span.start, self.span.end]).tolist())
        at, value = at[inside], value[inside]
        accepted = np.isfinite(value)
        self.refused += int((~accepted).sum())
        if self._false:
            accepted &= ~np.isin(at, list(self._false))
        places = np.flatnonzero(accepted)
        self.count += len(places)
        if len(places):
            self.first = self.first or (int(at[places[0]]), float(value[places[0]]))
            self.last = (int(at[places[-1]]), float(value[places[-1]]))

    def _take(self, segments: Segments, at: Int64, value: Float64) -> None:
        span = self.span
        segments = segments.select((segments.end > span.start) & (segments.start < span.end))
        if not len(segments):
            return
        low, high = np.maximum(segments.start, span.start), np.minimum(segments.end, span.end)
        begin, end = floor_to(int(low[0]), self._grid), ceil_to(int(high[-1]), self._grid)
        cut = pieces(self.meter, segments, begin, end, self._grid)
        cells = slice((begin - span.start) // self._grid, (end - span.start) // self._grid)
        count = cells.stop - cells.start
        self._width[cells] += np.bincount(cut.cell, weights=cut.width, minlength=count)
        self._amount[cells] += np.bincount(cut.cell, weights=cut.amount, minlength=count)
        if self.meter.accumulation is not Accumulation.INSTANTANEOUS:
            share = (high - low) / (segments.end - segments.start)
            self._counted.append(float((segments.first * share).sum()))
        self._find_gaps(segments, low, high)
        if self.meter.accumulation is Accumulation.REGISTER:
            self._seen |= self._values_at(np.array([segments.start[0], segments.end[0]]), at, value)
            self._seen |= self._values_at(np.array([segments.start[-1], segments.end[-1]]), at, value)
            opened = self._ends[0] if self._ends else self._dial_at(segments, 0, int(low[0]))
            self._ends = (opened, self._dial_at(segments, len(segments) - 1, int(high[-1])))

    def _find_gaps(self, segments: Segments, low: Int64, high: Int64) -> None:
        before = np.concatenate(([self._known_to], high[:-1]))
        for place in np.flatnonzero(low > before):
            self.gaps.append(Gap(int(before[place]), int(low[place]), "missing"))
        for kind, treated in ((RECOVERED, "recovered"), (ESTIMATED, "estimated")):
            for place in np.flatnonzero(segments.kind == kind):
                self.gaps.append(Gap(int(low[place]), int(high[place]), treated))
        self._known_to = max(self._known_to, int(high[-1]))

    def _values_at(self, times: Int64, at: Int64, value: Float64) -> dict[int, float]:
        """The readings at these times, as far as they are among those given."""
        if not len(at):
            return {}
        place = np.minimum(np.searchsorted(at, times), len(at) - 1)
        found = at[place] == times
        return dict(zip(times[found].tolist(), value[place[found]].tolist(), strict=True))

    def _dial_at(self, segments: Segments, place: int, at: int) -> DialAt:
        """The dial within a segment; at a replacement the final dial ends one segment and the first begins the next."""
        start, end = int(segments.start[place]), int(segments.end[place])
        opened = self._swaps[start].first if start in self._swaps else self._seen.get(start)
        closed = self._swaps[end].final if end in self._swaps else self._seen.get(end)
        amount = float(segments.first[place])
        opened = 0.0 if opened is None else opened
        closed = opened + amount if closed is None else closed
        if at in (start, end):
            shown = opened if at == start else closed
        else:
            shown = opened + amount * ((at - start) / (end - start))
            if self.meter.rollover_at is not None and shown >= self.meter.rollover_at:
                shown -= self.meter.rollover_at
        return DialAt(at=at, value=shown, before=(start, opened), after=(end, closed))
