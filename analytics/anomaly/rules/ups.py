"""UPS: loss beyond its own curve, and a load at the wrong end of that curve.

Source: loss = no-load + proportional + square part (Rasmussen, Schneider Electric white paper 113); ENERGY STAR
specification for uninterruptible power supplies 2.0; US DOE and LBNL data centre master list of energy actions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.anomaly.rules.base import Plant, Rule, State, Verdict, known, mean, number, ratio, ruling
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import Settings
from wattwell.model import Float64

_FAMILY = "ups_loss"


def judge_loss(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Loss against the curve learnt for this UPS; without a curve against the floor of efficiency."""
    for equipment, meters, load, supplied in pairs(plant):
        loss = supplied - load
        curve = reference.ups.get(equipment)
        judged = known(load, supplied) & (load > settings.running_kw)
        if curve is None:
            expected = load * (1 / settings.ups_floor - 1)
            rated = plant.ratings.get(equipment or "")
            if rated is not None:
                judged = judged & (load >= settings.ups_low_load * rated)
            wrong = loss > expected
        else:
            expected = curve.loss(load)
            judged = judged & curve.span.holds(load)
            allowed = np.maximum(settings.ups_excess_of_loss * expected, settings.ups_excess_of_load * load)
            wrong = loss - expected > allowed
        state = ruling(plant, judged, wrong, settings, fewest_hours=settings.plant_hours)
        now, usual = mean(loss, judged), mean(expected, judged)
        against = "its curve gives" if curve else f"an efficiency of {settings.ups_floor:.0%} gives"
        yield Verdict(
            rule="ups_loss",
            state=state,
            family=_FAMILY,
            equipment=equipment,
            message=f"The UPS loses {now:.2f} kW where {against} {usual:.2f} kW."
            if state is not State.INCONCLUSIVE
            else "The UPS had too little load within what its curve was learnt on.",
            meters=meters,
            evidence={
                "loss_kw": number(now),
                "expected_kw": number(usual),
                "load_kw": number(mean(load, judged)),
                "efficiency": number(ratio(mean(load, judged), mean(supplied, judged)), 4),
            },
            excess_kw=now - usual if state is State.FAULT and curve else None,
            advice="Check the UPS: eco mode off, modules that idle in parallel, a failed fan, boost charge."
            if state is State.FAULT
            else "",
        )


def judge_load(plant: Plant, reference: Reference, settings: Settings) -> Iterator[Verdict]:
    """Whether a UPS is loaded so little that its no-load loss rules: shut modules down or move load to it."""
    for equipment, meters, load, supplied in pairs(plant):
        curve = reference.ups.get(equipment)
        rated = plant.ratings.get(equipment or "")
        if curve is None and rated is None:
            continue
        judged = known(load, supplied) & (load > settings.running_kw)
        now = mean(load, judged)
        efficiency = ratio(now, mean(supplied, judged))
        better = efficiency
        if curve is not None and np.isfinite(now):
            better = curve.efficiency(min(2 * now, max(curve.best_load, now)))
        idle = curve is not None and np.isfinite(now) and 2 * curve.no_load > now / curve.efficiency(now) - now
        low = rated is not None and now < settings.ups_low_load * rated and efficiency < settings.ups_floor
        wasteful = idle and better - efficiency >= settings.ups_points
        wrong = np.full(len(load), low or wasteful)
        state = ruling(plant, judged, wrong, settings)
        yield Verdict(
            rule="ups_load",
            state=state,
            family=_FAMILY,
            equipment=equipment,
            message=f"At {now:.1f} kW the UPS reaches {efficiency:.1%}; at twice the load it would reach {better:.1%}."
            if state is not State.INCONCLUSIVE
            else "The UPS had no load to judge by.",
            meters=meters,
            evidence={
                "load_kw": number(now),
                "rated_kw": rated,
                "efficiency": number(efficiency, 4),
                "efficiency_at_better_load": number(better, 4),
            },
            excess_kw=ratio(now, efficiency) - now / better if state is State.FAULT and better > efficiency else None,
            advice="Too much UPS for the load: put modules to sleep, or use fewer units where redundancy allows."
            if state is State.FAULT
            else "",
        )


def pairs(plant: Plant) -> Iterator[tuple[str | None, tuple[str, ...], Float64, Float64]]:
    """Each UPS: equipment, its meters, output and input in kW; only where both are metered."""
    for equipment in plant.equipment("ups_input"):
        inputs = plant.all("ups_input", equipment=equipment)
        outputs = plant.all("it_ups", equipment=equipment)
        if not outputs and len(plant.equipment("ups_input")) == 1:
            outputs = plant.all("it_ups")
        if outputs:
            meters = tuple(point.meter for point in (*inputs, *outputs))
            yield equipment, meters, plant.total(outputs), plant.total(inputs)


LOSS = Rule("ups_loss", _FAMILY, "the input (ups_input) and output (it_ups) of one UPS", judge_loss)
LOAD = Rule("ups_load", _FAMILY, "a UPS with input and output, and its rating or its learnt curve", judge_load)
