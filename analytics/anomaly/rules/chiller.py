"""Chillers and towers: input against heat, lift and part load; the approach of the tower.

Source: Carnot: at best, heat / input = T_evaporator / (T_condenser - T_evaporator) in kelvin; the share of it that a
machine reaches depends on load, hardly on lift (Gordon and Ng, Cool Thermodynamics; AHRI 550/590 for ratings).
Approach = tower water - wet bulb (CTI).
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
    ratio,
    ruling,
    settled,
)
from analytics.anomaly.rules.chilled_water import running
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Bool, Float64

_FAMILY = "chiller_efficiency"
_WATER = 4.19
"""kJ a litre of water takes up per K."""
_KELVIN = 273.15
_LEAST_LIFT = 3.0


def judge_efficiency(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Input against what was learnt for the same load and lift; without that against physics alone."""
    for equipment in plant.equipment("chiller"):
        found = machine(plant, equipment)
        if found is None:
            continue
        meters, power, heat, carnot = found
        learnt = reference.chillers.get(equipment)
        on = settled(plant, running(power, settings), settings)
        judged = on & known(power, heat, carnot) & (heat > power * 0.5)
        impossible = judged & (heat > power * carnot)
        if learnt is not None:
            judged = judged & learnt.span.holds(heat) & (heat >= settings.chiller_least_load * learnt.span.high)
            expected = heat / (carnot * learnt.carnot_share(heat, carnot))
            wrong = power > expected * (1 + settings.chiller_excess)
        else:
            judged = judged & (heat >= 0.5 * (float(heat[judged].max()) if judged.any() else 0.0))
            expected = heat / (carnot * settings.carnot_floor)
            wrong = power > expected
        state = ruling(plant, judged, wrong | impossible, settings, fewest_hours=settings.plant_hours)
        metering = state is State.FAULT and bool((impossible & judged).sum() > (wrong & judged).sum())
        now, usual = mean(power, judged), mean(expected, judged)
        share = median(heat / np.where(judged, power * carnot, np.nan))
        yield Verdict(
            rule="chiller_efficiency",
            state=state,
            family="metering" if metering else _FAMILY,
            equipment=equipment,
            message=_told(state, now, usual, share, metering=metering, learnt=learnt is not None),
            meters=meters,
            evidence={
                "power_kw": number(now),
                "expected_kw": number(usual) if learnt is not None else None,
                "kw_per_kw": number(ratio(now, mean(heat, judged))),
                "carnot_share": number(share),
            },
            excess_kw=(now - usual) * float(judged.mean())
            if state is State.FAULT and learnt is not None and not metering
            else None,
            advice=_advice(state, metering=metering),
        )


def machine(plant: Plant, equipment: str | None) -> tuple[tuple[str, ...], Float64, Float64, Float64] | None:
    """A chiller's meters, input and heat in kW, and Carnot efficiency at its lift; None where points are missing."""
    powers = plant.all("chiller", equipment=equipment)
    supply, leaving = plant.near(equipment, "chw_supply"), plant.near(equipment, "cw_return")
    if supply is None or leaving is None:
        return None
    heat = plant.carried(equipment)
    if heat is None:
        flow, back = plant.near(equipment, "chw_flow"), plant.near(equipment, "chw_return")
        if flow is None or back is None:
            return None
        heat = flow.value * _WATER * (back.value - supply.value)
    lift = leaving.value - supply.value
    carnot = (supply.value + _KELVIN) / np.where(lift >= _LEAST_LIFT, lift, np.nan)
    return tuple(point.meter for point in (*powers, supply, leaving)), plant.total(powers), heat, carnot


def _told(state: State, now: float, usual: float, share: float, *, metering: bool, learnt: bool) -> str:
    if state is State.INCONCLUSIVE:
        return "The chiller ran too little, or not within the loads that it was learnt at."
    if metering:
        return f"The chiller reaches {share:.0%} of Carnot efficiency, which is impossible: a meter or sensor is wrong."
    if learnt:
        more = ratio(now, usual) - 1
        return f"The chiller draws {now:.1f} kW where {usual:.1f} kW are usual at this load and lift ({more:+.0%})."
    return f"The chiller reaches {share:.0%} of Carnot efficiency at more than half of its load."


def _advice(state: State, *, metering: bool) -> str:
    if state is not State.FAULT:
        return ""
    if metering:
        return "Check the heat meter, the chiller's meter and the water temperatures."
    return "Check condenser tubes for fouling, refrigerant charge, non-condensable gases and the guide vanes."


def judge_approach(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Tower water against the wet bulb, in weather in which the tower is not held at its least temperature."""
    wet = plant.shared(None, "outdoor_wet_bulb")
    for water in plant.all("cw_supply"):
        on = _rejecting(plant, water, settings)
        if wet is None or on is None:
            continue
        approach = water.value - wet.value
        judged = known(approach) & on & (wet.value >= settings.least_wet_bulb)
        usual = reference.approaches.get(water.meter)
        limit = settings.approach_high if usual is None else usual + settings.approach_margin
        state = ruling(plant, judged, approach > limit, settings)
        now = mean(approach, judged)
        yield Verdict(
            rule="tower_approach",
            state=state,
            family=_FAMILY,
            equipment=_tower(plant, water),
            message="The tower worked too little in weather that tells."
            if state is State.INCONCLUSIVE
            else f"Tower water is {now:.1f} K above the wet bulb; {limit:.1f} K are the most.",
            meters=(water.meter, wet.meter),
            evidence={"approach_k": number(now, 2), "limit_k": number(limit, 2), "usual_k": usual},
            advice="Check fill and nozzles for scale, fans and belts, water distribution, air drawn in again."
            if state is State.FAULT
            else "",
        )


def _rejecting(plant: Plant, water: Point, settings: Settings) -> Bool | None:
    for role in ("chiller", "cooling_tower"):
        machines = plant.all(role, equipment=water.equipment) or plant.all(role)
        if machines:
            return settled(plant, running(plant.total(machines), settings), settings)
    return None


def _tower(plant: Plant, water: Point) -> str | None:
    towers = plant.equipment("cooling_tower")
    return towers[0] if len(towers) == 1 else water.equipment


EFFICIENCY = Rule(
    "chiller_efficiency",
    _FAMILY,
    "a chiller's power, its heat (heat_removed, or chw_flow and chw_return), chw_supply and cw_return",
    judge_efficiency,
)
APPROACH = Rule("tower_approach", _FAMILY, "cw_supply, outdoor_wet_bulb, and a chiller or tower", judge_approach)
