"""Rooms colder than they need to be: against the ASHRAE envelope, and against what is usual at the site.

Source: ASHRAE TC9.9 2021, class A1: recommended inlets 18-27 degC, allowable 15-32 degC; rack cooling index of Herrlin
(ASHRAE Transactions 111, 2005): RCI_LO = 1 - sum(max(0, 18 - T)) / (n (18 - 15)), 96 % good, 90 % and less poor.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.base import Plant, Rule, State, Verdict, known, mean, number, ruling
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Float64

_FAMILY = "overcooling"
_ADVICE = "Raise the set point step by step while watching the hottest inlet; look for a set point changed by hand."


def judge_inlets(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Inlets against the envelope. A site whose healthy past was as cold is normal: advice, but no fault."""
    inlets = plant.all("rack_inlet")
    if not inlets:
        return
    columns = np.vstack([point.value for point in inlets])
    judged = np.isfinite(np.fmax.reduce(columns, axis=0))
    index = rci_low(columns, settings)
    usual = [reference.usual[point.meter].middle for point in inlets if point.meter in reference.usual]
    always = rci_low(np.array([usual]), settings) if len(usual) == len(inlets) else float("nan")
    lately = (
        not np.isfinite(always)
        or always > settings.rci_poor
        or index < always - settings.usual_margin / (settings.recommended_low - settings.allowable_low)
    )
    poor = bool(index <= settings.rci_poor)
    state = ruling(plant, judged, np.full(len(judged), poor and lately), settings)
    coldest = min(inlets, key=lambda point: _low(point.value))
    yield Verdict(
        rule="inlet_envelope",
        state=state,
        family=_FAMILY,
        equipment=coldest.equipment,
        message=f"Inlets are at {mean(columns):.1f} degC, RCI_LO {index:.0%}; {settings.recommended_low:.0f}-"
        f"{settings.recommended_high:.0f} degC are recommended."
        if state is not State.INCONCLUSIVE
        else "Too few inlet temperatures.",
        meters=(coldest.meter, *(point.meter for point in inlets if point is not coldest)),
        evidence={"rci_low": number(index), "usual_rci_low": number(always), "mean_c": number(mean(columns), 2)},
        advice=_ADVICE if poor else "",
    )


def judge_halls(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Hall, return and inlet air against what is usual there, as long as that was not too warm."""
    for point in plant.all("hall_air", "rack_inlet") or plant.all("return_air"):
        usual = reference.usual.get(point.meter)
        if usual is None:
            continue
        judged = known(point.value)
        limit = min(usual.low, usual.middle - settings.usual_margin)
        if point.role == "rack_inlet":
            limit = min(limit, settings.recommended_high - settings.usual_margin)
        wrong = point.value < limit
        state = ruling(plant, judged, wrong, settings)
        now = mean(point.value, judged)
        yield Verdict(
            rule="colder_than_usual",
            state=state,
            family=_FAMILY,
            equipment=point.equipment,
            message=f"{point.meter} is at {now:.1f} degC; {usual.middle:.1f} degC are usual."
            if state is not State.INCONCLUSIVE
            else f"{point.meter} has too few values.",
            meters=(point.meter,),
            evidence={"mean_c": number(now, 2), "usual_c": number(usual.middle, 2)},
            advice=_ADVICE if state is State.FAULT else "",
        )


def rci_low(columns: Float64, settings: Settings) -> float:
    """Rack cooling index on the cold side over every known value, at most 1; NaN without one."""
    values = columns[np.isfinite(columns)]
    if not len(values):
        return float("nan")
    under = np.maximum(0.0, settings.recommended_low - values)
    return 1.0 - float(under.mean()) / (settings.recommended_low - settings.allowable_low)


def _low(value: Float64) -> float:
    found = mean(value)
    return found if np.isfinite(found) else float("inf")


INLETS = Rule("inlet_envelope", _FAMILY, "rack inlet temperatures", judge_inlets)
HALLS = Rule("colder_than_usual", _FAMILY, "hall, return or inlet air whose healthy past is learnt", judge_halls)
