"""When `run` issues reports by itself, and whether somebody is told: the reports section."""

from __future__ import annotations

from typing import Any

from wattwell.config.places import Faults, Place
from wattwell.config.reading import read
from wattwell.config.schema import RawReports
from wattwell.config.settings import ReportSettings
from wattwell.intervals import DAY, format_duration

LONGEST_DELAY = 60 * DAY


def read_reports(raw: Any, faults: Faults) -> ReportSettings:
    """The reports section; without one, every month is issued three days after its end, and delivered."""
    place = Place() / "reports"
    reports = read(RawReports, {} if raw is None else raw, place, faults) or RawReports()
    settings = ReportSettings(
        issue=reports.issue is not False, deliver=reports.deliver is not False, since=reports.since
    )
    delay = settings.delay if reports.delay is None else reports.delay
    if delay > LONGEST_DELAY:
        faults.add(place / "delay", "a report waits for late data from 0s to 60d; shorten it", format_duration(delay))
        return settings
    return ReportSettings(issue=settings.issue, delay=delay, deliver=settings.deliver, since=settings.since)
