"""What people write for times and windows, as spans on the grid (README, Command line)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import TypeVar

from analytics.evaluate import Window
from wattwell.errors import UsageError
from wattwell.intervals import (
    CALENDAR,
    DAY,
    HOUR,
    Interval,
    calendar_next,
    calendar_start,
    calendar_windows,
    day_start,
    floor_to,
    format_duration,
    parse_iso,
)
from wattwell.model import Site

ROLLING = {"1h": HOUR, "24h": 24 * HOUR, "7d": 7 * DAY, "30d": 30 * DAY, "365d": 365 * DAY}
"""Rolling windows: exact durations."""
WINDOWS = (*ROLLING, *CALENDAR, "ytd")
"""Every window one may ask for."""
_TURN = 400
_T = TypeVar("_T")
_YEAR = re.compile(r"\d{4}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FIRST, _LAST = parse_iso("1970-01-01T00:00:00Z") - DAY, parse_iso("2200-01-01T00:00:00Z") + DAY
"""Times outside lead nowhere, and the calendar ends not far beyond."""


def parse_time(text: str, zone: str) -> int:
    """The instant of ISO 8601 with an offset, or the local start of a bare date, month or year; else UsageError."""
    try:
        instant = _instant(text, zone)
    except (ValueError, OverflowError):
        raise UsageError(
            f"time {text!r} is not understood: write a local date (2026-10-31), a month (2026-10), "
            "a year (2026), or ISO 8601 with an offset (2026-10-31T08:00:00Z)"
        ) from None
    if not _FIRST <= instant <= _LAST:
        raise UsageError(f"time {text!r} is out of reach: write one from 1970 to 2199")
    return instant


def _instant(text: str, zone: str) -> int:
    if _YEAR.fullmatch(text):
        return day_start(date(int(text), 1, 1), zone)
    if month := _MONTH.fullmatch(text):
        return day_start(date(int(month[1]), int(month[2]), 1), zone)
    if _DAY.fullmatch(text):
        return day_start(date.fromisoformat(text), zone)
    return parse_iso(text)


def windows(site: Site, name: str | None, start: int | None, end: int | None, live: int, grid: int) -> Iterator[Window]:
    """The windows asked for; ``live`` is the live edge, at which a calendar window that is not over is cut.

    ``start`` and ``end`` move back to the grid; ``end`` defaults to ``live``, or to ``start`` where that is later.
    UsageError for a name that is not known, for a span that is empty as written, and for no window and no start.
    """
    since = None if start is None else floor_to(start, grid)
    until = floor_to(end, grid) if end is not None else live if since is None else max(live, since)
    if end is not None and since is not None and since >= until:
        raise UsageError(f"the span is empty: --from must be before --to by a grid interval of {format_duration(grid)}")
    if name is None:
        if since is None:
            raise UsageError("without --window, --from is needed: the value is that of [--from, --to)")
        yield Window(name=None, interval=Interval(since, until))
    elif name in ROLLING:
        edges = [until] if since is None else range(since + grid, until + 1, grid)
        for edge in edges:
            yield Window(name=name, interval=Interval(edge - ROLLING[name], edge))
    elif name == "ytd":
        opened = day_start(calendar_start("year", until - 1, site.zone), site.zone)
        yield Window(name=name, interval=Interval(opened, until))
    elif name in CALENDAR:
        for span in _calendar(site, name, since, until):
            closed = max(span.start, min(span.end, floor_to(live, grid)))
            yield Window(name=name, interval=Interval(span.start, closed), cut=closed < span.end)
    else:
        raise UsageError(f"window {name!r} is not known; use one of {', '.join(WINDOWS)}")


def in_turn(names: Sequence[str], spans: Sequence[Sequence[Window]], value: Callable[[str, Window], _T]) -> list[_T]:
    """The value of each name over each of its windows, name by name.

    Names take turns over some hundred windows: what was summed for one of them is at hand for the others.
    """
    found: list[list[_T]] = [[] for _ in names]
    for place in range(0, max(map(len, spans), default=0), _TURN):
        for values, name, each in zip(found, names, spans, strict=True):
            values += [value(name, window) for window in each[place : place + _TURN]]
    return [value for values in found for value in values]


def _calendar(site: Site, name: str, since: int | None, until: int) -> Iterator[Interval]:
    if since is not None:
        yield from calendar_windows(name, since, until, site.zone, site.fiscal_year_start)
        return
    first = calendar_start(name, until - 1, site.zone, site.fiscal_year_start)
    yield Interval(day_start(first, site.zone), day_start(calendar_next(name, first), site.zone))
