"""``wattwell`` with a bucket of InfluxDB and with a cluster, as operators meet them: doctor, its --fix, the service."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import CONFIG, START, called, dials, service, write_wide
from tests.reconciling import tally
from tests.remotes import GOLDEN, Influx, answering, cluster, influx_settings
from tests.servers import victoria_metrics, wait_until
from wattwell.intervals import DAY, HOUR, floor_to, iso
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.influxdb import InfluxDB


def configure(folder: Path, **section: Any) -> Path:
    """The small installation with this store."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text("secret-token\n")
    (folder / "w.yaml").write_text(CONFIG.replace('{url: "duckdb:wattwell.duckdb"}', json.dumps(section)))
    return folder


def bucket(folder: Path, url: str, **section: Any) -> Path:
    """The same with a bucket."""
    address = f"influxdb://{url.removeprefix('http://')}/plant/wattwell"
    section |= {"url": address, "token_file": "token"}
    return configure(folder, **section)


def doctor(folder: Path, *options: str) -> list[tuple[str, str]]:
    """Status and message of what it says of the remote store."""
    found = called("doctor", "w.yaml", *options, "--json", folder=folder).json
    return [(each["status"], each["message"]) for each in found if each["check"] == "remote store"]


def test_doctor_creates_the_bucket_only_when_told_to(tmp_path: Path) -> None:
    server = Influx()
    with answering(server) as url:
        folder = bucket(tmp_path / "site", url, bucket_retention="3650d")
        waits, answers, missing = doctor(folder)
        assert (waits[1], answers) == (
            "no reading waits in the spool",
            ("ok", f"{url} answers; it is InfluxDB v2.7.10"),
        )
        assert missing == ("failed", "the bucket wattwell of plant does not exist")
        assert server.buckets == {}
        remedy = called("doctor", "w.yaml", folder=folder).out
        assert "--fix" in remedy
        assert "3650d" in remedy
        made = doctor(folder, "--fix")[2]
        assert made == (
            "ok",
            "the bucket wattwell of plant was not there and has been created; it keeps readings for 3650d",
        )
        assert server.buckets == {"wattwell": 3650 * 86400}
        server.answers = ["", ""]
        assert doctor(folder)[2][1].startswith("the remote store holds 0 of the 0 readings of the last day")
        server.buckets["wattwell"] = 30 * 86400
        server.answers = ["", ""]
        (status, message), _ = doctor(folder, "--fix")[2:]
        assert status == "warning"
        assert message.startswith("the bucket wattwell of plant drops readings older than 30d")


def test_doctor_says_who_is_not_let_in(tmp_path: Path) -> None:
    with answering(Influx()) as url:
        folder = bucket(tmp_path / "site", url)
        (folder / "token").write_text("another\n")
        (status, message) = doctor(folder)[-1]
        assert (status, "does not let us in (HTTP 401)" in message, "another" in message) == ("failed", True, False)


def test_what_the_bucket_refuses_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    server = Influx(buckets={"wattwell": 0}, poison=(" value=1120.0 ", " value=1240.0 "))
    with answering(server) as url:
        folder = bucket(tmp_path / "site", url)
        data = write_wide(folder / "data.csv", dials())
        count = sum(len(row) for _, row in dials())
        filled = called("backfill", "w.yaml", data, "--site", "north", folder=folder)
        assert filled.code == 0
        assert "refuses 2 readings for good" in "".join(doctor_lines(folder, server))
        assert len(server.readings) == count - 2
        server.poison = ()
        assert called("resend", "w.yaml", "--json", folder=folder).json == {"readings": count, "waiting": 0}
        assert len(server.readings) == count
        assert "refuses" not in "".join(doctor_lines(folder, server))


def doctor_lines(folder: Path, server: Influx) -> list[str]:
    """What doctor says, with recorded answers to its queries."""
    server.answers = [(GOLDEN / "counts.csv").read_text(), (GOLDEN / "latest.csv").read_text()]
    return [message for _, message in doctor(folder)]


