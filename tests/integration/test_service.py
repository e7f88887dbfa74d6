"""``wattwell run`` with a real broker: from a published reading to /metrics, through stops, kills and refusals."""

from __future__ import annotations

import itertools
import json
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.commands import CONFIG, called, service, wattwell
from tests.servers import Mosquitto, answers, free_port, mosquitto, wait_until
from tests.support import readings_of
from wattwell.app.access import open_engine
from wattwell.app.service import Service
from wattwell.config import Config, load
from wattwell.errors import StoreFull
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, floor_to, iso, parse_iso
from wattwell.store.duckdb import DuckdbStore

EVER = 2**62
PROMPT = 15
"""Seconds in which a figure is out even on a busy machine; two at rest."""
MAPPED = "source: {topic: plant/north/hall, decoder: json, value: air.degC, time: ts, time_unit: ms}"


def configure(folder: Path, port: int) -> Path:
    """A configuration with a broker and one meter on a topic of its own."""
    text = CONFIG.replace("unit: degC,", f"unit: degC, {MAPPED},")
    (folder / "w.yaml").write_text(f"{text}mqtt: {{url: 'mqtt://127.0.0.1:{port}', client_id: wattwell-test}}\n")
    return folder


@contextmanager
def publisher(port: int) -> Iterator[Client]:
    """A client that keeps what it could not hand over yet."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=f"publisher-{port}",
        protocol=MQTTProtocolVersion.MQTTv311,
        clean_session=False,
    )
    client.max_queued_messages_set(0)
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def now() -> int:
    return time.time_ns() // 1000


def dial(kw: float, at: int, since: int) -> float:
    return round(1000 + kw * (at - since) / HOUR, 3)


def test_from_a_published_reading_to_metrics_api_and_a_clean_stop(tmp_path: Path, broker: Mosquitto) -> None:
    configure(tmp_path, broker.port)
    since = floor_to(now(), 5 * MINUTE) - 3 * HOUR
    with service(tmp_path) as running, publisher(broker.port) as client:
        wait_until(running.ready, "ready with a broker and no reading")
        sent: list[MQTTMessageInfo] = []
        for at in range(since, now(), 5 * MINUTE):
            values = {"grid-a": dial(120, at, since), "ups-a": dial(100, at, since)}
            sent.append(client.publish("wattwell/north", json.dumps({"time": iso(at), "values": values}), qos=1))
            mapped = {"ts": at // 1000, "air": {"degC": 24.5}}
            sent.append(client.publish("plant/north/hall", json.dumps(mapped), qos=1))
            one = {"time": iso(at), "value": dial(0.1, at, since) * 1000, "unit": "L"}
            sent.append(client.publish("wattwell/north/water", json.dumps(one), qos=1))
        sent.append(client.publish("wattwell/north/coffee", "1", qos=1))
        sent.append(client.publish("wattwell/north/hall", "nonsense", qos=1))
        for info in sent:
            info.wait_for_publish(10)
        wanted = 'wattwell_site_pue_ratio{category="1",site="north",window="1h"} 1.2'
        wait_until(lambda: wanted in running.get("/metrics")[1], "PUE on /metrics")
        metrics = running.get("/metrics")[1]
        assert f'wattwell_readings_total{{site="north"}} {len(range(since, now(), 5 * MINUTE)) * 4}' in metrics
        assert 'wattwell_readings_rejected_total{reason="point.unknown",site="north"} ' in metrics
        assert 'wattwell_meter_last_reading_timestamp_seconds{meter="hall",site="north"} ' in metrics
        found = json.loads(running.get("/api/v1/kpi?site=north&kpi=pue,wue&window=1h")[1])
        assert [v["value"] for v in found] == pytest.approx([1.2, 1.0])
        assert running.get("/readyz") == (200, running.get("/readyz")[1])
        assert running.get("/healthz")[0] == 200
        topics = json.loads(called("unmapped", "w.yaml", "--json", folder=tmp_path).out)
        assert [entry["topic"] for entry in topics] == ["wattwell/north/coffee", "wattwell/north/hall"]
        last = [client.publish("wattwell/south/grid-a", reading(number, since), qos=1) for number in range(300)]
        for info in last:
            info.wait_for_publish(10)
        assert running.end(signal.SIGTERM) == 0
        assert "stopping" in running.log.read_text()
    with service(tmp_path) as running:
        last_time = (since + 299 * SECOND) / 1e6
        wait_until(lambda: float_of(running.get("/metrics")[1]) == last_time, "the broker kept the rest")
        assert running.end(signal.SIGINT) == 0
    assert numbers(tmp_path) == list(range(300))


def reading(number: int, since: int) -> str:
    """Reading ``number`` of a stream that counts on by one."""
    return json.dumps({"time": iso(since + number * SECOND), "value": 1000 + number})


def numbers(folder: Path) -> list[int]:
    """What of that stream is stored."""
    store = DuckdbStore.open(folder / "wattwell.duckdb")
    at, value = store.readings([("south", "grid-a")], -EVER, EVER)["south", "grid-a"]
    assert store.count_readings(-EVER, EVER) >= len(np.unique(at)) == len(at)
    store.close()
    return [int(v) - 1000 for v in value]


def test_ten_kills_and_a_broker_restart_lose_nothing(tmp_path: Path) -> None:
    user = "user root"  # counts for root alone, whose files mosquitto could else not write
    kept = (
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {tmp_path}/mosquitto/",
        "max_queued_messages 0",  # its default drops what comes for an absent client after the thousandth
        user,
    )
    since = floor_to(now(), MINUTE) - 2 * HOUR
    chance = random.Random(8)
    sent: list[MQTTMessageInfo] = []
    acknowledged: list[int] = []
    with mosquitto(tmp_path / "mosquitto", *kept) as broker, publisher(broker.port) as client:
        configure(tmp_path, broker.port)
        client.on_publish = lambda *event: acknowledged.append(event[2])

        def publish(seconds: float) -> None:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                sent.append(client.publish("wattwell/south/grid-a", reading(len(sent), since), qos=1))
                time.sleep(0.002)

        with service(tmp_path) as running:
            wait_until(running.ready, "subscribed")
            publish(0.1)
            running.end(signal.SIGKILL)
        for turn in range(9):
            with service(tmp_path, "--role", "collector,web") as running:
                wait_until(running.ready, "subscribed again")
                if turn == 4:
                    broker.stop()
                    broker.start()
                publish(chance.uniform(0.1, 0.6))
                running.end(signal.SIGKILL)
        with service(tmp_path) as running:
            publish(0.2)
            wait_until(lambda: len(acknowledged) >= len(sent), "the broker has taken all")
            wait_until(running.ready, "ready again")
            last_time = (since + (len(sent) - 1) * SECOND) / 1e6
            wait_until(lambda: float_of(running.get("/metrics")[1]) == last_time, "all has come")
            assert running.end() == 0
    assert len(sent) > 300
    assert numbers(tmp_path) == list(range(len(sent))), "each acknowledged reading once, in spite of ten kills"


def float_of(metrics: str) -> float | None:
    """The last reading's time of the south's import."""
    for line in metrics.splitlines():
        if line.startswith('wattwell_meter_last_reading_timestamp_seconds{meter="grid-a",site="south"}'):
            return float(line.split()[-1])
    return None


# -- refusals -------------------------------------------------------------------------------------------------


def test_a_refused_login_is_one_line_and_not_ready(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "mosquitto", "allow_anonymous false") as broker:
        configure(tmp_path, broker.port)
        log = tmp_path / "mosquitto" / "mosquitto.log"
        with service(tmp_path) as running:
            wait_until(lambda: log.read_text().count("not authorised") >= 2, "tried twice")
            status, text = running.get("/readyz")
            assert status == 503
            assert "refused the connection (Not authorized) for no user name; check mqtt.username" in text
            assert running.get("/healthz")[0] == 200
            assert running.end() == 0
            assert running.log.read_text().count("refused the connection") == 1, "said once"


def test_no_broker_is_not_ready_until_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "mosquitto").mkdir()
    broker = Mosquitto(tmp_path / "mosquitto")
    configure(tmp_path, broker.port)
    with service(tmp_path) as running:
        wait_until(lambda: "Nothing listens at" in running.get("/readyz")[1], "the reason")
        assert running.get("/readyz")[0] == 503
        broker.start()
        wait_until(running.ready, "connected by itself")
        assert running.end() == 0
    broker.stop()


def test_a_port_that_is_taken(tmp_path: Path, broker: Mosquitto) -> None:
    configure(tmp_path, 1)
    text = (tmp_path / "w.yaml").read_text().replace("127.0.0.1:8080", f"127.0.0.1:{broker.port}")
    (tmp_path / "w.yaml").write_text(text)
    refused = wattwell("run", "w.yaml", "--role", "web", folder=tmp_path)
    assert (refused.code, refused.out) == (2, "")
    assert f"cannot listen on 127.0.0.1:{broker.port}: Address already in use; stop what listens there" in refused.err
    assert not (tmp_path / "wattwell.duckdb.sock").exists()
    assert called("events", "w.yaml", folder=tmp_path).code == 0, "the store is free again"


# -- one process, with a clock of its own -----------------------------------------------------------------------


class Clock:
    """Says what it is told."""

    def __init__(self, at: int) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


FAST = CONFIG.replace("period: 5m", "period: 1s").replace("sites:\n", "grid: 1m\nlate: 1d\nsites:\n")


@contextmanager
def in_process(folder: Path, text: str, clock: Clock, *roles: str) -> Iterator[Service]:
    (folder / "w.yaml").write_text(text.replace(":8080", f":{free_port()}"))
    with open_engine(load(folder / "w.yaml"), clock) as engine:
        running = Service(load(folder / "w.yaml"), engine, roles, clock)
        running.start()
        try:
            yield running
        finally:
            running.stop()


def pue(running: Service) -> tuple[int, float | None]:
    """End and value of the north's PUE of the last hour, as /metrics shows it."""
    for value in running.snapshot().kpis:
        if (value.site, value.kpi, value.window) == ("north", "pue", "1h"):
            return value.interval.end, value.value
    return 0, None


