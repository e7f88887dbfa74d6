"""What a healthy span of a plant teaches: the reference that rules compare later days with. Pure.

The plant given here is a long one, weeks to a year, already cleared of faults and maintenance by the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from analytics.anomaly.rules.affinity import FAN_ROLES, driver
from analytics.anomaly.rules.base import Plant, Point, known, median, settled
from analytics.anomaly.rules.chilled_water import carrying, running
from analytics.anomaly.rules.chiller import machine
from analytics.anomaly.rules.reference import (
    FEWEST,
    AffinityLaw,
    ChillerMap,
    Reference,
    UpsCurve,
    Usual,
    learn_affinity,
    learn_chiller,
    learn_ups_curve,
    learn_usual,
    longest_rest,
)
from analytics.anomaly.rules.settings import DEFAULT, Settings
from analytics.anomaly.rules.ups import pairs
from analytics.anomaly.rules.water import QUIET_HOURS, hourly, standing_beyond
from wattwell.roles import FLOW_ROLES, HUMIDITY_ROLES, TEMPERATURE_ROLES, WATER_INPUT_ROLES

_DAY_HOURS = 24
_FEWEST_DAYS = 7


def learn(plant: Plant, settings: Settings = DEFAULT) -> Reference:
    """Every curve and usual value that the span bears; whatever it does not is left out."""
    return Reference(
        ups=_ups(plant),
        affinity=_affinity(plant, settings),
        chillers=_chillers(plant, settings),
        usual=_usual(plant, settings),
        differences=_differences(plant, settings),
        approaches=_approaches(plant, settings),
        standing=_standing(plant),
        cycles=_cycles(plant),
    )


def _ups(plant: Plant) -> Mapping[str | None, UpsCurve]:
    curves = {name: learn_ups_curve(load, supplied - load) for name, _, load, supplied in pairs(plant)}
    return {name: curve for name, curve in curves.items() if curve is not None}


def _affinity(plant: Plant, settings: Settings) -> Mapping[str, AffinityLaw]:
    laws = {}
    for point in plant.all(*FAN_ROLES, "pump"):
        found = driver(plant, point)
        if found is not None:
            on = settled(plant, point.value > settings.running_share, settings)
            law = learn_affinity(np.where(on, found[1], np.nan), point.value, settings.affinity_range)
            if law is not None:
                laws[point.meter] = law
    return laws


def _chillers(plant: Plant, settings: Settings) -> Mapping[str | None, ChillerMap]:
    maps = {}
    for equipment in plant.equipment("chiller"):
        found = machine(plant, equipment)
        if found is None:
            continue
        _, power, heat, carnot = found
        on = settled(plant, running(power, settings), settings)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(on, heat / (power * carnot), np.nan)
        learnt = learn_chiller(heat, share, carnot)
        if learnt is not None:
            maps[equipment] = learnt
    return maps


def _usual(plant: Plant, settings: Settings) -> Mapping[str, Usual]:
    """Chilled water while its loop works, everything else at any time; rests are looked for in all of it."""
    found = {}
    for point in plant.all(*TEMPERATURE_ROLES, *HUMIDITY_ROLES, *FLOW_ROLES):
        value = np.round(point.value, 6)
        on = carrying(plant, point, settings) if point.role == "chw_supply" else None
        usual = learn_usual(value, plant.hours, on)
        if usual is not None:
            found[point.meter] = replace(usual, flat_hours=longest_rest(value) * plant.hours)
    return found


def _differences(plant: Plant, settings: Settings) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for supply in plant.all("chw_supply"):
        back, on = plant.near(supply.equipment, "chw_return"), carrying(plant, supply, settings)
        if back is not None and on is not None:
            _keep(found, supply, back.value - supply.value, on)
    return found


def _approaches(plant: Plant, settings: Settings) -> Mapping[str, float]:
    found: dict[str, float] = {}
    wet = plant.shared(None, "outdoor_wet_bulb")
    for water in plant.all("cw_supply"):
        machines = plant.all("chiller") or plant.all("cooling_tower")
        if wet is not None and machines:
            on = settled(plant, running(plant.total(machines), settings), settings)
            _keep(found, water, water.value - wet.value, on & (wet.value >= settings.least_wet_bulb))
    return found


def _keep(
    found: dict[str, float], point: Point, value: np.typing.NDArray[np.float64], on: np.typing.NDArray[np.bool_]
) -> None:
    if np.count_nonzero(on & np.isfinite(value)) >= FEWEST:
        found[point.meter] = median(value, on)


def _standing(plant: Plant) -> Mapping[str, float]:
    """The most that the quietest of twelve hours had on a healthy day (but for one day in a hundred)."""
    found = {}
    count = int(QUIET_HOURS)
    for point in plant.all(*WATER_INPUT_ROLES):
        beyond, _ = standing_beyond(plant, point)
        hours = hourly(beyond, plant.steps(1.0))
        if len(hours) < count:
            continue
        least = np.lib.stride_tricks.sliding_window_view(hours, count).min(axis=1)
        least = least[np.isfinite(least)]
        if len(least) >= _FEWEST_DAYS * _DAY_HOURS:
            found[point.meter] = max(0.0, float(np.quantile(least, 0.99)))
    return found


def _cycles(plant: Plant) -> Mapping[str | None, float]:
    found: dict[str | None, float] = {}
    for equipment in plant.equipment("water_blowdown"):
        made = plant.all("water_tower_makeup", equipment=equipment) or plant.all("water_tower_makeup")
        blown = plant.total(plant.all("water_blowdown", equipment=equipment))
        makeup = plant.total(made)
        both = known(makeup, blown)
        if made and np.count_nonzero(both) >= FEWEST and float(blown[both].sum()) > 0:
            found[equipment] = float(makeup[both].sum() / blown[both].sum())
    return found
