"""Which spans a report covers: its own month or year, and those that it compares itself with, in the site's zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from analytics.evaluate import Window
from wattwell.errors import UsageError
from wattwell.intervals import DAY, Interval, calendar_next, calendar_start, day_start
from wattwell.model import Site

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""As reports write them, in any locale."""
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
_YEAR = re.compile(r"(?:FY)?(\d{4})")
_FIRST, _LAST = 2000, 2198


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """What a report asks values for; every window ends at the live edge at the latest."""

    kind: str
    """month or year"""
    window: str
    """month, year or fiscal_year"""
    key: str
    name: str
    full: Interval
    """Of the month or year, also of what is still to come of it."""
    current: Window
    previous: Window
    year_ago: Window
    ytd: Window
    fiscal: Window
    trailing: Window
    """The 365 days up to the end."""

    @property
    def over(self) -> bool:
        """Whether nothing of it is still to come."""
        return not self.current.cut


def spans(site: Site, key: str, live: int) -> Spans:
    """The spans of ``2026-10``, ``2026`` or ``FY2026``, which begins in 2026; UsageError for another key.

    ``live``: the instant up to which readings should have come.
    """
    window, first = _first(site, key)
    full = _calendar(site, window, first)
    end = max(full.start, min(full.end, live))
    kind = "month" if window == "month" else "year"
    before = _before(window, first, 1)
    ago = _before(window, first, 12 if kind == "month" else 1)
    last = max(end, full.start + 1) - 1

    def since(name: str) -> Interval:
        return Interval(day_start(calendar_start(name, last, site.zone, site.fiscal_year_start), site.zone), end)

    return Spans(
        kind=kind,
        window=window,
        key=key,
        name=_name(window, first),
        full=full,
        current=Window(name=window, interval=Interval(full.start, end), cut=end < full.end),
        previous=_past(site, window, before, live),
        year_ago=_past(site, window, ago, live),
        ytd=Window(name="ytd", interval=since("year")),
        fiscal=Window(name=None, interval=since("fiscal_year")),
        trailing=Window(name="365d", interval=Interval(end - 365 * DAY, end)),
    )


def month_key(site: Site, instant: int) -> str:
    """The local month that an instant falls in, as a key."""
    first = calendar_start("month", instant, site.zone)
    return f"{first.year:04}-{first.month:02}"


def _first(site: Site, key: str) -> tuple[str, date]:
    """Window and first local day of a key."""
    month, year = _MONTH.fullmatch(key), _YEAR.fullmatch(key)
    found = month or year
    if found is None or not _FIRST <= int(found[1]) <= _LAST:
        raise UsageError(
            f"report {key!r} is not understood: write a month (2026-10), a year (2026) "
            f"or a fiscal year (FY2026), from {_FIRST} to {_LAST}"
        )
    if month:
        return "month", date(int(month[1]), int(month[2]), 1)
    fiscal = key.startswith("FY")
    return ("fiscal_year" if fiscal else "year"), date(int(found[1]), site.fiscal_year_start if fiscal else 1, 1)


def _calendar(site: Site, window: str, first: date) -> Interval:
    return Interval(day_start(first, site.zone), day_start(calendar_next(window, first), site.zone))


def _before(window: str, first: date, steps: int) -> date:
    """The first day of the calendar window so many before."""
    if window != "month":
        return date(first.year - steps, first.month, 1)
    count = first.year * 12 + first.month - 1 - steps
    return date(count // 12, count % 12 + 1, 1)


def _past(site: Site, window: str, first: date, live: int) -> Window:
    span = _calendar(site, window, first)
    end = max(span.start, min(span.end, live))
    return Window(name=window, interval=Interval(span.start, end), cut=end < span.end)


def _name(window: str, first: date) -> str:
    if window == "month":
        return f"{MONTHS[first.month - 1]} {first.year}"
    if window == "year":
        return f"{first.year}"
    last = calendar_next(window, first) - timedelta(days=1)
    return f"{first.day} {MONTHS[first.month - 1]} {first.year} to {last.day} {MONTHS[last.month - 1]} {last.year}"
