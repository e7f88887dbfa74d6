"""Shelly devices: payloads as the devices send them, read exactly and booked by METERING's rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.collecting import live
from tests.fielding import booked, bound, minutes, rate, read, refused, sent, unix
from wattwell.config import parse
from wattwell.errors import ConfigError

EM = "shellies/shellyem-b9f2a1/emeter/0"
PLUG = "shellies/shellyplug-s-c18b12/relay/0"
PRO = "shellypro3em-0cb815fd"
RPC = f"{PRO}/events/rpc"
AT = "2026-03-01T10:00:00Z"
START = 1772359200  # AT

EMDATA = (
    '{"id":0,"a_total_act_energy":1075513.08,"a_total_act_ret_energy":0.00,"b_total_act_energy":1776542.72,'
    '"b_total_act_ret_energy":0.00,"c_total_act_energy":0.01,"c_total_act_ret_energy":0.00,'
    '"total_act":2852055.81,"total_act_ret":0.00}'
)
EM0 = (
    '{"id":0,"a_current":3.761,"a_voltage":121.7,"a_act_power":342.8,"a_aprt_power":457.5,"a_pf":-0.80,'
    '"n_current":null,"total_current":11.896,"total_act_power":1300.252,"total_aprt_power":1441.226}'
)
SWITCH = (
    '{"id":0, "source":"HTTP_in", "output":true, "apower":25.7, "voltage":239.7, "freq":50.2, "current":0.188, '
    '"aenergy":{"total":913.252,"by_minute":[404.631,404.631,404.631],"minute_ts":1772359140}, '
    '"ret_aenergy":{"total":0.000,"by_minute":[0.000,0.000,0.000],"minute_ts":1772359140},'
    '"temperature":{"tC":68.1, "tF":154.6}}'
)


def notify(parts: str, ts: str = "1772359200.04", method: str = "NotifyStatus") -> str:
    return f'{{"src":"{PRO}","dst":"{PRO}/events","method":"{method}","params":{{"ts":{ts},{parts}}}}}'


def interval_record() -> str:
    data = '{"ts": 1772359140,"period": 60,"values":[[0.0209,0.0000,0.0000,0.0000,1.6,1.0,19.0,17.3,235.502]]}'
    event = f'{{"component":"emdata:0","id":0,"event":"data","ts":1772359140.00,"data":{data}}}'
    return notify(f'"events":[{event}]', method="NotifyEvent")


@pytest.mark.parametrize(
    ("topic", "payload", "unit", "value"),
    [
        (f"{EM}/energy", "12345", "J", 740700.0),
        (f"{EM}/energy", "1", "Wh", 1 / 60),
        (f"{EM}/returned_energy", "60", "kWh", 0.001),
        (f"{EM}/total", "1184633.1", "kWh", 1184.6331),
        (f"{EM}/total_returned", "1158.3", "Wh", 1158.3),
        (f"{PLUG}/energy", "65535", "J", 3932100.0),  # a count like any other, no sentinel
    ],
)
def test_a_first_generation_counter_is_exact(topic: str, payload: str, unit: str, value: float) -> None:
    meter = bound("shelly", topic, unit=unit)
    assert read([sent(topic, payload, AT)], [meter]) == [("grid-a", AT, value)]


def test_a_first_generation_state_brings_its_unit() -> None:
    power = rate("shelly", f"{EM}/power")
    hall = rate("shelly", "shellies/plug/temperature", id="hall", quantity="temperature")
    messages = [sent(f"{EM}/power", "197.77", AT), sent("shellies/plug/temperature", "24.31", AT)]
    assert read(messages, [power, hall]) == [("grid-a", AT, 0.19777), ("hall", AT, 24.31)]


def test_what_is_no_energy_is_not_read_as_energy() -> None:
    meter = bound("shelly", f"{EM}/+")
    sends = [(f"{EM}/voltage", "236.27"), (f"{EM}/pf", "0.74"), (f"{EM}/current", "x"), (f"{EM}/energy", "nan")]
    found = refused([sent(topic, payload, AT) for topic, payload in sends], [meter])
    assert found == [
        ("unit.wrong", "236.27 V"),
        ("unit.wrong", "0.74 1"),
        ("value.type", "x"),
        ("value.sentinel", "nan"),
    ]
    assert refused([sent(f"{EM}/energy", "", AT)], [meter]) == [("payload.invalid", "")]


def test_a_retained_counter_has_no_time() -> None:
    meter = bound("shelly", f"{EM}/total")
    assert refused([sent(f"{EM}/total", "5", AT, retained=True)], [meter]) == [("retained", "5")]


def test_watt_minutes_across_a_reboot() -> None:
    """50 W for an hour either side of a reboot, at which the relay's counter starts at 0 again."""
    dials = [*range(900_000, 903_001, 50), *range(50, 3001, 50)]
    times = minutes(AT, len(dials))
    messages = [sent(f"{PLUG}/energy", str(dial), at) for dial, at in zip(dials, times, strict=True)]
    outcome = booked(messages, bound("shelly", f"{PLUG}/energy", unit="J", max_rate=3.68))
    assert outcome.total == pytest.approx(3000 / 60_000 + 3000 / 60_000, abs=1e-12)
    assert outcome.told() == [("reset", 903_000 * 60.0, 3000.0, pytest.approx(50 / 60_000, abs=1e-15), "booked")]
    assert outcome.rejects == []


