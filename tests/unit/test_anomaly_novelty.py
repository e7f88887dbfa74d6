"""Novelty: what is beyond anything a stream did lately is told once, in any unit, and nothing else is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.anomaly.novelty import NOVEL, NoveltyDetector, novelty

DAY = 96


def a_load(days: int, seed: int = 1) -> np.ndarray:
    """A daily swing with noise, by quarter of an hour."""
    rng = np.random.default_rng(seed)
    return 500 + 100 * np.sin(2 * np.pi * np.arange(days * DAY) / DAY) + rng.normal(0, 5, days * DAY)


def told(values: np.ndarray, warmup: int = 5 * DAY) -> list[int]:
    return np.flatnonzero(novelty(values.tolist(), warmup) >= NOVEL).tolist()


def test_a_usual_month_is_quiet() -> None:
    assert told(a_load(30)) == []


@pytest.mark.parametrize("size", [150.0, -150.0])
def test_a_spike_is_told_at_once_and_once(size: float) -> None:
    values = a_load(30)
    values[2000:2004] += size
    assert told(values)[0] == 2000
    assert len(told(values)) <= 2  # the return from it is a step, too, if larger than the way out


def test_a_shift_within_the_range_of_single_values_is_told() -> None:
    values = a_load(30)
    values[2000:] += 60
    found = told(values)
    assert found
    assert 2000 <= found[0] < 2000 + DAY


def test_a_silence_follows() -> None:
    values = a_load(30)
    for at in (2000, 2020, 2060):
        values[at] += 200
    assert told(values) == [2000]


def test_nothing_in_the_warmup_and_nothing_about_what_is_missing() -> None:
    values = a_load(30)
    values[300] += 1000
    assert told(values) == []
    assert NoveltyDetector(20).push(math.nan) == 0.0


def test_missing_values_leave_no_trace() -> None:
    values = a_load(20)
    values[1500] += 200
    holes = np.insert(values, [700, 1400, 1500], math.nan)
    scores = novelty(holes.tolist(), 5 * DAY)
    assert scores[np.isnan(holes)].tolist() == [0, 0, 0]
    assert scores[~np.isnan(holes)].tolist() == novelty(values.tolist(), 5 * DAY).tolist()


def test_any_unit() -> None:
    values = a_load(20)
    values[1500] += 200
    assert novelty((values * 1024).tolist(), 480) == pytest.approx(novelty(values.tolist(), 480), rel=1e-6)


def test_a_constant_stream_that_moves() -> None:
    values = np.full(2000, 0.1)
    assert told(values) == []
    values[1500:] = 0.2
    assert told(values) == [1500]
    assert told(np.zeros(2000)) == []


def test_a_warmup_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup is 19 samples"):
        NoveltyDetector(19)
