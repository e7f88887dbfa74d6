"""When `run` issues reports by itself, and whether somebody is told: the reports section."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from wattwell.config.places import Faults, Place
from wattwell.config.reading import read
from wattwell.config.schema import RawReports
from wattwell.config.settings import ReportSettings
from wattwell.intervals import DAY, format_duration

LONGEST_DELAY = 60 * DAY


def read_reports(raw: Any, base: Path, faults: Faults) -> ReportSettings:
    """The reports section; without one, every month is issued three days after its end, and delivered."""
    place = Place() / "reports"
    reports = read(RawReports, {} if raw is None else raw, place, faults) or RawReports()
    fonts = None if reports.fonts is None else base / reports.fonts
    if fonts is not None and not fonts.is_dir():
        faults.add(place / "fonts", f"there is no folder {fonts}; name one that holds font files", reports.fonts)
    settings = ReportSettings(
        issue=reports.issue is not False, deliver=reports.deliver is not False, since=reports.since, fonts=fonts
    )
    delay = settings.delay if reports.delay is None else reports.delay
    if delay > LONGEST_DELAY:
        faults.add(place / "delay", "a report waits for late data from 0s to 60d; shorten it", format_duration(delay))
        return settings
    return replace(settings, delay=delay)
