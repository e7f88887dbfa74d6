"""What an explanation says adds up: parts to numerator and denominator, readings to amounts, spans to the window."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.evaluate import Window
from analytics.kpi import KPIS
from tests.property.test_analysis import GRID, KEY, METERS, streams
from tests.property.test_kpi_identities import asked
from tests.sites import Cells
from tests.support import T0, readings_of
from wattwell.engine.analyse import analyse
from wattwell.engine.book import KpiBook
from wattwell.engine.explain import take_apart
from wattwell.engine.trace import follow
from wattwell.intervals import Interval
from wattwell.model import Site
from wattwell.store.duckdb import DuckdbStore

QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Question = tuple[KpiBook, Site, Cells, Interval, int]


@QUIET
@given(asked())
def test_the_parts_add_up_to_the_figure(question: Question) -> None:
    made, site, store, span, grid = question
    for name in KPIS:
        value = made.value("s", name, Window(name=None, interval=span))
        apart = take_apart(store, site, name, span, grid)  # type: ignore[arg-type]  # it asks for interval values alone
        if apart is None:
            assert [issue.code for issue in value.issues][:1] == ["input.missing"]
            continue
        count = span.width // grid
        assert apart.usable / count == value.usable
        assert sum(blame.end - blame.start for blame in apart.blames) == (count - apart.usable) * grid
        blamed = [(*blame.meters, *blame.unserved, *blame.factors, *["cut"][: blame.cut]) for blame in apart.blames]
        assert all(blamed), "somebody is always to blame"
        for side, wanted in ((apart.numerator, value.numerator), (apart.denominator, value.denominator)):
            terms = apart.terms(side)
            parts = [term.sign * amount for term in terms for _, amount in term.parts]
            if wanted is None:
                assert not apart.usable
                continue
            total, scale = math.fsum(parts), math.fsum(map(abs, parts))
            if name == "ref" and side is apart.numerator:
                assert wanted <= max(total, 0.0) + 1e-9 * scale or total < wanted <= scale, "only the caps take away"
            else:
                assert abs(total - wanted) <= 1e-9 * scale, name


@QUIET
@given(asked(), st.integers(1, 5))
def test_stretches_do_not_matter(question: Question, days: int) -> None:
    _, site, store, span, grid = question
    for name in ("pue", "peak_demand_kw", "load_factor", "cfe", "ref", "ppue_power_chain"):
        whole = take_apart(store, site, name, span, grid)  # type: ignore[arg-type]
        cut = take_apart(store, site, name, span, grid, stretch=days * grid * 7)  # type: ignore[arg-type]
        if whole is None or cut is None:
            assert whole is cut
            continue
        assert (cut.blames, cut.usable, cut.peak_at) == (whole.blames, whole.usable, whole.peak_at)
        for one, other in zip(cut.terms(cut.numerator), whole.terms(whole.numerator), strict=True):
            assert math.isclose(one.amount, other.amount, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("name", list(METERS))
@QUIET
@given(data=st.data())
def test_a_trail_says_what_was_stored(name: str, data: st.DataObject) -> None:
    """The amount follows from the readings; covered, recovered and missing time fill the window."""
    rows = data.draw(streams())
    meter = METERS[name]
    store = DuckdbStore(Path("memory"), duckdb.connect())
    store.commit(readings_of([(KEY, at, value) for at, value in rows], keys=[KEY]), [])
    analyse(store, {KEY: meter}, GRID)
    cells = (rows[-1][0] - T0) // GRID + 4
    low = data.draw(st.integers(-3, cells))
    window = Interval(T0 + low * GRID, T0 + data.draw(st.integers(low + 1, cells + 2)) * GRID)
    stored = store.intervals("s", ["m"], window.start, window.end).values
    events = store.events("s", None, window.start, window.end)
    ((_, followed),) = follow(store, [meter], window, GRID, [e for e in events if e.state != "withdrawn"])
    store.close()
    trail = followed.trail
    booked = trail.booked(stored.start, stored.value)
    total, scale = float(stored.value.sum()), float(np.abs(stored.value).sum()) + abs(booked.read)
    assert abs(booked.read + booked.scaled - booked.left_out - total) <= 1e-9 * (scale + abs(booked.left_out))
    assert sorted(trail.gaps, key=lambda gap: gap.start) == trail.gaps
    treated = Counter[str]()
    for gap in trail.gaps:
        assert window.start <= gap.start < gap.end <= window.end
        treated[gap.treated] += gap.end - gap.start
    complete = len(stored) == window.width // GRID and not booked.scaled_intervals
    assert complete == (treated["missing"] == 0)
    if complete:
        estimated = float((1 - stored.measured).sum()) * GRID
        assert abs(treated["recovered"] + treated["estimated"] - estimated) <= 1
    if trail.dial is not None:
        start, end = trail.dial
        assert window.start <= start.at <= end.at <= window.end
        assert start.before[0] <= start.at <= start.after[0]
        assert end.before[0] <= end.at <= end.after[0]
        finite = {at: value for at, value in rows if math.isfinite(value)}
        for at, value in (start.before, start.after, end.before, end.after):
            assert value >= finite[at] or math.isclose(value, finite[at]), "a reading, or the level that jitter left"
    assert trail.refused == sum(window.start <= at < window.end and math.isnan(value) for at, value in rows)


def test_every_reading_of_a_plain_register_is_found() -> None:
    """A dial without events: what was counted is the difference of the dials at the ends of the window."""
    meter = replace(METERS["register"], rollover_at=None)
    store = DuckdbStore(Path("memory"), duckdb.connect())
    minute = GRID // 15
    store.commit(readings_of([(KEY, T0 + n * minute + 7, n * n / 100) for n in range(180)], keys=[KEY]), [])
    analyse(store, {KEY: meter}, GRID)
    window = Interval(T0 + 2 * GRID, T0 + 5 * GRID)
    ((_, followed),) = follow(store, [meter], window, GRID, [])
    store.close()
    trail = followed.trail
    assert (trail.count, trail.gaps) == (45, [])
    assert trail.dial is not None
    start, end = trail.dial
    assert (start.at, end.at) == (window.start, window.end)
    assert trail.counted == pytest.approx(end.value - start.value, rel=1e-12)
    line = np.interp([window.start, window.end], [T0 + n * minute + 7 for n in range(180)], np.arange(180) ** 2 / 100)
    assert [start.value, end.value] == pytest.approx(line.tolist(), rel=1e-12)
