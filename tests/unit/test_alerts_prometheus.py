"""The Prometheus rules of alert rules: what promtool cannot see in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.defaults import default_rules, pue_high
from alerts.machine import WITH_DATA_ALERT
from alerts.prometheus import DOWN, rules_document
from tests.ruling import promtool, written
from wattwell.cli.rules import rule_file
from wattwell.config.rules import KPIS, POWERS
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import SIGNALS, AlertRule


def rule(name: str = "R", **changes: Any) -> AlertRule:
    fields = {"kpi": "pue", "window": "24h", "above": 1.3, "below": None, "clear": None, "hold": 0, "keep_firing": 0}
    return AlertRule(**{"name": name, "severity": "warning", "sites": (), **fields, **changes})


def of(signal: str, of: str = "", window: str = "", **changes: Any) -> AlertRule:
    return rule(signal=signal, kpi="", of=of, window=window, **changes)


def alerts(*rules: AlertRule) -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    (group,) = rules_document(rules, 0.9)["groups"]
    found = [each for each in group["rules"] if "alert" in each]
    assert len(found) == len({each["alert"] for each in found})
    return {each["alert"]: each for each in found}


EVERY = {
    **{f"kpi {kpi}": rule(kpi=kpi) for kpi in KPIS},
    **{f"power {name}": of("power", name) for name in POWERS},
    "power over a window": of("power", "cooling", "7d"),
    "coverage": rule(signal="coverage", above=None, below=0.9, clear=0.95),
    "stale": of("stale", "any", above=900.0),
    "stale, one meter": of("stale", "grid-a", above=900.0, sites=("a.b", "c")),
    "balance": of("balance", "any", "24h", above=1.0, hold=HOUR),
    "finding": of("finding", "any", above=20.0, clear=15.0, hold=HOUR),
    "finding of a family": of("finding", "fan_power", above=20.0, sites=("a.b", "c")),
    "findings": of("findings", "any", above=0.0),
    "spool": of("spool", "readings", above=1000.0, clear=10.0, keep_firing=HOUR),
    "course": rule(signal="course", window=""),
    "expected": rule(signal="expected", above=0.05, clear=0.03),
}


@pytest.mark.parametrize("name", EVERY)
def test_promtool_accepts_a_rule_on_every_signal(name: str, tmp_path: Path) -> None:
    assert {each.signal for each in EVERY.values()} == set(SIGNALS)
    path = written(tmp_path, [EVERY[name]])
    assert promtool("check", "rules", "--lint=all", "--lint-fatal", path) == ""
    text = path.read_text(encoding="utf-8")
    assert ("RNoData" in text) == (EVERY[name].signal in WITH_DATA_ALERT)


def test_labels_are_those_of_wattwell_s_own_alert() -> None:
    found = alerts(rule(labels={"team": "dc"}, severity="critical"), of("power", "it"))["R"]["labels"]
    assert found == {"team": "dc", "severity": "critical", "kpi": "pue", "window": "24h"}
    assert alerts(of("power", "it"))["R"]["labels"] == {"severity": "warning", "subsystem": "it"}


def test_no_text_of_a_user_is_taken_for_a_template(tmp_path: Path) -> None:
    unruly = rule(annotations={"note": 'as {{ $labels.site }} is: "1"\nand {{'}, labels={"who": "{{ x"})
    assert promtool("check", "rules", written(tmp_path, [unruly])) == ""
    note = alerts(unruly)["R"]["annotations"]["note"]
    assert note == 'as {{ "{{" }} $labels.site }} is: "1"\nand {{ "{{" }}'
    assert yaml.safe_load(rule_file(rules_document([unruly], 0.9), "w.yaml")) == rules_document([unruly], 0.9)


def test_a_runbook_and_the_hold_come_along() -> None:
    found = alerts(rule(runbook="https://wiki.example/pue", hold=30 * MINUTE))
    assert found["R"]["annotations"]["runbook_url"] == "https://wiki.example/pue"
    assert [found[name]["for"] for name in ("R", "RNoData")] == ["30m", "30m"]
    assert "for" not in alerts(rule())["R"]


def test_rules_of_one_name_become_one_alert() -> None:
    """The shipped rules against targets that differ from site to site."""
    found = alerts(pue_high(1.3, ("a",)), pue_high(1.4, ("b.c", "d")))
    assert {"PueHigh", "PueHighNoData", DOWN} == found.keys()
    expression = found["PueHigh"]["expr"]
    assert 'seen{site="a"} > 1.3' in expression
    assert 'seen{site=~"b[.]c|d"} > 1.4' in expression
    assert "1.3" not in found["PueHigh"]["annotations"]["summary"]


def test_a_figure_that_two_rules_watch_has_one_data_alert() -> None:
    assert alerts(rule("A"), rule("B", above=1.5)).keys() == {"A", "ANoData", "B", DOWN}
    some = alerts(rule("A", sites=("x", "y")), rule("B"), rule("C", sites=("y", "z")), rule("D", window="7d"))
    assert some.keys() == {"A", "ANoData", "B", "BNoData", "C", "D", "DNoData", DOWN}
    assert 'site!~"x|y"' in some["BNoData"]["expr"]
    left = alerts(rule("A", sites=("x",)), rule("C", sites=("x", "z")))
    assert 'site="z"' in left["CNoData"]["expr"]
    assert 'site!="x"' in alerts(rule("A", sites=("x",)), rule("B"))["BNoData"]["expr"]


def test_a_name_of_the_user_s_own_is_not_taken() -> None:
    assert alerts(rule(DOWN))[DOWN]["labels"]["kpi"] == "pue"


def test_nothing_is_shipped_that_is_not_there() -> None:
    assert alerts(*default_rules({})).keys() >= {
        "MeterStale",
        "CoverageLow",
        "BalanceOpen",
        "SpoolGrowing",
        "PueBelowOne",
    }
