"""VictoriaMetrics behind the spool: outages, restarts and power cuts of the real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.reconciling import tally
from tests.remotes import influx_settings
from tests.servers import VictoriaMetrics as Process
from tests.servers import certificates, victoria_metrics, wait_until
from tests.support import readings_of
from wattwell.app.forward import Forwarder
from wattwell.config.settings import RemoteSettings
from wattwell.errors import RemoteStoreError
from wattwell.intervals import HOUR, MINUTE, SECOND, floor_to
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.influxdb import InfluxDB
from wattwell.store.outbox import START
from wattwell.store.remote import Sample
from wattwell.store.victoriametrics import METRIC, VictoriaMetrics

A, B = ("s", "a"), ("s", "b")
NOW = time.time_ns() // 1000
T = floor_to(NOW, HOUR) - 2 * HOUR


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with victoria_metrics(tmp_path / "remote") as running:
        yield running


@pytest.fixture
def remote(process: Process) -> Iterator[VictoriaMetrics]:
    sink = VictoriaMetrics.open(RemoteSettings(url=process.url), {A: "kWh", B: "L/s"})
    yield sink
    sink.close()


def flushed(remote: VictoriaMetrics) -> VictoriaMetrics:
    """The server shows at once what it would show after some seconds."""
    httpx.get(f"{remote.url}/internal/force_flush", timeout=10).raise_for_status()
    return remote


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    opened = DuckdbStore.open(tmp_path / "spool.duckdb")
    yield opened
    opened.close()


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wall(self) -> int:
        return NOW + round(self.seconds * SECOND)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def forwarder(store: DuckdbStore, remote: VictoriaMetrics, clock: Clock) -> Forwarder:
    return Forwarder(store, remote, clock.wall, clock.monotonic)


def put(store: DuckdbStore, first: int, last: int, value: float = 0.0) -> None:
    """A reading of both meters at each second from first to last after T."""
    seconds = range(first, last + 1)
    store.commit(readings_of([(key, T + n * SECOND, value + n) for n in seconds for key in (A, B)], NOW), [])


def send(forwarder: Forwarder) -> bool:
    """Steps until nothing waits; False where the server refuses."""
    deadline = time.monotonic() + 10
    try:
        while forwarder.state().waiting:
            if not forwarder.step():
                time.sleep(0.05)
            assert time.monotonic() < deadline
    except RemoteStoreError:
        return False
    return True


def wait_for(remote: VictoriaMetrics, store: DuckdbStore, *keys: tuple[str, str]) -> None:
    """Until the server shows what was sent, every reading once."""
    for key in keys or (A, B):
        at, value = store.readings([key], T - HOUR, T + HOUR)[key]
        expected = list(zip(at.tolist(), value.tolist(), strict=True))

        def shown(key: tuple[str, str] = key, expected: list[tuple[int, float]] = expected) -> bool:
            return [(s.at, s.value) for s in flushed(remote).read(*key, T - HOUR, T + HOUR)] == expected

        wait_until(shown, f"the remote store holds {len(expected)} readings of {key}, once")


def test_readings_arrive_once_however_often_they_are_sent(
    store: DuckdbStore, remote: VictoriaMetrics, forwarder: Forwarder, clock: Clock, process: Process
) -> None:
    put(store, 0, 99)
    assert send(forwarder)
    for _ in range(2):
        remote.write(store.outgoing(START, 1000))
    wait_for(remote, store)
    assert remote.count_by_meter(T, T + 100 * SECOND) == {(A, 0): 100, (B, 0): 100}
    assert remote.count_by_meter(T + SECOND, T + 99 * SECOND) == {(A, 0): 98, (B, 0): 98}
    labels = httpx.get(
        f"{process.url}/api/v1/series",
        params={"match[]": METRIC, "start": f"{(T - HOUR) // SECOND}", "end": f"{(T + HOUR) // SECOND}"},
    ).json()["data"]
    assert {"__name__": METRIC, "site": "s", "meter": "b", "unit": "L/s"} in labels
    assert tally(store, remote, T, T + HOUR) == {"same": 200}
    put(store, 98, 99, 5.0)  # replaces two of each, which the remote store has not heard of yet
    assert tally(store, remote, T, T + HOUR) == {"same": 196, "missing": 4, "replaced": 4}
    assert forwarder.due(T, T + HOUR) == {}
    clock.seconds += 61
    assert forwarder.step()
    assert forwarder.due(T, T + HOUR) == {(A, 0): 98, (B, 0): 98}


def test_a_server_that_was_away_gets_what_came_meanwhile(
    store: DuckdbStore, remote: VictoriaMetrics, forwarder: Forwarder, clock: Clock, process: Process
) -> None:
    put(store, 0, 9)
    assert send(forwarder)
    process.stop()
    for first in range(10, 40, 10):
        put(store, first, first + 9)
        clock.seconds += 11
        assert not send(forwarder)
    assert forwarder.state().waiting == 60
    process.start()
    assert send(forwarder)
    wait_for(remote, store)


def test_what_a_killed_server_had_only_in_memory_is_sent_again(
    store: DuckdbStore, remote: VictoriaMetrics, forwarder: Forwarder, clock: Clock, process: Process
) -> None:
    put(store, 0, 99)
    assert send(forwarder)
    assert forwarder.state().waiting == 0
    process.kill()  # right after it acknowledged
    process.start()
    assert remote.read(*A, T - HOUR, T + HOUR) == []
    clock.seconds += 11
    wait_until(forwarder.step, "the server is old enough to be known by its start")
    assert forwarder.state().waiting == 200
    assert send(forwarder)
    wait_for(remote, store)


def test_a_later_value_is_known_by_its_revision(
    store: DuckdbStore, remote: VictoriaMetrics, forwarder: Forwarder
) -> None:
    store.commit(readings_of([(A, T, 5.0), (A, T + 400, 7.0)], NOW), [])
    assert send(forwarder)
    store.commit(readings_of([(A, T, 3.0)], NOW), [])  # smaller, which VictoriaMetrics alone might not prefer
    assert send(forwarder)
    expected = [
        Sample(at=T, revision=0, value=5.0),
        Sample(at=T, revision=1, value=3.0),
        Sample(at=T + 400, revision=0, value=7.0),
    ]
    wait_until(lambda: flushed(remote).read(*A, T, T + SECOND) == expected, "both values and both times are told apart")


def test_a_server_without_deduplication_counts_twice_and_says_so(tmp_path: Path, store: DuckdbStore) -> None:
    with victoria_metrics(tmp_path / "remote", "-retentionPeriod=1d") as process:
        sink = VictoriaMetrics.open(RemoteSettings(url=process.url), {})
        put(store, 0, 1)
        for _ in range(2):
            sink.write(store.outgoing(START, 10))
        wait_until(lambda: len(flushed(sink).read(*A, T, T + MINUTE)) == 4, "each reading is there twice")
        server = sink.server()
        assert (server.dedup, server.flags["retentionPeriod"], server.ignored) == (False, "1d", 0)
        store.commit(readings_of([(A, T - 72 * HOUR, 1.0)], NOW), [])
        sink.write(store.outgoing(START, 10))
        wait_until(lambda: sink.server().ignored == 1, "a reading older than the retention is counted as dropped")
        sink.close()


def test_what_is_no_victoriametrics_is_told_by_name(tmp_path: Path, broker: object, process: Process) -> None:
    nobody = VictoriaMetrics.open(RemoteSettings(url="http://127.0.0.1:9"), {})
    with pytest.raises(RemoteStoreError, match=r"http://127.0.0.1:9 does not answer \(Connection refused\)"):
        nobody.identity()
    nobody.close()
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    elsewhere = VictoriaMetrics.open(RemoteSettings(url=f"{process.url}/nothing", token_file=token), {})
    with pytest.raises(RemoteStoreError, match=r"refuses \(HTTP 400") as told:
        elsewhere.identity()
    assert "secret-token" not in str(told.value)
    elsewhere.close()


def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: DuckdbStore) -> None:
    put(store, 0, 1)
    certificate, key = certificates(tmp_path)
    with victoria_metrics(tmp_path / "remote", "-tls", f"-tlsCertFile={certificate}", f"-tlsKeyFile={key}") as process:
        settings = RemoteSettings(url=process.url.replace("http:", "https:"))
        stranger = VictoriaMetrics.open(settings, {})
        with pytest.raises(RemoteStoreError, match=r"certificate of .* is not trusted .*store.ca_file"):
            stranger.server()
        with pytest.raises(RemoteStoreError, match=r"certificate of .* is not trusted .*store.ca_file"):
            stranger.write(store.outgoing(START, 10))
        stranger.close()
        named = VictoriaMetrics.open(replace(settings, ca_file=certificate), {})
        assert named.server().flags["tls"] == "true"
        assert named.write(store.outgoing(START, 10)) == []
        named.close()
        bucket = replace(influx_settings(settings.url, tmp_path), ca_file=certificate)
        influx = InfluxDB.open(bucket, {})
        assert influx.write(store.outgoing(START, 10)) == []
        influx.close()
        influx = InfluxDB.open(replace(bucket, ca_file=None), {})
        with pytest.raises(RemoteStoreError, match=r"certificate of .* is not trusted .*store.ca_file"):
            influx.write(store.outgoing(START, 10))
        influx.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        friend = VictoriaMetrics.open(settings, {})
        assert friend.server().flags["tls"] == "true"
        friend.close()
