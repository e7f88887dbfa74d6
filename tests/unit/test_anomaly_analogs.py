"""What is expected of an hour, from hours like it."""

from __future__ import annotations

import numpy as np
import pytest

from analytics.anomaly import analogs
from analytics.anomaly.analogs import APART, FEWEST, Analogs, cross_validate, forecast, gather
from wattwell.model import Float64

COUNT = 3000


def history(
    value: Float64, drivers: Float64, *, floor: float = 0.01, proportional: bool = False, every: int = 1
) -> Analogs:
    """A history of consecutive hours, ``every`` so many hours one."""
    value = value if value.ndim == 2 else value[:, None]
    streams = value.shape[1]
    return gather(
        drivers,
        value.copy(),
        np.full(value.shape, np.nan),
        500_000 + np.arange(len(drivers), dtype=np.int64) * every,
        np.full(streams, floor),
        np.full(streams, proportional),
    )


def drawn(count: int = COUNT, seed: int = 1) -> Float64:
    """Two drivers, even over [10, 14)."""
    return np.random.default_rng(seed).uniform(10, 14, (count, 2))


def plane(drivers: Float64) -> Float64:
    return 3.0 + 2.0 * drivers[:, 0] - drivers[:, 1]


def test_a_linear_dependence_is_met() -> None:
    kept = history(plane(drawn()), drawn())
    asked = drawn(200, seed=2) * 0.75 + 3
    found = forecast(kept, asked)
    assert found.expected[:, 0] == pytest.approx(plane(asked), abs=0.1)
    assert abs((found.expected[:, 0] - plane(asked)).mean()) < 0.01
    assert (found.distance < 0.3).all()


def test_a_constant_is_met_exactly_within_and_beyond() -> None:
    kept = history(np.full(COUNT, 7.0), drawn())
    asked = np.array([[12.0, 12.0], [30.0, 12.0]])
    assert forecast(kept, asked).expected[:, 0] == pytest.approx([7.0, 7.0])


def test_where_there_are_no_like_hours_the_distance_says_how_far_they_are() -> None:
    drivers = np.tile([[10.0, 10.0]], (COUNT, 1))
    found = forecast(history(np.full(COUNT, 1.0), drivers), np.array([[10.0, 10.0], [13.0, 14.0]]))
    assert found.distance[:, 0] == pytest.approx([0.0, 5.0])
    assert found.sigma[1, 0] > found.sigma[0, 0] or np.isnan(found.sigma).all()


@pytest.mark.parametrize(("proportional", "expected"), [(True, 180.0), (False, 110.0)])
def test_beyond_history_power_grows_with_the_load_where_it_is_known_to(proportional: bool, expected: float) -> None:
    drivers = np.column_stack([np.random.default_rng(1).uniform(10, 11, COUNT), np.full(COUNT, 5.0)])
    kept = history(10 * drivers[:, 0], drivers, proportional=proportional)
    found = forecast(kept, np.array([[18.0, 5.0]]))
    assert found.expected[0, 0] == pytest.approx(expected, rel=0.1)


def test_an_extrapolation_is_less_sure_the_further_it_goes() -> None:
    kept = history(plane(drawn()), drawn())
    cross_validate(kept)
    sigma = forecast(kept, np.array([[12.0, 12.0], [16.0, 12.0], [20.0, 12.0]])).sigma[:, 0]
    assert 0.01 <= sigma[0] < sigma[1] < sigma[2]


def test_no_forecast_is_believed_better_than_its_floor() -> None:
    kept = history(np.full(COUNT, 7.0), drawn(), floor=0.5)
    cross_validate(kept)
    assert forecast(kept, drawn(10)).sigma == pytest.approx(0.5)


@pytest.mark.parametrize("count", [0, FEWEST - 1])
def test_without_enough_history_nothing_is_forecast(count: int) -> None:
    kept = history(plane(drawn(count)), drawn(count))
    errors, standard = cross_validate(kept)
    found = forecast(kept, drawn(5))
    for each in (errors, standard, found.expected, found.sigma, found.distance):
        assert np.isnan(each).all()
    assert len(found.expected) == 5


def test_an_hour_whose_drivers_are_missing_is_neither_forecast_nor_learnt() -> None:
    drivers = drawn()
    drivers[::3, 1] = np.nan
    kept = history(plane(np.nan_to_num(drivers)), drivers)
    assert len(kept) == COUNT - COUNT // 3
    found = forecast(kept, np.array([[12.0, np.nan], [12.0, 12.0]]))
    assert np.isnan(found.expected[0]).all()
    assert found.expected[1, 0] == pytest.approx(15.0, abs=0.1)


def test_hours_that_are_set_aside_do_not_count() -> None:
    drivers, aside = drawn(), np.arange(COUNT) % 4 == 0
    value = np.where(aside, 1e6, plane(drivers))
    without = history(np.where(aside, np.nan, value), drivers)
    assert len(without) == (~aside).sum()
    apart = history(plane(drivers)[~aside], drivers[~aside])
    asked = drawn(100, seed=2)
    assert np.array_equal(forecast(without, asked).expected, forecast(apart, asked).expected)


def test_a_stream_that_is_set_aside_says_nothing_while_its_neighbours_do() -> None:
    drivers = drawn()
    value = np.column_stack([plane(drivers)] * 3)
    blank = value.copy()
    blank[::3, 0] = np.nan
    asked = drawn(100, seed=2) * 0.75 + 3
    whole, part = (forecast(history(each, drivers), asked).expected for each in (value, blank))
    assert np.array_equal(whole[:, 1:], part[:, 1:])
    assert part[:, 0] == pytest.approx(plane(asked), abs=0.1)


def test_history_forecasts_itself_from_hours_that_are_apart_only() -> None:
    """Whatever is changed close by, an hour's forecast stays."""
    drivers = drawn()
    plain, changed = plane(drivers), plane(drivers)
    at, hour = np.arange(COUNT), 1500
    close = np.abs(at - hour) < APART
    changed[close] += 1000.0
    before, after = (value[hour] - cross_validate(history(value, drivers))[0][hour, 0] for value in (plain, changed))
    assert after == pytest.approx(before)
    edge = plane(drivers)
    edge[np.abs(at - hour) <= APART + 400] += 1000.0
    assert edge[hour] - cross_validate(history(edge, drivers))[0][hour, 0] > before + 100


def test_errors_are_noted_in_units_and_in_standard_errors() -> None:
    drivers = drawn()
    noise = np.random.default_rng(3).standard_normal(COUNT)
    kept = history(plane(drivers) + noise, drivers)
    errors, standard = cross_validate(kept)
    assert kept.error is errors
    assert np.std(errors) == pytest.approx(1.05, abs=0.1)
    assert np.std(standard) == pytest.approx(1.0, abs=0.15)


def test_a_block_boundary_changes_nothing() -> None:
    kept = history(plane(drawn()), drawn())
    asked = drawn(analogs._BLOCK + 7, seed=5)
    whole = forecast(kept, asked).expected
    assert np.array_equal(whole[analogs._BLOCK :], forecast(kept, asked[analogs._BLOCK :]).expected)
