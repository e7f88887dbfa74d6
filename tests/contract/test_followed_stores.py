"""What a remote store must do to be followed: marks and readings come back, and marks count nowhere.

``influxdb`` is a server that answers writes and queries as InfluxDB's documentation says, with the least of Flux.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.reconciling import tally
from tests.remotes import Influx, answering, cluster, influx_settings
from tests.servers import victoria_metrics, wait_until
from tests.storing import EVER, dial
from tests.support import readings_of
from wattwell.app.follow import Follower
from wattwell.app.forward import Forwarder
from wattwell.app.marking import Marker
from wattwell.config import parse
from wattwell.config.settings import RemoteSettings
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, floor_to
from wattwell.model import MeterKey, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.influxdb import InfluxDB
from wattwell.store.marks import Mark
from wattwell.store.outbox import START
from wattwell.store.remote import RemoteStore
from wattwell.store.victoriametrics import VictoriaMetrics

A, B, C, D = ("s.1", "a"), ("s.1", "b"), ("sx1", "a"), ("t-2", "a")
NOW = time.time_ns() // 1000
T = floor_to(NOW, HOUR) - 6 * HOUR


@dataclass
class Served:
    """A remote store, and whether what was written shows only after a while."""

    remote: RemoteStore
    url: str | None

    def flushed(self) -> RemoteStore:
        """The store, once it shows at once what it would show after some seconds."""
        if self.url is not None:
            httpx.get(f"{self.url}/internal/force_flush", timeout=10).raise_for_status()
        return self.remote


@pytest.fixture(params=["victoriametrics", "cluster", "influxdb"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with ExitStack() as stack:
        if request.param == "influxdb":
            url = stack.enter_context(answering(Influx(buckets={"wattwell": 0})))
            bucket = InfluxDB.open(influx_settings(url, tmp_path), {})
            stack.callback(bucket.close)
            yield Served(bucket, None)
            return
        process = stack.enter_context(victoria_metrics(tmp_path / "remote"))
        settings = RemoteSettings(url=process.url)
        if request.param == "cluster":
            settings = stack.enter_context(cluster(process))
        store = VictoriaMetrics.open(settings, {})
        stack.callback(store.close)
        yield Served(store, process.url)


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[list[DuckdbStore]]:
    """Those of two collectors, and the follower's own store."""
    opened = [DuckdbStore.open(tmp_path / f"{name}.duckdb") for name in ("one", "two", "here")]
    yield opened
    for each in opened:
        each.close()


@pytest.fixture
def sites(tmp_path: Path) -> Mapping[str, Site]:
    meters = [{"id": name, "quantity": "power", "accumulation": "instantaneous"} for name in ("a", "b")]
    names = ("s.1", "t-2")
    return parse(
        {"sites": [{"id": name, "timezone": "UTC", "pue_category": 1, "meters": meters} for name in names]}, tmp_path
    ).sites


def put(store: DuckdbStore, *rows: tuple[MeterKey, int, float]) -> None:
    """Commits readings at microseconds after T."""
    store.commit(readings_of([(key, T + at, value) for key, at, value in rows], NOW), [])


def test_marks_come_back_as_they_were_written(served: Served) -> None:
    assert served.flushed().first_mark(NOW - 400 * DAY, NOW + DAY) is None
    at = NOW // 1000 * 1000
    told = [
        Mark("s.1", "c-1", at - HOUR, T + 1000, T + 6000),
        Mark("s.1", "c-1", at, T - 300 * DAY, T + 123_000),
        Mark("s.1", "c 2=", at, T, T),
        Mark("t-2", "c-1", at + MINUTE, T, T + DAY),
    ]
    for _ in range(2):
        assert served.remote.write_marks(told) == []
    remote = served.flushed()
    assert sorted(remote.marks(NOW - DAY, NOW + DAY)) == sorted(told)
    assert sorted(remote.marks(at, at + MINUTE)) == sorted(told[1:3])
    assert remote.first_mark(NOW - 400 * DAY, NOW + DAY) == at - HOUR
    assert remote.first_mark(at, NOW + DAY) == at


