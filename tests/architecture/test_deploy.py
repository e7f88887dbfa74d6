"""What deploy/ ships works: each file is tried with its own tool."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from alerts.defaults import default_rules
from tests.servers import Mosquitto, program, wait_until
from wattwell.app.access import rules_of
from wattwell.cli.arguments import parser
from wattwell.config import load
from wattwell.intervals import DAY

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
USERS = ("wattwell", "wattwell-2", "wattwell-south", "gateway-north", "gateway-south")
"""Of the shipped access rules, all with the password "right"."""
WAITING = 1500
"""More messages than a broker keeps for an absent client by default (1000)."""


class Shipped(Mosquitto):
    """mosquitto with the configuration that deploy/ ships, but for its port, its folders and who runs it."""

    def arguments(self) -> Sequence[str | Path]:
        text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text(encoding="utf-8")
        for shipped, here in {
            "listener 1883 127.0.0.1": f"listener {self.port} 127.0.0.1",
            "/etc/mosquitto/wattwell.passwd": str(self.folder / "passwd"),
            "/etc/mosquitto/wattwell.acl": str(DEPLOY / "mosquitto" / "wattwell.acl"),
            "/var/lib/mosquitto/": f"{self.folder}/",
            "log_dest syslog": "log_dest stderr",
        }.items():
            assert text.count(shipped) == 1
            text = text.replace(shipped, here)
        settings = self.folder / "mosquitto.conf"
        settings.write_text(f"{text}\nuser root\n", encoding="utf-8")  # the user counts only where root starts it
        return "-c", settings


@pytest.fixture
def shipped(tmp_path: Path) -> Iterator[Shipped]:
    passwords = tmp_path / "passwd"
    passwords.touch(mode=0o600)
    for user in USERS:
        subprocess.run([program("mosquitto_passwd"), "-b", passwords, user, "right"], check=True, capture_output=True)
    with Shipped(tmp_path).running() as broker:
        yield broker


@contextmanager
def client(
    port: int, name: str, password: str, found: list[bytes] | None = None, user: str = "wattwell"
) -> Iterator[tuple[Client, list[str]]]:
    """A client with a session that outlives its connection; gives it and the broker's answer."""
    replies: list[str] = []
    answered = threading.Event()
    made = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    made.username_pw_set(user, password)

    def on_connect(_client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _more: object) -> None:
        replies.append(str(reason))
        answered.set()

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        if found is not None:
            found.append(message.payload)

    made.on_connect, made.on_message = on_connect, on_message
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 86400
    made.connect("127.0.0.1", port, clean_start=False, properties=properties)
    made.loop_start()
    try:
        assert answered.wait(10)
        yield made, replies
    finally:
        made.disconnect()
        made.loop_stop()


def test_the_broker_refuses_strangers(shipped: Shipped) -> None:
    with client(shipped.port, "stranger", "wrong") as (_, replies):
        assert replies[0] == "Not authorized"
    with client(shipped.port, "friend", "right") as (_, replies):
        assert replies[0] == "Success"


def test_the_broker_keeps_all_for_an_absent_collector_over_a_restart(shipped: Shipped, tmp_path: Path) -> None:
    with client(shipped.port, "collector", "right") as (made, _):
        subscribed = threading.Event()
        made.on_subscribe = lambda *_event: subscribed.set()
        made.subscribe("wattwell/#", qos=1)
        assert subscribed.wait(10)
    with client(shipped.port, "gateway", "right", user="gateway-north") as (made, _):
        for number in range(WAITING):
            last = made.publish("wattwell/north/m", str(number), qos=1)
        last.wait_for_publish(20)
    shipped.stop()
    shipped.folder = Path(shutil.copytree(shipped.folder, tmp_path / "restored"))  # a back-up, put in its place
    shipped.start()
    found: list[bytes] = []
    with client(shipped.port, "collector", "right", found):
        wait_until(lambda: len(found) >= WAITING, f"{WAITING} messages come, {len(found)} came")
    assert found == [str(number).encode() for number in range(WAITING)]


