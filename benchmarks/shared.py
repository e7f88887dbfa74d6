"""Two collectors on one shared subscription before one VictoriaMetrics, beside one alone; prints JSON.

    python benchmarks/shared.py [--messages 60000] [--rate 3000] [--seconds 12]

* ``one`` and ``two``: single-value messages at QoS 1 as fast as the broker takes them, to one collector with a
  subscription of its own, then to two that share one. ``messages_per_second`` until all are durable in the spools of
  the collectors, ``remote_readings_per_second`` until VictoriaMetrics has acknowledged them;
  ``messages_per_cpu_second`` of the collectors' processor time, which says what more cores would bring.
* ``killed``: a paced load; at a third of it one of the two is killed, and started anew when all is published. What
  VictoriaMetrics then shows is compared with what was published, reading by reading: ``lost``, ``doubled`` (shown more
  than once) and ``strange`` ones; exit code 1 where there are any. ``sent_twice``: samples that it took again and shows
  once, as Wattwell asks it to (``-dedup.minScrapeInterval=1ms``).

Collectors, broker, store and publisher share this machine's cores, each collector bound to one of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import soak
from ingest import broker, pouring
from pour import SITE_METERS

from wattwell.config.settings import RemoteSettings
from wattwell.intervals import HOUR
from wattwell.store.marks import FIELDS
from wattwell.store.victoriametrics import VictoriaMetrics

OWN, AMID, BOTH = "wattwell/#", "$share/amid/wattwell/#", "$share/both/wattwell/#"
"""Subscriptions; a group of its own for each run, since one of the run before is still given its part."""


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """A server on a free port; gives its URL."""
    program = shutil.which("victoria-metrics")
    if program is None:
        sys.exit("victoria-metrics is not installed; install it to run this benchmark.")
    url = f"http://127.0.0.1:{(port := soak.free_port())}"
    options = [f"-storageDataPath={folder / 'vm'}", f"-httpListenAddr=127.0.0.1:{port}"]
    options += ["-dedup.minScrapeInterval=1ms", "-retentionPeriod=10y", "-memory.allowedBytes=256MB"]
    with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            soak.await_(lambda: _answers(url), "victoria-metrics answers")
            yield url
        finally:
            process.terminate()


def now() -> int:
    """Microseconds UTC, whole milliseconds."""
    return time.time_ns() // 1_000_000 * 1000


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class Bench:
    """Where everything is."""

    folder: Path
    broker: int
    store: str

    def configure(self, name: str, pattern: str) -> tuple[Path, str]:
        """A collector's configuration, and where its page is."""
        (folder := self.folder / name).mkdir(exist_ok=True)
        url = f"127.0.0.1:{soak.free_port()}"
        each = {"quantity": "energy", "accumulation": "register", "max_rate": 1e6, "period": "60s"}
        meters = [{"id": f"m{number}"} | each for number in range(SITE_METERS)]
        document = {
            "store": {"url": self.store.replace("http://", "victoriametrics://")},
            "mqtt": {"url": f"mqtt://127.0.0.1:{self.broker}", "client_id": name, "subscribe": [pattern]},
            "http": {"listen": url},
            "sites": [{"id": "s0", "timezone": "UTC", "pue_category": 1, "meters": meters}],
        }
        (folder / "wattwell.yaml").write_text(json.dumps(document))
        return folder / "wattwell.yaml", f"http://{url}"

    def held(self) -> int:
        """Readings that the store shows, repeated ones included."""
        httpx.get(f"{self.store}/internal/force_flush", timeout=30).raise_for_status()
        with closing(VictoriaMetrics.open(RemoteSettings(url=self.store), {})) as sink:
            return sum(sink.count_by_meter(now() - HOUR, now() + HOUR).values())

    def shown(self, since: int) -> Counter[float]:
        """How often the store shows each value of the time from ``since`` on."""
        httpx.get(f"{self.store}/internal/force_flush", timeout=30).raise_for_status()
        with closing(VictoriaMetrics.open(RemoteSettings(url=self.store), {})) as sink:
            found = sink.read_sites(["s0"], since, now() + HOUR)
        return Counter(sample.value for samples in found.values() for sample in samples)

    def repeated(self) -> int:
        """Samples that the store took and does not show, since it has the same ones."""
        with closing(VictoriaMetrics.open(RemoteSettings(url=self.store), {})) as sink:
            marks = len(sink.marks(now() - HOUR, now() + HOUR)) * len(FIELDS)
        rows = re.findall(r"^vm_rows_inserted_total\S* (\d+)", httpx.get(f"{self.store}/metrics").text, re.MULTILINE)
        return sum(map(int, rows)) - marks - self.held()


