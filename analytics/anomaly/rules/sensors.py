"""Sensors against one another and against their own past: two outdoor sensors that differ, sensors that stand still.

Source: Guideline 36 (errors of sensors), PNNL re-tuning guide (compare the outdoor sensor with a weather station, at
night, when the sun does not shine on it).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from analytics.anomaly.rules.air import wet_bulb
from analytics.anomaly.rules.base import Plant, Point, Rule, State, Verdict, known, median, number, ruling
from analytics.anomaly.rules.reference import Reference, last_rest
from analytics.anomaly.rules.settings import Settings
from wattwell.roles import FLOW_ROLES, HUMIDITY_ROLES, TEMPERATURE_ROLES

_FAMILY = "sensor_bias"
_OUTDOORS = frozenset({"outdoor_dry_bulb", "outdoor_wet_bulb", "outdoor_humidity"})
_SATURATED = 0.9
"""Relative humidity from which a sensor may rest: rain and fog."""


def judge_pair(plant: Plant, _reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Every two outdoor sensors: a steady difference of one sign for at least half of a day is no sunshine."""
    for first, second in combinations(plant.all("outdoor_dry_bulb"), 2):
        apart = second.value - first.value
        judged = known(apart)
        middle = median(apart)
        with np.errstate(invalid="ignore"):
            wrong = np.sign(middle) * apart > settings.pair_difference
        state = ruling(plant, judged, wrong, settings)
        suspect = _suspect(plant, first, second)
        named = suspect or second
        other = first if named is second else second
        bias = middle if named is second else -middle
        yield Verdict(
            rule="outdoor_pair",
            state=state,
            family=_FAMILY,
            equipment=named.equipment if suspect else None,
            message=f"{named.meter} reads {bias:+.1f} K against {other.meter}."
            if state is not State.INCONCLUSIVE
            else "One of two outdoor sensors has too few values.",
            meters=(named.meter, other.meter),
            evidence={"difference_k": number(bias, 2), "suspect": suspect.meter if suspect else None},
            advice=f"Compare {named.meter} with a reference thermometer in the shade; correct or replace it."
            if state is State.FAULT
            else "",
        )


def _suspect(plant: Plant, first: Point, second: Point) -> Point | None:
    """Which of two is wrong: not the one that agrees with humidity and wet bulb beside it, or with a third sensor."""
    for sensor, other in ((first, second), (second, first)):
        thirds = [p for p in plant.all("outdoor_dry_bulb") if p is not first and p is not second]
        apart = [abs(median(third.value - sensor.value)) for third in thirds]
        opposed = [abs(median(third.value - other.value)) for third in thirds]
        if thirds and min(apart) < 1.0 < min(opposed):
            return other
        humid = plant.all("outdoor_humidity", equipment=sensor.equipment)
        wet = plant.all("outdoor_wet_bulb", equipment=sensor.equipment)
        if humid and wet:
            off = abs(median(wet_bulb(sensor.value, humid[0].value) - wet[0].value))
            if off < abs(median(wet_bulb(other.value, humid[0].value) - wet[0].value)):
                return other
    return None


def judge_frozen(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Sensors that stand at one value: outdoors while another one moves, others by their past."""
    frozen, looked, dumb = [], 0, 0
    for point in plant.all(*TEMPERATURE_ROLES, *HUMIDITY_ROLES, *FLOW_ROLES):
        usual = reference.usual.get(point.meter)
        others = [p for p in plant.all("outdoor_dry_bulb") if p is not point] or list(plant.all("outdoor_wet_bulb"))
        if point.role in _OUTDOORS:
            limit = settings.flat_hours if others else settings.flat_alone_hours
        elif usual is not None:
            limit = max(settings.flat_least_hours, settings.flat_factor * usual.flat_hours)
        else:
            continue
        if len(point.value) * plant.hours < limit or not np.isfinite(point.value).any():
            dumb += 1
            continue
        looked += 1
        rest = last_rest(np.round(point.value, 6)) * plant.hours
        fog = point.role in HUMIDITY_ROLES and bool(point.value[-1] >= _SATURATED)
        steps = round(rest / plant.hours)
        still = point.role in _OUTDOORS and others and _moved(others, steps) < settings.flat_moved
        if rest >= limit and not fog and not still:
            frozen.append(_frozen(point, rest, limit))
    yield from frozen
    if not frozen and looked + dumb:
        yield Verdict(
            rule="frozen",
            state=State.NORMAL if looked else State.INCONCLUSIVE,
            family=_FAMILY,
            equipment=None,
            message=f"None of {looked} sensors stands still."
            if looked
            else "No sensor has values for long enough to tell a rest from a standstill.",
            evidence={"sensors": float(looked), "not_judged": float(dumb)},
        )


def _moved(others: list[Point], steps: int) -> float:
    """K that the liveliest of some sensors moved by over the last means."""
    recent = (point.value[-steps:] if steps else point.value[:0] for point in others)
    spans = [float(np.ptp(value[np.isfinite(value)])) for value in recent if np.isfinite(value).any()]
    return max(spans, default=0.0)


def _frozen(point: Point, rest: float, limit: float) -> Verdict:
    return Verdict(
        rule="frozen",
        state=State.FAULT,
        family=_FAMILY,
        equipment=point.equipment,
        message=f"{point.meter} has stood at {point.value[-1]:.4g} for {rest:.1f} h; {limit:.1f} h are possible.",
        meters=(point.meter,),
        evidence={
            "rest_hours": number(rest, 2),
            "limit_hours": number(limit, 2),
            "value": number(float(point.value[-1])),
        },
        advice=f"Check {point.meter}: sensor, cable, gateway; what is controlled by it runs blind.",
    )


PAIR = Rule("outdoor_pair", _FAMILY, "two outdoor dry-bulb sensors", judge_pair)
FROZEN = Rule("frozen", _FAMILY, "an outdoor sensor, or sensors whose healthy past is learnt", judge_frozen)
