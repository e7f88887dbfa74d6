"""The collector against a real mosquitto: acknowledgement after the commit, reconnection, refusals."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.ingest import UNMAPPED_STATE, Ingestor
from collector.mqtt import MqttCollector
from collector.subscriptions import FILTERS_STATE, reserve
from tests.collecting import MemoryStore, config, meter, mqtt_settings, site
from tests.servers import Mosquitto, certificates, free_port, mosquitto, program, wait_until
from wattwell.config.settings import MqttSettings, Tls
from wattwell.errors import StoreError, WattwellError
from wattwell.intervals import iso
from wattwell.model import Source

pytestmark = pytest.mark.filterwarnings("error")
TOPIC = "wattwell/s/grid-a"


def now() -> int:
    return time.time_ns() // 1000


@contextmanager
def collecting(settings: MqttSettings, store: MemoryStore, *, ready: bool = True) -> Iterator[MqttCollector]:
    meters = [meter("grid-a"), meter("own", source=Source(topic="dc/+/own", value="e.v"))]
    ingestor = Ingestor(config(site(meters)), store, now)  # type: ignore[arg-type]
    collector = MqttCollector(settings, ingestor, now, first_delay=0.05, longest_delay=0.2)
    collector.start()
    try:
        if ready:
            wait_until(lambda: collector.status.connected, "the collector is connected and subscribed")
        yield collector
    finally:
        collector.stop()


@contextmanager
def publishing(port: int) -> Iterator[Callable[..., None]]:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", port)
    client.loop_start()

    def publish(payload: str, topic: str = TOPIC, *, retain: bool = False, qos: int = 1) -> None:
        client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(10)

    try:
        yield publish
    finally:
        client.disconnect()
        client.loop_stop()


def reading(value: float, at: int | None = None) -> str:
    return f'{{"time": "{iso(at or now())}", "value": {value}}}'


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_readings_rejects_and_unmapped_topics_arrive(broker: Mosquitto, version: str) -> None:
    store = MemoryStore()
    with (
        collecting(mqtt_settings(broker.port, version=version), store) as collector,
        publishing(broker.port) as publish,
    ):
        publish(reading(1))
        publish("{")
        publish(reading(1).replace("value", "e").replace("1}", '{"v": 2}}'), "dc/x/own")
        publish(reading(3), "wattwell/s/ghost")
        publish(reading(4), qos=0)
        wait_until(lambda: len(store.readings) == 3 and len(store.rejects) == 2, "all five messages are stored")
        assert collector.status.last_error is None
        wait_until(lambda: UNMAPPED_STATE in store.states, "the unmapped topic is saved")
    assert store.values("grid-a") == [1.0, 4.0]
    assert store.values("own") == [2.0]
    assert {(reject.reason, reject.meter) for reject in store.rejects} == {
        ("payload.invalid", "grid-a"),
        ("point.unknown", "ghost"),
    }


def test_nothing_is_acknowledged_while_the_store_refuses(broker: Mosquitto) -> None:
    settings = mqtt_settings(broker.port)
    refusing = MemoryStore()
    refusing.refusals = ["disk full"] * 1000
    with collecting(settings, refusing), publishing(broker.port) as publish:
        for value in range(5):
            publish(reading(value))
        wait_until(lambda: refusing.attempts >= 1, "a commit has been refused")
    working = MemoryStore()
    with collecting(settings, working):
        wait_until(lambda: len(working.readings) == 5, "the broker sends all five again")
    assert refusing.commits == 0
    assert working.values("grid-a") == [0, 1, 2, 3, 4]


def test_a_store_that_fails_twice_loses_and_repeats_nothing(broker: Mosquitto) -> None:
    settings = mqtt_settings(broker.port)
    store = MemoryStore()
    store.refusals = ["busy", "busy"]
    with collecting(settings, store), publishing(broker.port) as publish:
        for value in range(5):
            publish(reading(value))
        wait_until(lambda: len(store.readings) == 5, "all five are stored after two refusals")
    again = MemoryStore()
    with collecting(settings, again), publishing(broker.port) as publish:
        publish(reading(9))
        wait_until(lambda: again.readings, "a new message arrives")
    assert again.values("grid-a") == [9.0]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_is_no_longer_subscribed_to_is_not_sent_any_more(broker: Mosquitto, version: str) -> None:
    store = MemoryStore()
    wide, narrow = ("wattwell/#", "other/#"), ("wattwell/#",)
    with collecting(mqtt_settings(broker.port, version=version, subscribe=wide), store):
        pass
    with publishing(broker.port) as publish:
        publish("1", "other/waiting")
        with collecting(mqtt_settings(broker.port, version=version, subscribe=narrow), store):
            wait_until(lambda: store.states[FILTERS_STATE] == '["wattwell/#"]', "the broker has given up other/#")
            publish("2", "other/live")
            publish(reading(1))
            wait_until(lambda: store.readings, "the reading arrives, and what was published before it")
        publish("3", "other/away")
        with collecting(mqtt_settings(broker.port, version=version, subscribe=narrow), store):
            publish(reading(2))
            wait_until(lambda: len(store.readings) == 2, "the next reading arrives")
    assert [reject.topic for reject in store.rejects] == ["other/waiting"]


def test_what_is_given_up_waits_for_a_store_that_refuses(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    store.states[FILTERS_STATE] = '["other/#"]'
    with monkeypatch.context() as refusing:

        def refuse(_documents: object) -> None:
            raise StoreError("full")

        refusing.setattr(store, "save_states", refuse)
        with collecting(mqtt_settings(broker.port), store), publishing(broker.port) as publish:
            publish(reading(1))
            wait_until(lambda: store.readings, "readings are taken all the same")
    assert "not given up before the next connect: full" in caplog.text
    with collecting(mqtt_settings(broker.port), store):
        wait_until(lambda: "other" not in store.states[FILTERS_STATE], "the next connect gives it up")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_a_reserved_session_misses_nothing(broker: Mosquitto, version: str) -> None:
    settings, store = mqtt_settings(broker.port, version=version, subscribe=("wattwell/#",)), MemoryStore()
    with publishing(broker.port) as publish:
        reserve(settings, settings.subscribe, store)  # type: ignore[arg-type]
        publish(reading(1))
        reserve(settings, settings.subscribe, store)  # type: ignore[arg-type] # it takes nothing of what waits
        publish(reading(2))
    with collecting(settings, store):
        wait_until(lambda: store.values("grid-a") == [1.0, 2.0], "both have waited")
    with pytest.raises(WattwellError, match="Nothing listens at MQTT broker"):
        reserve(mqtt_settings(free_port()), settings.subscribe, store)  # type: ignore[arg-type]


def test_a_session_that_nobody_comes_back_to_can_be_ended(broker: Mosquitto) -> None:
    """As deploy/README.md says, where a client_id or a shard is given up."""
    settings, store = mqtt_settings(broker.port), MemoryStore()
    with publishing(broker.port) as publish:
        reserve(settings, (TOPIC,), store)  # type: ignore[arg-type]
        publish(reading(1))
        where = ["-h", "127.0.0.1", "-p", str(broker.port), "-i", settings.client_id]
        subprocess.run([program("mosquitto_sub"), *where, "-t", TOPIC, "-E"], check=True, timeout=20)
        with collecting(settings, store):
            publish(reading(2))
            wait_until(lambda: store.readings, "the next reading arrives")
    assert store.values("grid-a") == [2.0], "what waited went with the session"


CRASHING = """
import os, sys, time
from tests.integration.test_collector_mqtt import MemoryStore, collecting, mqtt_settings
with collecting(mqtt_settings(int(sys.argv[1])), MemoryStore(before_commit=lambda: os._exit(7))):
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_crash_between_arrival_and_commit_loses_nothing(broker: Mosquitto) -> None:
    command = [sys.executable, "-c", CRASHING, str(broker.port)]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "ready"
        with publishing(broker.port) as publish:
            for value in range(20):
                publish(reading(value))
        assert process.wait(timeout=20) == 7
    store = MemoryStore()
    with collecting(mqtt_settings(broker.port), store):
        wait_until(lambda: len(store.readings) == 20, "the broker sends everything again")
    assert store.values("grid-a") == list(range(20))


