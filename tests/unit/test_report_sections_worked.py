"""Sections of a report by worked numbers: one UTC day of quarters of an hour, the same in each."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from analytics.report.energy import energy
from analytics.report.fleet import fleet
from analytics.report.model import Breakdown
from analytics.report.rounding import breakdown, shown
from analytics.report.water import water
from tests.periods import a_period
from tests.sites import DAY, GRID, a_site, meter
from wattwell.model import Meter, Site

N = DAY // GRID


def steady(site: Site, **each: float) -> dict[str, list[float]]:
    return {name: [each[name.replace("-", "_")]] * N for name in site.meters}


def named(found: Breakdown | None) -> dict[str, float]:
    assert found is not None
    assert math.fsum(part.value for part in found.parts) == pytest.approx(found.total)
    return {part.name: part.value / N for part in found.parts}


def test_printed_parts_of_any_size_sum_to_the_printed_total() -> None:
    for values in ([1e24, 3e23, 1.7], [0.5, 0.5, 0.5], [1.5e9, -0.3e9, 0.1], [333.333] * 3):
        found = breakdown("x", "energy", [(str(v), "", v) for v in values], 1.0)
        printed = [Fraction(part.shown.replace(",", "")) for part in found.parts]
        assert sum(printed) == Fraction(found.total_shown.replace(",", "")), values


def test_the_unit_suits_the_largest_amount() -> None:
    pair = [("a", "a", 12_340_000.0), ("b", "b", -2_340_000.0)]
    found = [breakdown("x", kind, pair, 1.0) for kind in ("energy", "water", "mass")]
    assert [(each.unit, each.total_shown) for each in found] == [
        ("GWh", "10.000"),
        ("m3", "10,000.0"),
        ("t", "10,000.0"),
    ]
    assert [part.shown for part in found[0].parts] == ["12.340", "-2.340"]
    assert (shown(-0.0001, 2), shown(-1234.5678, 1)) == ("0.00", "-1,234.6")


@pytest.mark.parametrize(
    ("more", "amounts", "parts"),
    [
        (meter("grey", "water_reclaimed", parent="tap"), {"grey": 2}, {"water_potable": 8, "water_reclaimed": 2}),
        (meter("grey", "water_reclaimed"), {"grey": 2}, {"water_potable": 10, "water_reclaimed": 2}),
        (meter("main", "water_input"), {"main": 3}, {"water_potable": 10, "water_input": 3}),
        (meter("own", "water_recovered"), {"own": 1}, {"water_potable": 10, "water_recovered": 1}),
    ],
)
def test_no_litre_that_comes_in_counts_twice(more: Meter, amounts: dict[str, float], parts: dict[str, float]) -> None:
    site = a_site({"tap": "water_potable"}, more)
    found = water(a_period(site, steady(site, tap=10, **amounts)), 0.5)
    assert named(found.sources) == parts
    assert named(found.uses) == {"other": sum(parts.values())}


@pytest.mark.parametrize(
    ("meters", "uses"),
    [
        (("tower",), {"water_tower_makeup": 8, "other": 2}),
        (("tower", "drain"), {"tower_evaporation": 6, "water_blowdown": 2, "other": 2}),
        (("tower", "back"), {"water_tower_makeup": 8, "water_returned": 3, "other": -1}),
        (("tower", "drain", "back"), {"tower_evaporation": 6, "water_returned": 3, "other": 1}),
    ],
)
def test_water_that_is_returned_is_no_use_without_a_meter(meters: tuple[str, ...], uses: dict[str, float]) -> None:
    roles = {"tower": "water_tower_makeup", "drain": "water_blowdown", "back": "water_returned"}
    site = a_site({"main": "water_input"} | {name: roles[name] for name in meters})
    found = water(a_period(site, steady(site, main=10, tower=8, drain=2, back=3)), 0.5)
    assert named(found.uses) == uses
    assert found.cycles == (4 if "drain" in meters else None)


def test_a_transformer_feeds_more_than_the_ups() -> None:
    site = a_site({"grid": "utility_import", "tr": "transformer", "ups-in": "ups_input", "ups": "it_ups"})
    stages = energy(a_period(site, steady(site, grid=150, tr=148, ups_in=110, ups=99))).stages
    assert [(stage.role, stage.efficiency) for stage in stages] == [
        ("transformer", None),
        ("ups_input", None),
        ("it_ups", 0.9),
    ]


def test_the_plant_sums_to_the_cooling_that_is_used() -> None:
    site = a_site({"grid": "utility_import", "ups": "it_ups", "chiller": "chiller", "fan": "fan"})
    values = steady(site, grid=150, ups=100, chiller=30, fan=5) | {"ups": [math.nan] * 20 + [100.0] * (N - 20)}
    found = energy(a_period(site, values))
    assert found.cooling is not None
    assert found.uses is not None
    assert found.cooling.total == 35 * (N - 20)
    assert found.cooling.total in [part.value for part in found.uses.parts]
    assert found.cooling.usable == found.uses.usable


def test_water_by_different_numerators_is_not_added_up() -> None:
    def report(site: str, numerator: str, litres: float) -> dict[str, object]:
        head = {"id": site, "name": site, "pue_category": 1, "it_power_kw": None, "timezone": "UTC", "currency": None}
        return {
            "site": head | {"wue_numerator": numerator},
            "period": {"key": "2026-10", "name": "October 2026", "window": "month", "over": True},
            "headlines": [{"name": "water", "current": {"value": litres, "provisional": False, "usable": 1.0}}],
            "inputs": {"digest": site, "program": "wattwell"},
            "status": "issued",
            "revision": 1,
            **dict.fromkeys(("kpis", "metrics", "findings"), ()),
        }

    def totals(*reports: dict[str, object]) -> dict[str, float | None]:
        return {one.name: one.value for one in fleet(reports).totals if one.name.startswith("water")}

    a, b, c = report("a", "potable", 5.0), report("b", "total_input", 7.0), report("c", "potable", 2.0)
    assert totals(a, b, c) == {"water_potable": 7.0, "water_total_input": 7.0}
    assert totals(a, c) == {"water": 7.0}
