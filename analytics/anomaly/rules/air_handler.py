"""Air handlers with a mixed-air sensor: mixed-air balance, outdoor-air dampers, coils that pass or do not answer.

Source: ASHRAE Guideline 36 fault conditions (named at each rule), with its default errors and delays; they are those of
APAR (NISTIR 7365). All judge where the fan has run for the mode delay.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analytics.anomaly.rules.base import Plant, Rule, State, Verdict, known, mean, number, ruling, settled
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Bool, Float64
from wattwell.units import QuantityKind


@dataclass(frozen=True, slots=True)
class Unit:
    """An air handler's columns; NaN throughout where it has no such point."""

    equipment: str | None
    on: Bool
    """The fan runs, and has for the mode delay."""
    mixed: Float64
    supply: Float64
    back: Float64
    outdoor: Float64
    cooling: Float64
    heating: Float64
    damper: Float64
    wanted: Float64
    """Set point of the supply air."""
    meters: dict[str, str]
    """By role."""


def units(plant: Plant, settings: Settings) -> Iterator[Unit]:
    """Every equipment with a mixed-air sensor."""
    for point in plant.all("mixed_air"):
        name = point.equipment
        roles = ("supply_air", "return_air", "cooling_valve", "heating_valve", "damper", "status", "fan_speed")
        own = {role: plant.all(role, equipment=name) for role in roles}
        outdoor = plant.near(name, "outdoor_dry_bulb")
        set_points = plant.all("setpoint", equipment=name)
        wanted = [point for point in set_points if point.quantity is QuantityKind.TEMPERATURE]
        blank = np.full(len(plant.start), np.nan)
        column = {role: points[0].value if points else blank for role, points in own.items()}
        if own["status"]:
            fan = column["status"] > 0.5
        elif own["fan_speed"]:
            fan = column["fan_speed"] > settings.valve_open
        else:
            fan = np.ones(len(blank), dtype=np.bool_)
        meters = {role: points[0].meter for role, points in own.items() if points} | {"mixed_air": point.meter}
        if outdoor is not None:
            meters["outdoor_dry_bulb"] = outdoor.meter
        yield Unit(
            equipment=name,
            on=settled(plant, fan, settings),
            mixed=point.value,
            supply=column["supply_air"],
            back=column["return_air"],
            outdoor=blank if outdoor is None else outdoor.value,
            cooling=column["cooling_valve"],
            heating=column["heating_valve"],
            damper=column["damper"],
            wanted=wanted[0].value if len(wanted) == 1 else blank,
            meters=meters,
        )


