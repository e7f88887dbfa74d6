"""PUBLISH packets cut out of a stream, against the client library's own reading of the same bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt._packet import decode_publish
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.exception import MalformedPacket
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from collector.packets import Publication, pubacks, split


def length(number: int) -> bytes:
    """A variable byte integer."""
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


@dataclass(frozen=True)
class Sent:
    """A PUBLISH packet as some broker sends it."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retain: bool
    dup: bool
    expiry: int | None
    label: str

    def body(self, *, v5: bool) -> bytes:
        topic = self.topic.encode()
        found = struct.pack("!H", len(topic)) + topic
        found += struct.pack("!H", self.mid) if self.qos else b""
        if v5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if self.expiry is not None:
                properties.MessageExpiryInterval = self.expiry
                properties.UserProperty = ("label", self.label)
            found += properties.pack()  # type: ignore[no-untyped-call]
        return found + self.payload

    def packet(self, *, v5: bool) -> bytes:
        head = 0x30 | self.dup << 3 | self.qos << 1 | self.retain
        body = self.body(v5=v5)
        return bytes([head]) + length(len(body)) + body


sent = st.builds(
    Sent,
    topic=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    payload=st.binary(max_size=400),
    mid=st.integers(1, 65535),
    qos=st.integers(0, 2),
    retain=st.booleans(),
    dup=st.booleans(),
    expiry=st.none() | st.integers(0, 2**32 - 1),
    label=st.text(st.characters(exclude_categories=["Cs"]), max_size=150),
)
other = st.builds(
    lambda kind, body: bytes([kind << 4]) + length(len(body)) + body,
    st.sampled_from([2, 4, 5, 6, 9, 11, 13, 14]),
    st.binary(max_size=200),
)


def through(pieces: list[bytes], *, v5: bool) -> tuple[list[Publication], bytes, bytes]:
    """What comes of a stream that arrives in pieces, as a connection holds it together; and what is left over."""
    held, others, wanted = b"", b"", 0
    publications: list[Publication] = []
    for piece in pieces:
        held += piece
        if len(held) >= wanted:
            found = split(held, v5=v5)
            publications += found.publications
            others += found.others
            held, wanted = held[found.used :], found.wanted
    return publications, others, held


def expected(packets: list[Sent | bytes], *, v5: bool) -> tuple[list[Publication], bytes]:
    """The same by the library, packet by packet; those of QoS 2 are left to it."""
    publications, others = [], b""
    protocol = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
    for each in packets:
        if isinstance(each, bytes) or each.qos == 2:
            others += each if isinstance(each, bytes) else each.packet(v5=v5)
            continue
        head = each.packet(v5=v5)[0]
        read = decode_publish(head, each.body(v5=v5), protocol)
        publications.append(
            Publication(read.topic.decode(), bytes(read.payload), read.mid, read.qos, bool(read.retain)),
        )
    return publications, others


@given(st.lists(sent | other, max_size=12), st.lists(st.integers(0, 3000), max_size=12), st.booleans())
def test_a_stream_in_any_pieces_gives_what_the_library_reads(
    packets: list[Sent | bytes], cuts: list[int], v5: bool
) -> None:
    stream = b"".join(each if isinstance(each, bytes) else each.packet(v5=v5) for each in packets)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[low:high] for low, high in pairwise(edges)]
    publications, others, left = through(pieces, v5=v5)
    assert (publications, others) == expected(packets, v5=v5)
    assert left == b""


@given(sent, st.integers(0, 500), st.booleans())
def test_the_beginning_of_a_packet_waits_for_the_rest_of_it(each: Sent, cut: int, v5: bool) -> None:
    packet = each.packet(v5=v5)
    found = split(packet[: min(cut, len(packet) - 1)], v5=v5)
    assert (found.publications, found.others, found.used) == ([], b"", 0)
    assert found.wanted in (0, len(packet))


@given(st.binary(max_size=300), st.booleans())
def test_hostile_bytes_lose_nothing_and_are_never_read_in_another_way(body: bytes, v5: bool) -> None:
    """What is not a sound PUBLISH goes to the library untouched, which ends the connection."""
    packet = b"\x32" + length(len(body)) + body
    found = split(packet, v5=v5)
    assert found.used == len(packet)
    if not found.publications:
        assert found.others == packet
        return
    protocol = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
    try:
        read = decode_publish(0x32, body, protocol)
    except MalformedPacket:
        return  # properties that it does not know, or an empty topic of MQTT 3.1.1: passed over
    ours = found.publications[0]
    assert (ours.topic.encode(), ours.payload, ours.mid) == (read.topic, bytes(read.payload), read.mid)


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_are_split_without_a_fault(data: bytes, v5: bool) -> None:
    found = split(data, v5=v5)
    assert 0 <= found.used <= len(data)
    assert found.wanted == 0 or found.wanted > len(data) - found.used


@pytest.mark.parametrize("tail", [b"", b"\x30\x03\x00\x01a"])
def test_a_length_of_five_bytes_is_left_to_the_library_with_all_that_follows(tail: bytes) -> None:
    data = b"\x30\xff\xff\xff\xff\x01" + tail
    assert split(data, v5=True) == ([], data, len(data), 0)


def test_acknowledgements_are_in_the_short_form() -> None:
    assert pubacks([1, 258, 65535]) == b"\x40\x02\x00\x01\x40\x02\x01\x02\x40\x02\xff\xff"
