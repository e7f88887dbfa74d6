"""Collectors on a shared subscription, VictoriaMetrics behind them, and analytics that follow it, live."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.commands import CONFIG, START, Service, ask, called, dials, service, write_wide
from tests.servers import Mosquitto, VictoriaMetrics, program, wait_until
from wattwell.app.follow import STATE
from wattwell.intervals import HOUR, MINUTE, floor_to, iso
from wattwell.store.duckdb import DuckdbStore

DIALS = {"grid-a": 120.0, "ups-a": 100.0, "water": 0.1}
"""Meters of the north, and what they count in an hour."""


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    """A server that is not there yet."""
    program("victoria-metrics")
    server = VictoriaMetrics(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def since() -> int:
    """When the readings begin, microseconds UTC."""
    return floor_to(time.time_ns() // 1000, HOUR) - 6 * HOUR


def configured(folder: Path, store: str, broker: Mosquitto | None = None) -> Path:
    """The small installation with this store section."""
    folder.mkdir()
    text = CONFIG.replace('{url: "duckdb:wattwell.duckdb"}', store)
    if broker is not None:
        where = f"url: 'mqtt://127.0.0.1:{broker.port}', client_id: {folder.name}"
        text += f"mqtt: {{{where}, subscribe: ['$share/wattwell/wattwell/#']}}\n"
    (folder / "w.yaml").write_text(text)
    return folder


def sending(remote: VictoriaMetrics) -> str:
    return f"{{url: 'victoriametrics://127.0.0.1:{remote.port}', kpi_series: true}}"


def following(remote: VictoriaMetrics) -> str:
    return f"{{url: 'victoriametrics://127.0.0.1:{remote.port}', follow: 1s}}"


@contextmanager
def collector(folder: Path) -> Iterator[Service]:
    with service(folder, "--role", "collector,web") as running:
        wait_until(running.ready, f"{folder.name} is connected")
        yield running


@contextmanager
def follower(folder: Path) -> Iterator[Service]:
    with service(folder, "--role", "analytics,alerts,web") as running:
        wait_until(running.ready, "the follower is ready")
        yield running


@dataclass
class Said:
    """What the meters have said: to collectors, and to one process with an embedded store that gets everything."""

    alone: Path
    since: int
    rows: list[str] = field(default_factory=list)

    def dial(self, meter: str, at: int) -> float:
        return round(1000 + DIALS[meter] * (at - self.since) / HOUR, 2)

    def publish(self, broker: Mosquitto, start: int, end: int, meters: Sequence[str] = tuple(DIALS)) -> None:
        """Single readings every five minutes, acknowledged by the broker when it returns."""
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        infos = []
        for at in range(start, end, 5 * MINUTE):
            for meter in meters:
                said = json.dumps({"time": iso(at), "value": self.dial(meter, at)})
                infos.append(client.publish(f"wattwell/north/{meter}", said, qos=1))
                self.rows.append(f"{iso(at)},{meter},{self.dial(meter, at)}")
        for info in infos:
            info.wait_for_publish(20)
        client.disconnect()
        client.loop_stop()

    def figures(self) -> list[Any]:
        """The KPIs of the one process."""
        (self.alone / "data.csv").write_text("\n".join(["time,meter,value", *self.rows]) + "\n")
        assert called("backfill", "w.yaml", "data.csv", "--site", "north", folder=self.alone).code == 0
        return figures(self.alone, self.since)


def figures(folder: Path, since: int) -> list[Any]:
    """Every KPI of the north over five hours, and PUE of each hour."""
    span = ("--site", "north", "--from", iso(since), "--to", iso(since + 5 * HOUR))
    found = ask(folder, "kpi", "w.yaml", *span).json
    found += ask(folder, "kpi", "w.yaml", "--kpi", "pue,wue", "--window", "1h", *span).json
    return [[each["kpi"], each["end"], each["value"], each["coverage"], each["provisional"]] for each in found]


def same(one: list[Any], other: list[Any]) -> bool:
    """To 1e-9."""
    plain = [[[-1.0 if cell is None else cell for cell in row] for row in found] for found in (one, other)]
    names = [[row[:2] for row in found] for found in plain]
    return names[0] == names[1] and all(
        mine[2:] == pytest.approx(theirs[2:], rel=1e-9) for mine, theirs in zip(*plain, strict=True)
    )


def samples(running: Service) -> dict[str, float]:
    """What /metrics says of what has no labels."""
    lines = [line.split(" ") for line in running.get("/metrics")[1].splitlines() if line[0] != "#" and "{" not in line]
    return {name: float(value) for name, value in lines}


def kpi_series(remote: VictoriaMetrics) -> list[str]:
    """Names of KPI values in the remote store."""
    found: list[str] = httpx.get(f"{remote.url}/api/v1/label/__name__/values", timeout=10).json()["data"]
    return [name for name in found if name.startswith("wattwell_kpi")]


def followed(folder: Path) -> int:
    """Until when what was marked has been followed; 0: nothing has."""
    store = DuckdbStore.open(folder / "wattwell.spool.duckdb")
    document = store.load_state(STATE)
    store.close()
    return 0 if document is None else int(json.loads(document)["cursor"])


def test_figures_behind_two_collectors_are_those_of_one_process(
    tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto, remote: VictoriaMetrics, since: int
) -> None:
    folder = tmp_path_factory.mktemp("f")  # a path short enough for a socket
    remote.start()
    first, second = (configured(folder / name, sending(remote), broker) for name in ("one", "two"))
    here = configured(folder / "here", following(remote))
    said = Said(configured(folder / "alone", '{url: "duckdb:wattwell.duckdb"}'), since)
    late = since + 2 * HOUR + 30 * MINUTE
    with ExitStack() as running:
        one = running.enter_context(collector(first))
        two = running.enter_context(collector(second))
        watched = running.enter_context(follower(here))
        said.publish(broker, since, late)
        said.publish(broker, late, late + 30 * MINUTE, ["grid-a", "water"])  # the other one is silent for a while
        one.end(signal.SIGKILL)
        said.publish(broker, late + 30 * MINUTE, since + 5 * HOUR + 5 * MINUTE)
        back = running.enter_context(collector(first))
        before = said.figures()
        wait_until(lambda: same(figures(here, since), before), "all has come", 60)
        said.publish(broker, late, late + 30 * MINUTE, ["ups-a"])
        after = said.figures()
        assert not same(before, after)
        wait_until(lambda: same(figures(here, since), after), "what was late has come", 60)
        assert samples(watched)["wattwell_spool_readings"] == 0
        for each in (back, two, watched):
            assert each.end() == 0
    assert kpi_series(remote) == [], "collectors, which know a part of the readings each, write none"


def test_a_follower_goes_on_where_it_was_and_waits_for_a_store_that_is_away(
    tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto, remote: VictoriaMetrics, since: int
) -> None:
    folder = tmp_path_factory.mktemp("f")  # a path short enough for a socket
    one = configured(folder / "one", sending(remote), broker)
    here = configured(folder / "here", following(remote))
    said = Said(configured(folder / "alone", '{url: "duckdb:wattwell.duckdb"}'), since)
    with ExitStack() as running:
        running.enter_context(collector(one))
        said.publish(broker, since, since + HOUR)
        with follower(here) as watched:
            wait_until(
                lambda: "does not come in, since the remote store" in watched.get("/readyz")[1], "/readyz says so"
            )
            assert "wattwell_followed_timestamp_seconds" not in samples(watched)
            remote.start()
            expected = said.figures()
            wait_until(lambda: same(figures(here, since), expected), "the first hour has come", 60)
            wait_until(lambda: "does not come in" not in watched.get("/readyz")[1], "/readyz says so")
            assert samples(watched)["wattwell_followed_timestamp_seconds"] > since / 1e6
            assert "The remote store is followed again." in watched.log.read_text()
            remote.stop()
            said.publish(broker, since + HOUR, since + 2 * HOUR)
            wait_until(lambda: "does not come in" in watched.get("/readyz")[1], "/readyz says so")
            assert watched.end() == 0
        remote.start()
        cursor = followed(here)
        said.publish(broker, since + 2 * HOUR, since + 5 * HOUR + 5 * MINUTE)
        expected = said.figures()
        with follower(here) as watched:
            wait_until(lambda: same(figures(here, since), expected), "all has come", 60)
            assert watched.end() == 0
    assert followed(here) > cursor > 0
    store = DuckdbStore.open(here / "wattwell.spool.duckdb")
    assert [entry.kind for entry in store.audit("readings")] == []
    store.close()


def test_a_back_fill_of_a_collector_reaches_who_follows(
    tmp_path_factory: pytest.TempPathFactory, remote: VictoriaMetrics
) -> None:
    """Without any broker; and a KPI series is written by who analyses, not by who collects."""
    folder = tmp_path_factory.mktemp("f")
    remote.start()
    one = configured(folder / "one", sending(remote))
    here = configured(folder / "here", following(remote).replace("follow", "kpi_series: true, follow"))
    alone = configured(folder / "alone", '{url: "duckdb:wattwell.duckdb"}')
    since = floor_to(time.time_ns() // 1000, HOUR) - 40 * HOUR
    data = write_wide(folder / "data.csv", ((at - START + since, row) for at, row in dials()))
    with follower(here):
        for each in (one, alone):
            assert called("backfill", "w.yaml", data, "--site", "north", folder=each).code == 0
        expected = figures(alone, since)
        wait_until(lambda: same(figures(here, since), expected), "all has come", 60)
        wait_until(lambda: kpi_series(remote), "KPI values are written", 60)
    refused = called("backfill", "w.yaml", data, "--site", "north", folder=here)
    assert (refused.code, "back-fill at one of them" in refused.err) == (2, True)


def test_who_still_has_something_to_send_does_not_follow(tmp_path: Path, remote: VictoriaMetrics) -> None:
    here = configured(tmp_path / "here", sending(remote))
    data = write_wide(here / "data.csv", dials())
    assert called("backfill", "w.yaml", data, "--site", "north", folder=here).code == 0
    config = (here / "w.yaml").read_text().replace(sending(remote), following(remote))
    (here / "w.yaml").write_text(config)
    with service(here) as refused:
        assert refused.process.wait(30) == 2
        assert "readings wait in" in refused.log.read_text()
        assert "run it without store.follow until they are sent" in refused.log.read_text()
