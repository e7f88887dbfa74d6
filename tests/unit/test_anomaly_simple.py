"""The daily baseline of a site with few meters: forms found again, physics kept, and silence where it must be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analytics.anomaly.change import cusum
from analytics.anomaly.simple import Baseline, Settings, learn
from analytics.anomaly.statistics import Floats

YEAR = np.arange(365)
OUTDOOR = 11 - 12 * np.cos(2 * np.pi * YEAR / 365) + 4 * np.sin(YEAR * 1.7)
"""From about -5 to 27 degC."""
LOAD = 1600 + 100 * np.sin(YEAR / 9)
"""kWh of IT a day."""


def noise(scale: float, seed: int = 1) -> Floats:
    return scale * np.random.default_rng(seed).standard_normal(365)


def over(change: float) -> Floats:
    return np.maximum(OUTDOOR - change, 0)


def under(change: float) -> Floats:
    return np.maximum(change - OUTDOOR, 0)


def learnt(actual: Floats, outdoor: Floats = OUTDOOR, load: Floats | None = LOAD) -> Baseline:
    found = learn(actual, outdoor, load)
    assert found.issues == ()
    assert found.baseline is not None
    return found.baseline


GROWTH = LOAD / LOAD.mean()
FORMS: dict[str, Floats] = {
    "2P": 80 + 0.1 * LOAD,
    "3P": 80 + 0.1 * LOAD + GROWTH * 20 * over(14),
    "4P": 300 + 0.1 * LOAD + GROWTH * (20 * over(14) - 3 * under(14)),
    "5P": 80 + 0.1 * LOAD + GROWTH * (20 * over(16) + 8 * under(4)),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_are_found_again(name: str) -> None:
    made = learnt(FORMS[name] + noise(3))
    assert made.shape.name == name
    assert made.fit.cv_rmse == pytest.approx(3 / FORMS[name].mean(), rel=0.25)
    assert abs(made.fit.nmbe) < 0.002
    if name == "5P":
        assert made.shape.cooling == pytest.approx(16, abs=1.5)
        assert made.shape.heating == pytest.approx(4, abs=1.5)
        assert made.coefficients[2:] == pytest.approx((20, 8), rel=0.15)


def test_without_it_loads() -> None:
    made = learnt(240 + 20 * over(14) + noise(3), load=None)
    assert made.shape.name == "3P"
    assert made.parameters == 3
    assert made.expect(np.array([5.0, 24.0])).value == pytest.approx([240, 440], abs=6)


def test_what_physics_forbids_is_not_learnt() -> None:
    """An overhead that falls with the load, and with the heat: the model stays flat rather than follow."""
    made = learnt(900 - 0.2 * LOAD - 5 * over(14) + noise(3))
    cool, hot = made.expect(np.array([20.0, 26.0]), np.array([1600.0, 1600.0])).value
    light, heavy = made.expect(np.array([10.0, 10.0]), np.array([1510.0, 1690.0])).value
    assert hot >= cool
    assert heavy >= light


def test_nine_days_of_ten_stay_within_the_band_on_either_side() -> None:
    scatter = np.where(OUTDOOR > 14, 30.0, 5.0)
    shares = []
    for seed in range(5):
        made = learnt(FORMS["3P"] + scatter * noise(1, seed))
        other = FORMS["3P"] + scatter * noise(1, seed + 100)
        band = made.expect(OUTDOOR, LOAD)
        within = (other >= band.low) & (other <= band.high)
        warm = made.shape.cooling < OUTDOOR
        shares.append((within[warm].mean(), within[~warm].mean()))
        assert made.above.scale > 3 * made.below.scale
    warmer, cooler = np.mean(shares, axis=0)
    assert 0.85 <= warmer <= 0.94
    assert 0.85 <= cooler <= 0.94


def test_what_was_never_seen_is_marked() -> None:
    made = learnt(FORMS["3P"] + noise(3))
    outdoor = np.array([15.0, 40.0, 15.0, np.nan, 15.0])
    load = np.array([1600.0, 1600.0, 3200.0, 1600.0, np.nan])
    found = made.expect(outdoor, load)
    assert found.outside.tolist() == [False, True, True, True, True]
    assert np.isnan(made.standardised(np.full(5, 300.0), found)).tolist() == [False, True, True, True, True]


def test_twice_the_load_is_a_guess_and_not_waste() -> None:
    made = learnt(FORMS["3P"] + noise(3))
    found = made.expect(np.full(60, 10.0), np.full(60, 3200.0))
    assert found.outside.all()
    assert cusum(made.standardised(np.full(60, 900.0), found), 0.5, 8).alarms == ()


def test_a_heater_left_on_is_seen_within_days() -> None:
    made = learnt(FORMS["3P"] + noise(8))
    later = FORMS["3P"] + noise(8, seed=4)
    later[200:] += 25
    alarms = cusum(made.standardised(later, made.expect(OUTDOOR, LOAD)), 1.0, 8).alarms
    assert alarms[0].sign == 1
    assert 200 <= alarms[0].detected <= 206


def test_no_heating_is_learnt_in_warm_weather() -> None:
    """What falls as it gets warmer may be heating only below ``heating_below``."""
    made = learnt(300 + 8 * under(20) + noise(3))
    assert made.shape.heating <= Settings().heating_below
    other = learn(300 + 8 * under(20) + noise(3), OUTDOOR, LOAD, Settings(heating_below=25)).baseline
    assert other is not None
    assert other.shape.heating == pytest.approx(20, abs=1.5)


def test_a_few_bad_days_do_not_become_normal() -> None:
    clean = FORMS["3P"] + noise(3)
    bad = clean.copy()
    bad[100:112] += 150
    ask = (np.array([0.0, 12.0, 22.0]), np.full(3, 1600.0))
    assert learnt(bad).expect(*ask).value == pytest.approx(learnt(clean).expect(*ask).value, abs=3)


def test_gaps_are_left_out() -> None:
    holed = FORMS["3P"] + noise(3)
    holed[40:60] = np.nan
    outdoor = OUTDOOR.copy()
    outdoor[200:205] = np.nan
    assert learnt(holed, outdoor).fit.points == 340


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda day: day < 41, "baseline.days"),
        (lambda day: (day < 60) & (day % 5 != 0), "baseline.coverage"),
        (lambda day: (day >= 165) & (day < 215), "baseline.span"),
    ],
)
def test_too_little_says_why(spoil: Callable[[Floats], Floats], code: str) -> None:
    known = spoil(YEAR)
    summer = 20 + 2 * np.sin(YEAR * 1.7)
    found = learn(np.where(known, FORMS["3P"], np.nan), summer if code == "baseline.span" else OUTDOOR, LOAD)
    assert found.baseline is None
    assert code in [issue.code for issue in found.issues]


def test_nothing_drawn_teaches_nothing() -> None:
    found = learn(np.zeros(365), OUTDOOR, LOAD, Settings())
    assert [issue.code for issue in found.issues] == ["baseline.spread"]


def test_hours_tell_more_than_their_mean() -> None:
    """A plant that cools above 14 degC by the hour: learnt by the hour its standing load and slope come out."""
    hours = OUTDOOR[:, None] + 6 * np.sin(np.arange(24) / 24 * 2 * np.pi)
    actual = 240 + 20 * np.maximum(hours - 14, 0).mean(axis=1) + noise(3)
    fine, rough = learnt(actual, hours, None), learnt(actual, OUTDOOR, None)
    assert fine.shape.cooling == pytest.approx(14, abs=0.5)
    assert fine.coefficients[:2] == pytest.approx((240, 20), rel=0.01)
    assert fine.fit.cv_rmse < 0.7 * rough.fit.cv_rmse
    assert fine.samples == 24


def test_a_day_of_23_hours_counts_and_one_of_20_does_not() -> None:
    hours = np.repeat(OUTDOOR[:, None], 24, axis=1)
    hours[50, 23] = np.nan
    hours[60, 20:] = np.nan
    made = learnt(FORMS["3P"] + noise(3), hours)
    assert made.fit.points == 364
    assert np.isfinite(made.expect(hours, LOAD).value[[50, 60]]).tolist() == [True, False]


def test_asked_in_another_way_than_learnt() -> None:
    with pytest.raises(ValueError, match="ask it in the same way"):
        learnt(FORMS["2P"] + noise(3)).expect(OUTDOOR)
    with pytest.raises(ValueError, match="1 temperatures a day and an IT load"):
        learnt(FORMS["2P"] + noise(3)).expect(OUTDOOR[:, None].repeat(24, axis=1), LOAD)
