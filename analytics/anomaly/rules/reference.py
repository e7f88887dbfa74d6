"""What rules compare with where physics alone gives no number: curves learnt from healthy history, robustly. Pure.

Each ``learn_*`` takes columns of healthy operation and answers None where they do not bear a curve. A curve knows the
span it was learnt on; outside of it nothing is expected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from wattwell.model import Bool, Float64

FEWEST = 48
"""Means below which nothing is learnt: half a day of quarter hours."""
_ROUNDS = 4
_OUTLYING = 3.0
"""Robust standard deviations beyond which a value is left out of the next round."""
_BEYOND = 0.05
"""Share of its ends by which a load may lie outside of what was learnt."""
_MAD = 1.4826
_CYCLING = 0.25
"""Share of its highest load below which a chiller starts and stops, and teaches nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a curve was learnt on."""

    low: float
    high: float

    def holds(self, value: Float64) -> Bool:
        """Where values lie inside, or just outside."""
        inside: Bool = (value >= self.low * (1 - _BEYOND)) & (value <= self.high * (1 + _BEYOND))
        return inside


@dataclass(frozen=True, slots=True)
class UpsCurve:
    """Loss of a UPS over its load: no-load, proportional and square part, none of them negative."""

    no_load: float
    """kW"""
    linear: float
    quadratic: float
    """1/kW"""
    span: Span

    def loss(self, load: Float64) -> Float64:
        """kW at loads in kW."""
        return self.no_load + load * (self.linear + load * self.quadratic)

    def efficiency(self, load: float) -> float:
        """Output over input at a load in kW."""
        return load / (load + self.no_load + load * (self.linear + load * self.quadratic))

    @property
    def best_load(self) -> float:
        """Where the curve is most efficient, within twice the highest load seen, kW."""
        best = np.sqrt(self.no_load / self.quadratic) if self.quadratic > 0 else np.inf
        return float(min(best, 2 * self.span.high))


@dataclass(frozen=True, slots=True)
class AffinityLaw:
    """Power of a fan or pump over its flow or speed: ``scale * driver ** exponent``."""

    scale: float
    exponent: float
    span: Span

    def power(self, driver: Float64) -> Float64:
        """kW; NaN where the driver is not above zero."""
        return self.scale * np.where(driver > 0, driver, np.nan) ** self.exponent


@dataclass(frozen=True, slots=True)
class ChillerMap:
    """Share of the Carnot efficiency that a chiller reaches over its load, between knots."""

    load: tuple[float, ...]
    """kW of heat, ascending."""
    share: tuple[float, ...]
    span: Span
    carnot: float
    """Middle Carnot efficiency that it was learnt at."""
    bend: float
    """Exponent by which the share changes with Carnot efficiency."""

    def carnot_share(self, load: Float64, carnot: Float64) -> Float64:
        """At loads in kW and Carnot efficiencies."""
        bent: Float64 = np.interp(load, self.load, self.share) * (carnot / self.carnot) ** self.bend
        return bent


@dataclass(frozen=True, slots=True)
class Usual:
    """What one point does in healthy operation while its equipment runs."""

    low: float
    """5 % of the means lie below."""
    middle: float
    high: float
    flat_hours: float
    """The longest time it stood at one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What is known of a healthy site; whatever is missing is not compared with."""

    ups: Mapping[str | None, UpsCurve] = field(default_factory=lambda: MappingProxyType({}))
    """By equipment."""
    affinity: Mapping[str, AffinityLaw] = field(default_factory=lambda: MappingProxyType({}))
    """By the meter of the power."""
    chillers: Mapping[str | None, ChillerMap] = field(default_factory=lambda: MappingProxyType({}))
    usual: Mapping[str, Usual] = field(default_factory=lambda: MappingProxyType({}))
    """By meter: temperatures and whatever else is controlled."""
    differences: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Usual K between return and supply water while it carries heat, by the meter of the supply."""
    approaches: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Usual K between tower water and wet bulb, by the meter of the water."""
    standing: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Least hourly flow of a usual day, L/h, by the meter of the water."""
    cycles: Mapping[str | None, float] = field(default_factory=lambda: MappingProxyType({}))
    """Usual cycles of concentration, by equipment."""


def learn_ups_curve(load: Float64, loss: Float64) -> UpsCurve | None:
    """The curve of a UPS from loads and losses in kW, by non-negative least squares without outliers.

    The three parts are those of Rasmussen (Schneider Electric white paper 113).
    """
    good = np.isfinite(load) & np.isfinite(loss) & (load > 0) & (loss > 0)
    for _ in range(_ROUNDS):
        if np.count_nonzero(good) < FEWEST:
            return None
        x, y = load[good], loss[good]
        parts = np.column_stack((np.ones_like(x), x, x * x))
        size = parts.max(axis=0)
        from scipy.optimize import nnls  # noqa: PLC0415 - heavy, and most commands do without

        found = nnls(parts / size, y)[0] / size
        curve = UpsCurve(float(found[0]), float(found[1]), float(found[2]), Span(float(x.min()), float(x.max())))
        good = good & within(loss - curve.loss(load), good)
    return curve


