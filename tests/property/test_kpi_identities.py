"""Identities that hold on any data over the same intervals, and window sums that are sums (METRICS, Identities)."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from analytics.balance import lay_out, quantities
from analytics.evaluate import Window
from analytics.kpi import KPIS
from tests.sites import DAY, T0, Cells, a_site, book, certificate, meter
from wattwell.engine.analyse import Changed
from wattwell.engine.book import KpiBook
from wattwell.engine.spans import ROLLING, windows
from wattwell.intervals import HOUR, MINUTE, Interval, day_start, floor_to, offsets_divide, starts
from wattwell.model import Factor, KpiValue, Meter, Site

SUBSYSTEMS = ("cooling", "power_chain", "lighting", "other")
ROLES = {
    "grid": "utility_import",
    "pv": "onsite_renewable",
    "out": "grid_export",
    "chiller": "chiller",
    "fan": "crah",
    "lights": "lighting",
    "ups-in": "ups_input",
    "a": None,
    "b": None,
    "water": "water_input",
    "heat": "heat_reuse",
}
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plant(*, without: frozenset[str] = frozenset(), later: frozenset[str] = frozenset(), zone: str = "UTC") -> Site:
    """A site without some meters and with others that come into service in the middle of the data."""
    it = meter("it", "it_ups", formula=((1, "a"), (1, "b")))
    site = a_site({name: role for name, role in ROLES.items() if name not in without}, it, zone=zone)
    rows = (
        certificate("ppa", "retired", 480.0, T0 + DAY // 3, T0 + 2 * DAY, retired=date(2026, 1, 9)),
        certificate("onsite", "sold", 77.0, T0, T0 + DAY),
    )

    def dated(one: Meter) -> Meter:
        return replace(one, in_service=Interval(T0 + DAY, 2**62)) if one.id in later else one

    hours = T0 + np.array([n for n in range(-48, 96) if n % 17], dtype=np.int64) * HOUR
    factors = {
        "grid_kg_per_kwh": Factor(hours=hours, values=np.linspace(0.1, 0.7, len(hours))),
        "market_kg_per_kwh": Factor(constant=0.25),
        "grid_carbon_free_share": Factor(hours=hours, values=np.linspace(0.9, 0.2, len(hours))),
    }
    meters = {name: dated(one) for name, one in site.meters.items()}
    meters["gas"] = replace(meters["a"], id="gas", kg_per_kwh=0.05)
    return replace(site, certificates=rows, factors=factors, meters=meters)


def random_cells(site: Site, seed: int, days: int, grid: int, missing: float, spread: float) -> Cells:
    """Random values of every real meter with random missing intervals; ``spread``: decades between large and small."""
    random = np.random.default_rng(seed)
    count = days * DAY // grid
    store = Cells()
    for one in site.meters.values():
        if not one.virtual:
            value = random.uniform(0.1, 1.0, count) * 10 ** random.uniform(0, spread, count)
            value[random.uniform(size=count) < missing] = np.nan
            value[random.uniform(size=count) < 0.05] = 0.0
            store.put(one.id, value * (30 if one.id == "grid" else 1), random.uniform(size=count), grid=grid)
    return store


@st.composite
def asked(draw: st.DrawFn, *, days: int = 4) -> tuple[KpiBook, Site, Cells, Interval, int]:
    """A book over random data and a window on its grid."""
    grid = draw(st.sampled_from([5, 15, 30, 60])) * MINUTE
    optional = ["lights", "ups-in", "chiller", "fan", "pv", "out"]
    chosen = draw(st.lists(st.sampled_from(optional), unique=True))
    cut = draw(st.integers(0, len(chosen)))
    site = plant(without=frozenset(chosen[:cut]), later=frozenset(chosen[cut:]))
    seed, missing = draw(st.integers(0, 2**32)), draw(st.sampled_from([0.0, 0.02, 0.3]))
    store = random_cells(site, seed, days, grid, missing, draw(st.sampled_from([0.0, 6.0])))
    count = days * DAY // grid
    low = draw(st.integers(-5, count - 1))
    high = draw(st.integers(low + 1, count + 5))
    return (
        book(store, site, grid=grid, provisional=1e-9),
        site,
        store,
        Interval(T0 + low * grid, T0 + high * grid),
        grid,
    )


def answers(made: KpiBook, span: Interval) -> dict[str, KpiValue]:
    return {name: made.value("s", name, Window(name=None, interval=span)) for name in KPIS}


@QUIET
@given(asked())
def test_identities(question: tuple[KpiBook, Site, Cells, Interval, int]) -> None:
    made, _, _, span, _ = question
    found = answers(made, span)
    pue, dcie = found["pue"], found["dcie"]
    assume(pue.value is not None and dcie.value is not None)
    assert math.isclose((pue.value or 0) * (dcie.value or 0), 1, rel_tol=1e-12)
    erf, ere = found["erf"], found["ere"]
    if erf.value is not None and ere.value is not None and ere.usable == erf.usable == pue.usable:
        assert abs(ere.value - (pue.value or 0) * (1 - erf.value)) <= 1e-12 * (1 + abs(ere.value) + (pue.value or 0))
    for part in SUBSYSTEMS:
        partial, overhead = found[f"ppue_{part}"], found[f"overhead_{part}"]
        assert (partial.usable, partial.coverage) == (overhead.usable, overhead.coverage)
        if partial.value is not None and overhead.value is not None:
            scale = 1 + abs(overhead.value) + (pue.value or 0)
            assert abs(partial.value - 1 - overhead.value) <= 1e-12 * scale


@QUIET
@given(asked(), st.integers(0, 2**32), st.booleans())
def test_all_electric_cue_is_pue_times_factor(
    question: tuple[KpiBook, Site, Cells, Interval, int], seed: int, hourly: bool
) -> None:
    """With a constant factor over the same intervals; with one by the hour as the sum over intervals says."""
    _, site, store, span, grid = question
    left = ("pv", "out", "gas")
    meters = {name: one for name, one in site.meters.items() if name not in left}
    hours = np.arange(T0 - DAY, T0 + 8 * DAY, HOUR, dtype=np.int64)
    random = np.random.default_rng(seed)
    factor = Factor(hours=hours, values=random.uniform(0, 1, len(hours))) if hourly else Factor(constant=0.37)
    site = replace(site, meters=meters, factors={"grid_kg_per_kwh": factor})
    found = answers(book(store, site, grid=grid, provisional=1e-9), span)
    pue, cue = found["pue"], found["cue_location"]
    assert (cue.usable, cue.coverage, cue.denominator) == (pue.usable, pue.coverage, pue.denominator)
    assume(cue.value is not None and pue.numerator is not None)
    if hourly:
        rows = usable_cells(site, store, span, grid, "pue")
        each = dict(zip(hours.tolist(), factor.values.tolist(), strict=True))
        kg = math.fsum(row["e_dc"] * each[floor_to(at, HOUR)] for at, row in rows)
        assert math.isclose(cue.numerator or 0, kg, rel_tol=1e-12)
    else:
        assert math.isclose(cue.numerator or 0, 0.37 * (pue.numerator or 0), rel_tol=1e-12)
        assert pue.value is None or math.isclose(cue.value or 0, 0.37 * pue.value, rel_tol=1e-12)


@QUIET
@given(asked())
def test_the_parts_sum_to_pue_less_one(question: tuple[KpiBook, Site, Cells, Interval, int]) -> None:
    """Over the intervals in which everything metered is known, with whatever of the plant is metered by then."""
    made, site, store, span, grid = question
    found = {part: made.value("s", f"overhead_{part}", Window(name=None, interval=span)) for part in SUBSYSTEMS}
    other = found["other"]
    assume(other.value is not None)
    parts = [part.value for part in found.values() if part.value is not None and part.usable == other.usable]
    assume(len(parts) == sum(not any(i.code == "input.missing" for i in part.issues) for part in found.values()))
    e_dc = e_it = 0.0
    for _, values in usable_cells(site, store, span, grid, "overhead_other"):
        e_dc, e_it = e_dc + values["e_dc"], e_it + values["e_it"]
    assert math.isclose(1 + math.fsum(parts), e_dc / e_it, rel_tol=1e-9)


def usable_cells(site: Site, store: Cells, span: Interval, grid: int, kpi: str) -> list[tuple[int, dict[str, float]]]:
    """The usable intervals of a window with every quantity of a KPI, straight from the interval values."""
    at = starts(span.start, span.end, grid)
    real = [one.id for one in site.meters.values() if not one.virtual]
    laid = lay_out(site, store.intervals("s", real, span.start, span.end), tuple(site.meters), at, grid)
    found = quantities(site, laid)
    names = KPIS[kpi].quantities(found)
    columns = {name: found[name].required() if name in KPIS[kpi].needs else found[name] for name in names}
    usable = [all(bool(column.usable[place]) for column in columns.values()) for place in range(len(at))]
    return [
        (int(start), {name: float(column.value[place]) for name, column in columns.items()})
        for place, start in enumerate(at.tolist())
        if usable[place]
    ]


@QUIET
@given(asked())
def test_window_sums_are_plain_sums(question: tuple[KpiBook, Site, Cells, Interval, int]) -> None:
    made, site, store, span, grid = question
    for name in ("pue", "wue", "ups_efficiency", "ref", "peak_demand_kw", "overhead_other"):
        found = made.value("s", name, Window(name=None, interval=span))
        if found.numerator is None:
            assert not found.usable
            continue
        rows = usable_cells(site, store, span, grid, name)
        assert found.usable == len(rows) / (span.width // grid)
        plain = {quantity: math.fsum(row[quantity] for _, row in rows) for quantity in rows[0][1]}
        scale = {quantity: math.fsum(abs(row[quantity]) for _, row in rows) for quantity in rows[0][1]}
        names = KPIS[name].quantities(made._sites["s"].available)
        sums = made._sums(made._sites["s"], name, span).sums
        for place, quantity in enumerate(names):
            assert abs(sums[place] - plain[quantity]) <= 1e-12 * scale[quantity], (name, quantity)
        if name == "peak_demand_kw":
            assert found.numerator == max(row["import"] for _, row in rows)


ZONES = ("Europe/Berlin", "America/Chicago", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Havana")


@QUIET
@given(st.sampled_from(ZONES), st.sampled_from([1, 5, 15, 30]), st.integers(0, 2**32), st.data())
def test_the_days_of_a_zone_sum_to_their_month(zone: str, minutes: int, seed: int, data: st.DataObject) -> None:
    grid = minutes * MINUTE
    assume(offsets_divide(zone, grid))
    site = a_site({"grid": "utility_import", "it": "it_ups"}, zone=zone)
    month = data.draw(st.sampled_from([date(2026, m, 1) for m in (1, 3, 4, 10, 11)]))
    begin = day_start(month, zone)
    end = day_start(date(2026, month.month + 1, 1), zone)
    store = Cells()
    random = np.random.default_rng(seed)
    for name in ("grid", "it"):
        store.put(name, random.uniform(1, 2, (end - begin) // grid), start=begin, grid=grid)
    made = book(store, site, grid=grid, provisional=0.0)
    (whole,) = (made.value("s", "dcie", span) for span in windows(site, "month", begin, end, end, grid))
    days = [made.value("s", "dcie", span) for span in windows(site, "day", begin, end, end, grid)]
    for part in ("numerator", "denominator"):
        assert math.isclose(math.fsum(getattr(day, part) for day in days), getattr(whole, part), rel_tol=1e-12)
    assert whole.usable == 1
    assert math.isclose(whole.numerator or 0, math.fsum(store.columns["s", "it"][1].tolist()), rel_tol=1e-12)


@QUIET
@given(asked(days=35), st.data())
def test_a_value_is_the_same_alone_as_in_a_series(
    question: tuple[KpiBook, Site, Cells, Interval, int], data: st.DataObject
) -> None:
    made, site, store, _, grid = question
    name = data.draw(st.sampled_from(list(KPIS)))
    window = data.draw(st.sampled_from([*ROLLING, "day", "month"]))
    until = T0 + 35 * DAY
    since = until - data.draw(st.integers(1, 60)) * grid if window in ROLLING else T0 - DAY
    spans = list(windows(site, window, since, until, until, grid))
    together = [made.value("s", name, each) for each in spans]
    place = data.draw(st.integers(0, len(spans) - 1))
    alone = book(store, site, grid=grid, provisional=1e-9).value("s", name, spans[place])
    assert alone == together[place]


@QUIET
@given(asked(days=4), st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 95), st.integers(1, 60)), max_size=4))
def test_a_book_that_forgot_equals_a_fresh_one(
    question: tuple[KpiBook, Site, Cells, Interval, int], seed: int, changes: list[tuple[int, int]]
) -> None:
    made, site, store, span, grid = question
    wide = Interval(floor_to(T0 - 40 * DAY, DAY), span.end)
    random = np.random.default_rng(seed)
    real = [one.id for one in site.meters.values() if not one.virtual]
    for hour, length in changes:
        answers(made, span)
        answers(made, wide)
        low = T0 + hour * 60 * MINUTE
        high = low + length * grid
        for name in random.choice(real, 2):
            at, value, measured = store.columns["s", str(name)]
            touched = (at >= low) & (at < high)
            value[touched] = np.where(random.uniform(size=int(touched.sum())) < 0.3, np.nan, random.uniform(0, 9))
            store.columns["s", str(name)] = (at, value, measured)
        made.forget([Changed("s", low, high)])
    fresh = book(store, site, grid=grid, provisional=1e-9)
    for each in (span, wide):
        assert answers(made, each) == answers(fresh, each)
