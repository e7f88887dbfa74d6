"""Streams that left the level they had when all was well, and for how long: sensors beside each other, no drivers.

Each stream is a local level: noise about a level that wanders by itself (a random walk). How much noise and how much
wandering is learnt from a healthy stretch, so a temperature that drifts all day is forgiven what a flow that never
moves is not. The level follows its stream by a Kalman filter as long as it is near; once off, the level is held and its
uncertainty grows, until the stream is back or may well have wandered that far.

Sources: A. C. Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989), 2.3.1 and 3.2 (local
level); D. C. Montgomery, Introduction to Statistical Quality Control, ch. 10 (charts for wandering processes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.anomaly.change import Floats, Mask

_BLOCKS = 8
"""Pieces of the healthy stretch: fewer say too little about wandering."""
_WINDOW = 10
"""Samples whose mean is judged."""
_OFF, _BACK = 4.5, 2.0
"""Standard deviations at which a stream is off, and at which it is back."""


@dataclass(frozen=True, slots=True)
class LevelState:
    """What the filter remembers; one entry (of ``recent``, one column) for each stream."""

    level: Floats
    variance: Floats
    off: Mask
    recent: Floats
    """The last samples, at most nine rows."""


@dataclass(frozen=True, slots=True)
class LevelModel:
    """Variances per sample of each stream, learnt while all was well; NaN where a stream said nothing."""

    noise: Floats
    """Of single samples about the level."""
    mean_noise: Floats
    """Of means of ten samples: larger than a tenth where neighbours are alike."""
    wander: Floats
    """By which the level moves from one sample to the next."""
    state: LevelState
    """At the end of the healthy stretch."""


@dataclass(frozen=True, slots=True)
class Watched:
    """By sample and stream: distance from the level in standard deviations (NaN: cannot say), and whether it is off."""

    z: Floats
    off: Mask
    state: LevelState


def learn(healthy: Floats) -> LevelModel:
    """Learn from a healthy stretch, one row a sample and one column a stream; at least 160 rows.

    A stream that does not vary at all is not judged: nothing says how far it may go.
    """
    long = len(healthy) // _BLOCKS
    if long < 2 * _WINDOW:
        least = 2 * _WINDOW * _BLOCKS
        raise ValueError(f"{len(healthy)} healthy samples are too few to learn a level from: give {least} or more")
    blocks = healthy[: long * _BLOCKS].reshape(_BLOCKS, long, -1)
    means = _mean(blocks, 1)
    noise = _mean(_mean((blocks - means[:, None]) ** 2, 1, ddof=1), 0)
    short = _mean(np.lib.stride_tricks.sliding_window_view(blocks, _WINDOW, axis=1), -1)
    mean_noise = _mean((short - means[:, None]) ** 2, (0, 1))
    moved = _mean(np.diff(means, axis=0) ** 2, 0)
    wander = np.maximum(moved - 2 * noise / long, 0.0) / long
    for column in (noise, mean_noise, wander):
        column[~(noise > 0)] = np.nan
    nothing = np.zeros(healthy.shape[1], dtype=np.bool_)
    start = LevelState(means[0], noise / long, nothing, healthy[:0])
    model = LevelModel(noise, mean_noise, wander, start)
    return LevelModel(noise, mean_noise, wander, _run(model, healthy, start, np.inf).state)


def _mean(values: Floats, axis: int | tuple[int, int], ddof: int = 0) -> Floats:
    """The mean of what is not NaN, over its count less ``ddof``; NaN where nothing is left.

    numpy's own says so by a warning, and warnings cannot be silenced for one thread alone.
    """
    count = np.sum(~np.isnan(values), axis=axis) - ddof
    total: Floats = np.nansum(values, axis=axis)
    mean: Floats = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return mean


def watch(model: LevelModel, samples: Floats, state: LevelState | None = None) -> Watched:
    """Judge what follows the healthy stretch, or what follows ``state``; in pieces it is what it is in one go."""
    return _run(model, samples, state or model.state, _OFF)


def _run(model: LevelModel, samples: Floats, state: LevelState, limit: float) -> Watched:
    level, variance, off = state.level, state.variance, state.off
    z = np.empty(samples.shape)
    offs = np.empty(samples.shape, dtype=np.bool_)
    kept = np.concatenate([state.recent, samples])
    lead = len(state.recent)
    for at, sample in enumerate(samples):
        window = kept[max(0, lead + at + 1 - _WINDOW) : lead + at + 1]
        known = np.isfinite(window)
        counts = known.sum(axis=0)
        variance = variance + model.wander
        mean = np.divide(
            np.where(known, window, 0.0).sum(axis=0), counts, where=counts > 0, out=np.full(len(off), np.nan)
        )
        z[at] = np.abs(mean - level) / np.sqrt(model.mean_noise + variance)
        off = np.where(np.isnan(z[at]), off, z[at] > np.where(off, _BACK, limit))
        gain = np.where(off | ~known[-1], 0.0, variance / (variance + model.noise))
        level = level + gain * np.where(known[-1], sample - level, 0.0)
        variance = variance * (1 - gain)
        offs[at] = off
    return Watched(z, offs, LevelState(level, variance, off, kept[max(0, len(kept) + 1 - _WINDOW) :]))
