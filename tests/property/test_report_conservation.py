"""Carbon and renewable energy of a period are those of its parts, and parts sum to totals, whatever the data."""

from __future__ import annotations

import math
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.evaluate import Window
from analytics.report.carbon import Carbon, carbon
from analytics.report.renewables import Renewables, renewables
from tests.periods import a_period
from tests.sites import GRID, T0, Cells, a_site, book, certificate, meter
from wattwell.emissions import Baseline, EmissionEntry
from wattwell.intervals import HOUR, Interval
from wattwell.model import Certificate, Factor, Site

LENGTH = 48
"""Intervals of a quarter of an hour."""
ROLES = {"grid": "utility_import", "second": "utility_import", "pv": "onsite_renewable", "out": "grid_export"}
amounts = st.one_of(st.just(math.nan), st.floats(-5, 1000, allow_subnormal=False), st.just(0.0))
columns = st.lists(amounts, min_size=LENGTH, max_size=LENGTH)
complete = st.lists(st.floats(0, 1000, allow_subnormal=False), min_size=LENGTH, max_size=LENGTH)
spans = st.tuples(st.integers(-20, LENGTH), st.integers(1, 60)).map(
    lambda pair: Interval(T0 + pair[0] * GRID, T0 + (pair[0] + pair[1]) * GRID)
)


@st.composite
def certificates(draw: Any) -> tuple[Certificate, ...]:
    kinds, statuses = st.sampled_from(["onsite", "ppa", "certificate"]), st.sampled_from(["held", "retired", "sold"])
    rows = []
    for place in range(draw(st.integers(0, 5))):
        span = draw(spans)
        made = certificate(draw(kinds), draw(statuses), draw(st.floats(0, 2000)), span.start, span.end)
        retired = draw(st.sampled_from([None, date(2026, 3, 1)]))
        rows.append(
            Certificate(
                id=f"c{place}",
                kind=made.kind,
                interval=made.interval,
                kwh=made.kwh,
                status=made.status,
                retired_on=retired,
            )
        )
    return tuple(rows)


@st.composite
def entries(draw: Any) -> tuple[EmissionEntry, ...]:
    numbers = st.floats(0, 1000)
    return tuple(
        EmissionEntry(
            id=f"e{place}",
            kind="fuel",
            interval=draw(spans),
            amount=draw(numbers),
            unit="L",
            kg_per_unit=draw(numbers),
            factor="f",
            source="s",
        )
        for place in range(draw(st.integers(0, 4)))
    )


