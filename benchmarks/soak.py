"""How the service holds up: 500 meters through real mosquitto into ``wattwell run`` on one core; prints JSON.

    python benchmarks/soak.py [--minutes 6] [--speed 1] [--warm-up 2]

Every meter sends a message of its own every 10 seconds at QoS 1, in real time. ``--speed 20`` sends every half second
instead, so that one minute brings the messages of twenty: the only thing that is compressed. The service runs in a
process of its own, bound to one core; broker and publisher have the others. Grid 1 minute, the finest there is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import yaml
from paho.mqtt.client import Client, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

METERS = 500
PERIOD = 10.0
"""Seconds between two readings of a meter at speed 1."""
SITE = "bench"
_IN_FLIGHT = 20_000
"""Messages published and not yet acknowledged, at most: paho queues 65,535 and refuses more."""
_ROLES = ("utility_import", *["it_ups"] * 4, *["chiller"] * 4, *["crah"] * 15, "water_input")
MB = 1e6


def meters() -> list[dict[str, Any]]:
    """Registers with a role, PDU registers without one, and temperature sensors."""
    found: list[dict[str, Any]] = []
    for number in range(METERS):
        role = _ROLES[number] if number < len(_ROLES) else None
        each: dict[str, Any] = {"id": f"m{number}", "period": f"{PERIOD:g}s"}
        if role is None and number % 2:
            each |= {"quantity": "temperature", "accumulation": "instantaneous", "role": "rack_inlet"}
        else:
            quantity = "water" if role == "water_input" else "energy"
            each |= {"quantity": quantity, "accumulation": "register", "max_rate": 1e6}
            each |= {} if role is None else {"role": role}
        found.append(each)
    return found


def value_of(number: int, seconds: float) -> float:
    """What a meter shows so many seconds after the start; dials rise, the grid's fastest."""
    if number >= len(_ROLES) and number % 2:
        return 22.0 + number % 7 + round(seconds % 60) / 100
    rate = 1300.0 if number == 0 else 200.0 if _ROLES[number : number + 1] == ("it_ups",) else 10.0
    return round(1000.0 * number + rate * seconds / 3600, 6)


def configure(folder: Path, broker_port: int, http_port: int) -> Path:
    """Writes the configuration of the site with 500 meters."""
    document = {
        "store": {"url": "duckdb:soak.duckdb"},
        "mqtt": {"url": f"mqtt://127.0.0.1:{broker_port}", "client_id": "soak"},
        "http": {"listen": f"127.0.0.1:{http_port}"},
        "grid": "1m",
        "sites": [{"id": SITE, "timezone": "Europe/Berlin", "pue_category": 1, "meters": meters()}],
    }
    path = folder / "wattwell.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Polls until something holds, or ends the benchmark."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"after {seconds:.0f} s still not: {what}")
        time.sleep(0.05)


@contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """A broker on a free port; gives the port."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        sys.exit("mosquitto is not installed; install it to run this benchmark.")
    port = free_port()
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    with subprocess.Popen([program, "-c", settings], stderr=subprocess.DEVNULL) as process:
        try:
            await_(lambda: _accepts(port), "mosquitto answers")
            yield port
        finally:
            process.terminate()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def wattwell_run(
    configuration: Path, url: str, core: int, role: str = "all", seconds: float = 60.0
) -> Iterator[psutil.Process]:
    """``wattwell run`` bound to one core, ready to work within so many seconds."""
    code = f"import os, sys; os.sched_setaffinity(0, [{core}]); from wattwell.cli import main; sys.exit(main())"
    log = configuration.with_name("wattwell.log")
    with log.open("wb") as out:
        command = [sys.executable, "-c", code, "run", "--role", role, str(configuration)]
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            await_(lambda: _ready(url, process, log), "wattwell run is ready", seconds)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _ready(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        sys.exit(f"wattwell run ended by itself:\n{log.read_text()}")
    try:
        return httpx.get(f"{url}/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def samples(url: str) -> dict[str, float]:
    """Every sample of /metrics by its name and labels."""
    lines = httpx.get(f"{url}/metrics", timeout=10).text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@contextmanager
def publisher(port: int) -> Iterator[Client]:
    """A connected MQTT 5 client."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def send(client: Client, number: int, at_us: int, value: float) -> MQTTMessageInfo:
    """One reading in a message of its own, QoS 1; ``at_us`` is its device time."""
    payload = json.dumps({"time": at_us / 1e6, "value": value})
    return client.publish(f"wattwell/{SITE}/m{number}", payload, qos=1)


