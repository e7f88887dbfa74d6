"""A fleet of two processes on one configuration: each collects, tells and shows its own sites, and those alone."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

from tests.commands import CONFIG, Service, called, service, wattwell
from tests.integration.test_service import publisher
from tests.servers import Mosquitto, free_port, wait_until
from wattwell.config import load
from wattwell.config.sharding import owner
from wattwell.intervals import HOUR, MINUTE, floor_to, iso
from wattwell.store.duckdb import DuckdbStore


def configure(folder: Path, broker: int, port: int, shards: str) -> None:
    text = CONFIG.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    mqtt = f"mqtt: {{url: 'mqtt://127.0.0.1:{broker}', client_id: fleet}}\n"
    (folder / "w.yaml").write_text(f"{text}{mqtt}shards: {shards}\n")


def test_sites_are_shared(tmp_path: Path, broker: Mosquitto) -> None:
    port = free_port()
    configure(tmp_path, broker.port, port, "{count: 2, pinned: {north: 0, south: 1}, same_port: true}")
    with service(tmp_path, "--shard", "0/2", port=port) as north, publisher(broker.port) as client:
        other = free_port()
        with service(tmp_path, "--shard", "1", port=other) as south:
            wait_until(lambda: north.ready() and south.ready(), "both are ready")
            now = time.time_ns() // 1000
            since = floor_to(now, 5 * MINUTE) - 2 * HOUR
            for at in range(since, now, 5 * MINUTE):
                values = {meter: round(1000 + 100 * (at - since) / HOUR, 3) for meter in ("grid-a", "ups-a")}
                for site in ("north", "south"):
                    client.publish(f"wattwell/{site}", json.dumps({"time": iso(at), "values": values}), qos=1)
            for running, mine, theirs in ((north, "north", "south"), (south, "south", "north")):
                wait_until(lambda: f'site_pue_ratio{{category="1",site="{mine}"' in running.get("/metrics")[1], mine)  # noqa: B023
                assert f'site="{theirs}"' not in running.get("/metrics")[1]
                assert [each["id"] for each in json.loads(running.get("/api/v1/sites")[1])] == [mine]
            found = called(
                "kpi", "w.yaml", "--site", "south", "--kpi", "pue", "--window", "1h", "--json", folder=tmp_path
            )
            assert found.json[0]["value"] == 1.0, "answered by the process that has the site"
            assert called("unmapped", "w.yaml", "--shard", "0", "--json", folder=tmp_path).json == [], "not even heard"
            again = wattwell("run", "w.yaml", "--shard", "0", folder=tmp_path)
            assert again.code == 1
            assert "wattwell.shard-0.duckdb is in use by another process" in again.err
            assert south.end() == 0
        assert north.end() == 0


def test_no_site_is_taken_twice(tmp_path: Path, broker: Mosquitto) -> None:
    port = free_port()
    configure(tmp_path, broker.port, port, "{count: 2, pinned: {north: 0, south: 1}, same_port: true}")
    with service(tmp_path, "--shard", "0", port=port) as north:
        configure(tmp_path, broker.port, free_port(), "{count: 3, pinned: {north: 2, south: 2}}")
        assert owner("north", load(tmp_path / "w.yaml").shards) == 2  # type: ignore[arg-type] # it has shards
        other = wattwell("run", "w.yaml", "--shard", "2", folder=tmp_path)
        assert (other.code, "site north has a process already" in other.err) == (1, True)
        (tmp_path / "w.yaml").write_text((tmp_path / "w.yaml").read_text().partition("shards:")[0])
        alone = wattwell("run", "w.yaml", folder=tmp_path)
        assert (alone.code, "site north has a process already" in alone.err) == (1, True)
        assert "From now on the broker keeps for us what our meters send." in alone.err
        assert north.end() == 0
    configure(tmp_path, broker.port, port, "{count: 3, pinned: {north: 2, south: 2}, same_port: true}")
    with service(tmp_path, "--shard", "2", port=port) as both:
        wait_until(both.ready, "the sites were given back")


def test_a_site_moves(tmp_path: Path, broker: Mosquitto) -> None:
    """Without a loss: who gains it is started first, and refused: its session has what comes from then on."""
    start = floor_to(time.time_ns() // 1000, HOUR) - HOUR
    stamps = [start + step * MINUTE for step in range(4)]
    port = free_port()
    configure(tmp_path, broker.port, port, "{count: 2, pinned: {north: 0, south: 0}, same_port: true}")
    with publisher(broker.port) as client:

        def say(at: int) -> None:
            client.publish("wattwell/south/grid-a", json.dumps({"time": iso(at), "value": 1}), qos=1).wait_for_publish()

        with service(tmp_path, "--shard", "0", port=port) as before:
            wait_until(before.ready, "the one that has the site listens")
            say(stamps[0])
            configure(tmp_path, broker.port, port, "{count: 2, pinned: {north: 0, south: 1}, same_port: true}")
            refused = wattwell("run", "w.yaml", "--shard", "1", folder=tmp_path)
            assert (refused.code, "site south has a process already" in refused.err) == (1, True)
            assert "From now on the broker keeps for us what our meters send." in refused.err
            say(stamps[1])
            wait_until(lambda: took(before, 2), "it has taken both")
            assert before.end() == 0
        say(stamps[2])
        with service(tmp_path, "--shard", "0", port=port) as loser, service(tmp_path, "--shard", "1") as gainer:
            wait_until(lambda: loser.ready() and gainer.ready(), "both are ready")
            say(stamps[3])
            wait_until(lambda: took(gainer, 3), "it has taken what waited and what comes")
            assert (loser.end(), gainer.end()) == (0, 0)
    taken = [kept(tmp_path / f"wattwell.shard-{shard}.duckdb") for shard in (0, 1)]
    assert taken == [stamps[:2], stamps[1:]]


def took(running: Service, count: int) -> bool:
    """Whether it has taken so many readings of the south."""
    return f'wattwell_readings_total{{site="south"}} {count}' in running.get("/metrics")[1]


def kept(path: Path) -> list[int]:
    """Times of the readings of a southern meter."""
    with closing(DuckdbStore.open(path)) as store:
        key = ("south", "grid-a")
        return list(store.readings([key], 0, 2**62)[key][0].tolist())
