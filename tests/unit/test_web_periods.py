"""Months and years: how their pages lead to one another, and how they tell a report."""

from __future__ import annotations

import statistics

import pytest

from tests import reporting
from wattwell.documents.words import NARROW, NONE
from wattwell.intervals import parse_iso
from wattwell.web import period_words as tell
from wattwell.web import periods


@pytest.mark.parametrize(
    ("key", "before", "after", "path", "name"),
    [
        ("2026-01", "2025-12", "2026-02", "/sites/a%2Fb/month/2026-01", "January 2026"),
        ("2026-12", "2026-11", "2027-01", "/sites/a%2Fb/month/2026-12", "December 2026"),
        ("2026", "2025", "2027", "/sites/a%2Fb/year/2026", "2026"),
        ("FY2026", "FY2025", "FY2027", "/sites/a%2Fb/year/FY2026", "fiscal year 2026"),
    ],
)
def test_periods_and_their_neighbours(key: str, before: str, after: str, path: str, name: str) -> None:
    assert (periods.shifted(key, -1), periods.shifted(key, 1)) == (before, after)
    assert periods.link("a/b", key) == periods.Link(path=path, name=name)


def test_the_months_of_thirteen_are_offered_by_year() -> None:
    found = [(year.name, [month.name for month in months]) for year, months in periods.offered("s", "2026-02")]
    names = ["December", "November", "October", "September", "August", "July", "June", "May", "April", "March"]
    assert found == [("2026", ["February", "January"]), ("2025", [*names, "February"])]


def test_the_current_month_is_that_of_the_last_reading_in_the_site_s_zone() -> None:
    now = parse_iso("2026-07-14T12:00:00Z")
    meters = [
        {"last_reading": None},
        {"last_reading": "2026-03-31T16:30:00Z"},
        {"last_reading": "2026-03-01T00:00:00Z"},
    ]
    site = {"timezone": "Asia/Shanghai", "meters": meters}
    assert periods.current_month(site, now) == "2026-04"
    assert periods.current_month({**site, "timezone": "America/New_York"}, now) == "2026-03"
    assert periods.current_month({**site, "meters": meters[:1]}, now) == "2026-07"


def test_bands_of_temperature_hold_every_point_once() -> None:
    weather = reporting.full()["weather"]
    found = tell.bands(weather)
    assert sum(band["count"] for band in found) == len(weather["pue"])
    points = list(zip(weather["temperature"], weather["pue"], strict=True))
    for band in found:
        inside = [pue for degrees, pue in points if band["low"] <= degrees < band["high"]]
        assert (band["count"], band["median"]) == (len(inside), statistics.median(inside))
        assert (band["least"], band["most"]) == (min(inside), max(inside))
    assert tell.bands(None) == []
    assert tell.bands(weather | {"temperature": [], "pue": []}) == []


def test_bands_below_zero_and_of_wide_spans() -> None:
    found = tell.bands({"temperature": [-0.5, -22.0, 41.0], "pue": [1.2, 1.1, 1.5]})
    assert [(band["low"], band["high"], band["count"]) for band in found] == [(-25, -20, 1), (-5, 0, 1), (40, 45, 1)]


def test_meters_come_worst_first() -> None:
    assert [each["meter"] for each in tell.worst_first(reporting.full()["meters"])][:2] == ["pump-7", "ups-a"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "kWh", NONE),
        (4_190_200.0, "kWh", f"4.19{NARROW}GWh"),
        (1500.0, "L", f"1.50{NARROW}m³"),
        (13.14, "degC", f"13.1{NARROW}°C"),
        (0.5, "1", "0.5"),
    ],
)
def test_amounts(value: float | None, unit: str, text: str) -> None:
    assert tell.sized(value, unit) == text


def test_a_verdict_is_as_provisional_as_its_figure() -> None:
    line = {"met": True, "current": {"provisional": True}}
    assert tell.verdict(line) == "met, provisional"
    assert tell.verdict({"met": False, "current": {"provisional": False}}) == "missed"
    assert tell.verdict({"met": None, "current": {"provisional": True}}) == ""


def test_a_month_is_compared_with_more_than_a_year_is() -> None:
    def labels(window: str, *, fiscal: bool) -> list[str]:
        return [label for _, label in tell.compared({"window": window}, fiscal)]

    assert labels("month", fiscal=True) == ["Last month", "Same month last year", "Year to date", "Fiscal year to date"]
    assert labels("month", fiscal=False)[-1] == "Year to date"
    assert labels("year", fiscal=True) == ["Last year"]


def test_the_fiscal_year_is_known_by_where_it_starts() -> None:
    found = reporting.full()
    for start, key in (("2026-03-31T22:00:00Z", "FY2026"), ("2025-12-31T23:00:00Z", None), (None, None)):
        found["headlines"][0]["fiscal"]["start"] = start
        assert tell.fiscal_key(found) == key
    assert tell.fiscal_key(found | {"headlines": []}) is None


def test_the_reason_for_no_pue_is_its_own() -> None:
    assert tell.why(reporting.empty()) == "No meter has a value in October 2026."
    assert tell.why(reporting.full()) == "No PUE."
