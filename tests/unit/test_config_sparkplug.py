"""Sources of the sparkplug decoder, and what is subscribed to for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wattwell.config import Config, parse
from wattwell.errors import ConfigError
from wattwell.model import Source

TOPIC = "spBv1.0/plant/+/edge1/pdu7"


def read(mqtt: dict[str, Any] | None = None, **source: Any) -> Config:
    meter = {"id": "a", "quantity": "energy", "accumulation": "register", "max_rate": 10}
    meter["source"] = {"topic": TOPIC, "decoder": "sparkplug", "value": "Energy/Import total"} | source
    site = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [meter]}
    return parse({"mqtt": {"url": "mqtt://h"} | (mqtt or {}), "sites": [site]}, Path())


def faults(**source: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as refused:
        read(**source)
    return [(fault.path.removeprefix("sites[0].meters[0]."), fault.remedy) for fault in refused.value.faults]


def test_the_whole_edge_node_is_subscribed_to() -> None:
    config = read()
    assert config.mqtt is not None
    assert config.mqtt.subscribe == ("wattwell/#", "spBv1.0/plant/+/edge1/#")
    assert config.mqtt.rebirth is True
    assert config.sites["s"].meters["a"].source == Source(topic=TOPIC, decoder="sparkplug", value="Energy/Import total")


def test_a_node_itself_without_its_clock_and_units() -> None:
    config = read({"rebirth": False}, topic="spBv1.0/plant/+/edge1", time=None, unit=None)
    assert config.mqtt is not None
    assert config.mqtt.subscribe == ("wattwell/#", "spBv1.0/plant/+/edge1/#")
    assert config.mqtt.rebirth is False
    source = config.sites["s"].meters["a"].source
    assert source is not None
    assert (source.time, source.unit) == (None, None)


@pytest.mark.parametrize("kind", ["DDATA", "DBIRTH", "DDEATH"])
def test_of_one_kind_of_message_all_kinds_are_heard(kind: str) -> None:
    config = read(topic=f"spBv1.0/plant/{kind}/edge1/pdu7")
    assert config.mqtt is not None
    assert config.mqtt.subscribe == ("wattwell/#", "spBv1.0/plant/+/edge1/#")
    assert config == read()


@pytest.mark.parametrize("pattern", ["$share/g/spBv1.0/plant/#", "$share/g/#", "$share/g/+/plant/DDATA/edge1/pdu7"])
def test_births_are_not_shared(pattern: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read({"subscribe": ["wattwell/#", pattern]})
    remedy = "what a Sparkplug device sends is told by its birth, which another collector may get; share filters that "
    remedy += "do not match spBv1.0/plant/+/edge1/#, and give that one to one collector"
    assert [(fault.path, fault.remedy) for fault in refused.value.faults] == [("mqtt.subscribe", remedy)]


def test_other_topics_may_be_shared_beside_a_sparkplug_source() -> None:
    filters = ("$share/g/wattwell/#", "spBv1.0/plant/+/edge1/#")
    config = read({"subscribe": list(filters)})
    assert config.mqtt is not None
    assert config.mqtt.subscribe == filters


@pytest.mark.parametrize("kind", ["NDATA", "DCMD", "STATE"])
def test_a_device_sends_no_other_kinds(kind: str) -> None:
    remedy = f"no message of a device comes there; write {TOPIC}"
    assert faults(topic=f"spBv1.0/plant/{kind}/edge1/pdu7") == [("source.topic", remedy)]
    assert [path for path, _ in faults(topic="spBv1.0/plant/#/edge1/pdu7")] == ["source.topic"]


@pytest.mark.parametrize(
    "topic",
    [
        "spBv1.0/+/+/edge1/pdu7",
        "spBv1.0/plant/+/+",
        "spBv1.0/plant/#",
        "plant/pdu7",
        "spBv1.0/plant/+/e/d/x",
        "spBv1.0//+/e",
    ],
)
def test_nodes_and_devices_are_named_one_by_one(topic: str) -> None:
    remedy = "write spBv1.0/GROUP/+/EDGE for an edge node or spBv1.0/GROUP/+/EDGE/DEVICE, each by its name"
    assert faults(topic=topic) == [("source.topic", remedy)]


def test_a_metric_is_named_and_measures_something() -> None:
    assert [path for path, _ in faults(value=None)] == ["source.value"]
    for name in ("bdSeq", "Node Control/Rebirth", "Device Control/Reboot"):
        assert [path for path, _ in faults(value=name)] == ["source.value"]


def test_keys_without_use_are_refused() -> None:
    unused = ["source.time", "source.time_unit", "source.unit"]
    assert sorted(path for path, _ in faults(time="ts", unit="u", time_unit="s")) == unused


def test_rebirth_is_true_or_false() -> None:
    with pytest.raises(ConfigError, match=r"mqtt\.rebirth = yes please: write true or false"):
        read({"rebirth": "yes please"})
