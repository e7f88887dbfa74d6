"""What can be wrong with a plant, which streams show it first, and which others follow from it.

Causes are tried from the most upstream one down: a sensor that reads wrong moves dampers, dampers move chillers,
chillers move towers. A symptom that an upstream cause explains is evidence of that cause and no finding of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

_HEAT = ("fan", "chiller", "pump", "tower", "evaporative", "tower_water", "evaporative_water", "outdoor_air")
"""What follows from more heat in the halls."""
_AIR = (*_HEAT, "humidifier", "supply", "hall", "chw_supply", "site_water", "cooling_other")
"""What follows from how outdoor air is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One kind of fault."""

    family: str
    shown_by: tuple[tuple[str, int], ...]
    """(kind of stream, which way: +1, -1, 0 either) that tell it by themselves."""
    moves: tuple[str, ...]
    """Kinds of streams that follow from it."""
    counts: str | None = None
    """The kind whose excess stands for the machine itself, in place of the same machine's weather stream."""
    costs: bool = False
    """Whether it is a finding only where something that follows from it draws more."""
    unless: str | None = None
    """A kind of stream that would show the cause better: where the site has it, this one says nothing."""
    heats: bool = False
    """Whether other plant follows only because it takes the heat away: that costs no more than a share of it."""
    patient: bool = False
    """Whether its symptom may as well follow from something upstream that shows later: it is waited for."""


CAUSES = (
    Cause(
        family="sensor_bias", shown_by=(("outdoor_sensor", 0), ("hall_sensor", 0), ("supply_sensor", -1)), moves=_AIR
    ),
    Cause(family="overcooling", shown_by=(("hall", -1),), moves=_AIR),
    Cause(family="economizer", shown_by=(("outdoor_air", 0),), moves=_AIR, costs=True, patient=True),
    Cause(
        family="chilled_water_setpoint",
        shown_by=(("chw_supply", -1),),
        moves=("chiller", "chiller_curve", "pump", "tower", "tower_water"),
        counts="chiller_curve",
    ),
    Cause(family="overcooling", shown_by=(("supply", -1),), moves=_AIR),
    Cause(
        family="chiller_efficiency",
        shown_by=(("chiller_curve", 1),),
        moves=("chiller", "pump", "tower", "tower_water"),
        counts="chiller_curve",
    ),
    Cause(
        family="unexpected_load", shown_by=(("other", 1), ("lighting", 1), ("unmetered", 1)), moves=_HEAT, heats=True
    ),
    Cause(family="ups_loss", shown_by=(("ups_loss", 1),), moves=_HEAT, heats=True),
    Cause(family="pump_power", shown_by=(("pump", 1),), moves=("tower", "tower_water"), patient=True),
    Cause(family="fan_power", shown_by=(("fan", 1),), moves=("chiller", "evaporative"), heats=True, patient=True),
    Cause(family="water_use", shown_by=(("water_balance", 1),), moves=()),
    Cause(
        family="chiller_efficiency",
        shown_by=(("chiller", 1),),
        moves=("tower", "pump", "tower_water"),
        unless="chiller_curve",
        patient=True,
    ),
    Cause(family="fan_power", shown_by=(("tower", 1),), moves=("tower_water",), patient=True),
    Cause(family="other", shown_by=(("cooling_other", 1),), moves=(), patient=True),
    Cause(
        family="unexpected_load",
        shown_by=(("evaporative", 1), ("humidifier", 1)),
        moves=("evaporative_water",),
        patient=True,
    ),
    Cause(
        family="water_use",
        shown_by=(("tower_water", 1), ("evaporative_water", 1), ("site_water", 1)),
        moves=(),
        patient=True,
    ),
    Cause(family="pue_drift", shown_by=(("overhead", 1),), moves=(), patient=True),
    Cause(family="metering", shown_by=(), moves=()),
)
"""Most upstream first; the last is told by no stream alone, but by two that contradict each other."""
METERING = len(CAUSES) - 1


def shown(cause: Cause, kind: str, sign: int) -> bool:
    """Whether a departure of this kind and direction tells the cause by itself."""
    return any(kind == one and way in (0, sign) for one, way in cause.shown_by)


def explains(cause: Cause, kind: str) -> bool:
    """Whether a departure of this kind may follow from the cause."""
    return kind in cause.moves or any(kind == one for one, _ in cause.shown_by)
