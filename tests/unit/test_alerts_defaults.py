"""The shipped alert rule."""

from __future__ import annotations

import pytest

from alerts.board import NO_SITE, rules_of
from alerts.defaults import default_rules, pue_high
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import Site


def site(name: str, **targets: float) -> Site:
    return Site(
        id=name, name=name, zone="UTC", pue_category=1, it_power_kw=None, fiscal_year_start=1,
        wue_numerator="total_input", targets=targets, limits=(), prices=None, factors={}, certificates=None, meters={},
    )  # fmt: skip


DATA = ["PueBelowOne", "MeterStale", "CoverageLow", "BalanceOpen", "PueAboveExpected", "FindingOpen", "SpoolGrowing"]


def test_the_shipped_rules() -> None:
    rules = default_rules({"a": site("a"), "b": site("b", pue=1.3)})
    assert [rule.name for rule in rules] == ["PueHigh", *DATA]
    rule = rules[0]
    assert (rule.name, rule.kpi, rule.window, rule.severity, rule.sites) == ("PueHigh", "pue", "24h", "warning", ())
    assert (rule.above, rule.below, rule.clear) == (1.30, None, 1.27)
    assert (rule.hold, rule.keep_firing) == (30 * MINUTE, HOUR)


def test_each_site_has_the_rule_of_its_target() -> None:
    rules = default_rules({"a": site("a"), "b": site("b", pue=1.2), "c": site("c", pue=1.2)})
    high = [(rule.above, rule.clear, rule.sites) for rule in rules if rule.name == "PueHigh"]
    assert high == [(1.3, 1.27, ("a",)), (1.2, 1.18, ("b", "c"))]
    assert [[rule.name for rule in rules_of(rules, name)] for name in "abc"] == [["PueHigh", *DATA[:-1]]] * 3
    assert [rule.name for rule in rules_of(rules, NO_SITE)] == ["SpoolGrowing"]


def test_water_and_renewables_are_watched_where_a_target_is_declared() -> None:
    rules = default_rules({"a": site("a", wue=0.5), "b": site("b", renewable_share=0.6)})
    found = [(rule.name, rule.kpi, rule.above, rule.below, rule.sites) for rule in rules[1:3]]
    assert found == [("WueHigh", "wue", 0.5, None, ("a",)), ("RenewableLow", "ref", None, 0.6, ("b",))]
    assert all(rule.below is None or rule.clear is None or rule.clear >= rule.below for rule in rules)


@pytest.mark.parametrize("target", [1.0, 1.02, 1.5, 0.9])
def test_the_clear_line_can_be_reached_and_lies_on_the_good_side(target: float) -> None:
    clear = pue_high(target).clear
    assert clear is not None
    assert min(target, 1.0) <= clear <= target
