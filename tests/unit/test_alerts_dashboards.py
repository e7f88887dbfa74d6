"""Alerts lead to the board that shows what they are about, from Wattwell itself and from Prometheus."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts.machine import AlertState
from alerts.prometheus import rules_document
from alerts.wording import annotations_of, dashboard_of
from tests.boards import boards
from tests.ruling import promtool, written
from tests.running import two_meters
from wattwell.app.access import rules_of
from wattwell.config import parse
from wattwell.engine.audit import configuration
from wattwell.model import SIGNALS, AlertRule

GRAFANA = "https://grafana.example.org/dc"


def rule(signal: str, of: str = "", kpi: str = "", window: str = "", **changes: object) -> AlertRule:
    fields = {"above": 1.0, "below": None, "clear": None, "hold": 0, "keep_firing": 0, "severity": "info", "sites": ()}
    named = {"name": "R", "signal": signal, "of": of, "kpi": kpi, "window": window, "boards": GRAFANA}
    return AlertRule(**{**named, **fields, **changes})  # type: ignore[arg-type]


RULES = {
    "site": rule("kpi", kpi="pue", window="24h"),
    "water": rule("kpi", kpi="wue", window="7d"),
    "renewables": rule("course", kpi="ref"),
    "ingest": rule("stale", of="any"),
    "findings": rule("finding", of="any"),
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_alert_leads_to_a_board_that_is_there(signal: str) -> None:
    chosen = rule(signal, of="any", window="24h")
    parts = urlsplit(dashboard_of(chosen, "north")["dashboard_url"])
    board = boards()[parts.path.removeprefix("/dc/d/")]
    variables = {each["name"] for each in board["templating"]["list"]}
    assert {f"var-{name}" for name in variables} >= parse_qs(parts.query).keys() == {"var-site", "var-window"}


@pytest.mark.parametrize("name", RULES)
def test_the_board_is_that_of_the_figure(name: str) -> None:
    assert dashboard_of(RULES[name], "a")["dashboard_url"].startswith(f"{GRAFANA}/d/wattwell-{name}?var-site=a")


def test_what_belongs_to_no_site_names_none() -> None:
    assert dashboard_of(rule("spool", of="readings"), "") == {"dashboard_url": f"{GRAFANA}/d/wattwell-ingest"}


def test_a_rule_s_own_annotation_counts_and_without_grafana_there_is_none() -> None:
    mine = rule("kpi", kpi="pue", annotations={"dashboard_url": "https://mine"})
    assert annotations_of(mine, "a", AlertState())["dashboard_url"] == "https://mine"
    assert "dashboard_url" not in annotations_of(rule("kpi", kpi="pue", boards=None), "a", AlertState())


def test_prometheus_gives_the_same_address(tmp_path: Path) -> None:
    assert promtool("check", "rules", written(tmp_path, list(RULES.values())[:1])) == ""
    (group,) = rules_document([RULES["findings"], rule("spool", of="readings", name="S")], 0.9)["groups"]
    found = {each["alert"]: each["annotations"] for each in group["rules"] if "alert" in each}
    assert found["R"]["dashboard_url"] == f"{GRAFANA}/d/wattwell-findings?var-site={{{{ $labels.site }}}}"
    assert found["S"]["dashboard_url"] == f"{GRAFANA}/d/wattwell-ingest"


def test_the_configuration_says_where_grafana_is_and_the_ledger_does_not() -> None:
    document = {"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": []}]}
    meters = [{"id": "m", "quantity": "power", "accumulation": "instantaneous"}]
    document["sites"][0]["meters"] = meters
    config = parse(document | {"http": {"grafana_url": f"{GRAFANA}/"}}, Path())
    rules = rules_of(config)
    assert {each.boards for each in rules} == {GRAFANA}
    assert "grafana" not in str(configuration(config, rules))
    assert {each.boards for each in rules_of(two_meters(Path()))} == {None}
