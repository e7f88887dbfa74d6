"""Whether the published figures of known sites come out; prints JSON and exits with 1 when one is off.

    python benchmarks/figures.py --data DIR        (or DIR in the environment variable WATTWELL_DATA)

* ``dcsim``: ten-minute telemetry of a simulated site over two years, with its configuration and its exact truth.
  PUE and WUE of both healthy years, and of each of their months.
* ``esif``: weekly means of a real data centre, as step-interpolated powers. PUE of its first twelve months, and of a
  week for which a mean of ratios was published that the energy does not bear out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from collector.backfill import backfill
from wattwell.config import Config, load, parse
from wattwell.engine.engine import Engine
from wattwell.intervals import HOUR, day_start, format_duration, iso, parse_iso
from wattwell.store.duckdb import DuckdbStore

VARIABLE = "WATTWELL_DATA"
YEARS = {  # year and site totals, each with its tolerance
    "2022": {"pue": (1.2343, 0.0002), "wue": (0.9622, 0.0005)},
    "2023": {"pue": (1.2469, 0.0002), "wue": (1.0452, 0.0005)},
}
MONTHLY = {"pue": 0.0005, "wue": 0.002}
TRUTH = {"pue": "pue", "wue": "wue_l_per_kwh"}
NOW = parse_iso("2026-01-01T00:00:00Z")

ESIF_ZONE = "America/Denver"
ESIF_STEP = 6 * HOUR
ESIF_ROLES = {
    "it": "it_ups",
    "cooling": "cooling_other",
    "hvac": "ahu",
    "pump": "pump",
    "plug": "other",
}
"""Meters of the weekly table, each with a column ``<meter>_kw``; together they are all that the site draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure beside what it must be."""

    name: str
    value: float | None
    expected: float
    tolerance: float

    @property
    def right(self) -> bool:
        """Whether it is there and within its tolerance."""
        return self.value is not None and abs(self.value - self.expected) <= self.tolerance


@contextmanager
def filled(config: Config, site: str, files: Sequence[Path], folder: Path) -> Iterator[Engine]:
    """An engine over a new store with the readings of these files, analysed."""
    store = DuckdbStore.open(folder / f"{site}.duckdb")
    try:
        backfill(files, site, config, store.commit, NOW)
        engine = Engine(config, (), store, lambda: NOW)
        engine.refresh()
        yield engine
    finally:
        store.close()


# -- a simulated site ---------------------------------------------------------------------------------------------


def dcsim(data: Path, folder: Path) -> list[Figure]:
    """PUE and WUE of two years and their months, both through the site's own configuration."""
    source = data / "dcsim"
    config = load(source / "wattwell.yaml")
    runs = json.loads((source / "truth_kpi.json").read_text())["runs"]
    truth = runs["y1_healthy"]["months"] | runs["y2_healthy"]["months"]
    with filled(config, "dcsim", [source / "y1_healthy.csv.gz", source / "y2_healthy.csv.gz"], folder) as engine:
        return [*_years(engine), *_months(engine, truth)]


def _years(engine: Engine) -> Iterator[Figure]:
    for year, expected in YEARS.items():
        asked = engine.kpi("dcsim", list(expected), "year", f"{year}-01", f"{int(year) + 1}-01")
        for found in asked:
            value, tolerance = expected[found["kpi"]]
            yield Figure(name=f"dcsim {found['kpi']} {year}", value=found["value"], expected=value, tolerance=tolerance)


def _months(engine: Engine, truth: dict[str, Any]) -> Iterator[Figure]:
    zone = engine.config.sites["dcsim"].zone
    asked = engine.kpi("dcsim", list(TRUTH), "month", "2022-01", "2024-01")
    found = {(each["kpi"], each["start"]): each["value"] for each in asked}
    for month, expected in truth.items():
        start = iso(day_start(date.fromisoformat(f"{month}-01"), zone))
        for kpi, key in TRUTH.items():
            value = found.get((kpi, start))
            yield Figure(name=f"dcsim {kpi} {month}", value=value, expected=expected[key], tolerance=MONTHLY[kpi])


# -- a real site --------------------------------------------------------------------------------------------------


def esif_config(folder: Path) -> Config:
    """The site of the weekly table: powers that hold until the next reading, and their sum as what the site draws."""
    held = {
        "quantity": "power",
        "accumulation": "instantaneous",
        "interpolation": "step",
        "period": format_duration(ESIF_STEP),
        "max_gap": format_duration(ESIF_STEP),
    }
    meters: list[dict[str, Any]] = [{"id": name, "role": role, **held} for name, role in ESIF_ROLES.items()]
    formula = " + ".join(ESIF_ROLES)
    meters.append({"id": "site-total", "role": "utility_import", "quantity": "energy", "formula": formula})
    site = {"id": "esif", "timezone": ESIF_ZONE, "pue_category": 1, "meters": meters}
    return parse({"grid": "60m", "sites": [site]}, folder)


def esif_readings(table: Path, into: Path) -> Path:
    """The weekly table as a wide file: each mean again and again through its local week, and once more at its end.

    Weeks that the table leaves out stay a gap.
    """
    powers: dict[int, tuple[str, ...]] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            week = date.fromisoformat(row["week"])
            start, end = (day_start(day, ESIF_ZONE) for day in (week, week + timedelta(days=7)))
            held = tuple(row[f"{name}_kw"] for name in ESIF_ROLES)
            powers |= dict.fromkeys((*range(start, end, ESIF_STEP), end), held)
    with into.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *ESIF_ROLES])
        writer.writerows([iso(at), *values] for at, values in powers.items())
    return into


def esif(data: Path, folder: Path) -> list[Figure]:
    """PUE of the first twelve months, and of the week whose published mean is not what its energy says."""
    readings = esif_readings(data / "esif" / "esif_weekly_2016_2025.csv", folder / "esif.csv")
    with filled(esif_config(folder), "esif", [readings], folder) as engine:
        (year,) = engine.kpi("esif", ["pue"], None, "2016-06-06", "2017-06-05")
        (week,) = engine.kpi("esif", ["pue"], None, "2025-06-16", "2025-06-23")
    return [
        Figure(name="esif pue of the first twelve months", value=year["value"], expected=1.034, tolerance=0.0005),
        Figure(name="esif pue of the week 2025-06-16", value=week["value"], expected=1.069, tolerance=0.0005),
    ]


def main() -> int:
    """Prints every figure; 0 when all are right."""
    parser = argparse.ArgumentParser(description="published figures of known sites")
    parser.add_argument("--data", type=Path, default=os.environ.get(VARIABLE), help=f"else ${VARIABLE}")
    options = parser.parse_args()
    if options.data is None:
        parser.error(f"name the folder with dcsim/ and esif/ by --data, or in {VARIABLE}")
    with tempfile.TemporaryDirectory() as name:
        figures = [*dcsim(Path(options.data), Path(name)), *esif(Path(options.data), Path(name))]
    wrong = [figure.name for figure in figures if not figure.right]
    shown = [asdict(figure) | {"right": figure.right} for figure in figures]
    print(json.dumps({"benchmark": "figures", "figures": shown, "wrong": wrong}, indent=2))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
