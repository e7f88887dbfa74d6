"""Units that work against one another: heating with cooling, humidifying with dehumidifying.

Source: ASHRAE Datacom series and US DOE data centre energy practitioner training (fighting CRAC units); APAR rules on
simultaneous heating and cooling (NISTIR 7365). Air that leaves a coil below the
hall's dew point leaves water there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.air import dew_point
from analytics.anomaly.rules.base import Plant, Rule, State, Verdict, known, mean, number, ruling
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings

_FAMILY = "overcooling"


def judge_heating(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """A heating valve open while a cooling valve is, on one unit or among several."""
    heating, cooling = plant.all("heating_valve"), plant.all("cooling_valve", "valve")
    if not heating or not cooling:
        return
    hot = np.vstack([point.value for point in heating])
    cold = np.vstack([point.value for point in cooling])
    judged = known(*hot, *cold)
    wrong = (hot.max(axis=0) > settings.valve_open) & (cold.max(axis=0) > settings.valve_open)
    state = ruling(plant, judged, wrong, settings, settings.fighting_share)
    hottest = heating[int(np.argmax([mean(row, judged & wrong) if wrong.any() else 0.0 for row in hot]))]
    coldest = cooling[int(np.argmax([mean(row, judged & wrong) if wrong.any() else 0.0 for row in cold]))]
    hours = float(np.count_nonzero(judged & wrong)) * plant.hours
    yield Verdict(
        rule="heating_and_cooling",
        state=state,
        family=_FAMILY,
        equipment=hottest.equipment,
        message="Too few valve positions."
        if state is State.INCONCLUSIVE
        else f"Heating and cooling valves were open together for {hours:.1f} h.",
        meters=(hottest.meter, coldest.meter),
        evidence={"hours": number(hours, 2), "heating": number(mean(hot.max(axis=0), wrong))},
        advice=f"Separate set points and dead bands of {hottest.meter} and {coldest.meter}; see that both valves shut."
        if state is State.FAULT
        else "",
    )


def judge_humidity(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """A humidifier at work while a unit's supply air is below the hall's dew point: it dries what is wetted."""
    humidifiers, humidity = plant.all("humidifier"), plant.near(None, "hall_humidity")
    hall, supplies = plant.shared(None, "hall_air", "return_air"), plant.all("supply_air")
    if not humidifiers or humidity is None or hall is None or not supplies:
        return
    dew = dew_point(hall.value, humidity.value)
    columns = np.vstack([point.value for point in supplies])
    power = plant.total(humidifiers)
    judged = known(dew, power, *columns)
    for opening in plant.all("outdoor_air_fraction"):
        judged &= opening.value < settings.fraction_error  # dry outdoor air may be colder than that without a coil
    drying = columns.min(axis=0) < dew - settings.dew_margin
    wrong = drying & (power > settings.running_kw)
    state = ruling(plant, judged, wrong, settings, settings.fighting_share)
    coldest = supplies[int(np.argmin([mean(row, judged) if judged.any() else 0.0 for row in columns]))]
    hours = float(np.count_nonzero(judged & wrong)) * plant.hours
    yield Verdict(
        rule="wetting_and_drying",
        state=state,
        family=_FAMILY,
        equipment=coldest.equipment,
        message="Too little is known of the air, or outdoor air explains it."
        if state is State.INCONCLUSIVE
        else f"For {hours:.1f} h a humidifier ran while {coldest.meter} was below the hall's dew point "
        f"({mean(dew, judged):.1f} degC).",
        meters=(humidifiers[0].meter, coldest.meter, humidity.meter),
        evidence={"hours": number(hours, 2), "dew_point_c": number(mean(dew, judged), 2)},
        excess_kw=float(power[judged & wrong].sum()) / len(power) if state is State.FAULT else None,
        advice="Control all units on one dew point, with a wide dead band; check humidity sensors against one another."
        if state is State.FAULT
        else "",
    )


HEATING = Rule("heating_and_cooling", _FAMILY, "a heating_valve and a cooling_valve (or valve)", judge_heating)
HUMIDITY = Rule(
    "wetting_and_drying",
    _FAMILY,
    "a humidifier's power, hall_humidity, hall or return air, and supply air",
    judge_humidity,
)
