"""Temperatures against the plant's own balances: what water carries, and what order air temperatures must have.

Source: first law on the evaporator (flow x c x difference = heat metered) and the condenser (= heat + input), as in
EN 1434 and Guideline 14 for heat metering; order of supply and inlet air: nothing cools between them.
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
from analytics.anomaly.rules.chilled_water import running
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Float64

_FAMILY = "sensor_bias"
_WATER = 4.19


def judge_water(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """What evaporator and condenser water carry by flow and temperatures, against what is metered."""
    for equipment in plant.equipment("chiller"):
        power, heat = plant.total(plant.all("chiller", equipment=equipment)), plant.carried(equipment)
        if heat is None:
            continue
        for loop, metered in (("chw", heat), ("cw", heat + power)):
            points = [plant.near(equipment, f"{loop}_{what}") for what in ("supply", "return", "flow")]
            supply, back, flow = points
            if supply is None or back is None or flow is None:
                continue
            yield _balance(plant, (supply, back, flow), metered, power, settings)


def _balance(
    plant: Plant, points: tuple[Point, Point, Point], metered: Float64, power: Float64, settings: Settings
) -> Verdict:
    supply, back, flow = points
    capacity = flow.value * _WATER
    difference = back.value - supply.value
    on = settled(plant, running(power, settings), settings)
    judged = known(capacity, difference, metered) & on & (capacity > 0) & (metered > 0)
    judged &= capacity > 0.2 * (float(capacity[judged].max()) if judged.any() else 0.0)
    balanced = metered / np.where(judged, capacity, np.nan)
    off = difference - balanced
    middle = median(off)
    with np.errstate(invalid="ignore"):
        limit = np.maximum(settings.water_error, settings.balance_share * balanced)
        wrong = np.sign(middle) * off > limit
    state = ruling(plant, judged, wrong, settings, fewest_hours=settings.plant_hours)
    return Verdict(
        rule="water_balance",
        state=state,
        family=_FAMILY,
        equipment=supply.equipment,
        message="The water carried too little heat for a balance."
        if state is State.INCONCLUSIVE
        else f"{back.meter} minus {supply.meter} is {mean(difference, judged):.1f} K where the heat metered makes "
        f"{mean(balanced, judged):.1f} K.",
        meters=(supply.meter, back.meter, flow.meter),
        evidence={"off_k": number(middle, 2), "difference_k": number(mean(difference, judged), 2)},
        advice=f"With the loop at rest {supply.meter} and {back.meter} must read the same; check {flow.meter} too."
        if state is State.FAULT
        else "",
    )


def judge_order(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Inlets colder than every supply, or return air colder than every supply while IT runs: one sensor is wrong."""
    supplies = plant.all("supply_air")
    if not supplies:
        return
    coldest = np.vstack([point.value for point in supplies]).min(axis=0)
    load = plant.all("it_ups") or plant.all("it_pdu") or plant.all("it_equipment")
    at_work = plant.total(load) > settings.running_kw if load else np.ones(len(coldest), dtype=np.bool_)
    for point in plant.all("rack_inlet", "rack_outlet", "hall_air", "return_air"):
        if plant.all("mixed_air", equipment=point.equipment):
            continue  # an air handler that may heat: judged by its own balance
        judged = known(point.value, coldest) & at_work
        below = coldest - point.value
        state = ruling(plant, judged, below > 2 * settings.air_error, settings)
        yield Verdict(
            rule="air_order",
            state=state,
            family=_FAMILY,
            equipment=point.equipment,
            message=f"{point.meter} or the supply air has too few values."
            if state is State.INCONCLUSIVE
            else f"{point.meter} reads {-mean(below, judged):+.1f} K against the coldest supply air.",
            meters=(point.meter, *(supply.meter for supply in supplies)),
            evidence={"below_supply_k": number(mean(below, judged), 2)},
            advice=f"Nothing cools air after the supply: check {point.meter} and the supply-air sensors."
            if state is State.FAULT
            else "",
        )


WATER = Rule("water_balance", _FAMILY, "a chiller's heat meter, and flow, supply and return of its water", judge_water)
ORDER = Rule("air_order", _FAMILY, "supply air, and inlet, hall or return air", judge_order)
