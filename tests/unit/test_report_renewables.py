"""Renewable energy of a period against numbers worked by hand: sources, the cap, the certificate ledger."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import pytest

from analytics.report.renewables import Renewables, renewables
from tests.periods import a_period
from tests.sites import GRID, T0, a_site, certificate, kpi
from wattwell.intervals import DAY, Interval
from wattwell.model import Certificate, Site

NAN = math.nan
ROLES = {"grid": "utility_import", "pv": "onsite_renewable", "out": "grid_export"}
WHEN = date(2026, 3, 1)


def row(id: str, kind: str, status: str, kwh: float, start: int, end: int, retired: Any = None) -> Certificate:
    return replace(certificate(kind, status, kwh, start, end, retired=retired), id=id)


def of(site: Site, span: Interval | None = None, **values: list[float]) -> Renewables:
    return renewables(a_period(site, values, span), 0.0)


def by_source(found: Renewables) -> dict[str, tuple[float, float]]:
    return {each.source: (each.kwh, each.counted_kwh) for each in found.sources}


def test_on_site_energy_that_stayed() -> None:
    found = of(a_site(ROLES), grid=[60.0], pv=[80.0], out=[20.0])
    assert (found.e_dc_kwh, found.renewable_kwh, found.ref, found.capped_kwh) == (120, 60, 0.5, 0)
    assert by_source(found) == {"onsite": (60, 60), "ppa": (0, 0), "certificate": (0, 0)}
    assert [each.share for each in found.sources] == [0.5, 0, 0]
    assert (found.reason, found.ledger, found.usable) == ("", (), 1)
    assert "not counted" in found.basis


def test_sources_are_filled_up_to_e_dc_in_order() -> None:
    """E_DC 100: on-site 30, contracts 50, then of 40 of certificates the first 15 and 5 of the second 25."""
    end = T0 + GRID
    rows = (
        row("z", "certificate", "retired", 15, T0, end, WHEN),
        row("b", "certificate", "retired", 25, T0 + 1, end + 1, WHEN),
        row("p", "ppa", "retired", 50, T0, end, WHEN),
    )
    found = of(a_site(ROLES, certificates=rows), grid=[70.0], pv=[30.0], out=[0.0])
    assert by_source(found) == {
        "onsite": (30, 30),
        "ppa": (50, 50),
        "certificate": (pytest.approx(40), pytest.approx(20)),
    }
    assert [found.uncapped_kwh, found.capped_kwh, found.renewable_kwh] == pytest.approx([120, 20, 100])
    assert found.ref == pytest.approx(1)
    assert found.ref is not None
    assert found.ref <= 1
    told = [(each.id, each.counted_kwh, each.why) for each in found.ledger]
    assert told == [
        ("z", 15, ""),
        ("p", 50, ""),
        ("b", pytest.approx(5), "beyond E_DC"),
    ]


def test_rows_that_do_not_count_say_why() -> None:
    span = (T0, T0 + 4 * GRID)
    rows = (
        row("a", "certificate", "sold", 8, *span),
        row("b", "certificate", "held", 8, *span),
        row("c", "ppa", "retired", 8, *span),
        row("d", "onsite", "sold", 8, *span),
        row("e", "onsite", "held", 8, *span),
        row("f", "ppa", "retired", 8, *span, WHEN),
        row("g", "ppa", "retired", 8, T0 + 4 * GRID, T0 + 8 * GRID, WHEN),
    )
    found = of(a_site(ROLES, certificates=rows), grid=[50.0] * 4, pv=[10.0] * 4, out=[0.0] * 4)
    assert {each.id: (each.counted_kwh, each.why) for each in found.ledger} == {
        "a": (0, "sold"),
        "b": (0, "held, not retired"),
        "c": (0, "retired without a date"),
        "d": (0, "sold"),
        "e": (0, "on-site energy counts by its meter"),
        "f": (8, ""),
    }
    assert {each.id: each.taken_off_kwh for each in found.ledger if each.taken_off_kwh} == {"d": 8}
    assert (found.sold_kwh, by_source(found)["onsite"]) == (8, (32, 32))
    (counted,) = (each for each in found.ledger if each.id == "f")
    assert (counted.mwh, counted.retired_on, counted.start, counted.kind) == (0.008, "2026-03-01", "2026-01-01", "ppa")


def test_more_sold_than_made_leaves_nothing_on_site() -> None:
    rows = (row("d", "onsite", "sold", 50, T0, T0 + GRID),)
    found = of(a_site(ROLES, certificates=rows), grid=[50.0], pv=[10.0], out=[0.0])
    assert (by_source(found)["onsite"], found.ref) == ((0, 0), 0)


def test_a_row_serves_usable_intervals_only() -> None:
    rows = (row("p", "ppa", "retired", 40, T0, T0 + 4 * GRID, WHEN),)
    found = of(a_site({"grid": "utility_import"}, certificates=rows), grid=[50.0, NAN, 50.0, 50.0])
    (told,) = found.ledger
    assert (told.period_kwh, told.counted_kwh, told.why) == (40, 30, "in intervals without data")
    assert (found.usable, found.ref) == (0.75, 0.2)
    tight = of(a_site({"grid": "utility_import"}, certificates=rows), grid=[5.0, NAN, 5.0, 5.0])
    assert tight.ledger[0].why == "in intervals without data; beyond E_DC"


def test_a_row_over_two_months_counts_once() -> None:
    rows = (row("p", "ppa", "retired", 59_000, T0, T0 + 59 * DAY, WHEN),)
    site = a_site({"grid": "utility_import"}, certificates=rows)
    months = [Interval(T0, T0 + 31 * DAY), Interval(T0 + 31 * DAY, T0 + 59 * DAY)]
    parts = [of(site, month, grid=[50.0] * 96 * 59).ledger[0].counted_kwh for month in months]
    assert parts == [31_000, 28_000]


@pytest.mark.parametrize(
    ("values", "changes", "reason"),
    [
        ({"grid": [1.0]}, {}, "the site has neither a meter with the role onsite_renewable nor a certificate file"),
        ({"it": [1.0]}, {"certificates": ()}, "no meter feeds E_DC"),
        ({"grid": [NAN]}, {"certificates": ()}, "no interval of the period has a value"),
    ],
)
def test_without_an_input_there_is_no_value(values: Any, changes: Any, reason: str) -> None:
    found = of(a_site({name: {"grid": "utility_import", "it": "it_ups"}[name] for name in values}, **changes), **values)
    assert (found.e_dc_kwh, found.renewable_kwh, found.ref, found.sources) == (None, None, None, ())
    assert found.reason.startswith(reason)


def test_a_ledger_without_a_value_says_that_nothing_counts() -> None:
    rows = (row("p", "ppa", "retired", 40, T0, T0 + GRID, WHEN), row("h", "ppa", "held", 40, T0, T0 + GRID))
    found = of(a_site({"grid": "utility_import"}, certificates=rows), grid=[NAN])
    assert [(each.id, each.period_kwh, each.counted_kwh, each.why) for each in found.ledger] == [
        ("h", 40, 0, "held, not retired"),
        ("p", 40, 0, "no interval of the period has a value"),
    ]


def test_nothing_drawn_is_no_share() -> None:
    rows = (row("p", "ppa", "retired", 40, T0, T0 + GRID, WHEN),)
    found = of(a_site({"grid": "utility_import"}, certificates=rows), grid=[0.0])
    assert (found.ref, found.renewable_kwh, found.capped_kwh, found.reason) == (None, 0, 40, "E_DC is not above 0")
    assert found.sources[1].share is None


def test_it_agrees_with_the_kpi_and_is_json() -> None:
    rows = (
        row("p", "ppa", "retired", 333, T0 - DAY, T0 + 5 * GRID, WHEN),
        row("c", "certificate", "retired", 7, T0 + GRID, T0 + DAY, WHEN),
        row("d", "onsite", "sold", 1, T0, T0 + DAY),
    )
    site = a_site(ROLES, certificates=rows)
    values = {"grid": [6.0, 7.1, NAN, 9.0], "pv": [1.1, 0.0, 3.0, 2.0], "out": [0.0, 0.5, 1.0, 0.0]}
    found, expected = of(site, **values), kpi(site, values, "ref")
    assert [found.renewable_kwh, found.e_dc_kwh, found.ref] == pytest.approx(
        [expected.numerator, expected.denominator, expected.value], rel=1e-12
    )
    assert {each.source: each.share for each in found.sources} == pytest.approx(dict(expected.parts), rel=1e-12)
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["ref"] == found.ref
