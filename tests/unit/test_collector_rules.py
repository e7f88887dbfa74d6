"""Every rule by which a reading is accepted or rejected, through the live path."""

from __future__ import annotations

import json

import pytest

from collector.normalise import MeterTable, normalise
from collector.points import PointsBuilder
from collector.scalars import DEVICE
from tests.collecting import LATE, NOW, live, message, meter, rows, site
from wattwell.intervals import FIRST_INSTANT, MINUTE, SECOND, iso
from wattwell.model import REASONS, Source

T = iso(NOW - MINUTE)
AT = NOW - MINUTE


def doc(value: object, time: object = T, **more: object) -> str:
    return json.dumps({"time": time, "value": value, **more})


def raw(value: str) -> str:
    return f'{{"time": "{T}", "value": {value}}}'


REFUSED = {
    "no offset": (doc(1, "2026-03-29T00:59:00"), {}, "time.invalid"),
    "time is words": (doc(1, "yesterday"), {}, "time.invalid"),
    "time is null": (doc(1, None), {}, "time.invalid"),
    "time is true": (doc(1, time=True), {}, "time.invalid"),
    "time is an object": (doc(1, {}), {}, "time.invalid"),
    "time out of all years": (doc(1, 10**300), {}, "time.invalid"),
    "time of 5000 digits": (f'{{"time": {"9" * 5000}, "value": 1}}', {}, "time.invalid"),
    "time NaN": ('{"time": NaN, "value": 1}', {}, "time.invalid"),
    "five minutes and a microsecond ahead": (doc(1, iso(NOW + 5 * MINUTE + 1)), {}, "clock.future"),
    "older than the late limit": (doc(1, iso(NOW - LATE - 1)), {}, "clock.past"),
    "the clock comes before the value": (doc("x", iso(NOW - LATE - 1)), {}, "clock.past"),
    "true": (doc(value=True), {}, "value.type"),
    "null": (doc(None), {}, "value.type"),
    "words": (doc("full"), {}, "value.type"),
    "empty text": (doc(""), {}, "value.type"),
    "underscores": (doc("1_000"), {}, "value.type"),
    "blanks": (doc(" 1"), {}, "value.type"),
    "comma": (doc("1,5"), {}, "value.type"),
    "hexadecimal": (doc("0x10"), {}, "value.type"),
    "other digits": (doc("\u0661"), {}, "value.type"),
    "object": (doc({"a": 1}), {}, "value.type"),
    "list": (doc([1]), {}, "value.type"),
    "no value": (json.dumps({"time": T}), {}, "value.type"),
    "type before unit": (doc("x", unit="L"), {}, "value.type"),
    "unit of another quantity": (doc(1, unit="L"), {}, "unit.wrong"),
    "unit in the wrong case": (doc(1, unit="kwh"), {}, "unit.wrong"),
    "unit is a number": (doc(1, unit=1), {}, "unit.wrong"),
    "unit before sentinel": (doc(65535, unit="L"), {}, "unit.wrong"),
    "65535": (doc(65535), {}, "value.sentinel"),
    "4294967295": (doc(4294967295.0), {}, "value.sentinel"),
    "-32768 before range": (doc(-32768), {}, "value.sentinel"),
    "32768 as text": (doc("32768"), {}, "value.sentinel"),
    "sentinel as sent, before the unit": (doc(65535, unit="Wh"), {}, "value.sentinel"),
    "own sentinel": (doc(9999.9), {"sentinels": (9999.9,)}, "value.sentinel"),
    "NaN": (raw("NaN"), {}, "value.sentinel"),
    "Infinity": (raw("Infinity"), {}, "value.sentinel"),
    "-Infinity": (raw("-Infinity"), {"sentinels": ()}, "value.sentinel"),
    "nan as text": (doc("nan"), {}, "value.sentinel"),
    "a dial below zero": (doc(-0.1), {}, "value.range"),
    "a dial at rollover": (doc(1000), {"rollover_at": 1000.0}, "value.range"),
    "more than a double": (raw("1e400"), {}, "value.range"),
    "400 digits": (raw("1" + "0" * 400), {}, "value.range"),
    "10000 digits": (raw("9" * 10_000), {}, "value.range"),
    "too large as text": (doc("1e400"), {}, "value.range"),
    "too large once converted": (doc(1e308, unit="GWh"), {}, "value.range"),
    "below the range": (doc(9.9), {"range": (10.0, 20.0)}, "value.range"),
    "above the range": (doc(20.1), {"range": (10.0, 20.0)}, "value.range"),
    "range in the meter's unit": (doc(30, unit="MWh"), {"range": (0.0, 20_000.0)}, "value.range"),
    "negative amount": (doc(-1), {"accumulation": "delta"}, "value.range"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_reading_is_refused_for_the_first_reason_that_applies(name: str) -> None:
    payload, changes, reason = REFUSED[name]
    judged = live([message(payload)], [meter(**changes)])
    assert [reject.reason for reject in judged.rejects] == [reason]
    assert judged.rejects[0].site == "s"
    assert judged.rejects[0].meter == "grid-a"
    assert judged.rejects[0].topic == "wattwell/s/grid-a"
    assert len(judged.rejects[0].value) <= 200
    by_value = reason in ("value.type", "unit.wrong", "value.sentinel", "value.range")
    assert rows(judged.readings) == ([("grid-a", AT, None)] if by_value else [])
    assert judged.accepted == 0


ACCEPTED = {
    "number": (doc(812.4), {}, 812.4),
    "whole number": (doc(7), {}, 7.0),
    "text": (doc("812.4"), {}, 812.4),
    "text with exponent": (doc("+1.5e3"), {}, 1500.0),
    "unit beside the value": (doc(812400, unit="Wh"), {}, 812.4),
    "empty unit": (doc(5, unit=""), {}, 5.0),
    "null unit": (doc(5, unit=None), {}, 5.0),
    "no default sentinels": (doc(65535), {"sentinels": (1.0,)}, 65535.0),
    "sentinel only after the unit": (doc(65535000, unit="Wh"), {}, 65535.0),
    "zero": (doc(0), {}, 0.0),
    "just below rollover": (doc(999.9), {"rollover_at": 1000.0}, 999.9),
    "edges of a range": (doc(20), {"range": (10.0, 20.0)}, 20.0),
    "a range replaces the dial's rule": (doc(-5), {"range": (-10.0, 20.0)}, -5.0),
    "last of a repeated key": (f'{{"time": "{T}", "value": 1, "value": 2}}', {}, 2.0),
    "offset": (doc(3, "2026-03-29T02:59:00+02:00"), {}, 3.0),
    "number as time": (doc(4, AT // SECOND), {}, 4.0),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_good_reading_is_kept_in_the_meters_unit(name: str) -> None:
    payload, changes, value = ACCEPTED[name]
    judged = live([message(payload)], [meter(**changes)])
    assert judged.rejects == []
    assert rows(judged.readings) == [("grid-a", AT, value)]
    assert judged.readings.arrival_time.tolist() == [False]
    assert judged.readings.received_at.tolist() == [NOW]


def test_exactly_five_minutes_ahead_and_exactly_the_late_limit_are_accepted() -> None:
    times = [NOW + 5 * MINUTE, NOW - LATE]
    judged = live([message(doc(1, iso(time))) for time in times], [meter()])
    assert judged.rejects == []
    assert [row[1] for row in rows(judged.readings)] == times


def test_without_a_late_limit_only_2000_is_too_old() -> None:
    judged = live([message(doc(1, iso(FIRST_INSTANT - 1))), message(doc(1, iso(FIRST_INSTANT)))], [meter()], late=None)
    assert [reject.reason for reject in judged.rejects] == ["clock.past"]
    assert judged.rejects[0].at == FIRST_INSTANT - 1
    assert [row[1] for row in rows(judged.readings)] == [FIRST_INSTANT]


def test_without_a_time_the_arrival_counts_and_is_marked() -> None:
    judged = live([message("17.5"), message('{"value": 18}')], [meter()])
    assert rows(judged.readings) == [("grid-a", NOW, 17.5), ("grid-a", NOW, 18.0)]
    assert judged.readings.arrival_time.tolist() == [True, True]


@pytest.mark.parametrize("accumulation", ["register", "delta", "instantaneous"])
def test_a_retained_message_never_takes_its_arrival_time(accumulation: str) -> None:
    quantity = "power" if accumulation == "instantaneous" else "energy"
    judged = live([message("17.5", retained=True)], [meter("grid-a", quantity, accumulation)])
    assert [(reject.reason, reject.at, reject.value) for reject in judged.rejects] == [("retained", None, "17.5")]
    assert len(judged.readings) == 0


def test_a_retained_message_with_device_time_is_a_reading() -> None:
    judged = live([message(doc(5), retained=True)], [meter()])
    assert rows(judged.readings) == [("grid-a", AT, 5.0)]


def test_a_rate_is_judged_as_a_real_flow_after_unit_and_multiplier() -> None:
    since = AT - MINUTE
    one = meter("grid-a", "power", "instantaneous", unit="W", max_rate=100.0, factors=((-(2**62), 2.0), (since, -40.0)))
    before, after = iso(since - 1), iso(since)
    payloads = [
        doc(50_000, before),
        doc(50_001, before),
        doc(2500, after),
        doc(-2501, after),
        doc(2.501, after, unit="kW"),
    ]
    judged = live([message(payload) for payload in payloads], [one])
    assert [reject.value for reject in judged.rejects] == ["50001", "-2501", "2.501"]
    assert {reject.reason for reject in judged.rejects} == {"value.range"}
    assert [row[2] for row in rows(judged.readings)] == [50_000.0, None, 2500.0, None, None]


def test_a_state_has_no_limits_but_its_own_and_temperature_units_have_a_zero() -> None:
    one = meter("oat", "temperature", "instantaneous", max_rate=1.0)
    judged = live([message(doc(14, unit="degF"), "wattwell/s/oat")], [one])
    assert rows(judged.readings) == [("oat", AT, -10.0)]


def test_a_site_document_carries_many_meters_and_lists_strangers() -> None:
    meters = [meter("a"), meter("b", "power", "instantaneous"), meter("own", source=Source(topic="x/y"))]
    values = {"a": 1, "b": {"value": 2000, "unit": "W"}, "ghost": 3, "own": 4, "\ud800": 5}
    judged = live([message(json.dumps({"time": T, "values": values}), "wattwell/s")], meters)
    assert rows(judged.readings) == [("a", AT, 1.0), ("b", AT, 2.0)]
    strangers = [(reject.reason, reject.meter, reject.value) for reject in judged.rejects]
    assert strangers == [("point.unknown", "ghost", "3"), ("point.unknown", "own", "4"), ("point.unknown", "?", "5")]


def test_a_virtual_meter_has_no_readings() -> None:
    meters = [meter("a"), meter("sum", formula=((1, "a"),))]
    judged = live([message(json.dumps({"values": {"sum": 4}}), "wattwell/s")], meters)
    assert [reject.reason for reject in judged.rejects] == ["point.unknown"]


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"\xff\xfe", b'{"value": 1', b"[" * 100_000, b'{"a":' * 50_000, b"value=1", b"1 2", b"\x00"],
)
def test_a_payload_that_is_no_document_is_one_reject(payload: bytes) -> None:
    judged = live([message(payload)], [meter()])
    assert [(reject.reason, reject.meter, reject.at) for reject in judged.rejects] == [
        ("payload.invalid", "grid-a", None)
    ]
    assert len(judged.readings) == 0


@pytest.mark.parametrize("payload", ["5", "[1]", '{"values": [1]}', '{"time": 1}', "null"])
def test_a_site_topic_needs_an_object_of_values(payload: str) -> None:
    judged = live([message(payload, "wattwell/s")], [meter("a"), meter("b")])
    assert [(reject.reason, reject.site, reject.meter) for reject in judged.rejects] == [("payload.invalid", "s", None)]


def test_the_reasons_of_the_rules_are_those_of_the_model() -> None:
    assert {reason for _, _, reason in REFUSED.values()} | {
        "point.unknown",
        "retained",
        "payload.invalid",
        "conflict",
        "quality.bad",
    } == set(REASONS)


def test_what_its_own_device_calls_bad_comes_before_what_it_is() -> None:
    table = MeterTable.of([site([meter("a")])])
    out = PointsBuilder()
    out.message("t", NOW, retained=False)
    out.add_bad(0, (NOW, DEVICE), "no number either")
    judged = normalise(out.build(), table, LATE)
    assert [(reject.reason, reject.at, reject.value) for reject in judged.rejects] == [
        ("quality.bad", NOW, "no number either")
    ]
    assert rows(judged.readings) == [("a", NOW, None)]


def test_a_configuration_without_meters_reads_nothing() -> None:
    judged = normalise(PointsBuilder().build(), MeterTable.of([]), LATE)
    assert len(judged.readings) == 0
    assert judged.rejects == []
