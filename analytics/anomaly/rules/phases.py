"""Three phases that carry unequal loads.

Source: NEMA MG-1: unbalance = largest deviation from the mean / mean; 1 % of voltage makes 6-10 % of motor current.
Here it is taken of power, which goes with current.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.base import Plant, Point, Rule, State, Verdict, known, mean, number, ruling
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.roles import COOLING_ROLES, ENERGY_KINDS, ROLES

_PHASES = (("1", "2", "3"), ("a", "b", "c"), ("r", "s", "t"), ("u", "v", "w"))


def judge_phases(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Three meters of one role and equipment whose ids differ in the last letter (1 2 3, a b c, r s t, u v w)."""
    for points in triples(plant):
        columns = np.vstack([point.value for point in points])
        middle = columns.mean(axis=0)
        judged = known(*columns) & (middle >= settings.phase_least_kw)
        with np.errstate(invalid="ignore", divide="ignore"):
            unbalance = np.abs(columns - middle).max(axis=0) / middle
        motor = points[0].role in COOLING_ROLES
        limit = settings.motor_imbalance if motor else settings.phase_imbalance
        state = ruling(plant, judged, unbalance > limit, settings)
        now = mean(unbalance, judged)
        means = [mean(point.value, judged) for point in points]
        heaviest = points[int(np.argmax(means))] if judged.any() else points[0]
        yield Verdict(
            rule="phase_imbalance",
            state=state,
            family="phase_imbalance",
            equipment=points[0].equipment,
            message="The phases carry too little to compare them."
            if state is State.INCONCLUSIVE
            else f"The phases differ by {now:.0%} of their mean ({', '.join(f'{m:.1f}' for m in means)} kW).",
            meters=tuple(sorted((p.meter for p in points), key=lambda meter: meter != heaviest.meter)),
            evidence={"unbalance": number(now), "limit": limit},
            advice=_advice(state, heaviest, motor=motor),
        )


def triples(plant: Plant) -> Iterator[tuple[Point, ...]]:
    """Meters that are three phases of one thing."""
    groups: dict[tuple[str, str | None, str], list[Point]] = defaultdict(list)
    for point in plant.points:
        if point.equipment is not None and ENERGY_KINDS & ROLES.get(point.role, frozenset()):
            groups[point.role, point.equipment, point.meter[:-1]].append(point)
    for points in groups.values():
        ordered = tuple(sorted(points, key=lambda point: point.meter))
        if tuple(point.meter[-1:].lower() for point in ordered) in _PHASES:
            yield ordered


def _advice(state: State, heaviest: Point, *, motor: bool) -> str:
    if state is not State.FAULT:
        return ""
    if motor:
        return "Check terminals, contactors and fuses of this motor, and the voltage of its phases: it runs hot."
    return f"Move single-phase loads away from {heaviest.meter}; the neutral and the UPS carry the difference."


RULE = Rule("phase_imbalance", "phase_imbalance", "three meters of one equipment and role, a phase each", judge_phases)
