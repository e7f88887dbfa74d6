"""The air economizer: not used though it is cold outside, or open though it is hot.

Source: PNNL/LBNL AIRCx economizer diagnostics (OpenEIS), APAR rules 2-4 and 11-13 (NISTIR 7365), Guideline 36 fault
conditions 9-11. Outdoor air colder than the supply air by a margin can do all the cooling alone, whatever its enthalpy;
air drier than the low dew-point limit of TC9.9 (-9 degC), or cold enough to freeze coils, may be kept out and is not
judged.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.air import dew_point
from analytics.anomaly.rules.base import Plant, Point, Rule, State, Verdict, known, mean, number, ruling
from analytics.anomaly.rules.chilled_water import running
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Bool, Float64

_FAMILY = "economizer"
_DRY = -9.0
_LEEWAY = 0.1
"""Of the fraction: below what is needed by more than this, where mechanical cooling proves that it was needed."""
_STUCK = 0.03


def judge_economizer(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Each fraction of outdoor air (measured, or else the damper's position) against what the air outside allows."""
    outdoors = plant.all("outdoor_dry_bulb")
    for opening in plant.all("outdoor_air_fraction") or plant.all("damper"):
        supply = plant.shared(opening.equipment, "supply_air")
        back = plant.shared(opening.equipment, "return_air", "hall_air")
        if not outdoors or supply is None or back is None:
            continue
        columns = np.vstack([point.value for point in outdoors])
        cooling = cooling_on(plant, opening.equipment, settings)
        judged = known(opening.value, supply.value, back.value, *columns)
        if cooling is None:
            continue
        cold = judged & (columns.max(axis=0) < supply.value - settings.economizer_margin) & _humid(plant)
        cold &= columns.min(axis=0) > settings.freezing
        hot = judged & (columns.min(axis=0) > back.value + settings.heat_margin)
        room = np.where(cold, back.value - columns.max(axis=0), np.nan)
        needed = np.clip((back.value - supply.value) / room, 0.0, 1.0)
        with np.errstate(invalid="ignore"):
            closed = cold & cooling & (opening.value < needed - _LEEWAY)
        opened = hot & cooling & (opening.value > settings.opened)
        state = ruling(plant, cold | hot, closed | opened, settings, settings.economizer_share)
        yield _verdict(plant, opening, state, (cold | hot, closed, opened), columns.max(axis=0), needed)


def cooling_on(plant: Plant, equipment: str | None, settings: Settings) -> Bool | None:
    """Where a unit is cooled otherwise: cooling valve, chillers, evaporative coolers; None where nothing tells."""
    valves = plant.all("cooling_valve", "valve", equipment=equipment)
    if valves:
        opened: Bool = np.vstack([point.value for point in valves]).max(axis=0) > settings.valve_open
        return opened
    machines, water = plant.all("chiller", "evaporative_cooler"), plant.all("water_evaporative")
    if machines or water:
        on = np.zeros(len(plant.start), dtype=np.bool_)
        for machine in machines:
            on |= running(machine.value, settings)
        for meter in water:
            on |= meter.value > settings.evaporating_l_h
        return on
    flows = plant.all("chw_flow")
    return plant.total(flows) > 0 if flows else None


def _humid(plant: Plant) -> Bool:
    """Where the air outside is not known to be too dry to be let in."""
    humidity, dry = plant.near(None, "outdoor_humidity"), plant.all("outdoor_dry_bulb")
    if humidity is None:
        return np.ones(len(plant.start), dtype=np.bool_)
    beside = plant.all("outdoor_dry_bulb", equipment=humidity.equipment) or dry
    return ~(dew_point(beside[0].value, humidity.value) < _DRY)


def _verdict(
    plant: Plant, opening: Point, state: State, found: tuple[Bool, Bool, Bool], outdoor: Float64, needed: Float64
) -> Verdict:
    judged, closed, opened = found
    wrong = closed | opened
    chilled = plant.total(plant.all("chiller")) if plant.all("chiller") else np.full(len(wrong), np.nan)
    still = float(np.ptp(opening.value[wrong])) < _STUCK if wrong.any() else False
    hours = float(np.count_nonzero(wrong)) * plant.hours
    at, share = mean(outdoor, wrong), mean(opening.value, wrong)
    if state is State.FAULT and np.count_nonzero(closed) >= np.count_nonzero(opened):
        message = (
            f"For {hours:.1f} h other cooling worked at {at:.1f} degC outside with {share:.0%} outdoor air, "
            f"where {mean(needed, closed):.0%} would have cooled alone" + (" (it does not move)." if still else ".")
        )
        advice = "Check damper, linkage and actuator, the economizer's high limit, and the outdoor sensor it reads."
    elif state is State.FAULT:
        message = f"For {hours:.1f} h {share:.0%} outdoor air was let in at {at:.1f} degC, warmer than the return air."
        advice = "The outdoor damper does not close: check actuator and linkage, and the minimum position."
    else:
        message = "The economizer did what the air outside allows."
        advice = ""
    if state is State.INCONCLUSIVE:
        message = "It was neither cold nor hot enough outside to judge the economizer."
    return Verdict(
        rule="economizer",
        state=state,
        family=_FAMILY,
        equipment=opening.equipment,
        message=message,
        meters=(opening.meter, *(point.meter for point in plant.all("chiller"))),
        evidence={
            "judged_hours": number(float(np.count_nonzero(judged)) * plant.hours, 2),
            "wrong_hours": number(hours, 2),
            "opening": number(share),
            "needed": number(mean(needed, closed)),
            "outdoor_c": number(at, 2),
            "stuck": "yes" if still else "no",
        },
        excess_kw=float(np.nansum(chilled[closed])) / len(chilled) if state is State.FAULT and closed.any() else None,
        advice=advice,
    )


RULE = Rule(
    "economizer",
    _FAMILY,
    "outdoor_air_fraction or a damper, outdoor, supply and return air, and a chiller, chw_flow or cooling_valve",
    judge_economizer,
)
