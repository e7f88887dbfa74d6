"""How soon a published reading is an alert in Alertmanager: 500 meters, mosquitto, ``wattwell run``; prints JSON.

    python benchmarks/alert_latency.py [--minutes 8]

Grid 1 minute, 500 meters that report every 10 seconds, and a real prometheus-alertmanager. The overhead of the site
jumps, so that each minute lifts the PUE of the last hour over the threshold of one more rule; every second rule is held
for a minute. Two times are measured for each rule, until Alertmanager's API shows its alert:

* ``after_the_reading_beyond_hold``: from the publish of the reading that completes the interval with which the
  threshold is passed, less the rule's ``for``;
* ``after_the_first_reading_beyond_grid_and_hold``: from the publish of the first reading of that interval, less the
  grid and the rule's ``for``.

The limit is 5 seconds for each; the exit code is 1 when one is missed, or an alert began at another edge.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from latency import MINUTE, Dials, publish, site, spread
from soak import METERS, PERIOD, await_, free_port

LIMIT = 5.0
_BASE_KW, _JUMP_KW = 100.0, 4000.0
_GRID = 0


class Jump(Dials):
    """Dials of a site whose overhead jumps at a moment, and stays."""

    def __init__(self, start: int, jump: float) -> None:
        super().__init__(start)
        self.jump = jump

    def value(self, number: int, at: float) -> float:
        """The reading of one meter."""
        more = (_JUMP_KW - _BASE_KW) * max(at - self.jump, 0.0) / 3600 if number == _GRID else 0.0
        return super().value(number, at) + more

    def pue(self, end: int) -> float:
        """PUE of the hour that ends then."""
        energy = self.it(end) - self.it(end - 3600)
        return (self.value(_GRID, end) - self.value(_GRID, end - 3600)) / energy


def rules_of(dials: Jump, minutes: int) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """A rule for each minute after the jump, with a threshold half way up; and the edge where each is passed first."""
    rules, passed = [], {}
    first = int(dials.jump // MINUTE + 1) * MINUTE
    for index in range(minutes):
        edge = first + index * MINUTE
        threshold = (dials.pue(edge - MINUTE) + dials.pue(edge)) / 2
        name = f"Passed{index}"
        rules.append({"name": name, "kpi": "pue", "window": "1h", "above": threshold, "for": f"{index % 2}m"})
        passed[name] = edge
    return rules, passed


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    """A real Alertmanager on a free port; gives its address."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        sys.exit("prometheus-alertmanager is not installed; install it to run this benchmark.")
    settings = folder / "alertmanager.yml"
    settings.write_text("route: {receiver: nobody}\nreceivers:\n  - name: nobody\n")
    host = f"127.0.0.1:{free_port()}"
    command = [program, f"--config.file={settings}", f"--storage.path={folder / 'data'}"]
    command += [f"--web.listen-address={host}", "--cluster.listen-address="]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            await_(lambda: _answers(host), "Alertmanager answers")
            yield host
        finally:
            process.terminate()


def _answers(host: str) -> bool:
    try:
        return httpx.get(f"http://{host}/-/ready").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def look(host: str, seen: dict[str, tuple[float, float]]) -> None:
    """Notes when an alert first shows, and when it says that it began; the moment is the one before the question."""
    asked = time.time()
    for alert in httpx.get(f"http://{host}/api/v2/alerts", timeout=10).json():
        began = datetime.fromisoformat(alert["startsAt"]).timestamp()
        seen.setdefault(alert["labels"]["alertname"], (asked, began))


def figures(
    seen: dict[str, tuple[float, float]], left: dict[float, float], passed: dict[str, int], holds: dict[str, int]
) -> dict[str, Any]:
    """The delays, what never showed, and what began at another edge than it should."""
    after, first, wrong = [], [], 0
    for name, (at, began) in seen.items():
        edge, hold = passed[name], holds[name]
        wrong += began != edge + hold
        after.append(at - left[edge] - hold)
        first.append(at - left[edge - MINUTE + PERIOD] - MINUTE - hold)
    unseen = len(passed) - len(seen)
    return {
        "after_the_reading_beyond_hold_seconds": spread(after),
        "after_the_first_reading_beyond_grid_and_hold_seconds": spread(first),
        "never_seen": unseen,
        "at_another_edge": wrong,
        "limit_seconds": LIMIT,
        "within_limit": max([*after, *first], default=LIMIT) <= LIMIT and unseen == wrong == 0,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description="publish to Alertmanager")
    parser.add_argument("--minutes", type=int, default=8)
    options = parser.parse_args(arguments)
    now = int(time.time())
    # The service is started meanwhile, and has a minute to settle.
    dials = Jump(now // MINUTE * MINUTE - 2 * 3600, (now // MINUTE + 3) * MINUTE)
    count = max(options.minutes - 5, 1)
    rules, passed = rules_of(dials, count)
    seen: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="wattwell-alerts-") as name, alertmanager(Path(name)) as host:
        told = [{"url": f"alertmanager://{host}"}]
        with site(Path(name), dials, alerts=rules, notify=told) as (_url, client, begin):
            left = publish(options.minutes, client, dials, begin, lambda: look(host, seen))
    holds = {rule["name"]: int(rule["for"][:-1]) * MINUTE for rule in rules}
    found = {"benchmark": "alert_latency", "meters": METERS, "period_seconds": PERIOD, "grid": "1m", "rules": count}
    found |= figures(seen, left, passed, holds)
    print(json.dumps(found, indent=2))
    return 0 if found["within_limit"] else 1


if __name__ == "__main__":
    sys.exit(main())
