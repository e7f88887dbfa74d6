"""Verified savings against known truth, and when nothing may be said."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.anomaly.savings import Period, Rules, Year, avoided, normalised, repaired
from analytics.anomaly.statistics import Fit, Floats, error_of_sum
from wattwell.intervals import DAY, HOUR

FIT = Fit(points=365, parameters=4, mean=400.0, cv_rmse=0.05, nmbe=0.0, r2=0.95, rho=0.3)
SEASON = 400 + 100 * np.sin(np.arange(365) / 58)
NONE = np.zeros(365, dtype=np.bool_)


def drawn(expected: Floats, seed: int, scale: float = 20.0) -> Floats:
    return expected + scale * np.random.default_rng(seed).standard_normal(len(expected))


def codes(issues: tuple[object, ...]) -> list[str]:
    return [issue.code for issue in issues]  # type: ignore[attr-defined]


def test_avoided_energy_is_expected_less_actual_with_guideline_14s_bounds() -> None:
    found = avoided(FIT, DAY, Period(np.full(30, 400.0), np.full(30, 360.0)))
    assert found.kwh is not None
    half = error_of_sum(FIT, 12_000, 30)
    assert found.kwh.value == pytest.approx(1200)
    assert (found.kwh.low, found.kwh.high) == pytest.approx((1200 - half, 1200 + half))
    assert found.share == pytest.approx(0.10)
    assert found.uncertainty == pytest.approx(half / 1200)
    assert found.accepted
    assert found.per_year is None
    assert codes(found.issues) == ["saving.year"]


def test_the_models_bias_is_in_the_bounds() -> None:
    biased = Fit(points=365, parameters=1, mean=400.0, cv_rmse=0.05, nmbe=0.03, r2=0.95, rho=0.3)
    period = Period(np.full(30, 400.0), np.full(30, 360.0))
    plain, wide = avoided(FIT, DAY, period).kwh, avoided(biased, DAY, period).kwh
    assert plain is not None
    assert wide is not None
    assert wide.high - wide.value == pytest.approx(np.hypot(plain.high - plain.value, 0.03 * 12_000), rel=1e-3)


def test_a_year_speaks_for_a_year() -> None:
    found = avoided(FIT, DAY, Period(SEASON, 0.9 * SEASON))
    assert found.kwh is not None
    assert found.per_year is not None
    assert found.per_year.value == pytest.approx(found.kwh.value * 365.25 / 365)
    assert found.issues == ()


def test_waste_is_a_negative_saving() -> None:
    found = avoided(FIT, DAY, Period(np.full(60, 400.0), np.full(60, 480.0)))
    assert found.kwh is not None
    assert found.kwh.high < 0
    assert found.accepted


def test_a_saving_lost_in_the_scatter_is_told_as_unsure() -> None:
    found = avoided(FIT, DAY, Period(np.full(20, 400.0), np.full(20, 398.0)))
    assert found.kwh is not None
    assert found.kwh.low < 0 < found.kwh.high
    assert not found.accepted
    assert "saving.unsure" in codes(found.issues)
    none = avoided(FIT, DAY, Period(np.full(20, 400.0), np.full(20, 400.0)))
    assert none.uncertainty is None
    assert not none.accepted


def test_a_short_or_holed_reporting_period_says_nothing() -> None:
    short = avoided(FIT, HOUR, Period(np.full(100, 10.0), np.full(100, 9.0)))
    assert (short.kwh, short.per_year, short.accepted) == (None, None, False)
    assert codes(short.issues) == ["saving.period"]
    assert short.issues[0].message == "4.2 days of the reporting period are usable, 14 are needed"
    actual = np.full(100, 360.0)
    actual[::5] = np.nan
    assert codes(avoided(FIT, DAY, Period(np.full(100, 400.0), actual)).issues) == ["saving.coverage"]
    unseen = np.arange(100) % 5 == 0
    assert codes(avoided(FIT, DAY, Period(np.full(100, 400.0), np.full(100, 360.0), unseen)).issues) == [
        "saving.coverage"
    ]
    assert codes(avoided(FIT, DAY, Period(np.array([]), np.array([]))).issues) == ["saving.period"]


def test_steps_never_seen_before_do_not_count() -> None:
    unseen = np.arange(100) >= 95
    actual = np.where(unseen, 5000.0, 360.0)
    found = avoided(FIT, DAY, Period(np.full(100, 400.0), actual, unseen))
    assert found.kwh is not None
    assert found.kwh.value == pytest.approx(95 * 40)


def test_a_repair_saves_what_the_fault_wasted() -> None:
    during = Period(np.full(14, 400.0), np.full(14, 450.0))
    after = Period(np.full(20, 400.0), np.full(20, 402.0))
    found = repaired(FIT, DAY, during, after)
    assert found.kwh is not None
    assert found.kwh.value == pytest.approx(20 * 48)
    assert found.share == pytest.approx(48 / 450)
    half = 20 * np.hypot(error_of_sum(FIT, 5600, 14) / 14, error_of_sum(FIT, 8000, 20) / 20)
    assert found.kwh.high - found.kwh.value == pytest.approx(half)
    assert found.per_year is None
    assert codes(found.issues) == ["saving.year"]


def test_how_a_fault_grows_is_not_known_and_both_ways_are_within_the_bounds() -> None:
    """60 kWh beyond 300 is 60 kWh or 20 %: of 600 it would be 60 or 120."""
    during = Period(np.full(14, 300.0), np.full(14, 360.0))
    after = Period(np.full(30, 600.0), np.full(30, 600.0))
    found = repaired(FIT, DAY, during, after, year=365.25 * 600)
    assert found.kwh is not None
    assert found.per_year is not None
    assert found.kwh.value == pytest.approx(30 * 90)
    assert found.kwh.low < 30 * 60 < 30 * 120 < found.kwh.high
    assert found.per_year.value == pytest.approx(365.25 * 90)
    assert found.per_year.low < 365.25 * 60
    assert "saving.year" not in codes(found.issues)


def test_a_repair_without_anything_to_compare() -> None:
    nothing = Period(np.full(5, np.nan), np.full(5, 400.0))
    good = Period(np.full(30, 400.0), np.full(30, 400.0))
    assert codes(repaired(FIT, DAY, nothing, good).issues) == ["saving.fault"]
    assert codes(repaired(FIT, DAY, good, nothing).issues) == ["saving.period", "saving.coverage"]
    zero = Period(np.zeros(30), np.full(30, 4.0))
    assert codes(repaired(FIT, DAY, zero, good).issues) == ["saving.expected"]


def test_nine_bounds_of_ten_hold_the_truth_of_a_repair() -> None:
    held = []
    for seed in range(200):
        during = Period(SEASON[:20], drawn(SEASON[:20] + 60, seed))
        after = Period(SEASON[20:60], drawn(SEASON[20:60], seed + 1000))
        told = repaired(
            Fit(points=365, parameters=1, mean=400.0, cv_rmse=0.05, nmbe=0.0, r2=0.9, rho=0.0), DAY, during, after
        ).kwh
        assert told is not None
        held.append(told.low <= 60 * 40 <= told.high)
    assert 0.88 <= np.mean(held) <= 1


def test_normalised_saving_asks_both_models_for_the_same_year() -> None:
    later = Fit(points=300, parameters=4, mean=360.0, cv_rmse=0.06, nmbe=0.0, r2=0.9, rho=0.2)
    unseen = np.arange(365) >= 340
    found = normalised(Year(FIT, SEASON, NONE), Year(later, 0.9 * SEASON, unseen), DAY)
    assert found.kwh is None
    assert found.per_year is not None
    usable = SEASON[:340].sum()
    assert found.per_year.value == pytest.approx(0.1 * usable * 365.25 / 340)
    half = np.hypot(error_of_sum(FIT, usable, 340), error_of_sum(later, 0.9 * usable, 340)) * 365.25 / 340
    assert found.per_year.high - found.per_year.value == pytest.approx(half)
    assert found.share == pytest.approx(0.1)


def test_normalised_saving_needs_a_year_that_both_models_know() -> None:
    unseen = np.arange(365) >= 200
    found = normalised(Year(FIT, SEASON, unseen), Year(FIT, SEASON, NONE), DAY)
    assert found.per_year is None
    assert found.issues[0].message == "the two models can be asked for 200 days of a typical year, 328 are needed"


def test_rules_are_settings() -> None:
    period = Period(np.full(7, 400.0), np.full(7, 360.0))
    assert avoided(FIT, DAY, period, Rules(days=7)).kwh is not None
    assert avoided(FIT, DAY, period, Rules(days=7.5)).kwh is None
