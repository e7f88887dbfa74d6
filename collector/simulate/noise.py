"""Repeatable randomness: noise is a pure function of (seed, channel, time), so it can be read at any place.

Nothing here depends on what was drawn before. A run therefore splits into pieces without a seam, and a healthy twin
meets the same weather and load as the faulty site that it is compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np

from wattwell.model import Float64, Int64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def each(function: Callable[[float], float], values: Float64) -> Float64:
    """``function`` of each element, one by one.

    NumPy's vector loops may round sine or exponential of one number differently by its place in the array; the C
    library does not, and only so are pieces of a run equal to the whole to the last bit.
    """
    return np.array([function(value) for value in values.tolist()], dtype=np.float64)


def uniform(seed: int, channel: str, index: Int64) -> Float64:
    """Numbers in [0, 1) by position: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) as a counter-based generator."""
    key = np.uint64(int.from_bytes(blake2b(f"{seed}:{channel}".encode(), digest_size=8).digest(), "little"))
    z = index.astype(np.uint64) * _GOLDEN + key
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) / 2.0**53


def _bell(seed: int, channel: str, index: Int64) -> Float64:
    """Near-normal numbers, mean 0, variance 1, within 3.5: the sum of four uniform ones (Irwin-Hall)."""
    total = uniform(seed, channel, 4 * index)
    for part in range(1, 4):
        total = total + uniform(seed, channel, 4 * index + part)
    standard: Float64 = (total - 2.0) * 3.0**0.5
    return standard


def drift(seed: int, channel: str, at: Int64, period: int) -> Float64:
    """Smooth noise of about unit variance whose knots lie ``period`` microseconds apart (value noise, cubic easing)."""
    knot = at // period
    part = (at - knot * period) / period
    first, ranks = int(knot[0]), np.arange(int(knot[0]), int(knot[-1]) + 2, dtype=np.int64)
    heights = _bell(seed, channel, ranks)
    left, right = heights[knot - first], heights[knot - first + 1]
    eased: Float64 = 1.16 * (left + (right - left) * (part * part * (3.0 - 2.0 * part)))
    return eased
