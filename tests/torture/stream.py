"""The numbered readings that the torture test sends, drawn from a seed, and the publisher that sends them at QoS 1."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from wattwell.intervals import SECOND

SITE = "torture"
UNITS_PER_KWH = 1000
"""Dials are counted in whole Wh, so that every expected amount is exact."""
_SHUFFLED = 40
"""Readings are sent out of order within so many."""
_REPEATED = 0.03
"""Share of the readings that are sent twice."""
_WAITING = 1000
"""Readings under way at most."""


@dataclass
class Dial:
    """A register that is read once a second: reading ``n`` stands at ``start + n`` seconds."""

    meter: str
    start: int
    """Microseconds UTC, on the grid."""
    steps: random.Random
    most: int
    """Largest step, Wh."""
    shows: list[int] = field(default_factory=list)
    """Wh by number, filled as far as it has been asked for."""

    def at(self, number: int) -> int:
        """Wh on the dial at a reading."""
        while len(self.shows) <= number:
            before = self.shows[-1] if self.shows else 1_000_000
            self.shows.append(before + self.steps.randrange(self.most + 1))
        return self.shows[number]


def dials(seed: int, start: int) -> list[Dial]:
    """A grid meter and two IT meters; in every second the grid may pass more than each of them."""
    limits = {"grid": 900, "it-a": 300, "it-b": 300}
    return [Dial(name, start, random.Random(f"{seed}/{name}"), most) for name, most in limits.items()]


def order(count: int, draw: random.Random, first: int = 0) -> Iterator[int]:
    """The numbers ``first`` to ``first + count - 1`` as they are sent: shuffled a little, some of them twice."""
    for block in range(first, first + count, _SHUFFLED):
        numbers = list(range(block, min(block + _SHUFFLED, first + count)))
        numbers += [number for number in numbers if draw.random() < _REPEATED]
        draw.shuffle(numbers)
        yield from numbers


@dataclass
class Publisher:
    """A client of its own, with a session that the broker keeps; paho sends again what was not acknowledged."""

    port: int
    dials: list[Dial]
    draw: random.Random
    published: int = 0
    """Messages, repetitions among them."""
    numbers: int = 0
    """Readings of each dial that have been sent."""
    acknowledged: int = 0
    """Messages that the broker has taken."""

    def __post_init__(self) -> None:
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id="torture-publisher", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.max_inflight_messages_set(100)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_publish = self._taken

    def connect(self) -> None:
        """Connects, and from then on connects again whenever it must."""
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self._client.connect("127.0.0.1", self.port, keepalive=5, clean_start=False, properties=session)
        self._client.loop_start()

    def send(self, count: int) -> None:
        """Sends the next ``count`` readings of every dial."""
        for number in order(count, self.draw, self.numbers):
            for dial in self.dials:
                self._publish(dial, number)
        self.numbers += count

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Sends in a thread of its own, now fast and now slowly, as long as the context lasts."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(self.draw.choice((0.02, 0.1, 0.3))):
                self.send(self.draw.choice((1, 5, 40)))

        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(work)
            try:
                yield
            finally:
                ended.set()
            done.result()

    def _publish(self, dial: Dial, number: int) -> None:
        at = dial.start + number * SECOND
        payload = json.dumps({"time": at // 1000, "value": dial.at(number)})
        self._client.publish(f"plant/{dial.meter}", payload, qos=1)  # without a connection it waits for the next one
        self.published += 1
        if self.published - self.acknowledged >= _WAITING:
            self.settle(_WAITING // 2)

    def _taken(self, *_event: object) -> None:
        self.acknowledged += 1

    def settle(self, left: int = 0, seconds: float = 120.0) -> None:
        """Waits until the broker has acknowledged all but ``left`` messages."""
        deadline = time.monotonic() + seconds
        while (waiting := self.published - self.acknowledged) > left:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{waiting} messages are still not acknowledged by the broker")
            time.sleep(0.01)

    def close(self) -> None:
        """Leaves the broker."""
        self._client.disconnect()
        self._client.loop_stop()
