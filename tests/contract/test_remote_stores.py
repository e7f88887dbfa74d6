"""What every remote store must do, whatever it is and however it is written to: over a spool, with real servers.

``influxdb`` is the InfluxDB store's own write path to a real server of the v2 write API, which is VictoriaMetrics; it
is read back by VictoriaMetrics' own export, since that server speaks no Flux.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.commands import CONFIG, START, ask, called, dials, write_wide
from tests.reconciling import tally
from tests.remotes import cluster, influx_settings
from tests.servers import VictoriaMetrics as Process
from tests.servers import victoria_metrics, wait_until
from tests.support import readings_of
from wattwell.app import compare as comparing
from wattwell.app import restore as restoring
from wattwell.app.access import open_engine
from wattwell.app.forward import Forwarder
from wattwell.app.kpi_teller import KpiTeller
from wattwell.app.restore import restore
from wattwell.config import load
from wattwell.config.settings import RemoteSettings
from wattwell.errors import RemoteStoreError
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, floor_to, iso, parse_iso
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.influxdb import InfluxDB
from wattwell.store.outbox import START as FIRST
from wattwell.store.remote import KpiPoint, RemoteStore
from wattwell.store.victoriametrics import VictoriaMetrics

A, B = ("s", "a"), ("s", "b")
KINDS = ("victoriametrics", "cluster", "influxdb")
NOW = time.time_ns() // 1000
T = floor_to(NOW, HOUR) - 2 * HOUR
DATA = floor_to(NOW, DAY) - 2 * DAY
"""Where the readings of the small installation begin here: what a server without history takes in is recent."""


@dataclass
class Served:
    """A remote store with a real server behind it."""

    kind: str
    settings: RemoteSettings
    process: Process
    sink: RemoteStore
    reader: VictoriaMetrics

    def flushed(self) -> VictoriaMetrics:
        """What reads it, once it shows at once what it would show after some seconds."""
        httpx.get(f"{self.process.url}/internal/force_flush", timeout=10).raise_for_status()
        return self.reader

    def kpis(self) -> list[tuple[str, str, str, int, int, float]]:
        """(site, KPI, window, end, revision, value) of the KPI series."""
        self.flushed()
        metric = "wattwell_kpi_value" if self.kind == "influxdb" else "wattwell_kpi"
        found = []
        text = httpx.get(f"{self.process.url}/api/v1/export", params={"match[]": metric}, timeout=20).text
        for series in map(json.loads, text.splitlines()):
            labels = series["metric"]
            for at, value in zip(series["timestamps"], series["values"], strict=True):
                revision = int(labels.get("revision", 0))
                found.append((labels["site"], labels["kpi"], labels["window"], at * 1000, revision, value))
        return sorted(found)

    def store_section(self, spool: str) -> str:
        """The configuration's, with KPI values."""
        keys = {"spool": spool, "kpi_series": True}
        if self.kind == "influxdb":
            keys |= {
                "url": f"influxdb://{self.settings.url.removeprefix('http://')}/plant/wattwell",
                "token_file": str(self.settings.token_file),
            }
        else:
            keys["url"] = self.settings.url.replace("http:", "victoriametrics:")
        if self.settings.read_url is not None:
            keys |= {
                "read_url": self.settings.read_url.replace("http:", "victoriametrics:"),
                "nodes": list(self.settings.nodes),
            }
        return json.dumps(keys)