@dataclass
class Watch:
    """Memory and processor time of the service, noted once a second."""

    process: psutil.Process
    began: float = field(default_factory=time.monotonic)
    at: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)

    def note(self) -> None:
        """One sample."""
        times = self.process.cpu_times()
        self.at.append(time.monotonic() - self.began)
        self.resident.append(self.process.memory_info().rss / MB)
        self.busy.append(times.user + times.system)

    def figures(self, warm_up: float, readings_per_second: float) -> dict[str, Any]:
        """CPU share, memory by minute, and its slope after the warm-up (seconds)."""
        at, resident, busy = np.array(self.at), np.array(self.resident), np.array(self.busy)
        late = at >= warm_up
        per_second = float(np.polyfit(at[late], resident[late], 1)[0])
        minutes = [round(float(resident[at // 60 == m].mean()), 1) for m in range(round(at[-1] / 60))]
        return {
            "cpu_share_of_one_core": round(float((busy[-1] - busy[late][0]) / (at[-1] - at[late][0])), 3),
            "resident_mb_by_minute": minutes,
            "resident_mb_peak": round(float(resident.max()), 1),
            "slope_mb_per_hour": round(per_second * 3600, 1),
            "slope_bytes_per_reading": round(per_second * MB / readings_per_second, 2),
        }


def publish_for(seconds: float, speed: float, client: Client, watch: Watch) -> int:
    """Publishes all meters evenly spread over each period; returns how many messages were acknowledged."""
    step = PERIOD / speed / METERS
    began, sent, noted = time.monotonic(), 0, 0.0
    waiting: list[MQTTMessageInfo] = []
    while (now := time.monotonic() - began) < seconds:
        due = int(now / step)
        while sent < due and len(waiting) < _IN_FLIGHT:  # a broker that falls behind is not outrun
            waiting.append(send(client, sent % METERS, time.time_ns() // 1000, value_of(sent % METERS, now * speed)))
            sent += 1
        waiting = [info for info in waiting if not info.is_published()]
        if now >= noted:
            watch.note()
            noted += 1.0
        time.sleep(0.005)
    for info in waiting:
        info.wait_for_publish(30)
    return sent


def stored_bytes(folder: Path) -> int:
    """Size of the store once the service has stopped."""
    return sum(path.stat().st_size for path in folder.glob("soak.duckdb*") if path.is_file())


def soak(options: argparse.Namespace) -> dict[str, Any]:
    """Runs the service for so long and says how it did."""
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="wattwell-soak-") as name:
        folder, http_port = Path(name), free_port()
        url = f"http://127.0.0.1:{http_port}"
        if len(cores) > 1:
            os.sched_setaffinity(0, set(cores[1:]))
        with mosquitto(folder) as port:
            configuration = configure(folder, port, http_port)
            with wattwell_run(configuration, url, cores[0]) as process, publisher(port) as client:
                watch = Watch(process)
                sent = publish_for(options.minutes * 60, options.speed, client, watch)
                seconds = time.monotonic() - watch.began
                stored = f'wattwell_readings_total{{site="{SITE}"}}'
                await_(lambda: samples(url)[stored] >= sent, f"all {sent} readings are stored")
                end = samples(url)
        rejected = sum(value for key, value in end.items() if key.startswith("wattwell_readings_rejected_total"))
        return {
            "benchmark": "soak",
            "meters": METERS,
            "period_seconds": PERIOD / options.speed,
            "times_the_rate_of_10_s": options.speed,
            "grid": "1m",
            "minutes": options.minutes,
            "cpus": len(cores),
            "messages": sent,
            "messages_per_second": round(sent / seconds, 1),
            "readings_rejected": int(rejected),
            **watch.figures(options.warm_up * 60, sent / seconds),
            "store_bytes_per_reading": round(stored_bytes(folder) / sent, 2),
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description="500 meters into one process on one core, for some time")
    parser.add_argument("--minutes", type=float, default=6.0)
    parser.add_argument("--warm-up", type=float, default=2.0, help="minutes that do not count for CPU share and slope")
    parser.add_argument("--speed", type=float, default=1.0, help="times the rate of one reading each 10 s")
    options = parser.parse_args(arguments)
    if options.warm_up >= options.minutes:
        parser.error("--warm-up must be shorter than --minutes")
    print(json.dumps(soak(options), indent=2))


if __name__ == "__main__":
    main()