def test_the_example_with_influxdb_loads(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "influxdb" / "wattwell.yaml", tmp_path)
    (tmp_path / "influx.token").write_text("secret\n", encoding="utf-8")
    config = load(tmp_path / "wattwell.yaml")
    assert config.notes == ()
    remote = config.store.remote
    assert remote is not None
    assert (remote.kind, remote.url, remote.org, remote.bucket) == (
        "influxdb",
        "https://influx.example:8086",
        "plant",
        "wattwell",
    )
    assert (remote.retention, remote.kpi_series) == (3650 * DAY, True)


def test_the_example_configuration_loads(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "wattwell.example.yaml", tmp_path)
    (tmp_path / "mqtt.password").write_text("secret\n", encoding="utf-8")
    config = load(tmp_path / "wattwell.example.yaml")
    assert config.notes == ()
    assert config.store.path == Path("/var/lib/wattwell/wattwell.duckdb")
    assert config.store.raw_retention == 1095 * DAY
    site = config.sites["north"]
    assert len(site.meters) == 15
    assert {rule.name for rule in rules_of(config)} == {rule.name for rule in default_rules(config.sites)}


def test_what_the_example_calls_a_default_is_one(tmp_path: Path) -> None:
    text = (DEPLOY / "wattwell.example.yaml").read_text(encoding="utf-8")
    (tmp_path / "mqtt.password").write_text("secret\n", encoding="utf-8")
    for name, lines in {
        "full.yaml": text.splitlines(),
        "less.yaml": [line for line in text.splitlines() if "(default)" not in line],
    }.items():
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    assert text.count("(default)") >= 8
    full, less = load(tmp_path / "full.yaml"), load(tmp_path / "less.yaml")
    assert repr(full) == repr(less)  # arrays among them have no truth of their own


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The service's unit with a program that exists, as systemd looks for it."""
    text = (DEPLOY / "systemd" / "wattwell.service").read_text(encoding="utf-8")
    stand_in = tmp_path / "wattwell"
    stand_in.write_text("#!/bin/sh\n", encoding="utf-8")
    stand_in.chmod(0o755)
    assert text.count("/opt/wattwell/bin/wattwell ") == 1
    path = tmp_path / "wattwell.service"
    path.write_text(text.replace("/opt/wattwell/bin/wattwell ", f"{stand_in} "), encoding="utf-8")
    return path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed, as in a container without systemd")
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_accepts_the_service(unit: Path) -> None:
    done = analyze("verify", "--man=no", unit)
    ours = [line for line in done.stderr.splitlines() if "wattwell" in line]
    assert (done.returncode, ours) == (0, [])


def test_systemd_finds_the_service_well_shut_in(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=12", "--no-pager", unit)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a unit offline (systemd 250 and later can)")
    assert done.returncode == 0, done.stdout[-600:]


def test_the_service_is_bounded() -> None:
    text = (DEPLOY / "systemd" / "wattwell.service").read_text(encoding="utf-8")
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))
    limits = compose["services"]["wattwell"]["deploy"]["resources"]["limits"]
    assert f"\nMemoryMax={limits['memory']}\n" in text
    assert f"\nCPUQuota={float(limits['cpus']):.0%}\n" in text


def test_the_service_runs_a_command_that_exists() -> None:
    text = (DEPLOY / "systemd" / "wattwell.service").read_text(encoding="utf-8")
    started = re.search(r"^ExecStart=\S+/wattwell (.+)$", text, re.MULTILINE)
    assert started is not None
    assert parser().parse_args(started[1].split()).command == "run"
    assert "RestartPreventExitStatus=2" in text  # wrong configuration


def test_the_image_is_made_of_what_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY") and "--from" not in line]
    names = [name for line in copied for name in line]
    assert [name for name in names if not (ROOT / name).exists()] == []
    assert {"wattwell", "collector", "analytics", "alerts", "pyproject.toml", "README.md"} == set(names)
    last_stage = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER wattwell$", last_stage, re.MULTILINE)
    command = re.search(r"^CMD \[(.+)\]$", last_stage, re.MULTILINE)
    assert command is not None
    assert parser().parse_args(re.findall(r'"([^"]+)"', command[1])).command == "run"
