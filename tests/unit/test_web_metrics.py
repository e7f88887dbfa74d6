"""/metrics: exact bytes, promtool's lint, and gaps instead of zeros."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.test_web_fake import SNAPSHOT, kpi_value
from wattwell.engine.queries import Snapshot
from wattwell.model import Issue
from wattwell.web.metrics import Exporter

GOLDEN = Path(__file__).parents[1] / "golden" / "metrics"


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(name, labels) -> value."""
    families = text_string_to_metric_families(text.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_exact_bytes() -> None:
    assert Exporter(lambda: SNAPSHOT).render() == (GOLDEN / "site.prom").read_bytes()


def test_an_empty_site_shows_only_what_is_known() -> None:
    assert Exporter(Snapshot).render() == (GOLDEN / "empty.prom").read_bytes()


@pytest.mark.parametrize("name", ["site.prom", "empty.prom"])
def test_promtool_finds_nothing(name: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert not os.environ.get("CI"), "promtool is missing; install the package prometheus"
        pytest.skip("promtool is not installed (Debian package prometheus)")
    with (GOLDEN / name).open("rb") as text:
        done = subprocess.run([promtool, "check", "metrics"], stdin=text, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_kpi_without_a_value_has_coverage_and_no_sample() -> None:
    snapshot = Snapshot(kpis=(kpi_value("pue", "365d", None), kpi_value("wue", "24h", float("nan"))))
    found = samples(Exporter(lambda: snapshot).render())
    assert not [name for name, _ in found if name.startswith("wattwell_site_")]
    assert found["wattwell_kpi_coverage_ratio", (("kpi", "pue"), ("site", "berlin"), ("window", "365d"))] == 0.25


def test_labels_and_values_of_the_interface() -> None:
    found = samples(Exporter(lambda: SNAPSHOT).render())
    berlin = ("site", "berlin")
    assert found["wattwell_site_pue_ratio", (("category", "1"), berlin, ("window", "24h"))] == 1.3125
    assert found["wattwell_site_wue_litres_per_kilowatt_hour", (berlin, ("window", "24h"))] == 0.8125
    assert found["wattwell_site_renewable_energy_factor_ratio", (berlin, ("window", "24h"))] == 0.125
    for basis, cue, grams in (("location", 450, 45_000), ("market", 0, 0)):
        labels = (("basis", basis), berlin, ("window", "24h"))
        assert found["wattwell_site_cue_grams_per_kilowatt_hour", labels] == cue
        assert found["wattwell_site_carbon_grams", labels] == grams
    assert found["wattwell_site_power_watts", (berlin, ("subsystem", "cooling"))] == 290000.5
    assert found["wattwell_meter_last_reading_timestamp_seconds", (("meter", "ups-a"), berlin)] == 1784033280.25
    assert found["wattwell_readings_total", (berlin,)] == 123456
    assert found["wattwell_readings_rejected_total", (("reason", "point.unknown"), ("site", ""))] == 12
    assert found["wattwell_alerts", (("name", "PueHigh"), berlin, ("state", "firing"))] == 1
    assert found["wattwell_alerts", (("name", "PueHigh"), berlin, ("state", "pending"))] == 0
    assert found["wattwell_spool_readings", ()] == 7
    assert found["wattwell_ingest_lag_seconds", ()] == 0.125


def test_exporters_share_nothing_and_ask_at_each_scrape() -> None:
    counts = iter(range(1, 9))
    first = Exporter(lambda: Snapshot(spool_readings=next(counts)))
    second = Exporter(Snapshot)
    assert [samples(first.render())["wattwell_spool_readings", ()] for _ in range(2)] == [1, 2]
    assert samples(second.render())["wattwell_spool_readings", ()] == 0


def test_what_contradicts_itself_is_withheld_and_shown_apart() -> None:
    below = Issue(code="pue.below_one", severity="error", message="no")
    scarce = Issue(code="coverage.insufficient", severity="warning", message="no")
    value = replace(kpi_value("pue", "24h", None), numerator=90.0, denominator=100.0)
    for issues, shown in (((below,), {0.9}), ((below, scarce), set()), ((scarce,), set())):
        snapshot = Snapshot(kpis=(replace(value, issues=issues),))
        found = samples(Exporter(lambda snapshot=snapshot: snapshot).render())  # type: ignore[misc]
        assert {number for (name, _), number in found.items() if name == "wattwell_kpi_withheld"} == shown
        assert "wattwell_site_pue_ratio" not in {name for name, _ in found}
