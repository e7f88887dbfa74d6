"""Novelty in one stream without drivers and without training: what goes beyond anything the stream has done lately.

Three aspects are followed: the value against its running median, its step, and a short mean against its running median
(a shift too small to be seen in single values). Each deviation is measured by the tail of its own history, so that a
score of 1 is the deviation that one sample in a thousand reaches, whatever the unit and the distribution. Only the
first of a burst is told.

For streams that a model of expected behaviour does not cover (IT load, sensors). It answers "something new happens
here", not for how long: that is :mod:`analytics.anomaly.level`.

Sources: V. Chandola et al., Anomaly Detection: A Survey, ACM Computing Surveys 41 (2009), 7 (non-parametric tails);
S. Ahmad et al., Unsupervised real-time anomaly detection for streaming data, Neurocomputing 262 (2017) (probation,
likelihood of a score against its own history).
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable

import numpy as np

from analytics.anomaly.change import Floats

NOVEL = 1.1
"""Score from which a sample is an anomaly."""
_RARE = 0.001
"""Share of the samples that lie beyond a score of 1."""
_SHORT, _QUIET, _REFERENCE, _TAIL = 1 / 15, 0.3, 4, 8
"""Spans in warm-ups: of the short mean, of the silence after a burst, and of the two histories."""
_ROUNDING = 1e-9
"""Share of the usual value that is no deviation."""


class NoveltyDetector:
    """Scores one stream sample by sample; holds some 25 numbers for each of the ``warmup`` samples."""

    def __init__(self, warmup: int) -> None:
        """``warmup``: samples in which the usual is expected to be seen, some days; nothing is told before."""
        if warmup < 20:
            raise ValueError(f"warmup is {warmup} samples, which shows nothing usual: give 20 or more, best some days")
        self._warmup = warmup
        self._seen = 0
        self._last = math.nan
        self._recent: deque[float] = deque(maxlen=max(2, round(warmup * _SHORT)))
        self._value = _Deviation(warmup)
        self._mean = _Deviation(warmup)
        self._step = _Tail(_TAIL * warmup, warmup // 2)
        self._burst = _Highest(int(_QUIET * warmup))

    def push(self, value: float) -> float:
        """Score of the next sample, 0 where nothing is told: below ``warmup``, missing, or lower than a recent one.

        A missing value (NaN) leaves everything as it is.
        """
        if not math.isfinite(value):
            return 0.0
        self._recent.append(value)
        self._seen += 1
        usual = abs(self._value.usual())
        step = 0.0 if math.isnan(self._last) else abs(value - self._last)
        self._last = value
        score = max(
            self._value.push(value, usual),
            self._mean.push(math.fsum(self._recent) / len(self._recent), usual),
            self._step.push(step, usual),
        )
        highest = self._burst.push(score)
        return score if score > highest and self._seen > self._warmup else 0.0


def novelty(values: Iterable[float], warmup: int) -> Floats:
    """Scores of a whole column; those of its beginning do not depend on what follows."""
    detector = NoveltyDetector(warmup)
    return np.array([detector.push(value) for value in values], dtype=np.float64)


class _Window:
    """The last values of a sequence, sorted."""

    def __init__(self, span: int) -> None:
        self._span = span
        self._order: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def push(self, value: float) -> None:
        self._order.append(value)
        insort(self._sorted, value)
        if len(self._order) > self._span:
            del self._sorted[bisect_left(self._sorted, self._order.popleft())]

    def quantile(self, share: float) -> float:
        place = share * (len(self._sorted) - 1)
        below = int(place)
        above = min(below + 1, len(self._sorted) - 1)
        return self._sorted[below] + (place - below) * (self._sorted[above] - self._sorted[below])


class _Tail:
    """Deviations in units of what one in a thousand of those before reached."""

    def __init__(self, span: int, least: int) -> None:
        self._before = _Window(span)
        self._least = least

    def push(self, deviation: float, usual: float) -> float:
        score = 0.0
        if len(self._before) >= self._least:
            middle = self._before.quantile(0.5)
            scale = self._before.quantile(1 - _RARE) - middle + _ROUNDING * usual
            score = (deviation - middle) / scale if scale > 0 else math.inf if deviation > middle else 0.0
        self._before.push(deviation)
        return max(score, 0.0)


class _Deviation:
    """Distance from the median of the values before."""

    def __init__(self, warmup: int) -> None:
        self._before = _Window(_REFERENCE * warmup)
        self._least = warmup // 2
        self._tail = _Tail(_TAIL * warmup, warmup // 4)

    def usual(self) -> float:
        return self._before.quantile(0.5) if len(self._before) else 0.0

    def push(self, value: float, usual: float) -> float:
        score = 0.0
        if len(self._before) >= self._least:
            score = self._tail.push(abs(value - self.usual()), usual)
        self._before.push(value)
        return score


class _Highest:
    """The highest of the last scores."""

    def __init__(self, span: int) -> None:
        self._span = span
        self._at = 0
        self._falling: deque[tuple[int, float]] = deque()

    def push(self, score: float) -> float:
        """Take in a score; returns the highest before it."""
        while self._falling and self._falling[0][0] < self._at - self._span:
            self._falling.popleft()
        highest = self._falling[0][1] if self._falling else 0.0
        while self._falling and self._falling[-1][1] <= score:
            self._falling.pop()
        self._falling.append((self._at, score))
        self._at += 1
        return highest
