"""The Telegraf example: its own file parses, and what it publishes is what the meters beside it read.

Telegraf itself is not run here: Debian does not package it. Its topics and lines are made by the rules of its MQTT
output and of its plug-ins, as their documentation gives them.
"""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.collecting import live
from tests.fielding import read, sent
from wattwell.cli import main
from wattwell.config import load
from wattwell.config.selectors import line_selector
from wattwell.config.settings import Config

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "telegraf"
LINES = Path(__file__).resolve().parents[1] / "golden" / "dialects" / "telegraf-deploy.lp"
AT = "2026-03-29T01:00:00Z"


@pytest.fixture(scope="module")
def telegraf() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "telegraf.conf").read_text(encoding="utf-8"))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copy(FOLDER / "wattwell.yaml", tmp_path)
    (tmp_path / "mqtt.password").write_text("secret\n", encoding="utf-8")
    return tmp_path / "wattwell.yaml"


@pytest.fixture
def config(copied: Path) -> Config:
    return load(copied)


def measurements(telegraf: dict[str, Any]) -> set[str]:
    """Names of the measurements that the inputs write."""
    inputs = telegraf["inputs"]
    found = {request.get("measurement", "modbus") for one in inputs["modbus"] for request in one["request"]}
    found |= {one["name"] for one in inputs["snmp"]} | {"ipmi_sensor" for _ in inputs["ipmi_sensor"]}
    names = {"power": "redfish_power_powercontrol", "thermal": "redfish_thermal_temperatures"}
    return found | {names[each] for one in inputs["redfish"] for each in one["include_metrics"]}


def topic(telegraf: dict[str, Any], measurement: str) -> str:
    """The topic of a measurement, by the output's template."""
    written: str = telegraf["outputs"]["mqtt"][0]["topic"]
    values = {"{{ .Hostname }}": telegraf["agent"]["hostname"], "{{ .PluginName }}": measurement}
    for placeholder, value in values.items():
        assert placeholder in written
        written = written.replace(placeholder, value)
    assert "{{" not in written
    return written


def test_the_check_finds_no_fault(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(copied)]) == 0
    assert "9 meters" in capsys.readouterr().out


def test_nothing_is_lost_on_the_way_to_the_broker(telegraf: dict[str, Any]) -> None:
    (output,) = telegraf["outputs"]["mqtt"]
    kept = {key: output[key] for key in ("qos", "persistent_session", "retain", "protocol", "data_format", "layout")}
    assert kept == {
        "qos": 1,
        "persistent_session": True,
        "retain": False,
        "protocol": "3.1.1",
        "data_format": "influx",
        "layout": "batch",
    }
    assert output["client_id"]
    assert telegraf["agent"]["buffer_strategy"] == "disk"


def test_secrets_come_from_the_environment(telegraf: dict[str, Any]) -> None:
    text = (FOLDER / "telegraf.conf").read_text(encoding="utf-8")
    secrets = re.findall(r'^\s*(?:password|community|token) = "(.*)"$', text, re.MULTILINE)
    assert len(secrets) >= 4
    assert [one for one in secrets if not re.fullmatch(r"\$\{[A-Z_]+\}", one)] == []
    assert all(re.match(r"\$\{\w+\}:\$\{\w+\}@", server) for server in telegraf["inputs"]["ipmi_sensor"][0]["servers"])
    named = set(re.findall(r"\$\{(\w+)\}", text))
    head = text[: text.index("[agent]")]
    assert named == set(re.findall(r"\b[A-Z]+_[A-Z]+\b", head))


def test_topics_of_both_files_match(telegraf: dict[str, Any], config: Config) -> None:
    published = {topic(telegraf, measurement) for measurement in measurements(telegraf)}
    sources = [meter.source for meter in config.sites["north"].meters.values() if meter.source is not None]
    assert {source.topic for source in sources} == published
    for source in sources:
        asked = line_selector(source.value).measurement
        assert asked is None or source.topic == topic(telegraf, asked)
        assert (source.decoder, source.time_unit) == ("influx", "ns")


def test_tags_that_meters_ask_for_are_there(telegraf: dict[str, Any], config: Config) -> None:
    inputs = telegraf["inputs"]
    there = {
        "meter": {request["tags"]["meter"] for one in inputs["modbus"] for request in one["request"]},
        "agent_host": {re.split(r"[/:]+", agent)[1] for one in inputs["snmp"] for agent in one["agents"]},
        "server": {re.findall(r"\((.+)\)", server)[0] for one in inputs["ipmi_sensor"] for server in one["servers"]},
        "address": {one["address"].removeprefix("https://") for one in inputs["redfish"]},
    }
    asked = [
        tag
        for meter in config.sites["north"].meters.values()
        if meter.source is not None
        for tag in line_selector(meter.source.value).tags
        if tag[0] != "name"
    ]
    assert len(asked) >= 7
    assert [tag for tag in asked if tag[1] not in there[tag[0]]] == []


def test_each_meter_reads_its_line(telegraf: dict[str, Any], config: Config) -> None:
    """The lines of a flush, as one message a topic."""
    lines: dict[str, list[str]] = {}
    for line in LINES.read_text(encoding="utf-8").splitlines():
        lines.setdefault(topic(telegraf, re.split(r"[, ]", line)[0]), []).append(line)
    messages = [sent(name, "\n".join(group) + "\n", AT) for name, group in lines.items()]
    meters = [replace(meter, site="s") for meter in config.sites["north"].meters.values()]
    assert live(messages, meters).rejects == []
    assert sorted((name, value) for name, _, value in read(messages, meters)) == [
        ("chiller-1", 9123456.0),
        ("main", 81234567.0),
        ("pdu-1", 20481.3),
        ("pdu-2", 19877.1),
        ("server-11", 364.0),
        ("server-21", 326.0),
        ("server-21-inlet", 23.0),
        ("ups-in", 213400.0),
        ("ups-out", 201250.0),
    ]
