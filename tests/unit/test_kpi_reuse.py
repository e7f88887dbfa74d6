"""Energy reuse, cooling efficiency, WUE at source and reclaimed water against numbers worked by hand (METRICS)."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analytics.rollup import roll_up
from tests.sites import T0, Cells, a_site, codes, kpi, meter
from wattwell.intervals import HOUR
from wattwell.model import Factor, Site

PLANT = {
    "grid": "utility_import",
    "it": "it_ups",
    "heat": "heat_reuse",
    "removed": "heat_removed",
    "chiller": "chiller",
    "fans": "crah",
}
LOADS = {"grid": [130.0], "it": [100.0], "heat": [26.0], "removed": [110.0], "chiller": [15.0], "fans": [5.0]}


@pytest.mark.parametrize(("name", "numerator", "denominator"), [("erf", 26, 130), ("ere", 104, 100), ("cer", 110, 20)])
def test_reuse_and_cooling(name: str, numerator: float, denominator: float) -> None:
    found = kpi(a_site(PLANT), LOADS, name)
    assert (found.numerator, found.denominator, found.value) == (numerator, denominator, numerator / denominator)
    assert (found.unit, found.usable, found.issues) == ("1", 1, ())


@pytest.mark.parametrize(
    ("name", "lacking", "role"),
    [("erf", "heat", "heat_reuse"), ("ere", "heat", "heat_reuse"), ("cer", "removed", "heat_removed")],
)
def test_without_the_meter_there_is_no_value(name: str, lacking: str, role: str) -> None:
    found = kpi(a_site({k: v for k, v in PLANT.items() if k != lacking}), LOADS, name)
    assert (found.value, codes(found)) == (None, ["input.missing"])
    assert role in found.issues[0].message


def test_ere_is_pue_less_what_is_reused() -> None:
    site = a_site(PLANT)
    pue, erf, ere = (kpi(site, LOADS, name).value or math.nan for name in ("pue", "erf", "ere"))
    assert ere == pytest.approx(pue * (1 - erf))


def test_the_boundary_and_denominators_of_zero() -> None:
    below = kpi(a_site(PLANT), LOADS | {"grid": [90.0]}, "ere")
    assert (below.value, below.numerator, codes(below)) == (None, 64, ["pue.below_one"])
    assert kpi(a_site(PLANT), LOADS | {"grid": [90.0]}, "erf").value == 26 / 90
    idle = kpi(a_site(PLANT), LOADS | {"chiller": [0.0], "fans": [0.0]}, "cer")
    assert (idle.value, codes(idle)) == (None, ["denominator.zero"])


# -- water --------------------------------------------------------------------------------------------------------


def wet(factor: Factor | None) -> Site:
    factors = {} if factor is None else {"ewif_l_per_kwh": factor}
    return a_site({"grid": "utility_import", "it": "it_ups", "w": "water_input"}, factors=factors)


WET = {"grid": [130.0], "it": [100.0], "w": [120.0]}


def test_wue_at_source() -> None:
    found = kpi(wet(Factor(constant=3.0)), WET, "wue_source")
    assert [found.value, found.numerator, found.denominator] == pytest.approx([5.1, 510, 100])
    assert (found.unit, found.category, found.basis) == ("L/kWh", 1, "total_input")
    missing = kpi(wet(None), WET, "wue_source")
    assert (missing.value, codes(missing)) == (None, ["input.missing"])
    assert "ewif_l_per_kwh" in missing.issues[0].message


def test_water_at_source_takes_export_off_and_the_factor_of_the_hour() -> None:
    roles = {"grid": "utility_import", "out": "grid_export", "it": "it_ups", "w": "water_input"}
    hours = Factor(hours=np.array([T0, T0 + HOUR]), values=np.array([1.0, 2.0]))
    site = a_site(roles, factors={"ewif_l_per_kwh": hours})
    store = Cells()
    for name, column in {"grid": 30.0, "out": 10.0, "it": 10.0, "w": 5.0}.items():
        store.put(name, [column] * 12)
    found = kpi(site, store, "wue_source")
    assert found.usable == pytest.approx(2 / 3), "the third hour has no factor"
    assert found.numerator == pytest.approx(8 * 5 + 4 * 20 * 1 + 4 * 20 * 2)


def test_numerators_of_water_at_source_never_mix() -> None:
    one = kpi(wet(Factor(constant=3.0)), WET, "wue_source")
    assert codes(roll_up([one, replace(one, site="t", basis="fresh")])) == ["basis.mixed"]
    assert roll_up([one, replace(one, site="t")]).value == pytest.approx(5.1)


def test_reclaimed_share_counts_recovered_water_as_another_input() -> None:
    roles = {"main": "water_input", "grey": "water_reclaimed", "rain": "water_recovered"}
    loads = {"main": [70.0], "grey": [30.0], "rain": [25.0]}
    found = kpi(a_site(roles), loads, "water_reclaimed_share")
    assert (found.numerator, found.denominator, found.value) == (55, 125, 0.44)
    below = a_site({"main": "water_input"}, meter("grey", "water_reclaimed", parent="main"))
    inside = kpi(below, {"main": [100.0], "grey": [30.0]}, "water_reclaimed_share")
    assert (inside.numerator, inside.denominator) == (30, 100)
    none = kpi(a_site({"main": "water_input"}), {"main": [100.0]}, "water_reclaimed_share")
    assert (none.value, codes(none)) == (None, ["input.missing"])
