"""Changes in a standardised residual: when one is there (CUSUM) and when it began (generalised likelihood ratio).

Everything here takes residuals ``z``, (actual - expected) / scale, as a float column in which NaN is missing, and
refers to samples by their index. A missing or excluded sample says nothing: it neither raises nor lowers a sum.

Sources: E. S. Page, Continuous inspection schemes, Biometrika 41 (1954); D. C. Montgomery, Introduction to Statistical
Quality Control, ch. 9 (tabular CUSUM, start of a shift); M. Basseville and I. Nikiforov, Detection of Abrupt Changes
(1993), 2.4 and 2.6 (likelihood ratio with unknown size and time of change).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Kind = Literal["step", "ramp"]

_NORMAL_MAD = 1.482602218505602
"""Standard deviation of a normal distribution over its median absolute deviation, 1 / Phi^-1(3/4)."""
_NORMAL_MEAN = math.sqrt(math.pi / 2)
"""The same over its mean absolute deviation."""
_LEVEL = 1e-12
"""Share of the magnitude below which a spread is rounding."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A sum left zero at ``onset`` and exceeded its limit at ``detected``; ``sign`` is +1 upwards, -1 downwards."""

    onset: int
    detected: int
    sign: int


@dataclass(frozen=True, slots=True)
class CusumState:
    """What a CUSUM remembers between two runs; indices count from the first sample ever seen."""

    seen: int = 0
    high: float = 0.0
    low: float = 0.0
    high_since: int = -1
    """Index at which ``high`` left zero; -1 while it is zero."""
    low_since: int = -1


@dataclass(frozen=True, slots=True)
class Cusum:
    """Sums after each sample (``low`` counts downwards changes and is positive too), alarms, and the state to go on."""

    high: Floats
    low: Floats
    alarms: tuple[Alarm, ...]
    state: CusumState


def cusum(
    z: Floats,
    k: float,
    h: float,
    mask: Mask | None = None,
    *,
    sides: Literal["both", "up", "down"] = "both",
    state: CusumState | None = None,
) -> Cusum:
    """Tabular CUSUM: C+ = max(0, C+ + z - k), C- = max(0, C- - z - k); above ``h`` it alarms and both start at zero.

    ``k`` is half the change to be found, ``h`` the decision interval, both in standard deviations (0.5 and 5 find one
    standard deviation in 10.4 samples on average, and cry wolf every 465). Where ``mask`` is true, and where ``z`` is
    missing, the sums are held. Fed in pieces with the ``state`` of the piece before, it gives bit for bit what it gives
    in one go.

    >>> cusum(np.array([0.2, 0.0, 3.0, 3.0, 3.0]), 0.5, 5).alarms
    (Alarm(onset=2, detected=4, sign=1),)
    """
    state = state or CusumState()
    count = len(z)
    high, low, up_since, down_since = state.high, state.low, state.high_since, state.low_since
    up = k if sides != "down" else math.inf
    down = k if sides != "up" else math.inf
    highs, lows = [high] * count, [low] * count
    alarms: list[Alarm] = []
    values = (z if mask is None else np.where(mask, np.nan, z)).tolist()
    for at, value in enumerate(values):
        if math.isfinite(value):
            high += value - up
            if high <= 0.0:
                high, up_since = 0.0, -1
            elif up_since < 0:
                up_since = state.seen + at
            low -= value + down
            if low <= 0.0:
                low, down_since = 0.0, -1
            elif down_since < 0:
                down_since = state.seen + at
        highs[at], lows[at] = high, low
        if high > h or low > h:
            sign, since = (1, up_since) if high >= low else (-1, down_since)
            alarms.append(Alarm(since, state.seen + at, sign))
            high, low, up_since, down_since = 0.0, 0.0, -1, -1
    after = CusumState(state.seen + count, high, low, up_since, down_since)
    return Cusum(np.array(highs, dtype=np.float64), np.array(lows, dtype=np.float64), tuple(alarms), after)


def robust_scale(x: Floats) -> tuple[float, float]:
    """Median, and the standard deviation that a normal distribution with this median absolute deviation has.

    Where more than half of the values are equal the mean absolute deviation stands in; the scale is 0 only for a
    constant. Missing values are left out; NaN, NaN where nothing is left.

    >>> robust_scale(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))
    (3.0, 1.482602218505602)
    """
    known = x[np.isfinite(x)]
    if not len(known):
        return math.nan, math.nan
    centre = float(np.median(known))
    apart = np.abs(known - centre)
    scale = _NORMAL_MAD * float(np.median(apart)) or _NORMAL_MEAN * float(np.mean(apart))
    return centre, scale if scale > _LEVEL * abs(centre) else 0.0


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """The change that explains a stretch best.

    ``size`` is the step, or of a ramp the slope per sample; ``gain`` the squares that it explains beyond a constant,
    in squared standard deviations: twice the log likelihood ratio, 2 GLR.
    """

    at: int
    """Index of the first changed sample."""
    kind: Kind
    size: float
    gain: float


def change_point(z: Floats, a: int, b: int, *, kind: Kind | Literal["either"] = "either") -> ChangePoint | None:
    """Most likely onset of one change within [a, b) by least squares; None with fewer than three known samples.

    A step is a mean before and another after, a ramp a mean that begins to move steadily; neither the mean nor the size
    is known. Among all onsets the one is taken that leaves the smallest sum of squares, the step where both do as well.

    >>> change_point(np.array([0.0, 0.0, 0.0, 2.0, 2.0, 2.0]), 0, 6)
    ChangePoint(at=3, kind='step', size=2.0, gain=6.0)
    """
    at = a + np.flatnonzero(np.isfinite(z[a:b]))
    if len(at) < 3:
        return None
    y = z[at] - np.mean(z[at])
    found = []
    if kind != "ramp":
        found.append(_step(at, y))
    if kind != "step":
        found.append(_ramp(at, y))
    return max(found, key=lambda change: change.gain)


def _step(at: NDArray[np.intp], y: Floats) -> ChangePoint:
    """Onset that maximises n_before n_after / n (mean_after - mean_before)^2; ``y`` sums to zero."""
    count = len(y)
    before = np.arange(1, count)
    sums = np.cumsum(y)[:-1]
    gain = sums**2 * count / (before * (count - before))
    best = int(np.argmax(gain))
    size = -sums[best] * count / (before[best] * (count - before[best]))
    return ChangePoint(int(at[best + 1]), "step", float(size), float(gain[best]))


def _ramp(at: NDArray[np.intp], y: Floats) -> ChangePoint:
    """Onset t that maximises <y, r>^2 / <r, r> with r = max(0, i - t + 1) less its mean: 1 at t, 2 at t + 1, ..."""
    time = (at - at[0]).astype(np.float64)
    tail = [np.cumsum(column[::-1])[::-1][1:] for column in (np.ones_like(y), time, time**2, y, y * time)]
    n, t1, t2, y0, y1 = tail
    zero = time[1:] - 1.0
    sum_r = t1 - n * zero
    sum_rr = t2 - 2 * zero * t1 + n * zero**2 - sum_r**2 / len(y)
    sum_yr = y1 - zero * y0
    gain = sum_yr**2 / sum_rr
    best = int(np.argmax(gain))
    return ChangePoint(int(at[best + 1]), "ramp", float(sum_yr[best] / sum_rr[best]), float(gain[best]))