def test_messages_wait_for_us_while_we_are_away(broker: Mosquitto) -> None:
    settings, store = mqtt_settings(broker.port), MemoryStore()
    with collecting(settings, store):
        pass
    with publishing(broker.port) as publish:
        publish(reading(5))
    with collecting(settings, store):
        wait_until(lambda: store.readings, "the message that came meanwhile")


def test_we_subscribe_again_after_a_broker_that_forgot_us(broker: Mosquitto) -> None:
    store = MemoryStore()
    with collecting(mqtt_settings(broker.port), store) as collector:
        since = collector.status.since
        broker.kill()
        wait_until(lambda: not collector.status.connected, "the loss is noticed")
        assert collector.status.since > since
        broker.start()
        wait_until(lambda: collector.status.connected, "the collector is back")
        with publishing(broker.port) as publish:
            publish(reading(6))
        wait_until(lambda: store.readings, "a message after the restart")
        assert collector.status.last_error is None


def test_an_acknowledgement_never_reaches_a_later_connection(tmp_path: Path) -> None:
    """A commit may outlast its connection: packet 1 of the next one is another message and must stay unacknowledged."""
    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert go_on.wait(20)

    store = MemoryStore(before_commit=hold)
    with mosquitto(tmp_path / "m") as broker:
        settings = mqtt_settings(broker.port)
        with collecting(settings, store) as collector:
            with publishing(broker.port) as publish:
                publish(reading(1))
            wait_until(held.is_set, "the first message waits for its commit")
            broker.kill()
            wait_until(lambda: not collector.status.connected, "the loss is noticed")
            broker.start()  # it has forgotten the session, and numbers its packets from 1 again
            wait_until(lambda: collector.status.connected, "the collector is back")
            with publishing(broker.port) as publish:
                publish(reading(2))
            wait_until(lambda: collector.waiting == 1, "the second message has arrived")
            store.refusals = []
            store.before_commit = lambda: store.refusals.append("disk full")
            go_on.set()
            wait_until(lambda: store.attempts >= 2, "the first is handled, the second refused")
        again = MemoryStore()
        with collecting(settings, again):
            wait_until(lambda: again.readings, "the second message comes again")
        assert again.values("grid-a") == [2.0]


