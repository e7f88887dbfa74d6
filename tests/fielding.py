"""Messages as field devices send them, taken all the way: decoded, judged, and made into energy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.fold import MeterFold
from collector.dialects.base import Message
from tests.collecting import live, meter
from wattwell.intervals import MINUTE, SECOND, iso, parse_iso
from wattwell.model import Meter, MeterEvent, Reject, Source


def bound(decoder: str, topic: str, value: str = "", time: str | None = "time", **changes: Any) -> Meter:
    """A register of energy in kWh (unless said otherwise) that listens on a topic in a dialect."""
    source = Source(topic=topic, decoder=decoder, value=value, time=time)
    fields: dict[str, Any] = {"max_rate": 100.0, "source": source}
    return meter(**(fields | changes))


def rate(decoder: str, topic: str, value: str = "", quantity: str = "power", **changes: Any) -> Meter:
    """An instantaneous meter that listens on a topic in a dialect."""
    return bound(decoder, topic, value, quantity=quantity, accumulation="instantaneous", max_rate=None, **changes)


def sent(topic: str, payload: object, at: str | int, *, retained: bool = False) -> Message:
    """A message that arrives at a time: text as it is, anything else as JSON."""
    data = payload if isinstance(payload, bytes) else (payload if isinstance(payload, str) else json.dumps(payload))
    arrival = parse_iso(at) if isinstance(at, str) else at
    return Message(topic, data.encode() if isinstance(data, str) else data, retained, arrival)


def read(messages: Sequence[Message], meters: Sequence[Meter], zone: str = "UTC") -> list[tuple[str, str, float]]:
    """(meter, time, value in the meter's unit) of each accepted reading."""
    readings = live(messages, meters, zone=zone).readings
    rows = zip(readings.meter.tolist(), readings.at.tolist(), readings.value.tolist(), strict=True)
    return [(readings.keys[m][1], iso(t), v) for m, t, v in rows if not np.isnan(v)]


def refused(messages: Sequence[Message], meters: Sequence[Meter], zone: str = "UTC") -> list[tuple[str, str | None]]:
    """(reason, what was sent) of each reject."""
    return [(one.reason, one.value) for one in live(messages, meters, zone=zone).rejects]


@dataclass(frozen=True)
class Outcome:
    """What a stream books."""

    total: float
    """kWh or L."""
    events: list[MeterEvent]
    rejects: list[Reject]

    def told(self) -> list[tuple[str, float | None, float | None, float, str]]:
        """(event, before, after, booked, state) of each event."""
        return [(e.event, e.before, e.after, e.booked, e.state) for e in self.events]


def booked(messages: Sequence[Message], one: Meter, zone: str = "UTC") -> Outcome:
    """What METERING books of the messages for one meter."""
    found = live(messages, [one], zone=zone)
    order = np.argsort(found.readings.at, kind="stable")
    fold = MeterFold(one, MINUTE)
    fold.feed(found.readings.at[order], found.readings.value[order])
    values = fold.take_rest()
    return Outcome(float(values.value.sum()), fold.take_events(), found.rejects)


def minutes(start: str, count: int) -> list[int]:
    """Arrival times a minute apart."""
    first = parse_iso(start)
    return [first + step * MINUTE for step in range(count)]


def unix(instant: int, fraction: float = 0.0) -> float:
    """Seconds since 1970 as a device writes them."""
    return instant // SECOND + fraction
