"""First page, key metrics, caveats, method and changes of a report, by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from analytics.evaluate import Rules, Window
from analytics.kpi import KPIS
from analytics.report.carbon import carbon
from analytics.report.compare import changes
from analytics.report.coverage import caveats
from analytics.report.energy import energy
from analytics.report.figures import checked
from analytics.report.headlines import SPANS, Amount, cost, entered_kg, headlines
from analytics.report.hourly import hourly
from analytics.report.method import method
from analytics.report.metrics import metrics
from analytics.report.model import Headline
from analytics.report.period import PeriodData
from analytics.report.rounding import scale_of, shown
from analytics.report.water import water
from tests import reporting
from tests.periods import a_period
from tests.sites import GRID, T0, Cells, a_site, book, cells, meter
from wattwell.emissions import EmissionEntry
from wattwell.intervals import DAY, Interval
from wattwell.model import Factor, Issue, KpiValue, Prices, Site

RULES = Rules(grid=GRID, full=0.9, provisional=0.5)
PRICES = Prices(currency="EUR", electricity_per_kwh=0.2, water_per_m3=3.0)
SPAN = Interval(T0, T0 + DAY)
ROLES = {"grid": "utility_import", "ups": "it_ups", "mains": "water_input"}
DAYLONG = {"grid": [30.0] * 96, "ups": [20.0] * 96, "mains": [10.0] * 96}


def a_year(**changes: Any) -> Site:
    return a_site(ROLES, targets={"pue": 1.5, "wue": 0.4}, prices=PRICES, **changes)


def values_of(site: Site, store: Cells) -> dict[str, KpiValue]:
    made = book(store, site)
    return {name: made.value(site.id, name, Window(name="day", interval=SPAN)) for name in KPIS}


def lines(site: Site, store: Cells, **amounts: Amount) -> dict[str, Headline]:
    values, nothing = values_of(site, store), Amount(None, 0.0, SPAN)
    names = ("energy", "water", "carbon", *(["cost"] if site.prices else []))
    named = {name: amounts.get(name, nothing) for name in names}
    found = headlines(site, dict.fromkeys(SPANS, values), dict.fromkeys(SPANS, named), RULES)
    return {line.name: line for line in found}


# -- the first page -------------------------------------------------------------------------------------------------


def test_figures_stand_beside_their_targets() -> None:
    found = lines(a_year(), cells(DAYLONG), energy=Amount(2880.0, 1.0, SPAN), cost=Amount(578.88, 1.0, SPAN))
    assert (found["pue"].label, found["pue"].current.shown, found["pue"].target_shown) == ("iPUE", "1.500", "1.500")
    assert (found["pue"].met, found["wue"].met, found["energy"].met) == (True, False, None)
    assert (found["energy"].unit, found["energy"].current.shown) == ("kWh", "2,880")
    assert (found["cost"].unit, found["cost"].current.shown) == ("EUR", "579")
    nothing = found["ref"].current
    assert (nothing.value, nothing.shown, nothing.note is not None) == (None, "\u2013", True)


def test_an_amount_of_too_few_intervals_is_provisional() -> None:
    found = lines(a_year(), cells(DAYLONG), energy=Amount(2880.0, 0.89, SPAN), water=Amount(5.0, 0.9, SPAN))
    assert (found["energy"].current.provisional, found["water"].current.provisional) == (True, False)
    thin = lines(a_year(), cells(DAYLONG), energy=Amount(2880.0, 0.49, SPAN))["energy"].current
    assert (thin.value, thin.note) == (None, "49.0% of the span is usable, at least 50% are needed")
    assert not found["carbon"].current.provisional


def test_without_prices_there_is_no_cost() -> None:
    assert "cost" not in lines(replace(a_year(), prices=None), cells(DAYLONG))
    assert cost(None, Amount(1.0, 1.0, SPAN), Amount(1.0, 1.0, SPAN)) is None


def test_cost_is_of_all_that_has_a_price() -> None:
    bought, none = Amount(100.0, 0.95, SPAN), Amount(None, 0.0, SPAN)
    assert cost(PRICES, bought, Amount(2000.0, 0.9, SPAN)) == Amount(26.0, 0.9, SPAN)
    assert cost(PRICES, bought, None) == Amount(20.0, 0.95, SPAN), "the site meters no water"
    assert cost(PRICES, bought, none) == Amount(None, 0.0, SPAN), "it does, and has no value"
    assert cost(PRICES, None, None) is None


def test_an_entry_by_hand_counts_evenly_by_time() -> None:
    entry = EmissionEntry(
        id="e",
        kind="fuel",
        interval=Interval(T0, T0 + 4 * DAY),
        amount=100.0,
        unit="L",
        kg_per_unit=2.0,
        factor="diesel",
        source="table",
    )
    assert entered_kg([entry], Interval(T0 + DAY, T0 + 2 * DAY)) == 50.0
    assert entered_kg([entry], Interval(T0 + 5 * DAY, T0 + 6 * DAY)) == 0.0
    assert entered_kg([entry, entry], Interval(T0, T0 + 9 * DAY)) == 400.0
    assert Amount(1.0, 1.0, SPAN).plus(2.0).value == 3.0
    assert Amount(None, 0.0, SPAN).plus(2.0).value is None


@pytest.mark.parametrize(
    ("kind", "most", "unit", "text"),
    [
        ("energy", 9_999.0, "kWh", "9,999"),
        ("energy", 10_000.0, "MWh", "10.00"),
        ("energy", 123_456.0, "MWh", "123.5"),
        ("energy", 1_234_567.0, "MWh", "1,235"),
        ("energy", 12_345_678.0, "GWh", "12.35"),
        ("water", 9_999.0, "L", "9,999"),
        ("water", 15_000.0, "m3", "15.00"),
        ("mass", 28_000.0, "t", "28.00"),
    ],
)
def test_units_suit_the_size(kind: str, most: float, unit: str, text: str) -> None:
    scale = scale_of(kind, most)
    assert (scale.unit, shown(most / scale.size, scale.digits)) == (unit, text)


def test_nothing_is_printed_as_minus_zero() -> None:
    assert shown(-0.0001, 2) == "0.00"


# -- the other pages ------------------------------------------------------------------------------------------------


def day(site: Site, values: Any = DAYLONG) -> PeriodData:
    return a_period(site, values, SPAN)


def test_key_metrics_are_in_the_units_of_sustainability_reports() -> None:
    site = a_year(factors={"grid_kg_per_kwh": Factor(constant=0.5)})
    data, values = day(site), values_of(site, cells(DAYLONG))
    found = {each.name: (each.shown, each.unit, each.basis) for each in metrics(data, values, carbon(data, 0.5), 0.5)}
    assert found["electricity"] == ("2.9", "MWh", "metered")
    assert found["it"] == ("1.9", "MWh", "category 1")
    assert found["water"] == ("1.0", "m3", "total input")
    assert found["pue"] == ("1.500", "1", "category 1")
    assert found["scope2_location_kg"] == ("1.4", "t CO2e", "import by the grid's factor")
    assert found["scope1_kg"][0] == "\u2013"
    assert found["ref"] == ("\u2013", "%", "no meter or factor")
    assert "cfe" not in found


def test_gaps_and_issues_are_told_once_and_worst_first() -> None:
    gap = {**DAYLONG, "ups": [math.nan] * 20 + [20.0] * 76, "mains": [10.0] * 90 + [math.nan] * 6}
    site = a_year()
    found = caveats(day(site, gap), values_of(site, cells(gap)))
    assert "79.2% of the window is usable" in found[0]
    assert "ups: 20.8% of its time is missing." in found
    assert found.index("ups: 20.8% of its time is missing.") < found.index("mains: 6.2% of its time is missing.")
    assert len(set(found)) == len(found)
    assert caveats(day(site), values_of(site, cells(DAYLONG))) == ()


def test_many_caveats_are_counted() -> None:
    names = {f"m{place:02}": "it_equipment" for place in range(30)}
    values = {name: [math.nan] * (place + 1) + [1.0] * (95 - place) for place, name in enumerate(names)}
    site = a_site(names)
    found = caveats(day(site, values), values_of(site, cells(values)))
    assert len(found) == 21
    assert found[-1].startswith("And ")


def test_the_method_names_the_boundary_and_only_what_the_site_has() -> None:
    site = a_year(wue_numerator="total_input")
    said = " ".join(method(site, values_of(site, cells(DAYLONG))))
    assert "category 1: the IT load is measured at the UPS output" in said
    assert "counts all water that comes in" in said
    assert "REF" not in said
    assert "Carbon" not in said


def test_the_gate_sees_a_figure_that_is_withheld() -> None:
    site = a_year()
    swapped = {**DAYLONG, "ups": [40.0] * 96}
    data = day(site, swapped)
    found = checked(data, values_of(site, cells(swapped)), energy(data), water(data, 0.5))
    assert {each.code for each in found if each.ok is False} == {"energy.it_above_dc", "pue.below_one"}


def test_the_carbon_free_share_by_local_hour() -> None:
    pv = [0.0] * 48 + [20.0] * 4 + [0.0] * 44  # noon to one o'clock in UTC
    site = a_site(
        {"grid": "utility_import"},
        meter("pv", "onsite_renewable"),
        zone="Asia/Tokyo",
        factors={"grid_carbon_free_share": Factor(constant=0.25)},
    )
    found = hourly(day(site, {"grid": [20.0] * 96, "pv": pv}))
    assert found is not None
    assert found.share[21] == pytest.approx((80 + 0.25 * 80) / 160)
    assert found.share[3] == 0.25
    assert hourly(day(a_year())) is None


# -- what a revision changes ----------------------------------------------------------------------------------------


def test_only_figures_that_differ_are_changes() -> None:
    old = reporting.full()
    new = reporting.plain(reporting.month())
    assert changes(old, old) == ()
    new["headlines"][0]["current"]["value"] = 1.5
    new["rows"][3]["e_dc"] = None
    new["site"]["name"] = "Another name"
    new["findings"] = []
    found = {each.name: each for each in changes(old, new)}
    assert set(found) == {f"{old['headlines'][0]['name']}.current", f"{old['rows'][3]['key']}.e_dc"}
    row = found[f"{old['rows'][3]['key']}.e_dc"]
    assert (row.new, row.unit, row.label) == (None, "kWh", f"E_DC of {old['rows'][3]['key']}")


def test_a_figure_that_is_gone_or_new_is_a_change() -> None:
    old, new = reporting.full(), reporting.full()
    told = {line["name"] for line in old["headlines"]}
    place = next(place for place, each in enumerate(old["kpis"]) if each["kpi"] not in told)
    gone, come = old["kpis"][place]["kpi"], {**old["kpis"][place], "kpi": "fresh", "value": 2.0}
    new["kpis"][place] = come
    found = {each.name: (each.old, each.new) for each in changes(old, new)}
    assert found == {f"kpi.{gone}": (old["kpis"][place]["value"], None), "kpi.fresh": (None, 2.0)}


def test_an_open_balance_is_told() -> None:
    value = values_of(a_year(), cells(DAYLONG))["pue"]
    told = replace(value, issues=(Issue(code="balance.open", severity="warning", message="the tree is open"),))
    assert caveats(day(a_year()), {"pue": told}) == ("iPUE: the tree is open.",)