def test_retained_messages(broker: Mosquitto) -> None:
    store = MemoryStore()
    with publishing(broker.port) as publish:
        publish("17.5", retain=True)
        publish(reading(3).replace("value", "e").replace("3}", '{"v": 3}}'), "dc/x/own", retain=True)
    with collecting(mqtt_settings(broker.port), store), publishing(broker.port) as publish:
        wait_until(lambda: store.readings and store.rejects, "both retained messages")
        assert [(reject.reason, reject.value) for reject in store.rejects] == [("retained", "17.5")]
        publish("18.5", retain=True)
        wait_until(lambda: len(store.readings) == 2, "a message that is retained from now on is live for us")
    assert store.values("own") == [3.0]
    assert store.values("grid-a") == [18.5]


def test_a_message_larger_than_allowed_is_a_reject(broker: Mosquitto) -> None:
    store = MemoryStore()
    with collecting(mqtt_settings(broker.port, max_payload=1000), store), publishing(broker.port) as publish:
        publish(" " * 1001)
        publish(reading(1))
        wait_until(lambda: store.readings and store.rejects, "the reject and the reading")
    assert [(reject.reason, reject.value) for reject in store.rejects] == [
        ("payload.invalid", "1001 bytes, larger than mqtt.max_payload")
    ]


