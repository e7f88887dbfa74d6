"""A month of a site at one reading a minute: computed anew, read, and asked for its KPIs; prints JSON.

    python benchmarks/site_month.py [--meters 1000] [--days 31] [--keep DIR] [--only NAME ...]

The site has N meters, 70 % registers, 20 % power meters, 10 % temperature sensors, each with a second of its own, in
whose readings there are gaps, single ones missing, spikes, resets and rollovers. The store is filled with a month of
them in their order of arrival, which is not measured; ``--keep`` fills it in DIR and takes what is there already.
Then, each in a process of its own on one core, by the clock:

* ``recompute``: all interval values forgotten, and computed from the readings (15-minute grid); a hash of the result;
* ``read``: all interval values of the month read and laid out by meter on the grid, in a store just opened; and
  ``again``, in the same one;
* ``kpi``: the PUE and all other KPIs of the month, from a store just opened;
* ``report``: ``wattwell report`` of the month in all four formats, from interval values, as a user runs it; and
  ``cold``, with all interval values forgotten before, so that it starts with the readings;
* ``pandas``: the month's PUE from a CSV of the same readings: ``read_csv``, then pivot, resample, diff and sum.

``ratio`` is how many times as long the pandas script takes as computing anew and the KPIs together, as the KPIs, and as
the whole report. It does less: it knows no gap, reset, spike or rollover. The exit code is 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import yaml

from analytics.balance import lay_out
from wattwell.config import parse
from wattwell.config.settings import Config
from wattwell.engine.analyse import analyse
from wattwell.engine.engine import Engine
from wattwell.intervals import DAY, MINUTE, SECOND, iso, parse_iso, starts
from wattwell.model import Bool, Float64, Meter, MeterKey, Readings
from wattwell.store.duckdb import DuckdbStore

GRID = 15 * MINUTE
START = parse_iso("2026-01-01T00:00:00Z")
SITE = "big"
TARGETS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "recompute within 30 s": lambda r: r["recompute"]["seconds"] < 30,
    "recompute within 2 GiB": lambda r: r["recompute"]["peak_mib"] < 2048,
    "read within 1.5 s": lambda r: r["read"]["seconds"] < 1.5,
    "report within 5 s": lambda r: r["report"]["seconds"] < 5,
    "report cold within 30 s": lambda r: r["report"]["cold"]["seconds"] < 30,
    "report within 2 GiB": lambda r: max(r["report"]["peak_mib"], r["report"]["cold"]["peak_mib"]) < 2048,
}
_KINDS: Mapping[str, Mapping[str, Any]] = {
    "register": {"quantity": "energy", "accumulation": "register", "max_rate": 20000, "resolution": 0.01},
    "power": {"quantity": "power", "accumulation": "instantaneous"},
    "sensor": {"quantity": "temperature", "accumulation": "instantaneous"},
}
_COOLING = ("chiller", "crah", "pump", "fan")
_ROLLOVER = 100_000.0
_MINUTES = DAY // MINUTE


def configuration(meters: int, folder: Path) -> Config:
    """The checked configuration of the site."""
    return parse(document(meters), folder)


def document(meters: int) -> dict[str, Any]:
    """The site: a register of the grid, of cooling and of PDUs, power meters of racks, sensors."""
    registers, powers = max(3, meters * 7 // 10), meters * 2 // 10
    listed: list[dict[str, Any]] = []
    for number in range(meters):
        kind = "register" if number < registers else "power" if number < registers + powers else "sensor"
        meter = {"id": f"m{number}", **_KINDS[kind]}
        if number == 0:
            meter |= {"role": "utility_import", "max_rate": 2_000_000}
        elif kind == "register":
            meter |= {"role": _COOLING[number // 8 % 4] if number % 8 == 1 else "it_pdu", "parent": "m0"}
        if kind == "register" and number % 20 == 2:
            meter["rollover_at"] = _ROLLOVER
        listed.append(meter)
    site = {"id": SITE, "timezone": "UTC", "pue_category": 2, "meters": listed}
    return {"sites": [site]}


class Plant:
    """Makes the readings of the site's meters, a day at a time."""

    def __init__(self, config: Config) -> None:
        self._dice = np.random.default_rng(7)
        meters = list(config.sites[SITE].meters.values())
        self.keys = tuple((SITE, meter.id) for meter in meters)
        count = len(meters)
        self._registers = sum(meter.accumulation == "register" for meter in meters)
        self._rolls = np.array([meter.rollover_at is not None for meter in meters[: self._registers]])
        self._phase = self._dice.integers(0, 60_000, count) * (SECOND // 1000)
        self._level = self._dice.uniform(0.2, 0.9, count) * 60
        self._dial = self._dice.uniform(0.0, 0.95, self._registers) * _ROLLOVER
        self._dial[0] = 5e6
        self._silent = np.zeros(count, dtype=np.int64)
        """Minutes that a meter stays silent."""

    def day(self, start: int) -> Readings:
        """All readings of a UTC day, in order of arrival."""
        minutes = np.arange(_MINUTES)
        wave = 1 + 0.2 * np.sin(2 * np.pi * minutes / _MINUTES)[:, None]
        rate = self._level * wave * self._dice.uniform(0.9, 1.1, (_MINUTES, len(self.keys)))
        value = rate.copy()
        value[:, : self._registers] = self._dials(rate[:, : self._registers])
        place, meter = np.nonzero(self._sent())
        at = start + place * MINUTE + self._phase[meter]
        order = np.argsort(at, kind="stable")
        return Readings(
            keys=self.keys,
            meter=meter[order].astype(np.int32),
            at=at[order],
            received_at=at[order] + 200_000,
            value=value[place, meter][order],
            arrival_time=np.zeros(len(at), dtype=np.bool_),
        )

    def _dials(self, rate: Float64) -> Float64:
        """Dials after each minute: whole hundredths, with rollovers, one reset in 30 meters a month, few zeros."""
        step = rate / 60
        step[:, 0] = 1.08 * step[:, 1:].sum(axis=1)
        dial = self._dial + np.cumsum(step, axis=0)
        for meter in np.flatnonzero(self._dice.random(self._registers) < 1 / 900):
            minute = int(self._dice.integers(1, _MINUTES))
            dial[minute:, meter] -= dial[minute - 1, meter]
        dial[:, self._rolls] %= _ROLLOVER
        self._dial = dial[-1].copy()
        shown = np.floor(dial * 100) / 100
        shown[self._dice.random(shown.shape) < 1 / 50_000] = 0.0
        return shown

    def _sent(self) -> Bool:
        """What is not lost: one reading in 1,000, and two gaps of 10 to 300 minutes a month of each meter."""
        sent = self._dice.random((_MINUTES, len(self.keys))) >= 1 / 1000
        begin = np.zeros(len(self.keys), dtype=np.int64)
        silent = self._silent.copy()
        for meter in np.flatnonzero((self._dice.random(len(self.keys)) < 1 / 15) & (silent == 0)):
            begin[meter] = self._dice.integers(0, _MINUTES)
            silent[meter] = self._dice.integers(10, 300)
        minute = np.arange(_MINUTES)[:, None]
        self._silent = np.maximum(begin + silent - _MINUTES, 0)
        return np.asarray(sent & ~((minute >= begin) & (minute < begin + silent)), dtype=np.bool_)


def fill(config: Config, days: int, folder: Path) -> dict[str, Any]:
    """A store with the month's readings, a commit a day, and analysed; and the same rows as CSV."""
    plant = Plant(config)
    with _store(folder) as store:
        for number in range(days):
            store.commit(plant.day(START + number * DAY), [])
        analyse(store, _meters(config), GRID)
    with duckdb.connect(folder / _STORE, read_only=True) as con:
        query = "SELECT strftime(utc, '%Y-%m-%dT%H:%M:%S.%gZ') AS time, meter, value FROM readings_shown"
        con.execute("SET enable_progress_bar = false")
        con.execute(f"COPY ({query}) TO '{folder / _CSV}' (HEADER)")
    return {}


def recompute(config: Config, days: int, folder: Path) -> dict[str, Any]:
    """Forgets all interval values and computes them anew."""
    with _store(folder) as store:
        began = time.perf_counter()
        store.forget(tuple(_meters(config)))
        forgotten = time.perf_counter() - began
        analyse(store, _meters(config), GRID)
        seconds = time.perf_counter() - began
        peak = _peak_mib()
        return {
            "seconds": round(seconds, 2),
            "forget_s": round(forgotten, 2),
            "peak_mib": peak,
            "readings": store.count_readings(START, START + days * DAY),
            "digest": _digest(config, days, store),
        }


def _digest(config: Config, days: int, store: DuckdbStore) -> str:
    """A hash of all interval values, checkpoints and events of the store, to the bit."""
    found = store.intervals(SITE, tuple(config.sites[SITE].meters), START - DAY, START + (days + 1) * DAY)
    digest = hashlib.sha256()
    for column in (found.meter, *(getattr(found.values, name) for name in ("start", "value", "measured", "recovered"))):
        digest.update(np.ascontiguousarray(column).tobytes())
    digest.update(repr(sorted(store.checkpoints(tuple(_meters(config)), START - DAY).items())).encode())
    digest.update(repr(store.events(SITE, None, None, None)).encode())
    return digest.hexdigest()[:16]


def read(config: Config, days: int, folder: Path) -> dict[str, Any]:
    """Reads the month's interval values and lays them out, twice."""
    site, spent = config.sites[SITE], []
    grid = starts(START, START + days * DAY, GRID)
    with _store(folder) as store:
        for _ in range(2):
            began = time.perf_counter()
            found = store.intervals(SITE, tuple(site.meters), START, START + days * DAY)
            lay_out(site, found, tuple(site.meters), grid, GRID)
            spent.append(round(time.perf_counter() - began, 3))
        return {"seconds": spent[0], "again_s": spent[1], "values": len(found.values), "peak_mib": _peak_mib()}


def kpi(config: Config, days: int, folder: Path) -> dict[str, Any]:
    """The month's KPIs."""
    with _store(folder) as store:
        engine = Engine(config, (), store, lambda: START + days * DAY, {})
        began = time.perf_counter()
        values = engine.kpi_values(SITE, None, None, iso(START), iso(START + days * DAY))
        seconds = time.perf_counter() - began
        (pue,) = (value for value in values if value.kpi == "pue")
        return {"seconds": round(seconds, 3), "kpis": len(values), "pue": pue.value, "peak_mib": _peak_mib()}


def report(config: Config, _: int, folder: Path) -> dict[str, Any]:
    """The command, in a process of its own: from interval values, findings and alerts as a service keeps them; then
    with all of that made from readings again."""
    made = document(len(config.sites[SITE].meters))
    meters = made["sites"][0].pop("meters")
    with (folder / _METERS).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for meter in meters for key in meter)))
        writer.writeheader()
        writer.writerows(meters)
    made["sites"][0]["meters_file"] = _METERS
    (folder / _YAML).write_text(yaml.safe_dump(made | {"store": {"url": _URL}}))
    _command(folder)
    kept = _command(folder)
    with _store(folder) as store:
        store.forget(tuple(_meters(config)))
    return {**kept, "cold": _command(folder)}


