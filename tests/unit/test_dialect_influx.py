"""Line protocol as Telegraf sends it: read exactly, and booked by METERING's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.collecting import live
from tests.fielding import booked, read, refused, sent
from wattwell.config import parse
from wattwell.config.selectors import line_selector
from wattwell.errors import ConfigError
from wattwell.intervals import iso, parse_iso
from wattwell.model import Meter

GOLDEN = Path(__file__).parents[1] / "golden" / "dialects"
TOPIC = "telegraf/gw-1/all"
AT = "2026-03-29T01:00:00Z"
NS = parse_iso(AT) * 1000


def meters(*entries: dict[str, Any]) -> list[Meter]:
    """Meters of a site that listen on TOPIC, made by the configuration; registers of energy unless said otherwise."""
    written = []
    for number, entry in enumerate(entries):
        source = {"topic": TOPIC, "decoder": "influx", **{k: v for k, v in entry.items() if k in SOURCE}}
        rest = {k: v for k, v in entry.items() if k not in SOURCE}
        energy = {"quantity": "energy", "accumulation": "register", "max_rate": 6000}
        written.append({"id": f"m{number}", **({} if "quantity" in rest else energy), **rest, "source": source})
    site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": written}
    return list(parse({"sites": [site]}, Path()).sites["s"].meters.values())


SOURCE = ("value", "time", "time_unit", "topic")


def one(value: str, **changes: Any) -> list[Meter]:
    return meters({"value": value, **changes})


def state(value: str, quantity: str = "power", **changes: Any) -> dict[str, Any]:
    return {"value": value, "quantity": quantity, "accumulation": "instantaneous", **changes}


def recorded(name: str) -> str:
    return (GOLDEN / f"telegraf-{name}.lp").read_text(encoding="utf-8")


def test_a_modbus_gateway_books_the_exact_energy() -> None:
    text = recorded("modbus")
    a = meters({"value": "modbus,name=feeder-a energy"})
    b = meters({"value": "modbus,slave_id=2 energy", "unit": "Wh"})
    batch = [sent(TOPIC, text, "2026-03-29T01:02:01Z")]
    lines = [sent(TOPIC, line, "2026-03-29T01:02:01Z") for line in text.splitlines()]
    for messages in (batch, lines):
        assert booked(messages, a[0]).total == pytest.approx(20481.754 - 20481.337, abs=1e-9)
        assert booked(messages, b[0]).total == pytest.approx(0.003, abs=1e-12)
    assert read(batch, a) == [
        ("m0", "2026-03-29T01:00:00Z", 20481.337),
        ("m0", "2026-03-29T01:01:00Z", 20481.545),
        ("m0", "2026-03-29T01:02:00Z", 20481.754),
    ]


def test_snmp_tables_and_texts() -> None:
    bound = meters(
        state("ciscoPowerEntity,EntPhysicalName=GigabitEthernet1/6 PortPwrConsumption", unit="W"),
        state("upsOutputPower", unit="W"),
        state("upsSecondsOnBattery", "ratio"),
    )
    at = "2019-12-05T01:36:55Z"
    assert read([sent(TOPIC, recorded("snmp"), at)], bound) == [
        ("m0", at, 10287.0),
        ("m1", at, 41200.0),
        ("m2", at, 0.0),
    ]
    shown = refused([sent(TOPIC, recorded("snmp"), at)], meters(state("upsIdentName")))
    assert shown == [("value.type", 'UPS A, "north" = hall 1\\2\nsecond line')]


def test_ipmi_sensors_share_one_field() -> None:
    bound = meters(
        state("ipmi_sensor,name=power_supply_1,server=10.20.2.203 value", unit="W"),
        state("ipmi_sensor,server=10.20.2.203,name=power_supply_2 value", unit="W"),
        state("ipmi_sensor,name=fan_1 value", "ratio", unit="%"),
        state("ipmi_sensor,name=power_supply_1,server=10.20.2.204 value", unit="W"),
    )
    at = "2018-01-28T07:45:13Z"
    found = read([sent(TOPIC, recorded("ipmi_sensor"), at)], bound)
    assert found == [("m0", at, 110.0), ("m1", at, 120.0), ("m2", at, 43.12)]


def test_redfish_names_with_blanks() -> None:
    bound = meters(
        state(r"redfish_thermal_temperatures,name=Chassis\ Intake\ Temp reading_celsius", "temperature"),
        state(r"redfish_storage,location=Slot\=1:Port\=1I:Box\=1:Bay\=4 speed_gbs", "ratio"),
        state("redfish_power_powersupplies last_power_output_watts", unit="W"),
    )
    found = read([sent(TOPIC, recorded("redfish"), "2023-08-05T21:16:10Z")], bound)
    assert sorted(found) == [
        ("m0", "2023-08-05T21:16:00Z", 25.0),
        ("m0", "2023-08-05T21:16:10Z", 25.5),
        ("m1", "2023-08-05T21:16:00Z", 6.0),
        ("m2", "2023-08-05T21:16:00Z", 325.0),
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("812345i", 812345.0),
        ("42u", 42.0),
        ("0.1", 0.1),
        ("1", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5E+2", 150.0),
        ("-0", 0.0),
        ("9007199254740993i", 9007199254740992.0),
        ('"812.4"', 812.4),
    ],
)
def test_numbers_are_read_as_written(written: str, value: float) -> None:
    assert read([sent(TOPIC, f"m e={written} {NS}", AT)], one("e", sentinels=[])) == [("m0", AT, value)]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("t", "value.type"),
        ("true", "value.type"),
        ("FALSE", "value.type"),
        ('"full"', "value.type"),
        ('""', "value.type"),
        ("1.5i", "value.type"),
        ("-1u", "value.type"),
        ("0x10", "value.type"),
        ("1_0", "value.type"),
        ("i", "value.type"),
        ("NaN", "value.sentinel"),
        ("-inf", "value.sentinel"),
        ("65535i", "value.sentinel"),
        ("1e400", "value.range"),
        ("9" * 5000 + "i", "value.range"),
        ("-1i", "value.range"),
    ],
)
def test_what_is_no_amount_is_refused(written: str, reason: str) -> None:
    assert [why for why, _ in refused([sent(TOPIC, f"m e={written} {NS}", AT)], one("e"))] == [reason]


@pytest.mark.parametrize(
    ("unit", "written"),
    [(None, NS), ("ns", NS), ("us", NS // 1000), ("ms", NS // 10**6), ("s", NS // 10**9), (None, ""), ("s", "")],
)
def test_times(unit: str | None, written: object) -> None:
    found = live([sent(TOPIC, f"m e=1 {written}", AT)], one("e", **({"time_unit": unit} if unit else {}))).readings
    assert [iso(at) for at in found.at.tolist()] == [AT]
    assert found.arrival_time.tolist() == [written == ""]


def test_a_device_clock_that_is_not_to_be_believed() -> None:
    found = live([sent(TOPIC, "m e=1 12345", AT)], one("e", time=None)).readings
    assert ([iso(at) for at in found.at.tolist()], found.arrival_time.tolist()) == ([AT], [True])


def test_a_retained_line_counts_by_its_own_time_only() -> None:
    assert read([sent(TOPIC, f"m e=1 {NS}", AT, retained=True)], one("e")) == [("m0", AT, 1.0)]
    assert refused([sent(TOPIC, "m e=1", AT, retained=True)], one("e")) == [("retained", "1")]


def test_lines_around_a_broken_one_count() -> None:
    comments = "# a comment\r\n#m e=7\n # m e=8\n\n"
    last = f"m,k=v  e=2,f=3  {NS + 10**9}  \nm e=3 {NS + 2 * 10**9}"
    text = f"{comments}  m e=1 {NS}\r\nm e= 5\n   # another\n{last}"
    messages = [sent(TOPIC, text, AT)]
    assert [value for _, _, value in read(messages, one("e"))] == [1.0, 2.0, 3.0]
    assert refused(messages, one("e")) == [("payload.invalid", "m e= 5\n")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "m",
        "m e",
        "m e=",
        "m e=1,",
        "m e=1 x",
        "m e=1 1 1",
        'm e="x',
        'm e="x"y',
        ",k=v e=1",
        "m,k e=1",
        "m =1",
    ],
)
def test_what_is_no_line_is_refused(text: str) -> None:
    assert [why for why, _ in refused([sent(TOPIC, text, AT)], one("e"))] == ["payload.invalid"]


def test_a_message_of_another_kind_is_given_up_early() -> None:
    text = "no line\n" * 100_000 + f"m e=1 {NS}"
    assert refused([sent(TOPIC, text, AT)], one("e")) == [("payload.invalid", "no line\n")]
    assert read([sent(TOPIC, text, AT)], one("e")) == []


def test_what_no_meter_asks_for_is_left_out() -> None:
    text = f"m,k=v other=1 {NS}\nm,k=w e=1 {NS}\nn,k=v e=1 {NS}"
    found = live([sent(TOPIC, text, AT)], one("m,k=v e"))
    assert (len(found.readings), found.rejects) == (0, [])


def test_selectors_are_written_like_lines() -> None:
    line = r"my\ m\,x,a\=b=c\ d,t=x e\,f=5 " + str(NS)
    for value in (r"my\ m\,x,a\=b=c\ d e\,f", r"my\ m\,x,t=x,a\=b=c\ d e\,f", r"e\,f", r"my\ m\,x e\,f"):
        assert read([sent(TOPIC, line, AT)], one(value)) == [("m0", AT, 5.0)], value
    assert line_selector(r"a\b,k=\n c").tags == (("k", r"\n"),)  # what needs no escape has none


@pytest.mark.parametrize("value", ["a b c", "a,k b", "a,k= b", "a,=v b", " b", "b ", ",k=v b", "a=b", "a,b", "a  b"])
def test_a_selector_that_cannot_match_is_a_fault(value: str) -> None:
    with pytest.raises(ConfigError, match="write FIELD, or MEASUREMENT,TAG=VALUE FIELD"):
        one(value)


def test_a_source_must_say_which_value_is_meant() -> None:
    with pytest.raises(ConfigError, match="the influx decoder needs to know which value"):
        meters({})
    with pytest.raises(ConfigError, match="the influx decoder has no use for it"):
        one("e", time="ts")


def test_many_meters_on_one_topic_cost_little_each() -> None:
    """Fields are looked up, not compared with each meter: a thousand meters take not much longer than ten."""
    many = [state(f"ipmi_sensor,name=s{number} value", unit="W") for number in range(1000)]
    text = "\n".join(f"ipmi_sensor,name=s{number} value={number} {NS}" for number in range(1000))
    found = read([sent(TOPIC, text, AT)], meters(*many))
    assert len(found) == 1000
    assert {value for _, _, value in found} == {float(number) for number in range(1000)}


def test_a_measurement_and_its_field_may_be_joined_by_a_dot() -> None:
    text = f"modbus,host=h energy.in=1,out=2 {NS}\nplant.modbus energy=3,out=4 {NS}\nsnmp out=5 {NS}"
    bound = meters(state("modbus.out"), state("energy.in"), state("plant.modbus.energy"), state("modbus.energy.in"))
    found = read([sent(TOPIC, text, AT)], bound)
    assert sorted((name, value) for name, _, value in found) == [("m0", 2.0), ("m1", 1.0), ("m2", 3.0), ("m3", 1.0)]
