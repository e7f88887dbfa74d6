"""What findings cost: the processor time and memory to learn, to keep up, and to fill in history; prints JSON.

    python benchmarks/findings_speed.py --data DIR [--hours 400]

DIR/dcsim holds ``wattwell.yaml`` and two years of 10-minute readings of 32 meters, ``y1_healthy.csv.gz`` and
``y2_faults.csv.gz``. Measured are

* ``backfill``: ``wattwell backfill`` of both years into a new store, with the shipped alert rules and findings;
* ``site_year``: a detector that begins on one year: the processor seconds, and the peak resident memory of a process
  that does nothing else;
* ``hour``: each of the next hours, one at a time, learnings among them, and the three looks between that bring nothing;
* ``kept``: what the detector holds of the site after that.

The exit code is 1 where a target is missed. One core that looks at 1,000 sites every 15 minutes has 900 ms a look.
"""

from __future__ import annotations

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wattwell.config import load
from wattwell.engine.detect import SiteDetector
from wattwell.engine.findings import Known
from wattwell.finding import Finding
from wattwell.intervals import DAY, HOUR, MINUTE, floor_to
from wattwell.store.duckdb import DuckdbStore

YEAR = 365 * DAY
TARGETS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "two years are filled in within 90 s": lambda r: r["backfill"]["cpu_s"] < 90,
    "a site-year within 60 s": lambda r: r["site_year"]["cpu_s"] < 60,
    "a site-year within 1 GiB": lambda r: r["site_year"]["peak_mib"] < 1024,
    "an hour within 900 ms": lambda r: r["hour"]["mean_ms"] < 900,
}


class Desk:
    """Keeps what the detector finds, and notes how long it takes."""

    def __init__(self, detector: SiteDetector, site: Any) -> None:
        self.detector, self._site = detector, site
        self._found: dict[str, Finding] = {}

    def advance(self, until: int) -> float:
        """Processor seconds that it took."""
        known = Known(state=None, findings=tuple(self._found.values()), feedback=(), maintenance=())
        began = time.process_time()
        came = self.detector.advance(self._site, until, None, known)
        spent = time.process_time() - began
        if came is not None:
            self._found = {key: each for key, each in self._found.items() if key not in came.withdrawn}
            self._found |= {each.id: each for each in came.findings}
        return spent


def main() -> int:
    """Every figure; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--hours", type=int, default=400)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        result = {"backfill": backfill(args.data / "dcsim", folder)} | detector(folder, args.hours)
    result["missed"] = [name for name, met in TARGETS.items() if not met(result)]
    print(json.dumps(result, indent=2))
    return 1 if result["missed"] else 0


def backfill(data: Path, folder: Path) -> dict[str, Any]:
    """Both years into a store in ``folder``."""
    config = folder / "wattwell.yaml"
    config.write_text((data / "wattwell.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    files = [str(data / name) for name in ("y1_healthy.csv.gz", "y2_faults.csv.gz")]
    command = [str(Path(sys.executable).with_name("wattwell")), "backfill", str(config), *files, "--site", "dcsim"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-1000:]}")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_s": round(spent.ru_utime + spent.ru_stime, 1), "peak_mib": round(spent.ru_maxrss / 1024)}


def detector(folder: Path, hours: int) -> dict[str, Any]:
    """A detector on the first year, then hour by hour."""
    config = load(folder / "wattwell.yaml")
    site = config.sites["dcsim"]
    store = DuckdbStore.open(folder / "wattwell.duckdb")
    extent = store.extent(site.id)
    if extent is None:
        raise SystemExit("the store is empty after the backfill")
    edge = floor_to(extent[0] + YEAR, HOUR)
    desk = Desk(SiteDetector(store, config.grid), site)
    year = {"cpu_s": round(desk.advance(edge), 1)}
    year["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    spent, idle = [], []
    for number in range(1, hours + 1):
        spent.append(1000 * desk.advance(edge + number * HOUR))
        idle += [1000 * desk.advance(edge + number * HOUR + quarter * 15 * MINUTE) for quarter in (1, 2, 3)]
    kept = len(pickle.dumps(desk.detector.kept(site.id), protocol=5))
    store.close()
    spent.sort()
    return {
        "site_year": year | {"meters": len(site.meters)},
        "hour": {
            "mean_ms": round(sum(spent) / hours, 1),
            "median_ms": round(spent[hours // 2], 1),
            "worst_ms": round(spent[-1], 1),
            "nothing_new_ms": round(sum(idle) / len(idle), 3),
        },
        "kept": {"mb": round(kept / 1e6, 1)},
    }


if __name__ == "__main__":
    sys.exit(main())