def test_a_request_for_sites_has_the_samples_of_each_of_their_meters(served: Served, spools: list[DuckdbStore]) -> None:
    spool = spools[0]
    put(spool, *((key, n * SECOND, n / 4) for key in (A, B, C, D) for n in range(20)))
    put(spool, (A, 3 * SECOND, 99.0), (D, SECOND + 1, 7.0))
    assert served.remote.write(spool.outgoing(START, 1000)) == []
    remote = served.flushed()
    found = remote.read_sites(["s.1", "t-2"], T + SECOND, T + 5 * SECOND + 1)
    assert set(found) == {A, B, D}
    for key, samples in found.items():
        assert list(samples) == list(remote.read(*key, T + SECOND, T + 5 * SECOND + 1))
        assert len(samples) >= 5
    assert remote.read_sites(["s.2"], T, T + HOUR) == {}


def test_marks_are_not_counted_among_readings(served: Served, spools: list[DuckdbStore]) -> None:
    spool = spools[0]
    put(spool, (A, 0, 1.0), (B, SECOND, 2.0))
    marker = Marker("c-1", served.remote.write_marks, lambda: NOW)
    forwarder = Forwarder(spool, served.remote, lambda: NOW, marker=marker)
    wait_until(lambda: forwarder.drain() == 0, "all is sent")
    remote = served.flushed()
    assert [mark[0] for mark in remote.marks(NOW - DAY, NOW + DAY)] == ["s.1"]
    if served.url is not None:
        assert remote.count_by_meter(T - HOUR, floor_to(NOW, SECOND) + HOUR) == {(A, 0): 1, (B, 0): 1}
        assert remote.latest(T - HOUR, floor_to(NOW, SECOND) + HOUR) == {A: T, B: T + SECOND}
    assert tally(spool, remote, T - HOUR, T + HOUR) == {"same": 2}


def test_a_follower_has_what_the_collectors_had_together(
    served: Served, spools: list[DuckdbStore], sites: Mapping[str, Site]
) -> None:
    """Late readings, replaced values and readings within one millisecond too; and it is not behind after a restart."""
    one, two, here = spools
    collectors = [
        Forwarder(spool, served.remote, lambda: NOW, marker=Marker(name, served.remote.write_marks, lambda: NOW))
        for spool, name in ((one, "c-1"), (two, "c-2"))
    ]

    def follow() -> None:
        for forwarder in collectors:
            wait_until(lambda forwarder=forwarder: forwarder.drain() == 0, "all is sent")  # type: ignore[misc]
        served.flushed()
        follower = Follower(sites, here, served.remote, SECOND, lambda: NOW, lambda: 0.0)
        while follower.step():
            pass

    put(one, *((key, n * MINUTE, n * 0.25) for key in (A, C, D) for n in range(0, 60, 2)))
    put(two, *((key, n * MINUTE, n * 0.25) for key in (A, B, D) for n in range(1, 60, 2)))
    follow()
    assert set(here.last_readings()) == {A, B, D}
    put(one, (A, 0, 5.0), (A, -9 * DAY, 1.0))
    put(two, (B, 7 * MINUTE + 1, 3.25), (B, 7 * MINUTE + 2, 3.5))
    follow()
    for key in (A, B, D):
        expected = sorted([*dial(one, key, low=T - HOUR), *dial(two, key, low=T - HOUR)])
        assert dial(here, key, low=T - HOUR) == expected
    assert dial(here, A, -EVER, T - HOUR)[0][1] == 1.0
    put(one, (A, 0, 6.0))
    follow()
    revised = here.outgoing(START, 1000)
    assert [int(n) for n in revised.revision[(revised.at == T) & (revised.meter == revised.keys.index(A))]] == [2]
