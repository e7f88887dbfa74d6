"""Many sites as one (METERING, Quality; METRICS, Worked)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics.rollup import roll_up
from tests.sites import T0, codes
from wattwell.intervals import HOUR, Interval
from wattwell.model import KpiValue


def value(site: str, numerator: float | None, denominator: float | None, **changes: Any) -> KpiValue:
    ratio = None if numerator is None or not denominator else numerator / denominator
    fields: dict[str, Any] = {
        "site": site,
        "kpi": "pue",
        "label": "iPUE",
        "window": "24h",
        "interval": Interval(T0, T0 + 24 * HOUR),
        "value": ratio,
        "unit": "1",
        "numerator": numerator,
        "denominator": denominator,
        "usable": 1.0,
        "coverage": 1.0,
        "estimated": 0.0,
        "category": 1,
        "basis": None,
        "provisional": False,
        "issues": (),
    }
    return KpiValue(**(fields | changes))


def test_the_ratio_of_the_sums_and_not_the_mean_of_the_ratios() -> None:
    found = roll_up([value("a", 150.0, 100.0), value("b", 30.0, 10.0)])
    assert (found.site, found.value, found.numerator, found.denominator) == ("all", 180 / 110, 180, 110)
    assert round(found.value or 0, 3) == 1.636
    assert (found.label, found.window, found.category, found.unit, found.issues) == ("iPUE", "24h", 1, "1", ())


def test_shares_are_the_lowest_sites_and_times_span_all() -> None:
    found = roll_up(
        [
            value("a", 150.0, 100.0, usable=0.95, coverage=0.94, interval=Interval(T0 + HOUR, T0 + 25 * HOUR)),
            value("b", 30.0, 10.0, usable=0.97, coverage=0.91, interval=Interval(T0, T0 + 24 * HOUR)),
        ]
    )
    assert (found.usable, found.coverage, found.estimated) == (0.95, 0.91, 0.95 - 0.91)
    assert found.interval == Interval(T0, T0 + 25 * HOUR)
    assert found.provisional is False


def test_provisional_if_one_is() -> None:
    found = roll_up([value("a", 150.0, 100.0), value("b", 30.0, 10.0, provisional=True, usable=0.6, coverage=0.6)])
    assert (found.value, found.provisional) == (180 / 110, True)


def test_a_site_without_a_value_leaves_none() -> None:
    without = value("b", 30.0, 10.0, value=None, usable=0.2, coverage=0.2)
    found = roll_up([value("a", 150.0, 100.0), without])
    assert (found.value, codes(found), found.provisional) == (None, ["rollup.incomplete"], False)
    assert "b" in found.issues[0].message
    assert (found.usable, found.numerator) == (0.2, 180)
    blank = roll_up([value("a", 150.0, 100.0), value("b", None, None, usable=0.0, coverage=0.0)])
    assert (blank.value, blank.numerator, blank.denominator) == (None, None, None)


def test_categories_never_mix_in_a_kpi_with_e_it() -> None:
    found = roll_up([value("a", 150.0, 100.0), value("b", 30.0, 10.0, category=3)])
    assert (found.value, found.category, codes(found)) == (None, None, ["category.mixed"])
    ref = [value(site, 15.0, 100.0, kpi="ref", category=None, basis="on-site") for site in "ab"]
    assert roll_up(ref).value == 0.15


def test_wue_numerators_never_mix() -> None:
    pair = [value(site, 80.0, 100.0, kpi="wue", basis=basis) for site, basis in (("a", "total_input"), ("b", "fresh"))]
    found = roll_up(pair)
    assert (found.value, found.basis, codes(found)) == (None, None, ["basis.mixed"])
    assert roll_up([pair[0], replace(pair[0], site="b")]).basis == "total_input"
    ref = [replace(each, kpi="ref", category=None) for each in pair]
    assert (roll_up(ref).value, roll_up(ref).basis) == (0.8, None)


def test_renewable_shares_by_source_weigh_as_much_as_their_sites() -> None:
    one = value("a", 30.0, 100.0, kpi="ref", parts={"onsite": 0.1, "ppa": 0.2})
    other = value("b", 150.0, 300.0, kpi="ref", parts={"onsite": 0.5})
    assert roll_up([one, other]).parts == pytest.approx({"onsite": 160 / 400, "ppa": 20 / 400})


def test_peaks_of_several_sites_do_not_add_up() -> None:
    pair = [value(site, 150.0, 0.25, kpi="peak_demand_kw", category=None) for site in "ab"]
    assert codes(roll_up(pair)) == ["rollup.not_additive"]
    assert roll_up(pair[:1]).value == 600
    factors = [replace(each, kpi="load_factor") for each in pair]
    assert (codes(roll_up(factors)), roll_up(factors).value) == (["rollup.not_additive"], None)


def test_one_site_is_its_own_roll_up() -> None:
    one = value("a", 150.0, 100.0, provisional=True, usable=0.8, coverage=0.7, estimated=0.8 - 0.7)
    assert roll_up([one]) == replace(one, site="all")
