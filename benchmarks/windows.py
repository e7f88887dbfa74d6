"""KPIs of any window of ten years: the milliseconds by the window's length, beside pandas and VictoriaMetrics; JSON.

    python benchmarks/windows.py [--years 10] [--meters 100] [--asks 40] [--keep DIR] [--only NAME ...]

A site of N meters (a grid meter, cooling and PDUs below it), 15-minute interval values of so many years, one in 2,000
missing, written straight through the store's ``save``, which is not measured; ``--keep`` does it in DIR and takes what
is there already. Asked is the PUE, as the command and the page ask it, of windows whose ends lie anywhere on the grid,
by the window's length; each in a process of its own:

* ``first``: all years, in a store that was never asked (a day is summed from its interval values once);
* ``fresh``: all years, and then each length, in a new process on the same store;
* ``curve``: each length at random places, again and again in one process; ``again``: the same windows once more;
* ``rolling``: all 24-hour windows of a year, one for every grid edge, by the window;
* ``flat``: the sum of the same days, all added by ``math.fsum`` at once: it must be the same to the bit;
* ``pandas``: the same windows of a frame in memory (a column for each meter) by slice and sum; ``parquet``: the rows of
  the window read from a Parquet file by DuckDB as a frame, then summed;
* ``victoriametrics``: the same windows by ``sum_over_time`` from a server that holds the same values, one series for
  each meter, and as much memory as it likes; skipped where it is not installed.

``ratio``: how many times as long the others take, by the window's length. None of them looks at what is missing, at
the balance of the meter tree or at coverage. The exit code is 1 where a window takes more than 20 ms by the clock (the
95th percentile of ``curve``; ``cpu_p95`` is processor time), the first ask of a process over 0.5 s, or a sum differs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import multiprocessing
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import numpy as np
import pandas as pd

from analytics.evaluate import Window
from wattwell.config import parse
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND, Interval, parse_iso
from wattwell.model import Float64, Int64, IntervalValues, KpiValue
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import MeterUpdate

GRID = 15 * MINUTE
START = parse_iso("2016-01-01T00:00:00Z")
SITE = "site"
LENGTHS = {"1h": HOUR, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY, "1y": 365 * DAY, "3y": 1096 * DAY}
LIMIT_MS, FRESH_S = 20.0, 0.5
_STORE, _TABLE, _SAMPLES = "site.duckdb", "site.parquet", "victoria-metrics"
_CHUNK = 30 * DAY
_FRAME = "wide"


@dataclass(frozen=True, slots=True)
class Task:
    """What is measured, and where."""

    meters: int
    years: int
    asks: int
    folder: Path

    @property
    def end(self) -> int:
        """The end of the values."""
        return START + self.years * 365 * DAY + self.years // 4 * DAY

    @property
    def lengths(self) -> Mapping[str, int]:
        """Windows that fit, and one of nearly all that there is, which has as many places."""
        whole = self.end - START
        shorter = {name: length for name, length in LENGTHS.items() if length < whole - 30 * DAY}
        return shorter | {f"{self.years}y": whole - 30 * DAY}

    def windows(self, length: int) -> list[Interval]:
        """Windows of a length at random places; the same for everybody."""
        dice = np.random.default_rng(length // MINUTE)
        places = dice.integers(0, (self.end - START - length) // GRID + 1, self.asks) * GRID + START
        return [Interval(int(place), int(place) + length) for place in places.tolist()]

    @property
    def config(self) -> Config:
        """The site: its first meter feeds all others; one in eight is cooling."""
        listed: list[dict[str, Any]] = []
        for number in range(self.meters):
            role = "utility_import" if number == 0 else "chiller" if number % 8 == 1 else "it_pdu"
            meter: dict[str, Any] = {"id": f"m{number}", "role": role, "quantity": "energy", "accumulation": "register"}
            meter |= {"max_rate": 1e6, "resolution": 0.01}
            listed.append(meter if number == 0 else meter | {"parent": "m0"})
        site = {"id": SITE, "timezone": "UTC", "pue_category": 2, "meters": listed}
        return parse({"sites": [site]}, self.folder)

    @property
    def it(self) -> list[str]:
        """The meters of the IT load."""
        return [meter.id for meter in self.config.sites[SITE].meters.values() if meter.role == "it_pdu"]


def values(task: Task, start: int, end: int) -> tuple[Int64, Float64]:
    """Starts, and a row of kWh for each; the first meter counts a little more than the others together."""
    at = np.arange(start, min(end, task.end), GRID, dtype=np.int64)
    dice = np.random.default_rng(start // DAY)
    wave = 1 + 0.2 * np.sin(2 * np.pi * (at % DAY) / DAY)[:, None]
    amounts = 10 * wave * dice.uniform(0.8, 1.2, (len(at), task.meters))
    amounts[:, 0] = 1.03 * amounts[:, 1:].sum(axis=1)
    amounts[dice.random(amounts.shape) < 1 / 2000] = np.nan
    return at, np.round(amounts, 2)


def fill(task: Task) -> dict[str, Any]:
    """The store, and the same as Parquet and in VictoriaMetrics."""
    began = time.perf_counter()
    chunks = range(START, task.end, _CHUNK)
    with _store(task) as store:
        for start in chunks:
            at, amounts = values(task, start, start + _CHUNK)
            store.save([_update(f"m{number}", start, at, column) for number, column in enumerate(amounts.T)])
    spent = {"store_s": round(time.perf_counter() - began, 1)}
    _write_table(task, chunks)
    spent["parquet_s"] = round(time.perf_counter() - began - sum(spent.values()), 1)
    if shutil.which("victoria-metrics"):
        with _victoria_metrics(task) as client:
            for start in chunks:
                _import(client, *values(task, start, start + _CHUNK))
        spent["victoriametrics_s"] = round(time.perf_counter() - began - sum(spent.values()), 1)
    return spent


def _update(meter: str, start: int, at: Int64, column: Float64) -> MeterUpdate:
    return MeterUpdate(
        key=(SITE, meter),
        start=start,
        end=start + _CHUNK,
        values=IntervalValues(
            start=at, value=column, measured=np.ones(len(at)), recovered=np.zeros(len(at), dtype=np.bool_)
        ),
        events=(),
        events_from=start,
        events_to=start,
        checkpoints=(),
        forget_from=start,
        forget_to=start,
    )


def _write_table(task: Task, chunks: range) -> None:
    names = [f"m{number}" for number in range(task.meters)]
    with _frames() as con:
        for place, start in enumerate(chunks):
            at, amounts = values(task, start, start + _CHUNK)
            part = {"at": at} | dict(zip(names, np.ascontiguousarray(amounts.T), strict=True))
            con.register("part", part)
            con.execute(f"{'INSERT INTO' if place else 'CREATE TABLE'} {_FRAME} {'' if place else 'AS'} FROM part")
        con.execute(f"COPY {_FRAME} TO '{task.folder / _TABLE}' (FORMAT parquet)")


def _import(client: httpx.Client, at: Int64, amounts: Float64) -> None:
    """Samples stand at the end of their intervals, so that a window's are those in (start, end]."""
    times = (at + GRID) // 1000
    lines = []
    for number, column in enumerate(amounts.T):
        known = ~np.isnan(column)
        role = "grid" if number == 0 else "cooling" if number % 8 == 1 else "it"
        labels = {"__name__": "kwh", "role": role, "meter": f"m{number}"}
        lines.append(
            json.dumps({"metric": labels, "values": column[known].tolist(), "timestamps": times[known].tolist()})
        )
    client.post("/api/v1/import", content="\n".join(lines)).raise_for_status()


