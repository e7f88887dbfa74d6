"""The 24x7 carbon-free share and the load factor are what plain loops over interval values say (METRICS)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.evaluate import Window
from tests.property.test_kpi_identities import asked, plant, random_cells
from tests.sites import T0, Cells, book
from wattwell.engine.book import KpiBook
from wattwell.intervals import HOUR, MINUTE, Interval
from wattwell.model import KpiValue, Site

QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Question = tuple[KpiBook, Site, Cells, Interval, int]


def by_interval(site: Site, store: Cells, meter: str) -> dict[int, float]:
    """A meter's values while it is in service, by start; NaN where there is none."""
    at, value, _ = store.columns["s", meter]
    served = site.meters[meter].in_service
    return {t: v for t, v in zip(at.tolist(), value.tolist(), strict=True) if served.start <= t < served.end}


def plain(site: Site, store: Cells, span: Interval, grid: int) -> tuple[float, float, int]:
    """Carbon-free energy, energy and usable intervals, one hour after the other."""
    meters = {name: by_interval(site, store, name) for name in ("grid", "pv", "out") if name in site.meters}
    factor = site.factors["grid_carbon_free_share"]
    shares = dict(zip(factor.hours.tolist(), factor.values.tolist(), strict=True))
    free, energy, usable = [], [], 0
    for hour in range(-(-span.start // HOUR) * HOUR, span.end - HOUR + 1, HOUR):
        load, onsite, complete = 0.0, 0.0, hour in shares
        for at in range(hour, hour + HOUR, grid):
            now = {}
            for name, values in meters.items():
                served = site.meters[name].in_service
                now[name] = values.get(at, math.nan) if served.start <= at < served.end else 0.0
            complete = complete and not any(math.isnan(value) for value in now.values())
            pv, out = now.get("pv", 0.0), now.get("out", 0.0)
            load += now["grid"] + pv - out
            onsite += pv - min(pv, out)
        if complete:
            covered = min(onsite, load)
            free.append(covered + (load - covered) * shares[hour])
            energy.append(load)
            usable += HOUR // grid
    return math.fsum(free), math.fsum(energy), usable


def near(found: float | None, wanted: float, values: list[float]) -> bool:
    """Equal but for rounding, by the size of what was added up."""
    return found is not None and abs(found - wanted) <= 1e-10 * (math.fsum(abs(value) for value in values) + 1e-9)


def check(found: KpiValue, site: Site, store: Cells, span: Interval, grid: int) -> None:
    free, energy, usable = plain(site, store, span, grid)
    assert found.usable == usable / (span.width // grid)
    if not usable:
        assert (found.value, found.numerator) == (None, None)
        return
    sizes = [
        value
        for name in ("grid", "pv", "out")
        if name in site.meters
        for at, value in by_interval(site, store, name).items()
        if span.start <= at < span.end and not math.isnan(value)
    ]
    assert near(found.numerator, free, sizes)
    assert near(found.denominator, energy, sizes)
    if found.value is not None:
        assert found.value == (found.numerator or 0) / (found.denominator or 1)


@QUIET
@given(asked())
def test_hour_by_hour(question: Question) -> None:
    made, site, store, span, grid = question
    check(made.value("s", "cfe", Window(name=None, interval=span)), site, store, span, grid)


@QUIET
@given(st.integers(0, 2**32), st.integers(0, 179), st.integers(1, 400), st.sampled_from([0.0, 0.002]))
def test_hour_by_hour_by_the_minute(seed: int, low: int, length: int, missing: float) -> None:
    site = plant()
    store = random_cells(site, seed, 1, MINUTE, missing, 1.0)
    span = Interval(T0 + low * MINUTE, T0 + (low + length) * MINUTE)
    found = book(store, site, grid=MINUTE, provisional=1e-9).value("s", "cfe", Window(name=None, interval=span))
    check(found, site, store, span, MINUTE)


@QUIET
@given(asked())
def test_mean_by_peak(question: Question) -> None:
    made, site, store, span, grid = question
    found = made.value("s", "load_factor", Window(name=None, interval=span))
    values = [v for t, v in by_interval(site, store, "grid").items() if span.start <= t < span.end and not np.isnan(v)]
    assert found.usable == len(values) / (span.width // grid)
    if values:
        hours = grid / HOUR
        assert math.isclose(found.numerator or 0, math.fsum(values) / len(values) / hours, rel_tol=1e-12)
        assert math.isclose(found.denominator or 0, max(values) / hours, rel_tol=1e-12)
        assert found.value is None or 0 <= found.value <= 1 + 1e-12
