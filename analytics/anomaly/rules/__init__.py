"""Physical rules: what points of equipment say by themselves, without a model of the site. Pure.

Each rule answers fault, normal, inconclusive or not applicable; :func:`judge` asks all of them over one span, usually
the last 24 hours. :func:`learn` makes the reference of curves and usual values that some compare with.
"""

from __future__ import annotations

from analytics.anomaly.rules import (
    affinity,
    air_handler,
    balance,
    chilled_water,
    chiller,
    economizer,
    fighting,
    overcooling,
    phases,
    sensors,
    ups,
    water,
)
from analytics.anomaly.rules.base import Plant, Point, Rule, State, Verdict, plant_of
from analytics.anomaly.rules.learn import learn
from analytics.anomaly.rules.reference import Reference
from analytics.anomaly.rules.settings import DEFAULT, Settings

__all__ = [
    "DEFAULT",
    "RULES",
    "Plant",
    "Point",
    "Reference",
    "Rule",
    "Settings",
    "State",
    "Verdict",
    "judge",
    "learn",
    "plant_of",
]

RULES: tuple[Rule, ...] = (
    ups.LOSS,
    ups.LOAD,
    affinity.LAW,
    affinity.IDLE,
    economizer.RULE,
    sensors.PAIR,
    sensors.FROZEN,
    balance.WATER,
    balance.ORDER,
    air_handler.MIXED,
    air_handler.DAMPER,
    air_handler.COILS,
    air_handler.REACH,
    chilled_water.DIFFERENCE,
    chilled_water.SETPOINT,
    chiller.EFFICIENCY,
    chiller.APPROACH,
    overcooling.INLETS,
    overcooling.HALLS,
    fighting.HEATING,
    fighting.HUMIDITY,
    phases.RULE,
    water.STANDING,
    water.CYCLES,
)
"""Every rule there is."""


def judge(plant: Plant, reference: Reference | None = None, settings: Settings = DEFAULT) -> tuple[Verdict, ...]:
    """What every rule says of one span, in the order of RULES; a rule that does not apply says so once."""
    known = reference if reference is not None else Reference()
    return tuple(verdict for rule in RULES for verdict in rule(plant, known, settings))
