"""What a site with few meters should draw beside its IT load: change-point regression by the day. Pure.

For sites without submeters: the overhead of a day (E_DC - E_IT, kWh) from its IT load and one outdoor temperature,
dry bulb or wet bulb, whichever the plant follows. Forms as in ASHRAE's Inverse Modeling Toolkit (RP-1050):

    2P  a + b IT                                     no weather
    3P  a + b IT + c g (T - Tc)+                     cooling above Tc
    4P  a + b IT + c g (T - Tc)+ - d g (Tc - T)+     rises on both sides of Tc, each at its own slope
    5P  a + b IT + c g (T - Tc)+ + d g (Th - T)+     heating (tower basins, humidifiers) below Th as well, Th <= Tc

(..)+ is the mean over the day's values of what is above zero, with however many values a day has: by the hour a mild
day with a hot afternoon cools, by the day it does not, and the change point lands in the wrong place. One value a day
will do where there is no more. g is the IT load over its mean: cooling grows with the heat to be removed. b, c and d
are not negative: losses do not fall as the load rises, and a plant does not get better as it gets warmer. Without IT
loads b goes and g is 1. The form is the one with the least BIC.

Days above the change point scatter more than those below, where no chiller runs, so the spread is known for each side
by itself. The fit is made twice: the second time each side weighs by its spread, and days beyond ``trim`` of their
side's robust deviations are left out, so that a few bad days do not become normal. What is said about errors comes
from days held out, in blocks of two weeks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np
from scipy.optimize import nnls

from analytics.anomaly.change import robust_scale
from analytics.anomaly.statistics import Fit, Floats, Mask, Sufficiency, fit_of, shortages
from wattwell.intervals import DAY
from wattwell.model import Issue

Name = Literal["2P", "3P", "4P", "5P"]
_PARAMETERS: Mapping[Name, int] = MappingProxyType({"2P": 1, "3P": 3, "4P": 4, "5P": 5})
"""Without the IT load's coefficient; change points count."""
_KNOWN = 0.90
"""Share of a day's temperatures."""
_CURVED: tuple[Name, ...] = ("3P", "4P", "5P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a baseline is learnt."""

    sufficiency: Sufficiency = field(default_factory=lambda: Sufficiency(spans={"outdoor": 10.0}))
    knots: int = 20
    """Candidates for each change point, at even steps over the temperatures seen; then as many about the best."""
    heating_below: float = 12.0
    """degC: no basin or air heater of a data centre runs above; a warmer Th would learn waste that ends in the heat."""
    trim: float = 4.0
    side: int = 20
    """Days that a side of the change point needs for a spread of its own; else both share one."""
    folds: int = 5
    block: int = 14
    """Days that are held out together."""
    margin: float = 0.05
    """Share of its span by which a driver may leave what was seen before a day counts as outside."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A form and its change points, degC; for 3P and 4P they are one."""

    name: Name
    heating: float
    cooling: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What each day should draw, kWh; NaN where a driver is missing."""

    value: Floats
    low: Floats
    high: Floats
    """What nine healthy days of ten stay within."""
    scale: Floats
    """Standard deviation of a healthy day, robust."""
    outside: Mask
    """The drivers were never seen like this: the value is a guess and nobody may be judged by it."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How far healthy days that were held out were from what was expected, kWh."""

    scale: float
    """Standard deviation, robust."""
    low: float
    """5th percentile."""
    high: float
    """95th percentile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What was learnt."""

    shape: Shape
    coefficients: tuple[float, ...]
    samples: int
    """Temperatures a day."""
    load: float | None
    """Mean IT load, kWh a day; None without."""
    ranges: Mapping[str, tuple[float, float]]
    """Of ``outdoor`` and ``load``: what was seen, margin included."""
    fit: Fit
    """Of days held out."""
    below: Spread
    above: Spread
    """Of the change point for cooling."""

    @property
    def parameters(self) -> int:
        """Coefficients and change points."""
        return _PARAMETERS[self.shape.name] + (self.load is not None)

    def expect(self, outdoor: Floats, load: Floats | None = None) -> Expected:
        """What each day should draw at these temperatures (degC, as many a day as it was learnt with) and IT loads."""
        outdoor = _by_day(outdoor)
        if (load is None) != (self.load is None) or outdoor.shape[1] != self.samples:
            known = f"{self.samples} temperatures a day and {'no' if self.load is None else 'an'} IT load"
            raise ValueError(f"the baseline was learnt with {known}; ask it in the same way")
        mean = _mean(outdoor)
        value = _columns(self.shape, outdoor, load, self.load) @ np.array(self.coefficients)
        outside = _beyond(mean, self.ranges["outdoor"])
        if load is not None:
            outside |= _beyond(load, self.ranges["load"])
        warm = mean > self.shape.cooling
        scale, low, high = (
            np.where(warm, getattr(self.above, each), getattr(self.below, each)) for each in ("scale", "low", "high")
        )
        return Expected(value, value + low, value + high, scale, outside)

    def standardised(self, actual: Floats, expected: Expected) -> Floats:
        """Residuals in standard deviations for a change detector; NaN where nothing may be judged."""
        return np.where(expected.outside, np.nan, (actual - expected.value) / expected.scale)


@dataclass(frozen=True, slots=True)
class Learnt:
    """A baseline, or why there is none."""

    baseline: Baseline | None
    issues: tuple[Issue, ...]


def learn(actual: Floats, outdoor: Floats, load: Floats | None = None, settings: Settings | None = None) -> Learnt:
    """Learns from days in order: kWh beside the IT load, degC, and kWh of IT load; NaN where not known.

    ``outdoor`` has one value a day, or a row of them, of which nine in ten must be known: 24 columns suit a day of 23.

    Where both bulbs are measured, learn with each and keep the one with the smaller ``fit.cv_rmse``.
    """
    settings = settings or Settings()
    outdoor = _by_day(outdoor)
    seen = {"outdoor": _mean(outdoor)}
    usable = np.isfinite(actual) & np.isfinite(seen["outdoor"])
    if load is not None:
        usable &= np.isfinite(load)
        seen["load"] = load
    issues = shortages(usable, DAY, seen, settings.sufficiency)
    if issues:
        return Learnt(None, issues)
    if not np.mean(actual[usable]) > 0 or np.ptp(actual[usable]) == 0:
        text = "the overhead has no spread or is not above zero, so nothing can be learnt from it"
        return Learnt(None, (Issue(code="baseline.spread", severity="info", message=text),))
    mean = float(np.mean(load[usable])) if load is not None else None
    days, kept = _trimmed(_Days(actual, outdoor, load, mean, np.ones_like(actual)), usable, settings)
    shape, coefficients = _best(days.at(kept), settings)
    residual = np.where(kept, actual - _held_out(days, kept, settings), np.nan)
    fit = fit_of(actual, actual - residual)
    if fit is None:
        raise ValueError("none of the days was kept although they vary; ``trim`` must be well above 1")
    below, above = _spreads(residual, days.side(shape), settings.side)
    made = Baseline(
        shape=shape,
        coefficients=coefficients,
        samples=outdoor.shape[1],
        load=days.mean,
        ranges=MappingProxyType({name: _range(column[usable], settings.margin) for name, column in seen.items()}),
        fit=fit,
        below=below,
        above=above,
    )
    return Learnt(made, ())


@dataclass(frozen=True, slots=True, eq=False)
class _Days:
    """Days in order, as they are given, and the mean IT load of the usable ones."""

    actual: Floats
    outdoor: Floats
    load: Floats | None
    mean: float | None
    weight: Floats
    """Of each day's residual in the fit."""

    def at(self, which: Mask) -> _Days:
        """Some of the days; the mean stays."""
        load = None if self.load is None else self.load[which]
        return _Days(self.actual[which], self.outdoor[which], load, self.mean, self.weight[which])

    def side(self, shape: Shape) -> Mask:
        """Whether a day is above the change point; none is where there is no change point."""
        return (_mean(self.outdoor) > shape.cooling) & (shape.name != "2P")

    def expected(self, shape: Shape, coefficients: tuple[float, ...]) -> Floats:
        """By a model."""
        found: Floats = _columns(shape, self.outdoor, self.load, self.mean) @ np.array(coefficients)
        return found


def _columns(shape: Shape, outdoor: Floats, load: Floats | None, mean: float | None) -> Floats:
    """One row a day, one column a coefficient; every column but the first has a coefficient that is not negative."""
    growth = np.ones(len(outdoor))
    columns = [growth]
    if load is not None and mean:
        growth = load / mean
        columns.append(load)
    if shape.name != "2P":
        columns.append(growth * _mean(np.maximum(outdoor - shape.cooling, 0.0)))
    if shape.name == "4P":
        columns.append(-growth * _mean(np.maximum(shape.cooling - outdoor, 0.0)))
    if shape.name == "5P":
        columns.append(growth * _mean(np.maximum(shape.heating - outdoor, 0.0)))
    return np.column_stack(columns)


def _shapes(name: Name, heating: Sequence[float], cooling: Sequence[float], top: float) -> Iterator[Shape]:
    """Every shape of a form with these change points."""
    if name != "5P":
        for point in cooling:
            yield Shape(name, point, point)
        return
    for high in cooling:
        for low in heating:
            if low <= min(high, top):
                yield Shape(name, low, high)


def _fitted(days: _Days, shape: Shape) -> tuple[tuple[float, ...], float]:
    """Coefficients of least squares, not negative but for the first, and the sum of squares that is left."""
    columns = _columns(shape, days.outdoor, days.load, days.mean) * days.weight[:, None]
    found, norm = nnls(np.column_stack([columns, -columns[:, 0]]), days.actual * days.weight)
    return (float(found[0] - found[-1]), *(float(each) for each in found[1:-1])), float(norm) ** 2


def _best(days: _Days, settings: Settings) -> tuple[Shape, tuple[float, ...]]:
    """The shape with the least BIC, and its coefficients; a twentieth of the days lies beyond every change point."""
    count = len(days.actual)
    tiny = float(np.finfo(np.float64).eps) * float(
        np.sum((days.actual * days.weight) ** 2)
    )  # a perfect fit: no log of 0
    low, high = np.percentile(_mean(days.outdoor), (5, 95))
    coarse = np.linspace(low, high, settings.knots)
    fine = np.linspace(-1, 1, settings.knots) * (coarse[1] - coarse[0])

    def left(shape: Shape) -> float:
        return _fitted(days, shape)[1]

    def criterion(shape: Shape) -> float:
        return count * math.log((left(shape) + tiny) / count) + _PARAMETERS[shape.name] * math.log(count)

    found = [Shape("2P", float(low), float(low))]
    for name in _CURVED:
        rough = min(_shapes(name, coarse.tolist(), coarse.tolist(), settings.heating_below), key=left, default=None)
        if rough is not None:
            about = ((rough.heating + fine).tolist(), (rough.cooling + fine).tolist())
            found.append(min((rough, *_shapes(name, *about, settings.heating_below)), key=left))
    shape = min(found, key=criterion)
    return shape, _fitted(days, shape)[0]


def _trimmed(days: _Days, usable: Mask, settings: Settings) -> tuple[_Days, Mask]:
    """The days with weights by the spread of their side, and those that are not far off."""
    shape, coefficients = _best(days.at(usable), settings)
    residual = np.where(usable, days.actual - days.expected(shape, coefficients), np.nan)
    side = days.side(shape)
    weight, kept = days.weight.copy(), usable.copy()
    parts = (side, ~side)
    if min((usable & part).sum() for part in parts) < settings.side:
        parts = (usable, ~usable)
    for part in parts:
        middle, scale = robust_scale(residual[part])
        if scale > 0:
            weight[part] = 1 / scale
            kept[part] &= np.abs(residual[part] - middle) <= settings.trim * scale
    return replace(days, weight=weight), kept


def _held_out(days: _Days, kept: Mask, settings: Settings) -> Floats:
    """What each day is expected to draw by a model that has not seen its block."""
    found = np.full(len(days.actual), np.nan)
    fold = np.arange(len(days.actual)) // settings.block % settings.folds
    for number in range(settings.folds):
        model = _best(days.at(kept & (fold != number)), settings)
        found[fold == number] = days.expected(*model)[fold == number]
    return found


def _spreads(residual: Floats, side: Mask, least: int) -> tuple[Spread, Spread]:
    """Below and above the change point; the same for both where either has too few days."""
    known = np.isfinite(residual)
    parts = [known & ~side, known & side]
    if min(part.sum() for part in parts) < least:
        parts = [known, known]
    below, above = (
        Spread(robust_scale(residual[part])[1], *(float(each) for each in np.percentile(residual[part], (5, 95))))
        for part in parts
    )
    return below, above


def _by_day(outdoor: Floats) -> Floats:
    """A row a day."""
    return outdoor[:, None] if outdoor.ndim == 1 else outdoor


def _mean(rows: Floats) -> Floats:
    """Of each row's known values; NaN where more than a tenth is missing."""
    known = np.isfinite(rows)
    share = known.mean(axis=1)
    mean: Floats = np.where(known, rows, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(share >= _KNOWN, mean, np.nan)


def _range(column: Floats, margin: float) -> tuple[float, float]:
    low, high = float(np.min(column)), float(np.max(column))
    room = margin * (high - low)
    return low - room, high + room


def _beyond(column: Floats, bounds: tuple[float, float]) -> Mask:
    """Whether values leave their range; a missing one does."""
    return ~((column >= bounds[0]) & (column <= bounds[1]))
