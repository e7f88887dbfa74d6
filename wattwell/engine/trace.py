"""Follows the meters behind a figure through its window: readings from the store through :mod:`analytics.trail`.

Meters are taken in batches and time in slabs, so that memory does not grow with the window or the number of meters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from analytics.fold import FOREVER
from analytics.segments import FoldState
from analytics.trail import Trail
from wattwell.intervals import DAY, HOUR, Interval, ceil_to, floor_to
from wattwell.model import Correction, Float64, Int64, Meter, MeterEvent, MeterKey
from wattwell.store.protocol import Checkpoint, ReadingStore

_SLAB = 4_000_000
"""Readings held at once, about."""
_CELLS = 4_000_000
"""Intervals held at once over all meters of a batch, about."""
_NONE: tuple[Int64, Float64] = (np.empty(0, dtype=np.int64), np.empty(0))


class Followed:
    """One meter's trail, and where it began."""

    def __init__(self, trail: Trail, position: int | None) -> None:
        self.trail = trail
        self.fresh = position is None
        """Nothing was known before: the trail starts with the meter's first reading."""
        self.position = -FOREVER if position is None else position
        self.stored: tuple[Int64, Float64] = _NONE
        """Starts and values of the stored interval values of the trail's span."""

    def feed(self, at: Int64, value: Float64, until: int) -> None:
        """Takes a run of readings, but for those before the beginning."""
        begin = int(np.searchsorted(at, self.position))
        self.trail.feed(at[begin:], value[begin:], until)


def served(meter: Meter, window: Interval, grid: int) -> Interval | None:
    """The grid intervals of a window in which a meter is in service."""
    low = max(window.start, ceil_to(meter.in_service.start, grid))
    high = min(window.end, ceil_to(meter.in_service.end, grid))
    return Interval(low, high) if low < high else None


def follow(
    store: ReadingStore,
    meters: Sequence[Meter],
    window: Interval,
    grid: int,
    events: Sequence[MeterEvent],
    corrections: Sequence[Correction] = (),
) -> Iterator[tuple[Meter, Followed]]:
    """The trail of each meter that is in service in the window; ``events`` are the site's in the window
    that hold, ``corrections`` all of the site's."""
    serving = [(meter, span) for meter in meters if (span := served(meter, window, grid))]
    size = max(1, _CELLS // max(1, window.width // grid))
    for first in range(0, len(serving), size):
        batch = serving[first : first + size]
        begun = _begin(store, batch, grid, events, corrections)
        _run(store, begun, window)
        _compare(store, begun)
        yield from ((meter, begun[meter.site, meter.id]) for meter, _ in batch)


def _begin(
    store: ReadingStore,
    batch: Sequence[tuple[Meter, Interval]],
    grid: int,
    events: Sequence[MeterEvent],
    corrections: Sequence[Correction],
) -> dict[MeterKey, Followed]:
    keys = [(meter.site, meter.id) for meter, _ in batch]
    near = store.checkpoints(keys, min(span.start for _, span in batch) - 2 * DAY)
    begun = {}
    for (meter, span), key in zip(batch, keys, strict=True):
        point = _latest(near.get(key, ()), span.start)
        if point is None:
            point = _latest(store.checkpoints([key], -FOREVER).get(key, ()), span.start)
        state = FoldState() if point is None else FoldState.from_columns(point.state)
        false = [event.at for event in events if (event.meter, event.event) == (meter.id, "transient")]
        entered = [correction for correction in corrections if correction.meter == meter.id]
        trail = Trail(meter, span, grid, entered, state, false)
        begun[key] = Followed(trail, None if point is None else point.edge)
    return begun


def _latest(points: Sequence[Checkpoint], start: int) -> Checkpoint | None:
    return next((point for point in reversed(points) if point.edge <= start), None)


def _run(store: ReadingStore, begun: Mapping[MeterKey, Followed], window: Interval) -> None:
    site = next(iter(begun))[0]
    low = min(each.position for each in begun.values())
    if low == -FOREVER:
        first = store.first_reading(site)
        low = floor_to(window.start if first is None else min(first, window.start), DAY)
    low = min(low, window.start)
    slabs = max(1, -(-store.count_readings(low, window.end) // _SLAB))
    for part in range(slabs):
        until = low + (window.end - low) * (part + 1) // slabs
        _feed(store, begun, low + (window.end - low) * part // slabs, until)
    _beyond(store, begun, window.end)
    for each in begun.values():
        if not each.trail.settled:
            each.feed(*_NONE, FOREVER)
        each.trail.finish()


def _compare(store: ReadingStore, begun: Mapping[MeterKey, Followed]) -> None:
    """Puts beside each trail what is stored of its span."""
    site = next(iter(begun))[0]
    spans = [each.trail.span for each in begun.values()]
    low, high = min(span.start for span in spans), max(span.end for span in spans)
    found = store.intervals(site, [name for _, name in begun], low, high)
    for place, name in enumerate(found.meters):
        each, mine = begun[site, name], found.meter == place
        start, value = found.values.start[mine], found.values.value[mine]
        inside = (start >= each.trail.span.start) & (start < each.trail.span.end)
        each.stored = start[inside], value[inside]


def _beyond(store: ReadingStore, begun: Mapping[MeterKey, Followed], end: int) -> None:
    """What comes after the window, until it says no more of it."""
    last, low, width = store.last_readings(), end, HOUR
    while unsettled := {k: each for k, each in begun.items() if not each.trail.settled and last.get(k, low - 1) >= low}:
        _feed(store, unsettled, low, low + width)
        low, width = low + width, 4 * width


def _feed(store: ReadingStore, begun: Mapping[MeterKey, Followed], low: int, high: int) -> None:
    found = store.readings(list(begun), low, high)
    for key, each in begun.items():
        each.feed(*found.get(key, _NONE), high)
