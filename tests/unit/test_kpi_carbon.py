"""CUE against numbers worked by hand (METRICS): factors by the hour, direct emissions, what is left out and why."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from analytics.factors import hourly
from analytics.rollup import roll_up
from tests.sites import GRID, T0, a_site, cells, codes, kpi, meter
from wattwell.engine.explain import take_apart
from wattwell.intervals import DAY, HOUR, Interval
from wattwell.model import Factor, Site
from wattwell.web.wording import Telling

NAN = math.nan
FIXED = {"grid_kg_per_kwh": Factor(constant=0.4), "market_kg_per_kwh": Factor(constant=0.1)}
ROLES = {"grid": "utility_import", "it": "it_ups"}


def by_hour(*values: float, start: int = T0) -> Factor:
    """NaN: the hour has no row."""
    at = [(start + n * HOUR, value) for n, value in enumerate(values) if not math.isnan(value)]
    return Factor(hours=np.array([t for t, _ in at], dtype=np.int64), values=np.array([v for _, v in at]))


def a_plant(**factors: Factor) -> Site:
    return a_site(ROLES, factors=factors or FIXED)


@pytest.mark.parametrize(("basis", "kg"), [("location", 60.0), ("market", 15.0)])
def test_all_electric(basis: str, kg: float) -> None:
    found = kpi(a_plant(), {"grid": [150.0], "it": [100.0]}, f"cue_{basis}")
    assert [found.numerator, found.denominator] == pytest.approx([kg, 100])
    assert found.value == pytest.approx(kg / 100)
    assert (found.unit, found.label, found.category, found.basis) == ("kg/kWh", f"CUE ({basis})", 1, basis)
    assert (found.usable, found.coverage, found.issues) == (1, 1, ())


def test_two_imports_a_generator_and_bought_cooling_by_their_own_emissions() -> None:
    site = a_site(
        {"a": "utility_import", "b": "utility_import", "it": "it_ups", "pv": "onsite_renewable", "out": "grid_export"},
        meter("diesel", "fuel", weight=1.0, kg_per_kwh=0.25),
        meter("steam", "cooling_import", weight=0.5, kg_per_kwh=0.2),
        factors=FIXED,
    )
    loads = {"a": [60.0], "b": [40.0], "pv": [80.0], "out": [70.0], "diesel": [8.0], "steam": [10.0], "it": [50.0]}
    found = kpi(site, loads, "cue_location")
    assert found.numerator == pytest.approx(0.4 * 100 + 0.25 * 8 + 0.2 * 10), "export is not credited"
    assert found.value == pytest.approx(44 / 50)
    assert kpi(site, loads, "cue_market").numerator == pytest.approx(0.1 * 100 + 4)


def test_a_generator_below_its_fuel_emits_once() -> None:
    fuel = meter("diesel", "fuel", weight=1.0, kg_per_kwh=0.25)
    genset = meter("genset", "generator", parent="diesel", kg_per_kwh=0.7)
    loads = {"grid": [50.0], "diesel": [90.0], "genset": [30.0], "it": [100.0]}
    assert kpi(a_site(ROLES, fuel, genset, factors=FIXED), loads, "cue_location").numerator == pytest.approx(20 + 22.5)
    alone = replace(genset, parent=None)
    del loads["diesel"]
    assert kpi(a_site(ROLES, alone, factors=FIXED), loads, "cue_location").numerator == pytest.approx(20 + 21)


def test_an_import_that_runs_backwards_takes_no_carbon_away() -> None:
    found = kpi(a_plant(), {"grid": [100.0, -50.0], "it": [50.0, 50.0]}, "cue_location")
    assert [found.numerator, found.denominator] == pytest.approx([40, 100])


def test_factors_multiply_interval_by_interval() -> None:
    """Load and factor move together: quarter hours of 10 and 30 kWh at 0.2 and 0.6 are 80 kg, not 160 x 0.4 = 64."""
    site = a_plant(grid_kg_per_kwh=by_hour(0.2, 0.6))
    found = kpi(site, {"grid": [10.0] * 4 + [30.0] * 4, "it": [10.0] * 8}, "cue_location")
    assert [found.numerator, found.value] == pytest.approx([80, 1.0])


def test_an_hour_without_a_factor_is_not_usable() -> None:
    site = a_plant(grid_kg_per_kwh=by_hour(0.2, NAN, 0.6))
    found = kpi(site, {"grid": [10.0] * 12, "it": [5.0] * 12}, "cue_location")
    assert [found.usable, found.coverage] == pytest.approx([2 / 3, 2 / 3])
    assert [found.numerator, found.denominator] == pytest.approx([32, 40])
    assert (found.provisional, codes(found)) == (True, ["coverage.provisional"])
    assert kpi(site, {"grid": [10.0] * 12, "it": [5.0] * 12}, "pue").usable == 1
    none = kpi(a_plant(grid_kg_per_kwh=Factor()), {"grid": [10.0], "it": [5.0]}, "cue_location")
    assert (none.value, none.numerator, codes(none)) == (None, None, ["coverage.insufficient"])


def test_the_hour_of_a_factor_is_utc_and_half_open() -> None:
    start = T0 + np.arange(-1, 9, dtype=np.int64) * GRID
    assert hourly(by_hour(0.2, 0.6), start).tolist() == pytest.approx([NAN, *[0.2] * 4, *[0.6] * 4, NAN], nan_ok=True)
    assert hourly(Factor(constant=0.0), start).tolist() == [0.0] * 10
    assert T0 % HOUR == 0


@pytest.mark.parametrize("name", ["cue_location", "cue_market"])
def test_without_a_factor_for_the_import_there_is_no_value(name: str) -> None:
    site = a_site(ROLES, meter("gas", "fuel", weight=1.0, kg_per_kwh=0.2), factors={})
    found = kpi(site, {"grid": [10.0], "gas": [1.0], "it": [5.0]}, name)
    assert (found.value, found.numerator, codes(found)) == (None, None, ["input.missing"])
    assert f"{'grid' if name == 'cue_location' else 'market'}_kg_per_kwh" in found.issues[0].message
    factor = {"grid_kg_per_kwh": Factor(constant=1.0), "market_kg_per_kwh": Factor(constant=1.0)}
    blind = kpi(a_site({"grid": "utility_import"}, factors=factor), {"grid": [10.0]}, name)
    assert (blind.value, codes(blind)) == (None, ["input.missing"])
    assert "IT load" in blind.issues[0].message


def test_a_site_without_import_needs_no_factor_of_the_grid() -> None:
    island = a_site({"it": "it_ups"}, meter("genset", "generator", kg_per_kwh=0.7), factors={})
    loads = {"genset": [10.0], "it": [5.0]}
    assert [kpi(island, loads, f"cue_{basis}").value for basis in ("location", "market")] == pytest.approx([1.4, 1.4])
    clean = a_site({"it": "it_ups", "pv": "onsite_renewable"}, factors={})
    assert codes(kpi(clean, {"pv": [10.0], "it": [5.0]}, "cue_location")) == ["input.missing"]


def test_a_factor_of_zero_is_a_value() -> None:
    found = kpi(a_plant(grid_kg_per_kwh=Factor(constant=0.0)), {"grid": [10.0], "it": [5.0]}, "cue_location")
    assert (found.value, found.numerator, found.issues) == (0, 0, ())


def test_a_denominator_of_zero_and_the_boundary() -> None:
    idle = kpi(a_plant(), {"grid": [10.0], "it": [0.0]}, "cue_location")
    assert (idle.value, idle.numerator, codes(idle)) == (None, 4, ["denominator.zero"])
    below = kpi(a_plant(), {"grid": [90.0], "it": [100.0]}, "cue_location")
    assert below.value == pytest.approx(0.36)
    assert below.issues == ()


def test_a_meter_with_emissions_must_have_a_value_while_it_is_in_service() -> None:
    def loads(gas: float) -> dict[str, list[float]]:
        return {"grid": [10.0], "it": [5.0], "gas": [gas]}

    gas = meter("gas", None, kg_per_kwh=0.2)
    assert kpi(a_site(ROLES, gas, factors=FIXED), loads(NAN), "cue_location").usable == 0
    retired = replace(gas, in_service=Interval(T0 - DAY, T0))
    assert kpi(a_site(ROLES, retired, factors=FIXED), loads(NAN), "cue_location").numerator == 4
    assert kpi(a_site(ROLES, gas, factors=FIXED), loads(5.0), "cue_location").numerator == 5


def test_sites_roll_up_by_their_sums() -> None:
    big = kpi(a_plant(), {"grid": [150.0], "it": [100.0]}, "cue_location")
    small = replace(kpi(a_plant(), {"grid": [30.0], "it": [10.0]}, "cue_location"), site="t")
    found = roll_up([big, small])
    assert found.value == pytest.approx(72 / 110)
    assert (found.basis, found.unit) == ("location", "kg/kWh")


def test_an_explanation_names_the_factor_and_who_is_to_blame() -> None:
    gas = meter("gas", None, kg_per_kwh=0.2)
    site = a_site(ROLES, gas, factors={"grid_kg_per_kwh": by_hour(0.2, NAN), "market_kg_per_kwh": Factor(constant=0.1)})
    store = cells({"grid": [10.0] * 8, "it": [5.0] * 8, "gas": [1.0] * 8})
    span = Interval(T0, T0 + 2 * HOUR)
    apart = take_apart(store, site, "cue_location", span, GRID)  # type: ignore[arg-type]  # it asks for intervals alone
    assert apart is not None
    ((term,), (load,)) = apart.terms(apart.numerator), apart.terms(apart.denominator)
    assert [(part.kind, part.name, part.factor) for part, _ in term.parts] == [
        ("hourly", "grid", 1.0),
        ("meter", "gas", 0.2),
    ]
    assert [amount for _, amount in term.parts] == pytest.approx([8, 0.8])
    assert load.amount == 20
    assert [(b.start, b.end, b.meters, b.factors) for b in apart.blames] == [
        (T0 + HOUR, T0 + 2 * HOUR, (), ("grid_kg_per_kwh",))
    ]
    market = take_apart(store, site, "cue_market", span, GRID)  # type: ignore[arg-type]
    assert market is not None
    assert [part.factor for part, _ in market.terms(market.numerator)[0].parts] == [0.1, 0.2]
    assert market.blames == []


def test_it_is_told_in_words() -> None:
    tell = Telling({"local": {"timezone": "UTC"}})
    part = {"kind": "hourly", "name": "grid", "role": "utility_import", "factor": 1.0}
    assert tell.part(part) == "grid (utility_import), counts by the factor of each hour"
    assert tell.part(part | {"factor": 0.5}) == "grid (utility_import), counts 0.5 times by the factor of each hour"
    span = {"meters": ["it"], "unserved": [], "factors": ["grid_kg_per_kwh"], "cut": False}
    assert tell.blame(span) == "no value of it; the factor grid_kg_per_kwh has no value for the hour"
