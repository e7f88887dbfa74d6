"""How fast messages become durable readings: real mosquitto, QoS 1, the embedded store; prints JSON.

    python benchmarks/ingest.py [--messages 20000] [--rate 500] [--seconds 10]

For one value and for fifty values a message:

* ``backlog``: the broker holds the messages, the collector starts and takes them as fast as it can;
* ``paced``: another process publishes at a fixed rate; latency is from just before the publish to the return of the
  commit that holds the reading.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.ingest import Ingestor
from collector.mqtt import MqttCollector
from wattwell.config.settings import Config, HttpSettings, MqttSettings, StoreSettings
from wattwell.intervals import DAY, MINUTE, SECOND, Interval, iso
from wattwell.model import Accumulation, Meter, Readings, Reject, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import Committed
from wattwell.units import QuantityKind

METERS = 500
FIFTY = 50


def now() -> int:
    return time.time_ns() // 1000


def make_config(folder: Path) -> Config:
    meters = {f"m{number}": make_meter(f"m{number}") for number in range(METERS)}
    site = Site(
        id="s",
        name="s",
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
        sites={"s": site},
        rules=(),
        notify=(),
    )


def make_meter(name: str) -> Meter:
    return Meter(
        id=name,
        site="s",
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


def payload(number: int, values: int) -> tuple[str, str]:
    at = iso(now())
    if values == 1:
        return f"wattwell/s/m{number % METERS}", f'{{"time": "{at}", "value": {number}.5}}'
    first = number * values % METERS
    entries = ", ".join(f'"m{first + offset}": {number}.5' for offset in range(values))
    return "wattwell/s", f'{{"time": "{at}", "values": {{{entries}}}}}'


def publish(port: int, count: int, values: int, rate: float) -> None:
    """Publishes at QoS 1; ``rate`` messages a second, 0: as fast as the broker acknowledges."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(20)
    client.connect("127.0.0.1", port)
    client.loop_start()
    began = time.monotonic()
    sent = []
    for number in range(count):
        if rate:
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
        sent.append(client.publish(*payload(number, values), qos=1))
        if len(sent) >= 1000:
            sent.pop(0).wait_for_publish()
            del sent[:500]
    for info in sent:
        info.wait_for_publish()
    client.disconnect()
    client.loop_stop()


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


def wait_for(store: TimedStore, readings: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while store.readings < readings:
        if time.monotonic() > deadline:
            sys.exit(f"only {store.readings} of {readings} readings arrived within {seconds:.0f} s.")
        time.sleep(0.005)


def publisher(port: int, count: int, values: int, rate: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, __file__, "--publish", str(port), str(count), str(values), str(rate)]
    return subprocess.Popen(command)


def measure(folder: Path, port: int, values: int, options: argparse.Namespace) -> dict[str, Any]:
    """Both figures for so many values a message."""
    folder.mkdir()
    config = make_config(folder)
    settings = MqttSettings(
        host="127.0.0.1",
        port=port,
        tls=None,
        client_id=f"bench-{values}",
        username=None,
        password_file=None,
        subscribe=(),
    )
    store = TimedStore(DuckdbStore.open(folder / "bench.duckdb"))
    store.commit(one_each(config), [])
    count = options.messages if values == 1 else max(1, options.messages // 10)
    result = {"values_per_message": values, "backlog": backlog(config, settings, store, count, values)}
    result["paced"] = paced(config, replace(settings, client_id=f"paced-{values}"), store, options, values)
    result["resident_mb"] = round(psutil.Process().memory_info().rss / 1e6, 1)
    store.close()
    return result


def one_each(config: Config) -> Readings:
    """A reading of every meter, so that the store knows them all before anything is timed."""
    keys = tuple(("s", name) for name in config.sites["s"].meters)
    at = np.full(len(keys), now() - DAY)
    return Readings(
        keys=keys,
        meter=np.arange(len(keys), dtype=np.int32),
        at=at,
        received_at=at,
        value=np.zeros(len(keys)),
        arrival_time=np.zeros(len(keys), dtype=np.bool_),
    )


def start(config: Config, settings: MqttSettings, store: TimedStore) -> MqttCollector:
    collector = MqttCollector(settings, Ingestor(config, store, now), now)  # type: ignore[arg-type]
    collector.start()
    while not collector.status.connected:
        time.sleep(0.001)
    return collector


def backlog(config: Config, settings: MqttSettings, store: TimedStore, count: int, values: int) -> dict[str, Any]:
    start(config, settings, store).stop()
    publisher(settings.port, count, values, 0).wait()
    store.readings = store.commits = 0
    began = time.monotonic()
    collector = start(config, settings, store)
    wait_for(store, count * values, 300)
    seconds = store.last - began
    collector.stop()
    return {
        "messages": count,
        "commits": store.commits,
        "seconds": round(seconds, 3),
        "messages_per_second": round(count / seconds),
        "readings_per_second": round(count * values / seconds),
    }


def paced(
    config: Config, settings: MqttSettings, store: TimedStore, options: argparse.Namespace, values: int
) -> dict[str, Any]:
    count = int(options.rate * options.seconds)
    store.readings = store.commits = 0
    store.ages.clear()
    collector = start(config, settings, store)
    process = publisher(settings.port, count, values, options.rate)
    before = time.process_time()
    wait_for(store, count * values, options.seconds + 60)
    busy = time.process_time() - before
    process.wait()
    collector.stop()
    ages = np.concatenate(store.ages) / 1000
    p50, p99 = np.percentile(ages, [50, 99])
    return {
        "messages_per_second": options.rate,
        "commits": store.commits,
        "publish_to_commit_ms": {"p50": round(float(p50), 2), "p99": round(float(p99), 2)},
        "cpu_share_of_one_core": round(busy / options.seconds, 3),
    }


def main() -> None:
    """Runs the benchmark, or, with --publish, its publisher."""
    parser = argparse.ArgumentParser(description="messages to durable readings")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=500.0, help="messages a second of the paced run")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--publish", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        port, count, values, rate = options.publish
        publish(int(port), int(count), int(values), float(rate))
        return
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as port:
        runs = [measure(Path(name) / f"v{values}", port, values, options) for values in (1, FIFTY)]
    print(json.dumps({"benchmark": "ingest", "cpus": psutil.cpu_count(), "runs": runs}, indent=2))


if __name__ == "__main__":
    main()