@pytest.mark.parametrize(
    ("value", "kind", "reading"),
    [
        ("emdata:0.total_act", "energy", 2852.05581),
        ("emdata:0.a_total_act_energy", "energy", 1075.51308),
        ("em:0.total_act_power", "power", 1.300252),
        ("em:0.a_act_power", "power", 0.3428),
        ("em:0.a_pf", "ratio", -0.8),
        ("switch:0.aenergy.total", "energy", 0.913252),
        ("switch:0.apower", "power", 0.0257),
        ("switch:0.temperature.tC", "temperature", 68.1),
        ("switch:0.temperature.tF", "temperature", (154.6 - 32) * 5 / 9),
    ],
)
@pytest.mark.parametrize("method", ["NotifyStatus", "NotifyFullStatus"])
def test_a_notification_is_placed_by_its_own_time(method: str, value: str, kind: str, reading: float) -> None:
    meter = bound("shelly", RPC, value) if kind == "energy" else rate("shelly", RPC, value, quantity=kind)
    message = notify(f'"em:0":{EM0},"emdata:0":{EMDATA},"switch:0":{SWITCH}', method=method)
    at = "2026-03-01T10:00:00.040000Z"
    assert read([sent(RPC, message, "2026-03-01T10:00:02Z")], [meter]) == [("grid-a", at, pytest.approx(reading))]


def test_a_status_topic_takes_arrival_time() -> None:
    topic = f"{PRO}/status/#"
    energy, power = bound("shelly", topic, "emdata:0.total_act"), rate("shelly", topic, "em:0.total_act_power", id="p")
    messages = [sent(f"{PRO}/status/emdata:0", EMDATA, AT), sent(f"{PRO}/status/em:0", EM0, AT)]
    assert read(messages, [energy, power]) == [("grid-a", AT, 2852.05581), ("p", AT, 1.300252)]
    assert refused(messages, [energy, power]) == []


def test_a_clock_that_is_not_to_be_believed_is_not() -> None:
    meter = bound("shelly", RPC, "emdata:0.total_act", time=None)
    assert read([sent(RPC, notify(f'"emdata:0":{EMDATA}', ts="12"), AT)], [meter])[0][1] == AT


