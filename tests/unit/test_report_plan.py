"""Which reports are due, and what an issued one speaks of (README, The report)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from tests.collecting import site as bare_site
from wattwell.engine.report_plan import due, reach
from wattwell.engine.report_spans import spans
from wattwell.intervals import DAY, HOUR, iso, parse_iso
from wattwell.model import Site

EVER = 2**61


def site(zone: str = "Europe/Berlin", fiscal: int = 1) -> Site:
    return replace(bare_site([]), zone=zone, fiscal_year_start=fiscal)


def keys(
    now: str,
    since: str = "2026-10",
    *,
    where: Site | None = None,
    delay: int = 3 * DAY,
    data_from: int | None = 0,
    live: int = EVER,
    issued: Collection[str] = (),
    least: float = 0.0,
) -> list[str]:
    found = due(where or site(), since, data_from, live, parse_iso(now), delay, issued, least)
    assert {each.site for each in found} <= {"s"}
    return [each.key for each in found]


def test_a_month_is_due_when_the_delay_after_its_local_end_has_passed_and_not_before() -> None:
    # Berlin: October 2026 ends at 23:00 UTC, as winter time has begun in it.
    assert keys("2026-11-03T22:59:59Z") == []
    assert keys("2026-11-03T23:00:00Z") == ["2026-10"]
    (one,) = due(site(), "2026-10", 0, EVER, parse_iso("2026-12-01T00:00:00Z"), 3 * DAY, (), 0.5)
    assert iso(one.at) == "2026-11-03T23:00:00Z"


@pytest.mark.parametrize(
    ("zone", "end"),
    [
        ("Asia/Shanghai", "2026-03-31T16:00:00Z"),
        ("America/Los_Angeles", "2026-04-01T07:00:00Z"),
        ("Europe/Berlin", "2026-03-31T22:00:00Z"),
        ("Pacific/Kiritimati", "2026-03-31T10:00:00Z"),
        ("Asia/Kathmandu", "2026-03-31T18:15:00Z"),
    ],
)
def test_the_month_ends_where_the_site_is(zone: str, end: str) -> None:
    before = iso(parse_iso(end) - 1)
    where = site(zone)
    assert keys(before, "2026-03", where=where, delay=0) == []
    assert keys(end, "2026-03", where=where, delay=0) == ["2026-03"]


def test_the_longest_delay_holds_back_one_month_while_others_end() -> None:
    assert keys("2026-12-30T22:59:59Z", delay=60 * DAY) == []
    assert keys("2026-12-30T23:00:00Z", delay=60 * DAY) == ["2026-10"]


def test_a_month_is_not_over_before_the_readings_of_its_last_interval_have_come() -> None:
    end = parse_iso("2026-10-31T23:00:00Z")
    assert keys("2026-10-31T23:00:00Z", delay=0, live=end - 900 * 10**6) == []
    assert keys("2026-10-31T23:20:00Z", delay=0, live=end) == ["2026-10"]


def test_what_is_issued_is_not_due_and_gaps_are_made_up_for_oldest_first() -> None:
    assert keys("2027-01-15T00:00:00Z", issued=["2026-11"]) == ["2026-10", "2026-12", "2026"]


def test_a_year_follows_its_last_month() -> None:
    assert keys("2027-01-03T22:59:59Z", issued=["2026-10", "2026-11"]) == []
    assert keys("2027-01-03T23:00:00Z", issued=["2026-10", "2026-11"]) == ["2026-12", "2026"]
    assert keys("2027-01-03T23:00:00Z", since="2027-01") == []  # its last month does not count


def test_a_fiscal_year_is_due_too_where_it_is_another_one() -> None:
    where = site(fiscal=4)
    found = keys("2027-04-04T00:00:00Z", "2026-12", where=where)
    assert found == ["2026-12", "2026", "2027-01", "2027-02", "2027-03", "FY2026"]
    assert "FY2026" not in keys("2027-04-04T00:00:00Z", "2026-12")


def test_february_of_a_leap_year() -> None:
    assert keys("2028-03-02T23:00:00Z", "2028-02", where=site("Etc/UTC")) == []
    assert keys("2028-03-03T00:00:00Z", "2028-02", where=site("Etc/UTC"), delay=2 * DAY) == ["2028-02"]


def test_nothing_is_due_of_the_time_before_there_were_data() -> None:
    now = "2026-12-10T00:00:00Z"
    assert keys(now, data_from=None) == []
    # The data begin with November: October ended just then.
    assert keys(now, data_from=parse_iso("2026-10-31T23:00:00Z")) == ["2026-11"]
    assert keys(now, data_from=parse_iso("2026-10-31T22:45:00Z")) == ["2026-10", "2026-11"]


def test_a_period_whose_data_begin_too_late_for_any_figure_is_not_due() -> None:
    """Half of November 2026 in Berlin is from 16 November, 00:00 on; nearly all of the year 2026 is gone by then."""
    now, half = "2027-06-01T00:00:00Z", parse_iso("2026-11-15T23:00:00Z")
    for data_from, first in ((half, ["2026-11", "2026-12"]), (half + 1, ["2026-12"])):
        found = keys(now, "2026-11", data_from=data_from, least=0.5)
        assert found == [*first, *(f"2027-{month:02}" for month in range(1, 5))]
    assert "2026" in keys(now, "2026-11", data_from=half, least=0.0)
    assert "2027" in keys("2028-06-01T00:00:00Z", "2026-11", data_from=half, least=0.5)


def test_a_report_speaks_of_all_that_it_compares_itself_with() -> None:
    span = reach(site(), "2026-10")
    # From October 2025, to which it compares, to its own end.
    assert (iso(span.start), iso(span.end)) == ("2025-09-30T22:00:00Z", "2026-10-31T23:00:00Z")
    year = reach(site(), "2026")
    assert (iso(year.start), iso(year.end)) == ("2024-12-31T23:00:00Z", "2026-12-31T23:00:00Z")
    fiscal = reach(site(fiscal=4), "FY2026")
    assert (iso(fiscal.start), iso(fiscal.end)) == ("2025-03-31T22:00:00Z", "2027-03-31T22:00:00Z")


@pytest.mark.parametrize("key", ["2026-03", "2024-02", "2026", "FY2025"])
def test_no_span_of_a_report_lies_outside_its_reach(key: str) -> None:
    where = site("America/Sao_Paulo", fiscal=7)
    asked, span = spans(where, key, EVER), reach(where, key)
    for window in (asked.current, asked.previous, asked.year_ago, asked.ytd, asked.fiscal, asked.trailing):
        assert span.start <= window.interval.start <= window.interval.end <= span.end
    assert span.width < 3 * 366 * DAY + HOUR
