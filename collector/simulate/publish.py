"""Telemetry over MQTT on the default topic: ``wattwell/SITE``, one time for many meters, QoS 1.

Delivery is at least once: after a reconnect paho sends again what was not acknowledged, and the collector takes the
same reading twice as one.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from collector.simulate.simulator import Simulator, Telemetry
from wattwell.errors import ServiceUnavailable, UsageError
from wattwell.intervals import SECOND, iso
from wattwell.trust import verifying_context

_OUTSTANDING = 200
"""Messages sent ahead of their acknowledgement."""
_AHEAD_US = 60 * SECOND
"""Simulated time computed at once; an injected fault shows after at most this."""


_PROTOCOLS = {"5": mqtt.MQTTv5, "3.1.1": mqtt.MQTTv311}


class Link(Protocol):
    """Where messages go; :class:`Connection` is the real one."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Sends a message with QoS 1, or keeps it until the connection is back."""

    def settle(self, at_most: int) -> None:
        """Waits until no more than that many messages lack an acknowledgement; ServiceUnavailable if it takes long."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast simulated time passes, and by whose clock."""

    speed: float
    """Simulated seconds by second; 0: as fast as the broker takes it."""
    clock: Callable[[], float]
    """Monotonic seconds."""
    sleep: Callable[[float], object]
    """Waits that many seconds; ``Event.wait`` of the stop event makes the wait end at once."""


def messages(telemetry: Telemetry) -> Iterator[tuple[int, str, bytes]]:
    """(device time, topic, payload) of each row."""
    topic = f"wattwell/{telemetry.site}"
    meters = list(telemetry.values)
    columns = [column.tolist() for column in telemetry.values.values()]
    for at, *values in zip(telemetry.at.tolist(), *columns, strict=True):
        document = {"time": iso(at), "values": dict(zip(meters, values, strict=True))}
        yield at, topic, json.dumps(document, separators=(",", ":")).encode()


def publish(simulator: Simulator, link: Link, *, steps: int | None, pace: Pace, stop: threading.Event) -> int:
    """Publishes the next ``steps`` rows (None: without end) at a pace until ``stop`` is set; returns the rows sent.

    Every row counted is acknowledged by the broker, or ServiceUnavailable is raised. With speed 1 a row leaves when
    its device time comes, counted from the first row.
    """
    began, first, rows = pace.clock(), simulator.now, 0
    while not stop.is_set() and (steps is None or rows < steps):
        ahead = max(1, _AHEAD_US // simulator.step_us)
        telemetry, _ = simulator.advance(ahead if steps is None else min(ahead, steps - rows))
        for at, topic, payload in messages(telemetry):
            _wait_until(began, at - first, pace, stop)
            if stop.is_set():
                break
            link.publish(topic, payload)
            rows += 1
            link.settle(_OUTSTANDING)
    link.settle(0)
    return rows


def _wait_until(began: float, elapsed_us: int, pace: Pace, stop: threading.Event) -> None:
    if pace.speed <= 0:
        return
    due = began + elapsed_us / SECOND / pace.speed
    while not stop.is_set() and (left := due - pace.clock()) > 0:
        pace.sleep(left)


@dataclass(frozen=True, slots=True)
class Broker:
    """Address of a broker."""

    host: str
    port: int
    tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_broker(url: str) -> Broker:
    """The broker of an ``mqtt://[USER:PASSWORD@]HOST[:PORT]`` or ``mqtts://`` URL; UsageError for any other text."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"broker address {url!r} is no URL ({error}); write mqtt://HOST:1883") from error
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise UsageError(f"broker address {url!r} is not understood; write mqtt://HOST:1883 or mqtts://HOST:8883")
    tls = parts.scheme == "mqtts"
    secret = None if parts.password is None else unquote(parts.password)
    user = None if parts.username is None else unquote(parts.username)
    return Broker(parts.hostname, port or (8883 if tls else 1883), tls, user, secret)


class Connection:
    """A connected paho client as a context manager; it reconnects by itself until it is left."""

    def __init__(self, broker: Broker, *, client_id: str, timeout: float = 20.0, version: str = "5") -> None:
        """``timeout`` is how many seconds the broker may take to answer, and between acknowledgements.

        ``version`` is the MQTT version, ``5`` or ``3.1.1``.
        """
        self._timeout = timeout
        self._broker = broker
        self._where = f"the MQTT broker at {broker.host}:{broker.port}"
        self._answered = threading.Event()
        self._refusal: str | None = None
        self._moved = threading.Condition()
        self._sent = 0
        self._acknowledged = 0
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=_PROTOCOLS[version])
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.connect_timeout = timeout
        if broker.username is not None:
            self._client.username_pw_set(broker.username, broker.password)

    def __enter__(self) -> Connection:
        """Connects; ServiceUnavailable when the broker is absent, silent or refuses."""
        if self._broker.tls:
            self._client.tls_set_context(verifying_context())
        try:
            self._client.connect(self._broker.host, self._broker.port)
        except OSError as error:
            raise ServiceUnavailable(
                f"{self._where} does not answer ({error}); start it or correct the address"
            ) from error
        self._client.loop_start()
        if not self._answered.wait(self._timeout):
            self._leave()
            raise ServiceUnavailable(f"{self._where} says nothing for {self._timeout:g} s; check that it speaks MQTT 5")
        if self._refusal is not None:
            self._leave()
            raise ServiceUnavailable(f"{self._where} refuses us ({self._refusal}); check user name and password")
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def publish(self, topic: str, payload: bytes) -> None:
        """Sends a message with QoS 1, or keeps it until the connection is back."""
        self._sent += 1
        self._client.publish(topic, payload, qos=1)

    def settle(self, at_most: int) -> None:
        """Waits until no more than ``at_most`` messages lack an acknowledgement.

        ServiceUnavailable when none comes within the time-out, or when the broker refuses a message.
        """
        with self._moved:
            while self._refusal is None and self._sent - self._acknowledged > at_most:
                before = self._acknowledged
                if not self._moved.wait_for(lambda seen=before: self._acknowledged != seen, self._timeout):  # type: ignore[misc]
                    raise ServiceUnavailable(
                        f"{self._where} acknowledges nothing for {self._timeout:g} s; check that it is up and well"
                    )
        if self._refusal is not None:
            raise ServiceUnavailable(
                f"{self._where} refuses what we send ({self._refusal}); let this user publish on wattwell/#"
            )

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: mqtt.Client, userdata: object, flags: mqtt.ConnectFlags, reason: ReasonCode, properties: object
    ) -> None:
        del client, userdata, flags, properties
        self._refusal = str(reason) if reason.is_failure else None
        self._answered.set()

    def _on_publish(
        self, client: mqtt.Client, userdata: object, mid: int, reason: ReasonCode, properties: object
    ) -> None:
        del client, userdata, mid, properties
        with self._moved:
            if reason.is_failure:
                self._refusal = str(reason)
            self._acknowledged += 1
            self._moved.notify_all()
