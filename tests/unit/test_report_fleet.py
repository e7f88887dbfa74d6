"""Several sites in one report: worked figures of METRICS, and what is never added up."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.report.fleet import FleetReport, Group, fleet, size_class
from analytics.report.model import Metric


def kpi(name: str, numerator: float, denominator: float, **changes: Any) -> dict[str, Any]:
    return {
        "kpi": name,
        "label": name.upper(),
        "unit": "1",
        "value": numerator / denominator,
        "numerator": numerator,
        "denominator": denominator,
        "usable": 1.0,
        "basis": None,
        "provisional": False,
        "issues": [],
    } | changes


def report(site: str, *kpis: dict[str, Any], category: int = 1, it_power: float | None = 800.0) -> dict[str, Any]:
    head = {"id": site, "name": site, "pue_category": category, "it_power_kw": it_power, "timezone": "UTC"}
    head["wue_numerator"] = "total_input"
    pue = next((each for each in kpis if each["kpi"] == "pue"), kpi("pue", 1.0, 1.0))
    return {
        "site": head | {"currency": "EUR"},
        "period": {"key": "2026-10", "name": "October 2026", "window": "month", "over": True},
        "status": "issued",
        "revision": 1,
        "inputs": {"digest": site, "program": "wattwell"},
        "kpis": list(kpis),
        "headlines": [
            {
                "name": "energy",
                "current": {"value": pue["numerator"], "provisional": pue["provisional"], "usable": 0.8},
            },
            {"name": "cost", "current": {"value": 7, "provisional": False, "usable": 1.0}},
        ],
        "metrics": [{"name": "it", "value": pue["denominator"] / 1000}],
        "findings": [{"excess_kwh": {"value": 5.0}}, {"excess_kwh": None}],
    }


def group(found: FleetReport, category: int = 1, size: str | None = None) -> Group:
    (one,) = [each for each in found.groups if (each.category, each.size) == (category, size)]
    return one


def metric(of: Group, name: str) -> Metric:
    (one,) = [each for each in of.metrics if each.name == name]
    return one


def test_sites_weigh_by_energy() -> None:
    """150/100 and 30/10 MWh are 1.636, not 2.25."""
    found = fleet([report("a", kpi("pue", 150e3, 100e3)), report("b", kpi("pue", 30e3, 10e3))])
    pue = metric(group(found), "pue")
    assert (pue.value, pue.shown, pue.basis) == (pytest.approx(180 / 110), "1.636", "2 of 2 sites")
    assert [(each.name, each.value, each.shown, each.unit) for each in found.totals] == [
        ("e_dc", 180e3, "180.0", "MWh"),
        ("e_it", 110e3, "110.0", "MWh"),
        ("water", None, "\u2013", "L"),
        ("carbon_location", None, "\u2013", "kg"),
        ("cost_EUR", 14, "14", "EUR"),
    ]
    assert [each.findings_kwh for each in found.sites] == [5.0, 5.0]


def test_categories_never_mix() -> None:
    found = fleet([report("a", kpi("pue", 150, 100)), report("b", kpi("pue", 30, 10), category=3)])
    assert [(each.category, each.size, each.sites) for each in found.groups if each.size is None] == [
        (1, None, ("a",)),
        (3, None, ("b",)),
    ]
    assert metric(group(found, 3), "pue").value == 3
    assert any("different PUE categories" in each for each in found.caveats)


@pytest.mark.parametrize(
    ("power", "size"),
    [
        (None, "size not declared"),
        (499.9, "below 500 kW"),
        (500, "500 kW to 1 MW"),
        (1000, "1 to 2 MW"),
        (9999, "2 to 10 MW"),
        (10_000, "10 MW and more"),
    ],
)
def test_sizes(power: float | None, size: str) -> None:
    assert size_class(power) == size
    assert group(fleet([report("a", kpi("pue", 2, 1), it_power=power)]), size=size).sites == ("a",)


def test_sites_without_enough_coverage_are_named_and_left_out() -> None:
    without = kpi("pue", 9, 1, value=None, issues=[{"message": "40.0% of the window is usable"}])
    shaky = kpi("pue", 9, 1, provisional=True, usable=0.8, issues=[{"code": "coverage.provisional"}])
    found = fleet([report("a", kpi("pue", 150, 100)), report("b", without), report("c", shaky), report("d")])
    assert metric(group(found), "pue").value == 1.5
    assert metric(group(found), "pue").basis == "1 of 4 sites"
    assert [(each.value, each.basis) for each in found.totals[:2]] == [(160, "3 of 4 sites"), (100, "1 of 4 sites")]
    assert [(each.site, each.reason) for each in found.left_out if each.kpi == "energy"] == [
        ("c", "80.0% of the period is usable")
    ]
    assert [(each.site, each.reason) for each in found.left_out if each.kpi == "pue"] == [
        ("b", "40.0% of the window is usable"),
        ("c", "provisional: 80.0% of the period is usable"),
        ("d", "the site lacks the meters or factors for it"),
    ]


def test_other_bases_are_not_added_up() -> None:
    one, other = (kpi("wue", 5, 10, basis=basis) for basis in ("total_input", "potable"))
    found = metric(group(fleet([report("a", one), report("b", other)])), "wue")
    assert (found.value, found.basis) == (None, "not added up: potable, total input")


def test_a_month_that_goes_on_is_added_up() -> None:
    """What is provisional since the month is not over lacks no coverage."""
    running = kpi("pue", 150, 100, provisional=True, issues=[{"code": "window.open"}])
    found = fleet([report("a", running), report("b", running)])
    assert metric(group(found), "pue").basis == "2 of 2 sites"
    assert [each for each in found.left_out if each.kpi == "pue"] == []


def test_fiscal_years_that_are_other_periods_are_left_out() -> None:
    made = [report(site, kpi("pue", 150, 100)) for site in "abc"]
    made[0]["period"] |= {"key": "FY2026", "name": "1 July 2026 to 30 June 2027", "window": "fiscal_year"}
    for each in made[1:]:
        each["period"] |= {"key": "FY2026", "name": "1 April 2026 to 31 March 2027", "window": "fiscal_year"}
    found = fleet(made)
    assert found.period["name"] == "1 April 2026 to 31 March 2027"
    assert metric(group(found), "pue").basis == "2 of 3 sites"
    assert [each.basis for each in found.totals if each.value is not None] == ["2 of 3 sites"] * 3
    assert {(each.site, each.reason) for each in found.left_out if each.kpi in ("pue", "energy", "cost")} == {
        ("a", "another period: 1 July 2026 to 30 June 2027")
    }


def test_drafts_are_named() -> None:
    found = fleet([report("a", kpi("pue", 2, 1)) | {"status": "draft", "revision": None}])
    assert found.caveats == ("Drafts, not issued: a.",)


def test_a_fleet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        fleet([])
