"""METERING, Time and Quality as laws: parts sum to the whole, any grid gives the same sum, days sum to the month."""

from __future__ import annotations

import random
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.fold import MeterFold, fold
from analytics.resample import resample
from analytics.segments import MEASURED, FoldState, Segments, factor_pieces
from tests.support import T0, a_meter
from wattwell.intervals import DAY, HOUR, MINUTE, Interval, calendar_windows, ceil_to, day_start, floor_to
from wattwell.model import Accumulation, Float64, Int64, Interpolation, IntervalValues, Meter
from wattwell.units import QuantityKind

HOURLY = [1, 5, 15, 30, 60]
RANDOM_KW = {"quantity": QuantityKind.POWER, "unit": "kW", "accumulation": Accumulation.INSTANTANEOUS, "max_rate": None}


def values_of(meter: Meter, at: Int64, value: Float64, grid: int = 15 * MINUTE) -> IntervalValues:
    fold = MeterFold(meter, grid)
    fold.feed(at, value)
    return fold.take_rest()


def day_of_readings(seed: int) -> tuple[Int64, Float64]:
    """A dial from midnight to midnight, microsecond times, never more than four minutes apart."""
    rng = np.random.default_rng(seed)
    at = T0 + np.unique(np.concatenate(([0, DAY], np.arange(0, DAY, 2 * MINUTE) + rng.integers(0, 2 * MINUTE, 720))))
    return at, np.cumsum(rng.uniform(0, 3, len(at)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("accumulation", list(Accumulation))
@pytest.mark.parametrize("factors", [((-(2**62), 1.0),), ((-(2**62), 40.0), (T0 + 5 * HOUR + 7, -2.0))])
def test_every_grid_gives_the_same_sum(seed: int, accumulation: Accumulation, factors: Any) -> None:
    at, dial = day_of_readings(seed)
    changes: dict[str, Any] = {"accumulation": accumulation, "factors": factors, "max_rate": 1e6}
    if accumulation is Accumulation.INSTANTANEOUS:
        dial = np.diff(dial, prepend=0.0)
        changes |= RANDOM_KW
    if accumulation is Accumulation.DELTA:
        dial = np.diff(dial, prepend=0.0)
    sums = []
    for grid in HOURLY:
        values = values_of(a_meter(**changes), at, dial, grid * MINUTE)
        assert len(values) == 24 * 60 // grid
        assert np.all(values.measured == 1.0)
        sums.append(values.value.sum())
    assert sums == pytest.approx([sums[0]] * len(sums), rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_coarse_interval_is_the_sum_of_its_fine_ones(seed: int) -> None:
    at, dial = day_of_readings(seed)
    fine = values_of(a_meter(), at, dial, MINUTE).value
    for grid in HOURLY:
        coarse = values_of(a_meter(), at, dial, grid * MINUTE).value
        np.testing.assert_allclose(coarse, fine.reshape(-1, grid).sum(axis=1), rtol=1e-11)


def test_a_dial_without_events_books_its_own_difference() -> None:
    at, dial = day_of_readings(9)
    assert values_of(a_meter(), at, dial).value.sum() == pytest.approx(dial[-1] - dial[0], rel=1e-13)


def real(meter: Meter, segments: Segments) -> float:
    """What segments hold after the factors, by plain arithmetic."""
    return sum(
        amount * (high - low) / (end - start) * factor
        for start, end, amount in zip(
            segments.start.tolist(), segments.end.tolist(), segments.first.tolist(), strict=True
        )
        for low, high, factor in factor_pieces(meter, start, end)
    )


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9), length=st.integers(2, 60))
def test_what_is_booked_is_what_the_segments_hold(seed: int, length: int) -> None:
    """Scaled-up time aside: on the grid of one minute with readings on the minute there is none."""
    rng = random.Random(seed)
    meter = a_meter(rollover_at=1000.0, resolution=0.5, factors=((-(2**62), 1.0), (T0 + 9 * MINUTE, -3.0)))
    now, level, rows = T0, rng.uniform(0, 900), []
    for _ in range(length):
        level = (level + rng.uniform(0, 90)) % 1000
        rows.append((now, rng.choice([level] * 6 + [0.0, 9e5, max(0.0, level - 0.4)])))
        now += rng.choice([1, 1, 1, 2, 7]) * MINUTE
    at, dial = np.array([row[0] for row in rows], dtype=np.int64), np.array([row[1] for row in rows])
    folded = fold(meter, FoldState(), at, dial)
    held = real(meter, folded.segments) + real(meter, folded.tail)
    values = values_of(meter, at, dial, MINUTE)
    assert values.value.sum() == pytest.approx(held, rel=1e-9, abs=1e-9)
    both = (
        np.concatenate([folded.segments.start, folded.tail.start]),
        np.concatenate([folded.segments.end, folded.tail.end]),
    )
    assert np.all(both[0] < both[1])
    assert np.all(both[1][:-1] <= both[0][1:])


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9), grid=st.sampled_from(HOURLY))
def test_shares_are_shares(seed: int, grid: int) -> None:
    """Measured, estimated and missing sum to 1: measured lies in 0..1, and a row is never more than a tenth missing."""
    rng = random.Random(seed)
    now, rows = T0, []
    for _ in range(40):
        rows.append((now, rng.choice([rng.uniform(0, 50)] * 5 + [float("nan"), 9e5])))
        now += rng.choice([MINUTE, 4 * MINUTE, 5 * MINUTE, 9 * MINUTE, rng.randrange(1, 10**9)])
    at, value = np.array([row[0] for row in rows], dtype=np.int64), np.array([row[1] for row in rows])
    meter = a_meter(accumulation=Accumulation.DELTA, max_rate=1e4)
    width = grid * MINUTE
    values = values_of(meter, at, value, width)
    folded = fold(meter, FoldState(), at, value).segments
    covered = {}
    for start, end in zip(folded.start.tolist(), folded.end.tolist(), strict=True):
        for cell in range(floor_to(start, width), end, width):
            covered[cell] = covered.get(cell, 0) + min(end, cell + width) - max(start, cell)
    assert values.start.tolist() == sorted(cell for cell, known in covered.items() if (width - known) * 10 <= width)
    assert values.measured.tolist() == [covered[cell] / width for cell in values.start.tolist()]
    assert np.all(folded.kind == MEASURED)


