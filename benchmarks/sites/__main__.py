"""Simulate labelled site-years: ``python -m benchmarks.sites --data DIR --model FILE --out DIR [NAME ...]``."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.sites import check, levers, noise, plant, telemetry, truth, weather
from benchmarks.sites.draw import draw
from benchmarks.sites.recipes import RECIPES, Recipe

LATER = 2023
FILES = {"y1_healthy": 2022, "y2_healthy": LATER, "y2_faults": LATER}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write each named set (all by default) to a folder of its name; print one JSON document.

    The exit code is 1 when the healthy plant of a set is not the same in both years.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sites", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)} (all of these by default), or drawn-SEED"
    )
    parser.add_argument("--data", type=Path, required=True, help="holds dcsim/wattwell.yaml and workload/*.csv")
    parser.add_argument(
        "--model", type=Path, required=True, help=f"sinergym's wheel unpacked, or its file {plant.MODEL}"
    )
    parser.add_argument("--weather", type=Path, action="append", default=[], help="a further folder of EPW files")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    recipes = {}
    for name in options.names or list(RECIPES):
        kind, _, seed = name.partition("-")
        if kind == "drawn" and seed.isdecimal():
            recipes[name] = draw(int(seed))
        elif name in RECIPES:
            recipes[name] = RECIPES[name]
        else:
            parser.error(f"no set is called {name}: choose of {', '.join(RECIPES)}, drawn-SEED")
    model = options.model / plant.MODEL if options.model.is_dir() else options.model
    folders = [*options.weather, plant.weather_folder()]
    report = {name: write_set(x, options.out / name, options.data, model, folders) for name, x in recipes.items()}
    json.dump(report, sys.stdout, indent=2)
    print()
    return 0 if all(x["same_plant"] for x in report.values()) else 1


def write_set(recipe: Recipe, folder: Path, data: Path, model: Path, folders: Sequence[Path]) -> dict[str, Any]:
    """Simulate one set and write its files; what it came to."""
    folder.mkdir(parents=True, exist_ok=True)
    sites = _simulate(recipe, data, model, folders)
    _write_tables(recipe, sites, folder)
    table = truth.labels(recipe.faults, LATER, sites["y2_healthy"], sites["matched"], sites["y2_faults"])
    if recipe.noisy:
        table = pd.concat([table, noise.labels((*noise.EVENTS, *noise.GAPS), LATER)], ignore_index=True)
    table.to_csv(folder / "labels.csv", index=False)
    (folder / "wattwell.yaml").write_bytes((data / "dcsim" / "wattwell.yaml").read_bytes())
    like = check.like_conditions(sites["y1_healthy"], sites["y2_healthy"])
    return {
        "faults": len(recipe.faults),
        **_sums(sites),
        "hall_held": {x: check.hall_held(sites[x]) for x in ("y1_healthy", "y2_healthy")},
        "like_conditions": like,
        "same_plant": all(row["same"] for row in like.values()),
    }


def _simulate(recipe: Recipe, data: Path, model: Path, folders: Sequence[Path]) -> dict[str, pd.DataFrame]:
    """The finished rates of the three years, and `matched`: the healthy second one at the IT load of the faulty one."""
    traces = sorted((data / "workload").glob(f"{recipe.trace}*.csv"))
    if not traces:
        message = f"No workload/{recipe.trace}*.csv in {data}: give the folder that holds it with --data."
        raise ValueError(message)
    trace = pd.read_csv(traces[0])["cpu_load"].tolist()
    healthy = {year: _healthy(recipe, trace, year) for year in FILES.values()}
    years: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    with tempfile.TemporaryDirectory() as text:
        scratch = Path(text)
        sky = {year: _sky(recipe, year, folders, scratch) for year in healthy}
        first = min(healthy)
        most = max(healthy.values(), key=lambda x: x["cpu"].quantile(0.999))["cpu"].to_numpy()
        largest = healthy[first].assign(cpu=most)
        sizes = plant.size(largest, model=model, weather=sky[first], year=first, folder=scratch / "sizes")
        for name, year in (*FILES.items(), ("matched", LATER)):
            if name in ("y2_faults", "matched") and not recipe.faults:
                years[name] = years["y2_healthy"]
                continue
            course = healthy[year]
            if name == "y2_faults":
                course = levers.with_faults(course, recipe.faults, year)
            if name == "matched":
                course = levers.at_load(course, *(years[x][0]["ups-out"] for x in ("y2_healthy", "y2_faults")))
            output = plant.simulate(course, sizes, model=model, weather=sky[year], year=year, folder=scratch / name)
            years[name] = (telemetry.rates(output, course), course)
    full = telemetry.full_speed(years["y1_healthy"][0])
    return {name: telemetry.finish(raw, course, full) for name, (raw, course) in years.items()}


def _healthy(recipe: Recipe, trace: Sequence[float], year: int) -> pd.DataFrame:
    cpu = levers.it_load(trace, year, recipe.shift_h, *recipe.load)
    return levers.baseline(year, recipe.seed, cpu, recipe.changes if year == LATER else ())


def _sums(sites: dict[str, pd.DataFrame]) -> dict[str, float]:
    out = {}
    for name in FILES:
        total = telemetry.amounts(sites[name]).sum()
        out[f"{name}_pue"] = round(total["utility"] / total["ups-out"], 4)
        out[f"{name}_wue"] = round(1000 * total["water-site"] / total["ups-out"], 4)
    return out


def _sky(recipe: Recipe, year: int, folders: Sequence[Path], scratch: Path) -> Path:
    """The weather file of a year, that of the second one at the place and altitude of the first."""
    first, later = (weather.find(x, folders) for x in recipe.weather)
    if year != LATER:
        return first
    place, lines = first.read_text(encoding="latin-1").splitlines()[0], later.read_text(encoding="latin-1").splitlines()
    lines = weather.moved(lines, place)
    if recipe.heat_wave is not None:
        lines = weather.hotter(lines, *recipe.heat_wave)
    path = scratch / "later.epw"
    path.write_text("\n".join(lines) + "\n", encoding="latin-1")
    return path


def _write_tables(recipe: Recipe, sites: dict[str, pd.DataFrame], folder: Path) -> None:
    """Dials run on from the first year into either second one."""
    rng = np.random.default_rng(recipe.seed)
    start = {x: float(rng.integers(3000, 60000)) for x in (*telemetry.ENERGY, *telemetry.WATER)}
    for number, (name, year) in enumerate(FILES.items()):
        site, steps = sites[name], telemetry.amounts(sites[name])
        if recipe.noisy:
            steps = noise.noisy_steps(steps, np.random.default_rng((recipe.seed, 8, number)))
            site = noise.noisy_states(site, np.random.default_rng((recipe.seed, 9, number)))
        dials = telemetry.dials(steps, start)
        table = telemetry.written(dials, site)
        if name == "y1_healthy":
            first = table.iloc[[0]].set_index(pd.DatetimeIndex(table.index[:1]) - pd.Timedelta(minutes=10))
            first[list(start)] = list(start.values())
            table = pd.concat([first, table])
            start = {str(meter): float(value) for meter, value in dials.iloc[-1].items()}
        if recipe.noisy:
            events = noise.GAPS if name != "y2_faults" else (*noise.GAPS, *noise.EVENTS)
            table = noise.drop_rows(noise.apply(table, events, year), np.random.default_rng((recipe.seed, 10, number)))
        with gzip.open(folder / f"{name}.csv.gz", "wt", encoding="utf-8", compresslevel=5) as file:
            telemetry.text(table).to_csv(file)


if __name__ == "__main__":
    raise SystemExit(main())
