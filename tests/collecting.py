"""What the collector's tests share: small configurations, messages, and a store in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from collector.decoders import decode
from collector.dialects.base import Message
from collector.ingest import Ingestor
from collector.normalise import MeterTable, Normalised, normalise
from collector.points import PointsBuilder
from collector.topics import Router
from wattwell.config.settings import Config, HttpSettings, MqttSettings, StoreSettings
from wattwell.errors import StoreError
from wattwell.intervals import DAY, MINUTE, SECOND, Interval, parse_iso
from wattwell.model import Accumulation, Meter, MeterKey, Readings, Reject, Site
from wattwell.store.protocol import Committed
from wattwell.units import CANONICAL, QuantityKind

NOW = parse_iso("2026-03-29T01:00:00Z")
LATE = 31 * DAY
SENTINELS = (65535.0, 4294967295.0, 32768.0, -32768.0)


def meter(id: str = "grid-a", quantity: str = "energy", accumulation: str = "register", **changes: Any) -> Meter:
    """A meter of site ``s`` in the canonical unit of its quantity, unless said otherwise."""
    kind = QuantityKind(quantity)
    fields: dict[str, Any] = {
        "id": id,
        "site": "s",
        "quantity": kind,
        "accumulation": Accumulation(accumulation),
        "unit": CANONICAL[kind],
        "period": 60 * SECOND,
        "max_gap": 5 * MINUTE,
        "sentinels": SENTINELS,
        "in_service": Interval(-(2**62), 2**62),
    }
    return Meter(**(fields | changes))


def site(meters: Sequence[Meter], id: str = "s", zone: str = "UTC") -> Site:
    """A site of these meters."""
    return Site(
        id=id,
        name=id,
        zone=zone,
        pue_category=1,
        it_power_kw=None,
        fiscal_year_start=1,
        wue_numerator="total_input",
        targets={},
        limits=(),
        prices=None,
        factors={},
        certificates=None,
        meters={one.id: one for one in meters},
    )


def config(*sites: Site) -> Config:
    """A configuration of these sites."""
    return Config(
        base=Path(),
        store=StoreSettings(url="duckdb:wattwell.duckdb", path=None),
        mqtt=None,
        http=HttpSettings(host="127.0.0.1", port=0, token_file=None),
        grid=15 * MINUTE,
        late=LATE,
        full=0.9,
        provisional=0.5,
        sites={one.id: one for one in sites},
        rules=(),
        notify=(),
    )


def mqtt_settings(port: int, **changes: Any) -> MqttSettings:
    """How to reach a broker on this machine."""
    fields: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "tls": None,
        "client_id": "wattwell-test",
        "username": None,
        "password_file": None,
        "subscribe": (),
    }
    return MqttSettings(**(fields | changes))


def message(payload: str | bytes, topic: str = "wattwell/s/grid-a", *, retained: bool = False) -> Message:
    """A message that arrives at NOW."""
    return Message(topic, payload.encode() if isinstance(payload, str) else payload, retained, NOW)


def take(ingestor: Ingestor, messages: Sequence[Message]) -> None:
    """Ingests a batch that must not be refused."""
    assert ingestor.ingest(messages, lambda _: True), ingestor.stats().store_error


def live(
    messages: Sequence[Message], meters: Sequence[Meter], late: int | None = LATE, zone: str = "UTC"
) -> Normalised:
    """What the live path makes of messages on topics that are bound to a meter of a site in a zone."""
    sites = [site(meters, zone=zone)]
    table = MeterTable.of(sites)
    router = Router(sites, table)
    out = PointsBuilder()
    rejects: list[Reject] = []
    for one in messages:
        route = router.route(one.topic)
        assert route is not None, one.topic
        if reject := decode(one, route, out):
            rejects.append(reject)
    judged = normalise(out.build(), table, late)
    return Normalised(judged.readings, rejects + judged.rejects)


def rows(readings: Readings) -> list[tuple[str, int, float | None]]:
    """(meter, time, value) of each reading, None for NaN."""
    return [
        (readings.keys[m][1], t, None if np.isnan(v) else v)
        for m, t, v in zip(readings.meter.tolist(), readings.at.tolist(), readings.value.tolist(), strict=True)
    ]


class MemoryStore:
    """The part of a ReadingStore that the collector writes to; refuses while told to."""

    def __init__(self, before_commit: Callable[[], None] = lambda: None) -> None:
        self.readings: dict[tuple[MeterKey, int], float] = {}
        self.rejects: list[Reject] = []
        self.states: dict[str, str] = {}
        self.commits = 0
        self.attempts = 0
        self.refusals: list[str] = []
        self.before_commit = before_commit

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Keeps everything, or raises what ``refusals`` holds next."""
        self.attempts += 1
        self.before_commit()
        if self.refusals:
            raise StoreError(self.refusals.pop(0))
        before = len(self.readings)
        for m, t, v in zip(readings.meter.tolist(), readings.at.tolist(), readings.value.tolist(), strict=True):
            self.readings[readings.keys[m], t] = v
        self.rejects.extend(rejects)
        self.commits += 1
        added = len(self.readings) - before
        return Committed(added=added, repeated=len(readings) - added, rejects=tuple(rejects))

    def last_readings(self) -> Mapping[MeterKey, int]:
        """Time of the latest reading of each meter."""
        found: dict[MeterKey, int] = {}
        for key, at in self.readings:
            found[key] = max(at, found.get(key, at))
        return found

    def load_state(self, name: str) -> str | None:
        """A named document."""
        return self.states.get(name)

    def save_states(self, documents: Mapping[str, str]) -> None:
        """Keeps named documents."""
        self.states.update(documents)

    def values(self, name: str) -> list[float]:
        """Values of one meter of site ``s``, by time."""
        return [value for (key, _), value in sorted(self.readings.items(), key=lambda kv: kv[0][1]) if key[1] == name]