# -- days and months ----------------------------------------------------------------------------------------------


def one_kilowatt(low: int, high: int, grid: int, meter: Meter | None = None) -> IntervalValues:
    """The interval values of a constant 1 kW, seen as a dial read every four minutes at odd microseconds."""
    at = np.arange(floor_to(low, HOUR) - HOUR, ceil_to(high, HOUR) + 2 * HOUR, 4 * MINUTE, dtype=np.int64) + 123_457
    return values_of(meter or a_meter(), at, (at - at[0]) / HOUR, grid)


def energy(values: IntervalValues, span: Interval) -> float:
    inside = (values.start >= span.start) & (values.start < span.end)
    return float(values.value[inside].sum())


@pytest.mark.parametrize(
    ("zone", "month", "grid", "kwh"),
    [
        ("Europe/Berlin", date(2026, 3, 1), 15, 743),
        ("Europe/Berlin", date(2026, 10, 1), 15, 745),
        ("Europe/Berlin", date(2026, 10, 1), 60, 745),
        ("Europe/Berlin", date(2026, 2, 1), 1, 672),
        ("Asia/Kolkata", date(2026, 3, 1), 30, 744),
        ("Asia/Kathmandu", date(2026, 3, 1), 15, 744),
        ("Australia/Lord_Howe", date(2026, 4, 1), 30, 720.5),
        ("Australia/Lord_Howe", date(2026, 10, 1), 15, 743.5),
        ("America/New_York", date(2026, 3, 1), 60, 743),
        ("America/New_York", date(2026, 11, 1), 15, 721),
        ("America/Sao_Paulo", date(2018, 11, 1), 15, 719),
        ("America/Sao_Paulo", date(2018, 2, 1), 15, 673),
        ("Asia/Beirut", date(2021, 3, 1), 15, 743),
        ("Asia/Beirut", date(2021, 10, 1), 15, 745),
        ("America/Havana", date(2021, 3, 1), 15, 743),
        ("America/Havana", date(2021, 11, 1), 15, 721),
        ("America/St_Johns", date(2010, 11, 1), 30, 721),
        ("Pacific/Apia", date(2011, 12, 1), 15, 720),
    ],
)
def test_a_constant_kilowatt_is_the_hours_of_the_month_and_the_days_sum_to_it(
    zone: str, month: date, grid: int, kwh: float
) -> None:
    start = day_start(month, zone)
    (span,) = calendar_windows("month", start, start + 1, zone)
    values = one_kilowatt(span.start, span.end, grid * MINUTE)
    days = list(calendar_windows("day", span.start, span.end, zone))
    assert all(day.start % (grid * MINUTE) == 0 for day in days)
    assert (days[0].start, days[-1].end) == (span.start, span.end)
    assert all(one.end == two.start for one, two in pairwise(days))
    assert energy(values, span) == pytest.approx(kwh, abs=1e-9)
    assert sum(energy(values, day) for day in days) == pytest.approx(kwh, abs=1e-9)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"])
def test_the_months_sum_to_the_year(zone: str) -> None:
    start = day_start(date(2011, 1, 1), zone)
    (year,) = calendar_windows("year", start, start + 1, zone)
    values = one_kilowatt(year.start, year.end, 30 * MINUTE)
    months = list(calendar_windows("month", year.start, year.end, zone))
    assert len(months) == 12
    assert sum(energy(values, month) for month in months) == pytest.approx(energy(values, year), abs=1e-6)
    assert energy(values, year) == pytest.approx(year.width / HOUR, abs=1e-6)


def test_a_dated_multiplier_changes_at_its_local_midnight() -> None:
    midnight = day_start(date(2026, 3, 29), "Europe/Berlin")
    meter = a_meter(factors=((-(2**62), 1.0), (midnight, 40.0)))
    values = one_kilowatt(midnight - DAY, midnight + DAY, 15 * MINUTE, meter)
    assert energy(values, Interval(midnight - DAY, midnight)) == pytest.approx(24, abs=1e-9)
    assert energy(values, Interval(midnight, midnight + 23 * HOUR)) == pytest.approx(23 * 40, abs=1e-9)


@pytest.mark.parametrize("interpolation", list(Interpolation))
def test_a_constant_rate_is_its_amount(interpolation: Interpolation) -> None:
    at = T0 + np.arange(0, DAY + 1, 5 * MINUTE, dtype=np.int64)
    meter = a_meter(interpolation=interpolation, **RANDOM_KW)
    values = values_of(meter, at, np.full(len(at), 7.0))
    assert values.value.tolist() == [1.75] * 96


def test_resampling_a_part_gives_the_same_bits() -> None:
    at, dial = day_of_readings(5)
    segments = fold(a_meter(), FoldState(), at, dial).segments
    grid = 15 * MINUTE
    whole = resample(a_meter(), segments, T0, T0 + DAY, grid)
    for first in range(0, 96, 7):
        part = resample(a_meter(), segments, T0 + first * grid, T0 + (first + 5) * grid, grid)
        assert part.value.tobytes() == whole.value[first : first + 5].tobytes()
