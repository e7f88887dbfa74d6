"""What streams should be: the mean of the most similar hours of the site's own healthy history, moved to this hour.

Like hours are the nearest neighbours in a space of drivers (IT load, outdoor dry bulb and wet bulb; or hour and day of
the week; or the load of a machine). A local linear fit among them moves their values to the hour that is asked for. How
far off such a forecast is comes from forecasting the history itself, each hour from others at least ten days away. So a
forecast is as sure as it was in like hours, and unsure where there are none.

Sources: nearest-neighbour and local linear regression, Hastie, Tibshirani, Friedman, The Elements of Statistical
Learning, 2nd ed., 6.1-6.3 and 13.3; validation by blocks of time, Roberts et al., Ecography 40 (2017) 913.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wattwell.model import Bool, Float64, Int64

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 24
APART = 10 * 24
"""Hours that a like hour must be away when history forecasts itself."""
FAR = 1.0
"""Distance from the like hours' centre, in driver scales, from which a forecast becomes an extrapolation."""
BEYOND = 0.15
"""Share of the value by which an extrapolation may be off, for each driver scale."""
FEWEST = 14 * 24
"""Hours of history below which nothing is forecast."""
MOST = 0.6
"""Share of the streams that must be known in an hour for it to be a like hour: one that is set aside says nothing."""
_NOWHERE = 1e6
_THIRD = 2
"""Place of the neighbour that must be near."""
_RIDGE = 0.05
_BLOCK = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Analogs:
    """The history of the streams of one space."""

    drivers: Float64
    """(hours, drivers), each divided by its scale; none missing."""
    value: Float64
    """(hours, streams); NaN where missing or not to be learnt from."""
    error: Float64
    """(hours, streams) of forecasting each hour from others; NaN where that was not possible."""
    at: Int64
    """Hours since the epoch, ascending."""
    index: NearestNeighbors
    floor: Float64
    """By stream: standard error below which no forecast is believed."""
    proportional: Bool
    """By stream: whether it goes with the first driver where history does not reach."""

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is expected, (hours, streams); NaN where nothing can be said."""

    expected: Float64
    sigma: Float64
    """Standard error of the forecast."""
    distance: Float64
    """From the centre of the like hours, or from the third of them where that is farther, in driver scales: above FAR
    an extrapolation."""


def gather(drivers: Float64, value: Float64, error: Float64, at: Int64, floor: Float64, proportional: Bool) -> Analogs:
    """Keeps the hours whose drivers are known, and most of the streams."""
    from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415 - most commands do without it, and start sooner

    known = ~np.isnan(drivers).any(axis=1) & ((~np.isnan(value)).mean(axis=1) >= MOST)
    index = NearestNeighbors(algorithm="kd_tree", n_neighbors=NEIGHBOURS)
    kept = Analogs(
        drivers=np.ascontiguousarray(drivers[known]), value=value[known], error=error[known], at=at[known],
        index=index, floor=floor, proportional=proportional,
    )  # fmt: skip
    if len(kept) >= FEWEST:
        index.fit(kept.drivers)
    return kept


def cross_validate(kept: Analogs) -> tuple[Float64, Float64]:
    """Forecasts each hour from others that are APART, and notes how far off that was in ``kept.error``.

    Errors in units and in standard errors, (hours, streams); NaN where that is not known.
    """
    if len(kept) < FEWEST:
        return kept.error, np.full(kept.error.shape, np.nan)
    like = _like(kept, kept.drivers, kept.at)
    kept.error[:] = kept.value - np.concatenate([_expected(kept, part) for part in like])
    return kept.error, kept.error / np.concatenate([_sigma(kept, part) for part in like])


def forecast(kept: Analogs, drivers: Float64) -> Forecast:
    """What like hours say of others."""
    shape = (len(drivers), kept.value.shape[1])
    found = Forecast(expected=np.full(shape, np.nan), sigma=np.full(shape, np.nan), distance=np.full(shape, np.nan))
    known = ~np.isnan(drivers).any(axis=1)
    if len(kept) < FEWEST or not known.any():
        return found
    like = _like(kept, np.ascontiguousarray(drivers[known]), None)
    found.expected[known] = np.concatenate([_expected(kept, part) for part in like])
    found.sigma[known] = np.concatenate([_sigma(kept, part) for part in like])
    found.distance[known] = np.concatenate([part.distance for part in like])
    return found


@dataclass(frozen=True, slots=True)
class _Like:
    """Some hours that are asked for, and the hours that are like them."""

    asked: Float64
    """(hours, drivers)"""
    near: Int64
    """(hours, neighbours) into the history."""
    weight: Float64
    """(hours, neighbours, streams), adding up to 1; NaN where there is no like hour."""
    centre: Float64
    """(hours, streams, drivers)"""
    distance: Float64
    """(hours, streams)"""


def _like(kept: Analogs, asked: Float64, at: Int64 | None) -> list[_Like]:
    """Neighbours in blocks; with ``at``, only those that are APART."""
    blocks = range(0, len(asked), _BLOCK)
    return [_block(kept, asked[i : i + _BLOCK], None if at is None else at[i : i + _BLOCK]) for i in blocks]


def _block(kept: Analogs, asked: Float64, at: Int64 | None) -> _Like:
    reach, near = kept.index.kneighbors(asked, n_neighbors=min(len(kept), NEIGHBOURS * (1 if at is None else 4)))
    if at is not None:
        reach = np.where(np.abs(kept.at[near] - at[:, None]) < APART, np.inf, reach)
        order = np.argsort(reach, axis=1, kind="stable")[:, :NEIGHBOURS]
        reach, near = np.take_along_axis(reach, order, axis=1), np.take_along_axis(near, order, axis=1)
    finite = np.isfinite(reach)
    width = np.where(finite, reach, 0.0).max(axis=1, keepdims=True) + 0.05
    mass = np.where(finite, np.exp(-2 * (np.where(finite, reach, 0.0) / width) ** 2), 0.0)
    weight = mass[:, :, None] * ~np.isnan(kept.value[near])
    total = weight.sum(axis=1, keepdims=True)
    weight = weight / np.where(total > 0, total, np.nan)
    centre = np.einsum("nkd,nks->nsd", kept.drivers[near], weight)
    # Between two clusters the centre is near and the hours are far.
    near_by = np.where(finite, reach, _NOWHERE)[:, min(_THIRD, reach.shape[1] - 1)]
    distance = np.maximum(np.sqrt(((asked[:, None] - centre) ** 2).sum(axis=2)), near_by[:, None])
    return _Like(asked, near, weight, centre, distance)


def _expected(kept: Analogs, like: _Like) -> Float64:
    """The local linear fit, held within what the like hours show, and in proportion beyond."""
    value = kept.value[like.near]
    filled = np.nan_to_num(value)
    mean = np.einsum("nks,nks->ns", filled, like.weight)
    gap = like.asked[:, None] - like.centre
    within = gap * np.minimum(1.0, FAR / np.maximum(like.distance, 1e-9))[..., None]
    expected = mean + (within * _slopes(kept, like, filled - mean[:, None])).sum(axis=2)
    used = like.weight > 0
    low = np.where(used, filled, np.inf).min(axis=1)
    high = np.where(used, filled, -np.inf).max(axis=1)
    with np.errstate(invalid="ignore"):
        expected = np.clip(expected, low - 0.25 * (high - low), high + 0.25 * (high - low))
        grown = np.maximum(expected, 0.0) * _growth(like.asked[:, None, 0], like.centre[..., 0] + within[..., 0])
    chosen: Float64 = np.where(kept.proportional, grown, expected)
    return chosen


def _slopes(kept: Analogs, like: _Like, value: Float64) -> Float64:
    """By stream and driver, drawn towards zero where the drivers do not vary."""
    points = kept.drivers[like.near]
    weight = np.nan_to_num(like.weight)
    centre = np.nan_to_num(like.centre)
    # sum of w (x - c)(x - c)' = sum of w x x' - c c', since the weights add up to 1
    spread = np.einsum("nkd,nke,nks->nsde", points, points, weight, optimize=True)
    spread = spread - centre[..., :, None] * centre[..., None, :] + _RIDGE * np.eye(points.shape[2])
    moment = np.einsum("nkd,nks->nsd", points, weight * np.nan_to_num(value))
    slopes: Float64 = np.linalg.solve(spread, moment[..., None])[..., 0]
    return slopes


def _growth(asked: Float64, served: Float64) -> Float64:
    """How much more of the first driver there is than the like hours speak for."""
    known = np.abs(served) > 1e-9
    growth = np.where(known, asked, 1.0) / np.where(known, served, 1.0)
    return np.clip(np.nan_to_num(growth, nan=1.0), 0.3, 3.0)


def _sigma(kept: Analogs, like: _Like) -> Float64:
    """From how well the like hours were forecast themselves, more where they are far."""
    error = kept.error[like.near]
    mass = np.where(np.isnan(error), 0.0, np.nan_to_num(like.weight))
    share = mass.sum(axis=1)
    squares = (mass * np.nan_to_num(error) ** 2).sum(axis=1) / np.where(share > 0, share, np.nan)
    beyond = BEYOND * np.abs(np.nan_to_num(kept.value).mean(axis=0)) * np.maximum(like.distance - FAR, 0.0)
    sigma: Float64 = np.sqrt(squares + kept.floor**2 + beyond**2)
    return sigma
