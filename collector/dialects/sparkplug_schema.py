"""The protobuf form of a Sparkplug B payload, as far as readings need it. Pure.

Field numbers and types are those of the Sparkplug 3.0 specification, chapter 6. Text is taken as bytes, which is the
same on the wire, so that no device can send a name that is no UTF-8 and break the whole message with it. What is not
named here (metadata, extensions) is skipped; data sets, templates and files are kept as they are and never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Protocol, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from collector.dialects.base import PayloadError

BOOLEAN = 11
"""Datatype of a truth value."""
_PACKAGE = "wattwell.sparkplug"
_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
    "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
}
_FIELDS = {
    "Payload": "uint64 timestamp 1, Metric* metrics 2, uint64 seq 3",
    "Metric": "bytes name 1, uint64 alias 2, uint64 timestamp 3, uint32 datatype 4, bool is_historical 5,"
    "bool is_null 7, PropertySet properties 9, uint32 int_value 10, uint64 long_value 11, float float_value 12,"
    "double double_value 13, bool boolean_value 14, bytes string_value 15, bytes bytes_value 16,"
    "bytes dataset_value 17, bytes template_value 18",
    "PropertySet": "bytes* keys 1, PropertyValue* values 2",
    "PropertyValue": "bool is_null 2, uint32 int_value 3, uint64 long_value 4, bytes string_value 8",
}
"""``TYPE NAME NUMBER`` of each field; a star marks a repeated one, and all ``..._value`` exclude one another."""


class PropertyValue(Protocol):
    """What a property says."""

    is_null: bool
    int_value: int
    long_value: int
    string_value: bytes

    def WhichOneof(self, name: str) -> str | None: ...  # noqa: N802 - protobuf's name


class PropertySet(Protocol):
    """Properties of a metric: keys and values side by side."""

    keys: Sequence[bytes]
    values: Sequence[PropertyValue]


class Metric(Protocol):
    """One metric: named, or by the alias that its birth gave it."""

    name: bytes
    alias: int
    timestamp: int
    """Milliseconds UTC."""
    datatype: int
    is_historical: bool
    is_null: bool
    properties: PropertySet
    int_value: int
    long_value: int
    float_value: float
    double_value: float
    boolean_value: bool
    string_value: bytes

    def HasField(self, name: str) -> bool: ...  # noqa: N802 - protobuf's name
    def WhichOneof(self, name: str) -> str | None: ...  # noqa: N802 - protobuf's name


class Metrics(Protocol):
    """The metrics of a message."""

    def __iter__(self) -> Iterator[Metric]: ...
    def __len__(self) -> int: ...
    def add(self) -> Metric:
        """A new one at the end."""


class Payload(Protocol):
    """One Sparkplug message."""

    timestamp: int
    """Milliseconds UTC."""
    seq: int
    metrics: Metrics

    def HasField(self, name: str) -> bool: ...  # noqa: N802 - protobuf's name
    def SerializeToString(self) -> bytes: ...  # noqa: N802 - protobuf's name
    def ParseFromString(self, data: bytes) -> int: ...  # noqa: N802 - protobuf's name


def new_payload() -> Payload:
    """An empty payload, to be filled."""
    return cast("Payload", _payload_class()())


def parse(data: bytes) -> Payload:
    """The payload in a message; PayloadError where it is none."""
    payload = new_payload()
    try:
        payload.ParseFromString(data)
    except DecodeError as error:
        raise PayloadError(str(error)) from None
    return payload


@cache
def _payload_class() -> type:
    file = descriptor_pb2.FileDescriptorProto(name="wattwell/sparkplug.proto", package=_PACKAGE, syntax="proto2")
    for message, fields in _FIELDS.items():
        kind = file.message_type.add(name=message)
        for text in fields.split(","):
            _add_field(kind, *text.split())
    # A pool of its own: no other library's copy of the same schema can meet it.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


def _add_field(message: descriptor_pb2.DescriptorProto, kind: str, name: str, number: str) -> None:
    field = message.field.add(name=name, number=int(number))
    field.label = _Field.LABEL_REPEATED if kind.endswith("*") else _Field.LABEL_OPTIONAL
    plain = kind.rstrip("*")
    if plain in _TYPES:
        field.type = _TYPES[plain]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{plain}"
    if name.endswith("_value"):
        if not message.oneof_decl:
            message.oneof_decl.add(name="value")
        field.oneof_index = 0
