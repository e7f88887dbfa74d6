"""A site-month recomputed by one process, by one Dask worker and by two; prints JSON.

    python benchmarks/fanout.py [--meters 1000] [--days 31] [--keep DIR] [--rounds 3]

The store is that of ``site_month.py`` (1,000 meters, 44 million readings), which ``--keep`` takes from DIR. All
interval values are forgotten and made anew by ``wattwell recompute``'s own code: once by one process that is kept to
one core, then, in turns, by one and by two workers that stand ready, the quickest of the rounds by the clock. After
each a hash of all interval values, checkpoints and events must be the same. Then the same with two shards, each a store
of its own with half of the meters: here each worker has a store to itself.

Each has the seconds of one worker and of two: by the ``clock``, which says little where others use the machine too, and
``busy``, the processor seconds one after the other: ours, and those of the worker with the most. ``ratio`` says how
many times as fast two workers are as one. The exit code is 1 where both ratios are below 1.7, or a hash differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import site_month
import yaml

from analytics.fold import FOREVER
from wattwell.app.recompute import recompute, recompute_shard
from wattwell.app.workers import Workers, local
from wattwell.config import load
from wattwell.config.settings import Config
from wattwell.engine.analyse import analyse
from wattwell.store.duckdb import DuckdbStore

TARGET = 1.7


def digest(config: Config, days: int) -> str:
    """A hash of all that is in the store of a configuration."""
    store = DuckdbStore.open(config.store.path, lambda: site_month.START)
    try:
        return site_month._digest(config, days, store)  # noqa: SLF001 - the other benchmark's measure
    finally:
        store.close()


def timed(work: Callable[[], object]) -> float:
    """Seconds by the clock."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def on_one_core(work: Callable[[], object]) -> float:
    """Seconds by the clock on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        return timed(work)
    finally:
        os.sched_setaffinity(0, cores)


def in_turns(rounds: int, work: Callable[[Workers], object], check: Callable[[], str]) -> dict[str, Any]:
    """Seconds of the quickest round of one and of two workers, since other work only slows them, and every hash."""
    clock: dict[int, list[float]] = {1: [], 2: []}
    busy: dict[int, list[float]] = {1: [], 2: []}
    hashes = set()
    with local(1) as one, local(2) as two:
        for _ in range(rounds):
            for workers in (one, two):
                before, began = processors(workers), time.process_time()
                clock[workers.count].append(timed(lambda: work(workers)))  # noqa: B023 - done before the next
                own, after = time.process_time() - began, processors(workers)
                busy[workers.count].append(own + max(after[each] - before[each] for each in after))
                hashes.add(check())
    found = {
        name: [round(min(taken[count]), 2) for count in (1, 2)] for name, taken in (("clock", clock), ("busy", busy))
    }
    ratio = {name: round(seconds[0] / seconds[1], 2) for name, seconds in found.items()}
    return {"clock_s": found["clock"], "busy_s": found["busy"], "ratio": ratio, "hashes": sorted(hashes)}


def processors(workers: Workers) -> dict[str, float]:
    """Processor seconds of each worker so far."""
    spent: dict[str, float] = workers._client.run(time.process_time)  # noqa: SLF001 - looks inside
    return spent


def shards(folder: Path, meters: int, days: int) -> Path:
    """A configuration of two shards with half of the meters each, their stores filled."""
    half = site_month.configuration(meters // 2, folder)
    listed = [
        {"id": m.id, "role": m.role, "quantity": m.quantity.value, "accumulation": m.accumulation.value}
        | {"max_rate": m.max_rate, "resolution": m.resolution, "rollover_at": m.rollover_at, "parent": m.parent}
        for m in half.sites[site_month.SITE].meters.values()
    ]
    cleaned = [{key: value for key, value in each.items() if value is not None} for each in listed]
    sites = [{"id": name, "timezone": "UTC", "pue_category": 2, "meters": cleaned} for name in ("a", "b")]
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump({"sites": sites, "shards": {"count": 2, "pinned": {"a": 0, "b": 1}}}))
    fleet = load(path)
    for index, name in enumerate(("a", "b")):
        plant = site_month.Plant(half)
        plant.keys = tuple((name, meter) for _, meter in plant.keys)
        store = DuckdbStore.open(folder / f"wattwell.shard-{index}.duckdb", lambda: site_month.START)
        for number in range(days):
            store.commit(plant.day(site_month.START + number * site_month.DAY), [])
        analyse(store, {(name, m.id): m for m in fleet.sites[name].meters.values()}, fleet.grid)
        store.close()
    return path


def intervals_of(path: Path) -> str:
    """A hash of all interval values of both shards."""
    found = []
    for index, name in enumerate(("a", "b")):
        store = DuckdbStore.open(path.parent / f"wattwell.shard-{index}.duckdb", lambda: site_month.START)
        values = store.intervals(name, [f"m{n}" for n in range(10_000)], -FOREVER, FOREVER).values
        found.append(b"".join(column.tobytes() for column in (values.start, values.value, values.measured)))
        store.close()
    return hashlib.sha256(b"".join(found)).hexdigest()[:16]


def main() -> int:
    """Every figure; 1 where two workers are not 1.7 times as fast as one, or come to something else."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--meters", type=int, default=1000)
    wanted.add_argument("--days", type=int, default=31)
    wanted.add_argument("--rounds", type=int, default=3)
    wanted.add_argument("--keep", type=Path, help="folder with the store that site_month.py keeps; it is not changed")
    args = wanted.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        config = site_month.configuration(args.meters, folder)
        if args.keep is None:
            site_month.alone(site_month.fill, args.meters, args.days, folder)
        else:
            shutil.copy(args.keep / "site.duckdb", folder / "site.duckdb")
        (folder / "site.duckdb").rename(config.store.path)
        alone = on_one_core(lambda: recompute(config, now=lambda: site_month.START))
        whole = digest(config, args.days)
        result: dict[str, Any] = {"meters": args.meters, "days": args.days, "cores": os.cpu_count()}
        result |= {"one_process_s": round(alone, 2), "hash": whole}
        again = lambda workers: recompute(config, (), workers, lambda: site_month.START)  # noqa: E731
        result["one_store"] = in_turns(args.rounds, again, lambda: digest(config, args.days))
        config.store.path.unlink()
        path = shards(folder, args.meters, args.days)
        before = intervals_of(path)
        pieces = [(path, "0", ()), (path, "1", ())]
        result["two_stores"] = in_turns(
            args.rounds, lambda w: w.run(recompute_shard, pieces), lambda: intervals_of(path)
        )
    found = (result["one_store"], result["two_stores"])
    hashes = [each.pop("hashes") for each in found]
    same = hashes == [[whole], [before]]
    missed = [] if same else ["the same interval values, checkpoints and events"]
    missed += [
        f"{name} {TARGET} times as fast"
        for name in ("one_store", "two_stores")
        if max(result[name]["ratio"].values()) < TARGET
    ]
    print(json.dumps(result | {"same": same, "missed": missed}, indent=2))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
