"""``wattwell`` with a remote store: acknowledged and counted while it is away, all there when it is back."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.commands import CONFIG, START, ask, called, dials, service, write_wide
from tests.servers import Mosquitto, VictoriaMetrics, program, wait_until
from wattwell.config.settings import RemoteSettings
from wattwell.intervals import DAY, HOUR, MINUTE, floor_to, iso
from wattwell.store import victoriametrics


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    """A server that is not there yet."""
    program("victoria-metrics")
    server = VictoriaMetrics(tmp_path)
    yield server
    server.stop()


def configure(folder: Path, remote: VictoriaMetrics, broker: Mosquitto | None = None) -> Path:
    """The small installation with a remote store."""
    folder.mkdir(exist_ok=True)
    text = CONFIG.replace("duckdb:wattwell.duckdb", f"victoriametrics://127.0.0.1:{remote.port}")
    if broker is not None:
        text += f"mqtt: {{url: 'mqtt://127.0.0.1:{broker.port}', client_id: wattwell-test}}\n"
    (folder / "w.yaml").write_text(text)
    return folder


def held(remote: VictoriaMetrics, meter: str, start: int, end: int) -> list[tuple[int, float]]:
    """What the server shows of a northern meter."""
    sink = victoriametrics.VictoriaMetrics.open(RemoteSettings(url=remote.url), {})
    try:
        return [(sample.at, sample.value) for sample in sink.read("north", meter, start, end)]
    finally:
        sink.close()


def flush(remote: VictoriaMetrics) -> None:
    """The server shows at once what it would show after some seconds."""
    httpx.get(f"{remote.url}/internal/force_flush", timeout=10).raise_for_status()


def publish(port: int, since: int, until: int) -> dict[str, list[tuple[int, float]]]:
    """Sends dials of 120 kW, 100 kW of it for IT, at every five minutes; what each meter said."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    said: dict[str, list[tuple[int, float]]] = {"grid-a": [], "ups-a": []}
    for at in range(since, until, 5 * MINUTE):
        values = {"grid-a": 1000 + 120 * (at - since) / HOUR, "ups-a": round(500 + 100 * (at - since) / HOUR, 3)}
        client.publish("wattwell/north", json.dumps({"time": iso(at), "values": values}), qos=1).wait_for_publish(10)
        for meter, value in values.items():
            said[meter].append((at, value))
    client.disconnect()
    client.loop_stop()
    return said


def test_readings_are_taken_and_counted_while_the_remote_store_is_away(
    tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto, remote: VictoriaMetrics
) -> None:
    folder = configure(tmp_path_factory.mktemp("r") / "s", remote, broker)  # a path short enough for a socket
    since = floor_to(time.time_ns() // 1000, 15 * MINUTE) - 3 * HOUR
    with service(folder) as running:
        wait_until(running.ready, "ready without its remote store")
        said = publish(broker.port, since, since + 2 * HOUR + MINUTE)
        wait_until(lambda: "wattwell_spool_readings 50.0" in running.get("/metrics")[1], "50 readings in the spool")
        assert 'wattwell_readings_total{site="north"} 50.0' in running.get("/metrics")[1]
        wait_until(lambda: "wait in the spool" in running.get("/readyz")[1], "/readyz says so")
        assert running.get("/readyz")[0] == 200
        span = ("--from", iso(since), "--to", iso(since + 2 * HOUR))
        (pue,) = ask(folder, "kpi", "w.yaml", "--site", "north", "--kpi", "pue", *span).json
        assert pue["value"] == pytest.approx(1.2, rel=1e-4)
        (waits, away) = (
            f for f in called("doctor", "w.yaml", "--json", folder=folder).json if f["check"] == "remote store"
        )
        assert (waits["status"], away["status"]) == ("warning", "failed")
        assert waits["message"].startswith("50 readings wait in the spool since ")
        remote.start()
        wait_until(lambda: "wattwell_spool_readings 0.0" in running.get("/metrics")[1], "all is sent", 40)
        for meter, expected in said.items():
            flush(remote)
            assert held(remote, meter, since, since + 3 * HOUR) == expected
        assert "wait in the spool" not in running.get("/readyz")[1]
        assert "The remote store takes readings again." in running.log.read_text()
        assert running.end() == 0


def test_back_fill_sends_what_it_can(tmp_path: Path, remote: VictoriaMetrics) -> None:
    folder = configure(tmp_path / "site", remote)
    data = write_wide(folder / "data.csv", dials())
    count = sum(len(row) for _, row in dials())
    first = called("backfill", "w.yaml", data, "--site", "north", folder=folder)
    assert first.code == 0
    assert f"{count} readings wait in {folder}/wattwell.spool.duckdb until `wattwell run` sends them on" in first.err
    remote.start()
    again = called("backfill", "w.yaml", data, "--site", "north", folder=folder)
    assert (again.code, "wait in" in again.err) == (0, False)
    flush(remote)
    expected = [(at, float(row["grid-a"])) for at, row in dials()]
    assert held(remote, "grid-a", START, START + 2 * DAY) == expected
    embedded = tmp_path / "embedded"
    embedded.mkdir()
    (embedded / "w.yaml").write_text(CONFIG)
    assert called("backfill", "w.yaml", data, "--site", "north", folder=embedded).code == 0
    refused = called("resend", "w.yaml", folder=embedded)
    assert (refused.code, "there is no remote store to send to" in refused.err) == (2, True)
    asked = ("kpi", "w.yaml", "--site", "north", "--from", iso(START), "--to", iso(START + DAY))
    assert ask(folder, *asked).json == ask(embedded, *asked).json


def test_a_remote_store_that_has_lost_its_data_gets_all_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, remote: VictoriaMetrics
) -> None:
    folder = configure(tmp_path_factory.mktemp("r") / "s", remote)
    remote.start()
    data = write_wide(folder / "data.csv", dials())
    count = sum(len(row) for _, row in dials())
    assert called("backfill", "w.yaml", data, "--site", "north", folder=folder).code == 0
    expected = [(at, float(row["grid-a"])) for at, row in dials()]

    def emptied() -> None:
        """The remote store loses all of its data, and is there again."""
        remote.stop()
        shutil.rmtree(tmp_path / "victoria-metrics")
        remote.start()
        assert held(remote, "grid-a", START, START + 2 * DAY) == []

    emptied()
    resent = called("resend", "w.yaml", "--json", folder=folder)
    assert (resent.code, resent.json) == (0, {"readings": count, "waiting": 0})
    flush(remote)
    assert held(remote, "grid-a", START, START + 2 * DAY) == expected
    with service(folder) as running:
        wait_until(running.ready, "ready")
        emptied()
        assert f"{count} readings are sent" in called("resend", "w.yaml", folder=folder).out

        def all_there() -> bool:
            flush(remote)
            return held(remote, "grid-a", START, START + 2 * DAY) == expected

        wait_until(all_there, "the service has sent all again", 40)
        assert running.end() == 0
