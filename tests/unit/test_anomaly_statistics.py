"""Guideline 14's statistics against numbers worked by hand, and when a baseline may speak."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.anomaly.statistics import (
    Fit,
    Floats,
    Sufficiency,
    autocorrelation,
    error_of_sum,
    fit_of,
    quantile,
    savings_uncertainty,
    shortages,
    unacceptable,
)
from wattwell.intervals import DAY, HOUR

ACTUAL = np.array([10.0, 12.0, 14.0, 12.0])
EXPECTED = np.array([11.0, 12.0, 13.0, 11.0])
"""Residuals -1, 0, 1, 1: sum 1, squares 3; the mean is 12, squares about it 8."""


def a_fit(**changed: float) -> Fit:
    made = {"points": 12, "parameters": 3, "mean": 100.0, "cv_rmse": 0.05, "nmbe": 0.0, "r2": 0.9, "rho": 0.0}
    return Fit(**{**made, **changed})  # type: ignore[arg-type]


def test_worked_numbers() -> None:
    fit = fit_of(ACTUAL, EXPECTED)
    assert fit is not None
    assert (fit.points, fit.parameters, fit.mean) == (4, 1, 12.0)
    assert fit.cv_rmse == pytest.approx(math.sqrt(3 / 3) / 12)
    assert fit.nmbe == pytest.approx(1 / 36)
    assert fit.r2 == pytest.approx(1 - 3 / 8)


def test_parameters_take_degrees_of_freedom() -> None:
    fit = fit_of(ACTUAL, EXPECTED, 2)
    assert fit is not None
    assert fit.cv_rmse == pytest.approx(math.sqrt(3 / 2) / 12)
    assert fit.nmbe == pytest.approx(1 / 24)
    assert fit_of(ACTUAL, EXPECTED, 4) is None


def test_a_model_that_expects_too_much_has_a_negative_bias() -> None:
    fit = fit_of(ACTUAL, ACTUAL + 1)
    assert fit is not None
    assert fit.nmbe < 0


def test_missing_values_do_not_count() -> None:
    holed = fit_of(np.append(ACTUAL, [np.nan, 5.0]), np.append(EXPECTED, [5.0, np.nan]))
    assert holed == fit_of(ACTUAL, EXPECTED)


@pytest.mark.parametrize("actual", [np.zeros(5), np.full(5, -1.0), np.full(5, np.nan), np.array([])])
def test_nothing_drawn_has_no_statistics(actual: Floats) -> None:
    assert fit_of(actual, np.zeros(len(actual))) is None


def test_autocorrelation_skips_gaps() -> None:
    rising = np.array([1.0, 2.0, 3.0, np.nan, 40.0, 41.0, 42.0])
    assert autocorrelation(rising) == pytest.approx(1.0)  # 3 to 40 are no neighbours, but both ends lie on one line
    assert autocorrelation(np.array([1.0, -1.0, 1.0, -1.0, 1.0])) == pytest.approx(-1.0)
    assert autocorrelation(np.ones(9)) == 0.0
    assert autocorrelation(np.array([1.0, 2.0, np.nan, 1.0])) == 0.0


def test_autocorrelation_of_a_known_process() -> None:
    dice = np.random.default_rng(3)
    noise = dice.standard_normal(20_000)
    found = np.zeros_like(noise)
    for at in range(1, len(noise)):
        found[at] = 0.6 * found[at - 1] + noise[at]
    assert autocorrelation(found) == pytest.approx(0.6, abs=0.02)


def test_effective_points() -> None:
    assert a_fit(points=365, rho=0.5).effective == pytest.approx(365 / 3)
    assert a_fit(rho=-0.7).effective == 12
    assert a_fit(rho=1.0).effective > 0


def test_students_t() -> None:
    assert quantile(0.90, 9) == pytest.approx(1.8331, abs=1e-4)
    assert quantile(0.95, 360) == pytest.approx(1.9666, abs=1e-4)
    assert quantile(0.68, 10**9) == pytest.approx(0.9945, abs=1e-4)


def test_fractional_savings_uncertainty_worked() -> None:
    """Twelve months, three parameters, CV 5 %, no autocorrelation, 10 % saved of 1200 in twelve months."""
    fit = a_fit()
    by_hand = 1.8331 * 1.26 * 0.05 * math.sqrt((1 + 2 / 12) / 12) / 0.10
    assert savings_uncertainty(fit, 1200, 120, 12) == pytest.approx(by_hand, rel=1e-4)
    assert by_hand == pytest.approx(0.360, abs=1e-3)
    assert savings_uncertainty(fit, 1200, -120, 12) == savings_uncertainty(fit, 1200, 120, 12)
    assert savings_uncertainty(fit, 1200, 0, 12) is None


def test_autocorrelation_widens_by_what_is_lost() -> None:
    """Days of a year at rho 0.5: n' = 121.67, t(0.90, 360) = 1.6491, CV 20 %, 36,500 expected."""
    fit = a_fit(points=365, parameters=5, cv_rmse=0.2, rho=0.5)
    by_hand = 1.6491 * 1.26 * 0.2 * 36_500 * math.sqrt(3 * (1 + 2 / 121.667) / 365)
    assert error_of_sum(fit, 36_500, 365) == pytest.approx(by_hand, rel=1e-4)


