"""Every KPI against numbers worked by hand (METRICS)."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import pytest

from analytics.kpi import KPIS
from tests.sites import DAY, GRID, T0, Cells, a_site, certificate, codes, kpi, meter
from wattwell.intervals import Interval
from wattwell.model import Site

NAN = math.nan
PLANT = {
    "grid": "utility_import",
    "ups-in": "ups_input",
    "ups-out": "it_ups",
    "chiller": "chiller",
    "fans": "crah",
    "lights": "lighting",
    "house": "other",
}
LOADS = {"grid": [150.0], "ups-in": [110.0], "ups-out": [100.0], "chiller": [25.0], "fans": [5.0], "lights": [4.0]}


def retired(kind: str, kwh: float, start: int = T0, end: int = T0 + DAY) -> object:
    return certificate(kind, "retired", kwh, start, end, retired=date(2026, 2, 1))


@pytest.mark.parametrize(
    ("name", "numerator", "denominator"),
    [
        ("pue", 150, 100),
        ("dcie", 100, 150),
        ("ups_efficiency", 100, 110),
        ("ppue_cooling", 130, 100),
        ("ppue_power_chain", 110, 100),
        ("ppue_lighting", 104, 100),
        ("ppue_other", 106, 100),
        ("overhead_cooling", 30, 100),
        ("overhead_power_chain", 10, 100),
        ("overhead_lighting", 4, 100),
        ("overhead_other", 6, 100),
        ("peak_demand_kw", 150, 0.25),
        ("load_factor", 600, 600),
    ],
)
def test_one_plant(name: str, numerator: float, denominator: float) -> None:
    found = kpi(a_site(PLANT), LOADS, name)
    assert (found.numerator, found.denominator, found.value) == (numerator, denominator, numerator / denominator)
    assert (found.usable, found.coverage, found.estimated, found.provisional, found.issues) == (1, 1, 0, False, ())


def test_every_kpi_of_the_first_release_is_there() -> None:
    parts = [
        f"{kind}_{part}" for kind in ("ppue", "overhead") for part in ("cooling", "power_chain", "lighting", "other")
    ]
    later = ["cue_location", "cue_market", "wue_source", "erf", "ere", "cer", "water_reclaimed_share"]
    power = ["ups_efficiency", "peak_demand_kw", "load_factor"]
    assert set(KPIS) == {"pue", "wue", "ref", "dcie", "cfe", *power, *later, *parts}


def test_category_and_unit_stand_where_e_it_is_used() -> None:
    site = a_site(PLANT | {"water": "water_input"})
    found = {name: kpi(site, LOADS | {"water": [80.0]}, name) for name in KPIS}
    without = {"ref", "ups_efficiency", "peak_demand_kw", "load_factor", "cfe", "erf", "cer", "water_reclaimed_share"}
    assert {name for name, value in found.items() if value.category is None} == without
    assert {value.category for name, value in found.items() if name not in without} == {1}
    assert (found["wue"].unit, found["wue"].value, found["peak_demand_kw"].unit) == ("L/kWh", 0.8, "kW")


def test_a_ratio_of_sums_not_a_mean_of_ratios() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups"})
    assert kpi(site, {"grid": [150, 30], "it": [100, 10]}, "pue").value == 180 / 110


def test_what_is_not_metered_is_in_other() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups", "chiller": "chiller"})
    loads = {"grid": [150.0], "it": [100.0], "chiller": [25.0]}
    assert kpi(site, loads, "overhead_other").numerator == 25
    for part, role in (("power_chain", "ups_input"), ("lighting", "lighting")):
        missing = kpi(site, loads, f"overhead_{part}")
        assert (missing.value, missing.numerator, codes(missing)) == (None, None, ["input.missing"])
        assert role in missing.issues[0].message


# -- E_DC and E_IT ------------------------------------------------------------------------------------------------


def test_energy_in_by_weight_less_export() -> None:
    site = a_site(
        {
            "grid": "utility_import",
            "pv": "onsite_renewable",
            "out": "grid_export",
            "reuse": "heat_reuse",
            "it": "it_ups",
        },
        meter("steam", "cooling_import", weight=0.5),
        meter("gas", "fuel", weight=0.25),
    )
    loads = {"grid": [60.0], "pv": [80.0], "out": [20.0], "reuse": [30.0], "it": [100.0], "steam": [10.0], "gas": [8.0]}
    assert kpi(site, loads, "pue").numerator == 60 + 80 - 20 + 0.5 * 10 + 0.25 * 8


def test_a_generator_under_its_metered_fuel_counts_once() -> None:
    fuel = meter("diesel", "fuel", weight=1.0)
    loads = {"grid": [50.0], "diesel": [90.0], "genset": [30.0], "it": [100.0]}
    roles = {"grid": "utility_import", "it": "it_ups"}
    below = a_site(roles, fuel, meter("genset", "generator", parent="diesel"))
    assert kpi(below, loads, "pue").numerator == 140
    between = a_site(roles | {"tank": None}, fuel, meter("genset", "generator", parent="tank"))
    tank = replace(between.meters["tank"], parent="diesel")
    assert kpi(replace(between, meters=between.meters | {"tank": tank}), loads, "pue").numerator == 140
    alone = a_site(roles, meter("genset", "generator"))
    assert kpi(alone, {k: v for k, v in loads.items() if k != "diesel"}, "pue").numerator == 80


@pytest.mark.parametrize(("category", "e_it"), [(1, 100), (2, 96), (3, 90)])
def test_e_it_is_taken_at_the_declared_category_alone(category: int, e_it: float) -> None:
    site = a_site({"grid": "utility_import", "u": "it_ups", "p": "it_pdu", "e": "it_equipment"}, pue_category=category)
    found = kpi(site, {"grid": [150.0], "u": [100.0], "p": [96.0], "e": [90.0]}, "pue")
    assert (found.denominator, found.category) == (e_it, category)
    other = a_site({"grid": "utility_import", "u": "it_ups"}, pue_category=category)
    missing = kpi(other, {"grid": [150.0], "u": [100.0]}, "pue")
    assert (missing.value is None, codes(missing) == ["input.missing"]) == (category != 1, category != 1)


def test_peak_is_of_all_imports_together_in_one_interval() -> None:
    site = a_site({"a": "utility_import", "b": "utility_import", "pv": "onsite_renewable"})
    loads = {"a": [10, 4, 1, 9], "b": [1, 6, 12, NAN], "pv": [50, 50, 50, 50]}
    found = kpi(site, loads, "peak_demand_kw")
    assert (found.value, found.usable) == (13 / 0.25, 0.75)


# -- boundary faults ----------------------------------------------------------------------------------------------

BELOW = ("pue", "dcie", "ppue_cooling", "ppue_other", "overhead_cooling", "overhead_other")


@pytest.mark.parametrize("name", BELOW)
def test_e_it_above_e_dc_leaves_no_value_but_shows_both_sums(name: str) -> None:
    found = kpi(a_site(PLANT), LOADS | {"grid": [99.0]}, name)
    assert (found.value, codes(found), found.provisional) == (None, ["pue.below_one"], False)
    assert found.numerator is not None
    assert {found.numerator, found.denominator} >= {100.0}


def test_a_rounding_above_e_dc_is_no_fault() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups"})
    assert kpi(site, {"grid": [100.0], "it": [100.0 * (1 + 0.9e-9)]}, "pue").value == pytest.approx(1)
    assert codes(kpi(site, {"grid": [100.0], "it": [100.0 * (1 + 1.1e-9)]}, "pue")) == ["pue.below_one"]


def test_in_one_interval_batteries_may_carry_the_load() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups"})
    assert kpi(site, {"grid": [0, 260], "it": [100, 100]}, "pue").value == 1.3


def test_wue_ref_and_ups_efficiency_do_not_depend_on_the_boundary() -> None:
    site = a_site({"grid": "utility_import", "u": "ups_input", "it": "it_ups", "w": "water_input"}, certificates=())
    loads = {"grid": [90.0], "u": [110.0], "it": [100.0], "w": [50.0]}
    assert [kpi(site, loads, name).value for name in ("wue", "ref", "ups_efficiency")] == [0.5, 0, 100 / 110]


@pytest.mark.parametrize(("it", "code"), [(0.0, "denominator.zero"), (-5.0, "denominator.negative")])
def test_a_denominator_of_nothing_or_less(it: float, code: str) -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups", "w": "water_input"})
    loads = {"grid": [150.0, 150.0], "it": [it, 0.0], "w": [80.0, 0.0]}
    for name, numerator in (("pue", 300.0), ("wue", 80.0)):
        found = kpi(site, loads, name)
        assert (found.value, found.numerator, found.denominator, codes(found)) == (None, numerator, it, [code])


def test_a_negative_e_dc_gives_no_renewable_share() -> None:
    site = a_site({"grid": "utility_import", "out": "grid_export", "pv": "onsite_renewable"})
    found = kpi(site, {"grid": [1.0], "out": [9.0], "pv": [2.0]}, "ref")
    assert (found.value, codes(found)) == (None, ["denominator.negative"])


def test_zero_after_load_is_zero_and_not_a_rounding() -> None:
    """The load of earlier in the day leaves nothing behind in a later window's sum."""
    site = a_site({"grid": "utility_import", "it": "it_ups"})
    store = Cells()
    store.put("grid", [0.1, 0.7, 1e9, 0.1, 0.1], start=T0 - 3 * GRID)
    store.put("it", [0.1, 0.7, 1e8, 0.05, 0.0], start=T0 - 3 * GRID)
    both = kpi(site, store, "pue")
    assert (both.numerator, both.denominator) == (0.2, 0.05)


