"""Time: half-open UTC intervals, grid alignment, and days, months and years in a site's zone.

The time contract, once for the whole program::

      start                 end = next start
        |---------------------|---------------------|
        [ belongs to this     [ belongs to the next
          interval

Instants are whole microseconds since 1970-01-01T00:00Z, as ``int`` or NumPy ``int64``; they become aware datetimes
only at the outer edge. Intervals are ``[start, end)``, labelled by their start and aligned to the epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
GRIDS = (1, 5, 15, 30, 60)
"""Permitted grids, in minutes."""
FIRST_INSTANT = 946_684_800 * SECOND
"""2000-01-01T00:00Z: nothing older is a reading (METERING: ``clock.past``)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNIT_US = {"us": 1, "ms": 1000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)")


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A half-open span of time, in microseconds since the epoch, UTC."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"interval ends at {iso(self.end)} before it starts at {iso(self.start)}")

    @property
    def width(self) -> int:
        """Length in microseconds."""
        return self.end - self.start


def overlap(one: Interval, other: Interval) -> int:
    """Microseconds that two intervals share."""
    return max(min(one.end, other.end) - max(one.start, other.start), 0)


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exactly; a naive one is a ValueError."""
    if moment.tzinfo is None:
        raise ValueError(f"time {moment.isoformat()} has no UTC offset; append Z or an offset such as +02:00")
    return (moment - _EPOCH) // _MICROSECOND


def from_us(instant: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=int(instant))


def iso(instant: int) -> str:
    """An instant as ISO 8601 with Z; microseconds are shown only where there are any.

    >>> iso(1_774_746_000_000_000)
    '2026-03-29T01:00:00Z'
    """
    return from_us(instant).isoformat().replace("+00:00", "Z")


def parse_iso(text: str) -> int:
    """The instant an ISO 8601 text with an offset names; ValueError when it is no time or has no offset."""
    return to_us(datetime.fromisoformat(text))


def parse_duration(text: str) -> int:
    """Microseconds of ``90s``, ``15m``, ``1h30m`` or ``31d``; ValueError for anything else.

    >>> parse_duration("1h30m") == 90 * MINUTE
    True
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit, such as 90s, 15m, 24h or 31d")
    return round(sum(float(number) * _UNIT_US[unit] for number, unit in parts))


def format_duration(span: int) -> str:
    """The shortest of ``31d``, ``24h``, ``15m``, ``90s``, ``5ms`` that says a span exactly."""
    for unit in ("d", "h", "m", "s", "ms"):
        if span % _UNIT_US[unit] == 0 and (unit != "d" or span > DAY):
            return f"{span // _UNIT_US[unit]}{unit}"
    return f"{span}us"


def floor_to(instant: int, grid: int) -> int:
    """The last grid edge not after an instant."""
    return instant - instant % grid


def ceil_to(instant: int, grid: int) -> int:
    """The first grid edge not before an instant."""
    return -(-instant // grid) * grid


def starts(start: int, end: int, grid: int) -> NDArray[np.int64]:
    """The starts of the grid intervals in ``[start, end)``; both must be grid edges."""
    return np.arange(start, end, grid, dtype=np.int64)


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of that name; KeyError or ValueError when there is none."""
    return ZoneInfo(name)


def day_start(day: date, zone: str) -> int:
    """The first instant of a local day, also where midnight is skipped or comes twice."""
    return _day_start(day, zone)


@lru_cache(maxsize=65536)
def _day_start(day: date, zone: str) -> int:
    tz = zone_of(zone)
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a wall clock, placed in the zone below
    found = to_us(midnight.replace(tzinfo=tz))  # fold=0: the first of two midnights
    if from_us(found).astimezone(tz).replace(tzinfo=None) == midnight:
        return found
    # Midnight is skipped: the day starts with the jump itself, which lies between the readings of
    # midnight by the offset after the jump (fold=1) and by the offset before it (fold=0).
    low = to_us(midnight.replace(tzinfo=tz, fold=1)) // SECOND
    high = found // SECOND
    while low < high:
        middle = (low + high) // 2
        if from_us(middle * SECOND).astimezone(tz).replace(tzinfo=None) >= midnight:
            high = middle
        else:
            low = middle + 1
    return low * SECOND


def local_date(instant: int, zone: str) -> date:
    """The local day an instant falls in: the last one that has started."""
    day = from_us(instant).astimezone(zone_of(zone)).date()
    while day_start(day + timedelta(days=1), zone) <= instant:
        day += timedelta(days=1)
    while day_start(day, zone) > instant:
        day -= timedelta(days=1)
    return day


def offsets_divide(zone: str, grid: int) -> bool:
    """Whether the grid divides every UTC offset the zone has had since 2000, or will have by 2050."""
    tz = zone_of(zone)
    week = timedelta(days=7)
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    while moment.year < 2050:
        offset = moment.astimezone(tz).utcoffset()
        if offset is None or (offset // _MICROSECOND) % grid:
            return False
        moment += week
    return True


def month_after(year: int, month: int) -> tuple[int, int]:
    """The calendar month that follows."""
    return (year + 1, 1) if month == 12 else (year, month + 1)


CALENDAR = ("day", "month", "year", "fiscal_year")
"""Window names cut in a site's zone."""


def calendar_start(window: str, instant: int, zone: str, fiscal_start: int = 1) -> date:
    """The first local day of the calendar window that holds an instant."""
    day = local_date(instant, zone)
    if window == "day":
        return day
    if window == "month":
        return day.replace(day=1)
    first = fiscal_start if window == "fiscal_year" else 1
    year = day.year if day.month >= first else day.year - 1
    return date(year, first, 1)


def calendar_next(window: str, first: date) -> date:
    """The first local day of the calendar window after the one that starts on ``first``."""
    if window == "day":
        return first + timedelta(days=1)
    if window == "month":
        return date(*month_after(first.year, first.month), 1)
    return date(first.year + 1, first.month, 1)


def calendar_windows(window: str, start: int, end: int, zone: str, fiscal_start: int = 1) -> Iterator[Interval]:
    """The calendar windows that start in ``[start, end)``, in order, each cut in the site's zone.

    A day that a zone left out (Pacific/Apia, 2011-12-30) has no window.
    """
    first = calendar_start(window, start, zone, fiscal_start)
    if day_start(first, zone) < start:
        first = calendar_next(window, first)
    while (opened := day_start(first, zone)) < end:
        following = calendar_next(window, first)
        closed = day_start(following, zone)
        if opened < closed:
            yield Interval(opened, closed)
        first = following
