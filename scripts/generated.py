"""Writes the files that are made from the code: python -m scripts.generated; a test says when they are behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from alerts.defaults import default_rules
from alerts.prometheus import rules_document
from wattwell.app.demo import RULE, SPEED
from wattwell.cli.rules import rule_file
from wattwell.config import parse
from wattwell.config.build import DEFAULT_FULL
from wattwell.config.document import compose
from wattwell.config.places import Faults
from wattwell.config.rules import read_rules
from wattwell.engine.queries import Snapshot
from wattwell.intervals import SECOND
from wattwell.web.metrics import families

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "deploy/wattwell.example.yaml"
_UNITS = {
    "litres_per_kilowatt_hour": "L/kWh",
    "ratio": "1",
    "watts": "W",
    "litres": "L",
    "grams_per_kilowatt_hour": "g/kWh",
    "grams": "g",
    "celsius": "°C",
    "timestamp_seconds": "s since 1970, UTC",
    "seconds": "s",
    "readings": "readings",
    "readings_total": "readings",
    "rejected_total": "readings",
    "events": "events",
    "findings": "findings",
    "waiting": "notifications",
    "delivered_total": "notifications",
    "lost_total": "notifications",
    "alerts": "rules",
    "refused": "reports",
    "target": "of the KPI",
    "withheld": "of the KPI",
}
"""By how a metric's name ends; the longest counts."""
_REFERENCE = """\
# Metrics

What Wattwell exports on `/metrics`, made from the code: do not edit. A sample is missing where a value is not known.

| metric | type | unit | labels | what it tells |
|---|---|---|---|---|
"""


def generated() -> Mapping[str, str]:
    """Text by path from the root."""
    return {
        "docs/METRICS-REFERENCE.md": metrics_reference(),
        "deploy/prometheus/wattwell.rules.yml": shipped_rules(),
        "deploy/prometheus/demo.rules.yml": demo_rules(),
    }


def metrics_reference() -> str:
    """Every metric with type, unit, labels and help."""
    rows: list[str] = []
    for family in families(Snapshot()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels: tuple[str, ...] = family._labelnames  # type: ignore[attr-defined]  # noqa: SLF001 - shown nowhere else
        unit = _UNITS[max((end for end in _UNITS if name.endswith(f"_{end}")), key=len)]
        rows.append(f"| `{name}` | {family.type} | {unit} | {', '.join(labels) or '-'} | {family.documentation} |")
    return _REFERENCE + "\n".join(rows) + "\n"


def shipped_rules() -> str:
    """The shipped alert rules with the targets of the example's site."""
    document = compose((ROOT / EXAMPLE).read_text(encoding="utf-8"), EXAMPLE, Faults())
    sites = parse({"sites": document["sites"]}, ROOT).sites
    return rule_file(
        rules_document(default_rules(sites), DEFAULT_FULL), f"the shipped rules, with the targets of {EXAMPLE}"
    )


def demo_rules() -> str:
    """The demo's rule, which holds for less since the demo's time runs faster than Prometheus'."""
    rules = [
        replace(rule, hold=rule.hold // SPEED, keep_firing=rule.keep_firing // SPEED)
        for rule in read_rules([RULE], {}, Faults())
    ]
    return rule_file(
        rules_document(rules, DEFAULT_FULL, 5 * SECOND),
        "the demo's rule, held for as much less as the demo runs faster",
    )


if __name__ == "__main__":
    for path, text in generated().items():
        (ROOT / path).write_text(text, encoding="utf-8")
