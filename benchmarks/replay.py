"""The same rows by file and by MQTT: are the interval values equal, bit for bit? Prints JSON; exit code 1 if not.

    python benchmarks/replay.py --data DIR [--file y1_healthy.csv.gz] [--days N]

DIR holds a wide CSV and its wattwell.yaml. One store is filled by back-fill, another by a collector that takes the
rows from mosquitto: one message a row, QoS 1, on the default topic of the site, each number with the file's own digits.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.backfill import backfill
from collector.ingest import Ingestor
from collector.mqtt import MqttCollector
from wattwell.app.access import open_engine
from wattwell.config import load
from wattwell.config.settings import Config, MqttSettings
from wattwell.intervals import DAY
from wattwell.store.duckdb import DuckdbStore

_AHEAD = 500
_EVER = 2**62


def now() -> int:
    return time.time_ns() // 1000


def rows_of(path: Path, days: float | None) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the first days of a wide file, as text."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        header = next(lines)
        rows = list(lines) if days is None else list(islice(lines, round(days * 144)))
    return header, rows


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
            for _ in range(200):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
                    break
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()


def publish(port: int, site: str, header: list[str], rows: list[list[str]]) -> None:
    """One message a row; numbers as the file writes them."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(_AHEAD)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = []
    for at, *cells in rows:
        values = ",".join(f'"{name}":{cell}' for name, cell in zip(header[1:], cells, strict=True) if cell)
        sent.append(client.publish(f"wattwell/{site}", f'{{"time":"{at}","values":{{{values}}}}}', qos=1))
        if len(sent) >= 2 * _AHEAD:
            sent[_AHEAD].wait_for_publish(60)
            del sent[:_AHEAD]
    for info in sent:
        info.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


def by_file(config: Config, site: str, path: Path) -> None:
    with open_engine(config) as engine:
        backfill([path], site, config, engine.store.commit, now())
        engine.refresh()


def by_mqtt(config: Config, site: str, header: list[str], rows: list[list[str]], port: int) -> None:
    settings = MqttSettings(
        host="127.0.0.1", port=port, tls=None, client_id="replay", username=None, password_file=None, subscribe=()
    )
    with open_engine(config) as engine:
        collector = MqttCollector(settings, Ingestor(config, engine.store, now), now)
        collector.start()
        while not collector.status.connected:
            time.sleep(0.01)
        publish(port, site, header, rows)
        wanted = sum(1 for row in rows for cell in row[1:] if cell)
        until = time.monotonic() + 120
        while engine.store.count_readings(-_EVER, _EVER) < wanted and time.monotonic() < until:
            time.sleep(0.05)
        collector.stop()
        engine.refresh()


def compared(one: Path, other: Path, config: Config, site: str) -> dict[str, Any]:
    """Counts, and how many interval values differ in any bit."""
    meters = [name for name, meter in config.sites[site].meters.items() if not meter.virtual]
    found = []
    for path in (one, other):
        store = DuckdbStore.open(path)
        found.append((store.count_readings(-_EVER, _EVER), store.intervals(site, meters, -_EVER, _EVER)))
        store.close()
    (readings, mine), (theirs_count, theirs) = found
    same = len(mine.values) == len(theirs.values)
    columns = ("start", "value", "measured", "recovered")
    pairs = [(getattr(mine.values, name), getattr(theirs.values, name)) for name in columns] if same else []
    pairs += [(mine.meter, theirs.meter)] if same else []
    bits = [a.view(np.int64) != b.view(np.int64) if a.dtype == np.float64 else a != b for a, b in pairs]
    different = int(np.logical_or.reduce(bits).sum()) if same else -1
    return {
        "readings": [readings, theirs_count],
        "intervals": [len(mine.values), len(theirs.values)],
        "different": different,
        "equal": same and readings == theirs_count and len(mine.values) > 0 and different == 0,
    }


def replay(data: Path, name: str, days: float | None, folder: Path, port: int) -> dict[str, Any]:
    """Fills both stores and compares them."""
    config = replace(load(data / "wattwell.yaml"), late=3650 * DAY)
    site = next(iter(config.sites))
    header, rows = rows_of(data / name, days)
    part = folder / "rows.csv"
    part.write_text("\n".join(",".join(row) for row in [header, *rows]) + "\n")
    stores = [folder / "file.duckdb", folder / "mqtt.duckdb"]
    configs = [replace(config, store=replace(config.store, path=path)) for path in stores]
    began = time.monotonic()
    by_file(configs[0], site, part)
    middle = time.monotonic()
    by_mqtt(configs[1], site, header, rows, port)
    times = {"file": round(middle - began, 2), "mqtt": round(time.monotonic() - middle, 2)}
    return {"rows": len(rows), "seconds": times} | compared(*stores, config, site)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description="the same rows by file and by MQTT")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--file", default="y1_healthy.csv.gz")
    parser.add_argument("--days", type=float, help="default: all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, broker(Path(name)) as port:
        result = replay(options.data, options.file, options.days, Path(name), port)
    print(json.dumps({"benchmark": "replay", **result}, indent=2))
    sys.exit(0 if result["equal"] else 1)


if __name__ == "__main__":
    main()
