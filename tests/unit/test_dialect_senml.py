"""SenML packs: the examples of RFC 8428, resolved by its rules, and registers booked by METERING's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.collecting import live
from tests.fielding import booked, bound, rate, read, refused, sent
from wattwell.config import parse
from wattwell.errors import ConfigError
from wattwell.intervals import SECOND, iso, parse_iso

GOLDEN = Path(__file__).parents[1] / "golden" / "dialects"
TOPIC = "sensors/hall-1"
AT = "2026-03-29T01:00:00Z"
SECONDS = parse_iso(AT) // SECOND
OW = "urn:dev:ow:10e2073a01080063"


def example(section: str) -> str:
    return (GOLDEN / f"senml-rfc8428-{section}.json").read_text(encoding="utf-8")


def energy(value: str, **changes: Any) -> Any:
    return bound("senml", TOPIC, value, **changes)


def test_a_single_value_without_time_was_measured_at_its_arrival() -> None:
    meter = rate("senml", TOPIC, OW, "temperature")
    assert read([sent(TOPIC, example("5.1.1"), AT)], [meter]) == [("grid-a", AT, 23.1)]
    assert live([sent(TOPIC, example("5.1.1"), AT)], [meter]).readings.arrival_time.tolist() == [True]


def test_times_before_the_base_time() -> None:
    at = "2010-06-08T18:01:17Z"
    meter = rate("senml", TOPIC, "urn:dev:ow:10e2073a0108006:current", "ratio")
    assert refused([sent(TOPIC, example("5.1.2"), at)], [meter])[0] == ("unit.wrong", "1.2 A")
    blind = rate("senml", TOPIC, "urn:dev:ow:10e2073a0108006:current", "ratio", source=unitless(meter))
    assert read([sent(TOPIC, example("5.1.2"), at)], [blind]) == [
        ("grid-a", "2010-06-08T18:01:11.001000Z", 1.2),
        ("grid-a", "2010-06-08T18:01:12.001000Z", 1.3),
        ("grid-a", "2010-06-08T18:01:13.001000Z", 1.4),
        ("grid-a", "2010-06-08T18:01:14.001000Z", 1.5),
        ("grid-a", "2010-06-08T18:01:15.001000Z", 1.6),
        ("grid-a", "2010-06-08T18:01:16.001000Z", 1.7),
    ]


def unitless(meter: Any) -> Any:
    return replace(meter.source, unit=None)


def test_resolved_records_say_the_same() -> None:
    """Records of one name with another unit beside it: position and battery are no humidity."""
    meter = rate("senml", TOPIC, OW, "humidity", unit="%")
    messages = [[sent(TOPIC, example(section), "2011-10-31T13:27:30Z")] for section in ("5.1.3", "5.1.4")]
    humidity = [
        ("grid-a", "2011-10-31T13:24:24Z", 20.0),
        ("grid-a", "2011-10-31T13:25:24Z", 20.3),
        ("grid-a", "2011-10-31T13:26:24Z", 20.7),
        ("grid-a", "2011-10-31T13:27:24Z", 21.2),
    ]
    assert [read(each, [meter]) for each in messages] == [humidity, humidity]
    wrong = [refused(each, [meter]) for each in messages]
    assert wrong[0] == wrong[1]
    assert {reason for reason, _ in wrong[0]} == {"unit.wrong"}
    assert len(wrong[0]) == 9


def test_values_of_other_types_are_no_amounts() -> None:
    def told(name: str) -> list[tuple[str, str | None]]:
        return refused([sent(TOPIC, example("5.1.5"), AT)], [rate("senml", TOPIC, f"{OW}:{name}", "temperature")])

    assert told("temp") == []
    assert told("label") == [("value.type", "Machine Room")]
    assert told("open") == [("value.type", "false")]
    assert told("nfc-reader") == [("value.type", "{'vd': 'aGkgCg'}")]


def test_a_dial_in_parts_books_the_exact_energy() -> None:
    text = (GOLDEN / "senml-dial.json").read_text(encoding="utf-8")
    messages = [sent(TOPIC, text, "2026-03-29T01:02:01Z")]
    dial = energy("urn:dev:mac:0024befffe804ff1:import", unit="Wh")
    assert read(messages, [dial]) == [
        ("grid-a", "2026-03-29T01:00:00Z", 812000123.4),
        ("grid-a", "2026-03-29T01:01:00Z", 812000331.7),
        ("grid-a", "2026-03-29T01:02:00Z", 812000540.1),
    ]
    assert booked(messages, dial).total == pytest.approx(0.4167, abs=1e-9)
    integral = energy("urn:dev:mac:0024befffe804ff1:power s")
    assert read(messages, [integral]) == [
        ("grid-a", "2026-03-29T01:00:00Z", 2001.0),
        ("grid-a", "2026-03-29T01:02:00Z", pytest.approx(2001 + 1_500_000 / 3_600_000, abs=1e-9)),
    ]
    assert booked(messages, integral).total == pytest.approx(1_500_000 / 3_600_000, abs=1e-9)


@pytest.mark.parametrize(
    ("base", "value", "total"),
    [
        (0.1, 0.2, 0.3),
        (812000, 0.1, 812000.1),
        (1, 2, 3.0),
        (-5, 7.5, 2.5),
        (2**53, 1, float(2**53 + 1)),
        (0, 0.1, 0.1),
    ],
)
def test_base_and_value_add_up_as_written(base: float, value: float, total: float) -> None:
    pack = [{"bn": "d:", "bv": base, "bs": base}, {"n": "e", "v": value, "s": value}]
    assert read([sent(TOPIC, pack, AT)], [energy("d:e")]) == [("grid-a", AT, total)]
    assert read([sent(TOPIC, pack, AT)], [energy("d:e s")]) == [("grid-a", AT, total)]


def test_base_fields_hold_until_they_are_replaced() -> None:
    pack = [
        {"bn": "a:", "bt": SECONDS - 100, "bu": "kWh", "bv": 5},
        {"n": "e", "v": 1},
        {"n": "e", "t": 10},
        {"bn": "b:", "bu": "Wh", "bv": 0},
        {"n": "e", "v": 7000, "t": 20},
        {"n": "e", "v": 8, "t": 30, "u": "kWh"},
        {"bn": "c", "bt": 0, "v": 9},
    ]
    found = {name: read([sent(TOPIC, pack, AT)], [energy(name)]) for name in ("a:e", "b:e", "c", "a:", "b:")}
    base = (SECONDS - 100) * SECOND
    assert found == {
        "a:e": [("grid-a", iso(base), 6.0), ("grid-a", iso(base + 10 * SECOND), 5.0)],
        "b:e": [("grid-a", iso(base + 20 * SECOND), 7.0), ("grid-a", iso(base + 30 * SECOND), 8.0)],
        "c": [("grid-a", AT, 0.009)],
        "a:": [],  # a record of base fields alone says nothing by itself
        "b:": [],
    }


@pytest.mark.parametrize(
    ("time", "at", "by_arrival"),
    [
        ({"t": SECONDS - 60}, "2026-03-29T00:59:00Z", False),
        ({"t": -60}, "2026-03-29T00:59:00Z", True),
        ({"t": 30.5}, "2026-03-29T01:00:30.500000Z", True),
        ({"bt": -60, "t": 10}, "2026-03-29T00:59:10Z", True),
        ({"bt": SECONDS, "t": -0.25}, "2026-03-29T00:59:59.750000Z", False),
        ({"t": 0}, AT, True),
        ({}, AT, True),
    ],
)
def test_times(time: dict[str, float], at: str, *, by_arrival: bool) -> None:
    pack = [{"n": "e", "v": 1, **time}]
    found = live([sent(TOPIC, pack, AT)], [energy("e")])
    assert [iso(each) for each in found.readings.at.tolist()] == [at]
    assert found.readings.arrival_time.tolist() == [by_arrival]
    kept = [] if not by_arrival else [("retained", "1")]
    assert refused([sent(TOPIC, pack, AT, retained=True)], [energy("e")]) == kept


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("now", "time.invalid"),
        (None, "time.invalid"),
        (2**28 - 1, "clock.future"),
        (2**28, "clock.past"),
        (-1e300, "time.invalid"),
    ],
)
def test_times_that_cannot_be(time: object, reason: str) -> None:
    assert [why for why, _ in refused([sent(TOPIC, [{"n": "e", "v": 1, "t": time}], AT)], [energy("e")])] == [reason]


@pytest.mark.parametrize(
    ("quantity", "unit", "own", "value"),
    [
        ("power", "W", "kW", 0.002),
        ("power", "kW", "kW", 2.0),
        ("temperature", "Cel", "degC", 2.0),
        ("temperature", "K", "K", 2.0),
        ("humidity", "%RH", "1", 0.02),
        ("ratio", "/", "1", 2.0),
        ("ratio", "%", "1", 0.02),
        ("ratio", "/100", "1", 0.02),
        ("pressure", "Pa", "Pa", 2.0),
        ("pressure", "hPa", "Pa", 200.0),
        ("flow", "l/s", "L/s", 2.0),
    ],
)
def test_units_of_the_registry(quantity: str, unit: str, own: str, value: float) -> None:
    meter = rate("senml", TOPIC, "x", quantity, unit=own)
    assert read([sent(TOPIC, [{"n": "x", "v": 2, "u": unit}], AT)], [meter]) == [("grid-a", AT, value)]


@pytest.mark.parametrize(("unit", "value"), [("J", 1 / 3.6e6), ("Wh", 0.001), ("kWh", 1.0)])
def test_units_of_energy(unit: str, value: float) -> None:
    assert read([sent(TOPIC, [{"n": "x", "v": 1, "u": unit}], AT)], [energy("x")]) == [("grid-a", AT, value)]


@pytest.mark.parametrize(("unit", "value"), [("m3", 1000.0), ("l", 1.0)])
def test_units_of_water(unit: str, value: float) -> None:
    water = energy("x", quantity="water")
    assert read([sent(TOPIC, [{"n": "x", "v": 1, "u": unit}], AT)], [water]) == [("grid-a", AT, value)]


def test_a_sum_is_in_unit_times_second() -> None:
    pack = [{"n": "f", "u": "l/s", "s": 3}, {"n": "g", "u": "m3/s", "s": 3}, {"n": "p", "u": "kW", "s": 3600}]
    message = [sent(TOPIC, pack, AT)]
    assert [value for *_, value in read(message, [energy("f s", quantity="water")])] == [3.0]
    assert [value for *_, value in read(message, [energy("g s", quantity="water")])] == [3000.0]
    assert [value for *_, value in read(message, [energy("p s")])] == [1.0]
    assert refused(message, [energy("p s", quantity="water")]) == [("unit.wrong", "3600 kJ")]
    assert read(message, [energy("p")]) == []


@pytest.mark.parametrize("unit", ["VA", "VAs", "var", "A", "V", "lon", "wh", "kwh", "m3/s", "s", "count"])
def test_any_other_unit_is_refused_by_its_own_name(unit: str) -> None:
    assert refused([sent(TOPIC, [{"n": "x", "v": 1, "u": unit}], AT)], [energy("x")]) == [("unit.wrong", f"1 {unit}")]


@pytest.mark.parametrize(
    "pack",
    [
        {"n": "e", "v": 1},
        ["e"],
        [{"n": "e", "v": 1}, 5],
        [{"n": 5, "v": 1}],
        [{"bn": None, "n": "e", "v": 1}],
        [{"n": "e", "v": 1, "bt": "now"}],
        [{"n": "e", "v": 1, "bv": True}],
        [{"n": "e", "v": 1, "bs": None}],
        [{"n": "e", "v": 1, "bver": 11}],
        [{"n": "e", "v": 1, "bver": "10"}],
        [{"n": "e", "v": 1, "must_": 1}],
        [{"n": "e", "v": 1}, {"n": "other", "v": 1, "x_": 1}],
    ],
)
def test_a_pack_that_cannot_be_read_is_refused_as_a_whole(pack: object) -> None:
    found = live([sent(TOPIC, pack, AT)], [energy("e")])
    assert (len(found.readings), [one.reason for one in found.rejects]) == (0, ["payload.invalid"])


def test_versions_and_fields_that_need_not_be_understood() -> None:
    for more in ({"bver": 10}, {"bver": 5}, {"bver": 26}, {"foo": 1, "bar": {}}, {"ut": 60}, {"_x": 1}):
        assert read([sent(TOPIC, [{"n": "e", "v": 1, **more}], AT)], [energy("e")]) == [("grid-a", AT, 1.0)], more
    assert read([sent(TOPIC, [{"n": "other", "v": 1}], AT)], [energy("e")]) == []


@pytest.mark.parametrize("digits", [308, 309, 310])
def test_integers_around_the_largest_double_are_no_times_and_do_no_harm(digits: int) -> None:
    whole = "9" * digits
    for base, own in (("1.5", whole), (whole, "1.5"), (whole, whole)):
        pack = f'[{{"n": "e", "bt": {base}, "t": {own}, "v": 5}}]'
        (reject,) = refused([sent(TOPIC, pack, AT)], [energy("e")])
        assert reject[0] == ("payload.invalid" if digits > 308 and base == whole else "time.invalid")


def test_numbers_beyond_a_double() -> None:
    for text in ('"bv": 1e308, "v": 1e308', '"v": 1e400', '"bv": 1, "v": 1e400', '"v": ' + "9" * 400):
        assert [why for why, _ in refused([sent(TOPIC, f'[{{"n": "e", {text}}}]', AT)], [energy("e")])] == [
            "value.range"
        ]
    for text in ('"v": NaN', '"bv": 5, "v": Infinity'):
        assert [why for why, _ in refused([sent(TOPIC, f'[{{"n": "e", {text}}}]', AT)], [energy("e")])] == [
            "value.sentinel"
        ]


@pytest.mark.parametrize("value", ["a b", "a s s", " s", "a  s", "a s "])
def test_a_selector_that_cannot_match_is_a_fault(value: str) -> None:
    source = {"topic": TOPIC, "decoder": "senml", "value": value}
    meter = {"id": "m", "quantity": "energy", "accumulation": "register", "max_rate": 1, "source": source}
    with pytest.raises(ConfigError, match="write the name of a record"):
        parse({"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [meter]}]}, Path())


def test_the_resolved_example_is_the_other_one_resolved() -> None:
    """The golden files are what they say: 5.1.4 holds no base fields, and as many records as 5.1.3."""
    packs = [json.loads(example(section)) for section in ("5.1.3", "5.1.4")]
    assert len(packs[0]) == len(packs[1]) == 13
    assert not any(label.startswith("b") for record in packs[1] for label in record)


def test_a_name_without_its_base_name_while_it_means_one_record() -> None:
    def pack(*bases: str) -> list[dict[str, Any]]:
        records = [{"bn": base, "bt": SECONDS, "n": "energy", "u": "kWh", "v": 5 + at} for at, base in enumerate(bases)]
        return [*records, {"n": "energy", "t": 60, "v": 9}]

    meter = energy("energy")
    one = [("grid-a", AT, 5.0), ("grid-a", "2026-03-29T01:01:00Z", 9.0)]
    assert read([sent(TOPIC, pack("urn:a:"), AT)], [meter]) == one
    several = [sent(TOPIC, pack("urn:a:", "urn:b:"), AT)]
    assert read(several, [meter]) == []
    assert refused(several, [meter]) == [("value.type", "{'one of': ['urn:a:energy', 'urn:b:energy']}")] * 3
    flood = [sent(TOPIC, pack(*(f"urn:{number:04}:" for number in range(2000))), AT)]
    listed = "{'one of': ['urn:0000:energy', 'urn:0001:energy', 'urn:0002:energy']}"
    assert set(refused(flood, [meter])) == {("value.type", listed)}
    whole = [{"n": "energy", "u": "kWh", "v": 1, "t": SECONDS}, *pack("urn:b:")]
    assert read([sent(TOPIC, whole, AT)], [meter]) == [("grid-a", AT, 1.0)]
    assert read(several, [energy("urn:a:energy")]) == [("grid-a", AT, 5.0)]
