"""Alerts by mail and over MQTT, through Apprise, against real servers."""

from __future__ import annotations

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import CallbackAPIVersion, Client

from alerts.chat import Chat, _without
from alerts.machine import Status
from alerts.notify import DeliveryError
from alerts.opening import open_notifier
from tests.servers import Mosquitto, free_port, mosquitto
from tests.telling import mail_server, note
from wattwell.intervals import parse_iso

NOW = parse_iso("2026-03-29T01:00:00Z")
PAGE = "https://watch.example"
BATCH = (note("PueHigh", NOW), note("WueHigh", NOW, Status.RESOLVED))
TITLE = "[FIRING:1, RESOLVED:1] a: PueHigh, WueHigh"
BODY = """\
FIRING PueHigh (warning)
PueHigh at 20 °C
since 2026-03-29T01:00:00Z

RESOLVED WueHigh (warning)
WueHigh at 20 °C
since 2026-03-29T01:00:00Z, ended 2026-03-29T01:00:01Z

https://watch.example/sites/a"""


def test_a_mail_for_each_batch() -> None:
    with mail_server() as box:
        notifier = open_notifier(f"mailto://wattwell@localhost:{box.port}/?to=plant@example.org", page=PAGE)
        notifier.send(BATCH)
    (first,) = box.mails
    assert first["Subject"] == TITLE
    assert (first["From"].split()[0], first["To"]) == ("Wattwell", "plant@example.org")
    assert first.get_body(("plain",)).get_content().replace("\r\n", "\n").strip() == BODY  # type: ignore[union-attr]


def test_a_mail_server_that_is_away_is_a_failed_delivery_and_nothing_shows_the_password(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    notifier = open_notifier(f"mailto://ops:hush-hush@localhost:{free_port()}/?to=plant@example.org")
    with pytest.raises(DeliveryError) as caught:
        notifier.send(BATCH)
    assert str(caught.value) == 'mailto://... took no message: Connection error while submitting email to "localhost"'
    shown = capfd.readouterr()
    assert "hush" not in caplog.text + repr(notifier) + shown.out + shown.err


@contextmanager
def heard(broker: Mosquitto, topic: str) -> Iterator[queue.Queue[str]]:
    """What is published on a topic."""
    found: queue.Queue[str] = queue.Queue()
    subscribed: queue.Queue[int] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: found.put(message.payload.decode())
    client.on_subscribe = lambda *_: subscribed.put(1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe(topic, qos=1)
    subscribed.get(timeout=10)
    yield found
    client.disconnect()
    client.loop_stop()


def test_mqtt_also_after_the_broker_was_away(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as broker:
        notifier = open_notifier(f"mqtt://127.0.0.1:{broker.port}/wattwell/alerts?qos=1", page=PAGE)
        assert isinstance(notifier, Chat)
        with heard(broker, "wattwell/alerts") as found:
            notifier.send(BATCH)
            assert found.get(timeout=10) == f"{TITLE}\r\n{BODY}"
        broker.stop()
        with pytest.raises(DeliveryError, match=r"mqtt://\.\.\. took no message"):
            notifier.send(BATCH)
        broker.start()
        with heard(broker, "wattwell/alerts") as found:
            notifier.send(BATCH[1:])
            assert found.get(timeout=10).startswith("[RESOLVED] a: WueHigh")


def test_a_long_message_is_cut_and_not_refused() -> None:
    with mail_server() as box:
        notifier = open_notifier(f"mailto://wattwell@localhost:{box.port}/?to=plant@example.org")
        assert isinstance(notifier, Chat)
        notifier.service.body_maxlen = 2000
        notifier.send([note(f"Rule{number}", NOW) for number in range(100)])
    (mail,) = box.mails
    assert mail["Subject"].startswith("[FIRING:100] a: Rule0, Rule1, ")
    body = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert body.startswith("FIRING Rule0 (warning)")
    assert len(body) <= 2000 + body.count("\n") + 2


def test_what_apprise_says_shows_no_secret_of_the_url() -> None:
    url = "slack://opsroom:geheim%20wort@hooks.example.org:8443/T1JJ3/TIiajkd?token=abcdefg"
    said = "POST https://hooks.example.org:8443/T1JJ3/TIiajkd?token=abcdefg as opsroom with geheim wort failed"
    assert _without(said, url) == "POST https://hooks.example.org:***/***/***?***=*** as *** with *** *** failed"
