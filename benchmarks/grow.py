"""Memory of a process whose store grows and grows; prints JSON.

    python benchmarks/grow.py [--readings 60000000]

500 meters, a message of each every 10 seconds, stored 15,000 readings at a time. The exit code is 1 where memory grows
by more than a tenth over the second half.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from wattwell.intervals import SECOND
from wattwell.model import Readings
from wattwell.store.duckdb import DuckdbStore

METERS = 500
PERIODS = 30
"""Readings of each meter in a commit."""
START = 1_767_225_600 * SECOND
LOOKS = 8
MB = 1e6


def batch(first: int) -> Readings:
    """The readings of all meters from period number ``first`` on."""
    at = START + np.repeat(np.arange(first, first + PERIODS), METERS) * 10 * SECOND
    count = len(at)
    return Readings(
        keys=tuple(("site", f"m{number}") for number in range(METERS)),
        meter=np.tile(np.arange(METERS, dtype=np.int32), PERIODS),
        at=at,
        received_at=at + SECOND,
        value=np.random.default_rng(first).random(count),
        arrival_time=np.zeros(count, dtype=np.bool_),
    )


def grown(path: Path, readings: int) -> list[dict[str, Any]]:
    """Megabytes of memory and of the file on the way to so many readings."""
    commits = readings // (METERS * PERIODS)
    looks = {commits * part // LOOKS for part in range(1, LOOKS + 1)}
    found = []
    process = psutil.Process()
    with closing(DuckdbStore.open(path)) as store:
        for number in range(1, commits + 1):
            store.commit(batch((number - 1) * PERIODS), [])
            if number in looks:
                sizes = {"store": path.stat().st_size, "memory": process.memory_info().rss}
                found.append(
                    {"readings": number * METERS * PERIODS}
                    | {f"{name}_mb": round(size / MB, 1) for name, size in sizes.items()}
                )
    return found


def main() -> int:
    """Every figure; 1 where memory grows."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--readings", type=int, default=60_000_000)
    with tempfile.TemporaryDirectory() as folder:
        found = grown(Path(folder) / "store.duckdb", wanted.parse_args().readings)
    growth = found[-1]["memory_mb"] / found[LOOKS // 2 - 1]["memory_mb"] - 1
    print(json.dumps({"benchmark": "grow", "looks": found, "growth_of_second_half": round(growth, 3)}, indent=2))
    return 1 if growth > 0.1 else 0


if __name__ == "__main__":
    sys.exit(main())
