"""Tasmota's telemetry: payloads as devices send them, local times, totals and their resets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fielding import booked, bound, minutes, rate, read, refused, sent
from wattwell.config import parse
from wattwell.errors import ConfigError
from wattwell.intervals import HOUR, MINUTE, parse_iso

TELE = "tele/plug001/SENSOR"
STAT = "stat/plug001/STATUS10"
BERLIN = "Europe/Berlin"
AT = "2026-03-01T09:00:01Z"


def sensor(total: str = "12.345", time: str = "2026-03-01T10:00:00", since: str = "2022-08-17T13:15:49") -> str:
    return (
        f'{{"Time":"{time}","ENERGY":{{"TotalStartTime":"{since}","Total":{total},"Yesterday":0.503,"Today":0.057,'
        '"Period":5,"Power":120,"ApparentPower":147,"ReactivePower":31,"Factor":0.75,"Voltage":229,"Current":0.208}}'
    )


CLIMATE = '{"Time":"2026-03-01T10:00:00","AM2301":{"Temperature":80.6,"Humidity":68.0,"DewPoint":69.8},"TempUnit":"F"}'
TWO = (
    '{"Time":"2026-03-01T10:00:00","ENERGY":{"TotalStartTime":"2023-04-11T05:41:42","Total":[0.000,2.910],'
    '"Yesterday":[0.000,1.563],"Today":[0.000,1.347],"Power":[0,85]}}'
)


@pytest.mark.parametrize(
    ("value", "kind", "reading"),
    [
        ("ENERGY.Total", "energy", 12.345),
        ("ENERGY.Today", "energy", 0.057),
        ("ENERGY.Power", "power", 0.12),
        ("ENERGY.Factor", "ratio", 0.75),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_telemetry_is_read_in_the_zone_of_the_site(value: str, kind: str, reading: float, *, wrapped: bool) -> None:
    topic, payload = (STAT, f'{{"StatusSNS":{sensor()}}}') if wrapped else (TELE, sensor())
    meter = bound("tasmota", topic, value) if kind == "energy" else rate("tasmota", topic, value, quantity=kind)
    assert read([sent(topic, payload, AT)], [meter], BERLIN) == [("grid-a", "2026-03-01T09:00:00Z", reading)]


def test_units_come_from_the_keys() -> None:
    meters = [
        bound("tasmota", TELE, "ENERGY.Total", unit="MWh"),
        bound("tasmota", TELE, "ENERGY.Period", id="period", accumulation="delta"),
        rate("tasmota", TELE, "ENERGY.Voltage", id="volts"),
    ]
    assert [row[::2] for row in read([sent(TELE, sensor(), AT)], meters, BERLIN)] == [
        ("grid-a", 0.012345),
        ("period", 0.005),
    ]
    assert refused([sent(TELE, sensor(), AT)], meters, BERLIN) == [("unit.wrong", "229 V")]


def test_sensors_say_their_own_unit() -> None:
    hall = rate("tasmota", TELE, "AM2301.Temperature", quantity="temperature")
    damp = rate("tasmota", TELE, "AM2301.Humidity", quantity="humidity", id="damp")
    assert [row[2] for row in read([sent(TELE, CLIMATE, AT)], [hall, damp], BERLIN)] == pytest.approx([27, 0.68])


def test_a_device_of_several_channels() -> None:
    one, two = (bound("tasmota", TELE, f"ENERGY.Total.{n}", id=f"m{n}") for n in (0, 1))
    assert [row[::2] for row in read([sent(TELE, TWO, AT)], [one, two], BERLIN)] == [("m0", 0.0), ("m1", 2.91)]
    whole = bound("tasmota", TELE, "ENERGY.Total")
    assert refused([sent(TELE, TWO, AT)], [whole], BERLIN) == [("value.type", "[0.0, 2.91]")]


@pytest.mark.parametrize(
    ("sends", "arrives", "placed"),
    [
        ("2026-07-01T12:00:00", "2026-07-01T10:00:01Z", "2026-07-01T10:00:00Z"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:01Z", "2026-03-01T10:00:00Z"),
        ("2026-03-01T10:00:00+05:30", "2026-03-01T04:30:01Z", "2026-03-01T04:30:00Z"),
        ("2026-10-25T02:30:00", "2026-10-25T00:30:02Z", "2026-10-25T00:30:00Z"),  # the hour that comes twice:
        ("2026-10-25T02:30:00", "2026-10-25T01:30:02Z", "2026-10-25T01:30:00Z"),  # the nearer to its arrival
        ("2026-10-25T02:30:00", "2026-10-25T09:00:00Z", "2026-10-25T01:30:00Z"),
        ("2026-10-25T02:00:00", "2026-10-25T00:00:00Z", "2026-10-25T00:00:00Z"),
        ("2026-10-25T03:00:00", "2026-10-25T00:00:00Z", None),  # two hours ahead of its arrival
        ("2026-03-29T01:59:59", "2026-03-29T01:00:00Z", "2026-03-29T00:59:59Z"),
        ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z", None),  # the hour that is skipped
        ("2026-03-29T03:00:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"),
        ("2026-02-30T10:00:00", "2026-03-01T09:00:01Z", None),
        ("2026-03-01", "2026-03-01T09:00:01Z", None),
        ("9999-12-31T23:59:59", "2026-03-01T09:00:01Z", None),
    ],
)
def test_local_times(sends: str, arrives: str, placed: str | None) -> None:
    found = read([sent(TELE, sensor(time=sends), arrives)], [bound("tasmota", TELE, "ENERGY.Total")], BERLIN)
    assert [row[1] for row in found] == ([] if placed is None else [placed])


def test_local_times_of_a_half_hour_shift() -> None:
    meter = bound("tasmota", TELE, "ENERGY.Total")
    twice = [sent(TELE, sensor(time="2026-04-05T01:45:00"), f"2026-04-04T{at}Z") for at in ("14:45:03", "15:15:03")]
    found = read(twice, [meter], "Australia/Lord_Howe")
    assert [row[1] for row in found] == ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"]


@pytest.mark.parametrize(("time", "reason"), [("1970-01-01T00:00:12", "clock.past"), ("noon", "time.invalid")])
def test_a_time_that_cannot_be(time: str, reason: str) -> None:
    found = refused([sent(TELE, sensor(time=time), AT)], [bound("tasmota", TELE, "ENERGY.Total")], BERLIN)
    assert [one[0] for one in found] == [reason]


def test_arrival_counts_where_the_configuration_says_so_or_no_time_is_sent() -> None:
    told = bound("tasmota", TELE, "ENERGY.Total", time=None)
    assert read([sent(TELE, sensor(time="noon"), AT)], [told])[0][1] == AT
    silent = bound("tasmota", TELE, "ENERGY.Total")
    assert read([sent(TELE, '{"ENERGY":{"Total":1.5}}', AT)], [silent]) == [("grid-a", AT, 1.5)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("Online", "payload.invalid"),
        ("[1]", "payload.invalid"),
        ('{"StatusSNS":7}', "payload.invalid"),
        ('{"Time":"2026-03-01T09:00:00"}', "value.type"),
        ('{"ENERGY":{"Total":"much"}}', "value.type"),
        ('{"ENERGY":{"Total":-1}}', "value.range"),
    ],
)
def test_what_cannot_be_read_is_rejected(payload: str, reason: str) -> None:
    found = refused([sent(TELE, payload, AT)], [bound("tasmota", TELE, "ENERGY.Total")])
    assert [one[0] for one in found] == [reason]


def stream(totals: list[str], start: str = "2026-03-01T09:00:00Z") -> list[Any]:
    offset = HOUR  # Berlin's in winter
    made = []
    for total, at in zip(totals, minutes(start, len(totals)), strict=True):
        local = (at + offset) // 1_000_000
        text = f"2026-03-01T{local // 3600 % 24:02}:{local // 60 % 60:02}:00"
        since = "2022-08-17T13:15:49" if float(total) > 10 else "2026-03-01T10:03:00"
        made.append(sent(TELE, sensor(total, text, since), at + 1_000_000))
    return made


def test_an_energy_reset_books_what_the_new_total_shows() -> None:
    """EnergyTotal 0 between the third and the fourth message, 1.2 kW throughout."""
    outcome = booked(
        stream(["812.400", "812.420", "812.440", "0.020", "0.040", "0.060"]),
        bound("tasmota", TELE, "ENERGY.Total", max_rate=3.68),
        BERLIN,
    )
    assert outcome.total == pytest.approx(0.1, abs=1e-9)
    assert outcome.told() == [("reset", 812.44, 0.02, pytest.approx(0.02), "booked")]


def test_a_total_lost_in_a_power_cut_comes_back_older() -> None:
    """The total of the last save to flash: not below half of the old level, so nothing of that minute is invented."""
    outcome = booked(
        stream(["812.400", "812.420", "812.440", "812.100", "812.120", "812.140"]),
        bound("tasmota", TELE, "ENERGY.Total", max_rate=3.68),
        BERLIN,
    )
    assert outcome.total == pytest.approx(0.08, abs=1e-9)
    assert outcome.told() == [("reset", 812.44, 812.1, 0.0, "booked")]


def test_the_day_of_the_clock_change_keeps_its_energy() -> None:
    """1.2 kW through the hour that comes twice, a message every five minutes: 25 hours of the day, 30 kWh."""
    start = parse_iso("2026-10-24T22:00:00Z")
    messages = []
    for step in range(25 * 12 + 1):
        at = start + step * 5 * MINUTE
        local = (at + (2 * HOUR if at < parse_iso("2026-10-25T01:00:00Z") else HOUR)) // 1_000_000
        day = 25 + (local // 86400 - parse_iso("2026-10-25T00:00:00Z") // 86_400_000_000)
        text = f"2026-10-{day:02}T{local // 3600 % 24:02}:{local // 60 % 60:02}:00"
        messages.append(sent(TELE, sensor(f"{100 + step / 10:.3f}", text), at + 1_000_000))
    outcome = booked(messages, bound("tasmota", TELE, "ENERGY.Total", max_rate=3.68), BERLIN)
    assert outcome.total == pytest.approx(30.0, abs=1e-9)
    assert (len(outcome.events), outcome.rejects) == (0, [])


def test_the_total_is_meant_where_no_value_is_named(tmp_path: Any) -> None:
    meter = {"id": "m", "quantity": "energy", "accumulation": "register", "max_rate": 3.68}
    site = {"id": "s", "timezone": "UTC", "pue_category": 1}
    whole = {"sites": [site | {"meters": [meter | {"source": {"topic": TELE, "decoder": "tasmota"}}]}]}
    made = parse(whole, tmp_path).sites["s"].meters["m"].source
    assert made is not None
    assert (made.value, made.time) == ("ENERGY.Total", "time")
    whole["sites"][0]["meters"][0]["source"]["time"] = "ENERGY.Time"  # type: ignore[index]
    with pytest.raises(ConfigError, match="no use for it"):
        parse(whole, tmp_path)
