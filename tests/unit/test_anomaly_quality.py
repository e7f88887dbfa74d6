"""How well models describe history: against the noise that was put in, the definitions, and hours that do not count."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from analytics.anomaly.detector import run
from analytics.anomaly.quality import Model, models
from analytics.anomaly.settings import Settings
from analytics.anomaly.walk import Walk, begin
from tests.waste import YEAR, plant, site, walked


@pytest.fixture(scope="module")
def walk() -> Walk:
    """A healthy year. Nobody changes it."""
    return walked(plant(hours=YEAR))


def named(walk: Walk) -> dict[str, Model]:
    return {each.name: each for each in models(walk)}


def changed(walk: Walk, stream: str) -> tuple[Walk, int]:
    """A walk that may be changed, and the place of a stream."""
    return copy.deepcopy(walk), [each.name for each in walk.streams].index(stream)


def test_errors_are_those_of_the_definitions(walk: Walk) -> None:
    found, (_, i) = named(walk)["fan-east"], changed(walk, "fan-east")
    error, actual = walk.error[: walk.tried, i], walk.actual[: walk.tried, i]
    known = ~np.isnan(error) & ~walk.masked[: walk.tried, i]
    mean, count = actual[known].mean(), int(known.sum())
    assert found.hours == walk.tried
    assert found.cv_rmse == pytest.approx(np.sqrt(np.sum(error[known] ** 2) / (count - 1)) / mean)
    assert found.nmbe == pytest.approx(np.sum(error[known]) / ((count - 1) * mean))
    assert found.rmse == pytest.approx(np.sqrt(np.mean(error[known] ** 2)))
    assert (found.accepted, found.unjudged, found.space) == (True, None, "weather")


def test_the_error_is_the_noise_and_never_less_since_hours_are_held_out(walk: Walk) -> None:
    """Sensors whose difference goes with nothing: 0.1 K and 0.2 K of noise make 0.224 K."""
    found = named(walk)["ahu-oat - oat"]
    assert found.rmse is not None
    assert np.hypot(0.1, 0.2) * 0.99 < found.rmse < np.hypot(0.1, 0.2) * 1.1
    assert (found.cv_rmse, found.nmbe, found.accepted, found.unit) == (None, None, None, "K")


def test_a_week_is_surer_than_an_hour(walk: Walk) -> None:
    for each in models(walk):
        assert each.weekly is not None
        assert each.rmse is not None
        assert 0 < each.weekly < each.rmse, each.name


@pytest.mark.parametrize("shift", [False, True])
def test_a_model_that_is_off_is_not_accepted(walk: Walk, shift: bool) -> None:
    worse, i = changed(walk, "lights")
    mean = float(np.nanmean(worse.actual[:, i]))
    worse.error[:, i] = worse.error[:, i] + 0.12 * mean if shift else 0.35 * mean * (-1.0) ** np.arange(YEAR)
    found = named(worse)["lights"]
    assert found.accepted is False
    assert found.cv_rmse is not None
    assert found.nmbe is not None
    assert (found.cv_rmse > 0.3, abs(found.nmbe) > 0.1) == (not shift, shift)


def test_hours_that_were_set_aside_do_not_count(walk: Walk) -> None:
    other, i = changed(walk, "pump")
    other.masked[1000:2000, i] = True
    before = named(other)["pump"]
    other.error[1000:2000, i] = 1e6
    assert named(other)["pump"] == before
    other.masked[1000:2000, i] = False
    assert named(other)["pump"] != before


def test_nothing_is_told_before_there_is_history() -> None:
    young = run(begin(site(), plant(hours=20 * 24), Settings()))
    for each in models(young):
        assert (each.cv_rmse, each.nmbe, each.rmse, each.weekly, each.accepted) == (None,) * 5
    fan = named(young)["fan-east"]
    assert (fan.hours, fan.unjudged) == (480, "learning: 20 of 28 healthy days")


@pytest.mark.parametrize(("left", "told"), [(0.0015, False), (0.0025, True)])
def test_what_is_left_of_two_meters_has_shares_where_it_is_more_than_they_err(
    walk: Walk, left: float, told: bool
) -> None:
    nearly, i = changed(walk, "unmetered utility")
    nearly.actual[:, i] = left * nearly.frame.value["utility"]
    assert (named(nearly)["unmetered utility"].cv_rmse is not None) == told


def test_what_draws_nothing_has_no_shares(walk: Walk) -> None:
    idle, i = changed(walk, "evap")
    idle.actual[:, i] = 0.0
    found = named(idle)["evap"]
    assert (found.cv_rmse, found.nmbe, found.accepted) == (None, None, None)
    assert found.rmse is not None