def test_nothing_usable_shows_no_sums() -> None:
    found = kpi(a_site({"grid": "utility_import", "it": "it_ups"}), {"grid": [NAN], "it": [1.0]}, "peak_demand_kw")
    assert (found.value, found.numerator, found.denominator, codes(found)) == (
        None,
        None,
        None,
        ["coverage.insufficient"],
    )


# -- water --------------------------------------------------------------------------------------------------------


def water_site(numerator: str, *, returned: bool = True) -> Site:
    roles = {"grid": "utility_import", "it": "it_ups", "rain": "water_rain", "own": "water_reclaimed"}
    more = [
        meter("main", "water_input"),
        meter("drink", "water_potable", parent="main"),
        meter("grey", "water_reclaimed", parent="junction"),
        meter("junction", None, parent="main"),
        meter("tower", "water_tower_makeup", parent="main"),
        *([meter("back", "water_returned")] if returned else []),
    ]
    return a_site(roles, *more, wue_numerator=numerator)


WATER = {"main": [100.0], "drink": [40.0], "grey": [30.0], "rain": [7.0], "own": [5.0], "back": [20.0], "it": [50.0]}


@pytest.mark.parametrize(
    ("numerator", "litres"),
    [("total_input", 112), ("potable", 40), ("fresh", 112 - 35), ("consumed", 112 - 20)],
)
def test_wue_numerators_with_trees(numerator: str, litres: float) -> None:
    found = kpi(water_site(numerator), WATER | {"tower": [60.0]}, "wue")
    assert (found.numerator, found.value, found.basis, found.unit) == (litres, litres / 50, numerator, "L/kWh")