def test_readings_come_back_from_the_bucket_to_the_bit(tmp_path: Path) -> None:
    with answering(Influx(buckets={"wattwell": 0})) as url:
        folder = bucket(tmp_path / "site", url)
        data = write_wide(folder / "data.csv", dials())
        count = sum(len(row) for _, row in dials())
        assert called("backfill", "w.yaml", data, "--site", "north", folder=folder).code == 0
        asked = ("kpi", "w.yaml", "--site", "north", "--from", iso(START), "--to", iso(START + DAY))
        figures = called(*asked, "--json", folder=folder).json
        assert any(each["value"] is not None for each in figures)
        (folder / "wattwell.spool.duckdb").unlink()
        nothing = called(*asked, "--json", folder=folder).json
        assert all(each["value"] is None for each in nothing)
        span = ("--from", iso(START - DAY), "--to", iso(START + 20 * DAY))
        assert called("restore", "w.yaml", *span, "--json", folder=folder).json["readings"] == count
        assert called(*asked, "--json", folder=folder).json == figures
        store = DuckdbStore.open(folder / "wattwell.spool.duckdb")
        remote = InfluxDB.open(influx_settings(url, tmp_path), {})
        assert tally(store, remote, START - DAY, START + 20 * DAY) == {"same": count}
        remote.close()
        store.close()


def test_restore_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").write_text(CONFIG)
    embedded = called("restore", "w.yaml", "--from", "2026-01", "--to", "2026-02", folder=tmp_path)
    assert (embedded.code, "there is no remote store to restore from" in embedded.err) == (2, True)
    empty = called("restore", "w.yaml", "--from", "2026-02", "--to", "2026-02", folder=tmp_path)
    assert (empty.code, "--from 2026-02 must be before --to 2026-02" in empty.err) == (2, True)


def test_doctor_asks_each_node_of_a_cluster(tmp_path: Path) -> None:
    with victoria_metrics(tmp_path / "remote", "-retentionPeriod=1") as process, cluster(process) as settings:
        urls = {
            "url": settings.url.replace("http:", "victoriametrics:"),
            "read_url": (settings.read_url or "").replace("http:", "victoriametrics:"),
        }
        unnamed = doctor(configure(tmp_path / "unnamed", **urls))
        assert unnamed[1][0] == "warning"
        assert unnamed[1][1].startswith("the nodes of the VictoriaMetrics cluster are not named")
        node = settings.nodes[2]
        named = doctor(configure(tmp_path / "named", **urls, nodes=[node, "http://127.0.0.1:9"]))
        assert [(status, message.split(";")[0]) for status, message in named[1:4]] == [
            ("ok", f"{node} answers"),
            ("warning", f"{node} of the remote store counts a reading twice that was sent twice"),
            ("warning", f"{node} of the remote store drops readings older than a month"),
        ]
        assert named[4][0] == "failed"
        assert named[4][1].startswith("the remote store http://127.0.0.1:9 does not answer")


def test_the_service_writes_kpi_values_to_a_cluster_and_doctor_finds_it_well(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with victoria_metrics(tmp_path / "remote") as process, cluster(process) as settings:
        folder = configure(
            tmp_path_factory.mktemp("r") / "s",  # a path short enough for a socket
            url=settings.url.replace("http:", "victoriametrics:"),
            read_url=(settings.read_url or "").replace("http:", "victoriametrics:"),
            nodes=list(settings.nodes),
            kpi_series=True,
        )
        first, start = next(dials())[0], floor_to(time.time_ns() // 1000, DAY) - 2 * DAY
        data = write_wide(folder / "data.csv", ((at - first + start, row) for at, row in dials()))
        assert called("backfill", "w.yaml", data, "--site", "north", folder=folder).code == 0
        query = {
            "query": 'wattwell_kpi{site="north",kpi="pue",window="24h"}',
            "time": f"{(start + 26 * HOUR) // 10**6}",
        }

        def pue() -> Any:
            httpx.get(f"{process.url}/internal/force_flush", timeout=10).raise_for_status()
            found = httpx.get(f"{process.url}/api/v1/query", params=query, timeout=10).json()["data"]["result"]
            return found and float(found[0]["value"][1])

        with service(folder) as running:
            wait_until(running.ready, "ready")
            wait_until(pue, "the PUE of a day is in the remote store", 40)
            assert pue() == pytest.approx(1.2, rel=1e-4)
            told = doctor(folder)
            assert running.end() == 0
        assert [status for status, _ in told] == ["ok"] * 5
        assert told[-1][1].startswith("the remote store holds ")
