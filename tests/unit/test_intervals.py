"""Time: grids, local days and calendar windows, in zones where midnight is skipped, comes twice, or a day is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattwell.intervals import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Interval,
    calendar_next,
    calendar_start,
    calendar_windows,
    ceil_to,
    day_start,
    floor_to,
    format_duration,
    from_us,
    iso,
    local_date,
    month_after,
    offsets_divide,
    parse_duration,
    parse_iso,
    starts,
    to_us,
    zone_of,
)

ODD_ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Amman",
    "Africa/Cairo",
    "Atlantic/Azores",
    "America/Nuuk",
    "America/Asuncion",
    "Asia/Tehran",
    "Pacific/Apia",
    "Pacific/Fakaofo",
    "Asia/Pyongyang",
    "America/Caracas",
    "Antarctica/Troll",
    "Africa/Casablanca",
]


def first_instant(day: date, zone: str) -> int:
    """By brute force: the first minute in which the clock shows this day or, where it never does, a later one."""
    tz = zone_of(zone)
    middle = to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))
    minutes = range(middle - 27 * HOUR, middle + 27 * HOUR, MINUTE)
    return next(t for t in minutes if from_us(t).astimezone(tz).date() >= day)


def transition_days(zone: str) -> list[date]:
    """Local days beside every change of the zone's offset from 2000 to 2030."""
    tz, found = zone_of(zone), []
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    while moment.year < 2030:
        after = moment + timedelta(days=1)
        if moment.astimezone(tz).utcoffset() != after.astimezone(tz).utcoffset():
            found += [moment.astimezone(tz).date() + timedelta(days=n) for n in range(-1, 3)]
        moment = after
    return found


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_a_local_day_starts_at_its_first_instant(zone: str) -> None:
    days = [date(2026, 7, 1), date(2000, 1, 1), *transition_days(zone)[:: 3 if zone != "Pacific/Apia" else 1]][:40]
    for day in days:
        assert day_start(day, zone) == first_instant(day, zone), day


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00:00Z"),
        ("Europe/Berlin", date(2026, 3, 30), "2026-03-29T22:00:00Z"),
        ("Asia/Kolkata", date(2026, 1, 1), "2025-12-31T18:30:00Z"),
        ("Australia/Lord_Howe", date(2026, 4, 6), "2026-04-05T13:30:00Z"),
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00Z"),  # 00:00 skipped: starts as 01:00
        ("Asia/Beirut", date(2021, 3, 28), "2021-03-27T22:00:00Z"),  # 00:00 skipped
        ("America/Havana", date(2021, 11, 7), "2021-11-07T04:00:00Z"),  # 00:00 comes twice: the first
        ("America/Havana", date(2021, 3, 14), "2021-03-14T05:00:00Z"),  # 00:00 skipped
        ("America/St_Johns", date(2010, 11, 7), "2010-11-07T02:30:00Z"),  # 00:01 goes back to 23:01
        ("Pacific/Apia", date(2011, 12, 29), "2011-12-29T10:00:00Z"),
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00:00Z"),  # the 30th was left out
    ],
)
def test_known_midnights(zone: str, day: date, start: str) -> None:
    assert iso(day_start(day, zone)) == start
    assert local_date(day_start(day, zone), zone) == day
    assert local_date(day_start(day, zone) - 1, zone) < day


@pytest.mark.parametrize("zone", ODD_ZONES)
@pytest.mark.parametrize("window", ["day", "month", "year", "fiscal_year"])
def test_calendar_windows_tile_time(zone: str, window: str) -> None:
    low, high = parse_iso("2009-06-15T12:00:00Z"), parse_iso("2013-02-03T04:05:06Z")
    spans = list(calendar_windows(window, low, high, zone, 4))
    assert len(spans) > {"day": 1300, "month": 42, "year": 2, "fiscal_year": 2}[window]
    assert all(one.end == two.start for one, two in pairwise(spans))
    assert all(span.start < span.end for span in spans)
    assert low <= spans[0].start
    assert spans[-1].start < high <= spans[-1].end


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_every_instant_lies_in_its_own_windows(zone: str) -> None:
    step = 17 * HOUR + 23 * MINUTE + 7
    for instant in range(parse_iso("2011-12-20T00:00:00Z"), parse_iso("2012-12-20T00:00:00Z"), step):
        for window in ("day", "month", "year", "fiscal_year"):
            first = calendar_start(window, instant, zone, 10)
            assert day_start(first, zone) <= instant < day_start(calendar_next(window, first), zone)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23.0),
        ("Europe/Berlin", date(2026, 10, 25), 25.0),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("America/New_York", date(2026, 3, 8), 23.0),
        ("America/New_York", date(2026, 11, 1), 25.0),
        ("America/Sao_Paulo", date(2018, 11, 4), 23.0),
        ("America/Havana", date(2021, 11, 7), 25.0),
        ("Asia/Beirut", date(2021, 3, 28), 23.0),
        ("Asia/Kolkata", date(2026, 3, 29), 24.0),
        ("Pacific/Apia", date(2011, 12, 30), 0.0),
        ("Pacific/Apia", date(2011, 12, 31), 24.0),
    ],
)
def test_how_long_a_local_day_is(zone: str, day: date, hours: float) -> None:
    assert (day_start(day + timedelta(days=1), zone) - day_start(day, zone)) / HOUR == hours