def _command(folder: Path) -> dict[str, Any]:
    arguments = ("report", _YAML, "--site", SITE, "--month", "2026-01", "--out", "report", "--draft")
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _MAIN, *arguments], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"wattwell report ended with status {status}")
    cpu = used.ru_utime + used.ru_stime
    return {"seconds": round(seconds, 2), "cpu_s": round(cpu, 2), "peak_mib": round(used.ru_maxrss / 1024)}


def by_pandas(config: Config, _: int, folder: Path) -> dict[str, Any]:
    """The month's PUE by a short script over the CSV."""
    began = time.perf_counter()
    frame = pd.read_csv(folder / _CSV, parse_dates=["time"], dtype={"meter": "category"})
    readings = time.perf_counter() - began
    frame["time"] = frame["time"].dt.floor("1min")
    wide = frame.pivot(index="time", columns="meter", values="value")
    quarters = wide.resample("15min").last()
    amounts = quarters.diff().where(lambda step: step >= 0)
    it = [meter.id for meter in config.sites[SITE].meters.values() if meter.role == "it_pdu"]
    pue = amounts["m0"].sum() / amounts[it].sum().sum()
    seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 2), "read_csv_s": round(readings, 2), "pue": float(pue), "peak_mib": _peak_mib()}


_STORE, _CSV, _YAML, _METERS = "site.duckdb", "site.csv", "wattwell.yaml", "meters.csv"
_URL = f"duckdb:{_STORE}"
_MAIN = "from wattwell.cli import main; raise SystemExit(main())"
_PHASES: Mapping[str, Callable[[Config, int, Path], dict[str, Any]]] = {
    "recompute": recompute,
    "read": read,
    "kpi": kpi,
    "report": report,
    "pandas": by_pandas,
}


