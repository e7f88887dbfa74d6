"""What a fleet costs: many sites, live, through the real engine on one core; prints JSON.

    python benchmarks/fleet.py [--sites 200] [--meters 20] [--period 60] [--intervals 4]

Each site has N meters (three fifths registers, two fifths power meters and temperatures) that report every ``period``
seconds. A store is filled with 26 hours of them. Then come intervals of 15 minutes, live: the readings in commits of a
minute each, as the collector makes them, and after each interval what the service does at a live edge: analysis, the
shipped alert rules, the findings that are due, and all figures for /metrics and the page.

* ``per_interval``: processor seconds of each part, the median interval; ``core_share`` is their sum of a quarter hour;
* ``first_figures_s``: processor seconds of the first figures after a start, which later ones go on from;
* ``figures_s``: from the live edge to the figures of every site, the median and the worst by the clock;
* ``memory``: of the whole process at the end, and what it had before the first site; the store's bytes a reading;
* ``formula``: what docs/SIZING.md says of as many sites and meters, and the ratio of what was measured to it.

The exit code is 1 where a ratio is above 2 (the formula promises too much) or below 0.4 (it says nothing).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from wattwell.app.access import open_engine
from wattwell.config import parse
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.intervals import HOUR, MINUTE, SECOND, parse_iso
from wattwell.model import MeterKey, Readings

GRID = 15 * MINUTE
START = parse_iso("2026-01-05T00:00:00Z")
WARM = 26 * HOUR
COSTS: Mapping[str, float] = {
    "reading_us": 0.5,
    "meter_us": 360.0,
    "site_ms": 3.0,
    "base_mib": 35.0,
    "site_kib": 650.0,
    "meter_kib": 10.0,
}
"""Of docs/SIZING.md: processor time of a reading committed and analysed, of a meter and of a site by the interval;
memory beyond the modules of the process, of a site and of a meter."""
_COOLING = ("chiller", "crah", "pump")


def configuration(folder: Path, sites: int, meters: int, period: int) -> Config:
    """So many sites of so many meters, with the shipped alert rules."""
    registers = max(3, meters * 3 // 5)
    listed: list[dict[str, Any]] = []
    for number in range(meters):
        meter: dict[str, Any] = {"id": f"m{number}", "period": f"{period}s"}
        if number < registers:
            role = {0: "utility_import", 1: "it_ups"}.get(number, _COOLING[number % 3])
            meter |= {"role": role, "quantity": "energy", "accumulation": "register", "max_rate": 20000}
            meter |= {"parent": "m0"} if number else {}
        elif number % 2:
            meter |= {"quantity": "power", "accumulation": "instantaneous"}
        else:
            meter |= {"quantity": "temperature", "accumulation": "instantaneous"}
        listed.append(meter)
    named = [{"id": f"s{n}", "timezone": "UTC", "pue_category": 1, "meters": listed} for n in range(sites)]
    return parse({"sites": named}, folder)


class Plant:
    """Makes the readings of all meters."""

    def __init__(self, config: Config, period: int) -> None:
        self.keys: tuple[MeterKey, ...] = tuple((site.id, m) for site in config.sites.values() for m in site.meters)
        self._period = period * SECOND
        kinds = [m.accumulation == "register" for site in config.sites.values() for m in site.meters.values()]
        self._registers = np.array(kinds)
        dice = np.random.default_rng(1)
        self._phase = dice.integers(0, self._period // 1000, len(kinds)) * 1000
        self._kw = dice.uniform(5, 50, len(kinds))
        per_site = self._kw.reshape(len(config.sites), -1)
        per_site[:, 0] = 1.05 * per_site[:, 1:].sum(axis=1)
        per_site[:, 1] = 0.8 * per_site[:, 0]

    def between(self, start: int, end: int) -> Readings:
        """All readings of a span that begins and ends with a period, in order of arrival."""
        at = (np.arange(start, end, self._period)[:, None] + self._phase).ravel()
        meter = np.tile(np.arange(len(self.keys), dtype=np.int32), (end - start) // self._period)
        hours = (at - START) / HOUR
        value = np.where(self._registers[meter], self._kw[meter] * hours, self._kw[meter] + np.sin(hours))
        order = np.argsort(at, kind="stable")
        return Readings(
            keys=self.keys,
            meter=meter[order],
            at=at[order],
            received_at=at[order] + 200_000,
            value=np.round(value[order], 3),
            arrival_time=np.zeros(len(at), dtype=np.bool_),
        )


class Spent:
    """Processor seconds by part."""

    def __init__(self) -> None:
        self.parts: Counter[str] = Counter()

    def of(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """The same work, and its time is noted."""

        def timed(*args: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return work(*args, **named)
            finally:
                self.parts[part] += time.process_time() - began

        return timed


def mib() -> float:
    """Resident memory of this process."""
    return float(psutil.Process().memory_info().rss) / 2**20


def live(config: Config, period: int, intervals: int) -> dict[str, Any]:
    """The measured intervals, and what they cost."""
    plant, spent, now = Plant(config, period), Spent(), START + WARM
    before = mib()
    taken, clocks = [], []
    with open_engine(config, lambda: now, {}, detect=True) as engine:
        for hour in range(START, now, HOUR):
            engine.store.commit(plant.between(hour, hour + HOUR), [])
            engine.refresh(cold=False)
        spent.of("first", engine.snapshot)()
        first = round(spent.parts["first"], 2)
        _tap(engine, spent)
        for _ in range(intervals):
            spent.parts.clear()
            for minute in range(now, now + GRID, max(MINUTE, period * SECOND)):
                spent.of("commit", engine.store.commit)(
                    plant.between(minute, minute + max(MINUTE, period * SECOND)), []
                )
            now += GRID
            began = time.perf_counter()
            spent.of("refresh", engine.refresh)(cold=False)
            spent.of("figures", engine.snapshot)()
            clocks.append(time.perf_counter() - began)
            spent.parts["other"] = spent.parts.pop("refresh") - sum(spent.parts[part] for part in _PARTS)
            taken.append(dict(spent.parts))
        count = engine.store.count_readings(START, now)
    size = config.store.path.stat().st_size  # type: ignore[union-attr] # it is a file
    each = {part: round(float(np.median([one[part] for one in taken])), 3) for part in taken[0]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "readings_per_interval": len(plant.keys) * GRID // (period * SECOND),
        "per_interval": each | {"sum": round(sum(each.values()), 3)},
        "first_figures_s": first,
        "core_share": round(sum(each.values()) / (GRID / SECOND), 4),
        "figures_s": {"median": round(float(np.median(clocks)), 2), "worst": round(max(clocks), 2)},
        "memory": {"mib": round(mib()), "before_mib": round(before), "peak_mib": round(peak)},
        "store_bytes_per_reading": round(size / count, 1),
    }


_PARTS = ("analyse", "alerts", "findings")


def _tap(engine: Engine, spent: Spent) -> None:
    """Times the parts of a refresh."""
    engine.analyse = spent.of("analyse", engine.analyse)
    engine.watch.step = spent.of("alerts", engine.watch.step)  # type: ignore[method-assign]
    found = engine._found  # noqa: SLF001 - looks inside
    found.step = spent.of("findings", found.step)  # type: ignore[method-assign]


def formula(sites: int, meters: int, readings: int) -> dict[str, float]:
    """What docs/SIZING.md says: processor seconds by the interval, and MiB beyond the empty process."""
    total = sites * meters
    seconds = readings * COSTS["reading_us"] / 1e6 + total * COSTS["meter_us"] / 1e6 + sites * COSTS["site_ms"] / 1e3
    kib = total * COSTS["meter_kib"] + sites * COSTS["site_kib"]
    return {"cpu_s": seconds, "mib": COSTS["base_mib"] + kib / 1024}


def main() -> int:
    """Measures, compares and prints; 1 where the formula is wrong."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--sites", type=int, default=200)
    wanted.add_argument("--meters", type=int, default=20)
    wanted.add_argument("--period", type=int, default=60, help="seconds between two readings of a meter")
    wanted.add_argument("--intervals", type=int, default=4)
    args = wanted.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as scratch:
        config = configuration(Path(scratch), args.sites, args.meters, args.period)
        found = live(config, args.period, args.intervals)
    said = formula(args.sites, args.meters, found["readings_per_interval"])
    memory = found["memory"]["mib"] - found["memory"]["before_mib"]
    ratio = {"cpu": found["per_interval"]["sum"] / said["cpu_s"], "memory": memory / said["mib"]}
    compared = {name: round(value, 2) for name, value in ratio.items()}
    told = {name: round(value, 2) for name, value in said.items()}
    print(json.dumps(vars(args) | found | {"formula": told | {"ratio": compared}}, indent=2))
    return 0 if all(0.4 <= value <= 2 for value in ratio.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
