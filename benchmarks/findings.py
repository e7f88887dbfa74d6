"""Findings beside labelled faults: what the product tells of simulated sites, scored, and what a plain baseline would.

    python benchmarks/findings.py --data DIR [--sites DIR2] [--only NAME ...]

DIR/dcsim holds ``wattwell.yaml``, ``y1_healthy.csv.gz``, ``y2_faults.csv.gz``, ``y2_healthy.csv.gz``, ``labels.csv``
and ``score_findings.py``, which scores everything here. Each folder of DIR2 is a further set (``python -m
benchmarks.sites`` makes them); ``--only`` takes some of the sets. Prints one JSON document; exit code 1 where dcsim
misses a target.

**The product** is asked by its own commands, in this process: ``wattwell backfill`` of year one into a new store, then
of a year two, then ``wattwell findings --json``.

**The baseline** is what one would write first: for each subsystem, water meter and point, gradient boosting
(scikit-learn's, as it comes) on IT load, dry bulb, wet bulb, hour and weekday, learnt on all of year one. It alarms
where the residual's mean of the last 24 hours is beyond ``ALARM`` standard errors, as they are in five-fold
cross-validation of year one by blocks, and ends within ``CLEAR``; the family goes by the meter's role. It sees the same
hourly values as the product, and nothing later than the hour that it judges. Nothing of it was tuned; the product's
settings were, on dcsim and on some of the sites (``sites/README.md``).
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict

from analytics.anomaly.frame import Frame, hourly
from analytics.anomaly.streams import it_terms, weather_meters
from analytics.balance import lay_out
from wattwell.cli.main import main as wattwell
from wattwell.config import load
from wattwell.intervals import HOUR, floor_to, iso, parse_iso, starts
from wattwell.model import Float64, Site
from wattwell.roles import ENERGY_KINDS, WATER_KINDS
from wattwell.store.duckdb import DuckdbStore

START, END = "2023-01-01T06:00:00Z", "2024-01-01T06:00:00Z"
"""Year two, of every set."""
DAYS = 365
Documents = list[dict[str, Any]]

TARGETS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "all faults found": lambda r: r["detected"] == r["faults"],
    "at most one not named": lambda r: r["detected"] * (r["family_accuracy"] or 0.0) >= r["faults"] - 1 - 1e-9,
    "median delay at most 12 h": lambda r: _within(r["delay_h_median"], 12.0),
    "precision at least 0.9": lambda r: (r["precision"] or 0.0) >= 0.9,
    "at most 0.2 findings in 30 healthy days": lambda r: _within(r["healthy_false_per_30_days"], 0.2),
    "median energy error at most 10 %": lambda r: _within(r["energy_error_median"], 0.10),
    "median water error at most 10 %": lambda r: _within(r["water_error_median"], 0.10),
}
"""Of the product on dcsim."""


def _within(value: float | None, most: float) -> bool:
    return value is not None and value <= most


def main() -> int:
    """Every set; 1 where dcsim misses a target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sites", type=Path)
    parser.add_argument("--only", nargs="+", default=[])
    args = parser.parse_args()
    scorer = _imported(args.data / "dcsim" / "score_findings.py")
    result: dict[str, Any] = {"sets": {}}
    for folder in _folders(args.data, args.sites, args.only):
        result["sets"][folder.name] = one_set(folder, scorer)
        print(f"{folder.name} done", file=sys.stderr)
    result["summary"] = {
        who: summary([each[who] for each in result["sets"].values()]) for who in ("product", "baseline")
    }
    missed = []
    if "dcsim" in result["sets"]:
        missed = [name for name, met in TARGETS.items() if not met(result["sets"]["dcsim"]["product"])]
    result["missed"] = missed
    print(json.dumps(result, indent=2, default=str))
    return 1 if missed else 0


def _folders(data: Path, sites: Path | None, only: Sequence[str]) -> list[Path]:
    more = sorted(path.parent for path in sites.glob("*/labels.csv")) if sites else []
    found = [folder for folder in [data / "dcsim", *more] if not only or folder.name in only]
    if not found:
        raise SystemExit(
            f"no set is named {', '.join(only)}; there are {', '.join(f.name for f in [data / 'dcsim', *more])}"
        )
    return found


