"""The physical rules along a walk: asked once a day of the last 24 hours, they bear cases out, or find what these miss.

A verdict is a finding of its own only when it stands for two days on end and no case is at work that may explain it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from analytics.anomaly import rules
from analytics.anomaly.frame import Frame
from analytics.anomaly.rules.base import Plant, State, Verdict, plant_of
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.walk import Walk, healthy_meters, learnings
from analytics.balance import SiteGrid
from wattwell.intervals import DAY, HOUR
from wattwell.model import Bool

STANDING = 2
"""Days on end that a verdict must stand to be a finding of its own."""
RELEARN = 84
"""Days between two learnings of the reference, aligned to the epoch."""
AROUND = 2 * 24
"""Hours around a case in which a verdict is one of its symptoms."""
DOUBLED_BY = {
    "ups_loss": {"ups_loss"},
    "affinity": {"fan", "pump"},
    "idle_flow": {"pump"},
    "economizer": {"outdoor_air"},
    "outdoor_pair": {"outdoor_sensor"},
    "frozen": {"outdoor_sensor", "hall", "supply", "chw_supply", "outdoor_air"},
    "chilled_water_setpoint": {"chw_supply"},
    "chiller_efficiency": {"chiller_curve"},
    "colder_than_usual": {"hall"},
    "standing_flow": {"water_balance", "site_water"},
}
"""Rules that look at what streams of these kinds show too: where the site has one, they only bear it out."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A verdict that stands: hours count from the start of the frame."""

    verdicts: tuple[Verdict, ...]
    """One a day."""
    start: int
    end: int | None
    """None while it stands."""
    detected: int
    """Hour after which it was known."""


@dataclass(slots=True)
class Log:
    """What the rules said of each day, so that a day is asked once."""

    faults: dict[int, tuple[Verdict, ...]] = field(default_factory=dict)
    """By the first hour of the day."""
    references: dict[int, Reference] = field(default_factory=dict)
    """By the day since the epoch at which it was learnt."""

    def forget(self, hour: int, walk: Walk) -> None:
        """Drops what rests on the values of an hour or later ones."""
        self.faults = {first: said for first, said in self.faults.items() if first + 24 <= hour}
        at = walk.instant(hour)
        self.references = {day: learnt for day, learnt in self.references.items() if day * DAY <= at}


def inspect(walk: Walk, log: Log) -> list[Inspection]:
    """Asks the rules of every day that they were not asked of, and says which verdicts stand."""
    edges = learnings(walk.frame, walk.settings)
    days = list(_days(walk.frame, edges[0], walk.hour)) if edges else []
    for hour in days:
        if hour not in log.faults:
            log.faults[hour] = _faults(walk, log, hour)
    return [each for each in _standing(log, days) if not _explained(walk, each)]


def _days(frame: Frame, first: int, upto: int) -> Iterator[int]:
    """First hours of the whole UTC days between."""
    skip = int(-(frame.start[first] // HOUR) % 24)
    yield from range(first + skip, upto - 23, 24)


def _faults(walk: Walk, log: Log, hour: int) -> tuple[Verdict, ...]:
    day = walk.instant(hour) // DAY
    block = day - day % RELEARN
    if block not in log.references:
        log.references[block] = _learn(walk, hour)
    plant = _plant(walk.frame, slice(hour, hour + 24), None)
    silent = {meter for fault in walk.telemetry if _overlaps(fault.start, fault.end, hour) for meter in fault.meters}
    return tuple(
        verdict
        for verdict in rules.judge(plant, log.references[block])
        if verdict.state is State.FAULT and not silent & {*verdict.meters}
    )


def _overlaps(start: int, end: int | None, hour: int) -> bool:
    return start < hour + 24 and (end is None or end > hour)


def _learn(walk: Walk, hour: int) -> Reference:
    """From the healthy hours before, as far as they were known to be so."""
    rows = slice(max(0, hour - walk.settings.memory), hour)
    return rules.learn(_plant(walk.frame, rows, healthy_meters(walk, hour)))


def _plant(frame: Frame, rows: slice, fit: dict[str, Bool] | None) -> Plant:
    """Hours of a frame as the rules see them; with ``fit`` only those that may be learnt from.

    A mean of kW or L/h over an hour is that hour's kWh or litres, as a grid of hours has it.
    """
    value = {}
    for name, column in frame.value.items():
        value[name] = column[rows] if fit is None else np.where(fit[name][rows], column[rows], np.nan)
    measured = {name: np.isfinite(column).astype(np.float64) for name, column in value.items()}
    return plant_of(frame.site, SiteGrid(start=frame.start[rows], grid=HOUR, value=value, measured=measured))


def _standing(log: Log, days: list[int]) -> Iterator[Inspection]:
    """Runs of days in which one rule finds the same equipment at fault."""
    runs: dict[tuple[str, str | None], list[tuple[int, Verdict]]] = defaultdict(list)
    for hour in days:
        here = {(verdict.rule, verdict.equipment): verdict for verdict in log.faults[hour]}
        for key in [key for key in runs if key not in here]:
            yield from _run(runs.pop(key), over=True)
        for key, verdict in here.items():
            runs[key].append((hour, verdict))
    for run in runs.values():
        yield from _run(run, over=False)


def _run(run: list[tuple[int, Verdict]], over: bool) -> Iterator[Inspection]:
    if len(run) >= STANDING:
        detected = run[STANDING - 1][0] + 23
        yield Inspection(tuple(v for _, v in run), run[0][0], run[-1][0] + 24 if over else None, detected)


def _explained(walk: Walk, found: Inspection) -> bool:
    """Whether a stream would show it, or a case was at work when the verdict came to stand, or began with it."""
    if DOUBLED_BY.get(found.verdicts[0].rule, set()) & {stream.kind for stream in walk.streams}:
        return True
    for case in walk.cases:
        end = case.end
        if case.start - AROUND < found.detected and (end is None or end + AROUND > found.start):
            return True
    return False


def bearing_out(log: Log, family: str, start: int, end: int) -> dict[str, str]:
    """By rule, what the first verdict of a family said between two hours."""
    found: dict[str, str] = {}
    for hour in sorted(log.faults):
        if start - 24 < hour < end:
            for verdict in log.faults[hour]:
                if verdict.family == family:
                    found.setdefault(f"rule {verdict.rule}", verdict.message)
    return found
