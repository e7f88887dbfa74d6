"""Certificates that expire: collecting stops with a clear word, and nothing is lost once they are renewed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.ingest import Ingestor
from collector.mqtt import MqttCollector
from tests.collecting import NOW, MemoryStore, config, meter, mqtt_settings, site
from tests.servers import Mosquitto, free_port, mosquitto, wait_until
from wattwell.config.settings import MqttSettings, Tls
from wattwell.intervals import SECOND

_YESTERDAY = datetime.now(UTC) - timedelta(days=1)


class Authority:
    """Issues certificates into a folder; each one of a name replaces the one before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(str(folder / "ca.pem"))

    def issue(self, name: str, *, expired: bool = False) -> None:
        cert = self._ca.issue_cert(
            "127.0.0.1",
            common_name=name,
            not_before=_YESTERDAY - timedelta(days=1),
            not_after=_YESTERDAY if expired else _YESTERDAY + timedelta(days=30),
        )
        cert.private_key_pem.write_to_path(str(self.folder / f"{name}.key"))
        cert.cert_chain_pems[0].write_to_path(str(self.folder / f"{name}.pem"))

    def client(self) -> Tls:
        return Tls(
            ca_file=self.folder / "ca.pem", cert_file=self.folder / "client.pem", key_file=self.folder / "client.key"
        )


@contextmanager
def secured(folder: Path, plain: int) -> Iterator[Mosquitto]:
    """A broker with mutual TLS, and a plain listener for the device that publishes."""
    lines = (
        f"cafile {folder}/ca.pem",
        f"certfile {folder}/server.pem",
        f"keyfile {folder}/server.key",
        "require_certificate true",
        "allow_anonymous true",
        f"listener {plain} 127.0.0.1",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "user root",
    )
    with mosquitto(folder / "broker", *lines) as broker:
        yield broker


def publish(port: int, value: float) -> None:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()
    payload = f'{{"time": {NOW // SECOND + value}, "value": {value}}}'
    client.publish("wattwell/s/grid-a", payload, qos=1).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


@contextmanager
def collecting(settings: MqttSettings, store: MemoryStore) -> Iterator[MqttCollector]:
    ingestor = Ingestor(config(site([meter()])), store, lambda: NOW)
    collector = MqttCollector(settings, ingestor, lambda: NOW, first_delay=0.05, longest_delay=0.2)
    collector.start()
    try:
        yield collector
    finally:
        collector.stop()


@pytest.mark.parametrize(("whose", "words"), [("server", "out of date"), ("client", "cert_file has not expired")])
def test_readings_wait_at_the_broker_until_the_certificate_is_renewed(tmp_path: Path, whose: str, words: str) -> None:
    authority = Authority(tmp_path)
    for name in ("server", "client"):
        authority.issue(name)
    store, plain = MemoryStore(), free_port()
    with secured(tmp_path, plain) as broker:
        settings = replace(mqtt_settings(broker.port, tls=authority.client()), session_expiry=3600)
        with collecting(settings, store) as collector:
            wait_until(lambda: collector.status.connected, "the collector is connected")
            publish(plain, 1)
            wait_until(lambda: store.values("grid-a") == [1], "the first reading")
            authority.issue(whose, expired=True)
            broker.stop()
            broker.start()
            wait_until(lambda: words in str(collector.status.last_error), f"'{words}' in the status")
            publish(plain, 2)
            publish(plain, 3)
            assert store.values("grid-a") == [1]
            authority.issue(whose)
            broker.stop()
            broker.start()
            wait_until(lambda: store.values("grid-a") == [1, 2, 3], "what was published meanwhile")
            assert collector.status.last_error is None