@contextlib.contextmanager
def _store(folder: Path) -> Iterator[DuckdbStore]:
    with contextlib.closing(DuckdbStore.open(folder / _STORE, lambda: START)) as store:
        yield store


def _meters(config: Config) -> Mapping[MeterKey, Meter]:
    return {(SITE, meter.id): meter for meter in config.sites[SITE].meters.values()}


def _peak_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def alone(work: Callable[[Config, int, Path], dict[str, Any]], meters: int, days: int, folder: Path) -> dict[str, Any]:
    """What a piece of work returns, done by a process of its own on one core."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_pinned, (work, meters, days, folder))


def _pinned(
    work: Callable[[Config, int, Path], dict[str, Any]], meters: int, days: int, folder: Path
) -> dict[str, Any]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return work(configuration(meters, folder), days, folder)


def main() -> int:
    """Every figure; 1 where a target is missed."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--meters", type=int, default=1000)
    wanted.add_argument("--days", type=int, default=31)
    wanted.add_argument("--keep", type=Path, help="folder in which the filled store stays for the next time")
    wanted.add_argument("--only", nargs="+", choices=_PHASES, default=tuple(_PHASES))
    args = wanted.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / _CSV).exists():
            alone(fill, args.meters, args.days, folder)
        result: dict[str, Any] = {"meters": args.meters, "days": args.days}
        result |= {name: alone(_PHASES[name], args.meters, args.days, folder) for name in args.only}
        result["store_mib"] = round((folder / _STORE).stat().st_size / 2**20)
    if set(args.only) == set(_PHASES):
        ours, theirs = result["recompute"]["seconds"] + result["kpi"]["seconds"], result["pandas"]["seconds"]
        result["ratio"] = {
            "computed anew": round(theirs / ours, 2),
            "kept": round(theirs / result["kpi"]["seconds"], 1),
            "whole report": round(theirs / result["report"]["seconds"], 1),
        }
    met = {name: met(result) for name, met in TARGETS.items() if name.split()[0] in result}
    result["missed"] = [name for name, good in met.items() if not good]
    print(json.dumps(result, indent=2))
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