def _imported(path: Path) -> Any:
    """The scorer, from where the data are."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python file; --data is the folder that holds dcsim")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def one_set(folder: Path, scorer: Any) -> dict[str, Any]:
    """One set: the product and the baseline on both its second years."""
    with tempfile.TemporaryDirectory() as scratch:
        found, spent = {}, {}
        for kind in years(folder, Path(scratch)):
            found[kind.name] = {"product": kind.documents, "baseline": baseline(kind.config)}
            spent[kind.name] = round(kind.seconds, 1)
        scored = {who: _scored(scorer, folder, Path(scratch), found, who) for who in ("product", "baseline")}
    return {"seconds": spent, **scored}


def _scored(
    scorer: Any, folder: Path, scratch: Path, found: Mapping[str, Mapping[str, Documents]], who: str
) -> dict[str, Any]:
    """What the scorer prints of one of them."""
    files = {kind: scratch / f"{who}-{kind}.json" for kind in found}
    for kind, path in files.items():
        path.write_text(json.dumps(found[kind][who]))
    out = io.StringIO()
    with redirect_stdout(out):
        scorer.main(
            [
                *("--labels", str(folder / "labels.csv"), "--findings", str(files["y2_faults"])),
                *("--from", START, "--to", END),
                *("--healthy-findings", str(files["y2_healthy"]), "--healthy-days", str(DAYS)),
            ]
        )
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


# -- the product -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Year:
    """A second year, as the product has it."""

    name: str
    config: Path
    documents: Documents
    seconds: float
    """Of this process, for all that is this year's own."""


def years(folder: Path, scratch: Path) -> Iterator[Year]:
    """Both second years after the first one, which is entered once."""
    first = scratch / "y1"
    first.mkdir()
    config = first / "wattwell.yaml"
    shutil.copyfile(folder / "wattwell.yaml", config)
    site = next(iter(load(config).sites))
    _ask("backfill", config, folder / "y1_healthy.csv.gz", "--site", site, "--json")
    for name in ("y2_faults", "y2_healthy"):
        place = scratch / name
        shutil.copytree(first, place)
        began = time.process_time()
        _ask("backfill", place / config.name, folder / f"{name}.csv.gz", "--site", site, "--json")
        documents: Documents = json.loads(_ask("findings", place / config.name, "--json"))
        yield Year(name, place / config.name, documents, time.process_time() - began)
        shutil.rmtree(place)


def _ask(*arguments: object) -> str:
    """What a command prints."""
    printed = io.BytesIO()
    out = io.TextIOWrapper(printed, encoding="utf-8", write_through=True)
    with redirect_stdout(out):
        code = wattwell([str(each) for each in arguments])
    if code:
        raise SystemExit(f"wattwell {' '.join(map(str, arguments))} ended with {code}")
    return printed.getvalue().decode()


# -- the baseline ------------------------------------------------------------------------------------------------------

ALARM, CLEAR = 4.0, 2.0
"""Standard errors of a mean of 24 hours."""
WINDOW = 24
FAMILY_OF_ROLE = {
    "ahu": ("fan_power", 1),
    "fan": ("fan_power", 1),
    "chiller": ("chiller_efficiency", 1),
    "cooling_tower": ("fan_power", 1),
    "pump": ("pump_power", 1),
    "evaporative_cooler": ("unexpected_load", 1),
    "lighting": ("unexpected_load", 1),
    "other": ("unexpected_load", 1),
    "water_input": ("water_use", 1),
    "water_tower_makeup": ("water_use", 1),
    "water_evaporative": ("water_use", 1),
    "hall_air": ("overcooling", -1),
    "supply_air": ("overcooling", -1),
    "chw_supply": ("chilled_water_setpoint", -1),
    "outdoor_air_fraction": ("economizer", 0),
}
"""Family, and which way counts: 0 both."""


@dataclass(frozen=True)
class Watched:
    """One column: a meter, or a difference of two."""

    name: str
    family: str
    way: int
    unit: str | None
    """kwh or l, where its excess counts."""
    column: Float64


def baseline(config: Path) -> Documents:
    """What gradient boosting with a threshold finds in year two."""
    frame = _hours(config)
    two = int(np.searchsorted(frame.start, parse_iso(START)))
    features = _features(frame)
    found: Documents = []
    for watched in _watched(frame):
        found += _alarms(watched, frame, *_residual(watched.column, features, two))
    return found


def _hours(config: Path) -> Frame:
    """All hours of the product's store."""
    settings = load(config)
    site = next(iter(settings.sites.values()))
    path = settings.store.path
    if path is None:
        raise SystemExit(f"{config} keeps its readings in {settings.store.url}; the benchmark needs a DuckDB file")
    store = DuckdbStore.open(path)
    try:
        extent = store.extent(site.id)
        if extent is None:
            raise SystemExit(f"{config}: the store holds no interval values")
        first, end = floor_to(extent[0], HOUR), parse_iso(END)
        meters = [meter.id for meter in site.meters.values() if not meter.virtual]
        values = store.intervals(site.id, meters, first, end)
    finally:
        store.close()
    return hourly(site, lay_out(site, values, list(site.meters), starts(first, end, settings.grid), settings.grid))


