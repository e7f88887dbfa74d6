"""PUBLISH packets cut out of what a broker sends (MQTT 3.1.1 and 5, section 3.3), and their acknowledgements. Pure.

A collector lives on these packets alone, thousands a second, and needs four things of each. Everything else, and a
PUBLISH that is out of order, is left to the client library, which knows what must follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_PUBLISH = 3
_LENGTH_BYTES = 4
"""Most bytes of a remaining length (MQTT 5, 1.5.5)."""
_WHOLE = -1
"""Size of a packet whose length is out of order: all that follows it."""


class Publication(NamedTuple):
    """One PUBLISH packet of QoS 0 or 1."""

    topic: str
    payload: bytes
    mid: int
    """Its packet identifier; 0 at QoS 0."""
    qos: int
    retain: bool


class Split(NamedTuple):
    """What a piece of a stream holds."""

    publications: list[Publication]
    others: bytes
    """All other packets, in order."""
    used: int
    """Bytes of the piece that these are; what follows is the beginning of a packet."""
    wanted: int
    """Bytes that the piece must have from ``used`` on before there is more to see; 0 where that is not known yet."""


def split(data: bytes, *, v5: bool) -> Split:
    """The whole packets at the beginning of a stream, or of what was left of it; ``v5``: of MQTT 5."""
    publications: list[Publication] = []
    others: list[bytes] = []
    at, end, wanted = 0, len(data), 0
    while at < end:
        head, size = _measure(data, at)
        if size == _WHOLE:
            others.append(data[at:])
            at = end
        elif size == 0 or at + size > end:
            wanted = size
            break
        else:
            found = _publication(data, at, head, at + size, v5=v5) if data[at] >> 4 == _PUBLISH else None
            if found is None:
                others.append(data[at : at + size])
            else:
                publications.append(found)
            at += size
    return Split(publications, b"".join(others), at, wanted)


def _measure(data: bytes, at: int) -> tuple[int, int]:
    """Bytes before the variable header of the packet at ``at``, and of it all; (0, 0) while these are not there."""
    length = shift = 0
    for position in range(at + 1, min(at + 1 + _LENGTH_BYTES, len(data))):
        byte = data[position]
        length |= (byte & 127) << shift
        if byte < 128:
            head = position + 1 - at
            return head, head + length
        shift += 7
    return 0, _WHOLE if len(data) > at + _LENGTH_BYTES else 0


def _publication(data: bytes, at: int, head: int, end: int, *, v5: bool) -> Publication | None:
    """The PUBLISH packet at ``at`` that ends at ``end``; None where it is out of order, or of QoS 2."""
    flags = data[at]
    qos = flags >> 1 & 3
    topic_at = at + head + 2
    rest = topic_at + (data[topic_at - 2] << 8 | data[topic_at - 1]) if topic_at <= end else end + 1
    payload_at = rest + 2 * qos
    if qos > 1 or payload_at > end:
        return None
    mid = data[rest] << 8 | data[rest + 1] if qos else 0
    if v5:
        inner, size = _measure(data, payload_at - 1)  # the properties, laid out as a packet is: a length and so much
        if inner == 0 or payload_at - 1 + size > end:
            return None
        payload_at += size - 1
    try:
        topic = data[topic_at:rest].decode("utf-8")
    except UnicodeDecodeError:
        return None
    return Publication(topic, data[payload_at:end], mid, qos, bool(flags & 1))


def pubacks(mids: Iterable[int]) -> bytes:
    """A PUBACK for each packet identifier, in the short form of success, which both versions know."""
    return b"".join(b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids)
