"""A run as files: telemetry as a wide CSV.gz, the truth as JSON, and a configuration that reads the telemetry."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import yaml

from collector.simulate.faults import KINDS, Fault
from collector.simulate.meters import site_document
from collector.simulate.simulator import Simulator, Telemetry, excess
from collector.simulate.spec import SiteSpec
from collector.simulate.truth import Truth, TruthKpis
from wattwell.errors import WattwellError
from wattwell.intervals import DAY, Interval, calendar_windows, format_duration, iso

TELEMETRY, TRUTH, CONFIGURATION = "telemetry.csv.gz", "truth.json", "wattwell.yaml"


def telemetry_rows(telemetry: Telemetry) -> Iterator[list[str | float]]:
    """Rows of the wide form: time, then each meter in the order of ``values``."""
    columns = [column.tolist() for column in telemetry.values.values()]
    for at, *values in zip(telemetry.at.tolist(), *columns, strict=True):
        yield [iso(at), *values]


def write_telemetry(target: IO[str], parts: Sequence[Telemetry]) -> int:
    """Writes consecutive pieces of a run as one wide CSV (``time,METER,METER,...``); returns the rows written."""
    out = csv.writer(target, lineterminator="\n")
    out.writerow(["time", *parts[0].values])
    rows = 0
    for part in parts:
        out.writerows(telemetry_rows(part))
        rows += len(part)
    return rows


def kpi_document(kpis: TruthKpis) -> dict[str, Any]:
    """KPIs as JSON, times as ISO 8601."""
    return asdict(kpis) | {"start": iso(kpis.start), "end": iso(kpis.end)}


def fault_document(spec: SiteSpec, seed: int, step_us: int, fault: Fault, until: int) -> dict[str, Any]:
    """A fault as a label, with what it alone costs from its start to a day after its end, cut at ``until``."""
    kind = KINDS[fault.kind]
    end = until if fault.end is None else min(fault.end + DAY, until)
    cost = excess(spec, [fault], Interval(fault.start, end), seed=seed, step_us=step_us) if fault.start < end else None
    return {
        "fault": fault.kind,
        "family": kind.family,
        "equipment": kind.equipment,
        "start": iso(fault.start),
        "end": None if fault.end is None else iso(fault.end),
        "size": fault.size,
        "size_is": kind.size,
        "excess_kwh": None if cost is None else cost.kwh,
        "excess_l": None if cost is None else cost.litres,
    }


def truth_document(simulator: Simulator, truth: Truth) -> dict[str, Any]:
    """The truth of a run: KPIs of the whole, of each complete local day and month, and the faults with their cost."""
    spec, step = simulator.spec, simulator.step_us
    start, end = int(truth.at[0]), int(truth.at[-1]) + step
    windows: dict[str, list[dict[str, Any]]] = {}
    for window in ("day", "month"):
        spans = [span for span in calendar_windows(window, start, end, spec.timezone) if span.end <= end]
        aligned = [span for span in spans if (span.start - start) % step == 0 and span.width % step == 0]
        windows[window] = [kpi_document(truth.kpis(span.start, span.end)) for span in aligned]
    return {
        "site": spec.id,
        "seed": simulator.seed,
        "step_seconds": step / 1_000_000,
        "total": kpi_document(truth.kpis()),
        **windows,
        "faults": [fault_document(spec, simulator.seed, step, fault, end) for fault in simulator.faults],
    }


def configuration_document(spec: SiteSpec, step_us: int) -> dict[str, Any]:
    """A complete configuration for the simulated site, on a local broker and with the usual alert."""
    return {
        "store": {"url": "duckdb:wattwell.duckdb"},
        "mqtt": {"url": "mqtt://127.0.0.1:1883", "client_id": "wattwell-1", "subscribe": ["wattwell/#"]},
        "grid": "15m",
        "sites": [site_document(spec, format_duration(step_us))],
        "alerts": [
            {"name": "PueHigh", "kpi": "pue", "window": "24h", "above": 1.30, "clear": 1.27, "for": "30m"},
        ],
    }


def write_folder(folder: Path, simulator: Simulator, steps: int) -> dict[str, Any]:
    """Runs ``steps`` steps and writes telemetry (with the row that closes it), truth and configuration.

    Returns the truth document. WattwellError when the folder cannot be written.
    """
    telemetry, truth = simulator.advance(steps)
    document = truth_document(simulator, truth)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # No name and no clock in the gzip header: the same run gives the same bytes.
        with (
            (folder / TELEMETRY).open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
        ):
            write_telemetry(text, [telemetry, simulator.closing()])
        (folder / TRUTH).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        configuration = configuration_document(simulator.spec, simulator.step_us)
        (folder / CONFIGURATION).write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise WattwellError(f"the folder {folder} cannot be written ({error}); choose another one") from error
    return document
