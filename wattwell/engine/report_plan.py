"""Which reports are due at an instant, and which spans of time an issued one speaks of. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from wattwell.engine.report_spans import spans
from wattwell.intervals import DAY, Interval, calendar_start, calendar_windows, day_start
from wattwell.model import Site

_EVER = 2**61
_YEAR = 366 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A report that is to be issued."""

    site: str
    key: str
    """2026-10, 2026 or FY2026"""
    at: int
    """Since when, microseconds UTC."""


def due(
    site: Site,
    since: str,
    data_from: int | None,
    live: int,
    now: int,
    delay: int,
    issued: Collection[str],
    least: float,
) -> tuple[Due, ...]:
    """The months, years and fiscal years of a site that ended at least ``delay`` ago and are not issued, oldest first.

    ``since`` is the first local month that counts (2026-10); a year counts by its last month. ``data_from`` is the
    start of the site's first interval, None before there is any: what has less than the share ``least`` after it is not
    due, since no figure of it can have a value. ``live`` is the instant up to which readings should have come: what has
    not ended by then is not over yet.
    """
    if data_from is None:
        return ()
    year, month = map(int, since.split("-"))
    first = max(day_start(date(year, month, 1), site.zone), data_from)
    last = min(now - delay, live)
    found = [
        (span.end, order, key)
        for order, window in enumerate(_windows(site))
        for span, key in _ended(site, window, first, last)
        if key not in issued and span.end - max(span.start, data_from) >= least * span.width
    ]
    return tuple(Due(site=site.id, key=key, at=end + delay) for end, _, key in sorted(found))


def _windows(site: Site) -> tuple[str, ...]:
    """A fiscal year that is the calendar year is not told twice."""
    return ("month", "year") if site.fiscal_year_start == 1 else ("month", "year", "fiscal_year")


def _ended(site: Site, window: str, first: int, last: int) -> Iterator[tuple[Interval, str]]:
    """The windows that end after ``first`` and not after ``last``, each with its key."""
    for span in calendar_windows(window, first - _YEAR, last, site.zone, site.fiscal_year_start):
        if first < span.end <= last:
            day = calendar_start(window, span.start, site.zone, site.fiscal_year_start)
            prefix = "FY" if window == "fiscal_year" else ""
            yield span, f"{prefix}{day.year:04}" + (f"-{day.month:02}" if window == "month" else "")


def reach(site: Site, key: str) -> Interval:
    """From the first to the last instant that a report speaks of: its own, and those that it compares itself with."""
    asked = spans(site, key, _EVER)
    compared = (asked.previous, asked.year_ago, asked.ytd, asked.fiscal, asked.trailing)
    return Interval(min(window.interval.start for window in compared), asked.full.end)