def judge_mixed(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Fault conditions 2 and 3: mixed air lies between return and outdoor air."""
    for unit in units(plant, settings):
        if not {"return_air", "outdoor_dry_bulb"} <= unit.meters.keys():
            continue
        low = np.minimum(unit.back - settings.air_error, unit.outdoor - settings.outdoor_error)
        high = np.maximum(unit.back + settings.air_error, unit.outdoor + settings.outdoor_error)
        judged = unit.on & known(unit.mixed, unit.back, unit.outdoor)
        outside = np.maximum(low - unit.mixed, unit.mixed - high) - settings.mixed_error
        state = ruling(plant, judged, outside > 0, settings, settings.handler_share)
        yield Verdict(
            rule="mixed_air",
            state=state,
            family="sensor_bias",
            equipment=unit.equipment,
            message="The air handler ran too little."
            if state is State.INCONCLUSIVE
            else f"Mixed air is at {mean(unit.mixed, judged):.1f} degC, return {mean(unit.back, judged):.1f} and "
            f"outdoor air {mean(unit.outdoor, judged):.1f} degC"
            + (": it cannot leave that range." if state is State.FAULT else "."),
            meters=tuple(unit.meters[role] for role in ("mixed_air", "return_air", "outdoor_dry_bulb")),
            evidence={"outside_k": number(mean(outside, judged & (outside > 0)), 2)},
            advice="Check mixed-, return- and outdoor-air sensors; mixed air needs an averaging element."
            if state is State.FAULT
            else "",
        )


def judge_damper(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Fault conditions 6 and 10: the fraction of outdoor air by temperatures, damper shut, half open or open."""
    for unit in units(plant, settings):
        if not {"return_air", "outdoor_dry_bulb", "damper"} <= unit.meters.keys():
            continue
        apart = unit.outdoor - unit.back
        told = np.abs(apart) >= settings.least_difference
        judged = unit.on & known(unit.mixed, unit.damper, apart) & told
        fraction = (unit.mixed - unit.back) / np.where(told, apart, np.nan)
        shut, wide = unit.damper <= settings.valve_shut, unit.damper >= settings.valve_full
        half = unit.damper >= settings.damper_half
        judged &= shut | half
        with np.errstate(invalid="ignore"):
            leaks = shut & (fraction > settings.damper_leak)
            starves = (wide & (fraction < 1 - settings.fraction_error)) | (half & (fraction < settings.damper_least))
        state = ruling(plant, judged, leaks | starves, settings, settings.handler_share)
        wrong = judged & (leaks | starves)
        shown = wrong if state is State.FAULT else judged
        yield Verdict(
            rule="damper",
            state=state,
            family="economizer",
            equipment=unit.equipment,
            message="The damper was neither shut nor half open while outdoor and return air differed."
            if state is State.INCONCLUSIVE
            else f"Temperatures show {mean(fraction, shown):.0%} outdoor air with the "
            f"damper at {mean(unit.damper, shown):.0%}.",
            meters=tuple(unit.meters[role] for role in ("damper", "mixed_air", "return_air", "outdoor_dry_bulb")),
            evidence={"fraction": number(mean(fraction, wrong)), "damper": number(mean(unit.damper, wrong))},
            advice="Watch the damper through its stroke: linkage, actuator, blade seals."
            if state is State.FAULT
            else "",
        )


def judge_coils(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Fault conditions 5, 8, 12, 14 and 15: air that warms or cools though the valve that would do so is shut."""
    error = float(np.hypot(settings.air_error, settings.coil_mixed_error))
    for unit in units(plant, settings):
        if not {"supply_air", "cooling_valve"} <= unit.meters.keys():
            continue
        heating = np.where(np.isfinite(unit.heating), unit.heating, 0.0)
        gained = unit.supply - unit.mixed - settings.fan_rise
        judged = unit.on & known(gained, unit.cooling)
        off = settled(plant, heating <= settings.valve_shut, settings)
        uncooled = settled(plant, unit.cooling <= settings.valve_shut, settings)
        warms = judged & off & (gained > error)
        cools = judged & uncooled & (gained < -error)
        judged &= off | uncooled
        state = ruling(plant, judged, warms | cools, settings, settings.handler_share)
        hot = np.count_nonzero(warms) >= np.count_nonzero(cools)
        coil, wrong = ("heating", warms) if hot else ("cooling", cools)
        valve = unit.meters.get("heating_valve", unit.meters["supply_air"]) if hot else unit.meters["cooling_valve"]
        yield Verdict(
            rule="coil_passes",
            state=state,
            family="other" if hot else "overcooling",
            equipment=unit.equipment,
            message="No coil was shut for long enough while the fan ran."
            if state is State.INCONCLUSIVE
            else f"The {coil} coil changes the air by {mean(gained, wrong):+.1f} K with its valve shut."
            if state is State.FAULT
            else f"With a valve shut the air changes by {mean(gained, judged):+.1f} K.",
            meters=(valve, unit.meters["supply_air"], unit.meters["mixed_air"]),
            evidence={"change_k": number(mean(gained, wrong), 2), "error_k": number(error, 2)},
            advice=f"The {coil} valve passes or is stuck open: stroke it, check actuator and seat."
            if state is State.FAULT
            else "",
        )


def judge_reach(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Fault conditions 7 and 13 : a valve wide open, and the coil does nothing or falls short of the set point."""
    for unit in units(plant, settings):
        if "supply_air" not in unit.meters or not {"cooling_valve", "heating_valve"} & unit.meters.keys():
            continue
        gained = unit.supply - unit.mixed
        full_cool = settled(plant, unit.cooling >= settings.valve_full, settings)
        full_heat = settled(plant, unit.heating >= settings.valve_full, settings)
        judged = unit.on & known(gained) & (full_cool | full_heat)
        high = unit.supply - unit.wanted > settings.air_error
        low = unit.wanted - unit.supply > settings.air_error
        cold = full_cool & ((gained > -settings.coil_least) | high)
        weak = cold | (full_heat & ((gained < settings.coil_least) | low))
        answered = unit.on & known(gained) & ~(full_cool | full_heat)
        state = ruling(plant, judged, weak, settings, settings.handler_share)
        if state is State.INCONCLUSIVE and np.count_nonzero(answered) * plant.hours >= settings.fewest_hours:
            state = State.NORMAL if not (full_cool | full_heat).any() else state
        coil = "cooling" if 2 * np.count_nonzero(judged & cold) >= np.count_nonzero(judged & weak) else "heating"
        yield Verdict(
            rule="coil_does_nothing",
            state=state,
            family="other",
            equipment=unit.equipment,
            message=f"With its valve wide open the {coil} coil changes the air by {mean(gained, judged & weak):+.1f} K."
            if state is State.FAULT
            else "No coil was wide open for long enough to be judged."
            if state is State.INCONCLUSIVE
            else "The coils do what their valves ask.",
            meters=tuple(unit.meters[r] for r in (f"{coil}_valve", "supply_air", "mixed_air") if r in unit.meters),
            evidence={"change_k": number(mean(gained, judged), 2), "full_hours": number(judged.sum() * plant.hours, 2)},
            advice=f"The {coil} valve is stuck shut, or its water does not come: check actuator, pump and strainer."
            if state is State.FAULT
            else "",
        )


MIXED = Rule("mixed_air", "sensor_bias", "mixed, return and outdoor air of an air handler", judge_mixed)
DAMPER = Rule("damper", "economizer", "mixed, return and outdoor air and the damper of an air handler", judge_damper)
COILS = Rule("coil_passes", "other", "mixed and supply air and the cooling_valve of an air handler", judge_coils)
REACH = Rule("coil_does_nothing", "other", "mixed and supply air and a coil valve of an air handler", judge_reach)
