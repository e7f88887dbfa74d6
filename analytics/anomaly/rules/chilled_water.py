"""Chilled water: too small a difference, a set point below what is needed.

Source: Taylor, "Degrading chilled water plant delta-T" (ASHRAE Transactions 108, 2002); Guideline 36 trim and respond
(set points rise until a cooling valve is nearly open).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.base import (
    Plant,
    Point,
    Rule,
    State,
    Verdict,
    known,
    mean,
    median,
    number,
    ruling,
    settled,
)
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Bool, Float64


def judge_difference(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Return minus supply while the loop carries heat."""
    for supply in plant.all("chw_supply"):
        back = plant.near(supply.equipment, "chw_return")
        flow = plant.near(supply.equipment, "chw_flow")
        on = carrying(plant, supply, settings)
        if back is None or on is None:
            continue
        difference = back.value - supply.value
        judged = known(difference) & on
        usual = reference.differences.get(supply.meter)
        least = settings.low_difference if usual is None else settings.low_difference_of_usual * usual
        state = ruling(plant, judged, difference < least, settings, fewest_hours=settings.plant_hours)
        now = mean(difference, judged)
        pumps = plant.all("pump", equipment=flow.equipment) if flow is not None else ()
        yield Verdict(
            rule="low_difference",
            state=state,
            family="pump_power",
            equipment=(pumps[0] if pumps else supply).equipment,
            message="The chilled water carried too little heat to judge its difference."
            if state is State.INCONCLUSIVE
            else f"Chilled water returns {now:.1f} K warmer than it leaves; {least:.1f} K are the least.",
            meters=(supply.meter, back.meter, *((flow.meter,) if flow is not None else ())),
            evidence={"difference_k": number(now, 2), "least_k": number(least, 2), "usual_k": usual},
            advice="Look for open by-passes, three-way valves, coils that are fouled or fed too warm, pumps in hand."
            if state is State.FAULT
            else "",
        )


def judge_setpoint(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Supply water against its usual temperature and its own set point; and against what the cooling valves ask for."""
    valves = plant.all("cooling_valve") or plant.all("valve")
    for supply in plant.all("chw_supply"):
        usual = reference.usual.get(supply.meter)
        on = carrying(plant, supply, settings)
        if on is None or (usual is None and not valves):
            continue
        judged = known(supply.value) & on
        wrong = np.zeros(len(judged), dtype=np.bool_)
        if usual is not None:
            wrong |= supply.value < usual.middle - settings.setpoint_margin
        opened = float("nan")
        if valves:
            opening = np.vstack([point.value for point in valves]).max(axis=0)
            at_work = opening[judged & np.isfinite(opening)]
            if len(at_work):
                opened = float(np.quantile(at_work, 0.95))
            lazy = settings.valve_open < opened < settings.valve_lazy
            wrong |= (supply.value < settings.cold_enough) & lazy
        state = ruling(plant, judged, wrong, settings)
        now = median(supply.value, judged)
        yield Verdict(
            rule="chilled_water_setpoint",
            state=state,
            family="chilled_water_setpoint",
            equipment=supply.equipment,
            message=_told(state, now, None if usual is None else usual.middle, opened),
            meters=(supply.meter, *(point.meter for point in valves)),
            evidence={
                "supply_c": number(now, 2),
                "usual_c": None if usual is None else number(usual.middle, 2),
                "widest_valve": number(opened),
            },
            advice="Raise the set point until one cooling valve is nearly open: each K saves 2-3 % of the chiller."
            if state is State.FAULT
            else "",
        )


def carrying(plant: Plant, supply: Point, settings: Settings) -> Bool | None:
    """Where a chilled-water loop is at work: its chiller's power, or else its flow; None where nothing tells."""
    chillers = plant.all("chiller", equipment=supply.equipment) or plant.all("chiller")
    source = plant.total(chillers) if chillers else None
    if source is None:
        flow = plant.near(supply.equipment, "chw_flow")
        if flow is None:
            return None
        source = flow.value
    return settled(plant, running(source, settings), settings)


def running(power: Float64, settings: Settings) -> Bool:
    """Where a power (or flow) is more than stand-by."""
    seen = power[np.isfinite(power)]
    most = float(seen.max()) if len(seen) else 0.0
    on: Bool = power > max(settings.running_kw, settings.running_share * most)
    return on


def _told(state: State, now: float, usual: float | None, opened: float) -> str:
    if state is State.INCONCLUSIVE:
        return "The chilled-water loop was at work for too short a time."
    compared = f"; {usual:.1f} degC are usual" if usual is not None else ""
    valve = f"; no cooling valve opens beyond {opened:.0%}" if np.isfinite(opened) else ""
    return f"Chilled water leaves at {now:.1f} degC{compared}{valve}."


DIFFERENCE = Rule(
    "low_difference", "pump_power", "chilled-water supply and return, and a chiller or chw_flow", judge_difference
)
SETPOINT = Rule(
    "chilled_water_setpoint",
    "chilled_water_setpoint",
    "chilled-water supply with a learnt usual or cooling valves, and a chiller or chw_flow",
    judge_setpoint,
)
