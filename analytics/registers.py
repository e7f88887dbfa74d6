"""Cumulative dials to segments and meter events (METERING, Register events).

All dial arithmetic is in the meter's own unit. The judge reads a dial one reading at a time and holds back what the
next reading must decide; runs in which every step is plausible, which is nearly all of them, are taken as arrays.

A reading *follows* an earlier one when it is a plausible step up, jitter, or a rollover after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analytics.segments import (
    AMOUNT_UNIT,
    ESTIMATED,
    MEASURED,
    RECOVERED,
    Folded,
    FoldState,
    Point,
    Segments,
    booked_amount,
    capacity,
    join,
    rounding,
    segments_of,
)
from wattwell.model import Correction, Float64, Int64, Meter, MeterEvent

_JITTER_SPARE = 1.0 + 1e-6
_FOREVER = 2**62
_Row = tuple[int, int, float, float, int]


def fold_register(
    meter: Meter,
    state: FoldState,
    at: Int64,
    dial: Float64,
    corrections: Sequence[Correction] = (),
    until: int = _FOREVER,
) -> Folded:
    """Judges the accepted dial readings of ``[.., until)`` that follow ``state`` in time.

    ``at`` ascends strictly; ``dial`` is in the meter's unit and holds no NaN. ``corrections`` are all of the
    meter's: a replacement counts before the readings at its own time, an ``accept`` names the jump's time.
    """
    judge = _Judge(meter, state, {(c.event, c.at): c for c in corrections})
    begin = 0
    for swap in sorted((c for c in corrections if c.event == "replacement"), key=lambda c: c.at):
        done = state.last is not None and state.last.at >= swap.at
        if done or swap.at >= until:
            continue
        cut = int(np.searchsorted(at, swap.at))
        judge.run(at[begin:cut], dial[begin:cut])
        judge.replace_meter(swap)
        begin = cut
    judge.run(at[begin:], dial[begin:])
    return judge.result()


@dataclass(frozen=True, slots=True)
class _Step:
    amount: float
    rollover: bool


@dataclass(slots=True)
class _Judge:
    meter: Meter
    state: FoldState
    corrections: Mapping[tuple[str, int], Correction]
    parts: list[Segments] = field(default_factory=list)
    rows: list[_Row] = field(default_factory=list)
    events: list[MeterEvent] = field(default_factory=list)

    # -- runs -------------------------------------------------------------------------------------------------

    def run(self, at: Int64, dial: Float64) -> None:
        """Takes readings in order: whole plain stretches as arrays, everything else one by one."""
        if not len(at):
            return
        index, last = 0, self.state.last
        if last is not None and self.state == FoldState(last):  # what was accepted last begins the first stretch
            at, dial = np.concatenate(([last.at], at)), np.concatenate(([last.value], dial))
            index = 1
        stops = iter(self._not_plain(at, dial).tolist())
        stop = 0
        while index < len(at):
            while stop < index:
                stop = next(stops)
            if stop > index > 0 and self.state == FoldState(Point(int(at[index - 1]), float(dial[index - 1]))):
                self._take(at, dial, index, stop)
                index = stop
            else:
                self._read(Point(int(at[index]), float(dial[index])))
                index += 1

    def _not_plain(self, at: Int64, dial: Float64) -> Int64:
        """Positions whose step from the raw reading before is not simply up, plausible and without a gap."""
        before, after = dial[:-1], dial[1:]
        step = after - before
        bound = capacity(self.meter, at[:-1], at[1:]) + self.meter.resolution + rounding(before, after)
        plain = (step >= 0) & (step <= bound) & (np.diff(at) <= self.meter.max_gap)
        return np.append(np.flatnonzero(~plain) + 1, len(at))

    def _take(self, at: Int64, dial: Float64, begin: int, end: int) -> None:
        self._flush()
        step = np.diff(dial[begin - 1 : end])
        kind = np.full(len(step), MEASURED, dtype=np.uint8)
        self.parts.append(Segments(start=at[begin - 1 : end - 1], end=at[begin:end], first=step, last=step, kind=kind))
        self.state = FoldState(Point(int(at[end - 1]), float(dial[end - 1])))

    def _flush(self) -> None:
        if self.rows:
            self.parts.append(segments_of(self.rows))
            self.rows = []

    def result(self) -> Folded:
        """What the readings so far became; a rollover not yet confirmed is booked in ``tail``."""
        self._flush()
        tail = segments_of(self._rollover_rows(self.state))
        return Folded(segments=join(self.parts), tail=tail, events=tuple(self.events), state=self.state)

    # -- one reading ------------------------------------------------------------------------------------------

    def _follow(self, earlier: Point, later: Point) -> _Step | None:
        """The step by which a reading follows an earlier one, or None."""
        step = later.value - earlier.value
        if step < 0 and -step <= self.meter.resolution * _JITTER_SPARE:
            return _Step(0.0, rollover=False)
        bound = self._bound(earlier, later) + float(rounding(earlier.value, later.value))
        if step >= 0:
            return _Step(step, rollover=False) if step <= bound else None
        if self.meter.rollover_at is not None and 0 <= step + self.meter.rollover_at <= bound:
            return _Step(step + self.meter.rollover_at, rollover=True)
        return None

    def _at_level(self, earlier: Point, later: Point) -> _Step | None:
        """The step by which a reading is back at, or plausibly above, an earlier level; None where it is not."""
        step = self._follow(earlier, later)
        return None if step is None or step.rollover else step

    def _bound(self, earlier: Point, later: Point) -> float:
        start, end = np.array([earlier.at], dtype=np.int64), np.array([later.at], dtype=np.int64)
        return float(capacity(self.meter, start, end)[0]) + self.meter.resolution

    def _is_gap(self, earlier: Point, later: Point) -> bool:
        return later.at - earlier.at > self.meter.max_gap

    def _read(self, point: Point) -> None:
        state = self.state
        if state.last is None:
            self.state = FoldState(point)
        elif state.held is not None:
            self._decide(state.last, state.held, point)
        elif (step := self._follow(state.last, point)) is not None:
            self._confirm_rollover()
            self._accept(state.last, point, step)
        elif state.back is not None and (step := self._at_level(state.back, point)) is not None:
            self._withdraw_rollover(state.back, state.last)
            self._accept(state.back, point, step)
        else:
            self._confirm_rollover()
            self.state = replace(self.state, held=point)

    def _decide(self, last: Point, held: Point, point: Point) -> None:
        """The reading after a suspect: the suspect was a transient, a reset or a jump, or this is the next suspect."""
        if (step := self._follow(last, point)) is not None:
            self._event("transient", held.at, last.value, held.value, 0.0)
            self.state = replace(self.state, held=None)
            self._accept(last, point, step)
        elif (step := self._follow(held, point)) is not None:
            self._accept_suspect(last, held)
            self._accept(held, point, step)
        else:
            self._event("transient", held.at, last.value, held.value, 0.0)
            self.state = replace(self.state, held=point)

    def _accept(self, last: Point, point: Point, step: _Step) -> None:
        if step.rollover:
            self.state = FoldState(point, back=last, swap=self.state.swap)
            self._rollover_event(last, point)
            return
        booked = booked_amount(self.meter, last.at, point.at, step.amount)
        if self.state.swap is not None:  # the replacement books its second part: a reading makes one event at most
            self._replacement_event(last.at, self.state.swap + booked)
        elif self._is_gap(last, point):
            self._event("catch-up", point.at, last.value, point.value, booked)
        self._book(last, point, step.amount, MEASURED)
        self.state = FoldState(Point(point.at, max(point.value, last.value)))

    def _confirm_rollover(self) -> None:
        if self.state.back is not None:
            self.rows.extend(self._rollover_rows(self.state))
            self.state = replace(self.state, back=None, swap=None)

    def _withdraw_rollover(self, back: Point, seen: Point) -> None:
        self._event("transient", seen.at, back.value, seen.value, 0.0)
        self.state = FoldState(back, swap=self.state.swap)
        if self.state.swap is not None:
            self._replacement_event(back.at, self.state.swap)

    def _rollover_rows(self, state: FoldState) -> list[_Row]:
        if state.back is None or state.last is None or state.back.at == state.last.at:
            return []
        return [self._row(state.back, state.last, self._wrapped(state.back, state.last), MEASURED)]

    def _wrapped(self, before: Point, after: Point) -> float:
        return after.value - before.value + (self.meter.rollover_at or 0.0)

    def _rollover_event(self, before: Point, after: Point) -> None:
        booked = booked_amount(self.meter, before.at, after.at, self._wrapped(before, after))
        if self.state.swap is not None:
            self._replacement_event(before.at, self.state.swap + booked)
        else:
            self._event("rollover", after.at, before.value, after.value, booked)

    def _accept_suspect(self, last: Point, held: Point) -> None:
        """The suspect is real: a reset below the old level, a jump above it. Its own step is not a plausible one."""
        state, amount = "booked", None
        if held.value < last.value:
            name = "reset"
            plausible = 0 <= held.value <= self._bound(last, held) + float(rounding(0.0, held.value))
            if plausible and held.value < last.value / 2:
                amount = held.value
        else:
            name, state = "jump", "pending"
            if ("accept", held.at) in self.corrections:
                state, amount = "accepted", held.value - last.value
        booked = 0.0
        if amount is not None:
            self._book(last, held, amount, ESTIMATED)
            booked = booked_amount(self.meter, last.at, held.at, amount)
        self._event(name, held.at, last.value, held.value, booked, state)
        self.state = FoldState(held)

    # -- a new meter ------------------------------------------------------------------------------------------

    def replace_meter(self, swap: Correction) -> None:
        """Both dials are taken as read at the time of the replacement; a final dial below the level books nothing."""
        final, first = Point(swap.at, swap.final or 0.0), Point(swap.at, swap.first or 0.0)
        booked = 0.0
        self._settle_rollover(final)
        self._settle_suspect(final)
        last = self.state.last
        if last is not None:
            step = self._follow(last, final)
            amount = step.amount if step is not None else final.value - last.value
            if amount >= 0:
                self._book(last, final, amount, MEASURED)
                booked = booked_amount(self.meter, last.at, final.at, amount)
        self.state = FoldState(first, swap=booked)
        self._replacement_event(swap.at, booked)

    def _settle_rollover(self, final: Point) -> None:
        last, back = self.state.last, self.state.back
        if last is None or back is None:
            return
        if self._follow(last, final) is None and self._at_level(back, final) is not None:
            self._withdraw_rollover(back, last)
        else:
            self._confirm_rollover()

    def _settle_suspect(self, final: Point) -> None:
        last, held = self.state.last, self.state.held
        if last is None or held is None:
            return
        if self._follow(last, final) is None and self._follow(held, final) is not None:
            self._accept_suspect(last, held)
            return
        self._event("transient", held.at, last.value, held.value, 0.0)
        self.state = replace(self.state, held=None)

    def _replacement_event(self, at: int, booked: float) -> None:
        """The first reading of the new dial completes the event that the replacement itself has opened."""
        swap = self.corrections["replacement", at]
        self._event("replacement", at, swap.final, swap.first, booked)

    # -- the books --------------------------------------------------------------------------------------------

    def _row(self, start: Point, end: Point, amount: float, kind: int) -> _Row:
        return (start.at, end.at, amount, amount, RECOVERED if self._is_gap(start, end) else kind)

    def _book(self, start: Point, end: Point, amount: float, kind: int) -> None:
        if end.at > start.at:  # a reading at the very time of a replacement spans no time
            self.rows.append(self._row(start, end, amount, kind))

    def _event(
        self, name: str, at: int, before: float | None, after: float | None, booked: float, state: str = "booked"
    ) -> None:
        unit = AMOUNT_UNIT[self.meter.quantity]
        self.events.append(
            MeterEvent(
                site=self.meter.site,
                meter=self.meter.id,
                event=name,
                at=at,
                before=before,
                after=after,
                booked=booked,
                unit=unit,
                state=state,
            )
        )