def test_what_a_wue_numerator_does_not_need_may_be_missing() -> None:
    assert kpi(water_site("potable"), WATER | {"main": [NAN], "back": [NAN]}, "wue").usable == 1
    assert kpi(water_site("total_input"), WATER | {"drink": [NAN], "grey": [NAN]}, "wue").usable == 1
    assert kpi(water_site("fresh"), WATER | {"grey": [NAN]}, "wue").usable == 0
    assert kpi(water_site("consumed"), WATER | {"back": [NAN]}, "wue").usable == 0


def test_consumed_water_needs_its_return_metered() -> None:
    found = kpi(water_site("consumed", returned=False), WATER, "wue")
    assert (found.value, codes(found), found.basis) == (None, ["input.missing"], "consumed")
    dry = kpi(a_site({"grid": "utility_import", "it": "it_ups"}), {"grid": [2.0], "it": [1.0]}, "wue")
    assert (dry.value, codes(dry)) == (None, ["input.missing"])


# -- renewables ---------------------------------------------------------------------------------------------------

SUN = {"grid": "utility_import", "pv": "onsite_renewable", "out": "grid_export"}


def test_ref_takes_what_stayed_on_the_site() -> None:
    found = kpi(a_site(SUN), {"grid": [60.0], "pv": [80.0], "out": [20.0]}, "ref")
    assert (found.value, found.numerator, found.denominator, found.basis) == (0.5, 60, 120, "on-site")


