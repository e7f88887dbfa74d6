"""Every device file: its shape, its samples decoded as the collector would, and what a meter takes from it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from collector.decoders import DECODERS
from tests.fielding import read, refused, sent
from wattwell.config import load, parse
from wattwell.config.devices import Device, read_device, shipped_devices
from wattwell.errors import ConfigError
from wattwell.intervals import MINUTE, SECOND, iso, parse_iso
from wattwell.model import Accumulation, Meter, Source

FOLDER = resources.files("wattwell") / "devices"
DEVICES = shipped_devices()
ARRIVAL = "2026-03-01T11:00:00Z"


def configured(device: Device, identity: str) -> list[Meter]:
    """A meter at each point of one device, as a configuration makes it."""
    listed = []
    for name, point in device.points.items():
        rate = {} if point.max_rate is None else {"max_rate": point.max_rate}
        listed.append({"id": name, "source": {"device": device.name, "id": identity, "point": name}, **rate})
    return list(parse(site(*listed), Path()).sites["s"].meters.values())


def site(*listed: dict[str, Any]) -> dict[str, Any]:
    return {"sites": [{"id": "s", "timezone": "UTC", "pue_category": 1, "meters": list(listed)}]}


def test_there_are_devices_of_every_decoder() -> None:
    assert len(DEVICES) >= 14
    assert {device.decoder for device in DEVICES.values()} == set(DECODERS)


@pytest.mark.parametrize("name", DEVICES)
def test_samples_decode_to_exactly_the_readings_expected(name: str) -> None:
    device = DEVICES[name]
    told = set()
    for sample in device.samples:
        meters = configured(device, sample.id)
        message = sent(sample.topic, sample.data, ARRIVAL)
        assert refused([message], meters) == []
        expected = [(e.point, iso(parse_iso(e.time)) if e.time else ARRIVAL, e.value) for e in sample.readings]
        assert read([message], meters) == expected
        told |= {one.point for one in sample.readings}
    assert told


@pytest.mark.parametrize("name", DEVICES)
def test_every_point_makes_a_meter_that_passes_the_checks(name: str) -> None:
    device = DEVICES[name]
    meters = configured(device, "some-one")
    assert [(one.quantity, one.accumulation, one.unit) for one in meters] == [
        (point.quantity, point.accumulation, point.unit) for point in device.points.values()
    ]
    for one in meters:
        assert one.source is not None
        assert "some-one" in f"{one.source.topic} {one.source.value}"
        assert "{" not in f"{one.source.topic} {one.source.value}"


def test_the_blueprint_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    device = read_device((FOLDER / "_blueprint.yaml").read_text(encoding="utf-8"), "example-meter.yaml")
    monkeypatch.setattr("wattwell.config.devices.shipped_devices", lambda: {device.name: device})
    sample = device.samples[0]
    found = read([sent(sample.topic, sample.data, ARRIVAL)], configured(device, sample.id))
    assert found == [(e.point, e.time, e.value) for e in sample.readings]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("unit: Wh", "unit: W", "W is no unit of energy"),
        ("accumulation: register", "accumulation: instantaneous", "energy and water are counted"),
        ("    max_rate: 86.4", "", "needs max_rate"),
        ("example/{id}/telemetry", "example/telemetry", "neither topic nor value"),
        ("example/{id}/telemetry", "example/{id}+", "whole level"),
        ("decoder: json", "decoder: bacnet", "unknown decoder"),
        ("maker:", "marker:", "Field required"),
        ("name: example-meter", "name: other", "like its file"),
        ("name: example-meter", "name: Example", "small letters"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(old: str, new: str, says: str) -> None:
    text = (FOLDER / "_blueprint.yaml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(ConfigError, match=says) as raised:
        read_device(text.replace(old, new, 1), "example-meter.yaml")
    assert "example-meter.yaml" in str(raised.value)


# -- a meter that names a device --------------------------------------------------------------------------------------

PRO = {"device": "shelly-pro-3em", "id": "shellypro3em-0cb815fd", "point": "total"}
TASMOTA = {"device": "tasmota-plug", "id": "plug001", "point": "total"}


def made(tmp_path: Path, **keys: Any) -> Meter:
    return parse(site({"id": "m", "max_rate": 50, **keys}), tmp_path).sites["s"].meters["m"]


def test_a_device_fills_in_what_the_meter_does_not_say(tmp_path: Path) -> None:
    one = made(tmp_path, source=PRO)
    assert (one.quantity, one.accumulation, one.unit, one.sentinels) == ("energy", Accumulation.REGISTER, "Wh", ())
    assert one.max_rate == 50
    assert one.source == Source(
        topic="shellypro3em-0cb815fd/events/rpc", decoder="shelly", value="emdata:0.total_act", time_unit="s"
    )
    slow = made(tmp_path, source=TASMOTA)
    assert (slow.period, slow.max_gap) == (300 * SECOND, 15 * MINUTE)


def test_what_the_meter_says_counts(tmp_path: Path) -> None:
    source = TASMOTA | {"topic": "hall/plug001/SENSOR", "time": None, "value": "ENERGY.Total.1"}
    one = made(tmp_path, unit="MWh", period="60s", sentinels=[7], source=source)
    assert (one.unit, one.period, one.sentinels) == ("MWh", 60 * SECOND, (7.0,))
    assert one.source is not None
    assert (one.source.topic, one.source.time, one.source.value) == ("hall/plug001/SENSOR", None, "ENERGY.Total.1")


def test_what_is_in_the_points_unit_follows_the_meters(tmp_path: Path) -> None:
    plug = {"device": "shelly-plug-s", "id": "shellyplug-s-c18b12", "point": "energy"}
    assert made(tmp_path, source=plug).resolution == 60.0
    assert made(tmp_path, source=plug, unit="Wh").resolution == pytest.approx(1 / 60, abs=1e-15)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (PRO | {"device": "shelly-pro-3m"}, r"source.device = shelly-pro-3m.*did you mean shelly-pro-3em"),
        (PRO | {"point": "totl"}, r"source.point = totl.*did you mean total"),
        (PRO | {"point": "total", "id": 7}, r"source.id = 7.*number in quotes"),
        ({"device": "shelly-pro-3em", "point": "total"}, r"source.id.*absent"),
        ({"device": "shelly-pro-3em", "id": "x"}, r"source.point.*absent"),
        ({"topic": "a/b", "point": "total"}, r"source.device.*absent"),
        (PRO | {"id": "a/#/b"}, r"source.id.*MQTT prefix"),
        (PRO | {"id": "a/#"}, r"source.id.*MQTT prefix"),
        (PRO | {"id": "+"}, r"source.id.*MQTT prefix"),
        ({"device": "senml-meter", "id": "a b", "point": "energy"}, r"source.id.*EUI-64"),
        (PRO | {"unit": "unit"}, r"source.unit.*no use for it"),
    ],
)
def test_a_source_with_a_fault_says_which(source: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says) as raised:
        made(tmp_path, quantity="energy", accumulation="register", source=source)
    assert not any("source.topic" in fault.path for fault in raised.value.faults)


def test_a_device_that_is_not_known_is_one_fault(tmp_path: Path) -> None:
    """What its file would have said is not asked of the meter."""
    with pytest.raises(ConfigError) as raised:
        parse(site({"id": "m", "max_rate": 5, "source": PRO | {"device": "shelly-pro3em"}}), tmp_path)
    assert [fault.path for fault in raised.value.faults] == ["sites[0].meters[0].source.device"]


@pytest.mark.parametrize("identity", ["ups a,1=b", r"ups\ a\,1\=b"])
def test_an_id_in_line_protocol_is_written_as_a_line_writes_it(identity: str, tmp_path: Path) -> None:
    one = made(tmp_path, source={"device": "schneider-pm5000", "id": identity, "point": "delivered"})
    assert one.source is not None
    assert one.source.value == r"modbus,name=ups\ a\,1\=b active_energy_delivered"


def test_max_rate_is_never_taken_from_a_device(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="largest plausible flow"):
        parse(site({"id": "m", "source": PRO}), tmp_path)


def test_two_meters_at_one_point_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="already feeds"):
        parse(site(*({"id": name, "max_rate": 50, "source": PRO} for name in ("a", "b"))), tmp_path)


def test_a_meters_file_may_name_devices(tmp_path: Path) -> None:
    header = "id,role,quantity,max_rate,source.device,source.id,source.point"
    row = "ups-a,it_ups,,50,shelly-pro-3em,shellypro3em-0cb815fd,total"
    (tmp_path / "meters.csv").write_text(f"{header}\n{row}\n")
    (tmp_path / "w.yaml").write_text("sites: [{id: s, timezone: UTC, pue_category: 1, meters_file: meters.csv}]\n")
    one = load(tmp_path / "w.yaml").sites["s"].meters["ups-a"]
    assert one.source is not None
    assert (one.unit, one.source.value) == ("Wh", "emdata:0.total_act")
    (tmp_path / "meters.csv").write_text(f"{header}\n{row.replace('pro-3em', 'pro-3', 1)}\n")
    with pytest.raises(ConfigError, match=r"meters.csv line 2, source.device = shelly-pro-3:.*did you mean"):
        load(tmp_path / "w.yaml")
