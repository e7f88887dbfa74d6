"""What is wrong with the telemetry itself: meters that are silent, stand still, or were changed.

Such hours are no ground for a finding about the plant. They are set aside before anything is judged, and named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.anomaly.frame import Frame
from wattwell.intervals import HOUR
from wattwell.model import Bool, Float64, Meter, MeterEvent
from wattwell.roles import ENERGY_KINDS, WATER_KINDS

SILENT = 12
"""Hours without a value from which a meter's silence is a finding."""
STILL = 3
"""Hours at least that a value which always moves must stand still."""
STILL_SENSOR = 6
RARELY, RARELY_SENSOR = 0.002, 0.02
"""Share of all hours in which a meter stood still, below which standing still means anything: what is controlled, or
seldom runs, stands still in health."""
LEARNT = 60 * 24
"""Hours of history before standing still means anything."""
_EPSILON = 1e-9
CHANGED = frozenset({"reset", "jump", "replacement"})
"""Events of the meter ledger that change what a dial stands for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One telemetry fault; hours count from the start of the frame."""

    what: str
    """silent, frozen, reset, jump or replacement"""
    meters: tuple[str, ...]
    start: int
    end: int | None
    """None while it goes on."""
    detected: int
    """Hour after which it was known."""


def faults(frame: Frame, events: Sequence[MeterEvent]) -> tuple[list[Fault], dict[str, Bool]]:
    """Telemetry faults by the time they were known, and by meter the hours that are to be set aside.

    An hour is set aside from the moment at which it is suspicious, not from the one at which the suspicion is proved.
    """
    found: list[Fault] = list(_changes(frame, events))
    aside: dict[str, Bool] = {}
    silent: list[tuple[str, int, int | None]] = []
    for name, value in frame.value.items():
        meter = frame.site.meters[name]
        if meter.virtual or meter.role is None:
            continue
        silent += [(name, start, end) for start, end in _silences(value)]
        still, suspicious = _still(value, _amount(meter))
        aside[name] = suspicious
        found += [Fault("frozen", (name,), start, end, known) for start, end, known in still]
    for fault in found:
        if fault.what in CHANGED:
            aside[fault.meters[0]][max(fault.start - 1, 0) : fault.start + 2] = True
    found += _together(silent, len(aside))
    return sorted(found, key=lambda fault: (fault.detected, fault.meters)), aside


def _amount(meter: Meter) -> bool:
    return meter.quantity in ENERGY_KINDS | WATER_KINDS


def _silences(value: Float64) -> Iterator[tuple[int, int | None]]:
    """Runs of missing hours that are long enough, after the first value."""
    missing = np.isnan(value)
    if missing.all():
        return
    missing[: int(np.argmin(missing))] = False
    for start, end in _runs(missing):
        if end - start >= SILENT:
            yield start, None if end == len(value) else end


def _runs(flag: Bool) -> list[tuple[int, int]]:
    """Stretches of true, as [start, end)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flag, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _still(value: Float64, amount: bool) -> tuple[list[tuple[int, int | None, int]], Bool]:
    """(start, end, known) of stretches in which a meter stood still as it never did, and what is suspicious.

    A counter stands still where it adds nothing, a sensor where it repeats itself. How long a meter stands still in
    health is learnt from the hours before.
    """
    same = np.zeros(len(value), dtype=np.bool_)
    if amount:
        same = np.abs(np.nan_to_num(value, nan=1.0)) < _EPSILON
    elif len(value) > 1:
        filled = np.where(np.isnan(value), np.arange(len(value)) * 1e6, value)
        same[1:] = np.abs(np.diff(filled)) < _EPSILON
    stop = np.zeros(len(value), dtype=np.bool_) if amount else _at_a_stop(value)
    suspicious = np.zeros(len(value), dtype=np.bool_)
    found: list[tuple[int, int | None, int]] = []
    seen = longest = 0
    known_before = np.cumsum(~np.isnan(value))
    for start, end in _runs(same):
        hours = int(known_before[start])
        rare = hours >= LEARNT and seen <= (RARELY if amount else RARELY_SENSOR) * hours
        need = max(STILL if amount else STILL_SENSOR, 2 * longest + 1)
        if rare and not stop[start:end].any():
            suspicious[start:end] = True
        if rare and end - start >= need and not stop[start:end].any():
            found.append((start, None if end == len(value) else end, start + need - 1))
        else:
            longest = max(longest, end - start)
            seen += end - start
    return found, suspicious


def _at_a_stop(value: Float64) -> Bool:
    """Where a sensor shows the least or the most it has shown so far: a damper that is shut, air that is saturated."""
    known = ~np.isnan(value)
    low = np.minimum.accumulate(np.where(known, value, np.inf))
    high = np.maximum.accumulate(np.where(known, value, -np.inf))
    stop: Bool = (value <= low + _EPSILON) | (value >= high - _EPSILON)
    return stop


def _changes(frame: Frame, events: Sequence[MeterEvent]) -> Iterator[Fault]:
    """Dials that were exchanged or jumped: known with the reading after."""
    for event in events:
        if event.event in CHANGED and event.state != "withdrawn" and event.meter in frame.value:
            at = int((event.at - int(frame.start[0])) // HOUR) if len(frame) else -1
            if 0 <= at < len(frame):
                yield Fault(event.event, (event.meter,), at, at + 1, min(at + 1, len(frame) - 1))


def _together(silent: Sequence[tuple[str, int, int | None]], meters: int) -> list[Fault]:
    """Silences of several meters at once are one fault of what they have in common."""
    groups: list[tuple[list[str], int, int | None]] = []
    for name, start, end in sorted(silent, key=lambda each: (each[1], each[0])):
        for names, first, last in groups:
            if (
                abs(first - start) <= 1
                and (last is None) == (end is None)
                and (end is None or abs((last or 0) - end) <= 1)
            ):
                names.append(name)
                break
        else:
            groups.append(([name], start, end))
    return [
        Fault("silent", tuple(names) if len(names) < meters else ("*", *names), start, end, start + SILENT - 1)
        for names, start, end in groups
    ]
