"""What one Sparkplug B metric says: value, time, quality, unit. Pure.

Integers are two's complement in unsigned fields, of the width that the datatype names. A Float is read as the shortest
decimal that names this very single-precision number: 0.1 sent as a Float is 0.1, not 0.10000000149011612. Text is a
number where it reads as one. Truth values, dates, data sets, templates, files and null are none.

The property ``Quality`` decides whether the value is good: 192, or another code up to 255 of the same class, is;
everything else (0 bad, 500 stale) is not; without it the value is good. The property ``engUnit`` is the unit sent
beside the value where it is one that Wattwell knows; others (``°C``, ``counts``) are passed over, and the meter's
own unit counts.
"""

from __future__ import annotations

import math

import numpy as np

from collector.dialects.base import NO_TIME
from collector.dialects.sparkplug_schema import Metric, Payload, PropertyValue, parse
from collector.scalars import Constant, time_of
from wattwell.units import QuantityKind, units_of

# fmt: off
DATATYPES = (
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean",
    "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template",
)
# fmt: on
"""Names of the datatypes, by number (Sparkplug 3.0, 6.4.16)."""
_UNKNOWN = 0
_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED = frozenset({5, 6, 7, 8})
_FLOATS = frozenset({_UNKNOWN, 9, 10})
_DATE = 13
_FIELD_BITS = {"int_value": 32, "long_value": 64}
_QUALITY, _UNIT = b"Quality", b"engUnit"
_GOOD = range(192, 256)
_KNOWN_UNITS = frozenset(unit for kind in QuantityKind for unit in units_of(kind))


class UnreadableError(ValueError):
    """A metric that cannot be read without its birth, or not as its birth says."""


def metric_names(payload: bytes) -> list[tuple[str, str, str | None]]:
    """(name, datatype, unit) of each named metric, the unit only where it is known; PayloadError where it is none.

    A birth names every metric of its node or device.
    """
    return [
        (text_of(metric.name), datatype_name(metric.datatype), properties_of(metric)[1])
        for metric in parse(payload).metrics
        if metric.name
    ]


def datatype_name(number: int) -> str:
    """The name of a datatype; arrays and what is yet to come by their number."""
    return DATATYPES[number] if number < len(DATATYPES) else f"type {number}"


def text_of(text: bytes) -> str:
    """Text as sent; what is no UTF-8 shows as replacement characters."""
    return text.decode("utf-8", "replace")


def value_of(metric: Metric, datatype: int) -> object:
    """What a metric carries, for ``number_of`` to judge; UnreadableError where ``datatype`` does not fit or is needed.

    ``datatype`` is the metric's own, or its birth's; 0 where neither says.
    """
    field = metric.WhichOneof("value")
    if metric.is_null or field is None:
        return None
    if field in _FIELD_BITS:
        return _integer(metric.int_value if field == "int_value" else metric.long_value, _FIELD_BITS[field], datatype)
    if field in {"float_value", "double_value"}:
        if datatype not in _FLOATS:
            raise UnreadableError(f"a {field} where its birth says {datatype_name(datatype)}")
        value = metric.double_value if field == "double_value" else _shortest(metric.float_value)
        return value if math.isfinite(value) else Constant(value)
    if field == "boolean_value":
        return metric.boolean_value
    return text_of(metric.string_value) if field == "string_value" else f"({field.removesuffix('_value')})"


def _integer(sent: int, width: int, datatype: int) -> int | str:
    if datatype in _UNSIGNED:
        return sent
    bits = _SIGNED_BITS.get(datatype)
    if bits is None:
        if datatype == _DATE:
            return f"({datatype_name(datatype)})"
        missing = "whose datatype no birth has named" if datatype == _UNKNOWN else "where its birth says"
        raise UnreadableError(f"an integer {missing} {datatype_name(datatype) if datatype else ''}".rstrip())
    if sent < 1 << (bits - 1):
        return sent
    # Encoders extend the sign to the datatype's width, or on to the field's.
    for extended in (bits, max(bits, width)):
        value = sent - (1 << extended)
        if -(1 << (bits - 1)) <= value < 0:
            return value
    return f"{sent} as {datatype_name(datatype)}"


def _shortest(single: float) -> float:
    return float(str(np.float32(single)))


def instant_of(metric: Metric, payload: Payload) -> tuple[int, int]:
    """Time and state of a metric: its own timestamp, else the payload's, else none; milliseconds UTC as sent."""
    if metric.HasField("timestamp"):
        return time_of(metric.timestamp, "ms")
    return time_of(payload.timestamp, "ms") if payload.HasField("timestamp") else NO_TIME


def properties_of(metric: Metric) -> tuple[bool, str | None]:
    """Whether the value is good, and the unit sent beside it where it is known."""
    good, unit = True, None
    if metric.HasField("properties"):
        for key, value in zip(metric.properties.keys, metric.properties.values, strict=False):
            if value.is_null:
                continue
            if key == _QUALITY:
                good = _code(value) in _GOOD
            elif key == _UNIT:
                text = text_of(value.string_value)
                unit = text if text in _KNOWN_UNITS else None
    return good, unit


def _code(value: PropertyValue) -> int:
    field = value.WhichOneof("value")
    return value.int_value if field == "int_value" else value.long_value if field == "long_value" else -1
