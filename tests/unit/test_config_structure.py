"""Formulas, the tree, and nothing counted twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wattwell.config import parse, structure
from wattwell.config.structure import parse_formula
from wattwell.errors import ConfigError
from wattwell.roles import COOLING_ROLES, ROLES, SENSOR_ROLES, energy_dc_terms, kpi_sides
from wattwell.units import QuantityKind

README_ROLES = """
utility_import generator onsite_renewable fuel cooling_import grid_export heat_reuse
it_ups it_pdu it_equipment transformer ups_input pdu_input chiller crah crac ahu fan pump cooling_tower
dry_cooler evaporative_cooler humidifier cooling_other lighting other water_input water_potable water_reclaimed
water_rain water_recovered water_tower_makeup water_evaporative water_blowdown water_returned heat_removed
outdoor_dry_bulb outdoor_wet_bulb outdoor_humidity supply_air return_air mixed_air rack_inlet rack_outlet hall_air
hall_humidity chw_supply chw_return cw_supply cw_return chw_flow cw_flow setpoint fan_speed valve cooling_valve
heating_valve damper outdoor_air_fraction status
"""


def meter(text: str) -> dict[str, Any]:
    """``id:role<parent = formula``, each part but the id optional; a real meter is a power."""
    head, _, formula = text.partition(" = ")
    head, _, parent = head.partition("<")
    identity, _, role = head.partition(":")
    document: dict[str, Any] = {"id": identity, "quantity": "power"}
    document |= {"formula": formula} if formula else {"accumulation": "instantaneous"}
    return document | ({"role": role} if role else {}) | ({"parent": parent} if parent else {})


def remedies(*meters: str, category: int = 1, **more: dict[str, Any]) -> list[str]:
    documents = [meter(text) | more.get(text[0], {}) for text in meters]
    site = {"id": "s", "timezone": "Etc/UTC", "pue_category": category, "meters": documents}
    try:
        parse({"sites": [site]}, Path())
    except ConfigError as error:
        return [fault.remedy for fault in error.faults]
    return []


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a", ((1, "a"),)),
        ("a + b - c", ((1, "a"), (1, "b"), (-1, "c"))),
        ("-a + b", ((-1, "a"), (1, "b"))),
        ("- a - a-b", ((-1, "a"), (-1, "a-b"))),
    ],
)
def test_formulas(text: str, terms: Any) -> None:
    assert parse_formula(text) == terms


@pytest.mark.parametrize("text", ["", " ", "+", "a b", "a +", "a + - b", "a - ", "- + a"])
def test_formulas_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"a \+ b - c"):
        parse_formula(text)


COUNTED_TWICE = [
    ("a:it_ups", "b:it_ups<a"),
    ("a:it_ups", "b<a", "c:it_ups<b"),
    ("a", "v:it_ups = a", "w:it_ups = a"),
    ("a:it_ups", "v:it_ups = a"),
    ("a", "b<a", "v:it_ups = a + b"),
    ("a", "b<a", "v:it_ups = a", "w = b", "x:it_ups = w"),
    ("a", "v:it_ups = a + a"),
    ("a", "b", "c<v", "v:it_ups = a + b", "d:it_ups = c"),
    ("a:it_ups", "b", "v:it_ups<a = b"),
    ("a", "b<a", "v:it_ups = a - b - b"),
    ("a", "b<a", "c<b", "v:it_ups = a - b - c"),
    ("g:utility_import", "e:generator<g"),
    ("x:grid_export", "y:grid_export<x"),
    ("p:onsite_renewable", "q:onsite_renewable<p"),
    ("c:chiller", "f:fan<c"),
    ("a:lighting", "b:lighting<a"),
]


@pytest.mark.parametrize("meters", COUNTED_TWICE, ids=" ".join)
def test_energy_reached_twice_is_a_fault(meters: tuple[str, ...]) -> None:
    found = remedies(*meters)
    assert len(found) == 1
    assert "twice" in found[0]


COUNTED_ONCE = [
    ("a:it_ups", "b:it_pdu<a", "c:it_equipment<b", "d:it_equipment<c"),
    ("a:it_ups", "b:it_ups"),
    ("a", "b<a", "v:it_ups = a - b", "w:it_ups = b"),
    ("a", "b<a", "c<b", "v:it_ups = a - b + c"),
    ("a", "b", "v:it_ups = a + b - a", "w:it_ups = a"),
    ("a<v", "b<v", "v:it_ups = a + b"),
    ("g:utility_import", "x:grid_export<g"),
    ("f:fuel", "e:generator<f"),
    ("f:fuel", "m<f", "e:generator<m"),
    ("a", "v = a + a"),
    ("u:ups_input", "i:it_ups<u"),
    ("a:chiller", "l:lighting<a"),
    ("a:pdu_input", "b:pdu_input<a"),
]


@pytest.mark.parametrize("meters", COUNTED_ONCE, ids=" ".join)
def test_energy_reached_once_is_right(meters: tuple[str, ...]) -> None:
    assert remedies(*meters, f={"weight": 1}) == []


def test_the_side_of_it_follows_the_category() -> None:
    meters = ("c:it_equipment", "d:it_equipment<c")
    assert remedies(*meters, category=2) == []
    assert "E_IT" in remedies(*meters, category=3)[0]


def test_both_meters_and_the_way_are_named() -> None:
    (found,) = remedies("a", "b<a", "v:it_ups = a", "w = b", "x:it_ups = w")
    assert "b (through x > w) lies below a (through v)" in found
    assert "take the role from v or x" in found


def test_meters_that_never_serve_together_may_share_a_branch() -> None:
    old, new = {"until": "2026-01-01"}, {"from": "2026-01-01"}
    assert remedies("a:it_ups", "b:it_ups<a", a=old, b=new) == []
    assert len(remedies("a:it_ups", "b:it_ups<a", a={"until": "2026-01-02"}, b=new)) == 1


def test_circles_are_one_fault_each() -> None:
    assert ["circle" in found for found in remedies("a<b", "b<c", "c<a", "d<a")] == [True]
    assert ["circle" in found for found in remedies("a = b", "b = c - d", "c = a", "d", "e = a + d")] == [True]


def test_endless_formulas_end() -> None:
    doubled = [f"{chr(98 + n)} = {chr(97 + n)} + {chr(97 + n)}" for n in range(20)]
    assert "simplify" in remedies("a", *doubled, "z:it_ups = u")[0]


def test_many_meters_are_no_large_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structure, "_MORE_TERMS", 5)
    many = [f"m{number}" for number in range(20)]
    assert remedies(*(f"{name}:it_ups" for name in many)) == []
    assert remedies(*many, f"it:it_ups = {' + '.join(many)}") == []
    assert "simplify" in remedies(*many, f"half = {' + '.join(many)}", "it:it_ups = half + half")[0]
    deep = [f"m{n} = m{n - 1}" for n in range(1, 1500)]
    assert remedies("m0", *deep, "z:it_ups = m1499") == []


def test_every_role_of_the_interface_is_known() -> None:
    assert set(ROLES) == set(README_ROLES.split())
    assert set(SENSOR_ROLES) <= set(ROLES)
    assert all(ROLES[role] == {QuantityKind.ENERGY, QuantityKind.POWER} for role in COOLING_ROLES)


class Placed:
    def __init__(self, role: str | None, parent: str | None = None) -> None:
        self.role = role
        self.parent = parent


def test_the_terms_of_e_dc() -> None:
    meters = {
        "grid": Placed("utility_import"),
        "out": Placed("grid_export", "grid"),
        "gas": Placed("fuel"),
        "engine": Placed("generator", "gas"),
        "diesel": Placed("generator"),
        "heat": Placed("heat_reuse"),
    }
    assert energy_dc_terms(meters) == ((1, "grid"), (-1, "out"), (1, "gas"), (1, "diesel"))
    assert list(kpi_sides(meters, None)) == ["E_DC", "heat reuse"]
