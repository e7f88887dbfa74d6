"""Decoded readings as columns, before any rule has judged them. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from collector.scalars import BAD_QUALITY, NUMBER, number_of
from wattwell.model import Bool, Float64, Int64

UNKNOWN = -1
"""Position of a point that is no meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """What was sent, as columns of equal length in order of arrival."""

    meter: Int64
    """Position in the meter table; UNKNOWN for a point that is no meter."""
    at: Int64
    """Device time, microseconds UTC; from arrival where ``clock`` is ABSENT (mostly 0), 0 where it is UNREADABLE."""
    clock: NDArray[np.int8]
    """DEVICE, ABSENT or UNREADABLE."""
    received_at: Int64
    """Arrival time, microseconds UTC."""
    retained: Bool
    """Kept by the broker from an earlier time."""
    value: Float64
    """The number as sent."""
    form: NDArray[np.int8]
    """NUMBER, NOT_A_NUMBER, TOO_LARGE or BAD_QUALITY."""
    unit: Int64
    """Position in ``units``; 0 where no unit was sent."""
    units: tuple[str, ...]
    """Units that were sent; the first is empty and stands for the meter's own."""
    raw: Sequence[object]
    """The value as it stood in the message."""
    names: Mapping[int, tuple[str | None, str | None]] = field(default_factory=dict)
    """Site and point name by row, of the unknown ones."""
    topics: Sequence[str] | None = None
    """MQTT topic by row; None for a file."""

    def __len__(self) -> int:
        return len(self.meter)


class PointsBuilder:
    """Collects the points of many messages; columns of a message are stored once and repeated at the end."""

    def __init__(self) -> None:
        self._meter: list[int] = []
        self._at: list[int] = []
        self._clock: list[int] = []
        self._value: list[float] = []
        self._form: list[int] = []
        self._unit: list[int] = []
        self._raw: list[object] = []
        self._units: dict[str, int] = {"": 0}
        self._names: dict[int, tuple[str | None, str | None]] = {}
        self._messages: list[tuple[int, str, int, bool]] = []

    def __len__(self) -> int:
        return len(self._meter)

    def message(self, topic: str, received_at: int, *, retained: bool) -> None:
        """Begins a message; the points added until the next call belong to it."""
        self._messages.append((len(self._meter), topic, received_at, retained))

    def add(self, meter: int, time: tuple[int, int], raw: object, unit: object = None) -> None:
        """Adds one point: time and state as of ``scalars.time_of``, value and unit as they stood in the message."""
        value, form = (raw, 0) if type(raw) is float and raw - raw == 0.0 else number_of(raw)
        self._meter.append(meter)
        self._at.append(time[0])
        self._clock.append(time[1])
        self._value.append(value)
        self._form.append(form)
        self._raw.append(raw)
        self._unit.append(self._unit_code(unit) if unit else 0)

    def add_numbers(self, meters: Sequence[int], time: tuple[int, int], raws: Sequence[float]) -> bool:
        """Adds a point for each meter, all of one time and in the meters' own units, as :meth:`add` would.

        Only finite numbers as JSON has them; False where one is none, and then nothing is added.
        """
        if not {float, int}.issuperset(map(type, raws)):
            return False
        values = list(map(float, raws))
        if not all(map(math.isfinite, values)):
            return False
        count = len(values)
        self._meter += meters
        self._at += [time[0]] * count
        self._clock += [time[1]] * count
        self._value += values
        self._form += [NUMBER] * count
        self._raw += raws
        self._unit += [0] * count
        return True

    def add_bad(self, meter: int, time: tuple[int, int], raw: object) -> None:
        """Adds a point of which its device says that the value is not good."""
        self.add(meter, time, raw)
        self._value[-1], self._form[-1] = math.nan, BAD_QUALITY

    def add_unknown(self, site: str | None, name: str, time: tuple[int, int], raw: object) -> None:
        """Adds a point that is no meter of the site."""
        self._names[len(self._meter)] = (site, name)
        self.add(UNKNOWN, time, raw)

    def _unit_code(self, unit: object) -> int:
        # Whatever is not text is no unit, and must not read as the unit "1".
        name = unit if isinstance(unit, str) else f"({type(unit).__name__})"
        return self._units.setdefault(name, len(self._units))

    def build(self) -> Points:
        """Everything added so far, as columns."""
        starts = np.array([start for start, *_ in self._messages], dtype=np.int64)
        counts = np.diff(starts, append=len(self._meter))
        row = np.repeat(np.arange(len(starts)), counts)
        topics = [topic for _, topic, _, _ in self._messages]
        received = np.array([received for _, _, received, _ in self._messages], dtype=np.int64)
        retained = np.array([kept for *_, kept in self._messages], dtype=np.bool_)
        return Points(
            meter=np.array(self._meter, dtype=np.int64),
            at=np.array(self._at, dtype=np.int64),
            clock=np.array(self._clock, dtype=np.int8),
            received_at=received[row],
            retained=retained[row],
            value=np.array(self._value, dtype=np.float64),
            form=np.array(self._form, dtype=np.int8),
            unit=np.array(self._unit, dtype=np.int64),
            units=tuple(self._units),
            raw=self._raw,
            names=self._names,
            topics=[topics[position] for position in row.tolist()],
        )
