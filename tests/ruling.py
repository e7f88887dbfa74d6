"""Prometheus' own tool on rule files, and series of figures as /metrics shows them, for both evaluators of a rule."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alerts.machine import Sample
from alerts.prometheus import rules_document
from tests.servers import program
from wattwell.cli.rules import rule_file
from wattwell.intervals import MINUTE
from wattwell.model import AlertRule

FULL = 0.9
_NONE = "stale"
"""How a series that is no longer there is written for promtool."""


@dataclass(frozen=True)
class Edge:
    """What is known of a figure at one edge; the edges stand a minute apart, from 0."""

    value: float | None
    provisional: bool = False
    withheld: float | None = None


def edges(text: str) -> list[Edge]:
    """``1.31`` a value, ``1.31x4`` four edges of it, ``1.28p`` a provisional one, ``0.9w`` one withheld, ``_`` none."""
    found: list[Edge] = []
    for word in text.split():
        each, _, times = word.partition("x")
        number = None if each == "_" else float(each.rstrip("pw"))
        one = Edge(None, withheld=number) if each.endswith("w") else Edge(number, each.endswith("p"))
        found += [one] * int(times or 1)
    return found


def samples(found: Sequence[Edge]) -> list[Sample]:
    """As Wattwell's own rules see them."""
    return [Sample(at * MINUTE, e.value, e.provisional, withheld=e.withheld) for at, e in enumerate(found)]


def input_series(rule: AlertRule, site: str, found: Sequence[Edge]) -> list[dict[str, str]]:
    """As /metrics shows them, for the ``input_series`` of a promtool test: PUE, WUE, coverage or IT power."""
    match rule.signal, rule.kpi:
        case "coverage", kpi:
            return [_series(f'wattwell_kpi_coverage_ratio{{kpi="{kpi}"', rule, site, [e.value for e in found])]
        case "power", _:
            watts = [None if e.value is None else e.value * 1000 for e in found]
            known: list[float | None] = [1.0] * len(found)
            return [
                _series(f'wattwell_site_power_watts{{subsystem="{rule.of}"', rule, site, watts),
                _series('wattwell_kpi_coverage_ratio{kpi="dcie",window="1h"', rule, site, known),
            ]
        case "finding", _:
            watts = [None if e.value is None else e.value * 1000 for e in found]
            return [_series(f'wattwell_finding_excess_watts{{family="{rule.of}"', rule, site, watts)]
        case "findings", _:
            return [_series(f'wattwell_findings{{family="{rule.of}"', rule, site, [e.value for e in found])]
        case _, kpi:
            name = {"pue": 'wattwell_site_pue_ratio{category="1"', "wue": f"{_WUE}{{"}[kpi]
            usable = [1.0 if e.value is not None or e.withheld is not None else 0.2 for e in found]
            coverage: list[float | None] = [
                0.6 if e.provisional else each - 0.1 for e, each in zip(found, usable, strict=True)
            ]
            return [
                _series(name, rule, site, [e.value for e in found]),
                _series(f'wattwell_kpi_withheld{{kpi="{kpi}"', rule, site, [e.withheld for e in found]),
                _series(f'wattwell_kpi_coverage_ratio{{kpi="{kpi}"', rule, site, coverage),
                _series(f'wattwell_kpi_estimated_ratio{{kpi="{kpi}"', rule, site, [0.1] * len(found)),
            ]


_WUE = "wattwell_site_wue_litres_per_kilowatt_hour"


def _series(head: str, rule: AlertRule, site: str, values: Sequence[float | None]) -> dict[str, str]:
    window = f',window="{rule.window}"' if rule.window else ""
    named = f'{head}{window},site="{site}",instance="w",job="wattwell"}}'.replace("{,", "{")
    return {"series": named, "values": " ".join(_NONE if value is None else repr(value) for value in values)}


def written(folder: Path, rules: Sequence[AlertRule]) -> Path:
    """The rule file of these rules."""
    path = folder / "rules.yml"
    path.write_text(rule_file(rules_document(rules, FULL), "w.yaml"), encoding="utf-8")
    return path


def unit_tested(path: Path, tests: Sequence[dict[str, Any]]) -> str:
    """What ``promtool test rules`` finds wrong; empty where all holds."""
    document = {"rule_files": [path.name], "evaluation_interval": "1m", "tests": list(tests)}
    tested = path.with_name("tests.yml")
    tested.write_text(json.dumps(document), encoding="utf-8")
    return promtool("test", "rules", tested)


def promtool(*arguments: str | Path) -> str:
    """Runs promtool; what it says where it is not content, else nothing."""
    done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else f"{done.stdout}\n{done.stderr}"
