"""CUSUM, onset and scale against the numbers of the textbook."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.anomaly.change import Alarm, CusumState, change_point, cusum, robust_scale

MONTGOMERY = np.array(  # Table 9.1: mean 10, standard deviation 1; from observation 21 on the mean is 11
    [
        *(9.45, 7.99, 9.29, 11.66, 12.16, 10.18, 8.04, 11.46, 9.20, 10.34),
        *(9.03, 11.47, 10.51, 9.40, 10.08, 9.37, 10.62, 10.31, 8.52, 10.84),
        *(10.90, 9.33, 12.29, 11.50, 10.60, 11.08, 10.38, 11.62, 11.31, 10.52),
    ]
)
HIGH = [0, 0, 0, 1.16, 2.82, 2.50, 0.04, 1.00, 0, 0]  # Table 9.2, C+ of periods 1 to 29
HIGH += [0, 0.97, 0.98, 0, 0, 0, 0.12, 0, 0, 0.34]
HIGH += [0.74, 0, 1.79, 2.79, 2.89, 3.47, 3.35, 4.47, 5.28]
LOW = [0.05, 1.56, 1.77, 0, 0, 0, 1.46, 0, 0.30, 0]  # C-
LOW += [0.47, 0, 0, 0.10, 0, 0.13, 0, 0, 0.98, 0]
LOW += [0, 0.17, 0, 0, 0, 0, 0, 0, 0]


def test_montgomery_example() -> None:
    """K = 1/2, H = 5: out of control at period 29, N+ = 7, so the shift came between periods 22 and 23."""
    ran = cusum(MONTGOMERY - 10, 0.5, 5)
    assert ran.high[:29] == pytest.approx(HIGH, abs=1e-9)
    assert ran.low[:29] == pytest.approx(LOW, abs=1e-9)
    assert ran.alarms == (Alarm(onset=22, detected=28, sign=1),)
    assert ran.alarms[0].detected - ran.alarms[0].onset + 1 == 7


def test_after_an_alarm_the_sums_start_at_zero() -> None:
    ran = cusum(MONTGOMERY - 10, 0.5, 5)
    assert ran.high[29] == pytest.approx(0.02)
    assert ran.state == CusumState(30, ran.high[29], 0.0, high_since=29)


def test_downwards_is_upwards_mirrored() -> None:
    ran = cusum(10 - MONTGOMERY, 0.5, 5)
    assert ran.alarms == (Alarm(onset=22, detected=28, sign=-1),)
    assert not cusum(10 - MONTGOMERY, 0.5, 5, sides="up").alarms
    assert cusum(10 - MONTGOMERY, 0.5, 5, sides="down").alarms == ran.alarms


def test_missing_and_excluded_samples_hold_the_sums() -> None:
    z = np.array([3.0, math.nan, 99.0, math.inf, 3.0, 0.0])
    mask = np.array([False, False, True, False, False, False])
    ran = cusum(z, 0.5, 4, mask)
    assert ran.high.tolist() == [2.5, 2.5, 2.5, 2.5, 5.0, 0.0]
    assert ran.alarms == (Alarm(onset=0, detected=4, sign=1),)


def test_a_lasting_change_alarms_again() -> None:
    assert [alarm.detected for alarm in cusum(np.full(9, 2.5), 0.5, 5).alarms] == [2, 5, 8]


def test_nothing_at_all() -> None:
    ran = cusum(np.array([]), 0.5, 5, state=CusumState(7, 1.0, 0.0, 3))
    assert ran.state == CusumState(7, 1.0, 0.0, 3)
    assert not ran.alarms
    assert len(ran.high) == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4, 100], (3, 1.4826022)),
        ([1, 2, math.nan, 3], (2, 1.4826022)),
        ([5, 5, 5, 5, 10], (5, math.sqrt(math.pi / 2))),
        ([0.1] * 9, (0.1, 0)),
        ([-4.0], (-4, 0)),
    ],
)
def test_robust_scale(values: list[float], expected: tuple[float, float]) -> None:
    assert robust_scale(np.array(values, dtype=float)) == pytest.approx(expected)


def test_robust_scale_of_nothing() -> None:
    assert all(math.isnan(value) for value in robust_scale(np.array([math.nan])))


def test_robust_scale_is_the_standard_deviation_of_a_normal() -> None:
    _, scale = robust_scale(np.random.default_rng(1).normal(7, 3, 100_000))
    assert scale == pytest.approx(3, rel=0.01)


def test_step() -> None:
    found = change_point(np.repeat([1.0, 4.0], 20), 10, 40)
    assert found is not None
    assert (found.at, found.kind) == (20, "step")
    assert (found.size, found.gain) == pytest.approx((3, 9 * 10 * 20 / 30))


def test_ramp() -> None:
    z = np.concatenate([np.full(30, 2.0), 2 + 0.1 * np.arange(1, 51)])
    found = change_point(z, 0, 80)
    assert found is not None
    assert (found.at, found.kind, found.size) == (30, "ramp", pytest.approx(0.1))
    assert found.gain == pytest.approx(float(np.sum((z - z.mean()) ** 2)))
    z[40:50] = math.nan
    again = change_point(z, 0, 80)
    assert again is not None
    assert (again.at, again.kind) == (30, "ramp")


@pytest.mark.parametrize("kind", ["step", "ramp"])
def test_gain_is_that_of_regression(kind: str) -> None:
    z = np.random.default_rng(3).normal(0, 1, 40) + np.linspace(0, 4, 40)
    z[7] = math.nan
    found = change_point(z, 0, 40, kind=kind)  # type: ignore[arg-type]
    assert found is not None
    known = np.flatnonzero(np.isfinite(z))
    residuals = []
    for onset in known[1:]:
        shape = np.where(known >= onset, known - onset + 1.0 if kind == "ramp" else 1.0, 0.0)
        design = np.column_stack([np.ones(len(known)), shape])
        fit = np.linalg.lstsq(design, z[known], rcond=None)[0]
        residuals.append((float(np.sum((z[known] - design @ fit) ** 2)), int(onset), float(fit[1])))
    least, onset, size = min(residuals)
    assert (found.at, found.size) == (onset, pytest.approx(size))
    assert found.gain == pytest.approx(float(np.sum((z[known] - z[known].mean()) ** 2)) - least)


def test_too_little_for_a_change() -> None:
    assert change_point(np.array([1.0, math.nan, 2.0]), 0, 3) is None
    assert change_point(np.arange(9.0), 4, 6) is None
