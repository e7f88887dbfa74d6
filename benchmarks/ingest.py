"""How fast messages become durable readings: real mosquitto, QoS 1, the embedded store; prints JSON.

    python benchmarks/ingest.py [--messages 60000] [--seconds 10] [--repeat 3]
    python benchmarks/ingest.py --meters 50000 [--sites 1]

For one value and for fifty values a message, the collector in a process of its own on one core, broker and publisher
on the others:

* ``backlog``: the broker holds the messages, the collector starts and takes them as fast as it can. Beside it what one
  would write instead, on the same core, with the same messages from the same broker: a plain paho-mqtt subscriber that
  reads the JSON, counts the values and stores nothing. ``ratio`` is how many times as many messages a second the
  collector makes durable.
* ``paced``: messages come at half the rate that is asked of it (12,000 single values, 300,000 in fifties); latency is
  from just before the publish to the return of the commit that holds the reading.

With ``--meters`` instead: the memory of ``wattwell run --role collector,web`` with so many meters, 500 a site unless
``--sites`` says how many sites share them, each of which sends five readings. Exit code 1 beyond the limits.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soak
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from pour import SITE_METERS

from collector.ingest import Ingestor
from collector.mqtt import MqttCollector
from wattwell.config.settings import Config, HttpSettings, MqttSettings, StoreSettings
from wattwell.intervals import DAY, MINUTE, SECOND, Interval
from wattwell.model import Accumulation, Meter, Readings, Reject, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import Committed
from wattwell.units import QuantityKind

METERS = SITE_METERS
FIFTY = 50
LIMITS = {1: 12_000, FIFTY: 300_000 // FIFTY}
"""Messages a second that are asked for, by values a message."""
LATENCY_MS = 500
RESIDENT_MIB = 500
ROUNDS = 5
"""Readings of each meter in the run for memory."""


def now() -> int:
    return time.time_ns() // 1000


def make_config(folder: Path) -> Config:
    meters = {f"m{number}": make_meter(f"m{number}") for number in range(METERS)}
    site = Site(
        id="s0",
        name="s0",
        zone="UTC",
        pue_category=1,
        it_power_kw=None,
        fiscal_year_start=1,
        wue_numerator="total_input",
        targets={},
        limits=(),
        prices=None,
        factors={},
        certificates=None,
        meters=meters,
    )
    return Config(
        base=folder,
        store=StoreSettings(url="duckdb:bench.duckdb", path=folder / "bench.duckdb"),
        mqtt=None,
        http=HttpSettings(host="127.0.0.1", port=0, token_file=None),
        grid=15 * MINUTE,
        late=31 * DAY,
        full=0.9,
        provisional=0.5,
        sites={"s0": site},
        rules=(),
        notify=(),
    )


def make_meter(name: str) -> Meter:
    return Meter(
        id=name,
        site="s0",
        quantity=QuantityKind.ENERGY,
        accumulation=Accumulation.REGISTER,
        unit="kWh",
        max_rate=1e6,
        period=10 * SECOND,
        max_gap=5 * MINUTE,
        sentinels=(65535.0, 4294967295.0, 32768.0, -32768.0),
        in_service=Interval(-(2**62), 2**62),
    )


class TimedStore:
    """Passes commits on and notes how old each reading is when its commit returns."""

    def __init__(self, store: DuckdbStore) -> None:
        self._store = store
        self.readings = 0
        self.commits = 0
        self.ages: list[np.ndarray[Any, Any]] = []
        self.last = time.monotonic()

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        done = self._store.commit(readings, rejects)
        self.ages.append(now() - readings.at)
        self.readings += len(readings)
        self.commits += 1
        self.last = time.monotonic()
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@contextmanager
def broker(folder: Path) -> Iterator[int]:
    """A mosquitto on a free port; gives the port."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        sys.exit("mosquitto is not installed; install it to run this benchmark.")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n")
    with subprocess.Popen([program, "-c", conf], stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(0.5)
            yield port
        finally:
            process.terminate()


def spread_out(process: int = 0) -> None:
    """Leaves the first core to whom is measured, where there are several; ``process``: the number of one, or ours."""
    if (cores := os.cpu_count() or 1) > 1:
        os.sched_setaffinity(process, set(range(1, cores)))


def pouring(
    port: int, count: int, values: int, rate: float, meters: int = METERS, each: int = SITE_METERS
) -> subprocess.Popen[bytes]:
    """A publisher at work; ``each``: meters of a site."""
    program = Path(__file__).with_name("pour.py")
    process = subprocess.Popen([sys.executable, program, *map(str, (port, count, values, rate, meters, 0, each))])
    spread_out(process.pid)
    return process


# -- on the core of its own -----------------------------------------------------------------------------------------


def one_each(config: Config) -> Readings:
    """A reading of every meter, so that the store knows them all before anything is timed."""
    keys = tuple(("s0", name) for name in config.sites["s0"].meters)
    at = np.full(len(keys), now() - DAY)
    return Readings(
        keys=keys,
        meter=np.arange(len(keys), dtype=np.int32),
        at=at,
        received_at=at,
        value=np.zeros(len(keys)),
        arrival_time=np.zeros(len(keys), dtype=np.bool_),
    )


def collect(port: int, name: str, folder: Path, *, values: int, count: int, rate: float) -> dict[str, Any]:
    """Collects so many messages into a store of its own; none: makes the session, and leaves.

    ``rate``: messages a second that are to be published once the collector listens; 0: the broker has them already.
    """
    config = make_config(folder)
    settings = MqttSettings(
        host="127.0.0.1",
        port=port,
        tls=None,
        client_id=name,
        username=None,
        password_file=None,
        subscribe=(),
    )
    store = TimedStore(DuckdbStore.open(folder / "bench.duckdb"))
    store.commit(one_each(config), [])
    store.readings = store.commits = 0
    store.ages.clear()
    collector = MqttCollector(settings, Ingestor(config, store, now), now)  # type: ignore[arg-type]
    began, busy = time.monotonic(), time.process_time()
    collector.start()
    pour = None
    while not collector.status.connected or store.readings < count * values:
        if collector.status.connected and rate and pour is None:
            pour = pouring(port, count, values, rate)
        if time.monotonic() > began + 300:
            sys.exit(f"only {store.readings} of {count * values} readings arrived within 300 s.")
        time.sleep(0.01)
    busy = time.process_time() - busy
    collector.stop()
    found = {"seconds": store.last - began, "cpu_seconds": busy, "commits": store.commits}
    if count:
        ages = np.concatenate(store.ages) / 1000
        found |= {"p50": float(np.percentile(ages, 50)), "p99": float(np.percentile(ages, 99))}
    store.close()
    return found | {"resident_mib": psutil.Process().memory_info().rss / 2**20}


def count_plainly(port: int, name: str, readings: int) -> dict[str, Any]:
    """What one would write: paho's own loop and acknowledgements, and a callback that reads and counts the values."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
    seen = 0

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        nonlocal seen
        document = json.loads(message.payload)
        seen += len(document["values"]) if "values" in document else 1
        if seen == readings:
            client.disconnect()

    client.on_message = on_message

    def on_subscribe(*_event: object) -> None:
        if not readings:
            client.disconnect()

    def on_connect(*_event: object) -> None:
        client.subscribe("wattwell/#", qos=1)

    client.on_connect, client.on_subscribe = on_connect, on_subscribe
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval, properties.ReceiveMaximum = 3600, 1000
    client.connect("127.0.0.1", port, clean_start=False, properties=properties)
    began, busy = time.monotonic(), time.process_time()
    client.loop_forever()
    return {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - busy}


def child(
    what: str, port: int, name: str, folder: Path, values: int = 1, count: int = 0, rate: float = 0.0
) -> dict[str, Any]:
    """``wattwell`` or ``plain`` in a process bound to one core."""
    command = [sys.executable, __file__, "--child", *map(str, (what, port, name, folder, values, count, rate))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_child(what: str, port: str, name: str, folder: str, values: str, count: str, rate: str) -> None:
    """The other side of it."""
    os.sched_setaffinity(0, {0})
    if what == "plain":
        found = count_plainly(int(port), name, int(values) * int(count))
    else:
        with tempfile.TemporaryDirectory(dir=folder) as own:
            found = collect(int(port), name, Path(own), values=int(values), count=int(count), rate=float(rate))
    print(json.dumps(found))


# -- the runs -------------------------------------------------------------------------------------------------------


def backlog(port: int, values: int, count: int, folder: Path, repeat: int) -> dict[str, Any]:
    """The same load for both, several times; medians."""
    runs: dict[str, list[float]] = {"wattwell": [], "plain": []}
    busy: dict[str, list[float]] = {"wattwell": [], "plain": []}
    for number in range(repeat):
        names = {what: f"{what}-{values}-{number}" for what in runs}
        for what, name in names.items():
            child(what, port, name, folder)
        pouring(port, count, values, 0).wait()
        for what, name in names.items():
            found = child(what, port, name, folder, values, count)
            runs[what].append(count / found["seconds"])
            busy[what].append(count / found["cpu_seconds"])
    ours, plain = statistics.median(runs["wattwell"]), statistics.median(runs["plain"])
    per_core = {what: statistics.median(each) for what, each in busy.items()}
    return {
        "messages": count,
        "messages_per_second": round(ours),
        "readings_per_second": round(ours * values),
        "messages_per_cpu_second": round(per_core["wattwell"]),
        "plain_paho_messages_per_second": round(plain),
        "plain_paho_messages_per_cpu_second": round(per_core["plain"]),
        "ratio": round(ours / plain, 2),
        "ratio_of_cpu": round(per_core["wattwell"] / per_core["plain"], 2),
        "runs": {what: [round(each) for each in found] for what, found in runs.items()},
    }


def paced(port: int, values: int, seconds: float, folder: Path) -> dict[str, Any]:
    rate = LIMITS[values] / 2
    count = int(rate * seconds)
    name = f"paced-{values}"
    child("wattwell", port, name, folder)
    found = child("wattwell", port, name, folder, values, count, rate)
    return {
        "messages_per_second": rate,
        "readings_per_second": rate * values,
        "commits": found["commits"],
        "publish_to_commit_ms": {"p50": round(found["p50"], 1), "p99": round(found["p99"], 1)},
        "cpu_share_of_one_core": round(found["cpu_seconds"] / seconds, 3),
        "resident_mib": round(found["resident_mib"], 1),
    }


def speed(options: argparse.Namespace) -> dict[str, Any]:
    """Both loads, and whether they are within the limits."""
    spread_out()
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as port:
        for values in (1, FIFTY):
            count = options.messages if values == 1 else options.messages // 10
            run = {"values_per_message": values, "backlog": backlog(port, values, count, Path(name), options.repeat)}
            runs.append(run | {"paced": paced(port, values, options.seconds, Path(name))})
    within = all(
        run["backlog"]["messages_per_second"] >= LIMITS[run["values_per_message"]]
        and run["paced"]["publish_to_commit_ms"]["p99"] <= LATENCY_MS
        for run in runs
    )
    return {"benchmark": "ingest", "cpus": psutil.cpu_count(), "runs": runs, "within_limits": within}


def memory(meters: int, sites: int) -> dict[str, Any]:
    """The service with so many meters, from its start to five readings of each."""
    each = meters // sites
    spread_out()
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as port:
        folder, http_port = Path(name), soak.free_port()
        rows = [f"m{number},energy,register,1e6,60s" for number in range(each)]
        (folder / "meters.csv").write_text("\n".join(["id,quantity,accumulation,max_rate,period", *rows, ""]))
        document = {
            "store": {"url": "duckdb:meters.duckdb"},
            "mqtt": {"url": f"mqtt://127.0.0.1:{port}", "client_id": "meters"},
            "http": {"listen": f"127.0.0.1:{http_port}"},
            "sites": [
                {"id": f"s{number}", "timezone": "UTC", "pue_category": 1, "meters_file": "meters.csv"}
                for number in range(sites)
            ],
        }
        configuration = folder / "wattwell.yaml"
        configuration.write_text(json.dumps(document))
        return watched(configuration, f"http://127.0.0.1:{http_port}", port, sites * each, each)


def _taken(url: str) -> float:
    found = soak.samples(url).items()
    return sum(value for name, value in found if name.startswith("wattwell_readings_total{"))


def watched(configuration: Path, url: str, port: int, meters: int, each: int) -> dict[str, Any]:
    """Start, readings and memory of the service with so many meters, ``each`` of them at a site."""
    resident: list[float] = []
    began = time.monotonic()
    with soak.wattwell_run(configuration, url, 0, "collector,web", seconds=300) as process:
        ready = time.monotonic() - began
        idle = process.memory_info().rss / 2**20
        began = time.monotonic()
        pour = pouring(port, ROUNDS * meters, 1, 0, meters, each)
        while _taken(url) < ROUNDS * meters:
            resident.append(process.memory_info().rss / 2**20)
            time.sleep(0.5)
        seconds = time.monotonic() - began
        resident.append(process.memory_info().rss / 2**20)
        pour.wait()
    return {
        "benchmark": "ingest --meters",
        "meters": meters,
        "sites": meters // each,
        "readings": ROUNDS * meters,
        "seconds_to_ready": round(ready, 1),
        "seconds_of_readings": round(seconds, 1),
        "resident_mib": {"ready": round(idle, 1), "peak": round(max(resident), 1), "end": round(resident[-1], 1)},
        "within_limits": max(resident) <= RESIDENT_MIB,
    }


def main() -> None:
    """Runs the benchmark, or, with --child, a part of it on its own core."""
    parser = argparse.ArgumentParser(description="messages to durable readings")
    parser.add_argument("--messages", type=int, default=60_000, help="of one value; of fifty a tenth of it")
    parser.add_argument("--seconds", type=float, default=10.0, help="of the paced run")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--meters", type=int, help="measure the memory with so many meters instead")
    parser.add_argument("--sites", type=int, help=f"that these meters belong to; {SITE_METERS} meters each")
    parser.add_argument("--child", nargs=7, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        run_child(*options.child)
        return
    if options.meters:
        result = memory(options.meters, options.sites or max(1, options.meters // SITE_METERS))
    else:
        result = speed(options)
    print(json.dumps(result, indent=2))
    sys.exit(0 if result["within_limits"] else 1)


if __name__ == "__main__":
    main()
