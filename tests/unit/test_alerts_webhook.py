"""The webhook notifier and the dispatch loop against real HTTP servers."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from alerts.dispatch import dispatch
from alerts.machine import Status
from alerts.notification import Notification
from alerts.notify import DeliveryError, Notifier, notifier_id
from alerts.opening import open_notifier
from alerts.outbox import Outbox, enqueue, next_due, read, retarget, write
from tests.telling import receiver
from wattwell.intervals import SECOND

NOW = 1_774_746_000_000_000  # 2026-03-29T01:00Z


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def note(n: int, status: Status = Status.FIRING) -> Notification:
    return Notification(
        site="a", name="PueHigh", status=status, starts_at=NOW + n * SECOND,
        ends_at=None if status is Status.FIRING else NOW + 60 * SECOND,
        labels={"alertname": "PueHigh", "site": "a"}, annotations={"summary": f"number {n} at 20 °C"},
    )  # fmt: skip


def outbox(*urls: str) -> tuple[Outbox, dict[str, Notifier]]:
    notifiers = {notifier_id(url): open_notifier(url, timeout=5.0) for url in urls}
    return retarget(Outbox(), notifiers)[0], notifiers


def told(bodies: list[Any]) -> list[tuple[str, str]]:
    return [(alert["status"], alert["startsAt"]) for body in bodies for alert in body["alerts"]]


def test_the_document_is_that_of_an_alertmanager() -> None:
    with receiver() as there:
        open_notifier(there.url("/hook?room=1")).send([note(0), note(0, Status.RESOLVED)])
    ((path, headers, body),) = there.seen
    assert path == "/hook?room=1"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"]
    assert body == {
        "version": "4",
        "groupKey": "wattwell:a",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "wattwell",
        "groupLabels": {"site": "a"},
        "commonLabels": {"alertname": "PueHigh", "site": "a"},
        "commonAnnotations": {"summary": "number 0 at 20 °C"},
        "externalURL": "",
        "alerts": [
            {
                "status": status,
                "labels": {"alertname": "PueHigh", "site": "a"},
                "annotations": {"summary": "number 0 at 20 °C"},
                "startsAt": "2026-03-29T01:00:00Z",
                "endsAt": ends,
                "generatorURL": "",
                "fingerprint": body["alerts"][0]["fingerprint"],
            }
            for status, ends in (("firing", "0001-01-01T00:00:00Z"), ("resolved", "2026-03-29T01:01:00Z"))
        ],
    }


def test_a_batch_that_only_resolves_is_resolved() -> None:
    with receiver() as there:
        open_notifier(there.url()).send([note(0, Status.RESOLVED)])
    assert there.seen[0][2]["status"] == "resolved"


def test_failures_are_retried_in_order_and_taken_once_across_a_restart() -> None:
    with receiver() as there:
        there.answers = [(500, {}), (503, {"Retry-After": "30"}), (302, {"Location": "/elsewhere"})]
        box, notifiers = outbox(there.url())
        (name,) = notifiers
        box, now, errors, waits = enqueue(box, [note(1), note(2)]), NOW, [], []
        for attempt in range(4):
            box, (outcome,) = dispatch(box, notifiers, now)
            errors.append(outcome.error)
            box = read(write(box))
            if attempt == 1:
                box = enqueue(box, [note(2), note(2, Status.RESOLVED)])
            if (following := next_due(box, now)) is not None:
                waits.append((following - now) // SECOND)
                assert dispatch(box, notifiers, following - 1) == (box, ())
                now = following
    shown = f"json://127.0.0.1:{there.port} answered with status"
    assert errors == [f"{shown} 500", f"{shown} 503", f"{shown} 302; write the address that it redirects to", None]
    assert waits == [5, 30, 20]
    assert told(there.taken) == [
        ("firing", "2026-03-29T01:00:01Z"),
        ("firing", "2026-03-29T01:00:02Z"),
        ("resolved", "2026-03-29T01:00:02Z"),
    ]
    assert len(there.seen) == 4
    keys = [headers["Idempotency-Key"] for _, headers, _ in there.seen]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert (box.queues[name].waiting, box.queues[name].delivered) == ((), 3)


def test_a_refused_connection_is_retried_until_there_is_one() -> None:
    url = f"json://127.0.0.1:{unused_port()}/alerts"
    box, notifiers = outbox(url)
    box, (outcome,) = dispatch(enqueue(box, [note(1)]), notifiers, NOW)
    assert outcome.error is not None
    assert outcome.error.startswith(f"{url.removesuffix('/alerts')} cannot be reached: ")
    with receiver() as there:
        box, revived = retarget(box, notifiers)[0], {notifier_id(url): open_notifier(there.url())}
        box, (outcome,) = dispatch(box, revived, NOW + 5 * SECOND)
    assert outcome.error is None
    assert told(there.taken) == [("firing", "2026-03-29T01:00:01Z")]


def test_a_dead_notifier_blocks_no_other_one() -> None:
    dead = f"json://127.0.0.1:{unused_port()}/"
    with receiver() as there:
        box, notifiers = outbox(dead, there.url())
        box, outcomes = dispatch(enqueue(box, [note(1)]), notifiers, NOW)
    assert [outcome.error is None for outcome in outcomes] == [False, True]
    assert [len(queue.waiting) for queue in box.queues.values()] == [1, 0]


class Broken:
    def send(self, batch: object) -> None:
        raise KeyError(f"no way to tell {type(batch).__name__}")


def test_a_notifier_with_a_fault_of_its_own_blocks_no_other_one() -> None:
    with receiver() as there:
        box, notifiers = outbox("json://127.0.0.1:1/", there.url())
        broken, sound = notifiers
        box, outcomes = dispatch(enqueue(box, [note(1)]), {**notifiers, broken: Broken()}, NOW)
    assert {each.notifier: each.error for each in outcomes} == {
        broken: "KeyError: 'no way to tell tuple'",
        sound: None,
    }
    assert len(box.queues[broken].waiting) == 1


def silent(_: BaseHTTPRequestHandler, done: threading.Event) -> None:
    done.wait(10)


def trickling(handler: BaseHTTPRequestHandler, done: threading.Event) -> None:
    """Each byte comes well within any limit for a single read."""
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not done.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()
    except OSError:
        done.set()


@pytest.mark.parametrize("stall", [silent, trickling])
def test_a_slow_server_is_left_at_the_time_limit(
    stall: Callable[[BaseHTTPRequestHandler, threading.Event], None],
) -> None:
    done = threading.Event()
    with receiver(lambda handler: stall(handler, done)) as there:
        begun = time.monotonic()
        with pytest.raises(DeliveryError, match=r"did not answer within 0\.3 s"):
            open_notifier(there.url(), timeout=0.3).send([note(1)])
        assert time.monotonic() - begun < 5
        done.set()


def test_the_token_is_read_at_each_delivery_and_never_said(tmp_path: Path) -> None:
    token = tmp_path / "token"
    with receiver() as there:
        there.answers = [(401, {}), (200, {})]
        notifier = open_notifier(there.url(), token_file=token)
        with pytest.raises(DeliveryError, match="token cannot be read: FileNotFoundError"):
            notifier.send([note(1)])
        for bad in ("", "two words", "sécret", "two\nlines"):
            token.write_text(bad, encoding="utf-8")
            with pytest.raises(DeliveryError, match="holds no bearer token") as caught:
                notifier.send([note(1)])
            assert not bad or bad not in str(caught.value)
        token.write_text("hush-1\n", encoding="utf-8")
        with pytest.raises(DeliveryError, match="status 401") as caught:
            notifier.send([note(1)])
        assert "hush" not in str(caught.value)
        assert "hush" not in repr(notifier)
        token.write_text("hush-2", encoding="utf-8")
        notifier.send([note(1)])
    assert [headers["Authorization"] for _, headers, _ in there.seen] == ["Bearer hush-1", "Bearer hush-2"]


def test_user_and_password_are_sent_and_never_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with receiver() as there:
        there.answers = [(403, {})]
        url = f"json://me:p%40ss@127.0.0.1:{there.port}/"
        with pytest.raises(DeliveryError) as caught:
            open_notifier(url).send([note(1)])
    assert there.seen[0][1]["Authorization"] == "Basic bWU6cEBzcw=="  # me:p@ss
    for text in (str(caught.value), caplog.text, notifier_id(url)):
        assert "ss@" not in text
        assert "p@ss" not in text


CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBlzCCAT6gAwIBAgIUEBem2vGSkqeNBiKB/BbrKkzQcAUwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNd2F0dHdlbGwgdGVzdDAgFw0yNjExMjIxNDAwMzVaGA8yMTI2
MTAyOTE0MDAzNVowGDEWMBQGA1UEAwwNd2F0dHdlbGwgdGVzdDBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABKiEcmk6XFLIl7eJi9LkrU+0HXZHMIYEC81NezHgxbi2
XqiB1GDhrs6j6TsXqvqqKmGkdULiIgUmxcYQR3CXEBmjZDBiMB0GA1UdDgQWBBTQ
zqkmdqR+9ZD1rwDkaH9Kr7EcHjAfBgNVHSMEGDAWgBTQzqkmdqR+9ZD1rwDkaH9K
r7EcHjAPBgNVHRMBAf8EBTADAQH/MA8GA1UdEQQIMAaHBH8AAAEwCgYIKoZIzj0E
AwIDRwAwRAIgcAeLMebemz3fDCdH/9PEkNzzquq01gilgLUjovHcaUsCIHwzK8qc
5DUMqCaMoGdrJPT0LIYuR7C/kHN09RWGiB6i
-----END CERTIFICATE-----
"""
"""Made for this test: self-signed, for 127.0.0.1, good until 2126."""
KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg5pzdM17kMtl7iVDx
vEglNCfaveol/aaL8io2o+FLfZ2hRANCAASohHJpOlxSyJe3iYvS5K1PtB12RzCG
BAvNTXsx4MW4tl6ogdRg4a7Oo+k7F6r6qiphpHVC4iIFJsXGEEdwlxAZ
-----END PRIVATE KEY-----
"""


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(KEY)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiver(tls=tls) as there:
        notifier = open_notifier(there.url().replace("json://", "jsons://"))
        with pytest.raises(DeliveryError, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"):
            notifier.send([note(1)])
        assert there.seen == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        notifier.send([note(1)])
    assert told(there.taken) == [("firing", "2026-03-29T01:00:01Z")]
