"""Units: every factor against an independently known number, two kinds of temperature, and ways there and back."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwell.units import AMOUNT_OF, CANONICAL, QuantityKind, convert, is_unit_of, scale_to_canonical, shown, units_of

KIND = QuantityKind
# (kind, unit, how many canonical units one of it is), from the definitions: SI Brochure 9, NIST SP 811 appendix B.8,
# the inch of 25.4 mm, the US gallon of 231 cubic inches, the foot of 0.3048 m, the pound of 0.45359237 kg and
# standard gravity of 9.80665 m/s2.
FACTORS: list[tuple[QuantityKind, str, Fraction]] = [
    (KIND.ENERGY, "Wh", Fraction("0.001")),
    (KIND.ENERGY, "kWh", Fraction(1)),
    (KIND.ENERGY, "MWh", Fraction(10**3)),
    (KIND.ENERGY, "GWh", Fraction(10**6)),
    (KIND.ENERGY, "J", 1 / Fraction(3_600_000)),
    (KIND.ENERGY, "kJ", 1 / Fraction(3600)),
    (KIND.ENERGY, "MJ", 1 / Fraction("3.6")),
    (KIND.ENERGY, "GJ", 1 / Fraction("0.0036")),
    (KIND.POWER, "W", Fraction("0.001")),
    (KIND.POWER, "kW", Fraction(1)),
    (KIND.POWER, "MW", Fraction(1000)),
    (KIND.WATER, "L", Fraction(1)),
    (KIND.WATER, "m3", Fraction(1000)),
    (KIND.WATER, "gal", 231 * Fraction("0.254") ** 3),
    (KIND.WATER, "ft3", 1728 * Fraction("0.254") ** 3),
    (KIND.FLOW, "L/s", Fraction(1)),
    (KIND.FLOW, "L/min", 1 / Fraction(60)),
    (KIND.FLOW, "L/h", 1 / Fraction(3600)),
    (KIND.FLOW, "m3/h", 1 / Fraction("3.6")),
    (KIND.FLOW, "gal/min", 231 * Fraction("0.254") ** 3 / 60),
    (KIND.TEMPERATURE_DIFFERENCE, "K", Fraction(1)),
    (KIND.TEMPERATURE_DIFFERENCE, "degC", Fraction(1)),
    (KIND.TEMPERATURE_DIFFERENCE, "degF", Fraction(100, 180)),
    (KIND.HUMIDITY, "1", Fraction(1)),
    (KIND.HUMIDITY, "%", Fraction(1, 100)),
    (KIND.PRESSURE, "Pa", Fraction(1)),
    (KIND.PRESSURE, "hPa", Fraction(100)),
    (KIND.PRESSURE, "kPa", Fraction(1000)),
    (KIND.PRESSURE, "bar", Fraction(100_000)),
    (KIND.PRESSURE, "mbar", Fraction(100)),
    (KIND.PRESSURE, "psi", Fraction("0.45359237") * Fraction("9.80665") / Fraction("0.0254") ** 2),
    (KIND.RATIO, "1", Fraction(1)),
    (KIND.RATIO, "%", Fraction(1, 100)),
]
# Two points of each thermometer: water freezes and boils; the scales meet at -40.
TEMPERATURES = [
    ("degC", 0.0, 0.0),
    ("degC", 100.0, 100.0),
    ("degF", 32.0, 0.0),
    ("degF", 212.0, 100.0),
    ("degF", -40.0, -40.0),
    ("K", 273.15, 0.0),
    ("K", 373.15, 100.0),
    ("K", 0.0, -273.15),
]


@pytest.mark.parametrize(("kind", "unit", "factor"), FACTORS, ids=[f"{k.value} {u}" for k, u, _ in FACTORS])
def test_each_factor_is_the_exact_one(kind: QuantityKind, unit: str, factor: Fraction) -> None:
    assert scale_to_canonical(kind, unit) == float(factor)
    for number in (1.0, 3.0, 812400.0, 0.1):
        exact = float(Fraction(number) * factor)
        assert abs(convert(number, kind, unit, CANONICAL[kind]) - exact) <= 2 * math.ulp(exact)


@pytest.mark.parametrize(("unit", "shown", "celsius"), TEMPERATURES)
def test_temperatures(unit: str, shown: float, celsius: float) -> None:
    assert convert(shown, KIND.TEMPERATURE, unit, "degC") == pytest.approx(celsius, abs=1e-12)
    assert convert(celsius, KIND.TEMPERATURE, "degC", unit) == pytest.approx(shown, abs=1e-12)


def test_the_table_names_every_unit() -> None:
    listed = {(kind, unit) for kind, unit, _ in FACTORS} | {(KIND.TEMPERATURE, unit) for unit, *_ in TEMPERATURES}
    assert listed == {(kind, unit) for kind in QuantityKind for unit in units_of(kind)}
    assert all(is_unit_of(unit, kind) for kind, unit in CANONICAL.items())


def test_a_difference_is_no_temperature() -> None:
    assert convert(9.0, KIND.TEMPERATURE_DIFFERENCE, "degF", "K") == 5.0
    assert convert(9.0, KIND.TEMPERATURE, "degF", "degC") == pytest.approx(-115 / 9)
    assert convert(5.0, KIND.TEMPERATURE_DIFFERENCE, "degC", "K") == 5.0
    assert convert(5.0, KIND.TEMPERATURE, "degC", "K") == 278.15


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ((812400.0, "Wh"), (812.4, "kWh"), KIND.ENERGY),
        ((0.8124, "MWh"), (812.4, "kWh"), KIND.ENERGY),
        ((3.6, "MJ"), (1.0, "kWh"), KIND.ENERGY),
        ((1.234, "m3"), (1234.0, "L"), KIND.WATER),
        ((45.5, "%"), (0.455, "1"), KIND.HUMIDITY),
        ((1.01325, "bar"), (101325.0, "Pa"), KIND.PRESSURE),
        ((60.0, "L/min"), (1.0, "L/s"), KIND.FLOW),
    ],
)
def test_what_is_exact_in_decimal_meets_its_twin(
    one: tuple[float, str], other: tuple[float, str], kind: QuantityKind
) -> None:
    assert convert(*one[:1], kind, one[1], other[1]) == other[0]


def test_case_matters_and_kinds_do_not_mix() -> None:
    assert is_unit_of("MW", KIND.POWER)
    for unit, kind in (
        ("mW", KIND.POWER),
        ("kwh", KIND.ENERGY),
        ("l", KIND.WATER),
        ("kWh", KIND.POWER),
        ("", KIND.RATIO),
    ):
        assert not is_unit_of(unit, kind)
        with pytest.raises(KeyError):
            convert(1.0, kind, unit, CANONICAL[kind])


def test_amounts_are_those_of_energy_and_water_and_their_rates() -> None:
    assert AMOUNT_OF == {
        KIND.ENERGY: KIND.ENERGY,
        KIND.POWER: KIND.ENERGY,
        KIND.WATER: KIND.WATER,
        KIND.FLOW: KIND.WATER,
    }


@given(value=st.floats(-1e12, 1e12), data=st.data())
def test_there_and_back(value: float, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(QuantityKind)))
    source, target = data.draw(st.sampled_from(units_of(kind))), data.draw(st.sampled_from(units_of(kind)))
    there = convert(value, kind, source, target)
    assert convert(there, kind, target, source) == pytest.approx(value, rel=1e-12, abs=1e-9)


@given(values=st.lists(st.floats(-1e9, 1e9), max_size=5), data=st.data())
def test_an_array_is_converted_like_its_numbers(values: list[float], data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(QuantityKind)))
    source, target = data.draw(st.sampled_from(units_of(kind))), data.draw(st.sampled_from(units_of(kind)))
    column = np.array(values, dtype=np.float64)
    before = column.tobytes()
    assert convert(column, kind, source, target).tolist() == [convert(each, kind, source, target) for each in values]
    assert column.tobytes() == before


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (11891.234, 4, "11,890"),
        (12345678.9, 6, "12,345,700"),
        (-1e12, 6, "-1,000,000,000,000"),
        (0.30000000000000004, 4, "0.3"),
        (99999.96, 6, "100,000"),
        (0.0, 6, "0"),
    ],
)
def test_numbers_for_people(value: float, digits: int, text: str) -> None:
    assert shown(value, digits) == text
