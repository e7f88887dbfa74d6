"""What people write for times and windows (README, Command line; METRICS, Windows)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from analytics.evaluate import Window
from tests.collecting import site as bare_site
from wattwell.engine.spans import WINDOWS, in_turn, parse_time, windows
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, iso, parse_iso
from wattwell.model import Site

GRID = 15 * MINUTE


def site(zone: str = "UTC", fiscal: int = 1) -> Site:
    return replace(bare_site([]), zone=zone, fiscal_year_start=fiscal)


def asked(
    name: str | None,
    since: str | None = None,
    to: str | None = None,
    *,
    live: str = "2026-11-20T10:30:00Z",
    zone: str = "UTC",
    fiscal: int = 1,
    grid: int = GRID,
) -> list[tuple[str, str, bool]]:
    start, end = (None if text is None else parse_time(text, zone) for text in (since, to))
    found = windows(site(zone, fiscal), name, start, end, parse_iso(live), grid)
    return [(iso(each.interval.start), iso(each.interval.end), each.cut) for each in found]


# -- times --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-10-31", "UTC", "2026-10-31T00:00:00Z"),
        ("2026-10-31", "Asia/Shanghai", "2026-10-30T16:00:00Z"),
        ("2026", "Asia/Kolkata", "2025-12-31T18:30:00Z"),
        ("2026-10", "America/Chicago", "2026-10-01T05:00:00Z"),
        ("2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00Z"),
        ("2026-03-30", "Europe/Berlin", "2026-03-29T22:00:00Z"),
        ("2026-09-06", "America/Santiago", "2026-09-06T04:00:00Z"),  # midnight is skipped
        ("2026-10-31T08:00:00+02:00", "Asia/Shanghai", "2026-10-31T06:00:00Z"),
        ("2026-10-31T08:00Z", "Asia/Shanghai", "2026-10-31T08:00:00Z"),
    ],
)
def test_bare_dates_months_and_years_are_local(text: str, zone: str, instant: str) -> None:
    assert iso(parse_time(text, zone)) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "202",
        "2026-13",
        "2026-02-30",
        "2026-10-31T08:00",
        "2026-W44",
        "20261031",
        "0000-01",
        "9999-12",
    ],
)
def test_other_times_are_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UsageError, match="write"):
        parse_time(text, "UTC")


@pytest.mark.parametrize("text", ["1969-12-01", "0001-01-01", "2200-02-01", "9999-12-31", "9999-12-31T23:59:59Z"])
def test_times_beyond_any_calendar_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="from 1970 to 2199"):
        parse_time(text, "Pacific/Kiritimati")


@pytest.mark.parametrize("name", WINDOWS)
def test_the_ends_of_what_can_be_written_have_windows(name: str) -> None:
    for to in ("1970-01-02", "2199-12-31"):
        assert len(asked(name, to=to, zone="Asia/Shanghai")) == 1


# -- rolling windows ----------------------------------------------------------------------------------------------


def test_a_rolling_window_ends_at_to_or_at_the_live_edge() -> None:
    assert asked("1h") == [("2026-11-20T09:30:00Z", "2026-11-20T10:30:00Z", False)]
    assert asked("24h", to="2026-11-19T08:07:00Z") == [("2026-11-18T08:00:00Z", "2026-11-19T08:00:00Z", False)]
    assert asked("365d", to="2026-11-19") == [("2025-11-19T00:00:00Z", "2026-11-19T00:00:00Z", False)]


def test_rolling_windows_are_exact_durations_across_a_shift_of_the_clock() -> None:
    found = asked("24h", to="2026-03-30", zone="Europe/Berlin")
    assert found == [("2026-03-28T22:00:00Z", "2026-03-29T22:00:00Z", False)]


def test_with_from_there_is_one_for_each_edge_after_it() -> None:
    found = asked("1h", "2026-11-19T08:07:00Z", "2026-11-19T08:50:00Z")
    assert [end for _, end, _ in found] == ["2026-11-19T08:15:00Z", "2026-11-19T08:30:00Z", "2026-11-19T08:45:00Z"]
    assert {parse_iso(end) - parse_iso(start) for start, end, _ in found} == {HOUR}
    assert len(asked("24h", "2026-11-01", "2026-11-02")) == 96
    assert len(asked("24h", "2026-11-01", "2026-11-02", grid=HOUR)) == 24
    assert asked("1h", "2026-11-20T10:00:00Z")[-1][1] == "2026-11-20T10:30:00Z"


# -- calendar windows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "to", "start", "end"),
    [
        ("day", "2026-11-19T08:00:00Z", "2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z"),
        ("day", "2026-11-19", "2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z"),
        ("month", "2026-11", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        ("month", "2026-10-01T00:15:00Z", "2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z"),
        ("month", "2026-10-01T00:14:00Z", "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"),
        ("year", "2026-01", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("fiscal_year", "2026-04", "2025-04-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("ytd", "2026-10-31", "2026-01-01T00:00:00Z", "2026-10-31T00:00:00Z"),
        ("ytd", "2026-01", "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_without_from_the_window_that_to_ends_in(name: str, to: str, start: str, end: str) -> None:
    assert asked(name, to=to, fiscal=4) == [(start, end, False)]


def test_with_from_those_that_start_in_the_span() -> None:
    found = asked("month", "2026-08", "2026-10-15")
    assert [start for start, _, _ in found] == ["2026-08-01T00:00:00Z", "2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"]
    assert found[-1][1:] == ("2026-11-01T00:00:00Z", False)
    assert asked("month", "2026-08-01T00:15:00Z", "2026-09") == []
    assert asked("day", "2026-11-18T00:01:00Z", "2026-11-19") == [
        ("2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z", False)
    ]
    assert [start for start, _, _ in asked("fiscal_year", "2024-01", "2026-01", fiscal=4)] == [
        "2024-04-01T00:00:00Z",
        "2025-04-01T00:00:00Z",
    ]


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("Europe/Berlin", {"2026-03": 743, "2026-10": 745, "2026-06": 720}),
        ("Australia/Lord_Howe", {"2026-04": 720.5, "2026-10": 743.5}),
        ("Asia/Kolkata", {"2026-03": 744}),
        ("America/Havana", {"2026-03": 743}),
    ],
)
def test_months_and_their_days_are_cut_in_the_zone(zone: str, hours: dict[str, float]) -> None:
    for month, length in hours.items():
        following = f"2026-{int(month[5:]) + 1:02d}"
        ((start, end, _),) = asked("month", month, following, zone=zone)
        assert (parse_iso(end) - parse_iso(start)) / HOUR == length
        days = asked("day", month, following, zone=zone)
        assert (days[0][0], days[-1][1]) == (start, end)
        assert all(one[1] == other[0] for one, other in itertools.pairwise(days))


def test_a_calendar_window_that_is_not_over_is_cut_at_the_live_edge() -> None:
    assert asked("month") == [("2026-11-01T00:00:00Z", "2026-11-20T10:30:00Z", True)]
    assert asked("year", to="2026-06") == [("2026-01-01T00:00:00Z", "2026-11-20T10:30:00Z", True)]
    assert asked("month", "2026-10")[0] == ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", False)
    assert asked("month", "2026-10")[1] == ("2026-11-01T00:00:00Z", "2026-11-20T10:30:00Z", True)
    assert asked("month", live="2026-11-01T00:00:00Z") == [("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", False)]
    assert asked("month", live="2026-11-01T00:15:00Z") == [("2026-11-01T00:00:00Z", "2026-11-01T00:15:00Z", True)]


def test_a_window_that_lies_ahead_is_empty_and_cut() -> None:
    assert asked("month", "2026-12", "2027-01") == [("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z", True)]


def test_year_to_date_starts_with_the_local_year() -> None:
    found = asked("ytd", zone="Asia/Shanghai", live="2025-12-31T20:00:00Z")
    assert found == [("2025-12-31T16:00:00Z", "2025-12-31T20:00:00Z", False)]


# -- no window ----------------------------------------------------------------------------------------------------


def test_without_window_one_value_over_the_span() -> None:
    wanted = [("2026-11-19T08:00:00Z", "2026-11-19T09:45:00Z", False)]
    assert asked(None, "2026-11-19T08:07:00Z", "2026-11-19T09:59:00Z") == wanted
    assert asked(None, "2026-11-19") == [("2026-11-19T00:00:00Z", "2026-11-20T10:30:00Z", False)]


def test_without_window_and_from_there_is_nothing_to_say() -> None:
    with pytest.raises(UsageError, match="--from"):
        asked(None)


@pytest.mark.parametrize("name", [None, "24h", "month", "ytd"])
@pytest.mark.parametrize("to", ["2026-11-18T08:00:00Z", "2026-11-18T08:14:00Z", "2026-11-17"])
def test_a_span_that_is_empty_or_the_wrong_way_round_is_refused(name: str | None, to: str) -> None:
    with pytest.raises(UsageError, match="--from must be before --to"):
        asked(name, "2026-11-18T08:05:00Z", to)


def test_from_now_on_nothing_is_known_yet() -> None:
    """A page that asks for the day so far at midnight is answered, not refused."""
    assert asked("1h", "2026-11-20T10:30:00Z") == asked("1h", "2026-11-21") == asked("day", "2026-11-21") == []
    assert asked(None, "2026-11-21") == [("2026-11-21T00:00:00Z", "2026-11-21T00:00:00Z", False)]


def test_an_unknown_window_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'week'.*1h, 24h.*ytd"):
        asked("week")


def test_many_days_are_as_long_as_they_are() -> None:
    total = sum(
        parse_iso(end) - parse_iso(start) for start, end, _ in asked("day", "2025-01", "2026-01", zone="Asia/Beirut")
    )
    assert total == 365 * DAY


def test_names_take_turns_and_come_out_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattwell.engine.spans._TURN", 2)
    spans = [list(windows(site(), "24h", DAY, DAY + count * GRID, 0, GRID)) for count in (5, 3, 5)]
    asked: list[tuple[str, int]] = []

    def value(name: str, window: Window) -> tuple[str, int]:
        asked.append((name, window.interval.end))
        return asked[-1]

    found = in_turn(["a", "b", "a"], spans, value)
    assert found == [(name, w.interval.end) for name, each in zip("aba", spans, strict=True) for w in each]
    assert [name for name, _ in asked] == list("aabbaaaabaaaa")
    assert in_turn([], [], value) == []
