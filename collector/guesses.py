"""What the name of a value tells of what it measures. Pure.

A guess is for a person to confirm: it fills a proposal, never a meter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wattwell.units import QuantityKind, is_unit_of

_WORD = re.compile(r"[A-Za-z]+[0-9]?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CASED = re.compile(r"([kMGm]?Wh|[kMm]W)(?![a-z])")
"""Units whose prefix only its case tells: a milliwatt-hour is no megawatt-hour."""
_UNITS: dict[str, tuple[QuantityKind, str]] = {
    "wh": (QuantityKind.ENERGY, "Wh"),
    "kwh": (QuantityKind.ENERGY, "kWh"),
    "MWh": (QuantityKind.ENERGY, "MWh"),
    "GWh": (QuantityKind.ENERGY, "GWh"),
    **dict.fromkeys(("w", "watt", "watts"), (QuantityKind.POWER, "W")),
    "kw": (QuantityKind.POWER, "kW"),
    "MW": (QuantityKind.POWER, "MW"),
    **dict.fromkeys(("litre", "litres", "liter", "liters"), (QuantityKind.WATER, "L")),
    "m3": (QuantityKind.WATER, "m3"),
    "celsius": (QuantityKind.TEMPERATURE, "degC"),
    "fahrenheit": (QuantityKind.TEMPERATURE, "degF"),
}
_WORDS: dict[str, QuantityKind] = {
    **dict.fromkeys(("mWh", "mwh", "energy", "consumption", "yieldtotal", "import", "export"), QuantityKind.ENERGY),
    **dict.fromkeys(("power", "apower"), QuantityKind.POWER),
    **dict.fromkeys(("temperature", "temp"), QuantityKind.TEMPERATURE),
    **dict.fromkeys(("humidity", "rh"), QuantityKind.HUMIDITY),
    "pressure": QuantityKind.PRESSURE,
    "flow": QuantityKind.FLOW,
    **dict.fromkeys(("water", "volume"), QuantityKind.WATER),
}
_NOT = {"factor", "apparent", "reactive", "aprt", "on", "behavior", "limit", "max", "min", "percent", "status"}
"""Words beside which "power" or "temperature" is something else."""

Guess = tuple[QuantityKind | None, str | None]
"""Quantity and unit, each None where the name does not tell."""
NOTHING: Guess = (None, None)


def of_name(name: str) -> Guess:
    """What a path, a topic or another name of a value tells; its last words count first.

    >>> of_name("meter.energy_kwh"), of_name("ENERGY.Power")
    ((<QuantityKind.ENERGY: 'energy'>, 'kWh'), (<QuantityKind.POWER: 'power'>, None))
    """
    words = list(reversed(list(_words(name[-200:]))))
    if not _NOT.isdisjoint(words[:3]):
        return NOTHING
    unit = next((_UNITS[word] for word in words[:2] if word in _UNITS), None)
    if unit is not None:
        return (QuantityKind.FLOW, None) if unit[0] is QuantityKind.WATER and "flow" in words else unit
    return next((_WORDS[word] for word in words if word in _WORDS), None), None


def _words(name: str) -> Iterator[str]:
    for position, part in enumerate(_CASED.split(name)):
        if position % 2:
            yield part if part[0] in "MGm" else part.lower()
        else:
            yield from (word.lower() for word in _WORD.findall(_CAMEL.sub(" ", part)))


def of_unit(unit: object) -> Guess:
    """The quantity that a unit measures, where it measures one only."""
    if not isinstance(unit, str):
        return NOTHING
    kinds = [kind for kind in QuantityKind if is_unit_of(unit, kind)]
    kind = QuantityKind.TEMPERATURE if QuantityKind.TEMPERATURE in kinds else kinds[0] if len(kinds) == 1 else None
    return kind, unit if kinds else None