def test_ref_compares_pv_and_export_interval_by_interval() -> None:
    """By night a battery's export is not PV's: 80 - 20 by day, 0 - 0 by night, not 80 - 50."""
    found = kpi(a_site(SUN), {"grid": [60.0, 90.0], "pv": [80.0, 0.0], "out": [20.0, 30.0]}, "ref")
    assert (found.numerator, found.denominator) == (60, 180)


@pytest.mark.parametrize("roles", [SUN, {k: v for k, v in SUN.items() if k != "out"}])
def test_an_inverter_that_draws_power_by_night_renews_nothing(roles: dict[str, str]) -> None:
    assert kpi(a_site(roles), {"grid": [10.0], "pv": [-1.0], "out": [0.0]}, "ref").numerator == 0


def test_ref_without_pv_or_certificates_has_no_value() -> None:
    found = kpi(a_site({"grid": "utility_import"}), {"grid": [10.0]}, "ref")
    assert (found.value, codes(found)) == (None, ["input.missing"])


def test_certificates_count_when_retired_with_a_date() -> None:
    rows = (
        retired("ppa", 9.6),
        retired("certificate", 19.2),
        certificate("certificate", "held", 960.0, T0, T0 + DAY),
        certificate("ppa", "sold", 960.0, T0, T0 + DAY),
        certificate("certificate", "retired", 960.0, T0, T0 + DAY),
        retired("onsite", 960.0),
    )
    found = kpi(a_site({"grid": "utility_import"}, certificates=rows), {"grid": [1.0] * 96}, "ref")
    assert found.value == pytest.approx(28.8 / 96)
    assert found.parts == pytest.approx({"onsite": 0, "ppa": 0.1, "certificate": 0.2})
    assert found.basis == "on-site, ppa and certificate"


def test_sold_onsite_energy_is_taken_off_the_onsite_part_alone() -> None:
    sold = certificate("onsite", "sold", 9600.0, T0, T0 + DAY)
    rows = (sold, retired("ppa", 960.0))
    loads = {"grid": [60.0] * 2, "pv": [80.0] * 2, "out": [20.0] * 2}
    found = kpi(a_site(SUN, certificates=rows), loads, "ref")
    assert found.parts == pytest.approx({"onsite": 0, "ppa": 20 / 240, "certificate": 0})
    some = kpi(a_site(SUN, certificates=(replace(sold, kwh=960.0),)), loads, "ref")
    assert some.numerator == pytest.approx(120 - 20)


def test_the_renewable_part_is_capped_at_e_dc_over_the_window() -> None:
    site = a_site({"grid": "utility_import"}, certificates=(retired("ppa", 96 * 7.0),))
    found = kpi(site, {"grid": [1.0, 9.0, 10.0]}, "ref")
    assert (found.value, found.numerator) == (1, 20)
    assert found.parts["ppa"] == pytest.approx(21 / 20)


def test_a_certificate_serves_a_window_by_the_usable_intervals_in_it() -> None:
    """A row over two of four intervals and beyond, one of them not usable: half of its energy an interval."""
    row = retired("ppa", 4.0, T0 + 2 * GRID, T0 + 6 * GRID)
    site = a_site({"grid": "utility_import"}, certificates=(row,))
    whole = kpi(site, {"grid": [10.0, 10.0, 10.0, 10.0]}, "ref")
    assert (whole.numerator, whole.denominator) == (pytest.approx(2.0), 40)
    holed = kpi(site, {"grid": [10.0, 10.0, NAN, 10.0]}, "ref")
    assert (holed.numerator, holed.denominator) == (pytest.approx(1.0), 30)


# -- meters in and out of service ---------------------------------------------------------------------------------


def serving(id: str, role: str | None, start: int = -(2**62), end: int = 2**62) -> object:
    return meter(id, role, in_service=Interval(start, end))


