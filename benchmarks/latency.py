"""How soon a published reading shows on /metrics: 500 meters, mosquitto, ``wattwell run``, grid 1 minute; prints JSON.

    python benchmarks/latency.py [--minutes 5]

Two times are measured, both by watching /metrics while all 500 meters report every 10 seconds:

* ``last_reading``: from just before the publish of a reading to its device time in
  ``wattwell_meter_last_reading_timestamp_seconds``;
* ``kpi``: from the earliest moment at which an interval may be complete (its end plus the period of the meters) to the
  PUE of the hour that ends with it in ``wattwell_site_pue_ratio``, and its power in ``wattwell_site_power_watts``. The
  first hour is back-filled, and the IT load changes every minute, so each interval has a PUE and a power of its own.

The limit is 2 seconds for each; the exit code is 1 when one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from paho.mqtt.client import Client
from soak import METERS, PERIOD, SITE, configure, free_port, meters, mosquitto, publisher, samples, send, wattwell_run

MINUTE = 60
LIMIT = 2.0
LOOK_EVERY = 0.1
"""Seconds between two looks at /metrics: how sharp the figures are."""
PUE = f'wattwell_site_pue_ratio{{category="1",site="{SITE}",window="1h"}}'
POWER = f'wattwell_site_power_watts{{site="{SITE}",subsystem="it"}}'
LAST = f'wattwell_meter_last_reading_timestamp_seconds{{meter="m0",site="{SITE}"}}'
_IT, _GRID = 4, 0


def it_kw(minute: int) -> float:
    """IT load of a minute of the epoch: never the same twice within hours."""
    return 600.0 + minute % 509


class Dials:
    """What every meter shows at an instant, from a start on a whole minute."""

    def __init__(self, start: int) -> None:
        self.start = start

    def it(self, at: float) -> float:
        """kWh of all IT meters since the start."""
        whole, rest = divmod(at - self.start, MINUTE)
        first = self.start // MINUTE
        energy = sum(it_kw(first + passed) for passed in range(int(whole))) * MINUTE
        return (energy + it_kw(first + int(whole)) * rest) / 3600

    def value(self, number: int, at: float) -> float:
        """The reading of one meter: 100 kW beside the IT load for the grid, a fourth of it for each UPS."""
        if number == _GRID:
            return self.it(at) + 100 * (at - self.start) / 3600
        if number <= _IT:
            return self.it(at) / _IT
        return 20.0 + number % 9

    def pue(self, end: int) -> float:
        """PUE of the hour that ends then."""
        energy = self.it(end) - self.it(end - 3600)
        return (energy + 100) / energy


@dataclass
class Seen:
    """When something first showed on /metrics, in seconds since the epoch."""

    last_reading: dict[float, float] = field(default_factory=dict)
    pue: dict[int, float] = field(default_factory=dict)
    power: dict[int, float] = field(default_factory=dict)

    def look(self, url: str, dials: Dials) -> None:
        """One look; the moment counted is the one before the question."""
        asked = time.time()
        found = samples(url)
        self.last_reading.setdefault(found[LAST], asked)
        for end in range(int(asked) // MINUTE * MINUTE - 2 * MINUTE, int(asked) + 1, MINUTE):
            if abs(found.get(PUE, 0.0) - dials.pue(end)) < 1e-7:
                self.pue.setdefault(end, asked)
            if abs(found.get(POWER, 0.0) / 1000 - it_kw(end // MINUTE - 1)) < 1e-3:
                self.power.setdefault(end, asked)


def history(folder: Path, dials: Dials, until: int) -> None:
    """Back-fills the minutes before the service starts, for the meters that make the PUE."""
    names = [f"m{number}" for number in range(METERS)]
    rows = [",".join(["time", *names])]
    for at in range(dials.start, until + 1, 10):
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
        rows.append(",".join([text, *(f"{dials.value(number, at):.9f}" for number in range(METERS))]))
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    code = "import sys; from wattwell.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "backfill", "wattwell.yaml", "history.csv", "--site", SITE]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def publish(minutes: float, client: Client, dials: Dials, begin: int, look: Callable[[], None]) -> dict[float, float]:
    """Publishes and looks by turns; returns when the readings of meter m0 left, by their time."""
    left = dict[float, float]()
    at, looked, end = float(begin), 0.0, begin + minutes * MINUTE
    step = PERIOD / METERS
    order = [*range(1, METERS), _GRID]
    sent = 0
    while (now := time.time()) < end + PERIOD + 2 * LIMIT:
        while at < end and (due := at + (sent % METERS) * step) <= now:
            number = order[sent % METERS]
            # The meters of the PUE are read on the full ten seconds, as a gateway does, and sent one after the other.
            moment = at if number <= _IT else due
            if number == _GRID:
                left[moment] = time.time()
            send(client, number, round(moment * 1e6), dials.value(number, moment))
            sent += 1
            at += PERIOD if sent % METERS == 0 else 0.0
        if now - looked >= LOOK_EVERY:
            looked = now
            look()
        time.sleep(0.002)
    return left


def spread(delays: Sequence[float]) -> dict[str, Any]:
    """Median and extremes, in seconds."""
    if not delays:
        return {"count": 0}
    p50, p99, most = (round(float(np.percentile(delays, share)), 3) for share in (50, 99, 100))
    return {"count": len(delays), "p50": p50, "p99": p99, "max": most}


def figures(seen: Seen, left: dict[float, float], begin: int, minutes: float) -> dict[str, Any]:
    """The delays, and what never showed."""
    edges = range((begin // MINUTE + 2) * MINUTE, int(begin + minutes * MINUTE), MINUTE)
    shown = {at: seen.last_reading[at] - sent for at, sent in left.items() if at in seen.last_reading}
    pue = {edge: seen.pue[edge] - edge - PERIOD for edge in edges if edge in seen.pue}
    power = {edge: seen.power[edge] - edge - PERIOD for edge in edges if edge in seen.power}
    worst = max([*shown.values(), *pue.values(), *power.values()], default=LIMIT)
    unseen = len(left) - len(shown) + 2 * len(edges) - len(pue) - len(power)
    return {
        "last_reading_seconds": spread(list(shown.values())),
        "kpi_seconds_beyond_grid_and_period": spread(list(pue.values())),
        "power_seconds_beyond_grid_and_period": spread(list(power.values())),
        "never_seen": unseen,
        "limit_seconds": LIMIT,
        "within_limit": worst <= LIMIT and unseen == 0,
    }


@contextmanager
def site(folder: Path, dials: Dials, **more: Any) -> Iterator[tuple[str, Client, int]]:
    """A service with an hour of history behind it; gives its address, a publisher, and when to begin.

    ``more`` are further keys of its configuration.
    """
    http_port = free_port()
    url = f"http://127.0.0.1:{http_port}"
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1:
        os.sched_setaffinity(0, set(cores[1:]))
    with mosquitto(folder) as port:
        configuration = configure(folder, port, http_port)
        if more:
            configuration.write_text(configuration.read_text() + yaml.safe_dump(more))
        history(folder, dials, int(time.time()) // 10 * 10)
        with wattwell_run(configuration, url, cores[0]), publisher(port) as client:
            yield url, client, int(time.time()) // 10 * 10 + 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description="publish to /metrics")
    parser.add_argument("--minutes", type=float, default=5.0)
    options = parser.parse_args(arguments)
    dials = Dials(int(time.time()) // MINUTE * MINUTE - 2 * 3600)
    with (
        tempfile.TemporaryDirectory(prefix="wattwell-latency-") as name,
        site(Path(name), dials) as (url, client, begin),
    ):
        seen = Seen()
        left = publish(options.minutes, client, dials, begin, lambda: seen.look(url, dials))
    found = {"benchmark": "latency", "meters": len(meters()), "period_seconds": PERIOD, "grid": "1m"}
    found |= figures(seen, left, begin, options.minutes)
    print(json.dumps(found, indent=2))
    return 0 if found["within_limit"] else 1


if __name__ == "__main__":
    sys.exit(main())
