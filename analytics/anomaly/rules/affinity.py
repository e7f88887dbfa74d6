"""Fans and pumps: power against flow or speed, and water that is pumped for nothing.

Source: affinity laws (ASHRAE Handbook HVAC Systems and Equipment, fans and centrifugal pumps): at a fixed system power
goes with the cube of flow; with a pressure set point between its first and third power. PNNL re-tuning guides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.base import Plant, Point, Rule, State, Verdict, known, mean, number, ratio, ruling, smooth
from analytics.anomaly.rules.reference import Reference, slope
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Float64

FAN_ROLES = ("fan", "ahu", "crah")
"""Units whose power is that of their fans; a ``crac`` holds a compressor too."""
ESTIMATED = "air flow by heat balance"
_AIR = 1.2 * 1.006
"""kJ a cubic metre of air takes up per K."""
_FEWEST = 8


def judge_law(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Power against what was learnt for the same flow or speed; without that, whether it falls with flow at all."""
    for point in plant.all(*FAN_ROLES, "pump"):
        found = driver(plant, point)
        if found is None:
            continue
        by, flow = found
        law = reference.affinity.get(point.meter)
        if law is None:
            yield _exponent(plant, point, by, flow, settings)
            continue
        judged = known(point.value, flow) & (point.value > settings.running_share) & law.span.holds(flow)
        expected = law.power(flow)
        excess = settings.affinity_estimated if by == ESTIMATED else settings.affinity_excess
        high = point.value > expected * (1 + excess)
        state = ruling(plant, judged, high, settings, fewest_hours=settings.plant_hours)
        now, usual = mean(point.value, judged), mean(expected, judged)
        yield Verdict(
            rule="affinity",
            state=state,
            family=family(point),
            equipment=point.equipment,
            message="It did not run within the flow or speed that it was learnt at."
            if state is State.INCONCLUSIVE
            else f"It draws {now:.2f} kW where {usual:.2f} kW are usual at this {by} ({ratio(now, usual) - 1:+.0%}).",
            meters=(point.meter,),
            evidence={"power_kw": number(now), "expected_kw": number(usual), "driver": by, "exponent": law.exponent},
            excess_kw=(now - usual) * float(judged.mean()) if state is State.FAULT else None,
            advice=_ADVICE[family(point)] if state is State.FAULT else "",
        )


def driver(plant: Plant, point: Point) -> tuple[str, Float64] | None:
    """What a fan or pump moves or turns at: its name and column; None where nothing tells."""
    for role in ("fan_speed",) if point.role != "pump" else ("chw_flow", "cw_flow", "fan_speed"):
        found = plant.all(role, equipment=point.equipment)
        if len(found) == 1:
            return "speed" if role == "fan_speed" else "flow", found[0].value
    if point.role == "pump":
        return None
    supply = plant.all("supply_air", equipment=point.equipment)
    back = plant.shared(point.equipment, "return_air", "hall_air")
    load = plant.all("it_ups") or plant.all("it_pdu") or plant.all("it_equipment")
    if len(supply) != 1 or back is None or not load:
        return None
    rise = back.value - supply[0].value
    return ESTIMATED, plant.total(load) / (_AIR * np.where(rise > 1.0, rise, np.nan))


def family(point: Point) -> str:
    """Of what is wrong with a fan or a pump."""
    return "pump_power" if point.role == "pump" else "fan_power"


def _exponent(plant: Plant, point: Point, by: str, flow: Float64, settings: Settings) -> Verdict:
    """Without a reference: the exponent over the span, where flow or speed varied enough."""
    good = known(point.value, flow) & (flow > 0) & (point.value > settings.running_share)
    if by == ESTIMATED:
        good = np.zeros_like(good)  # an estimate: good enough against its own past, not for an exponent
    exponent, told = float("nan"), False
    if np.count_nonzero(good) >= max(_FEWEST, plant.steps(settings.fewest_hours)):
        low, high = np.quantile(flow[good], [0.05, 0.95])
        told = high >= settings.affinity_range * low
        if told:
            exponent = slope(np.log(flow[good]), np.log(point.value[good]))
    state = State.INCONCLUSIVE
    if told:
        state = State.FAULT if exponent < settings.affinity_slope else State.NORMAL
    return Verdict(
        rule="affinity",
        state=state,
        family=family(point),
        equipment=point.equipment,
        message=f"Power goes with the {exponent:.1f}th power of {by}; the affinity laws give 3."
        if told
        else f"The {by} varied too little for an exponent, and nothing was learnt yet.",
        meters=(point.meter,),
        evidence={"exponent": number(exponent, 2), "driver": by},
        advice="Flow is throttled or by-passed rather than slowed: check the drive and its control."
        if state is State.FAULT
        else "",
    )


def judge_idle(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Water that flows for hours without heat in it: the pump should rest with its load."""
    for role, cold, warm in (("chw_flow", "chw_supply", "chw_return"), ("cw_flow", "cw_supply", "cw_return")):
        for flow in plant.all(role):
            supply, back = plant.near(flow.equipment, cold), plant.near(flow.equipment, warm)
            pump = plant.all("pump", equipment=flow.equipment)
            if supply is None or back is None or not pump:
                continue
            power = plant.total(pump)
            judged = known(flow.value, supply.value, back.value, power)
            idle = (flow.value > 0) & (power > settings.running_share)
            idle &= np.abs(smooth(back.value - supply.value, plant.steps(1.0))) < settings.idle_difference
            lasted = float(np.count_nonzero(judged & idle)) * plant.hours
            state = ruling(plant, judged, idle, settings, share=0.0)
            if state is State.FAULT and lasted < settings.idle_hours:
                state = State.NORMAL
            wasted = float(power[judged & idle].sum()) / len(power)
            yield Verdict(
                rule="idle_flow",
                state=state,
                family="pump_power",
                equipment=flow.equipment,
                message=f"The pump ran for {lasted:.1f} h with less than {settings.idle_difference} K in its water."
                if state is not State.INCONCLUSIVE
                else "Flow or temperatures are missing.",
                meters=(pump[0].meter, flow.meter, supply.meter, back.meter),
                evidence={"idle_hours": number(lasted, 2), "power_kw": number(mean(power, judged & idle))},
                excess_kw=wasted if state is State.FAULT else None,
                advice="Interlock the pump with its chiller; check that it is not in hand."
                if state is State.FAULT
                else "",
            )


_ADVICE = {
    "fan_power": "Check filters and coils for fouling, dampers for resistance, belts, and the pressure set point.",
    "pump_power": "Check strainers, balancing valves, the pressure set point, and that the drive is not in hand.",
}

LAW = Rule(
    "affinity",
    "fan_power",
    "the power of a fan (fan, ahu, crah) or pump with its speed (fan_speed) or flow (chw_flow, cw_flow)",
    judge_law,
)
IDLE = Rule("idle_flow", "pump_power", "a pump with the flow, supply and return of its water", judge_idle)
