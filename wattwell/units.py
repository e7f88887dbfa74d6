"""Quantity kinds, canonical units and exact conversion.

Every factor is an exact fraction of its definition (a gallon is 3.785411784 L, a foot 0.3048 m, a pound-force
4.4482216152605 N), applied as one multiplication and one division, so a value that is exact in decimal
(812400 Wh) meets its twin (812.4 kWh) in the same double. Temperature and temperature difference are two kinds:
a difference of 1 degF is 5/9 K, a temperature of 1 degF is -17.2 degC. Unit names are case-sensitive: ``mW`` and
``MW`` must never meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import overload

import numpy as np
from numpy.typing import NDArray


class QuantityKind(StrEnum):
    """What a meter measures; the value is the name used in the configuration."""

    ENERGY = "energy"
    POWER = "power"
    WATER = "water"
    FLOW = "flow"
    TEMPERATURE = "temperature"
    TEMPERATURE_DIFFERENCE = "temperature_difference"
    HUMIDITY = "humidity"
    PRESSURE = "pressure"
    RATIO = "ratio"


CANONICAL: dict[QuantityKind, str] = {
    QuantityKind.ENERGY: "kWh",
    QuantityKind.POWER: "kW",
    QuantityKind.WATER: "L",
    QuantityKind.FLOW: "L/s",
    QuantityKind.TEMPERATURE: "degC",
    QuantityKind.TEMPERATURE_DIFFERENCE: "K",
    QuantityKind.HUMIDITY: "1",
    QuantityKind.PRESSURE: "Pa",
    QuantityKind.RATIO: "1",
}
"""The unit in which a quantity is computed and shown."""

AMOUNT_OF: dict[QuantityKind, QuantityKind] = {
    QuantityKind.ENERGY: QuantityKind.ENERGY,
    QuantityKind.POWER: QuantityKind.ENERGY,
    QuantityKind.WATER: QuantityKind.WATER,
    QuantityKind.FLOW: QuantityKind.WATER,
}
"""The amount that an interval value of a quantity is counted in; absent kinds are averaged instead."""


@dataclass(frozen=True, slots=True)
class _Unit:
    scale: Fraction
    zero: Fraction = Fraction(0)
    """canonical = (value - zero) * scale; zero is the reading that stands for canonical 0."""


_F = Fraction
_GALLON_L = _F("3.785411784")  # US liquid gallon: 231 in3, NIST SP 811
_FOOT3_L = _F("28.316846592")  # (0.3048 m)3
_PSI_PA = _F("4.4482216152605") / (_F("0.0254") ** 2)  # pound-force by square inch

_UNITS: dict[QuantityKind, dict[str, _Unit]] = {
    QuantityKind.ENERGY: {
        "Wh": _Unit(_F(1, 1000)),
        "kWh": _Unit(_F(1)),
        "MWh": _Unit(_F(1000)),
        "GWh": _Unit(_F(1_000_000)),
        "J": _Unit(_F(1, 3_600_000)),
        "kJ": _Unit(_F(1, 3600)),
        "MJ": _Unit(_F(1000, 3600)),
        "GJ": _Unit(_F(1_000_000, 3600)),
    },
    QuantityKind.POWER: {"W": _Unit(_F(1, 1000)), "kW": _Unit(_F(1)), "MW": _Unit(_F(1000))},
    QuantityKind.WATER: {
        "L": _Unit(_F(1)),
        "m3": _Unit(_F(1000)),
        "gal": _Unit(_GALLON_L),
        "ft3": _Unit(_FOOT3_L),
    },
    QuantityKind.FLOW: {
        "L/s": _Unit(_F(1)),
        "L/min": _Unit(_F(1, 60)),
        "L/h": _Unit(_F(1, 3600)),
        "m3/h": _Unit(_F(1000, 3600)),
        "gal/min": _Unit(_GALLON_L / 60),
    },
    QuantityKind.TEMPERATURE: {
        "degC": _Unit(_F(1)),
        "degF": _Unit(_F(5, 9), _F(32)),
        "K": _Unit(_F(1), _F("273.15")),
    },
    QuantityKind.TEMPERATURE_DIFFERENCE: {"K": _Unit(_F(1)), "degC": _Unit(_F(1)), "degF": _Unit(_F(5, 9))},
    QuantityKind.HUMIDITY: {"1": _Unit(_F(1)), "%": _Unit(_F(1, 100))},
    QuantityKind.PRESSURE: {
        "Pa": _Unit(_F(1)),
        "hPa": _Unit(_F(100)),
        "kPa": _Unit(_F(1000)),
        "bar": _Unit(_F(100_000)),
        "mbar": _Unit(_F(100)),
        "psi": _Unit(_PSI_PA),
    },
    QuantityKind.RATIO: {"1": _Unit(_F(1)), "%": _Unit(_F(1, 100))},
}


def units_of(kind: QuantityKind) -> tuple[str, ...]:
    """The unit names a quantity may be given in."""
    return tuple(_UNITS[kind])


def is_unit_of(unit: str, kind: QuantityKind) -> bool:
    """Whether ``unit`` measures ``kind``."""
    return unit in _UNITS[kind]


def _times(value: NDArray[np.float64] | float, factor: Fraction) -> NDArray[np.float64] | float:
    if factor.numerator != 1:
        value = value * float(factor.numerator)
    if factor.denominator != 1:
        value = value / float(factor.denominator)
    return value


@overload
def convert(value: float, kind: QuantityKind, source: str, target: str) -> float: ...
@overload
def convert(value: NDArray[np.float64], kind: QuantityKind, source: str, target: str) -> NDArray[np.float64]: ...
def convert(
    value: NDArray[np.float64] | float, kind: QuantityKind, source: str, target: str
) -> NDArray[np.float64] | float:
    """A value, or an array of any shape, of ``kind`` in unit ``source`` as one in ``target``.

    Raises KeyError for a unit that does not measure ``kind``; ask :func:`is_unit_of` first.

    >>> convert(812400.0, QuantityKind.ENERGY, "Wh", "kWh")
    812.4
    >>> convert(212.0, QuantityKind.TEMPERATURE, "degF", "degC")
    100.0
    >>> convert(18.0, QuantityKind.TEMPERATURE_DIFFERENCE, "degF", "K")
    10.0
    """
    if source == target:
        return value
    unit, into = _UNITS[kind][source], _UNITS[kind][target]
    if unit.zero:
        value = value - float(unit.zero)
    value = _times(value, unit.scale / into.scale)
    return value + float(into.zero) if into.zero else value


def scale_to_canonical(kind: QuantityKind, unit: str) -> float:
    """How much of the canonical unit one ``unit`` of an amount or a rate is (no use for temperatures)."""
    return float(_UNITS[kind][unit].scale)


def shown(value: float, digits: int = 6) -> str:
    """A number as people read it: rounded to its first digits, in groups of three, large ones without exponent.

    >>> shown(11891.234, 4), shown(0.3), shown(-1234567.8)
    ('11,890', '0.3', '-1,234,570')
    """
    return f"{float(f'{value:.{digits}g}'):,.15g}"
