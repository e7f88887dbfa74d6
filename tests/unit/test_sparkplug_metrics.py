"""Sparkplug B metrics: what a payload says of values, times, quality and units."""

from __future__ import annotations

import struct

import pytest

from collector.dialects.base import PayloadError
from collector.dialects.sparkplug import (
    UnreadableError,
    instant_of,
    metric_names,
    properties_of,
    value_of,
)
from collector.dialects.sparkplug_host import rebirth
from collector.dialects.sparkplug_schema import Metric, parse
from collector.scalars import ABSENT, DEVICE, UNREADABLE, Constant
from tests.collecting import NOW
from tests.sparkplugging import TYPES, metric, payload

# Encoded with the code that protoc makes of Eclipse Tahu's schema.
DBIRTH = bytes.fromhex(
    "0880b5ebb8d33312590a0d456e657267792f496d706f727410071898adebb8d33320094a380a07656e67556e69740a075175616c6974790a07"
    "656e67486967681207080c42034d57681205080318c001120b080a310000000080842e41659a194b4412180a05506f77657210081880b5ebb8"
    "d333200350a4f4ffff0f12250a055461626c6510091880b5ebb8d33320108a01100801120163180922070a051d0000803f123a0a0854656d70"
    "6c617465100a1880b5ebb8d33320139201220a0131121a0a0d456e657267792f496d706f7274200a69000000000000144022017412160a0446"
    "696c65100b1880b5ebb8d333201282010200ff121b0a055374617465100c1880b5ebb8d333200c42034201647a026f6e12130a044f70656e10"
    "0d1880b5ebb8d333200b700112130a04476f6e65100e1880b5ebb8d33320043801180122026131"
)
NCMD = bytes.fromhex("0880b5ebb8d33312210a144e6f646520436f6e74726f6c2f526562697274681880b5ebb8d333200b7001")


def one(encoded: bytes) -> Metric:
    (found,) = parse(payload([encoded])).metrics
    return found


def read(encoded: bytes, datatype: str | None = None) -> object:
    found = one(encoded)
    return value_of(found, found.datatype if datatype is None else TYPES[datatype])


def test_a_birth_as_other_software_encodes_it() -> None:
    birth = parse(DBIRTH)
    assert birth.seq == 1
    assert metric_names(DBIRTH) == [
        ("Energy/Import", "Float", "MWh"),
        ("Power", "Int32", None),
        ("Table", "DataSet", None),
        ("Template", "Template", None),
        ("File", "File", None),
        ("State", "String", None),
        ("Open", "Boolean", None),
        ("Gone", "Int64", None),
    ]
    assert [value_of(m, m.datatype) for m in birth.metrics] == [
        812.4,
        -1500,
        "(dataset)",
        "(template)",
        "(bytes)",
        "on",
        True,
        None,
    ]
    assert [instant_of(m, birth)[0] - NOW for m in birth.metrics] == [-1_000_000] + 7 * [0]
    assert [properties_of(m) for m in birth.metrics] == [(True, "MWh")] + 7 * [(True, None)]


def test_the_command_is_the_one_that_other_software_encodes() -> None:
    assert rebirth(NOW) == NCMD


@pytest.mark.parametrize(
    ("kind", "value", "into"),
    [
        ("Int8", -1, 10),
        ("Int8", 127, 10),
        ("Int16", -32768, 10),
        ("Int32", -(2**31), 10),
        ("Int32", 2**31 - 1, 10),
        ("Int32", -5, 11),
        ("Int64", -(2**63), 11),
        ("Int64", 2**63 - 1, 11),
        ("Int64", 5, 10),
        ("UInt8", 255, 10),
        ("UInt16", 65535, 10),
        ("UInt32", 2**32 - 1, 10),
        ("UInt32", 2**32 - 1, 11),
        ("UInt64", 2**64 - 1, 11),
    ],
)
def test_integers_are_of_the_width_and_sign_that_the_datatype_names(kind: str, value: int, into: int) -> None:
    assert read(metric("m", value, kind, into=into)) == value


def test_a_sign_may_be_extended_to_the_datatype_alone() -> None:
    assert read(metric("m", 0xFF, "Int8")) == -1
    assert read(metric("m", 0xFF38, "Int16")) == -200
    assert read(metric("m", 2**32 - 5, "Int32", into=11)) == -5


