"""Level: streams that leave the level they had, measured by how much each wanders when all is well."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analytics.anomaly.level import learn, watch

TRAIN, LONG = 400, 1200


def streams(seed: int = 2) -> np.ndarray:
    """A steady one, one that wanders, and one that never moves."""
    rng = np.random.default_rng(seed)
    steady = 10 + rng.normal(0, 1, LONG)
    wandering = 50 + np.cumsum(rng.normal(0, 0.3, LONG)) + rng.normal(0, 1, LONG)
    return np.column_stack([steady, wandering, np.full(LONG, 7.0)])


def judged(values: np.ndarray) -> np.ndarray:
    return watch(learn(values[:TRAIN]), values[TRAIN:]).off


def test_variances_are_found() -> None:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(0, 0.5, 40_000)) + rng.normal(0, 2, 40_000)
    model = learn(np.column_stack([walk[:160], rng.normal(0, 2, 160)]))
    assert model.noise[1] == pytest.approx(4, rel=0.2)
    assert model.mean_noise[1] == pytest.approx(0.4, rel=0.5)
    many = [learn(walk[start : start + 400, None]).wander[0] for start in range(0, 40_000, 400)]
    assert np.mean(many) == pytest.approx(0.25, rel=0.35)


def test_healthy_streams_are_on_their_level() -> None:
    assert judged(streams()).mean(axis=0) == pytest.approx([0, 0, 0], abs=0.02)


def test_a_shift_is_told_while_it_lasts() -> None:
    values = streams()
    values[700:900, 0] += 4
    off = judged(values)[:, 0]
    assert not off[: 700 - TRAIN].any()
    assert off[705 - TRAIN : 900 - TRAIN].all()
    assert not off[912 - TRAIN :].any()


def test_the_same_shift_is_nothing_for_one_that_wanders() -> None:
    values = streams()
    values[700:900, 1] += 4
    assert judged(values)[:, 1].mean() < 0.05


def test_a_stream_without_spread_is_not_judged() -> None:
    values = streams()
    values[700:, 2] = 8
    ran = watch(learn(values[:TRAIN]), values[TRAIN:])
    assert np.isnan(ran.z[:, 2]).all()
    assert not ran.off[:, 2].any()


def test_missing_values_hold_what_was_said() -> None:
    values = streams()
    values[700:900, 0] += 4
    values[720:760, 0] = math.nan
    ran = watch(learn(values[:TRAIN]), values[TRAIN:])
    assert np.isnan(ran.z[730 - TRAIN : 760 - TRAIN, 0]).all()
    assert ran.off[705 - TRAIN : 900 - TRAIN, 0].all()


def test_a_stream_never_seen_is_not_judged() -> None:
    values = streams()
    values[:TRAIN, 0] = math.nan
    assert not judged(values)[:, 0].any()


def test_too_little_to_learn_from_is_refused() -> None:
    with pytest.raises(ValueError, match="159 healthy samples are too few to learn a level from: give 160 or more"):
        learn(np.zeros((159, 1)))