def test_figures_are_out_within_two_seconds_of_their_grid_and_period(tmp_path: Path) -> None:
    start = parse_iso("2026-03-01T12:00:00Z")
    clock = Clock(start)
    with in_process(tmp_path, FAST, clock, "analytics", "alerts") as running:
        for minute, (kw, wanted) in enumerate(((120, 1.2), (120, 1.2), (240, 1.6))):
            begin = start + minute * MINUTE
            rows = [
                (("north", name), at, dial(rate, at, begin) + offset(name, minute))
                for at in range(begin, begin + MINUTE + SECOND, 20 * SECOND)
                for name, rate in (("grid-a", kw), ("ups-a", 100))
            ]
            running.commit(readings_of(rows, begin), [])
            clock.at = begin + MINUTE + SECOND
            began = time.monotonic()
            wait_until(lambda end=begin + MINUTE: pue(running)[0] == end, f"minute {minute}")
            assert time.monotonic() - began < PROMPT, "publish to /metrics: grid + period + 2 s, at rest"
            amount = pue(running)[1]
            assert amount is None or amount == pytest.approx(wanted, rel=0.2), "an hour is not yet known"
        assert running.ready() == (True, "ready")


def test_a_reading_at_the_edge_itself_that_comes_late_is_shown_at_once(tmp_path: Path) -> None:
    """It completes the interval that ends at the edge, though it does not lie in it."""
    start = parse_iso("2026-03-01T12:00:00Z")
    clock = Clock(start + MINUTE + 2 * SECOND)

    def usable() -> float:
        return next(v.usable for v in running.snapshot().kpis if (v.site, v.kpi, v.window) == ("north", "pue", "1h"))

    with in_process(tmp_path, FAST, clock, "analytics") as running:
        rows = [
            (("north", name), at, dial(100, at, start))
            for at in range(start, start + MINUTE + SECOND, 20 * SECOND)
            for name in ("grid-a", "ups-a")
        ]
        in_time, late = rows[:-2], rows[-2:]
        running.commit(readings_of(in_time, start), [])
        last = running._engine.store.last_readings
        wait_until(lambda: running.ready()[0] and not running._engine.store.dirty().meters, "analysed")
        assert (pue(running)[0], usable(), max(last().values())) == (start + MINUTE, 0, start + 40 * SECOND)
        running.commit(readings_of(late, clock.at), [])
        wait_until(lambda: usable() == 1 / 60, "the interval is complete")


