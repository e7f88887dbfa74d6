"""The simulator against a real broker: what it publishes arrives, and a broker that refuses is one clear error."""

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from collector.simulate import Simulator, SiteSpec, simulate
from collector.simulate.publish import Broker, Connection
from tests.servers import program
from wattwell.errors import ServiceUnavailable
from wattwell.intervals import MINUTE, parse_iso

START = parse_iso("2026-01-05T00:00Z")


def wait_for(happened: object, what: str) -> None:
    """Polls ``happened()`` for at most ten seconds."""
    assert callable(happened)
    deadline = time.monotonic() + 10.0
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def broker(folder: Path, *lines: str, port: int | None = None) -> Iterator[int]:
    """A mosquitto of its own, on a free port unless one is given."""
    port = free_port() if port is None else port
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join([f"listener {port} 127.0.0.1", "user root", *lines]) + "\n")
    process = subprocess.Popen(
        [program("mosquitto"), "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: listening(port), "mosquitto does not start")
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def listener(port: int) -> Iterator[list[tuple[str, bytes, int]]]:
    heard: list[tuple[str, bytes, int]] = []
    ready = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ear", protocol=mqtt.MQTTv5)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _client, _data, message: heard.append((message.topic, message.payload, message.qos))
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.subscribe("wattwell/#", qos=1)
    assert ready.wait(10)
    try:
        yield heard
    finally:
        client.disconnect()
        client.loop_stop()


def test_every_row_arrives_once_in_order_with_qos_1(tmp_path: Path) -> None:
    with broker(tmp_path, "allow_anonymous true") as port, listener(port) as heard:
        summary = simulate(f"mqtt://127.0.0.1:{port}", days=0.25, start="2026-01-05T00:00Z", seed=6, speed=0)
        assert summary["rows"] == 361
        wait_for(lambda: len(heard) >= 361, "not every message came")
    assert {(topic, qos) for topic, _, qos in heard} == {("wattwell/sim", 1)}
    documents = [json.loads(payload) for _, payload, _ in heard]
    telemetry, _ = Simulator(SiteSpec(), seed=6, start_us=START).advance(361)
    assert [parse_iso(document["time"]) for document in documents] == telemetry.at.tolist()
    assert [document["values"]["main"] for document in documents] == telemetry.values["main"].tolist()
    assert documents[-1]["time"] == "2026-01-05T06:00:00Z"
    assert telemetry.at[-1] == START + 360 * MINUTE


def test_a_broker_that_wants_a_name_is_one_clear_error(tmp_path: Path) -> None:
    with (
        broker(tmp_path, "allow_anonymous false") as port,
        pytest.raises(ServiceUnavailable, match=r"refuses us \(Not authorized\); check user name and password"),
    ):
        simulate(f"mqtt://127.0.0.1:{port}", days=0.01, start="2026-01-05", speed=0)


def test_a_broker_that_takes_nothing_from_us_is_one_clear_error(tmp_path: Path) -> None:
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    rules.chmod(0o600)
    with (
        broker(tmp_path, "allow_anonymous true", f"acl_file {rules}") as port,
        pytest.raises(ServiceUnavailable, match=r"refuses what we send \(Not authorized\); let this user publish"),
    ):
        simulate(f"mqtt://127.0.0.1:{port}", days=0.01, start="2026-01-05", speed=0)


def test_what_is_sent_while_the_broker_is_away_is_acknowledged_when_it_is_back(tmp_path: Path) -> None:
    with broker(tmp_path, "allow_anonymous true") as port:
        link = Connection(Broker("127.0.0.1", port, tls=False), client_id="test", timeout=10.0)
        link.__enter__()
        link.publish("wattwell/sim", b"before")
        link.settle(0)
    try:
        for number in range(5):
            link.publish("wattwell/sim", str(number).encode())
        with broker(tmp_path, "allow_anonymous true", port=port):
            link.settle(0)
    finally:
        link.__exit__()


def test_a_broker_that_falls_silent_is_one_clear_error(tmp_path: Path) -> None:
    with broker(tmp_path, "allow_anonymous true") as port:
        link = Connection(Broker("127.0.0.1", port, tls=False), client_id="test", timeout=0.5)
        link.__enter__()
    try:
        link.publish("wattwell/sim", b"lost")
        with pytest.raises(ServiceUnavailable, match=r"acknowledges nothing for 0.5 s; check that it is up"):
            link.settle(0)
    finally:
        link.__exit__()