def running(where: tuple[Path, str], number: int) -> Any:
    """A collector on its core."""
    return soak.wattwell_run(*where, number % (os.cpu_count() or 1), "collector,web")


def total(urls: Sequence[str], name: str) -> float:
    """The sum of a metric over collectors."""
    found = [sample for url in urls for sample in soak.samples(url).items()]
    return sum(value for key, value in found if key.split("{")[0] == name)


def _busy(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def until(condition: Callable[[], bool], began: float) -> float:
    """Seconds from then until something holds."""
    soak.await_(condition, "all readings have arrived", 300)
    return time.monotonic() - began


def flood(bench: Bench, names: Sequence[str], pattern: str, count: int) -> dict[str, Any]:
    """All that can be sent, to so many collectors."""
    before = bench.held()
    with ExitStack() as stack:
        where = [bench.configure(name, pattern) for name in names]
        urls = [url for _, url in where]
        processes = [stack.enter_context(running(each, number)) for number, each in enumerate(where)]
        began, busy = time.monotonic(), sum(_busy(each) for each in processes)
        publisher = pouring(bench.broker, count, 1, 0)
        durable = until(lambda: total(urls, "wattwell_readings_total") >= count, began)
        sent = until(lambda: total(urls, "wattwell_spool_readings") == 0, began)
        busy = sum(_busy(each) for each in processes) - busy
        publisher.wait()
        shares = [round(total([url], "wattwell_readings_total") / count, 3) for url in urls]
    return {
        "messages": count,
        "messages_per_second": round(count / durable),
        "remote_readings_per_second": round(count / sent),
        "messages_per_cpu_second": round(count / busy),
        "shares": shares,
        "missing": count - (bench.held() - before),
    }


def killed(bench: Bench, rate: float, seconds: float) -> dict[str, Any]:
    """One of two is killed amid the load."""
    since, before, count = now(), bench.held(), round(rate * seconds)
    first, second = (bench.configure(name, AMID) for name in ("killed-1", "killed-2"))
    with running(second, 1):
        with running(first, 0) as victim:
            publisher = pouring(bench.broker, count, 1, rate)
            time.sleep(seconds / 3)
            victim.kill()
            victim.wait(30)
        publisher.wait()
        alone = total([second[1]], "wattwell_readings_total")
        with running(first, 0):
            began = time.monotonic()
            soak.await_(lambda: bench.held() - before >= count, "the killed one's readings have come", 120)
            back = time.monotonic() - began
            soak.await_(lambda: total([first[1], second[1]], "wattwell_spool_readings") == 0, "the spools are empty")
    shown = bench.shown(since)
    published = {number + 0.5 for number in range(count)}
    return {
        "messages": count,
        "messages_per_second": rate,
        "share_of_the_other_when_all_was_published": round(alone / count, 3),
        "seconds_to_all_after_the_restart": round(back, 1),
        "lost": len(published - shown.keys()),
        "doubled": sum(times - 1 for times in shown.values()),
        "strange": len(shown.keys() - published),
        "sent_twice": bench.repeated(),
    }


def main() -> None:
    """Runs the benchmark and prints its figures."""
    parser = argparse.ArgumentParser(description="two collectors on a shared subscription")
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--rate", type=float, default=3000.0, help="messages a second while one is killed")
    parser.add_argument("--seconds", type=float, default=12.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ww-") as name, broker(Path(name)) as port:
        folder = Path(name)
        with victoria_metrics(folder) as store:
            bench = Bench(folder, port, store)
            result = {
                "killed": killed(bench, options.rate, options.seconds),
                "one": flood(bench, ["alone"], OWN, options.messages),
                "two": flood(bench, ["two-1", "two-2"], BOTH, options.messages),
            }
    whole = not any(result["killed"][name] for name in ("lost", "doubled", "strange"))
    whole = whole and not result["one"]["missing"] and not result["two"]["missing"]
    print(json.dumps({"benchmark": "shared", "cpus": psutil.cpu_count(), **result}, indent=2))
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