def test_a_lost_day_has_no_window() -> None:
    low = day_start(date(2011, 12, 29), "Pacific/Apia")
    spans = list(calendar_windows("day", low, low + 2 * DAY, "Pacific/Apia"))
    assert [local_date(span.start, "Pacific/Apia").day for span in spans] == [29, 31]
    lost = day_start(date(2011, 12, 30), "Pacific/Apia")
    assert [
        local_date(s.start, "Pacific/Apia").day for s in calendar_windows("day", lost, lost + 1, "Pacific/Apia")
    ] == [31]


def test_windows_are_those_that_start_in_the_span() -> None:
    berlin = "Europe/Berlin"
    first, second = day_start(date(2026, 3, 1), berlin), day_start(date(2026, 4, 1), berlin)
    assert list(calendar_windows("month", first, first + 1, berlin)) == [Interval(first, second)]
    assert [span.start for span in calendar_windows("month", first + 1, second + 1, berlin)] == [second]
    assert not list(calendar_windows("month", first + 1, second, berlin))
    assert not list(calendar_windows("month", first, first, berlin))


@pytest.mark.parametrize(
    ("zone", "grid", "divides"),
    [
        ("UTC", 60, True),
        ("Europe/Berlin", 60, True),
        ("Asia/Kolkata", 30, True),
        ("Asia/Kolkata", 60, False),
        ("Asia/Kathmandu", 15, True),
        ("Asia/Kathmandu", 30, False),
        ("Australia/Lord_Howe", 30, True),
        ("Australia/Lord_Howe", 60, False),
        ("America/St_Johns", 30, True),
        ("America/St_Johns", 60, False),
    ],
)
def test_a_grid_divides_every_offset_of_a_zone_or_not(zone: str, grid: int, divides: bool) -> None:
    assert offsets_divide(zone, grid * MINUTE) is divides


@given(instant=st.integers(-(2**55), 2**55), grid=st.sampled_from([1, 5, 15, 30, 60]))
def test_grid_edges(instant: int, grid: int) -> None:
    width = grid * MINUTE
    low, high = floor_to(instant, width), ceil_to(instant, width)
    assert low <= instant <= high
    assert low % width == high % width == 0
    assert high - low == (0 if instant % width == 0 else width)


def test_starts_are_half_open() -> None:
    np.testing.assert_array_equal(starts(0, 3 * MINUTE, MINUTE), [0, MINUTE, 2 * MINUTE])
    assert not len(starts(MINUTE, MINUTE, MINUTE))


@given(instant=st.integers(0, 4_000_000_000 * SECOND))
def test_text_and_instants_keep_microseconds(instant: int) -> None:
    assert parse_iso(iso(instant)) == instant
    assert to_us(from_us(instant)) == instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1970-01-01T05:30:00.000001+05:30", 1),
        ("1969-12-31T23:59:59.999999Z", -1),
    ],
)
def test_parse_iso(text: str, instant: int) -> None:
    assert parse_iso(text) == instant


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "2026-01-01", "yesterday", "", "2026-13-01T00:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_iso(text)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", 90 * SECOND),
        ("15m", 15 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("31d", 31 * DAY),
        ("2w", 14 * DAY),
        ("5ms", 5000),
        ("7us", 7),
        ("0.5h", 30 * MINUTE),
    ],
)
def test_durations(text: str, span: int) -> None:
    assert parse_duration(text) == span
    assert parse_duration(format_duration(span)) == span


@pytest.mark.parametrize("text", ["", "15", "m", "-5m", "5 m", "1h 30m", "5M", "1y", "5mm"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_small_things() -> None:
    assert month_after(2026, 12) == (2027, 1)
    assert month_after(2026, 1) == (2026, 2)
    assert calendar_next("year", date(2026, 1, 1)) == date(2027, 1, 1)
    assert calendar_next("fiscal_year", date(2026, 4, 1)) == date(2027, 4, 1)
    assert Interval(3, 10).width == 7
    with pytest.raises(ValueError, match="ends at"):
        Interval(1, 0)
    with pytest.raises(ValueError, match="no UTC offset"):
        to_us(datetime(2026, 1, 1))  # noqa: DTZ001 - the naive time is what is refused