@st.composite
def factors(draw: Any) -> Factor:
    hours = sorted(draw(st.sets(st.integers(0, LENGTH // 4 - 1))))
    values = [draw(st.floats(0, 2)) for _ in hours]
    return Factor(hours=T0 + np.array(hours, dtype=np.int64) * HOUR, values=np.array(values))


@st.composite
def plants(draw: Any) -> tuple[Site, Cells]:
    site = a_site(
        {**ROLES, "it": "it_ups"},
        meter("gas", "fuel", weight=1.0, kg_per_kwh=0.2),
        meter("chw", "cooling_import", weight=0.5, kg_per_kwh=0.1),
        factors={"grid_kg_per_kwh": draw(factors()), "market_kg_per_kwh": Factor(constant=0.1)},
        certificates=draw(certificates()),
        emissions=draw(entries()),
        baseline=Baseline(name="design", pue=1.4),
    )
    store = Cells()
    given = draw(st.sampled_from([columns, complete]))
    for name in site.meters:
        store.put(name, draw(given))
    return site, store


def added(parts: list[float | None]) -> float:
    return math.fsum(part for part in parts if part is not None)


def whole_and_parts(site: Site, store: Cells, cuts: list[int]) -> tuple[list[Any], list[list[Any]]]:
    """Carbon and renewables over all of the data, and over each piece between the cuts."""
    bounds = sorted({0, LENGTH, *cuts})
    pieces = [Interval(T0 + low * GRID, T0 + high * GRID) for low, high in pairwise(bounds)]
    data = [a_period(site, store, span) for span in (Interval(T0, T0 + LENGTH * GRID), *pieces)]
    first, *rest = ([carbon(each, 0.0), renewables(each, 0.0)] for each in data)
    return first, rest


@settings(max_examples=60, deadline=None)
@given(plants(), st.lists(st.integers(1, LENGTH - 1), max_size=4))
def test_a_period_is_the_sum_of_its_parts(plant: tuple[Site, Cells], cuts: list[int]) -> None:
    (whole, green), parts = whole_and_parts(*plant, cuts)
    pieces: list[Carbon] = [part[0] for part in parts]

    def same(name: str, of: Any) -> None:
        assert added([of(piece) for piece in pieces]) == pytest.approx(of(whole) or 0.0, rel=1e-9, abs=1e-6), name

    same("imports", lambda found: found.imported_kwh)
    same("exports", lambda found: found.exported_kwh)
    # Where nothing is known of all that emits there is no total, and each part stands on its own.
    same("location", lambda found: found.total_location_kg and found.location.kg)
    same("market", lambda found: found.total_market_kg and found.market.kg)
    same("metered", lambda found: found.total_location_kg and added([each.kg for each in found.metered]))
    same("entries", lambda found: added([each.kg for each in found.entries]))
    same("gap hours", lambda found: found.location.factor.gap_hours)
    same("gap import", lambda found: found.location.factor.gap_import_kwh)
    for name in ("pue", "onsite"):
        same(name, lambda found, name=name: added([each.kg for each in found.avoided if each.name == name]))
        same(name, lambda found, name=name: added([each.kwh for each in found.avoided if each.name == name]))
    ledgers: list[Renewables] = [part[1] for part in parts]
    for row in green.ledger:
        of_row = [each for ledger in ledgers for each in ledger.ledger if each.id == row.id]
        assert math.fsum(each.period_kwh for each in of_row) == pytest.approx(row.period_kwh, rel=1e-9, abs=1e-9)
        if not green.capped_kwh and not any(ledger.capped_kwh for ledger in ledgers):
            assert math.fsum(each.counted_kwh for each in of_row) == pytest.approx(row.counted_kwh, rel=1e-9, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(plants())
def test_parts_sum_to_totals(plant: tuple[Site, Cells]) -> None:
    (found, green), _ = whole_and_parts(*plant, [])
    direct = [each.kg for each in found.metered if each.scope == 1] + [each.kg for each in found.entries]
    bought = [each.kg for each in found.metered if each.scope == 2]
    assert found.scope1_kg == (None if None in direct else math.fsum(direct))
    for line, scope2, total in (
        (found.location, found.scope2_location_kg, found.total_location_kg),
        (found.market, found.scope2_market_kg, found.total_market_kg),
    ):
        parts = [line.kg, *bought]
        assert scope2 == (None if None in parts else math.fsum(parts))
        assert total in (None, math.fsum(each or 0.0 for each in (scope2, found.scope1_kg)))
        assert total is None or None not in (scope2, found.scope1_kg)
    if green.renewable_kwh is not None:
        assert green.uncapped_kwh == math.fsum(each.kwh for each in green.sources)
        assert green.renewable_kwh == math.fsum(each.counted_kwh for each in green.sources)
        for kind in ("ppa", "certificate"):
            (source,) = (each for each in green.sources if each.source == kind)
            assert math.fsum(row.counted_kwh for row in green.ledger if row.kind == kind) == source.counted_kwh
    for row in green.ledger:
        assert 0 <= row.counted_kwh <= row.period_kwh * (1 + 1e-12)
        assert bool(row.why) is (row.counted_kwh < row.period_kwh * (1 - 1e-9)) or not row.period_kwh


@settings(max_examples=60, deadline=None)
@given(plants())
def test_figures_agree_with_the_kpis(plant: tuple[Site, Cells]) -> None:
    site, store = plant
    (found, green), _ = whole_and_parts(site, store, [])
    span = Window(name=None, interval=Interval(T0, T0 + LENGTH * GRID))
    ref = book(store, site).value(site.id, "ref", span)
    assert green.usable == pytest.approx(ref.usable)
    if ref.numerator is not None:
        assert [green.renewable_kwh, green.e_dc_kwh] == pytest.approx(
            [ref.numerator, ref.denominator], rel=1e-9, abs=1e-9
        )
    if ref.value is not None:
        assert green.ref == pytest.approx(ref.value, rel=1e-9)
    entered = added([each.kg for each in found.entries])
    for basis, total in (("location", found.total_location_kg), ("market", found.total_market_kg)):
        kg, usable = book(store, site).amount(site.id, f"carbon_{basis}", span.interval)
        assert (total is None) is (kg is None)
        if basis == "location":
            assert found.usable == pytest.approx(usable)
        if kg is not None and (basis == "location" or usable == found.usable == 1):
            assert total == pytest.approx(kg + entered, rel=1e-9, abs=1e-9)
