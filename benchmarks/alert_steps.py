"""How long one step of the alert rules takes: 1,000 sites x 20 rules on one core; prints JSON.

    python benchmarks/alert_steps.py [--sites 1000] [--rules 20] [--stored 1000]

* ``step``: the rules themselves, from samples to the new board, as the figures of one grid edge come in;
* ``documents``: the board as the documents that are stored after each step;
* ``watch``: all of ``AlertWatch.step`` for one live edge, after the interval that ends there has come in for every
  site: what the rules look at from a DuckDB file, the rules, and their states into the file;
* ``figures``: every KPI and window of every site at that edge, for /metrics and the page.
Both are of ``--stored`` sites with two meters and four hours of readings each.

The limit is one second of processor time, for each ``step`` and for the median ``watch``; the exit code is 1 beyond.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from alerts.board import Board, advance, documents_of, needed
from alerts.machine import Context, Key, Sample
from wattwell.config import parse
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.intervals import HOUR, MINUTE, parse_iso
from wattwell.model import AlertRule, Readings
from wattwell.store.duckdb import DuckdbStore

GRID = 15 * MINUTE
START = parse_iso("2026-01-05T00:00:00Z")
LIMIT = 1.0
EDGES = 12
_METER = {"quantity": "energy", "accumulation": "register", "max_rate": 5000, "period": "5m"}
_KPIS = ("pue", "dcie", "overhead_other", "ppue_other")
_WINDOWS = ("1h", "24h", "7d", "30d")


def rules(count: int) -> list[dict[str, Any]]:
    """As many rules, on every signal of a site."""
    listed: list[dict[str, Any]] = [
        {"name": "MeterStale", "stale": "any", "above": "15m"},
        {"name": "CoverageLow", "coverage": "pue", "window": "24h", "below": 0.9, "clear": 0.95},
        {"name": "LoadHigh", "power": "it", "above": 450, "for": "30m"},
        {"name": "BalanceOpen", "balance": "any", "window": "24h", "above": 1},
    ]
    for number in range(count - len(listed)):
        kpi, window = _KPIS[number % len(_KPIS)], _WINDOWS[number // len(_KPIS) % len(_WINDOWS)]
        listed.append({"name": f"R{number}", "kpi": kpi, "window": window, "above": 1.3, "clear": 1.27, "for": "30m"})
    return listed[:count]


def configuration(folder: Path, sites: int, count: int) -> Config:
    """So many sites with two meters each."""
    meters = [
        {"id": "grid", "role": "utility_import", **_METER},
        {"id": "it", "role": "it_ups", "parent": "grid", **_METER},
    ]
    named = [{"id": f"s{n}", "timezone": "UTC", "pue_category": 1, "meters": meters} for n in range(sites)]
    return parse({"sites": named, "alerts": rules(count)}, folder)


def samples_of(keys: Sequence[Key], at: int, dice: np.random.Generator) -> dict[Key, Sample]:
    """One edge of one site: most figures are well, one in twenty is beyond its threshold, one in fifty is missing."""
    context = Context(label="iPUE", unit="1", coverage=0.99, category=1)
    drawn = dice.random(len(keys))
    return {
        key: Sample(at, None if draw < 0.02 else 1.35 if draw < 0.07 else 1.2, context=context)
        for key, draw in zip(keys, drawn.tolist(), strict=True)
    }


def keys_of(chosen: Sequence[AlertRule], site: str) -> list[Key]:
    """What a site's rules look at, `any` written out."""
    found: list[Key] = []
    for signal, of, window in sorted(needed(chosen, site)):
        found += [(signal, meter, window) for meter in (("grid", "it") if of == "any" else (of,))]
    return found


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    work()
    return time.process_time() - began


def pure(config: Config) -> tuple[list[float], list[float]]:
    """Seconds of each edge: stepping the rules, and writing the documents."""
    dice = np.random.default_rng(1)
    keys = {site: keys_of(config.rules, site) for site in config.sites}
    board = Board()
    steps, writes = [], []
    for number in range(EDGES):
        at = START + number * GRID
        found = {site: samples_of(each, at, dice) for site, each in keys.items()}
        before = board

        def step(at: int = at, found: dict[str, dict[Key, Sample]] = found) -> None:
            nonlocal board
            for site, samples in found.items():
                board, _ = advance(board, config.rules, site, at, samples)

        steps.append(timed(step))
        writes.append(timed(lambda before=before: documents_of(board, before)))  # type: ignore[misc]
    return steps, writes


def readings(config: Config, start: int, end: int) -> Readings:
    """Both dials of every site each five minutes."""
    at = np.arange(start, end, 5 * MINUTE, dtype=np.int64)
    keys = tuple((site, meter) for site in config.sites for meter in ("grid", "it"))
    hours = (at - START) / HOUR
    value = np.concatenate([hours * (125.0 if meter == "grid" else 100.0) for _, meter in keys])
    times = np.tile(at, len(keys))
    return Readings(
        keys=keys,
        meter=np.repeat(np.arange(len(keys), dtype=np.int32), len(at)),
        at=times,
        received_at=times,
        value=value,
        arrival_time=np.zeros(len(times), dtype=np.bool_),
    )


def watched(config: Config, folder: Path) -> tuple[list[float], list[float]]:
    """Seconds of each live edge: ``AlertWatch.step`` from the store, and making the figures of the edge for others."""
    now = START + 4 * HOUR
    store = DuckdbStore.open(folder / "bench.duckdb", lambda: now)
    try:
        engine = Engine(config, config.rules, store, lambda: now, {})
        store.commit(readings(config, START, now + 1), [])
        engine.refresh()
        stepped, made = [], []
        for _ in range(5):
            store.commit(readings(config, now + 1, now + GRID + 1), [])
            now += GRID
            with patch.object(engine.watch, "step"):
                engine.refresh()
            stepped.append(timed(partial(engine.watch.step, now)))
            made.append(timed(engine.snapshot))
        return stepped, made
    finally:
        store.close()


def main() -> int:
    """Measures and prints; 1 when the limit is missed."""
    wanted = argparse.ArgumentParser()
    wanted.add_argument("--sites", type=int, default=1000)
    wanted.add_argument("--rules", type=int, default=20)
    wanted.add_argument("--stored", type=int, default=1000, help="sites of `watch` and `figures`")
    args = wanted.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name:
        config = configuration(Path(name), args.sites, args.rules)
        steps, writes = pure(config)
        stepped, made = watched(configuration(Path(name), args.stored, args.rules), Path(name))
    parts = {"step": steps, "documents": writes, "watch": stepped, "figures": made}
    median = {part: round(float(np.median(taken)), 4) for part, taken in parts.items()}
    print(
        json.dumps(
            {
                "sites": args.sites,
                "rules": args.rules,
                "stored": args.stored,
                "seconds": median,
                "worst": {"step": round(max(steps), 4), "watch": round(max(stepped), 4)},
            }
        )
    )
    return 0 if max(*steps, median["watch"]) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
