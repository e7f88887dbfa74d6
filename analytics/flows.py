"""Delta and instantaneous meters: readings to segments (METERING, Accumulation).

Neither ever bridges a gap: a neighbouring pair further apart than ``max_gap`` leaves its time missing.
"""

from __future__ import annotations

import numpy as np

from analytics.segments import (
    AMOUNT_UNIT,
    MEASURED,
    NOTHING,
    Folded,
    FoldState,
    Point,
    Segments,
    capacity,
)
from wattwell.model import Float64, Int64, Interpolation, Meter, MeterEvent


def fold_delta(meter: Meter, state: FoldState, at: Int64, value: Float64) -> Folded:
    """Amounts since the previous reading, spread evenly over the time since it.

    ``value`` is in the meter's unit; NaN marks a reading that was rejected for its value: it ends the time before it
    and its own time is missing. The first accepted one of a stream books nothing, for nothing is known before it; an
    amount above ``max_rate`` x time books nothing and is a ``transient``.
    """
    if state.last is None:
        accepted = np.flatnonzero(np.isfinite(value))
        begin = int(accepted[0]) if len(accepted) else len(at)
        at, value = at[begin:], value[begin:]
    if not len(at):
        return Folded(segments=NOTHING, tail=NOTHING, events=(), state=state)
    if state.last is None:
        start, end, amount = at[:-1], at[1:], value[1:]
    else:
        start, end, amount = np.concatenate(([state.last.at], at[:-1])), at, value
    bound = capacity(meter, start, end)
    finite = np.isfinite(amount)
    excessive = finite & (np.abs(amount) > bound)
    known = finite & ~excessive & (end - start <= meter.max_gap)
    segments = Segments(
        start=start,
        end=end,
        first=amount,
        last=amount,
        kind=np.full(len(start), MEASURED, dtype=np.uint8),
    ).select(known)
    events = tuple(
        MeterEvent(
            site=meter.site,
            meter=meter.id,
            event="transient",
            at=int(end[index]),
            before=None,
            after=float(amount[index]),
            booked=0.0,
            unit=AMOUNT_UNIT[meter.quantity],
            state="booked",
        )
        for index in np.flatnonzero(excessive)
    )
    return Folded(segments=segments, tail=NOTHING, events=events, state=FoldState(Point(int(at[-1]), 0.0)))


def fold_instantaneous(meter: Meter, state: FoldState, at: Int64, value: Float64) -> Folded:
    """Samples of a rate or a state: linear between neighbours, or each holding until the next (``step``).

    ``value`` is in the meter's unit and holds accepted samples only.
    """
    if not len(at):
        return Folded(segments=NOTHING, tail=NOTHING, events=(), state=state)
    times, samples = at, value
    if state.last is not None:
        times = np.concatenate(([state.last.at], at))
        samples = np.concatenate(([state.last.value], value))
    first = samples[:-1]
    segments = Segments(
        start=times[:-1],
        end=times[1:],
        first=first,
        last=first if meter.interpolation is Interpolation.STEP else samples[1:],
        kind=np.full(len(first), MEASURED, dtype=np.uint8),
    )
    return Folded(
        segments=segments.select(segments.end - segments.start <= meter.max_gap),
        tail=NOTHING,
        events=(),
        state=FoldState(Point(int(at[-1]), float(value[-1]))),
    )