# -- what is measured ---------------------------------------------------------------------------------------------


def first(task: Task) -> dict[str, Any]:
    """The first ask that a store ever gets."""
    with duckdb.connect(task.folder / _STORE) as con:
        con.execute("DELETE FROM day_sums")
    return fresh(task)


def fresh(task: Task) -> dict[str, Any]:
    """The first asks of a process, the longest window before the shorter ones."""
    began = time.perf_counter()
    with _engine(task) as engine:
        opened = time.perf_counter() - began
        spent = {}
        for name, length in reversed(list(task.lengths.items())):
            began = time.perf_counter()
            _kept(engine, task.windows(length)[0])
            spent[name] = round(time.perf_counter() - began, 4)
    return {"open_s": round(opened, 3), "seconds": spent, "peak_mib": _peak_mib()}


def _kept(engine: Engine, span: Interval) -> KpiValue:
    """By the way of the command, which also keeps the sums of days."""
    at = [pd.Timestamp(edge, unit="us", tz="UTC").isoformat() for edge in (span.start, span.end)]
    return engine.kpi_values(SITE, ["pue"], None, *at)[0]


def curve(task: Task) -> dict[str, Any]:
    """All lengths again and again."""
    with _engine(task) as engine:

        def ask(span: Interval) -> float | None:
            return engine.value(SITE, "pue", Window(name=None, interval=span)).value

        ask(Interval(START, task.end))
        return {"ms": _timed(task, ask, processor=True), "again_ms": _timed(task, ask), "peak_mib": _peak_mib()}


