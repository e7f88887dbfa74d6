"""One meter's readings, fed in any number of runs, to interval values, events and checkpoints.

A fold goes on from a :class:`~analytics.segments.FoldState` exactly as if it had never stopped, so an analysis may
resume at any checkpoint: it starts at the checkpoint from which the first interval to be replaced is wholly known,
and ends where the state meets the one that was stored. Work is in proportion to what new readings touch, and the
result is, bit for bit, that of folding the whole history at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analytics.flows import fold_delta, fold_instantaneous
from analytics.registers import fold_register
from analytics.resample import EMPTY, resample
from analytics.segments import NOTHING, Folded, FoldState, Segments, join
from wattwell.intervals import ceil_to, floor_to
from wattwell.model import Accumulation, Correction, Float64, Int64, IntervalValues, Meter, MeterEvent

FOREVER = 2**62


def fold(
    meter: Meter,
    state: FoldState,
    at: Int64,
    value: Float64,
    corrections: Sequence[Correction] = (),
    until: int = FOREVER,
) -> Folded:
    """Folds the readings of ``[.., until)`` that follow ``state``: times ascending, values in the meter's unit.

    NaN marks a reading rejected for its value.
    """
    if meter.accumulation is Accumulation.DELTA:
        return fold_delta(meter, state, at, value)
    accepted = np.isfinite(value)
    if not accepted.all():
        at, value = at[accepted], value[accepted]
    if meter.accumulation is Accumulation.REGISTER:
        return fold_register(meter, state, at, value, corrections, until)
    return fold_instantaneous(meter, state, at, value)


def origin(state: FoldState, edge: int, grid: int) -> int:
    """The first interval that readings after ``edge`` can change when the fold stands at ``state`` there."""
    settled = state.settled_at
    return floor_to(edge if settled is None else settled, grid)


class MeterFold:
    """A fold under way: takes runs of readings and gives out interval values as soon as nothing can change them."""

    def __init__(
        self,
        meter: Meter,
        grid: int,
        corrections: Sequence[Correction] = (),
        state: FoldState | None = None,
        since: int | None = None,
    ) -> None:
        """``since``: the first interval to give out; by default that of the first reading."""
        self.meter = meter
        self.grid = grid
        self.corrections = corrections
        self.state = state or FoldState()
        self.since = since
        self._pending: list[Segments] = []
        self._tail = NOTHING
        self._events: list[MeterEvent] = []

    def feed(self, at: Int64, value: Float64, until: int = FOREVER) -> None:
        """Takes all readings of ``[.., until)`` that follow those fed before."""
        folded = fold(self.meter, self.state, at, value, self.corrections, until)
        self.state = folded.state
        self._pending.append(folded.segments)
        self._tail = folded.tail
        self._events.extend(folded.events)

    @property
    def settled(self) -> int | None:
        """Interval values before this grid edge are final as far as the readings go."""
        at = self.state.settled_at
        return None if at is None else floor_to(at, self.grid)

    def take_settled(self) -> IntervalValues:
        """Interval values that no later reading changes and that were not given out yet."""
        return EMPTY if self.settled is None else self._take(self.settled)

    def take_rest(self) -> IntervalValues:
        """All interval values not given out yet, as far as they are known by now."""
        self._pending.append(self._tail)
        self._tail = NOTHING
        pending = join(self._pending)
        return self._take(ceil_to(int(pending.end[-1]), self.grid)) if len(pending) else EMPTY

    def take_events(self, until: int = FOREVER) -> tuple[MeterEvent, ...]:
        """The events before ``until`` that were not given out yet.

        A reading makes one event: the latest said of it. A replacement stands beside that of the reading at its time.
        """
        latest = {(event.at, event.event == "replacement"): event for event in self._events if event.at < until}
        self._events = [event for event in self._events if event.at >= until]
        return tuple(latest[place] for place in sorted(latest))

    def _take(self, end: int) -> IntervalValues:
        pending = join(self._pending)
        self._pending = [pending]
        if self.since is None and len(pending):
            self.since = floor_to(int(pending.start[0]), self.grid)
        if self.since is None or end <= self.since:
            return EMPTY
        values = resample(self.meter, pending, self.since, end, self.grid)
        self._pending = [pending.select(pending.end > end)]
        self.since = end
        return values
