"""Which spans a report covers (README, The report)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.collecting import site as bare_site
from wattwell.engine.report_spans import Spans, month_key, spans
from wattwell.errors import UsageError
from wattwell.intervals import iso, parse_iso
from wattwell.model import Site

LIVE = "2026-11-20T10:30:00Z"


def site(zone: str = "Europe/Berlin", fiscal: int = 4) -> Site:
    return replace(bare_site([]), zone=zone, fiscal_year_start=fiscal)


def of(key: str, live: str = LIVE, **changes: object) -> Spans:
    return spans(site(**changes), key, parse_iso(live))  # type: ignore[arg-type]


def ends(asked: Spans, name: str) -> tuple[str, str]:
    found = getattr(asked, name).interval
    return iso(found.start), iso(found.end)


def test_a_month_and_what_it_is_compared_with() -> None:
    asked = of("2026-03")
    assert (asked.kind, asked.window, asked.name, asked.over) == ("month", "month", "March 2026", True)
    assert ends(asked, "current") == ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z")
    assert ends(asked, "previous") == ("2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z")
    assert ends(asked, "year_ago") == ("2025-02-28T23:00:00Z", "2025-03-31T22:00:00Z")
    assert ends(asked, "ytd") == ("2025-12-31T23:00:00Z", "2026-03-31T22:00:00Z")
    assert ends(asked, "fiscal") == ("2025-03-31T22:00:00Z", "2026-03-31T22:00:00Z")
    assert ends(asked, "trailing") == ("2025-03-31T22:00:00Z", "2026-03-31T22:00:00Z")


def test_the_month_before_january_is_december() -> None:
    assert ends(of("2026-01"), "previous") == ("2025-11-30T23:00:00Z", "2025-12-31T23:00:00Z")


def test_a_month_that_goes_on_is_cut_at_the_live_edge() -> None:
    asked = of("2026-11")
    assert not asked.over
    assert asked.current.cut
    assert ends(asked, "current") == ("2026-10-31T23:00:00Z", LIVE)
    assert ends(asked, "ytd") == ("2025-12-31T23:00:00Z", LIVE)
    assert not asked.previous.cut


def test_a_month_to_come_is_empty() -> None:
    asked = of("2027-02")
    assert not asked.over
    assert asked.current.interval.width == 0
    assert asked.current.interval.start == asked.full.start


def test_years_of_both_calendars() -> None:
    year, fiscal = of("2025"), of("FY2025")
    assert (year.window, year.name) == ("year", "2025")
    assert ends(year, "current") == ("2024-12-31T23:00:00Z", "2025-12-31T23:00:00Z")
    assert year.previous == year.year_ago
    assert ends(year, "previous") == ("2023-12-31T23:00:00Z", "2024-12-31T23:00:00Z")
    assert (fiscal.window, fiscal.name) == ("fiscal_year", "1 April 2025 to 31 March 2026")
    assert ends(fiscal, "current") == ("2025-03-31T22:00:00Z", "2026-03-31T22:00:00Z")
    assert fiscal.over
    assert fiscal.current.name == "fiscal_year"


def test_the_month_of_an_instant_is_the_local_one() -> None:
    assert month_key(site(), parse_iso("2026-03-31T21:59:59Z")) == "2026-03"
    assert month_key(site(), parse_iso("2026-03-31T22:00:00Z")) == "2026-04"


@pytest.mark.parametrize(
    "key", ["", "2026-13", "2026-1", "26", "FY26", "fy2026", "2026-10-01", "1999", "2026 ", "9999"]
)
def test_another_key_is_named_with_the_remedy(key: str) -> None:
    with pytest.raises(UsageError, match="is not understood: write a month"):
        of(key)
