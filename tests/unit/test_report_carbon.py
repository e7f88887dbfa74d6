"""Carbon of a period against numbers worked by hand: scopes, factors and their gaps, what was avoided."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from analytics.report.carbon import MOST_GAPS, Avoided, Carbon, carbon
from tests.periods import a_period
from tests.sites import GRID, T0, a_site, book, cells, kpi, meter
from wattwell.emissions import Baseline, EmissionEntry
from wattwell.intervals import DAY, HOUR, Interval
from wattwell.model import Factor, Site

NAN = math.nan
ROLES = {"grid": "utility_import", "it": "it_ups"}
FIXED = {"grid_kg_per_kwh": Factor(constant=0.4), "market_kg_per_kwh": Factor(constant=0.1)}


def by_hour(*values: float) -> Factor:
    """From T0 on; NaN: the hour has no row."""
    at = [(T0 + n * HOUR, value) for n, value in enumerate(values) if not math.isnan(value)]
    return Factor(hours=np.array([t for t, _ in at], dtype=np.int64), values=np.array([v for _, v in at]))


def entry(start: int, end: int, **changes: Any) -> EmissionEntry:
    fields: dict[str, Any] = {
        "id": "d1",
        "kind": "fuel",
        "interval": Interval(start, end),
        "amount": 100.0,
        "unit": "L",
        "kg_per_unit": 2.5,
        "factor": "diesel",
        "source": "DEFRA 2025",
    }
    return EmissionEntry(**(fields | changes))


def of(site: Site, span: Interval | None = None, **values: list[float]) -> Carbon:
    return carbon(a_period(site, values, span), 0.0)


def line(found: Carbon, name: str) -> Avoided:
    return next(each for each in found.avoided if each.name == name)


def test_a_site_on_the_grid_alone() -> None:
    site = a_site(ROLES, factors=FIXED, factor_sources={"grid_kg_per_kwh": "UBA 2025"})
    found = of(site, grid=[100.0, 50.0], it=[80.0, 40.0])
    assert (found.location.kwh, found.market.kwh, found.imported_kwh) == (150, 150, 150)
    assert [found.location.kg, found.market.kg] == pytest.approx([60, 15])
    assert [found.scope2_location_kg, found.total_location_kg, found.total_market_kg] == pytest.approx([60, 60, 15])
    assert (found.scope1_kg, found.exported_kwh, found.metered, found.entries, found.avoided) == (
        None,
        None,
        (),
        (),
        (),
    )
    assert found.scope1_reason == "no meter has kg_per_kwh and the site names no emissions file"
    assert found.location.factor is not None
    assert found.market.factor is not None
    assert (found.location.factor.source, found.market.factor.source) == ("UBA 2025", "not stated")
    assert found.location.factor.mean == pytest.approx(0.4)
    assert (found.usable, found.location.factor.covered, found.location.factor.gap_count) == (1, 1, 0)


def test_scopes_by_source() -> None:
    """Gas 1,000 kWh x 0.2 and diesel 100 L x 2.5 are scope 1; bought cooling 500 kWh x 0.1 and the grid scope 2."""
    site = a_site(
        ROLES,
        meter("gas", "fuel", weight=1.0, kg_per_kwh=0.2, factor_source="DEFRA 2025, natural gas"),
        meter("chw", "cooling_import", weight=0.4, kg_per_kwh=0.1),
        factors=FIXED,
        emissions=(entry(T0, T0 + 2 * GRID),),
    )
    found = of(site, grid=[50.0, 50.0], it=[60.0, 60.0], gas=[400.0, 600.0], chw=[250.0, 250.0])
    told = [(each.meter, each.scope, each.kwh, each.kg, each.source) for each in found.metered]
    assert told == [
        ("gas", 1, 1000, pytest.approx(200), "DEFRA 2025, natural gas"),
        ("chw", 2, 500, pytest.approx(50), "not stated"),
    ]
    assert [each.kg for each in found.entries] == [250]
    assert found.scope1_kg == pytest.approx(450)
    assert [found.scope2_location_kg, found.scope2_market_kg] == pytest.approx([40 + 50, 10 + 50])
    assert [found.total_location_kg, found.total_market_kg] == pytest.approx([540, 510])


def test_metered_carbon_is_the_numerator_of_cue() -> None:
    site = a_site(
        {"a": "utility_import", "b": "utility_import", "it": "it_ups"},
        meter("diesel", "fuel", weight=1.0, kg_per_kwh=0.25),
        meter("genset", "generator", parent="diesel", kg_per_kwh=0.7),
        factors=FIXED,
    )
    values = {"a": [60.0, -20.0], "b": [40.0, 90.0], "it": [50.0, 50.0], "diesel": [8.0, -1.0], "genset": [3.0, 0.0]}
    found = of(site, **values)
    assert [each.meter for each in found.metered] == ["diesel"], "what is below it is counted there"
    assert found.imported_kwh == 190, "an import that runs backwards takes nothing away"
    for basis, total in (("location", found.total_location_kg), ("market", found.total_market_kg)):
        assert total == pytest.approx(kpi(site, values, f"cue_{basis}").numerator, rel=1e-12)


def test_factors_by_the_hour_and_their_mean() -> None:
    """10 kWh in each quarter at 0.2, then 30 at 0.6: 8 + 72 kg over 160 kWh, a mean of 0.5, not 0.4."""
    site = a_site(ROLES, factors={"grid_kg_per_kwh": by_hour(0.2, 0.6)})
    found = of(site, grid=[10.0] * 4 + [30.0] * 4, it=[5.0] * 8)
    assert [found.location.kg, found.location.kwh] == pytest.approx([80, 160])
    assert found.location.factor is not None
    assert found.location.factor.mean == pytest.approx(0.5)
    assert found.location.factor.hourly
    market = found.market
    assert (market.kg, market.factor, market.reason) == (None, None, "the site has no factor market_kg_per_kwh")
    assert (found.scope2_market_kg, found.total_market_kg) == (None, None)


def test_hours_without_a_factor_are_reported_as_gaps() -> None:
    site = a_site(ROLES, factors={"grid_kg_per_kwh": by_hour(0.2, NAN, NAN, 0.6, NAN)})
    found = of(site, grid=[10.0] * 20, it=[5.0] * 20)
    assert [found.location.kwh, found.location.kg, found.location.usable] == pytest.approx([80, 32, 0.4])
    assert found.imported_kwh == 200
    factor = found.location.factor
    assert factor is not None
    assert [(gap.start, gap.end, gap.hours) for gap in factor.gaps] == [
        ("2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z", 2),
        ("2026-01-01T04:00:00Z", "2026-01-01T05:00:00Z", 1),
    ]
    assert [factor.gap_count, factor.gap_hours, factor.gap_import_kwh, factor.covered] == pytest.approx(
        [2, 3, 120, 0.4]
    )
    assert found.usable == pytest.approx(0.4)


def test_many_gaps_are_counted_and_the_first_are_listed() -> None:
    site = a_site(ROLES, factors={"grid_kg_per_kwh": by_hour(*([0.2, NAN] * 25))})
    factor = of(site, grid=[1.0] * 200, it=[1.0] * 200).location.factor
    assert factor is not None
    assert (len(factor.gaps), factor.gap_count, factor.gap_hours) == (MOST_GAPS, 25, 25)


def test_a_factor_that_covers_nothing_gives_no_value() -> None:
    location = of(a_site(ROLES, factors={"grid_kg_per_kwh": Factor()}), grid=[1.0], it=[1.0]).location
    assert (location.kg, location.kwh, location.usable) == (None, None, 0)
    assert location.reason == "grid_kg_per_kwh has no value for any hour of the period"
    missing = of(a_site(ROLES, factors=FIXED), grid=[NAN], it=[1.0])
    assert (missing.location.kg, missing.location.reason) == (None, "no interval of the period has a value")
    assert (missing.imported_kwh, missing.total_location_kg, missing.usable) == (None, None, 0)


def test_what_is_missing_is_not_made_up() -> None:
    gas = meter("gas", "fuel", weight=1.0, kg_per_kwh=0.2)
    found = of(a_site(ROLES, gas, factors=FIXED), grid=[10.0, NAN], it=[5.0, 5.0], gas=[NAN, 3.0])
    assert [found.location.kg, found.location.usable] == pytest.approx([4, 0.5])
    assert [found.metered[0].kg, found.metered[0].usable] == pytest.approx([0.6, 0.5])
    assert (found.usable, found.total_location_kg, found.total_market_kg) == (0, None, None)
    blind = of(a_site(ROLES, gas, factors=FIXED), grid=[10.0], it=[5.0], gas=[NAN])
    assert (blind.metered[0].kg, blind.scope1_kg, blind.total_location_kg) == (None, None, None)
    assert blind.scope1_reason == "no interval of the period has a value"
    assert blind.scope2_location_kg == pytest.approx(4)


def test_the_total_is_that_of_the_first_page() -> None:
    """Of five intervals the import is known in four, the gas in four, both in three: (10 x 0.4 + 5 x 0.2) x 3."""
    gas = meter("gas", "fuel", weight=1.0, kg_per_kwh=0.2)
    values = {"grid": [10.0] * 4 + [NAN], "it": [5.0] * 5, "gas": [NAN] + [5.0] * 4}
    site = a_site(ROLES, gas, factors=FIXED)
    found = of(site, **values)
    assert [found.scope1_kg, found.scope2_location_kg, found.total_location_kg] == pytest.approx([3, 12, 15])
    assert [found.usable, found.location.usable, found.metered[0].usable] == pytest.approx([0.6] * 3)
    assert found.total_market_kg == pytest.approx(3 + 3)
    assert book(cells(values), site).amount("s", "carbon_location", Interval(T0, T0 + 5 * GRID)) == (15, 0.6)
    thin = carbon(a_period(site, values), 0.7)
    assert [thin.scope1_kg, thin.scope2_location_kg, thin.usable] == pytest.approx([4, 16, 0.6])
    assert (thin.total_location_kg, thin.total_market_kg) == (None, None)


def test_a_meter_that_was_never_in_service_is_no_source() -> None:
    gone = meter("gas", "fuel", weight=1.0, kg_per_kwh=0.2, in_service=Interval(T0 - DAY, T0))
    found = of(a_site(ROLES, gone, factors=FIXED), grid=[10.0], it=[5.0])
    assert (found.metered, found.scope1_kg, found.total_location_kg) == ((), None, pytest.approx(4))


def test_an_import_that_is_not_yet_there_has_no_value() -> None:
    late = replace(meter("grid", "utility_import"), in_service=Interval(T0 + GRID, T0 + DAY))
    found = of(a_site({"it": "it_ups"}, late, factors=FIXED), grid=[NAN, 10.0], it=[5.0, 5.0])
    assert [found.location.kg, found.location.usable] == pytest.approx([4, 0.5])


def test_an_island_buys_nothing() -> None:
    site = a_site({"it": "it_ups"}, meter("genset", "generator", kg_per_kwh=0.7), factors={})
    found = of(site, genset=[10.0], it=[5.0])
    assert (found.location.kg, found.location.reason) == (0, "no meter imports electricity")
    assert [found.scope1_kg, found.total_location_kg, found.total_market_kg] == pytest.approx([7, 7, 7])


def test_an_entry_counts_evenly_by_time() -> None:
    """100 L over ten days, of which the day of the period holds one and the day before it none."""
    around = entry(T0 - 4 * DAY, T0 + 6 * DAY, id="b", note="test runs")
    before, inside = entry(T0 - DAY, T0, id="a"), entry(T0, T0 + GRID, id="c", kind="refrigerant", unit="kg")
    site = a_site(ROLES, factors=FIXED, emissions=(inside, around, before))
    found = of(site, Interval(T0, T0 + DAY), grid=[1.0] * 96, it=[1.0] * 96)
    assert [(each.id, each.kind, each.unit, each.start, each.end) for each in found.entries] == [
        ("b", "fuel", "L", "2025-12-28", "2026-01-07"),
        ("c", "refrigerant", "kg", "2026-01-01", "2026-01-01"),
    ]
    assert [(each.amount, each.kg) for each in found.entries] == [
        (pytest.approx(10), pytest.approx(25)),
        (100, 250),
    ]
    assert found.entries[0].note == "test runs"
    assert found.scope1_kg == pytest.approx(275)


def test_a_file_without_an_entry_in_the_period_says_none() -> None:
    found = of(a_site(ROLES, factors=FIXED, emissions=()), grid=[10.0], it=[5.0])
    assert (found.scope1_kg, found.scope1_reason, found.total_location_kg) == (0, "", pytest.approx(4))


def test_export_is_not_credited() -> None:
    site = a_site({**ROLES, "pv": "onsite_renewable", "out": "grid_export"}, factors=FIXED)
    found = of(site, grid=[60.0], pv=[80.0], out=[20.0], it=[100.0])
    assert (found.exported_kwh, found.location.kg) == (20, pytest.approx(24))


def test_avoided_against_the_named_baseline() -> None:
    """1.5 x 100 - 120 = 30 kWh at 0.2 and 1.5 x 100 - 160 = -10 at 0.6: 20 kWh, 0 kg."""
    base = Baseline(name="operation in 2019", pue=1.5)
    site = a_site(ROLES, factors={"grid_kg_per_kwh": by_hour(0.2, 0.6)}, baseline=base)
    loads = {"grid": [30.0] * 4 + [40.0] * 4, "it": [25.0] * 8}
    saved = line(of(site, **loads), "pue")
    assert [saved.kwh, saved.kg] == pytest.approx([20, 0], abs=1e-12)
    assert (saved.baseline, saved.usable, saved.factor_usable) == ("operation in 2019, PUE 1.5", 1, 1)
    assert saved.factor == "grid_kg_per_kwh, not stated"
    own = line(of(replace(site, baseline=replace(base, grid_kg_per_kwh=0.5)), **loads), "pue")
    assert [own.kwh, own.kg] == pytest.approx([20, 10])
    assert own.factor == "grid_kg_per_kwh, of the baseline"


def test_what_the_baseline_would_have_saved_is_said_as_it_is() -> None:
    site = a_site(ROLES, factors=FIXED, baseline=Baseline(name="design", pue=1.1))
    worse = line(of(site, grid=[150.0, NAN], it=[100.0, 100.0]), "pue")
    assert [worse.kwh, worse.kg, worse.usable] == pytest.approx([-40, -16, 0.5])
    assert of(a_site({"grid": "utility_import"}, baseline=site.baseline), grid=[1.0]).avoided == ()


def test_avoided_by_on_site_energy() -> None:
    site = a_site({**ROLES, "pv": "onsite_renewable", "out": "grid_export"}, factors={"grid_kg_per_kwh": by_hour(0.5)})
    loads = {"grid": [60.0] * 5, "pv": [80.0] * 5, "out": [20.0] * 5, "it": [100.0] * 5}
    used = line(of(site, **loads), "onsite")
    assert [used.kwh, used.kg, used.usable, used.factor_usable] == pytest.approx([300, 120, 1, 0.8])
    blind = line(of(replace(site, factors={}), **loads), "onsite")
    assert (blind.kwh, blind.kg, blind.factor) == (300, None, "none: the site has no grid_kg_per_kwh")
    assert of(site, **loads).location.kg == pytest.approx(120), "never subtracted"


def test_it_is_json() -> None:
    site = a_site(
        {**ROLES, "pv": "onsite_renewable"},
        meter("gas", "fuel", weight=1.0, kg_per_kwh=0.2),
        factors={"grid_kg_per_kwh": by_hour(0.2, NAN), "market_kg_per_kwh": Factor(constant=0.1)},
        emissions=(entry(T0, T0 + DAY),),
        baseline=Baseline(name="design", pue=1.1),
    )
    found = of(site, grid=[1.0] * 8, it=[1.0] * 8, gas=[1.0] * 8, pv=[1.0] * 8)
    document = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert document["location"]["factor"]["gap_count"] == 1
    assert type(found.location.kwh) is type(found.location.usable) is type(found.usable) is float
