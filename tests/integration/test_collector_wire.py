"""The collector's end of a connection against a broker that sends what the test says, plain and with TLS.

Every turn may wait for half a minute: what wakes too late makes a test fail by its clock.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from collector.connection import connect, make_wired
from collector.packets import Publication, pubacks
from collector.wire import Wire, WiredClient
from tests.collecting import mqtt_settings
from wattwell.config.settings import MqttSettings, Tls

LONG = 30.0
"""Seconds of a turn that nothing wakes."""
SOON = 10.0
CONNACK = b"\x20\x03\x00\x00\x00"
DISCONNECT = b"\xe0\x00"


def publish(mid: int, payload: bytes) -> bytes:
    """A PUBLISH packet of QoS 1 (MQTT 5) on the topic t."""
    body = b"\x00\x01t" + mid.to_bytes(2, "big") + b"\x00" + payload
    length, rest = bytearray(), len(body)
    while True:
        rest, low = divmod(rest, 128)
        length.append(low | (128 if rest else 0))
        if not rest:
            return b"\x32" + bytes(length) + body


@dataclass
class Pair:
    """A client and the broker's end of its connection."""

    client: WiredClient
    broker: socket.socket
    got: list[Publication] = field(default_factory=list)
    connected: list[object] = field(default_factory=list)
    lost: list[object] = field(default_factory=list)

    def turn(self, seconds: float = LONG) -> bool:
        return self.client.turn(seconds, self.take)

    def take(self, publications: Sequence[Publication]) -> None:
        self.got += publications

    def turn_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + SOON
        while not condition():
            assert self.turn(), "the connection ended"
            assert time.monotonic() < deadline, "a turn slept over something to do"

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.broker.recv(size - len(data))
            assert piece, "the client closed"
            data += piece
        return data


def accept(listener: socket.socket, context: ssl.SSLContext | None) -> socket.socket:
    """The broker's end, once CONNECT has come."""
    broker, _ = listener.accept()
    broker.settimeout(SOON)
    if context is not None:
        broker = context.wrap_socket(broker, server_side=True)
    head = broker.recv(2)
    assert head[0] == 0x10
    broker.recv(head[1])
    return broker


@contextmanager
def paired(tls: tuple[Tls, ssl.SSLContext] | None) -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(SOON)
        settings: MqttSettings = mqtt_settings(listener.getsockname()[1], tls=None if tls is None else tls[0])
        accepted = pool.submit(accept, listener, None if tls is None else tls[1])
        client = make_wired(settings)
        connect(client, settings)
        assert client.turn(0.0, lambda _: None)  # CONNECT goes out
        pair = Pair(client, accepted.result(SOON))
        client.on_connect = lambda *event: pair.connected.append(event[3])
        client.on_disconnect = lambda *event: pair.lost.append(event[3])
        try:
            yield pair
        finally:
            pair.broker.close()
            with suppress(AttributeError):
                client.wire.close()  # type: ignore[union-attr]