def rolling(task: Task) -> dict[str, Any]:
    """Every 24 hours of a year."""
    begin = task.end - min(365 * DAY, task.end - START)
    at = [pd.Timestamp(edge, unit="us", tz="UTC").isoformat() for edge in (begin, task.end)]
    found = {}
    with _engine(task) as engine:
        for kpis in (["pue"], ["pue", "dcie", "ppue_cooling"]):
            began = time.perf_counter()
            count = len(engine.kpi_values(SITE, kpis, "24h", *at)) // len(kpis)
            found["+".join(kpis)] = round((time.perf_counter() - began) / count * 1e3, 3)
    return {"windows": count, "ms": found, "peak_mib": _peak_mib()}


def flat(task: Task) -> dict[str, Any]:
    """The numerator and denominator of whole days, against math.fsum over the sums of all of these days."""
    differing = 0
    with _engine(task) as engine:
        days = [
            engine.value(SITE, "pue", Window(name=None, interval=Interval(day, day + DAY)))
            for day in range(START, task.end, DAY)
        ]
        spans = [(0, len(days))] + [(place, min(len(days), place + 7 * place + 3)) for place in range(0, len(days), 97)]
        for low, high in spans:
            span = Interval(START + low * DAY, START + high * DAY)
            found = engine.value(SITE, "pue", Window(name=None, interval=span))
            plain = [
                math.fsum(amount or 0.0 for amount in side)
                for side in (
                    [day.numerator for day in days[low:high]],
                    [day.denominator for day in days[low:high]],
                )
            ]
            differing += [found.numerator, found.denominator] != plain
    return {"windows": len(spans), "differing": differing}


def by_pandas(task: Task) -> dict[str, Any]:
    """Slices and sums of a frame in memory."""
    with _frames() as con:
        frame = con.execute(f"FROM '{task.folder / _TABLE}' ORDER BY 1").df().set_index("at")
    it = task.it

    def ask(span: Interval) -> float:
        part = frame.loc[span.start : span.end - 1]
        return float(part["m0"].sum() / part[it].sum().sum())

    ask(Interval(START, task.end))
    return {"ms": _timed(task, ask), "peak_mib": _peak_mib()}


def by_parquet(task: Task) -> dict[str, Any]:
    """The window's rows as a frame, read each time."""
    it = task.it
    columns = ", ".join(["m0", *it])
    with _frames() as con:

        def ask(span: Interval) -> float:
            query = f"SELECT {columns} FROM read_parquet(?) AS part WHERE part.at >= ? AND part.at < ?"  # noqa: S608
            part = con.execute(query, [str(task.folder / _TABLE), span.start, span.end]).df()
            return float(part["m0"].sum() / part[it].sum().sum())

        return {"ms": _timed(task, ask, most=5), "peak_mib": _peak_mib()}