def _features(frame: Frame) -> Float64:
    local = frame.local_hours
    weather = [frame.value[name] for name in weather_meters(frame.site)]
    return np.column_stack([frame.sum(it_terms(frame.site)), *weather, local % 24, (local // 24 + 3) % 7])


def _watched(frame: Frame) -> Iterator[Watched]:
    site: Site = frame.site
    roles = {
        role: [m.id for m in site.meters.values() if m.role == role] for role in {m.role for m in site.meters.values()}
    }
    for meter in site.meters.values():
        family, way = FAMILY_OF_ROLE.get(meter.role or "", (None, 0))
        if family is not None:
            unit = "kwh" if meter.quantity in ENERGY_KINDS else "l" if meter.quantity in WATER_KINDS else None
            yield Watched(meter.id, family, way, unit, frame.value[meter.id])
    for above, below in zip(roles.get("ups_input", ()), roles.get("it_ups", ()), strict=False):
        yield Watched("ups", "ups_loss", 1, "kwh", frame.value[above] - frame.value[below])
    outdoor = roles.get("outdoor_dry_bulb", [])
    for name in outdoor[1:]:
        yield Watched(name, "sensor_bias", 0, None, frame.value[name] - frame.value[outdoor[0]])


def _residual(column: Float64, features: Float64, two: int) -> tuple[Float64, Float64]:
    """Actual less expected, NaN in year one; and its means of 24 hours in standard errors of those of year one."""
    model = HistGradientBoostingRegressor(random_state=0)
    known = ~np.isnan(column[:two])
    learnt, target = features[:two][known], column[:two][known]
    errors = target - cross_val_predict(model, learnt, target, cv=KFold(5))
    spread = float(np.nanstd(_trailing(errors)))
    residual = np.full(len(column), np.nan)
    residual[two:] = column[two:] - model.fit(learnt, target).predict(features[two:])
    return residual, _trailing(residual) / max(spread, 1e-9)


def _trailing(column: Float64) -> Float64:
    """Means of the last 24 hours, where half of them are known."""
    return pd.Series(column).rolling(WINDOW, min_periods=WINDOW // 2).mean().to_numpy()


def _alarms(watched: Watched, frame: Frame, residual: Float64, mean: Float64) -> Documents:
    """From the alarm until it clears; it begins a window before."""
    off = np.nan_to_num(np.abs(mean) if watched.way == 0 else watched.way * mean)
    found: Documents = []
    begun: int | None = None
    for hour in range(len(off) + 1):
        over = hour == len(off) or off[hour] < CLEAR
        if begun is None and not over and off[hour] > ALARM:
            begun = hour
        elif begun is not None and over:
            found.append(_document(watched, frame, residual, begun, hour))
            begun = None
    return found


def _document(watched: Watched, frame: Frame, residual: Float64, alarm: int, end: int) -> dict[str, Any]:
    first = int(frame.start[0])
    start = max(alarm - WINDOW + 1, 0)
    total = float(np.nansum(residual[start:end]))
    return {
        "id": f"{watched.name} {iso(first + alarm * HOUR)}",
        "family": watched.family,
        "start": iso(first + start * HOUR),
        "end": iso(first + end * HOUR),
        "detected_at": iso(first + (alarm + 1) * HOUR),
        "excess_kwh": {"value": total} if watched.unit == "kwh" else None,
        "excess_l": {"value": total} if watched.unit == "l" else None,
    }


# -- together ----------------------------------------------------------------------------------------------------------


def summary(scored: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over all sets, each fault counting once."""
    rows = [row for each in scored for row in each["per_fault"]]
    hit = [row for row in rows if row["detected"]]
    false = sum(each["false_findings"] for each in scored)
    rates = [each["healthy_false_per_30_days"] for each in scored]

    def median(name: str) -> float | None:
        values = [row[name] for row in hit if row.get(name) is not None]
        return round(float(np.median(values)), 3) if values else None

    return {
        "faults": len(rows),
        "detected": len(hit),
        "named": sum(row["named"] for row in hit),
        "accepted": sum(row["accepted"] for row in hit),
        "false_findings": false,
        "precision": round(len(hit) / (len(hit) + false), 3) if hit else None,
        "delay_h_median": median("delay_h"),
        "energy_error_median": median("energy_error"),
        "water_error_median": median("water_error"),
        "healthy_false_per_30_days": round(float(np.mean(rates)), 3) if rates else None,
    }


if __name__ == "__main__":
    sys.exit(main())