def learn_affinity(driver: Float64, power: Float64, least_range: float = 1.25) -> AffinityLaw | None:
    """Power over flow or speed, as a line between logarithms without outliers.

    Where the driver hardly varies the exponent is taken as the 3 of the affinity laws and only the scale is learnt.
    """
    good = np.isfinite(driver) & np.isfinite(power) & (driver > 0) & (power > 0)
    for _ in range(_ROUNDS):
        if np.count_nonzero(good) < FEWEST:
            return None
        x, y = np.log(driver[good]), np.log(power[good])
        low, high = np.quantile(x, [0.02, 0.98])
        exponent = 3.0
        if high - low >= np.log(least_range):
            exponent = float(np.clip(slope(x, y), 0.0, 3.5))
        scale = float(np.exp(np.median(y - exponent * x)))
        law = AffinityLaw(scale, exponent, Span(float(np.exp(x.min())), float(np.exp(x.max()))))
        residual = np.full(len(driver), np.nan)
        residual[good] = y - np.log(scale) - exponent * x
        good = good & within(residual, good)
    return law


def learn_chiller(load: Float64, carnot_share: Float64, carnot: Float64, knots: int = 8) -> ChillerMap | None:
    """The share of Carnot efficiency over the load in kW: medians of equally full classes of load, then its bend."""
    good = (
        np.isfinite(carnot)
        & np.isfinite(load)
        & np.isfinite(carnot_share)
        & (load > 0)
        & (carnot_share > 0)
        & (carnot_share < 1)
    )
    if np.count_nonzero(good) < FEWEST:
        return None
    high = float(np.quantile(load[good], 0.99))
    good = good & (load >= _CYCLING * high)
    if np.count_nonzero(good) < FEWEST:
        return None
    x, y = load[good], carnot_share[good]
    middle = float(np.median(carnot[good]))
    ideal = np.log(carnot[good] / middle)
    classes = [part for part in np.array_split(np.argsort(x, kind="stable"), knots) if len(part)]
    middles = [float(np.median(x[part])) for part in classes]
    bend, shares = 0.0, [0.0] * len(classes)
    for _ in range(_ROUNDS):  # load and lift go together, so each is fitted to what the other leaves
        straight = y * np.exp(-bend * ideal)
        shares = [float(np.median(straight[part])) for part in classes]
        residual = np.log(y / np.interp(x, middles, shares))
        clean = within(residual - bend * ideal, np.ones(len(x), dtype=np.bool_))
        found = slope(ideal[clean], residual[clean])
        bend = float(np.clip(found, -1.0, 1.0)) if np.isfinite(found) else 0.0
    return ChillerMap(tuple(middles), tuple(shares), Span(float(x.min()), high), middle, bend)


def learn_usual(value: Float64, hours: float, where: Bool | None = None) -> Usual | None:
    """What a point does, from means of some hours each; ``where`` its equipment runs."""
    good = np.isfinite(value) if where is None else np.isfinite(value) & where
    if np.count_nonzero(good) < FEWEST:
        return None
    low, middle, high = (float(end) for end in np.quantile(value[good], [0.05, 0.5, 0.95]))
    return Usual(low, middle, high, longest_rest(value) * hours)


def longest_rest(value: Float64) -> int:
    """How many means a column stands at one value at most; missing ones end a rest."""
    if not len(value):
        return 0
    ends = np.flatnonzero(np.concatenate((value[1:] != value[:-1], [True])))
    lengths = np.diff(np.concatenate(([-1], ends)))
    return int(lengths.max())


def last_rest(value: Float64) -> int:
    """How many means a column has stood at its last value; 0 where that is missing."""
    if not len(value) or not np.isfinite(value[-1]):
        return 0
    moved = np.flatnonzero(value != value[-1])
    return len(value) if not len(moved) else int(len(value) - 1 - moved[-1])


def slope(x: Float64, y: Float64) -> float:
    """Of a line by least squares; NaN where x does not vary."""
    offset = x - x.mean()
    spread = float(offset @ offset)
    return float(offset @ (y - y.mean())) / spread if spread > 0 else float("nan")


def within(residual: Float64, good: Bool) -> Bool:
    """Where residuals lie within three robust standard deviations of the good ones' median."""
    some = residual[good]
    middle = float(np.median(some))
    spread = _MAD * float(np.median(np.abs(some - middle)))
    return np.abs(residual - middle) <= max(_OUTLYING * spread, 1e-9)