def by_victoriametrics(task: Task) -> dict[str, Any]:
    """A range query for each window, evaluated at its end; its own cache of results is told to keep out."""
    if not (task.folder / _SAMPLES).exists():
        return {}
    with _victoria_metrics(task) as client:

        def ask(span: Interval) -> float:
            over = f"[{span.width // SECOND}s]"
            query = f'sum(sum_over_time(kwh{{role="grid"}}{over})) / sum(sum_over_time(kwh{{role="it"}}{over}))'
            parameters = {"query": query, "time": str(span.end // SECOND), "nocache": "1"}
            answer = client.get("/api/v1/query", params=parameters)
            answer.raise_for_status()
            return float(answer.json()["data"]["result"][0]["value"][1])

        whole = ask(Interval(START, task.end))
        return {"ms": _timed(task, ask, most=5), "whole": whole}


def _timed(
    task: Task, ask: Callable[[Interval], float | None], most: int | None = None, *, processor: bool = False
) -> dict[str, dict[str, float]]:
    """Milliseconds by length: half and nineteen of twenty asks are answered within; ``processor``: its time too."""
    found = {}
    for name, length in task.lengths.items():
        spent = []
        for span in task.windows(length)[:most]:
            began = time.perf_counter(), time.process_time()
            ask(span)
            spent.append((time.perf_counter() - began[0], time.process_time() - began[1]))
        half, most_of = np.quantile(np.array(spent) * 1e3, [0.5, 0.95], axis=0).round(2).tolist()
        found[name] = {"p50": half[0], "p95": most_of[0]} | ({"cpu_p95": most_of[1]} if processor else {})
    return found


_PHASES: Mapping[str, Callable[[Task], dict[str, Any]]] = {
    "first": first,
    "fresh": fresh,
    "curve": curve,
    "rolling": rolling,
    "flat": flat,
    "pandas": by_pandas,
    "parquet": by_parquet,
    "victoriametrics": by_victoriametrics,
}


# -- where it runs ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _frames() -> Iterator[duckdb.DuckDBPyConnection]:
    """What reads and writes Parquet; it draws no progress bars."""
    with duckdb.connect() as con:
        con.execute("SET enable_progress_bar = false")
        yield con


@contextlib.contextmanager
def _store(task: Task) -> Iterator[DuckdbStore]:
    with contextlib.closing(DuckdbStore.open(task.folder / _STORE, lambda: task.end)) as store:
        yield store


@contextlib.contextmanager
def _engine(task: Task) -> Iterator[Engine]:
    with _store(task) as store:
        yield Engine(task.config, (), store, lambda: task.end + 2 * DAY, {})


@contextlib.contextmanager
def _victoria_metrics(task: Task) -> Iterator[httpx.Client]:
    """A server on a free port, which has its memory."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [
        "victoria-metrics",
        f"-storageDataPath={task.folder / _SAMPLES}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-search.maxQueryDuration=10m",
    ]
    with (task.folder / "victoria-metrics.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=600) as client:
            _await(client)
            yield client
            client.get("/internal/force_flush").raise_for_status()
    finally:
        server.terminate()
        server.wait(timeout=60)


def _await(client: httpx.Client) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.get("/health").raise_for_status()
            return
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _peak_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def alone(work: Callable[[Task], dict[str, Any]], task: Task) -> dict[str, Any]:
    """What a piece of work returns, done by a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (task,))


def _missed(result: Mapping[str, Any], longest: str) -> list[str]:
    found = []
    if any(ms["p95"] > LIMIT_MS for ms in result.get("curve", {}).get("ms", {}).values()):
        found.append(f"curve within {LIMIT_MS:.0f} ms")
    if result.get("fresh", {}).get("seconds", {}).get(longest, 0.0) > FRESH_S:
        found.append(f"fresh within {FRESH_S} s")
    if result.get("flat", {}).get("differing"):
        found.append("flat sums the same")
    return found


def _ratios(result: Mapping[str, Any], others: Sequence[str]) -> dict[str, dict[str, float]]:
    ours = result["curve"]["ms"]
    return {
        other: {name: round(ms["p50"] / ours[name]["p50"], 2) for name, ms in result[other]["ms"].items()}
        for other in others
        if result.get(other)
    }


def main() -> int:
    """Every figure; 1 where a target is missed."""
    wanted = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wanted.add_argument("--meters", type=int, default=100)
    wanted.add_argument("--years", type=int, default=10)
    wanted.add_argument("--asks", type=int, default=40, help="windows of each length")
    wanted.add_argument("--keep", type=Path, help="folder in which the filled stores stay for the next time")
    wanted.add_argument("--only", nargs="+", choices=_PHASES, default=tuple(_PHASES))
    args = wanted.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        task = Task(args.meters, args.years, args.asks, args.keep or Path(scratch))
        task.folder.mkdir(parents=True, exist_ok=True)
        result: dict[str, Any] = {"meters": args.meters, "years": args.years}
        if not (task.folder / _TABLE).exists():
            result["fill"] = alone(fill, task)
        result |= {name: alone(_PHASES[name], task) for name in args.only}
        result["store_mib"] = round((task.folder / _STORE).stat().st_size / 2**20)
    if "curve" in args.only:
        result["ratio"] = _ratios(result, ("pandas", "parquet", "victoriametrics"))
    result["missed"] = _missed(result, f"{args.years}y")
    print(json.dumps(result, indent=2))
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
