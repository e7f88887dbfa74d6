"""How well a baseline describes what was measured, and how sure a sum drawn from it is: ASHRAE Guideline 14-2014. Pure.

Measured y, expected e, n points, p parameters of the model, mean m of the measured (the guideline's own definitions):

    CV(RMSE) = sqrt(sum (y - e)^2 / (n - p)) / m          NMBE = sum (y - e) / ((n - p) m)

NMBE is positive where the model expects too little. Where ``expected`` was learnt from the very points it is judged
by, p is the number of coefficients; where the points were held out, or a model has none to count, p is 1, as the
guideline has it for calibrated simulations.

The uncertainty of a saving follows Annex B, equation B-28 with the correction for autocorrelation: n points whose
residuals resemble their neighbours by rho say as much as n' = n (1 - rho) / (1 + rho) independent ones.
Equal steps, missing values are NaN; amounts are in any one unit, shares are fractions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from wattwell.intervals import DAY
from wattwell.model import Issue

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Step = Literal["hour", "day", "month"]

CONFIDENCE = 0.90
"""Of every interval given to people."""
PERFORMANCE = (0.68, 0.50)
"""Confidence, and the largest fractional uncertainty at it, that Guideline 14 asks of a reported saving."""
_BLOCK = 1.26
"""Reddy and Claridge's simplification of the model's own error, in equation B-28."""
_MOST = 0.999
"""Of rho: n' stays above zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A model beside what was measured."""

    points: int
    """n, the points with both values."""
    parameters: int
    """p"""
    mean: float
    """Of the measured, per step."""
    cv_rmse: float
    nmbe: float
    r2: float
    """1 - residual over total sum of squares; below 0 the mean would have been the better model."""
    rho: float
    """Correlation of each residual with the one before."""

    @property
    def effective(self) -> float:
        """n': how many independent points say as much. A negative rho counts as none, on the careful side."""
        rho = min(max(self.rho, 0.0), _MOST)
        return self.points * (1 - rho) / (1 + rho)


def fit_of(actual: Floats, expected: Floats, parameters: int = 1) -> Fit | None:
    """The statistics of a model; None where there are no more points than parameters or nothing was drawn.

    >>> fit_of(np.array([10.0, 12.0, 14.0, 12.0]), np.array([11.0, 12.0, 13.0, 11.0])).nmbe  # 1 / (3 x 12)
    0.027777777777777776
    """
    residual = actual - expected
    known = np.isfinite(residual)
    count = int(known.sum())
    mean = float(np.mean(actual[known])) if count else 0.0
    if count <= parameters or mean <= 0:
        return None
    squares = float(np.sum(residual[known] ** 2))
    total = float(np.sum((actual[known] - mean) ** 2))
    return Fit(
        points=count,
        parameters=parameters,
        mean=mean,
        cv_rmse=math.sqrt(squares / (count - parameters)) / mean,
        nmbe=float(np.sum(residual[known])) / ((count - parameters) * mean),
        r2=1 - squares / total if total > 0 else 0.0,
        rho=autocorrelation(residual),
    )


def autocorrelation(residual: Floats) -> float:
    """Lag-1 correlation over neighbours that are both known; 0 where fewer than three pairs or no spread is there."""
    before, after = residual[:-1], residual[1:]
    both = np.isfinite(before) & np.isfinite(after)
    if both.sum() < 3 or np.ptp(before[both]) == 0 or np.ptp(after[both]) == 0:
        return 0.0
    return float(np.corrcoef(before[both], after[both])[0, 1])


def error_of_sum(fit: Fit, expected: float, points: int, confidence: float = CONFIDENCE) -> float:
    """Half the width of the interval about a model's sum over ``points`` steps, in the unit of ``expected``, that sum.

    t x 1.26 x CV(RMSE) x |expected| x sqrt(n / n' x (1 + 2 / n') / points), Guideline 14-2014, B-28 times the saving.
    """
    if points < 1:
        raise ValueError(f"a sum over {points} steps has no uncertainty; give at least one step")
    spread = fit.points / fit.effective * (1 + 2 / fit.effective) / points
    return quantile(confidence, fit.points - fit.parameters) * _BLOCK * fit.cv_rmse * abs(expected) * math.sqrt(spread)