@pytest.fixture(params=["plain", "tls"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    tls = None
    if request.param == "tls":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        tls = (Tls(ca_file=tmp_path / "ca.pem"), context)
    with paired(tls) as found:
        yield found


def test_what_comes_in_one_piece_with_other_packets_is_all_handled_at_once(pair: Pair) -> None:
    pair.broker.sendall(CONNACK + publish(1, b"a") + b"\xd0\x00" + publish(2, b"b"))
    pair.turn_until(lambda: len(pair.got) == 2 and pair.connected)
    assert [each.payload for each in pair.got] == [b"a", b"b"]
    assert str(pair.connected[0]) == "Success"


def test_a_burst_larger_than_one_turn_reads_needs_nothing_more_to_be_read_to_its_end(pair: Pair) -> None:
    """Nothing follows the burst: bytes that a buffer holds, here or within TLS, must not wait for the next ones."""
    packets = [publish(number % 65535 + 1, bytes([number % 251]) * (number % 300)) for number in range(20_000)]
    sender = threading.Thread(target=pair.broker.sendall, args=(CONNACK + b"".join(packets),))
    sender.start()
    pair.turn_until(lambda: len(pair.got) == len(packets))
    sender.join(SOON)
    assert [len(each.payload) for each in pair.got] == [number % 300 for number in range(20_000)]


def test_a_message_larger_than_any_buffer_arrives_whole(pair: Pair) -> None:
    payload = bytes(range(256)) * 12_000
    sender = threading.Thread(target=pair.broker.sendall, args=(CONNACK + publish(7, payload) + publish(8, b"z"),))
    sender.start()
    pair.turn_until(lambda: len(pair.got) == 2)
    sender.join(SOON)
    assert pair.got[0].payload == payload


def test_bytes_that_come_one_by_one_make_the_same_message(pair: Pair) -> None:
    for byte in CONNACK + publish(258, b"slow"):
        pair.broker.sendall(bytes([byte]))
        pair.turn(0.001)
    pair.turn_until(lambda: pair.got)
    assert pair.got == [Publication("t", b"slow", 258, 1, retain=False)]


def test_an_acknowledgement_from_another_thread_wakes_a_waiting_turn(pair: Pair) -> None:
    pair.broker.sendall(CONNACK)
    pair.turn_until(lambda: pair.connected)
    turning = threading.Event()

    def take_turns() -> None:
        while not turning.is_set():
            pair.turn()

    thread = threading.Thread(target=take_turns)
    thread.start()
    for round_ in range(200):
        pair.client.acknowledge([round_ + 1, 60_000])
        assert pair.receive(8) == pubacks([round_ + 1, 60_000])
    turning.set()
    pair.client.wake()
    thread.join(SOON)
    assert not thread.is_alive()


def test_acknowledgements_never_fall_into_a_packet_of_the_library(pair: Pair) -> None:
    """One thread acknowledges, another publishes; what arrives are whole packets, acknowledgements in their order."""
    pair.broker.sendall(CONNACK)
    pair.turn_until(lambda: pair.connected)
    payload = b"x" * 5000
    done = threading.Event()

    def acknowledge() -> None:
        for mid in range(1, 20_001):
            pair.client.acknowledge([mid])
        done.set()

    def publish_all() -> None:
        for _ in range(200):
            pair.client.publish("c", payload, qos=0)

    threads = [threading.Thread(target=each) for each in (acknowledge, publish_all)]
    reader = ThreadPoolExecutor(1)
    size = len(b"\x30" + b"\xff\x7f" + b"\x00\x01c" + b"\x00" + payload)
    received = reader.submit(pair.receive, 20_000 * 4 + 200 * size)
    for thread in threads:
        thread.start()
    pair.turn_until(received.done)
    for thread in threads:
        thread.join(SOON)
    reader.shutdown()
    stream, mids, publications = received.result(), [], 0
    while stream:
        if stream[0] == 0x40:
            mids.append(int.from_bytes(stream[2:4], "big"))
            stream = stream[4:]
        else:
            assert stream[0] == 0x30
            assert stream[:size].endswith(payload)
            publications += 1
            stream = stream[size:]
    assert mids == list(range(1, 20_001))
    assert publications == 200


def test_the_end_of_the_connection_is_told_after_what_came_before_it(pair: Pair) -> None:
    pair.broker.sendall(CONNACK + publish(1, b"last"))
    pair.broker.close()
    deadline = time.monotonic() + SOON
    while pair.turn():
        assert time.monotonic() < deadline
    assert [each.payload for each in pair.got] == [b"last"]
    assert len(pair.lost) == 1
    assert not pair.turn()
    pair.client.acknowledge([1])  # goes nowhere, as it must


def test_a_reason_that_the_broker_gives_is_heard_although_nothing_can_be_sent_any_more(pair: Pair) -> None:
    pair.broker.sendall(CONNACK)
    pair.turn_until(lambda: pair.connected)
    pair.broker.sendall(b"\xe0\x02\x8e\x00")  # DISCONNECT, session taken over
    pair.broker.close()
    pair.client.acknowledge([1] * 1000)
    deadline = time.monotonic() + SOON
    while pair.turn():
        assert time.monotonic() < deadline
    assert [str(reason) for reason in pair.lost] == ["Session taken over"]


def test_leaving_sends_every_acknowledgement_although_more_messages_come(pair: Pair) -> None:
    """A socket closed over unread messages resets the connection, and the broker loses what it has not read yet."""
    pair.broker.sendall(CONNACK + b"".join(publish(mid, b"m") for mid in range(1, 101)))
    pair.turn_until(lambda: len(pair.got) == 100)
    pair.client.acknowledge(range(1, 101))
    pair.client.disconnect()
    pair.broker.sendall(publish(101, b"late") * 1000)
    with ThreadPoolExecutor(1) as pool:
        leaving = pool.submit(pair.turn)
        sent = pair.receive(402)
        pair.broker.close()
        assert leaving.result(SOON) is False
    assert sent == pubacks(range(1, 101)) + DISCONNECT


def test_a_broker_that_speaks_nonsense_loses_the_connection(pair: Pair) -> None:
    pair.broker.sendall(CONNACK + b"\x32\xff\xff\xff\xff\xff")
    deadline = time.monotonic() + SOON
    while pair.turn():
        assert time.monotonic() < deadline
    assert len(pair.lost) == 1


def test_the_library_makes_its_socket_where_the_collector_takes_it_over(pair: Pair) -> None:
    """Whatever release of paho-mqtt is installed: without this seam no message would be read."""
    assert pair.client.wire is not None
    assert pair.client.socket() is pair.client.wire


class Unwritable(socket.socket):
    """A socket that takes nothing, and of which nothing else is told."""

    def send(self, *_: object) -> int:
        raise BrokenPipeError


def test_a_connection_that_takes_nothing_ends_although_nothing_is_heard_of_it() -> None:
    ours, other = socket.socketpair()
    with other:
        wire = Wire(Unwritable(fileno=ours.detach()), socket.socketpair(), v5=True)
        wire.setblocking(flag=False)
        wire.acknowledge([1])
        wire.flush()
        began = time.monotonic()
        assert wire.wait(LONG, to_write=False)
        assert wire.read() == []
        assert time.monotonic() - began < SOON
        assert wire.owes_paho
        with pytest.raises(BrokenPipeError):
            wire.recv(1)
        wire.close()


def test_the_library_waits_while_too_much_is_unsent_and_goes_on_when_it_is_gone() -> None:
    ours, other = socket.socketpair()
    other.settimeout(SOON)
    packet = bytes(100_000)
    taken = received = 0
    with other:
        wire = Wire(ours, socket.socketpair(), v5=True)
        wire.setblocking(flag=False)
        with suppress(BlockingIOError):
            while taken < 10_000_000:
                taken += wire.send(packet)
        assert taken < 10_000_000
        assert not wire.wait(0.0, to_write=True)
        while received < taken:
            wire.flush()
            received += len(other.recv(1_000_000))
        assert wire.send(packet) == len(packet)
        other.close()
        wire.close()