def test_a_sum_over_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a sum over 0 steps has no uncertainty"):
        error_of_sum(a_fit(), 100, 0)


def test_nine_intervals_of_ten_hold() -> None:
    """Sums over 30 days of a model whose errors are an AR(1) process stay within their bounds as often as is said."""
    dice = np.random.default_rng(5)
    held = []
    for _ in range(300):
        error = np.zeros(365 + 30)
        for at in range(1, len(error)):
            error[at] = 0.5 * error[at - 1] + dice.standard_normal()
        fit = fit_of(100 + error[:365], np.full(365, 100.0))
        assert fit is not None
        held.append(abs(error[365:].sum()) <= error_of_sum(fit, 3000, 30))
    assert 0.88 <= np.mean(held) <= 0.99


@pytest.mark.parametrize(
    ("cv_rmse", "nmbe", "step", "codes"),
    [
        (0.30, 0.10, "hour", []),
        (0.301, -0.101, "hour", ["baseline.scatter", "baseline.bias"]),
        (0.25, -0.05, "day", []),
        (0.26, 0.0, "day", ["baseline.scatter"]),
        (0.15, 0.05, "month", []),
        (0.14, 0.051, "month", ["baseline.bias"]),
        (math.nan, math.nan, "month", ["baseline.scatter", "baseline.bias"]),
    ],
)
def test_acceptance(cv_rmse: float, nmbe: float, step: str, codes: list[str]) -> None:
    issues = unacceptable(a_fit(cv_rmse=cv_rmse, nmbe=nmbe), step)  # type: ignore[arg-type]
    assert [issue.code for issue in issues] == codes


def test_a_baseline_may_speak_when_it_has_seen_enough() -> None:
    rule = Sufficiency(days=10, spans={"outdoor": 5})
    usable = np.ones(10, dtype=np.bool_)
    warm = np.linspace(10, 20, 10)
    assert shortages(usable, DAY, {"outdoor": warm}, rule) == ()
    assert shortages(usable, HOUR, {"outdoor": warm}, rule)[0].message == "0.4 days of usable data, 10 are needed"


def test_coverage_counts_between_the_first_and_the_last_usable_step() -> None:
    rule = Sufficiency(days=8)
    usable = np.array([False] * 30 + [True] * 4 + [False] + [True] * 4)
    assert [issue.code for issue in shortages(usable, DAY, {}, rule)] == ["baseline.coverage"]
    assert shortages(usable, DAY, {}, Sufficiency(days=8, coverage=0.88)) == ()


def test_a_narrow_driver_suffices_only_after_a_year() -> None:
    rule = Sufficiency(spans={"outdoor": 10})
    tropics = np.linspace(26, 30, 400)
    short, long = (np.arange(400) < days for days in (200, 330))
    assert [issue.code for issue in shortages(short, DAY, {"outdoor": tropics}, rule)] == ["baseline.span"]
    assert shortages(long, DAY, {"outdoor": tropics}, rule) == ()


def test_nothing_at_all_is_short_of_days_only() -> None:
    found = shortages(np.zeros(5, dtype=np.bool_), DAY, {"outdoor": np.zeros(5)}, Sufficiency(spans={"outdoor": 1}))
    assert [issue.code for issue in found] == ["baseline.days"]