def test_an_integer_that_its_datatype_cannot_hold_is_no_number() -> None:
    assert read(metric("m", 300, "Int8")) == "300 as Int8"


@pytest.mark.parametrize("value", [0.1, 812.4, 1e-7, 123456.7, -0.25, 16777216.0, 0.0])
def test_a_float_is_the_shortest_decimal_that_names_it(value: float) -> None:
    assert struct.unpack("<f", struct.pack("<f", value))[0] != value or value in (-0.25, 16777216.0, 0.0)
    assert read(metric("m", value, "Float")) == value


def test_a_double_is_itself() -> None:
    assert read(metric("m", 0.10000000149011612, "Double")) == 0.10000000149011612


@pytest.mark.parametrize(("kind", "sent"), [("Float", "inf"), ("Double", "nan"), ("Double", "-inf")])
def test_nan_and_infinities_are_known_as_sent(kind: str, sent: str) -> None:
    found = read(metric("m", float(sent), kind))
    assert isinstance(found, Constant)
    assert str(float(found)) == sent


def test_what_is_no_number() -> None:
    assert read(metric("m", 1, "Boolean")) is True
    assert read(metric("m", NOW // 1000, "DateTime")) == "(DateTime)"
    assert read(metric("m", "12.5", "String")) == "12.5"
    assert read(metric("m", 5, null=True)) is None
    assert read(metric("m")) is None


@pytest.mark.parametrize(
    ("encoded", "datatype", "says"),
    [
        (metric("m", 5, "Int32"), "Unknown", "an integer whose datatype no birth has named"),
        (metric("m", 5, "Int32"), "Float", "an integer where its birth says Float"),
        (metric("m", 5.0, "Double"), "Int32", "a double_value where its birth says Int32"),
    ],
)
def test_a_value_that_its_datatype_does_not_explain_is_not_read(encoded: bytes, datatype: str, says: str) -> None:
    with pytest.raises(UnreadableError, match=f"^{says}$"):
        read(encoded, datatype)


def test_times_are_the_metrics_then_the_payloads() -> None:
    both = parse(payload([metric("a", 1, at=NOW - 1000), metric("b", 1), metric("c", 1, at=10**24)], at=NOW))
    assert [instant_of(m, both) for m in both.metrics] == [(NOW - 1000, DEVICE), (NOW, DEVICE), (0, UNREADABLE)]
    bare = parse(payload([metric("a", 1)]))
    assert [instant_of(m, bare)[1] for m in bare.metrics] == [ABSENT]


@pytest.mark.parametrize(
    ("quality", "good"), [(192, True), (216, True), (0, False), (64, False), (256, False), (500, False), (191, False)]
)
def test_quality(quality: int, good: bool) -> None:
    assert properties_of(one(metric("m", 1, properties={"Quality": quality}))) == (good, None)


def test_a_quality_that_is_no_code_is_not_good() -> None:
    assert properties_of(one(metric("m", 1, properties={"Quality": "Good"}))) == (False, None)


def test_units_that_are_known_count() -> None:
    assert properties_of(one(metric("m", 1, properties={"engUnit": "kWh", "Quality": 192}))) == (True, "kWh")
    assert properties_of(one(metric("m", 1, properties={"engUnit": "counts"}))) == (True, None)
    assert properties_of(one(metric("m", 1, properties={"engUnit": 5}))) == (True, None)


@pytest.mark.parametrize("raw", [b"\xff", b"\x12\x05ab", b"{", b"\x0a"])
def test_what_is_no_payload_is_refused(raw: bytes) -> None:
    with pytest.raises(PayloadError):
        parse(raw)
    with pytest.raises(PayloadError):
        metric_names(raw)


def test_an_empty_payload_is_a_payload() -> None:
    assert metric_names(b"") == []


def test_a_name_that_is_no_text_harms_nobody() -> None:
    body = payload([b"\x0a\x02\xff\xfe\x20\x0a", metric("m", 1.5, "Double")])
    assert metric_names(body) == [("\ufffd\ufffd", "Double", None), ("m", "Double", None)]
