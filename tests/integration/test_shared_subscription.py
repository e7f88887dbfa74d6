"""Two collectors on one shared subscription, before one VictoriaMetrics: one is killed amid the load."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.commands import Service, ask, called, service
from tests.servers import Mosquitto, VictoriaMetrics, victoria_metrics, wait_until
from wattwell.config.settings import RemoteSettings
from wattwell.intervals import HOUR, SECOND, floor_to, iso
from wattwell.store import victoriametrics

METERS = 20
ROUNDS = 200
BROKEN_AT = 100
"""The round in which a collector is killed."""
STEP = 10 * SECOND


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    with victoria_metrics(tmp_path) as server:
        yield server


@pytest.fixture
def start() -> int:
    """Of the device times, microseconds UTC."""
    return floor_to(time.time_ns() // 1000, HOUR) - 3 * HOUR


def configured(folder: Path, remote: VictoriaMetrics, broker: Mosquitto | None) -> Path:
    """A collector of that name, or an installation that collects nothing."""
    folder.mkdir()
    lines = [
        f"store: {{url: 'victoriametrics://127.0.0.1:{remote.port}'}}",
        'http: {listen: "127.0.0.1:8080"}',
        "sites:",
        "  - id: hall",
        "    timezone: UTC",
        "    pue_category: 1",
        "    meters:",
    ]
    kind = "quantity: power, accumulation: instantaneous, period: 10s"
    lines += [f"      - {{id: m{number}, {kind}}}" for number in range(METERS)]
    if broker is not None:
        where = f"url: 'mqtt://127.0.0.1:{broker.port}', client_id: {folder.name}"
        lines.append(f"mqtt: {{{where}, subscribe: ['$share/wattwell/wattwell/#']}}")
    (folder / "w.yaml").write_text("\n".join([*lines, ""]))
    return folder


@contextmanager
def collector(folder: Path) -> Iterator[Service]:
    with service(folder, "--role", "collector,web") as running:
        wait_until(running.ready, f"{folder.name} is connected")
        yield running


@dataclass
class Load:
    """A publisher and what it has said."""

    client: Client
    start: int

    def round(self, number: int) -> None:
        """A reading of every meter, acknowledged by the broker when it returns."""
        sent = [
            self.client.publish(f"wattwell/hall/m{meter}", json.dumps({"time": iso(at), "value": value}), qos=1)
            for meter in range(METERS)
            for at, value in [self.reading(meter, number)]
        ]
        for info in sent:
            info.wait_for_publish(20)

    def reading(self, meter: int, number: int) -> tuple[int, float]:
        return self.start + number * STEP, meter * 1000 + number + 0.25


@contextmanager
def publisher(broker: Mosquitto, start: int) -> Iterator[Load]:
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        yield Load(client, start)
    finally:
        client.disconnect()
        client.loop_stop()


def taken(running: Service) -> int:
    """Readings that a collector has taken since its start."""
    lines = running.get("/metrics")[1].splitlines()
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("wattwell_readings_total{"))


def held(remote: VictoriaMetrics, start: int) -> dict[str, list[tuple[int, float]]]:
    """Every sample that the server shows, by meter, repeated ones included."""
    httpx.get(f"{remote.url}/internal/force_flush", timeout=10).raise_for_status()
    sink = victoriametrics.VictoriaMetrics.open(RemoteSettings(url=remote.url), {})
    try:
        found = {f"m{meter}": sink.read("hall", f"m{meter}", start, start + ROUNDS * STEP) for meter in range(METERS)}
    finally:
        sink.close()
    return {name: [(sample.at, sample.value) for sample in samples] for name, samples in found.items()}


def test_a_killed_collector_loses_and_doubles_nothing(
    tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto, remote: VictoriaMetrics, start: int
) -> None:
    folder = tmp_path_factory.mktemp("c")  # a path short enough for a socket
    first, second = (configured(folder / name, remote, broker) for name in ("one", "two"))
    with ExitStack() as running, publisher(broker, start) as load:
        one = running.enter_context(collector(first))
        two = running.enter_context(collector(second))
        for number in range(BROKEN_AT):
            load.round(number)
        for meter in range(METERS):  # on their way when it dies
            at, value = load.reading(meter, BROKEN_AT)
            load.client.publish(f"wattwell/hall/m{meter}", json.dumps({"time": iso(at), "value": value}), qos=1)
        one.end(signal.SIGKILL)
        for number in range(BROKEN_AT + 1, ROUNDS):
            load.round(number)
        wait_until(lambda: taken(two) >= (ROUNDS - BROKEN_AT) * METERS // 2, "the other one goes on")
        back = running.enter_context(collector(first))
        expected = {f"m{meter}": [load.reading(meter, number) for number in range(ROUNDS)] for meter in range(METERS)}
        wait_until(lambda: sum(map(len, held(remote, start).values())) >= ROUNDS * METERS, "all is in the store", 60)
        assert held(remote, start) == expected
        assert min(taken(two), taken(back)) > 0
        for each in (two, back):
            assert each.end() == 0
    assert figures_of(remote) == []
    assert_analysed_elsewhere(configured(folder / "figures", remote, None), start, expected)


def figures_of(remote: VictoriaMetrics) -> list[str]:
    """KPI values in the remote store: collectors, which know a part of the readings each, must write none."""
    found: list[str] = httpx.get(f"{remote.url}/api/v1/label/__name__/values", timeout=10).json()["data"]
    return [name for name in found if name.startswith("wattwell_kpi")]


def assert_analysed_elsewhere(folder: Path, start: int, expected: dict[str, list[tuple[int, float]]]) -> None:
    """An installation that collects nothing has every reading once, and its figures are of them."""
    span = ("--from", iso(start), "--to", iso(start + HOUR))
    assert called("restore", "w.yaml", *span, "--json", folder=folder).json["readings"] == ROUNDS * METERS
    assert called("restore", "w.yaml", *span, "--json", folder=folder).json["readings"] == 0
    quarters = ask(folder, "series", "w.yaml", "--site", "hall", "--meter", "m7", *span).json
    sent = dict(expected["m7"])
    for quarter in quarters[:2]:  # 33 minutes were sent
        assert quarter["measured"] == 1.0
        first = next(at for at in sent if iso(at) == quarter["start"])
        mean = (sent[first] + sent[first + 90 * STEP]) / 2  # power rises evenly
        assert quarter["value"] == pytest.approx(mean / 4)