@pytest.fixture(params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    units = {A: "kWh", B: "L/s"}
    with ExitStack() as stack:
        process = stack.enter_context(victoria_metrics(tmp_path / "remote"))
        settings = RemoteSettings(url=process.url)
        reader = VictoriaMetrics.open(settings, units)
        stack.callback(reader.close)
        sink: RemoteStore = reader
        if request.param == "cluster":
            settings = stack.enter_context(cluster(process))
            sink = reader = VictoriaMetrics.open(settings, units)
            stack.callback(sink.close)
        elif request.param == "influxdb":
            settings = influx_settings(process.url, tmp_path)
            sink = InfluxDB.open(settings, units)
            stack.callback(sink.close)
        yield Served(request.param, settings, process, sink, reader)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    opened = DuckdbStore.open(tmp_path / "spool.duckdb")
    yield opened
    opened.close()


def put(store: DuckdbStore, *rows: tuple[tuple[str, str], int, float]) -> None:
    """Commits readings at milliseconds after T."""
    store.commit(readings_of([(key, T + at * 1000, value) for key, at, value in rows], NOW), [])


def drained(forwarder: Forwarder) -> None:
    wait_until(lambda: forwarder.drain() == 0, "all is sent")


def held(served: Served, key: tuple[str, str]) -> Sequence[tuple[int, int, float]]:
    """(milliseconds after T, revision, value) of what it shows."""
    found = served.flushed().read(*key, T - HOUR, T + HOUR)
    return [((sample.at - T) // 1000, sample.revision, sample.value) for sample in found]


def test_every_accepted_reading_arrives_once_and_to_the_bit(served: Served, store: DuckdbStore) -> None:
    rows = [(key, n * 250, round(1000 + n * 0.1, 1)) for n in range(400) for key in (A, B)]
    put(store, *rows[:300])
    put(store, *rows[300:])
    forwarder = Forwarder(store, served.sink, lambda: NOW)
    drained(forwarder)
    for _ in range(2):
        assert served.sink.write(store.outgoing(FIRST, 10_000)) == []
    for key in (A, B):
        assert held(served, key) == [(at, 0, value) for of, at, value in rows if of == key]
    assert served.reader.count_by_meter(T, T + HOUR) == {(A, 0): 400, (B, 0): 400}
    assert served.reader.latest(T, T + HOUR) == dict.fromkeys((A, B), T + 399 * 250_000)
    assert tally(store, served.reader, T, T + HOUR) == {"same": 800}


def test_the_last_of_several_values_counts(served: Served, store: DuckdbStore) -> None:
    for value in (5.0, 3.0, 4.0):
        put(store, (A, 0, value), (A, 1000, 9.0))
        drained(Forwarder(store, served.sink, lambda: NOW))
    assert held(served, A) == [(0, 0, 5.0), (0, 1, 3.0), (0, 2, 4.0), (1000, 0, 9.0)]
    counting = {sample.at: sample.value for sample in served.reader.read(*A, T - HOUR, T + HOUR)}
    assert counting == {T: 4.0, T + SECOND: 9.0}, "the highest revision comes last"


def test_fractions_keep_twelve_digits(served: Served, store: DuckdbStore) -> None:
    values = (1 / 3, 200 / 3, -0.1, 1234.56789, 0.0)
    put(store, *((A, n * 1000, value) for n, value in enumerate(values)))
    drained(Forwarder(store, served.sink, lambda: NOW))
    assert [value for _, _, value in held(served, A)] == pytest.approx(values, rel=1e-12, abs=0)


@pytest.mark.parametrize("served", ["victoriametrics", "cluster"], indirect=True)
def test_what_a_killed_server_had_only_in_memory_is_sent_again(served: Served, store: DuckdbStore) -> None:
    """An InfluxDB has on its disk what it acknowledges, so its store does not look for a restart."""
    seconds = [0.0]
    forwarder = Forwarder(store, served.sink, lambda: NOW, lambda: seconds[0])
    put(store, (A, 0, 1.0), (B, 0, 2.0))
    wait_until(lambda: not forwarder.state().waiting or (forwarder.step() and False), "sent")
    served.process.kill()
    served.process.start()
    assert held(served, A) == []
    seconds[0] = 11.0
    wait_until(forwarder.step, "the server is old enough to be known by its start")
    assert forwarder.state().waiting == 2
    drained(forwarder)
    assert (held(served, A), held(served, B)) == ([(0, 0, 1.0)], [(0, 0, 2.0)])


def test_kpi_values_are_sent_again_without_harm(served: Served) -> None:
    point = KpiPoint(site="s", kpi="pue", window="24h", at=T, value=1.25, revision=0)
    for _ in range(2):
        assert served.sink.write_kpis([point]) == []
    assert served.kpis() == [("s", "pue", "24h", T, 0, 1.25)]


@pytest.mark.parametrize("served", ["cluster"], indirect=True)
def test_a_cluster_is_asked_at_its_own_paths(served: Served, store: DuckdbStore, tmp_path: Path) -> None:
    put(store, (A, 0, 1.0))
    single = VictoriaMetrics.open(RemoteSettings(url=served.settings.url), {})
    with pytest.raises(RemoteStoreError, match=r"refuses \(HTTP 400: .*/influx/metrics"):
        single.server()
    single.close()
    wait_until(served.sink.identity, "the server is old enough to be known by its start")
    starts = (served.sink.identity() or "").split()
    assert len(starts) == 3
    lame = VictoriaMetrics.open(replace(served.settings, nodes=(*served.settings.nodes, "http://127.0.0.1:9")), {})
    assert (lame.identity() or "").split() == [*starts, "away"]
    assert lame.write(store.outgoing(FIRST, 9)) == []
    lame.close()
    silent = VictoriaMetrics.open(replace(served.settings, nodes=()), {})
    assert silent.identity() == ""
    silent.close()


# -- the same configuration with another store.url ------------------------------------------------------------------


def recent(site: str = "north") -> Iterator[tuple[int, dict[str, float]]]:
    """The small installation's readings, of late."""
    return ((at - START + DATA, row) for at, row in dials(site))


def installation(folder: Path, section: str) -> Path:
    """The small installation with this store and its readings."""
    folder.mkdir(exist_ok=True)
    (folder / "w.yaml").write_text(CONFIG.replace('{url: "duckdb:wattwell.duckdb"}', section))
    return folder


def fill(folder: Path) -> None:
    """Back-fills both sites."""
    for site in ("north", "south"):
        data = write_wide(folder / f"{site}.csv", recent(site))
        assert called("backfill", "w.yaml", data, "--site", site, folder=folder).code == 0


def figures(folder: Path) -> list[tuple[str, ...] | float]:
    """Every KPI of both sites over each hour's 24, each day, and the month."""
    found: list[tuple[str, ...] | float] = []
    for window in ("24h", "day", "month"):
        span = ("--from", iso(DATA), "--to", iso(DATA + 30 * HOUR))
        for each in ask(folder, "kpi", "w.yaml", "--window", window, *span).json:
            found.append((each["site"], each["kpi"], each["window"], each["start"], each["end"]))
            found += [-1.0 if each[name] is None else each[name] for name in ("value", "numerator", "coverage")]
    return found


def same(one: list[tuple[str, ...] | float], other: list[tuple[str, ...] | float]) -> bool:
    """To 1e-9, and labels to the letter."""
    numbers = [[each for each in found if isinstance(each, float | int)] for found in (one, other)]
    labels = [[each for each in found if isinstance(each, tuple)] for found in (one, other)]
    return labels[0] == labels[1] and numbers[0] == pytest.approx(numbers[1], rel=1e-9, abs=1e-12)


def test_figures_are_those_of_the_embedded_store_also_from_what_comes_back(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = installation(tmp_path / "embedded", '{url: "duckdb:wattwell.duckdb"}')
    folder = installation(tmp_path / "site", served.store_section("spool.duckdb"))
    fill(embedded)
    fill(folder)
    expected = figures(embedded)
    assert len(expected) > 1000
    assert same(figures(folder), expected)
    (folder / "spool.duckdb").rename(folder / "lost.duckdb")
    if served.kind == "influxdb":  # read by what the server behind it speaks
        monkeypatch.setattr(
            restoring, "open_remote", lambda *_: VictoriaMetrics.open(RemoteSettings(url=served.process.url), {})
        )
    served.flushed()
    count = sum(len(row) for site in ("north", "south") for _, row in recent(site))
    span = ("--from", iso(DATA - HOUR), "--to", iso(DATA + 2 * DAY))
    back = called("restore", "w.yaml", *span, "--json", folder=folder)
    assert (back.code, back.json) == (0, {"readings": count, "known": 0, "refused": 0})
    assert same(figures(folder), expected)
    store = DuckdbStore.open(folder / "spool.duckdb")
    assert Forwarder(store, served.sink, lambda: NOW).state().waiting == 0, "what came from there is not sent again"
    store.close()
    again = called("restore", "w.yaml", *span, folder=folder)
    assert f"0 readings came back from the remote store; {count} were there" in again.out


def test_restoring_gives_each_value_the_revision_that_it_had(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installation(tmp_path / "site", served.store_section("spool.duckdb"))
    if served.kind == "influxdb":
        monkeypatch.setattr(
            restoring, "open_remote", lambda *_: VictoriaMetrics.open(RemoteSettings(url=served.process.url), {})
        )
    config = load(folder / "w.yaml")
    key = ("north", "grid-a")

    def commit(path: str, *rows: tuple[int, float]) -> None:
        with_store(path, lambda store: store.commit(readings_of([(key, T + at, v) for at, v in rows], NOW), []))

    def with_store(path: str, do: Callable[[DuckdbStore], object]) -> None:
        store = DuckdbStore.open(folder / path)
        try:
            do(store)
            drained(Forwarder(store, served.sink, lambda: NOW))
        finally:
            store.close()

    commit("spool.duckdb", (0, 5.0), (MINUTE, 6.0))
    commit("spool.duckdb", (0, 4.0))
    (folder / "spool.duckdb").unlink()
    commit("spool.duckdb", (0, 5.0))  # what came back of it before an earlier attempt was broken off
    served.flushed()
    done = restore(config, T - HOUR, T + HOUR, lambda: NOW)
    assert (done.readings, done.known, done.sites) == (2, 1, {"north": 2})

    def check(store: DuckdbStore) -> None:
        at, value = store.readings([key], T, T + HOUR)[key]
        assert (at.tolist(), value.tolist()) == ([T, T + MINUTE], [4.0, 6.0])
        out = store.outgoing(FIRST, 10)
        assert sorted(zip(out.at.tolist(), out.revision.tolist(), strict=True)) == [(T, 1), (T + MINUTE, 0)]
        (entry,) = store.audit("readings")
        assert entry.content["reason"] == "restored from the remote store"
        said = [entry.content[name] for name in ("site", "readings", "first", "last")]
        assert said == ["north", 2, iso(T), iso(T + MINUTE)]

    with_store("spool.duckdb", check)
    commit("spool.duckdb", (0, 7.0), (MINUTE, 9.0))
    done = restore(config, T - HOUR, T + HOUR, lambda: NOW)
    assert (done.readings, done.sites) == (0, {}), "what the spool has is left as it is"


def told(served: Served, folder: Path, now: int) -> dict[tuple[str, str, str, int], float]:
    """The KPI series when everything that is over by then has been written, all of it twice."""
    with open_engine(load(folder / "w.yaml"), lambda: now) as engine:
        engine.refresh()
        teller = KpiTeller(engine.kpi_series, served.sink.write_kpis)
        forwarder = Forwarder(engine.store, served.sink, lambda: now, kpis=teller)
        drained(forwarder)
        for _ in range(2):
            engine.kpi_series.forgotten()
            while engine.kpi_series.take(now):
                forwarder.step()
    return {(site, kpi, window, end): value for site, kpi, window, end, _, value in served.kpis()}


def asked(folder: Path, until: int) -> dict[tuple[str, str, str, int], float]:
    """What the command says of the same windows: 24 hours to every full hour, and local days."""
    found = {}
    for window in ("24h", "day"):
        span = ("--from", iso(DATA - DAY), "--to", iso(until))
        for each in ask(folder, "kpi", "w.yaml", "--window", window, *span).json:
            end = parse_iso(each["end"])
            if each["site"] != "all" and each["value"] is not None and end <= until and end % HOUR == 0:
                found[each["site"], each["kpi"], window, end] = each["value"]
    return found


def test_kpi_values_of_windows_that_are_over_are_those_of_the_command(served: Served, tmp_path: Path) -> None:
    folder = installation(tmp_path / "site", served.store_section("spool.duckdb"))
    fill(folder)
    until = DATA + 29 * HOUR
    found, expected = told(served, folder, until + 35 * MINUTE), asked(folder, until)
    assert {(window, end) for _, kpi, window, end in found if kpi == "pue"} >= {("24h", until), ("24h", until - HOUR)}
    assert {window for _, _, window, _ in found} == {"24h", "day"}
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert len(served.kpis()) == len(found), "each stands there once"


@pytest.mark.parametrize("served", ["victoriametrics"], indirect=True)
def test_late_readings_write_the_windows_concerned_again(served: Served, tmp_path: Path) -> None:
    """By a revision; in InfluxDB the later value takes the place of the one before."""
    folder = installation(tmp_path / "site", served.store_section("spool.duckdb"))
    fill(folder)
    until = DATA + 29 * HOUR
    before = told(served, folder, until + 35 * MINUTE)
    rows = (f"{iso(at)},grid-a,{row['grid-a'] + (3.0 if at > DATA + 6 * HOUR else 0.0)}" for at, row in recent())
    (folder / "late.csv").write_text("\n".join(["time,meter,value", *rows]) + "\n")
    assert called("backfill", "w.yaml", folder / "late.csv", "--site", "north", folder=folder).code == 0
    for later in (35 * MINUTE, HOUR + 35 * MINUTE, 2 * HOUR + 35 * MINUTE):
        found = told(served, folder, until + later)
    expected = asked(folder, until + 2 * HOUR)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
    pue = ("north", "pue", "24h", DATA + 25 * HOUR)
    assert found[pue] > before[pue] + 1e-4
    assert max(revision for *_, revision, _ in served.kpis()) == 1


def test_an_audit_tells_what_a_server_lost_and_gained(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "SAFE_AFTER", 0.0)
    lost = "missing"
    if served.kind == "influxdb":  # read by what the server behind it speaks, of which it is not known what it was sent
        lost = "waiting"
        monkeypatch.setattr(
            comparing, "open_remote", lambda *_: VictoriaMetrics.open(RemoteSettings(url=served.process.url), {})
        )
    folder = installation(tmp_path / "site", served.store_section("spool.duckdb"))
    fill(folder)
    wait_until(served.sink.identity if lost == "missing" else lambda: True, "the server is known by its start")
    count = sum(len(row) for site in ("north", "south") for _, row in recent(site))

    def compared() -> tuple[int, dict[str, Any]]:
        served.flushed()
        span = ("--from", iso(DATA - DAY), "--to", iso(DATA + 2 * DAY))
        done = called("audit", "compare", "w.yaml", *span, "--csv", "audit.csv", "--json", folder=folder)
        return done.code, done.json

    code, found = compared()
    assert (code, found["same"], found["differing"]) == (0, count, 0)
    stray, key = DuckdbStore.open(tmp_path / "stray.duckdb"), ("north", "grid-a")
    stray.commit(readings_of([(key, DATA + MINUTE, 7.5), (key, DATA + 2 * MINUTE, 1.0)], NOW), [])
    stray.commit(readings_of([(key, DATA + 2 * MINUTE, 2.0)], NOW), [])
    assert served.sink.write(stray.outgoing(FIRST, 9)) == []
    stray.close()
    gone = {"match[]": '{site="south",meter="ups-a"}'}
    httpx.get(f"{served.process.url}/api/v1/admin/tsdb/delete_series", params=gone, timeout=10).raise_for_status()
    code, found = compared()
    assert code == 1
    dropped = sum(1 for _ in recent("south"))
    assert {how: found[how] for how in ("same", "alone", lost)} == {"same": count - dropped, "alone": 2, lost: dropped}
    assert [(each["time"], each["revision"], each["there"]) for each in found["first"][:2]] == [
        (iso(DATA + MINUTE), 0, 7.5),
        (iso(DATA + 2 * MINUTE), 1, 2.0),
    ]
    assert len((folder / "audit.csv").read_text().splitlines()) == 1 + count + 2