def protected(folder: Path) -> Iterator[Mosquitto]:
    passwords = folder / "passwords"
    tool = program("mosquitto_passwd")
    subprocess.run([tool, "-b", "-c", passwords, "wattwell", "right"], check=True, capture_output=True)
    acl = folder / "acl"
    acl.write_text("user wattwell\ntopic read wattwell/#\n")
    for file in (passwords, acl):
        file.chmod(0o644)
    lines = ("allow_anonymous false", f"password_file {passwords}", f"acl_file {acl}", "user root")
    with mosquitto(folder / "m", *lines) as broker:
        yield broker


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_refused_credentials_are_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, version: str
) -> None:
    secret = tmp_path / "mqtt.password"
    secret.write_text("wrong-secret\n")
    caplog.set_level(logging.DEBUG)
    with contextmanager(protected)(tmp_path) as broker:
        settings = mqtt_settings(broker.port, username="wattwell", password_file=secret, version=version)
        with collecting(settings, MemoryStore(), ready=False) as collector:
            wait_until(lambda: collector.status.last_error, "the refusal")
            error = collector.status.last_error
            assert error is not None
            assert error.startswith(f"The MQTT broker 127.0.0.1:{broker.port} refused the connection (")
            assert error.endswith("for user wattwell; check mqtt.username and mqtt.password_file.")

            wait_until(lambda: refusals(broker) >= 3, "it keeps trying")
            secret.write_text("right\n")
            wait_until(lambda: collector.status.connected, "it connects once the password file is right")
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert said == [error]
    assert "wrong-secret" not in caplog.text


def refusals(broker: Mosquitto) -> int:
    return (broker.folder / "mosquitto.log").read_text().count("not authorised")


def test_no_broker_and_no_password_file_are_clear_errors(tmp_path: Path) -> None:
    port = free_port()
    with collecting(mqtt_settings(port), MemoryStore(), ready=False) as collector:
        wait_until(lambda: collector.status.last_error, "the failure")
        assert collector.status.last_error == (
            f"Nothing listens at MQTT broker 127.0.0.1:{port}; start the broker or correct mqtt.url."
        )
    settings = mqtt_settings(port, username="u", password_file=tmp_path / "none")
    with collecting(settings, MemoryStore(), ready=False) as collector:
        wait_until(lambda: collector.status.last_error, "the failure")
        assert str(collector.status.last_error).startswith(f"{tmp_path / 'none'} cannot be read")


def test_a_client_that_takes_our_name_is_told_apart(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    with collecting(mqtt_settings(broker.port), MemoryStore()) as collector:
        other = Client(
            CallbackAPIVersion.VERSION2,
            client_id="wattwell-test",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        other.connect("127.0.0.1", broker.port)
        other.loop_start()
        wait_until(lambda: caplog.messages, "the loss")
        assert "another client uses the name wattwell-test; give each its own mqtt.client_id." in caplog.messages[0]
        other.loop_stop()
        wait_until(lambda: collector.status.connected, "the collector is back")


def test_tls_is_verified(tmp_path: Path) -> None:
    certificate, key = certificates(tmp_path)
    lines = ("allow_anonymous true", f"certfile {certificate}", f"keyfile {key}", "user root")
    with mosquitto(tmp_path / "m", *lines) as broker:
        with collecting(mqtt_settings(broker.port, tls=Tls()), MemoryStore(), ready=False) as collector:
            wait_until(lambda: collector.status.last_error, "the refusal")
            assert "is not trusted" in str(collector.status.last_error)
            assert "set mqtt.tls.ca_file" in str(collector.status.last_error)
        with collecting(mqtt_settings(broker.port, tls=Tls(ca_file=certificate)), MemoryStore()) as collector:
            assert collector.status.last_error is None


def test_a_fault_of_our_own_is_shown_and_acknowledges_nothing(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("a fault")

    with collecting(mqtt_settings(broker.port), MemoryStore(before_commit=fail)) as collector:
        with publishing(broker.port) as publish:
            publish(reading(1))
        wait_until(lambda: collector.status.failed, "the fault is shown")
    assert "ZeroDivisionError" in caplog.text
    store = MemoryStore()
    with collecting(mqtt_settings(broker.port), store):
        wait_until(lambda: store.readings, "the message comes again")


def test_stop_commits_what_has_arrived(broker: Mosquitto) -> None:
    store = MemoryStore()
    with collecting(mqtt_settings(broker.port), store), publishing(broker.port) as publish:
        for value in range(100):
            publish(reading(value))
        wait_until(lambda: len(store.readings) > 0, "a first message")
    rest = MemoryStore()
    with collecting(mqtt_settings(broker.port), rest), publishing(broker.port) as publish:
        publish(reading(1000))
        wait_until(lambda: 1000.0 in rest.values("grid-a"), "the last message")
    assert sorted(store.values("grid-a") + rest.values("grid-a")) == [*range(100), 1000.0]