@pytest.mark.parametrize(
    "payload",
    [
        notify('"switch:0":{"id":0,"output":true,"source":"button"}'),
        notify('"emdata:0":{"id":0,"a_total_act_energy":7.5}'),
        notify('"cloud":{"connected":false}'),
        notify('"sys":{"cfg_rev":20}', method="NotifyFullStatus"),
        notify('"events":[{"component":"sys","event":"config_changed","cfg_rev":20}]', method="NotifyEvent"),
        interval_record(),
    ],
)
def test_a_notification_of_something_else_is_no_fault(payload: str) -> None:
    found = live([sent(RPC, payload, AT)], [bound("shelly", RPC, "emdata:0.total_act")])
    assert (len(found.readings), found.rejects) == (0, [])


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (RPC, notify('"emdata:0":{"id":0,"total_act":null}'), "value.type"),
        (RPC, notify('"emdata:0":{"id":0,"total":1}', method="NotifyFullStatus"), "value.type"),
        (RPC, notify(f'"emdata:0":{EMDATA}', ts="1.61"), "clock.past"),  # booted, and not yet told the time
        (RPC, notify(f'"emdata:0":{EMDATA}', ts='"now"'), "time.invalid"),
        (f"{PRO}/status/emdata:0", '{"id":0,"total":1}', "value.type"),
        (RPC, "12.5", "payload.invalid"),
        (RPC, '{"id":1,"result":{}}', "payload.invalid"),
        (RPC, '{"method":"NotifyStatus","params":[]}', "payload.invalid"),
        (RPC, "\xff", "payload.invalid"),
    ],
)
def test_what_cannot_be_read_is_rejected(topic: str, payload: str, reason: str) -> None:
    message = sent(topic, payload.encode("latin-1"), AT)
    assert [one[0] for one in refused([message], [bound("shelly", topic, "emdata:0.total_act")])] == [reason]


def test_a_deleted_counter_is_a_reset() -> None:
    """EMData.DeleteAllData (or Switch.ResetCounters): 6 kW through it, notified each minute."""
    dials = [2_852_000.0, 2_852_100.0, 2_852_200.0, 100.0, 200.0, 300.0]
    messages = [
        sent(RPC, notify(f'"emdata:0":{{"id":0,"total_act":{dial}}}', ts=f"{unix(at, 0.5):.2f}"), at)
        for dial, at in zip(dials, minutes(AT, len(dials)), strict=True)
    ]
    outcome = booked(messages, bound("shelly", RPC, "emdata:0.total_act"))
    assert outcome.total == pytest.approx(0.5, abs=1e-9)
    assert outcome.told() == [("reset", 2852.2, 0.1, pytest.approx(0.1), "booked")]


def test_a_repeated_notification_books_once() -> None:
    message = sent(RPC, notify(f'"emdata:0":{EMDATA}'), AT)
    found = read([message, message], [bound("shelly", RPC, "emdata:0.total_act")])
    assert found[0] == found[1]  # the same meter and time: the store keeps one


def source(**keys: Any) -> dict[str, Any]:
    meter = {"id": "m", "quantity": "energy", "accumulation": "register", "max_rate": 9, "source": keys}
    return {"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [meter]}]}


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"topic": RPC}, "name one"),
        ({"topic": f"{PRO}/status/emdata:0"}, "name one"),
        ({"topic": f"{PRO}/status/emdata:0", "value": "em:0.total_act"}, "component emdata:0 only"),
        ({"topic": RPC, "value": "total_act"}, "a component and its key"),
        ({"topic": RPC, "value": "switch:0.aenergy.by_minute.0"}, "more than once"),
        ({"topic": f"{EM}/total", "unit": "unit"}, "no use for it"),
    ],
)
def test_a_source_that_cannot_work_is_a_fault(keys: dict[str, Any], says: str, tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(source(decoder="shelly", **keys), tmp_path)


@pytest.mark.parametrize(
    "keys", [{"topic": f"{EM}/total"}, {"topic": RPC, "value": "emdata:0.total_act"}, {"topic": RPC, "time": None}]
)
def test_a_source_that_works_is_none(keys: dict[str, Any], tmp_path: Any) -> None:
    keys = {"value": "switch:0.aenergy.total"} | keys if keys["topic"] == RPC else keys
    made = parse(source(decoder="shelly", **keys), tmp_path).sites["s"].meters["m"].source
    assert made is not None
    assert made.time == (None if "time" in keys else "time")
