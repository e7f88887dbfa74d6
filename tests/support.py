"""Builders that tests share: meters, readings, and a little language for series of dials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analytics.fold import MeterFold
from analytics.segments import FoldState
from wattwell.intervals import MINUTE, SECOND, Interval, parse_iso
from wattwell.model import Accumulation, Correction, IntervalValues, Meter, MeterEvent, MeterKey, Readings
from wattwell.units import QuantityKind

T0 = parse_iso("2026-01-01T00:00:00Z")
EVER = Interval(-(2**62), 2**62)
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Public telemetry with known truth, where a checkout has it beside it."""


def a_meter(**changes: Any) -> Meter:
    """An energy register in kWh of at most 6000 kW, unless said otherwise."""
    fields: dict[str, Any] = {
        "id": "m",
        "site": "s",
        "quantity": QuantityKind.ENERGY,
        "accumulation": Accumulation.REGISTER,
        "unit": "kWh",
        "max_rate": 6000.0,
        "period": 60 * SECOND,
        "max_gap": 5 * MINUTE,
        "sentinels": (),
        "in_service": EVER,
    }
    return Meter(**(fields | changes))


def series(text: str, start: int = T0, step: int = MINUTE) -> tuple[np.ndarray, np.ndarray]:
    """Times and values of ``"5 7+2x3 _ nan @120m 9"``: one a step; ``a+bx3`` counts on 3 times; ``_`` skips a step;
    ``@120m`` goes to 120 minutes after the start; ``nan`` is a reading rejected for its value."""
    at, values, now = [], [], start
    for word in text.split():
        if word == "_":
            now += step
        elif word.startswith("@"):
            now = start + round(float(word[1:-1]) * MINUTE)
        else:
            first, times, by = word, 0, 0.0
            if "x" in word:
                first, count = word.split("x")
                first, increment = first.rsplit("+", 1)
                times, by = int(count), float(increment)
            for turn in range(times + 1):
                at.append(now)
                values.append(float(first) + turn * by)
                now += step
    return np.array(at, dtype=np.int64), np.array(values, dtype=np.float64)


def folded(
    meter: Meter, text: str, *, grid: int = MINUTE, corrections: Sequence[Correction] = ()
) -> tuple[IntervalValues, tuple[MeterEvent, ...]]:
    """Interval values and events of a written series."""
    fold = MeterFold(meter, grid, corrections, FoldState())
    fold.feed(*series(text))
    return fold.take_rest(), fold.take_events()


def readings_of(
    rows: Iterable[tuple[MeterKey, int, float]], received_at: int = T0, keys: Sequence[MeterKey] = ()
) -> Readings:
    """Readings from (key, time, value) rows, in order of arrival."""
    rows = list(rows)
    known = list(dict.fromkeys([*keys, *(key for key, _, _ in rows)]))
    return Readings(
        keys=tuple(known),
        meter=np.array([known.index(key) for key, _, _ in rows], dtype=np.int32),
        at=np.array([at for _, at, _ in rows], dtype=np.int64),
        received_at=np.full(len(rows), received_at, dtype=np.int64),
        value=np.array([value for _, _, value in rows], dtype=np.float64),
        arrival_time=np.zeros(len(rows), dtype=np.bool_),
    )
