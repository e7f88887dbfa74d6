"""The documents say what is there: commands, configuration keys, metrics, figures, reasons, links."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

import pytest

from analytics.anomaly.analogs import NEIGHBOURS
from analytics.anomaly.inspection import STANDING
from analytics.anomaly.settings import Settings
from analytics.anomaly.telemetry import LEARNT
from analytics.kpi import KPIS
from collector.simulate.faults import KINDS
from wattwell.cli.arguments import parser
from wattwell.config import rules, schema
from wattwell.engine.queries import Snapshot
from wattwell.engine.spans import WINDOWS
from wattwell.roles import ROLES
from wattwell.units import QuantityKind
from wattwell.web.metrics import families

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
METRICS = {
    "wattwell_site_pue_ratio": ("site", "window", "category"),
    "wattwell_site_wue_litres_per_kilowatt_hour": ("site", "window"),
    "wattwell_site_renewable_energy_factor_ratio": ("site", "window"),
    "wattwell_site_power_watts": ("site", "subsystem"),
    "wattwell_kpi_coverage_ratio": ("site", "kpi", "window"),
    "wattwell_kpi_estimated_ratio": ("site", "kpi", "window"),
    "wattwell_site_overhead_ratio": ("site", "window", "subsystem"),
    "wattwell_site_ups_efficiency_ratio": ("site", "window"),
    "wattwell_site_peak_demand_watts": ("site", "window"),
    "wattwell_site_wue_source_litres_per_kilowatt_hour": ("site", "window"),
    "wattwell_site_energy_reuse_factor_ratio": ("site", "window"),
    "wattwell_site_energy_reuse_effectiveness_ratio": ("site", "window"),
    "wattwell_site_cooling_efficiency_ratio": ("site", "window"),
    "wattwell_site_carbon_free_ratio": ("site", "window"),
    "wattwell_site_load_factor_ratio": ("site", "window"),
    "wattwell_site_reclaimed_water_ratio": ("site", "window"),
    "wattwell_site_cue_grams_per_kilowatt_hour": ("site", "window", "basis"),
    "wattwell_site_carbon_grams": ("site", "window", "basis"),
    "wattwell_site_water_litres": ("site", "window"),
    "wattwell_kpi_withheld": ("site", "kpi", "window"),
    "wattwell_site_target": ("site", "kpi"),
    "wattwell_site_role_power_watts": ("site", "role"),
    "wattwell_outdoor_temperature_celsius": ("site", "meter", "role"),
    "wattwell_balance_residual_ratio": ("site", "parent"),
    "wattwell_balance_tolerance_ratio": ("site", "parent"),
    "wattwell_meter_reporting_limit_seconds": ("site", "meter"),
    "wattwell_meter_events": ("site", "event", "state"),
    "wattwell_meter_last_reading_timestamp_seconds": ("site", "meter"),
    "wattwell_readings_total": ("site",),
    "wattwell_readings_rejected_total": ("site", "reason"),
    "wattwell_spool_readings": (),
    "wattwell_ingest_lag_seconds": (),
    "wattwell_followed_timestamp_seconds": (),
    "wattwell_findings": ("site", "family"),
    "wattwell_finding_excess_watts": ("site", "family"),
    "wattwell_alerts": ("site", "name", "state"),
    "wattwell_report_issued_timestamp_seconds": ("site", "window"),
    "wattwell_reports_refused": ("site",),
    "wattwell_notifications_waiting": ("receiver",),
    "wattwell_notifications_delivered_total": ("receiver",),
    "wattwell_notifications_lost_total": ("receiver",),
}
"""The names and labels that dashboards and alert rules elsewhere rely on."""


def missing(words: Iterable[str]) -> list[str]:
    """The words that the README never names."""
    return [word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", README)]


def commands() -> dict[str, argparse.ArgumentParser]:
    actions = [a for a in parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(actions[0].choices)


def keys() -> set[str]:
    """Every key that a configuration may hold, as written."""
    models = [model for model in schema.Raw.__subclasses__() if model is not schema.RawTargets]
    return {field.alias or name for model in models for name, field in model.model_fields.items()}


def test_every_command_is_described() -> None:
    names = list(commands())
    assert len(names) >= 13
    assert missing(names) == []


def test_every_option_of_a_command_is_described() -> None:
    options = {o for c in commands().values() for a in c._actions for o in a.option_strings if o.startswith("--")}
    described = options - {"--help"}
    assert len(described) >= 12
    undescribed = [option for option in sorted(described) if option not in README]
    # What `simulate` can be told stands in its own help.
    assert set(undescribed) <= {"--days", "--fault", "--seed", "--speed", "--start", "--step"}


def test_every_configuration_key_is_described() -> None:
    assert len(keys()) >= 80
    assert missing(sorted(keys())) == []


def test_every_word_of_the_configuration_is_described() -> None:
    assert len(ROLES) >= 50
    assert missing([*ROLES, *QuantityKind, *schema.WUE_NUMERATORS, *schema.DECODERS]) == []


def test_every_figure_window_and_state_is_described() -> None:
    assert len(KPIS) >= 14
    assert missing([*KPIS, *WINDOWS, "firing", "no_data"]) == []


def test_every_metric_is_exported_and_described() -> None:
    found = {family.name + ("_total" if family.type == "counter" else "") for family in families(Snapshot())}
    assert found == METRICS.keys()
    assert missing(METRICS) == []


def test_metrics_carry_the_labels_promised() -> None:
    labels = {
        family.name + ("_total" if family.type == "counter" else ""): tuple(family._labelnames)  # type: ignore[attr-defined]
        for family in families(Snapshot())
    }
    assert labels == METRICS


def test_what_is_said_of_findings_has_the_detector_s_numbers() -> None:
    known, text = Settings(), " ".join(README.split())
    for words in (
        f"in the {NEIGHBOURS} hours of the site's own healthy history",
        f"{known.least_history // 24} days of healthy readings",
        f"from up to {known.memory // 24} days",
        f"(of what stands still after {LEARNT // 24} days)",
        f"{known.least_share:.0%} of what is expected (fans {known.least_share_fan:.0%}, "
        f"water {known.least_share_water:.0%})".replace("%", " %"),
        f"waits {({3: 'three'})[known.patience]} hours",
        f"within {({5: 'five'})[known.reopen // 24]} days is the same finding",
        f"stands for {({2: 'two'})[STANDING]} days",
    ):
        assert words.replace("%", " %").replace("  ", " ") in text, words
    assert (known.margin, known.clip, known.least_of_it) == (1.5, 8.0, 0.0025)
    assert (known.learn_every, known.calibrate, known.close_window) == (14 * 24, 28 * 24, 24)


def test_rules_may_watch_exactly_the_figures_that_exist() -> None:
    assert set(rules.KPIS) == set(KPIS)
    assert set(rules.HOURLY) == {name for name, kpi in KPIS.items() if kpi.hourly}


def test_every_simulated_fault_names_its_size() -> None:
    assert len(KINDS) >= 10
    assert [name for name, kind in KINDS.items() if not kind.size] == []


def test_make_targets_that_documents_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "lint", "figures", "bench", "clean"} <= targets
    for document in documents():
        assert set(re.findall(r"`?make ([a-z]+)\b(?=[`\s])", code_of(document))) <= targets, document


def code_of(document: Path) -> str:
    """The parts of a document that are set as code."""
    text = document.read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))


def documents() -> list[Path]:
    found = [p for p in ROOT.rglob("*.md") if not any(part.startswith(".") for part in p.relative_to(ROOT).parts)]
    assert len(found) >= 4
    return found


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8"))
    dead = [link for link in links if "://" not in link and not (document.parent / unquote(link)).exists()]
    assert dead == []
