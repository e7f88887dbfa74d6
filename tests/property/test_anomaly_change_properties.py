"""Detectors fed in pieces say what they say in one go, and no alarm depends on what follows it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.anomaly.change import Alarm, CusumState, cusum
from analytics.anomaly.level import learn, watch
from analytics.anomaly.novelty import novelty

RESIDUALS = st.lists(st.tuples(st.one_of(st.floats(-9, 9), st.just(float("nan"))), st.booleans()), max_size=120)


@given(RESIDUALS, st.lists(st.integers(0, 120), max_size=6), st.floats(0, 1), st.floats(0.5, 8))
def test_in_pieces_as_in_one_go(samples: list[tuple[float, bool]], cuts: list[int], k: float, h: float) -> None:
    z = np.array([value for value, _ in samples], dtype=float)
    mask = np.array([out for _, out in samples], dtype=bool)
    whole = cusum(z, k, h, mask)
    state = CusumState()
    alarms: list[Alarm] = []
    highs: list[float] = []
    lows: list[float] = []
    edges = [0, *sorted(min(cut, len(z)) for cut in cuts), len(z)]
    for start, stop in pairwise(edges):
        part = cusum(z[start:stop], k, h, mask[start:stop], state=state)
        state = part.state
        alarms.extend(part.alarms)
        highs.extend(part.high.tolist())
        lows.extend(part.low.tolist())
    assert (highs, lows) == (whole.high.tolist(), whole.low.tolist())
    assert (tuple(alarms), state) == (whole.alarms, whole.state)


@given(RESIDUALS, st.floats(0.5, 8))
def test_alarms_follow_from_the_sums(samples: list[tuple[float, bool]], h: float) -> None:
    z = np.array([value for value, _ in samples], dtype=float)
    mask = np.array([out for _, out in samples], dtype=bool)
    ran = cusum(z, 0.5, h, mask)
    assert all(alarm.onset <= alarm.detected < len(z) for alarm in ran.alarms)
    assert [alarm.detected for alarm in ran.alarms] == np.flatnonzero((ran.high > h) | (ran.low > h)).tolist()
    for alarm in ran.alarms:
        sums = ran.high if alarm.sign > 0 else ran.low
        assert np.all(sums[alarm.onset : alarm.detected + 1] > 0)
        used = ~(np.isnan(z) | mask)[alarm.onset : alarm.detected + 1]
        excess = float(np.sum(alarm.sign * z[alarm.onset : alarm.detected + 1][used] - 0.5))
        assert abs(excess - sums[alarm.detected]) < 1e-9


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 200), max_size=4))
@settings(max_examples=25, deadline=None)
def test_levels_in_pieces_as_in_one_go(seed: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (360, 3)) + rng.integers(0, 2, (360, 3)) * rng.normal(0, 9)
    values[rng.random((360, 3)) < 0.1] = np.nan
    model = learn(values[:160])
    whole = watch(model, values[160:])
    state = model.state
    parts = []
    for start, stop in pairwise([0, *sorted(cuts), 200]):
        parts.append(watch(model, values[160 + start : 160 + stop], state))
        state = parts[-1].state
    assert np.array_equal(np.concatenate([part.z for part in parts]), whole.z, equal_nan=True)
    assert np.array_equal(np.concatenate([part.off for part in parts]), whole.off)


@given(st.lists(st.floats(-1e6, 1e6), min_size=80, max_size=160), st.integers(0, 160))
@settings(max_examples=50, deadline=None)
def test_novelty_does_not_depend_on_what_follows(values: list[float], stop: int) -> None:
    assert novelty(values, 20)[:stop].tolist() == novelty(values[:stop], 20).tolist()
