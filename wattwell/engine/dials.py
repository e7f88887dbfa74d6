"""Registers at the two ends of a window, from the readings next to them alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from analytics.trail import DialAt, Reading
from wattwell.intervals import DAY, HOUR, Interval
from wattwell.model import MeterKey
from wattwell.store.protocol import ReadingStore

_REACHES = (HOUR, DAY, 31 * DAY)
"""How far from an instant a neighbouring reading is looked for, in turn."""

FalseTimes = Mapping[MeterKey, Collection[int]]
"""Times of readings that events have found to be transients."""


def dials_at_ends(
    store: ReadingStore, spans: Mapping[MeterKey, Interval], false: FalseTimes
) -> dict[MeterKey, tuple[DialAt, DialAt]]:
    """Each register at the start and at the end of its span, on the line between the readings next to it.

    Where one of the two is lacking or lower than the one before it, the nearest reading inside the span stands for
    the end; a register without readings near both ends is left out.
    """
    opened = _at({key: span.start for key, span in spans.items()}, store, false, inward=True)
    closed = _at({key: span.end for key, span in spans.items()}, store, false, inward=False)
    found = {key: (opened[key], closed[key]) for key in spans if key in opened and key in closed}
    return {
        key: (start, end)
        for key, (start, end) in found.items()
        if spans[key].start <= start.at <= end.at <= spans[key].end
    }


def _at(
    edges: Mapping[MeterKey, int], store: ReadingStore, false: FalseTimes, *, inward: bool
) -> dict[MeterKey, DialAt]:
    """``inward``: the inside of the span is what follows the edge."""
    found = {}
    for edge in sorted(set(edges.values())):
        keys = [key for key, at in edges.items() if at == edge]
        before = _nearest(store, keys, edge, false, later=False)
        after = _nearest(store, keys, edge, false, later=True)
        for key in keys:
            dial = _between(edge, before.get(key), after.get(key), inward=inward)
            if dial is not None:
                found[key] = dial
    return found


def _nearest(
    store: ReadingStore, keys: Sequence[MeterKey], edge: int, false: FalseTimes, *, later: bool
) -> dict[MeterKey, Reading]:
    """The accepted reading of each meter at or next to an instant, on one side of it."""
    found: dict[MeterKey, Reading] = {}
    for reach in _REACHES:
        left = [key for key in keys if key not in found]
        if not left:
            break
        low, high = (edge, edge + reach) if later else (edge - reach, edge)
        for key, (at, value) in store.readings(left, low, high + 1).items():
            good = np.flatnonzero(np.isfinite(value) & ~np.isin(at, list(false.get(key, ()))))
            if len(good):
                place = good[0 if later else -1]
                found[key] = (int(at[place]), float(value[place]))
    return found


def _between(edge: int, before: Reading | None, after: Reading | None, *, inward: bool) -> DialAt | None:
    if before is not None and after is not None and after[1] >= before[1]:
        width = after[0] - before[0]
        share = (edge - before[0]) / width if width else 0.0
        return DialAt(at=edge, value=before[1] + (after[1] - before[1]) * share, before=before, after=after)
    inside = after if inward else before
    return None if inside is None else DialAt(at=inside[0], value=inside[1], before=inside, after=inside)
