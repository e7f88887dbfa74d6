"""What a rule looks at and what it answers: a plant over one span as columns, and verdicts. Pure.

Every column has canonical units: powers and heat in kW, ``water_*`` in L/h, other flows in L/s, temperatures in degC,
humidity, speeds, valves, dampers and fractions from 0 to 1. NaN is missing, and never read as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

import numpy as np

from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from analytics.balance import SiteGrid
from wattwell.intervals import HOUR, SECOND
from wattwell.model import Bool, Float64, Int64, Site
from wattwell.roles import ENERGY_KINDS, FLOW_ROLES, WATER_KINDS
from wattwell.units import QuantityKind


class State(StrEnum):
    """What a rule may answer."""

    FAULT = "fault"
    NORMAL = "normal"
    INCONCLUSIVE = "inconclusive"
    """It applies, but the span held too little to judge by."""
    NOT_APPLICABLE = "not_applicable"
    """The points or the reference that it needs do not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule's answer on one piece of equipment over one span."""

    rule: str
    state: State
    family: str
    """One of FAMILIES; what a fault would be."""
    equipment: str | None
    message: str
    """One sentence with the numbers."""
    meters: tuple[str, ...] = ()
    """What shows it, most telling first."""
    evidence: Mapping[str, float | str | None] = field(default_factory=dict)
    excess_kw: float | None = None
    """Mean over the span of what is drawn too much, where the rule itself can tell."""
    excess_l_h: float | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One meter or sensor as a column."""

    meter: str
    role: str
    equipment: str | None
    value: Float64
    parent: str | None = None
    quantity: QuantityKind | None = None
    """Needed of set points only: what it sets."""


@dataclass(frozen=True, kw_only=True)
class Plant:
    """A site over one judged span, usually the last 24 hours as means of 5 to 15 minutes."""

    start: Int64
    """Starts of the means, ascending, microseconds UTC; without gaps."""
    step: int
    points: tuple[Point, ...]
    ratings: Mapping[str, float] = field(default_factory=dict)
    """Rated kW by equipment, where declared."""

    @cached_property
    def _by_role(self) -> Mapping[str, tuple[Point, ...]]:
        found: dict[str, tuple[Point, ...]] = {}
        for point in self.points:
            found[point.role] = (*found.get(point.role, ()), point)
        return found

    @property
    def hours(self) -> float:
        """Length of one mean."""
        return self.step / HOUR

    def steps(self, hours: float) -> int:
        """How many means a time takes, at least one."""
        return max(1, round(hours / self.hours))

    def cut(self, first: int, last: int) -> Plant:
        """Positions ``first`` to ``last`` of it."""
        points = tuple(replace(point, value=point.value[first:last]) for point in self.points)
        return replace(self, start=self.start[first:last], points=points)

    def last(self, hours: float) -> Plant:
        """The end of it."""
        return self.cut(max(0, len(self.start) - self.steps(hours)), len(self.start))

    def all(self, *roles: str, equipment: str | None = None) -> tuple[Point, ...]:
        """Points of some roles, in order; of one piece of equipment where it is named."""
        points = (point for role in roles for point in self._by_role.get(role, ()))
        return tuple(point for point in points if equipment is None or point.equipment == equipment)

    def equipment(self, *roles: str) -> tuple[str | None, ...]:
        """Whatever has a point of one of the roles, each once, in order."""
        return tuple(dict.fromkeys(point.equipment for point in self.all(*roles)))

    def near(self, equipment: str | None, *roles: str) -> Point | None:
        """The only point of the first of some roles that the equipment has, else the site's only one of that role.

        None where there is none, or where it is not clear which one belongs to the equipment.
        """
        for role in roles:
            of_role = self.all(role)
            own = tuple(point for point in of_role if point.equipment == equipment)
            for points in (own, of_role):
                if len(points) == 1:
                    return points[0]
        return None

    def shared(self, equipment: str | None, *roles: str) -> Point | None:
        """Like :meth:`near`, and the mean of the points where the equipment, or else the site, has several."""
        for role in roles:
            own = self.all(role, equipment=equipment) or self.all(role)
            if own:
                return own[0] if len(own) == 1 else _mean(own)
        return None

    def total(self, points: Sequence[Point]) -> Float64:
        """Their sum; NaN where one of them is missing."""
        summed = np.zeros(len(self.start))
        for point in points:
            summed = summed + point.value
        return summed

    def carried(self, equipment: str | None) -> Float64 | None:
        """Heat that a piece of equipment, or the site's only such meter, removes, kW."""
        meter = self.near(equipment, "heat_removed")
        return None if meter is None else meter.value


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its name and what it needs to say anything."""

    name: str
    family: str
    needs: str
    """What must exist, for the verdict ``not_applicable``."""
    judge: Callable[[Plant, Reference, Settings], Iterator[Verdict]]
    """Says nothing where the rule does not apply."""

    def __call__(self, plant: Plant, reference: Reference, settings: Settings) -> tuple[Verdict, ...]:
        """Its verdicts, at least one."""
        found = tuple(self.judge(plant, reference, settings))
        return found or (
            Verdict(
                rule=self.name,
                state=State.NOT_APPLICABLE,
                family=self.family,
                equipment=None,
                message=f"{self.name} needs {self.needs}.",
            ),
        )


def ruling(
    plant: Plant,
    judged: Bool,
    wrong: Bool,
    settings: Settings,
    share: float | None = None,
    fewest_hours: float | None = None,
) -> State:
    """What a span says: a fault where enough of what can be judged is wrong, for long enough; else normal.

    ``wrong`` counts only where ``judged``. Too little that can be judged is inconclusive.
    """
    known = int(np.count_nonzero(judged)) * plant.hours
    bad = int(np.count_nonzero(judged & wrong)) * plant.hours
    if known < (settings.fewest_hours if fewest_hours is None else fewest_hours):
        return State.INCONCLUSIVE
    if bad >= settings.lasting_hours and bad >= (settings.share if share is None else share) * known:
        return State.FAULT
    return State.NORMAL


def settled(plant: Plant, on: Bool, settings: Settings) -> Bool:
    """Where something has been on for the settling time without a break (and is on now)."""
    count = plant.steps(settings.settling_hours)
    held = on.copy()
    for lag in range(1, count + 1):
        held[lag:] &= on[:-lag]
    return held


def median(value: Float64, where: Bool | None = None) -> float:
    """Of the known values; NaN where there is none."""
    known = value[np.isfinite(value) if where is None else where & np.isfinite(value)]
    return float(np.median(known)) if len(known) else float("nan")


def mean(value: Float64, where: Bool | None = None) -> float:
    """Of the known values; NaN where there is none."""
    known = value[np.isfinite(value) if where is None else where & np.isfinite(value)]
    return float(known.mean()) if len(known) else float("nan")


def known(*columns: Float64) -> Bool:
    """Where every one of some columns has a value."""
    found = np.isfinite(columns[0])
    for column in columns[1:]:
        found = found & np.isfinite(column)
    return found


def smooth(value: Float64, count: int) -> Float64:
    """Means of each value and those before it, ``count`` in all, fewer at the beginning; NaN where one is missing."""
    sums = np.convolve(value, np.ones(count))[: len(value)]
    return sums / np.minimum(np.arange(1, len(value) + 1), count)


def ratio(part: float, whole: float) -> float:
    """One over the other; NaN where that is none."""
    return part / whole if whole else float("nan")


def number(value: float, digits: int = 3) -> float | None:
    """A number as evidence: rounded, None where it is not known."""
    return round(value, digits) if np.isfinite(value) else None


def plant_of(site: Site, grid: SiteGrid, *, first: int = 0, last: int | None = None) -> Plant:
    """A site's interval values (positions ``first`` to ``last``) as a plant."""
    points = []
    for name, column in grid.value.items():
        meter = site.meters[name]
        if meter.role is None:
            continue
        value = column[first:last]
        if meter.quantity in ENERGY_KINDS:
            value = value * (HOUR / grid.grid)
        elif meter.quantity in WATER_KINDS:
            value = value * ((SECOND if meter.role in FLOW_ROLES else HOUR) / grid.grid)
        points.append(
            Point(
                meter=name,
                role=meter.role,
                equipment=meter.equipment,
                value=value,
                parent=meter.parent,
                quantity=meter.quantity,
            )
        )
    return Plant(start=grid.start[first:last], step=grid.grid, points=tuple(points))


def _mean(points: Sequence[Point]) -> Point:
    first = points[0]
    value = sum((point.value for point in points), np.zeros(len(first.value))) / len(points)
    return Point(meter=first.meter, role=first.role, equipment=first.equipment, value=value, quantity=first.quantity)
