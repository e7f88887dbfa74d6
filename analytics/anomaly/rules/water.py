"""Water that stands: flow at the quietest hour that no meter below accounts for, and cycles of concentration.

Source: IWA minimum night flow (Farley and Trow 2003): what still flows at the quietest hour is leakage. A data centre
that evaporates by night has no quiet total, so the flow beyond the meters below is taken, at its own quietest hour.
Cycles = make-up / blow-down (US DOE FEMP, cooling tower management).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.base import Plant, Point, Rule, State, Verdict, known, mean, number
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Float64
from wattwell.roles import WATER_INPUT_ROLES, WATER_ROLES

_FAMILY = "water_use"
QUIET_HOURS = 12.0
"""Hours that must be known for one of them to be called the quietest; what is learnt is of as many."""


def judge_standing(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Each inlet meter: flow beyond its children if it has some, else its own, against the least hour that is usual."""
    for point in plant.all(*WATER_INPUT_ROLES):
        usual = reference.standing.get(point.meter)
        span = plant if usual is None else plant.last(QUIET_HOURS)
        found = standing(span, point.meter)
        if found is None:
            continue
        least, through, hours, children = found
        if not children and usual is None:
            continue
        allowed = settings.leak_l_h + settings.leak_share * through + (usual or 0.0)
        state = State.INCONCLUSIVE
        if hours >= QUIET_HOURS:
            state = State.FAULT if least > allowed else State.NORMAL
        beyond = "beyond the meters below it " if children else ""
        yield Verdict(
            rule="standing_flow",
            state=state,
            family=_FAMILY,
            equipment=point.equipment,
            message=f"At the quietest hour {least:.0f} L/h flow {beyond}({allowed:.0f} L/h are explained)."
            if state is not State.INCONCLUSIVE
            else f"{point.meter} is known for too few hours to name a quietest one.",
            meters=(point.meter, *(child.meter for child in children)),
            evidence={"standing_l_h": number(least, 1), "explained_l_h": number(allowed, 1), "usual_l_h": usual},
            excess_l_h=least - (usual or 0.0) if state is State.FAULT else None,
            advice="Search for a leak: close the branches one by one at night; float valves and overflows first."
            if state is State.FAULT
            else "",
        )


def standing(plant: Plant, meter: str) -> tuple[float, float, float, tuple[Point, ...]] | None:
    """Least hourly mean flow in L/h, what its children took in that hour, hours known, and the children."""
    point = next(each for each in plant.points if each.meter == meter)
    flow, children = standing_beyond(plant, point)
    count = plant.steps(1.0)
    if len(flow) < count:
        return None
    beyond = hourly(flow, count)
    through = hourly(plant.total(children), count)
    if not np.isfinite(beyond).any():
        return float("nan"), float("nan"), 0.0, children
    least = int(np.nanargmin(beyond))
    return float(beyond[least]), float(through[least]), float(np.count_nonzero(np.isfinite(beyond))), children


def standing_beyond(plant: Plant, point: Point) -> tuple[Float64, tuple[Point, ...]]:
    """Flow through a meter beyond its children, L/h, and the children."""
    children = tuple(p for p in plant.all(*WATER_ROLES) if p.parent == point.meter)
    return point.value - plant.total(children), children


def hourly(value: Float64, count: int) -> Float64:
    """Means of ``count`` values each, counted from the end; NaN where one is missing."""
    whole = len(value) // count
    means: Float64 = value[len(value) - whole * count :].reshape(whole, count).mean(axis=1)
    return means


def judge_cycles(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Make-up over blow-down of each tower: too few cycles waste water, too many make scale."""
    for equipment in plant.equipment("water_blowdown"):
        made = plant.all("water_tower_makeup", equipment=equipment)
        if not made and len(plant.equipment("water_blowdown")) == 1:
            made = plant.all("water_tower_makeup")
        if not made:
            continue
        blown = plant.all("water_blowdown", equipment=equipment)
        makeup, blowdown = plant.total(made), plant.total(blown)
        both = known(makeup, blowdown)
        up, down = mean(makeup, both), mean(blowdown, both)
        hours = float(np.count_nonzero(both)) * plant.hours
        usual = reference.cycles.get(equipment)
        state, cycles = State.INCONCLUSIVE, float("nan")
        if hours >= QUIET_HOURS and up >= settings.leak_l_h:
            cycles = up / down if down > 0 else float("inf")
            low = settings.cycles_low if usual is None else max(settings.cycles_low, settings.cycles_of_usual * usual)
            state = State.NORMAL if low <= cycles <= settings.cycles_high else State.FAULT
        evaporated = max(up - down, 0.0)
        target = usual or 4.0
        wasted = up - evaporated * target / (target - 1) if target > 1 else 0.0
        yield Verdict(
            rule="cycles",
            state=state,
            family=_FAMILY,
            equipment=equipment,
            message="The tower took too little water to judge its cycles of concentration."
            if state is State.INCONCLUSIVE
            else f"The tower runs at {cycles:.1f} cycles of concentration (make-up {up:.0f}, blow-down {down:.0f}).",
            meters=tuple(point.meter for point in (*blown, *made)),
            evidence={"cycles": number(cycles, 2), "makeup_l_h": number(up, 1), "blowdown_l_h": number(down, 1)},
            excess_l_h=wasted if state is State.FAULT and wasted > 0 else None,
            advice="Check the conductivity control, its probe and the blow-down valve." if state is State.FAULT else "",
        )


STANDING = Rule(
    "standing_flow", _FAMILY, "a water inlet with meters below it, or with a learnt least flow", judge_standing
)
CYCLES = Rule(
    "cycles", _FAMILY, "make-up (water_tower_makeup) and blow-down (water_blowdown) of one tower", judge_cycles
)
