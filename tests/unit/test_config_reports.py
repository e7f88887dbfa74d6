"""The reports section of the configuration (README, Configuration)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import a_meter
from wattwell.config import parse
from wattwell.config.document import compose
from wattwell.config.places import Faults
from wattwell.config.settings import ReportSettings
from wattwell.errors import ConfigError
from wattwell.intervals import DAY, HOUR

METER = {"id": a_meter().id, "role": "it_ups", "quantity": "power", "accumulation": "instantaneous"}
SITES = [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [METER]}]


def settings_of(folder: Path, text: str | None) -> ReportSettings:
    section: dict[str, Any] = {} if text is None else compose(text, "reports.yaml", Faults())
    return parse({"sites": SITES, **section}, folder).reports


def test_without_a_section_reports_are_issued_three_days_after_the_end_and_delivered(tmp_path: Path) -> None:
    expected = ReportSettings(issue=True, delay=3 * DAY, deliver=True, since=None)
    assert settings_of(tmp_path, None) == expected
    assert settings_of(tmp_path, "reports: {}") == expected


def test_every_key_counts(tmp_path: Path) -> None:
    found = settings_of(tmp_path, "reports: {issue: false, delay: 36h, deliver: false, from: 2026-10}")
    assert found == ReportSettings(issue=False, delay=36 * HOUR, deliver=False, since="2026-10")


@pytest.mark.parametrize("delay", ["0s", "60d"])
def test_the_delay_has_edges_that_are_taken(tmp_path: Path, delay: str) -> None:
    assert settings_of(tmp_path, f"reports: {{delay: {delay}}}").delay in (0, 60 * DAY)


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("delay: 61d", "reports.delay = 61d: a report waits for late data from 0s to 60d; shorten it"),
        ("delay: 3", "reports.delay = 3: write a duration such as 30m, or 0s, with its unit"),
        ("from: 2026-13", "reports.from = 2026-13: write a month as YYYY-MM, such as 2026-10, from 2000-01 to 2099-12"),
        ("from: 2026-10-01", "reports.from = 2026-10-01: write a month as YYYY-MM"),
        ("from: 2026", "reports.from = 2026: write a month as YYYY-MM"),
        ("deliver: sometimes", "reports.deliver = sometimes: write true or false"),
        ("send: true", "reports.send = true: unknown key"),
    ],
)
def test_a_fault_names_its_place(tmp_path: Path, written: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, f"reports: {{{written}}}")
    assert fault in str(caught.value)
