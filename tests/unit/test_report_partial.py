"""Reports of periods of which a part is not known: meters that come into service within, and thin coverage."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date

import pytest

from analytics.evaluate import Rules
from analytics.kpi import KPIS
from analytics.report.carbon import carbon
from analytics.report.enefg import enefg
from analytics.report.energy import energy
from analytics.report.eu_2024_1364 import eu_2024_1364
from analytics.report.figures import checked
from analytics.report.gate import breaches
from analytics.report.heat import heat
from analytics.report.metrics import metrics
from analytics.report.period import PeriodData
from analytics.report.regulation import Export
from analytics.report.renewables import renewables
from analytics.report.water import water
from analytics.report.weather import weather
from tests.periods import a_period
from tests.sites import DAY, GRID, T0, a_site, kpi, meter
from wattwell.emissions import EmissionEntry
from wattwell.facility import Facility
from wattwell.intervals import HOUR, Interval
from wattwell.model import Factor, KpiValue, Meter, Site
from wattwell.units import QuantityKind

NAN = math.nan
N = DAY // GRID
LEAST = 0.5
RULES = Rules(grid=GRID, full=0.9, provisional=LEAST)
LAX = Rules(grid=GRID, full=0.6, provisional=LEAST)
LATE = Interval(T0 + DAY // 4, T0 + 10 * DAY)
"""In service from a quarter of the day on."""
Values = dict[str, list[float]]


def known(value: float, first: int, last: int = N) -> list[float]:
    """The same in the intervals [first, last), and missing elsewhere."""
    return [NAN] * first + [value] * (last - first) + [NAN] * (N - last)


def kpis(site: Site, values: Values) -> dict[str, KpiValue]:
    return {name: kpi(site, values, name) for name in KPIS}


def judged(site: Site, values: Values) -> list[str]:
    data = a_period(site, values)
    found = checked(data, kpis(site, values), energy(data), water(data, LEAST))
    return [each.message for each in breaches(found)]


def year(site: Site, values: Values, form: Callable[..., Export] = eu_2024_1364) -> Export:
    """A day, taken for all that there is of 2026."""
    data = a_period(site, values)
    return form(data, kpis(site, values), RULES, 2026, over=True)


# -- the gate -----------------------------------------------------------------------------------------------------


def test_a_grid_meter_that_comes_later_than_the_it_meter_breaks_nothing() -> None:
    """PUE is 1.2 over three quarters of the day; over all of it the IT has more kWh than the grid meter shows."""
    site = a_site({"it": "it_ups"}, meter("grid", "utility_import", in_service=LATE))
    values = {"grid": known(120.0, N // 4), "it": [100.0] * N}
    assert kpis(site, values)["pue"].value == pytest.approx(1.2)
    assert judged(site, values) == []


def test_an_it_meter_that_comes_later_hides_no_breach() -> None:
    site = a_site({"grid": "utility_import"}, meter("it", "it_ups", in_service=LATE))
    found = judged(site, {"grid": [100.0] * N, "it": known(110.0, N // 4)})
    assert found[0] == "E_IT 7920 kWh must not be above E_DC 7200 kWh."


def test_the_installed_power_is_compared_with_all_that_is_known_of_the_it() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups"}, it_power_kw=300.0)
    values = {"grid": known(130.0, 40), "it": [100.0] * N}
    told = "E_IT 9600 kWh must not be above PD_IT x 24 h 7200 kWh."
    assert told in judged(site, values)
    assert told in year(site, values).breaches


def test_a_regulators_export_compares_what_is_known_of_both() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups", "heat": "heat_reuse"})
    values = {"grid": known(130.0, 40), "it": [100.0] * N, "heat": [80.0] * N}
    found = year(site, values)
    fields = {each.code: each for each in found.fields}
    assert (fields["E_DC"].value, fields["E_IT"].value, fields["E_REUSE"].value) == (130 * 56, 9600, 7680)
    assert fields["PUE"].value == pytest.approx(1.3)
    assert found.breaches == ()
    worse = year(site, values | {"it": [140.0] * N, "heat": [150.0] * N})
    assert {each.split(" ")[0] for each in worse.breaches} == {"E_IT", "E_REUSE"}


def test_a_provisional_pue_of_the_year_meets_no_limit() -> None:
    facility = Facility(start_of_operation=date(2026, 9, 1), connected_power_kw=400.0)
    site = a_site({"grid": "utility_import", "it": "it_ups"}, limits=("enefg-new",), facility=facility)
    for hours, verdict in ((24, "met"), (18, "provisional")):
        found = year(site, {"grid": known(110.0, 0, 4 * hours), "it": [100.0] * N}, enefg)
        assert found.limits[-1].judgement.verdict == verdict


def test_what_certificates_tell_names_no_meter() -> None:
    site = a_site({"grid": "utility_import", "it": "it_ups", "roof": "onsite_renewable"}, certificates=())
    found = year(site, {"grid": [100.0] * N, "it": [90.0] * N, "roof": [10.0] * N})
    named = {each.code: [one.meter for one in each.meters] for each in found.fields if each.code.startswith("E_RES")}
    assert named == {"E_RES-TOT": ["roof"], "E_RES-OS": ["roof"], "E_RES-GOO": [], "E_RES-PPA": []}


# -- water --------------------------------------------------------------------------------------------------------


def tower(*more: Meter, **roles: str) -> Site:
    return a_site({"main": "water_input", **roles}, *more)


def parts(data: PeriodData) -> dict[str, float]:
    uses = water(data, LEAST).uses
    assert uses is not None
    return {part.name: part.value for part in uses.parts}


def test_a_blowdown_meter_that_comes_later_changes_no_ratio() -> None:
    """Cycles are 8 / 2 over the three quarters of the day in which both meters are in service."""
    site = tower(meter("drain", "water_blowdown", in_service=LATE), tower="water_tower_makeup")
    data = a_period(site, {"main": [10.0] * N, "tower": [8.0] * N, "drain": known(2.0, N // 4)})
    found = water(data, LEAST)
    assert found.cycles == 4
    assert parts(data) == {"tower_evaporation": 6 * 72, "water_blowdown": 2 * 72, "other": 2 * 72}
    assert found.uses is not None
    assert found.uses.usable == 0.75


def test_a_makeup_meter_that_comes_later_makes_no_evaporation_below_zero() -> None:
    site = tower(meter("tower", "water_tower_makeup", in_service=LATE), drain="water_blowdown")
    data = a_period(site, {"main": [10.0] * N, "tower": known(8.0, N // 4), "drain": [2.0] * N})
    assert water(data, LEAST).cycles == 4
    assert parts(data)["tower_evaporation"] == 6 * 72


def test_a_meter_that_is_out_of_service_all_the_time_takes_no_part() -> None:
    gone = meter("drain", "water_blowdown", in_service=Interval(T0 - DAY, T0))
    data = a_period(tower(gone, tower="water_tower_makeup"), {"main": [10.0] * N, "tower": [8.0] * N})
    assert parts(data) == {"water_tower_makeup": 8 * N, "other": 2 * N}
    assert water(data, LEAST).blowdown is None


# -- coverage -----------------------------------------------------------------------------------------------------


def test_below_the_least_share_no_amount_has_a_value() -> None:
    """A day of which 40 % is known."""
    share = 38
    site = a_site(
        {
            "grid": "utility_import",
            "it": "it_ups",
            "heat": "heat_reuse",
            "away": "heat_removed",
            "main": "water_input",
            "tower": "water_tower_makeup",
            "drain": "water_blowdown",
            "back": "water_returned",
        },
        factors={"grid_kg_per_kwh": Factor(constant=0.4), "market_kg_per_kwh": Factor(constant=0.1)},
        certificates=(),
    )
    values = {name: known(10.0, 0, share) for name in site.meters}
    data, found = a_period(site, values), kpis(site, values)
    for least in (LEAST, 0.3):
        amounts = [
            *(heat(data, found, least).reused_kwh, heat(data, found, least).removed_kwh),
            *(getattr(water(data, least), name) for name in ("cycles", "blowdown", "returned")),
            *(renewables(data, least).ref, renewables(data, least).e_dc_kwh),
        ]
        told = {each.name: each for each in metrics(data, found, carbon(data, least), least)}
        amounts += [told[f"scope2_{basis}_kg"].value for basis in ("location", "market")]
        assert [each is None for each in amounts] == [least == LEAST] * len(amounts), least
    thin = renewables(data, LEAST)
    assert thin.reason == "39.6% of the period is usable, at least 50% are needed"
    assert thin.usable == pytest.approx(share / N)
    assert told["scope2_location_kg"].basis == "import by the grid's factor, 39.6% of the period"


def test_the_weather_of_a_part_is_not_that_of_the_period() -> None:
    air = meter("air", "outdoor_dry_bulb", quantity=QuantityKind.TEMPERATURE, unit="degC")
    site = a_site({"grid": "utility_import", "it": "it_ups"}, air)
    values = {"grid": [12.0] * N, "it": [10.0] * N}
    for share, mean in ((47, None), (48, 20.0)):
        found = weather(a_period(site, values | {"air": known(20.0, 0, share)}), "day", RULES)
        assert found is not None
        assert (found.mean, found.lowest, found.highest) == (mean,) * 3
        assert found.pue == ()
    point = weather(a_period(site, values | {"air": known(20.0, 0, 60)}), "day", LAX)
    assert point is not None
    assert point.pue == (1.2,), "as full as the configuration asks"


def test_entries_alone_need_no_meter() -> None:
    entry = EmissionEntry(
        id="leak",
        kind="refrigerant",
        interval=Interval(T0, T0 + 24 * HOUR),
        amount=2.0,
        unit="kg",
        kg_per_unit=1000.0,
        factor="R",
        source="IPCC",
    )
    site = a_site(
        {"grid": "utility_import", "it": "it_ups"},
        factors={"grid_kg_per_kwh": Factor(constant=0.4)},
        emissions=(entry,),
    )
    values = {"grid": known(10.0, 0, 9), "it": [5.0] * N}
    data = a_period(site, values)
    told = {each.name: each for each in metrics(data, kpis(site, values), carbon(data, LEAST), LEAST)}
    assert (told["scope1_kg"].value, told["scope1_kg"].basis) == (2, "fuels and refrigerants, metered and entered")
    assert told["scope2_location_kg"].value is None