def offset(meter: str, minute: int) -> float:
    """What the dial of a meter showed at the start of a minute."""
    return sum((120, 120, 240)[:minute]) / 60 if meter == "grid-a" else 100 * minute / 60


def test_retention_drops_raw_readings_and_keeps_the_figures(tmp_path: Path) -> None:
    text = FAST.replace(
        'store: {url: "duckdb:wattwell.duckdb"}', 'store: {url: "duckdb:wattwell.duckdb", raw_retention: 2d}'
    )
    start = parse_iso("2026-02-28T00:00:00Z")
    clock = Clock(start + 30 * HOUR)
    steps = list(range(start, start + 30 * HOUR + 1, 30 * MINUTE))
    with in_process(tmp_path, text.replace("period: 1s", "period: 30m"), clock, "analytics") as running:
        rows = [(("north", "grid-a"), at, dial(120, at, start)) for at in steps]
        running.commit(readings_of(rows, clock.at), [])
        wait_until(lambda: running.ready()[0], "analysed")
        store = running._engine.store
        before = running._engine.series("north", "grid-a")
        assert store.count_readings(-EVER, EVER) == len(steps)
        clock.at = start + 8 * DAY
        month = parse_iso("2026-02-28T23:00:00Z")
        wait_until(lambda: store.count_readings(-EVER, EVER) < len(steps), "pruned within the hour")
        at, _ = store.readings([("north", "grid-a")], -EVER, EVER)["north", "grid-a"]
        assert at.tolist() == [steps[0], month, steps[-1]], "the first, the one at the month's end, and the last stay"
        assert running._engine.series("north", "grid-a")[: len(before)] == before


