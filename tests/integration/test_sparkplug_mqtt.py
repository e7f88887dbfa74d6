"""An edge node and the collector on a real mosquitto: births on request, aliases over restarts, no right to publish."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.dialects.sparkplug import metric_names
from collector.ingest import Ingestor
from collector.mqtt import MqttCollector, Permission
from tests.collecting import MemoryStore, config, meter, mqtt_settings, site
from tests.integration.test_collector_mqtt import now
from tests.servers import Mosquitto, mosquitto, wait_until
from tests.sparkplugging import TOPIC, bd_seq, metric, payload, sparkplug

METERS = [meter("pdu", source=sparkplug("Energy/Import"))]
NCMD = TOPIC.format("NCMD")


class EdgeNode:
    """The edge node plant/edge1 with one device, as the specification has it: births on connect and on request."""

    def __init__(self, port: int) -> None:
        self.total, self.seq, self.alias, self.requests = 100.0, 0, 7, 0
        self._last = 0
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.username_pw_set("edge")
        self.client.will_set(TOPIC.format("NDEATH"), payload([bd_seq(0)]), qos=1)
        self.client.on_message = lambda *event: self._commanded(event[2])
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        self.client.subscribe(NCMD, qos=1)
        assert self._ready.wait(10)

    def _commanded(self, message: MQTTMessage) -> None:
        assert metric_names(message.payload) == [("Node Control/Rebirth", "Boolean", None)]
        self.requests += 1
        self.born()

    def born(self) -> None:
        with self._lock:
            self.seq = 0
            self._send("NBIRTH", bd_seq(0))
            name = metric("Energy/Import", self.total, "Double", alias=self.alias, at=self._time())
            self._send("DBIRTH", name, device="/pdu7")

    def measure(self, total: float) -> None:
        with self._lock:
            self.total = total
            self._send(
                "DDATA", metric(None, total, "Double", alias=self.alias, at=self._time(), typed=False), device="/pdu7"
            )

    def _time(self) -> int:
        """Now, a millisecond or more after the last time."""
        self._last = max(now(), self._last + 1000)
        return self._last

    def settle(self) -> None:
        """Returns when the broker has everything that was sent."""
        self.client.publish("settled", b"", qos=1).wait_for_publish(10)

    def _send(self, kind: str, body: bytes, device: str = "") -> None:
        message = payload([body], at=now(), seq=self.seq)
        self.seq = (self.seq + 1) % 256
        self.client.publish(TOPIC.format(kind) + device, message, qos=0)


@contextmanager
def living(port: int) -> Iterator[EdgeNode]:
    node = EdgeNode(port)
    try:
        yield node
    finally:
        node.client.disconnect()
        node.client.loop_stop()


@contextmanager
def collecting(broker: Mosquitto, store: MemoryStore, pace: int = 1, **changes: Any) -> Iterator[MqttCollector]:
    """A running collector, whose pauses between requests pass ``pace`` times as fast as the clock."""

    def passed() -> int:
        return time.monotonic_ns() // 1000 * pace

    ingestor = Ingestor(config(site(METERS)), store, now, passed)  # type: ignore[arg-type]
    collector = MqttCollector(mqtt_settings(broker.port, **changes), ingestor, now, first_delay=0.05, longest_delay=0.2)
    collector.start()
    try:
        wait_until(lambda: collector.status.connected, "the collector is connected and subscribed")
        yield collector
    finally:
        collector.stop()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_births_are_asked_for_and_aliases_outlive_a_restart(broker: Mosquitto, version: str) -> None:
    store = MemoryStore()
    with living(broker.port) as node:
        with collecting(broker, store, version=version):
            wait_until(lambda: store.values("pdu"), "the birth that was asked for")
            assert node.requests == 1
            node.measure(100.1)
            wait_until(lambda: len(store.values("pdu")) == 2, "data by alias")
        with collecting(broker, store, version=version):
            node.measure(100.2)
            wait_until(lambda: len(store.values("pdu")) == 3, "data by alias after a restart")
        assert node.requests == 1
    assert store.values("pdu") == [100.0, 100.1, 100.2]
    assert store.rejects == []


def test_a_birth_that_was_missed_is_asked_for_and_the_total_is_kept(broker: Mosquitto) -> None:
    store = MemoryStore()
    with living(broker.port) as node:
        with collecting(broker, store):
            wait_until(lambda: store.values("pdu"), "the birth that was asked for")
        # While nobody listens: other aliases, and data that nothing but the next dial can make up for.
        node.alias = 40
        node.born()
        node.measure(150.0)
        node.settle()
        with collecting(broker, store):
            node.measure(160.0)
            wait_until(lambda: 160.0 in store.values("pdu"), "the birth that follows data with an unknown alias")
        assert node.requests == 2
    assert store.values("pdu") == [100.0, 160.0]
    assert [(reject.reason, reject.value) for reject in store.rejects] == [
        ("payload.invalid", "alias 40 is not in its birth")
    ]


def test_a_broker_that_queues_qos_0_keeps_the_data_for_us(tmp_path: Path) -> None:
    store = MemoryStore()
    lines = ("allow_anonymous true", "queue_qos0_messages true")
    with mosquitto(tmp_path / "m", *lines) as broker, living(broker.port) as node:
        with collecting(broker, store):
            wait_until(lambda: store.values("pdu"), "the birth that was asked for")
        node.measure(150.0)
        node.settle()
        with collecting(broker, store):
            wait_until(lambda: len(store.values("pdu")) == 2, "what was measured while nobody listened")
        assert node.requests == 1
    assert store.values("pdu") == [100.0, 150.0]


def test_rebirths_can_be_forbidden(broker: Mosquitto) -> None:
    store = MemoryStore()
    with living(broker.port) as node, collecting(broker, store, rebirth=False):
        node.measure(101.0)
        wait_until(lambda: store.rejects, "data before a birth")
        node.born()
        wait_until(lambda: store.values("pdu"), "a birth that nobody asked for")
        assert node.requests == 0


def test_without_the_right_to_publish_everything_else_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Some brokers pass over what we may not publish, others (mosquitto 2.0.11 among them) end the connection."""
    rules = tmp_path / "acl"
    rules.write_text("topic read #\nuser edge\ntopic readwrite #\n")
    rules.chmod(0o644)
    store = MemoryStore()
    lines = ("allow_anonymous true", f"acl_file {rules}", "user root")
    caplog.set_level(logging.INFO, logger="collector")
    with mosquitto(tmp_path / "m", *lines) as broker, living(broker.port) as node:
        with collecting(broker, store, pace=100) as collector:
            told = ("has not answered 2 requests", "so we ask no more")
            wait_until(lambda: any(text in caplog.text for text in told), "the log says what is wrong")
            wait_until(lambda: collector.status.connected, "the collector is connected all the same")
            node.born()
            node.measure(100.1)
            wait_until(lambda: len(store.values("pdu")) == 2, "a birth that nobody asked for, and data by alias")
            assert collector.status.last_error is None
        assert node.requests == 0
    assert store.values("pdu") == [100.0, 100.1]
    assert len([record for record in caplog.records if "ask" in record.getMessage().lower()]) <= 3


def test_commands_end_when_connections_end_with_them() -> None:
    permission = Permission()
    permission.sent(0.0)
    assert not permission.lost(1.0)
    permission.sent(10.0)
    permission.sent(20.0)  # the connection has stood since
    assert not permission.lost(20.5)
    assert not permission.lost(21.0)
    permission.sent(30.0)
    assert not permission.lost(35.0)
    for start in (40.0, 50.0):
        assert not permission.withdrawn
        permission.sent(start)
        gone = permission.lost(start + 1)
    assert gone
    assert permission.withdrawn
    assert not permission.lost(100.0)
    assert permission.withdrawn
