"""Sparkplug B for tests: an encoder of its own, so that the product's reader meets bytes that it has not made."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from collector.dialects.base import Message
from tests.collecting import NOW
from wattwell.model import Source

TYPES = {
    name: number
    for number, name in enumerate(
        "Unknown Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float Double Boolean String DateTime".split()  # noqa: SIM905
    )
}
_FIELDS = {
    **dict.fromkeys(("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"), 10),
    **dict.fromkeys(("Int64", "UInt64", "DateTime"), 11),
    "Float": 12,
    "Double": 13,
    "Boolean": 14,
    "String": 15,
}
TOPIC = "spBv1.0/plant/{}/edge1"


def varint(number: int) -> bytes:
    """A whole number in groups of seven bits, the lowest first."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: bytes | str | int | float, single: bool = False) -> bytes:
    """One protobuf field: text and bytes with their length, whole numbers as varints, floats as they are."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | (5 if single else 1)) + struct.pack("<f" if single else "<d", value)
    return varint(number << 3) + varint(int(value))


def metric(
    name: str | None = None,
    value: Any = None,
    kind: str | None = "Int64",
    *,
    alias: int | None = None,
    at: int | None = None,
    into: int | None = None,
    historical: bool = False,
    null: bool = False,
    typed: bool = True,
    properties: dict[str, int | str] | None = None,
) -> bytes:
    """One metric; ``at`` in microseconds, ``into`` another field for the value, ``typed=False`` without its datatype.

    Negative integers are sent as encoders do: two's complement in the width of the field.
    """
    out = b"" if name is None else field(1, name)
    out += b"" if alias is None else field(2, alias)
    out += b"" if at is None else field(3, at // 1000)
    out += field(4, TYPES[kind]) if kind is not None and typed else b""
    out += field(5, 1) if historical else b""
    out += field(7, 1) if null else b""
    if properties is not None:
        kinds = {str: 8, int: 3}
        values = [field(2, field(1, 12) + field(kinds[type(one)], one)) for one in properties.values()]
        out += field(9, b"".join([field(1, key) for key in properties] + values))
    if value is not None:
        number = into or _FIELDS[kind or "Double"]
        if number in (10, 11):
            value = int(value) % (1 << (32 if number == 10 else 64))
        elif number in (12, 13):
            value = float(value)
        out += field(number, value, number == 12)
    return out


def payload(metrics: Sequence[bytes] = (), *, at: int | None = None, seq: int | None = None) -> bytes:
    """One Sparkplug payload; ``at`` in microseconds."""
    out = b"" if at is None else field(1, at // 1000)
    out += b"".join(field(2, one) for one in metrics)
    return out + (b"" if seq is None else field(3, seq))


def edge(kind: str, body: bytes, device: str = "", *, received: int = NOW, retained: bool = False) -> Message:
    """A message of the edge node plant/edge1, or of a device of its."""
    return Message(TOPIC.format(kind) + (f"/{device}" if device else ""), body, retained, received)


def bd_seq(number: int) -> bytes:
    """The metric that ties a death to its birth."""
    return metric("bdSeq", number, "UInt64")


def sparkplug(value: str, device: str = "pdu7", **changes: Any) -> Source:
    """A source in the edge node plant/edge1."""
    topic = TOPIC.format("+") + (f"/{device}" if device else "")
    return Source(topic=topic, decoder="sparkplug", value=value, **changes)