def test_the_loop_says_once_what_is_in_the_way_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(parse_iso("2026-03-01T12:00:00Z"))
    turns = itertools.count()
    with open_engine(prepare(tmp_path), clock) as engine:
        running = Service(load(tmp_path / "w.yaml"), engine, ("analytics",), clock)
        monkeypatch.setattr(running._stop, "wait", lambda _=None: next(turns) > 6)
        refusals = [StoreFull("store x cannot grow"), StoreFull("store x cannot grow"), None]

        def work() -> None:
            if (found := refusals.pop(0)) is not None:
                raise found

        assert [running._guard(work) for _ in range(2)] == [False, False]
        assert running.ready() == (False, "store x cannot grow")
        assert [record.message for record in caplog.records] == ["store x cannot grow"]
        assert running._guard(work)
        assert running.ready() == (False, "the first analysis is under way")


def prepare(folder: Path) -> Config:
    (folder / "w.yaml").write_text(FAST)
    return load(folder / "w.yaml")


def test_a_token_file_that_is_empty(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    text = CONFIG.replace('listen: "127.0.0.1:8080"', 'listen: "127.0.0.1:8080", token_file: token')
    (tmp_path / "w.yaml").write_text(text)
    refused = called("run", "w.yaml", "--role", "web", folder=tmp_path)
    assert refused.code == 2
    assert "token" in refused.err
    assert not answers(8080)


def test_metrics_need_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    text = CONFIG.replace('listen: "127.0.0.1:8080"', 'listen: "127.0.0.1:8080", token_file: token')
    (tmp_path / "w.yaml").write_text(text)
    with service(tmp_path, "--role", "analytics,web") as running:
        assert running.get("/metrics")[0] == 401
        with_token = httpx.get(
            f"http://127.0.0.1:{running.port}/metrics", headers={"Authorization": "Bearer secret"}, timeout=10
        )
        assert with_token.status_code == 200
        assert "secret" not in running.log.read_text()
