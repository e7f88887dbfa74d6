"""Spellings of a source that can mean one thing only give the very source that the plain spelling gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wattwell.config import parse
from wattwell.errors import ConfigError
from wattwell.model import Source

RPC = "shellypro3em-1/events/rpc"
STATUS = "shellypro3em-1/status/emdata:0"
TOTAL = "shellies/shellyem-1/emeter/0/total"
TELE = "tele/plug/SENSOR"


def made(keys: dict[str, Any]) -> Source | None:
    meter = {"id": "m", "quantity": "energy", "accumulation": "register", "max_rate": 9, "source": keys}
    site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [meter]}
    return parse({"sites": [site]}, Path()).sites["s"].meters["m"].source


@pytest.mark.parametrize(
    ("decoder", "plain", "others"),
    [
        ("plain", {"topic": "a"}, [{"value": "value"}]),
        ("influx", {"topic": "a", "value": "e"}, [{"time": "time"}, {"time": "timestamp", "time_unit": "ns"}]),
        ("senml", {"topic": "a", "value": "e"}, [{"time": "t", "time_unit": "s", "unit": "u"}, {"time": "bt"}]),
        ("sparkplug", {"topic": "spBv1.0/g/+/e", "value": "E"}, [{"topic": "spBv1.0/g/NDATA/e", "time_unit": "ms"}]),
        ("sparkplug", {"topic": "spBv1.0/g/+/e/d", "value": "E"}, [{"time": "timestamp", "unit": "engUnit"}]),
        ("shelly", {"topic": RPC, "value": "emdata:0.total_act"}, [{"value": "params.emdata:0.total_act"}]),
        ("shelly", {"topic": RPC, "value": "emdata:0.total_act"}, [{"time": "ts", "time_unit": "s"}]),
        ("shelly", {"topic": STATUS, "value": "emdata:0.total_act"}, [{"value": "total_act"}]),
        ("shelly", {"topic": TOTAL}, [{"value": "value"}, {"value": "total"}]),
        ("tasmota", {"topic": TELE}, [{"value": "Total"}, {"value": "StatusSNS.ENERGY.Total", "time": "Time"}]),
        ("tasmota", {"topic": TELE, "value": "ENERGY.Power.1"}, [{"value": "Power.1"}]),
    ],
)
def test_said_in_another_way(decoder: str, plain: dict[str, Any], others: list[dict[str, Any]]) -> None:
    expected = made(plain | {"decoder": decoder})
    assert expected is not None
    assert [made(plain | other | {"decoder": decoder}) for other in others] == [expected] * len(others)


def test_what_the_device_is_not_believed_in_stays_said() -> None:
    source = made({"topic": TELE, "decoder": "tasmota", "value": "Total", "time": None, "unit": None})
    assert source == Source(topic=TELE, decoder="tasmota", value="ENERGY.Total", time=None, unit=None)


@pytest.mark.parametrize(
    "keys",
    [
        {"topic": RPC, "decoder": "shelly", "value": "total_act"},
        {"topic": "a", "decoder": "senml", "value": "e", "time_unit": "ms"},
        {"topic": "a", "decoder": "influx", "value": "e", "time": "ts"},
        {"topic": "a", "decoder": "influx", "value": "e", "unit": "kWh"},
        {"topic": "spBv1.0/g/+/e", "decoder": "sparkplug", "value": "E", "time_unit": "s"},
    ],
)
def test_what_could_mean_something_else_is_a_fault(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"sites\[0\]\.meters\[0\]\.source"):
        made(keys)