def savings_uncertainty(
    fit: Fit, expected: float, saving: float, points: int, confidence: float = CONFIDENCE
) -> float | None:
    """Fractional savings uncertainty: the half width over the saving's size; None where nothing was saved or wasted."""
    return error_of_sum(fit, expected, points, confidence) / abs(saving) if saving else None


def quantile(confidence: float, freedom: int) -> float:
    """Student's t, two-sided.

    >>> round(quantile(0.90, 9), 3)
    1.833
    """
    return float(stdtrit(freedom, (1 + confidence) / 2))


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest CV(RMSE) and the largest NMBE, either way, of a model that is accepted."""

    cv_rmse: float
    nmbe: float


LIMITS: Mapping[Step, Limits] = MappingProxyType(
    {
        "hour": Limits(0.30, 0.10),
        "day": Limits(0.25, 0.05),
        "month": Limits(0.15, 0.05),
    }
)
"""Hour and month: Guideline 14-2014, Whole-Building Calibrated Simulation Performance Path. It has none for days; there
25 % is what efficiency programmes ask of models from interval meters, and the bias is that of months."""


def unacceptable(fit: Fit, step: Step) -> tuple[Issue, ...]:
    """What keeps a model from being accepted; nothing where it is."""
    limits = LIMITS[step]
    found = []
    if not fit.cv_rmse <= limits.cv_rmse:
        text = f"CV(RMSE) is {fit.cv_rmse:.1%} by the {step}, above {limits.cv_rmse:.0%} (ASHRAE Guideline 14)"
        found.append(Issue(code="baseline.scatter", severity="warning", message=text))
    if not abs(fit.nmbe) <= limits.nmbe:
        text = f"NMBE is {fit.nmbe:+.1%} by the {step}, beyond {limits.nmbe:.0%} either way (ASHRAE Guideline 14)"
        found.append(Issue(code="baseline.bias", severity="warning", message=text))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sufficiency:
    """What a baseline must have seen before it may speak."""

    days: float = 42.0
    """Of usable data: six weeks, so that working weeks and a spell of weather are in them."""
    coverage: float = 0.90
    """Usable share of the steps from the first to the last usable one."""
    spans: Mapping[str, float] = field(default_factory=dict)
    """Of each driver, in its unit, from its 1st to its 99th percentile: outside what it has seen a model guesses."""
    year: float = 328.0
    """Usable days (90 % of a year) from which the spans no longer matter: the site has no wider ones."""


def shortages(usable: Mask, step: int, drivers: Mapping[str, Floats], rule: Sufficiency) -> tuple[Issue, ...]:
    """Why a baseline may not speak yet; nothing where it may. ``step`` is in microseconds.

    ``usable`` marks the steps with the target and every driver.
    """
    marked = np.flatnonzero(usable)
    days = len(marked) * step / DAY
    found = []
    if days < rule.days:
        found.append(_short("days", f"{days:.1f} days of usable data, {rule.days:g} are needed"))
    if len(marked) and (share := len(marked) / (marked[-1] - marked[0] + 1)) < rule.coverage:
        found.append(_short("coverage", f"{share:.0%} of the data are usable, {rule.coverage:.0%} are needed"))
    for name, least in rule.spans.items():
        if days >= rule.year or not len(marked):
            continue
        low, high = np.percentile(drivers[name][marked], (1, 99))
        if high - low < least:
            found.append(_short("span", f"{name} spans {high - low:.3g}, {least:g} are needed short of a whole year"))
    return tuple(found)


def _short(what: str, text: str) -> Issue:
    return Issue(code=f"baseline.{what}", severity="info", message=text)