def test_a_meter_out_of_service_is_neither_needed_nor_counted() -> None:
    site = a_site(
        {"grid": "utility_import", "a": "it_ups"},
        serving("b", "it_ups", start=T0 + GRID),
        serving("old", "it_ups", end=T0 + 2 * GRID),
    )
    loads = {"grid": [100.0] * 3, "a": [10.0] * 3, "b": [7.0, 5.0, 5.0], "old": [1.0, 1.0, 9.0]}
    assert kpi(site, loads, "pue").denominator == 11 + 16 + 15
    store = Cells()
    store.put("grid", [100.0] * 3)
    store.put("a", [10.0] * 3, 0.9)
    store.put("b", [NAN, 5.0, 5.0], 0.6)
    store.put("old", [1.0, 1.0], 0.3)
    found = kpi(site, store, "pue")
    assert (found.usable, found.coverage) == (1, pytest.approx((0.3 + 0.3 + 0.6) / 3))


def test_before_a_subsystem_is_metered_it_is_in_other() -> None:
    site = a_site(
        {"grid": "utility_import", "it": "it_ups"},
        serving("chiller", "chiller", start=T0 + GRID),
        serving("lights", "lighting", start=T0 + 2 * GRID),
        serving("ups", "ups_input", start=T0 + 3 * GRID),
    )
    loads = {"grid": [150.0] * 4, "it": [100.0] * 4, "chiller": [20.0] * 4, "lights": [5.0] * 4, "ups": [108.0] * 4}
    other = kpi(site, loads, "overhead_other")
    assert (other.numerator, other.usable) == (200 - 3 * 20 - 2 * 5 - 8, 1)
    cooling = kpi(site, loads, "overhead_cooling")
    assert (cooling.numerator, cooling.denominator, cooling.usable) == (60, 300, 0.75)
    chain = kpi(site, loads, "ppue_power_chain")
    assert (chain.denominator, chain.usable, codes(chain)) == (100, 0.25, ["coverage.insufficient"])


def test_with_no_it_meter_in_service_nothing_is_known() -> None:
    site = a_site({"grid": "utility_import"}, serving("it", "it_ups", start=T0 + GRID))
    found = kpi(site, {"grid": [150.0] * 2, "it": [100.0] * 2}, "pue")
    assert (found.numerator, found.denominator, found.usable) == (150, 100, 0.5)


# -- virtual meters -----------------------------------------------------------------------------------------------


def test_virtual_meters_add_up_nested_and_signed() -> None:
    site = a_site(
        {"grid": "utility_import", "a": None, "b": None, "c": None},
        meter("ab", None, formula=((1, "a"), (1, "b"))),
        meter("it", "it_ups", formula=((1, "ab"), (-1, "c"))),
    )
    store = Cells()
    store.put("grid", [100.0] * 4)
    store.put("a", [40.0] * 4, [1, 0.5, 1, 1])
    store.put("b", [20.0, 20.0, NAN, 20.0], [1, 0.75, 1, 1])
    store.put("c", [10.0] * 4, [1, 0.25, 1, 0.8])
    found = kpi(site, store, "pue")
    assert (found.numerator, found.denominator, found.usable) == (300, 150, 0.75)
    assert (found.coverage, found.estimated) == (pytest.approx(2.05 / 4), pytest.approx(0.75 - 2.05 / 4))


def test_a_member_out_of_service_is_neither_needed_nor_counted() -> None:
    site = a_site(
        {"grid": "utility_import", "a": None},
        serving("b", None, start=T0 + GRID),
        meter("it", "it_ups", formula=((1, "a"), (1, "b"))),
    )
    assert kpi(site, {"grid": [100.0] * 2, "a": [40.0] * 2, "b": [9.0, 10.0]}, "pue").denominator == 90


def test_a_virtual_meter_with_only_deductions_in_service_is_missing() -> None:
    site = a_site(
        {"grid": "utility_import", "c": None},
        serving("a", None, start=T0 + GRID),
        meter("it", "it_ups", formula=((1, "a"), (-1, "c"))),
    )
    found = kpi(site, {"grid": [100.0] * 2, "a": [40.0] * 2, "c": [10.0] * 2}, "pue")
    assert (found.denominator, found.usable) == (30, 0.5)
