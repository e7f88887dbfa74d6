"""The physical rules over a simulated site: false faults on healthy years, and which injected fault each rule sees.

    python benchmarks/rules_dcsim.py --data DIR

DIR holds ``wattwell.yaml``, ``y1_healthy.csv.gz`` (the reference is learnt on it), ``y2_healthy.csv.gz``,
``y2_faults.csv.gz`` and ``labels.csv``. Registers become 15-minute means; the rules judge the last 24 hours, once a
day over all years and once an hour for the delay on the year with faults. Prints one JSON document.

The forms of the rules and some thresholds (``economizer_margin``, ``idle_hours``, ``chiller_excess``, ``flat_moved``,
``affinity_estimated``, ``evaporating_l_h``) were settled while looking at these three years: the figures show that
nothing is broken, not how the rules do elsewhere. Other sites answer that (``benchmarks/sites``).
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from analytics.anomaly.rules import Plant, Point, Reference, State, Verdict, judge, learn
from wattwell.config import load
from wattwell.intervals import DAY, HOUR, MINUTE, iso, parse_iso
from wattwell.model import Accumulation, Site

STEP = 15 * MINUTE
DAYS_MEANS = DAY // STEP
SHARES = {"%": 0.01}
LITRES = {"m3": 1000.0}


def main() -> None:
    """Learn on year one, judge all three years."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    site = load(data / "wattwell.yaml").sites["dcsim"]
    years = {name: year(site, data / f"{name}.csv.gz") for name in ("y1_healthy", "y2_healthy", "y2_faults")}
    began = time.process_time()
    reference = learn(years["y1_healthy"])
    learnt = time.process_time() - began
    result: dict[str, Any] = {"learn_cpu_s": round(learnt, 2)}
    for name, plant in years.items():
        if name != "y2_faults":
            result[name] = healthy(plant, reference)
    result["y2_faults"] = faults(years["y2_faults"], reference, labels(data / "labels.csv"))
    print(json.dumps(result, indent=2))


def year(site: Site, path: Path) -> Plant:
    """One file as a plant in 15-minute means."""
    table = pd.read_csv(path, parse_dates=["time"]).set_index("time")
    columns = {}
    for name in table.columns:
        meter = site.meters[name]
        value = table[name] * SHARES.get(meter.unit, LITRES.get(meter.unit, 1.0))
        if meter.accumulation is Accumulation.REGISTER:
            value = value.diff().shift(-1) * 6
        columns[name] = value
    means = pd.DataFrame(columns).resample("15min").mean()
    start = means.index.as_unit("us").asi8
    points = tuple(
        Point(
            meter=name,
            role=str(site.meters[name].role),
            equipment=site.meters[name].equipment,
            value=means[name].to_numpy(),
            parent=site.meters[name].parent,
            quantity=site.meters[name].quantity,
        )
        for name in table.columns
        if site.meters[name].role is not None
    )
    return Plant(start=start, step=STEP, points=points)


def verdicts(plant: Plant, reference: Reference, every: int) -> Iterator[tuple[int, tuple[Verdict, ...]]]:
    """The end of each judged span, and what the rules say then."""
    for last in range(DAYS_MEANS, len(plant.start), every):
        yield int(plant.start[last]), judge(plant.cut(last - DAYS_MEANS, last), reference)


def healthy(plant: Plant, reference: Reference) -> dict[str, Any]:
    """How often each rule answers what, once a day; a fault is false."""
    answers: Counter[tuple[str, State]] = Counter()
    false: list[str] = []
    calls = 0
    began = time.process_time()
    for at, found in verdicts(plant, reference, DAYS_MEANS):
        calls += 1
        for verdict in found:
            answers[verdict.rule, verdict.state] += 1
            if verdict.state is State.FAULT:
                false.append(f"{iso(at)} {verdict.rule} {verdict.equipment}: {verdict.message}")
    spent = time.process_time() - began
    rules = {
        rule: {state.value: answers[rule, state] for state in State if answers[rule, state]}
        for rule in dict.fromkeys(rule for rule, _ in answers)
    }
    return {
        "days": calls,
        "cpu_ms_a_call": round(1000 * spent / calls, 2),
        "false_faults": len(false),
        "which": false[:40],
        "rules": rules,
    }


def faults(plant: Plant, reference: Reference, truth: list[dict[str, Any]]) -> dict[str, Any]:
    """For each injected fault the rules that see it, with the hours from its start; and faults said outside of any."""
    seen: dict[str, dict[str, float]] = {label["id"]: {} for label in truth}
    hours: Counter[tuple[str, str]] = Counter()
    outside: Counter[str] = Counter()
    for at, found in verdicts(plant, reference, HOUR // STEP):
        label = next((each for each in truth if each["start"] < at <= each["end"] + DAY), None)
        for rule in {verdict.rule for verdict in found if verdict.state is State.FAULT}:
            if label is None:
                outside[rule] += 1
            else:
                seen[label["id"]].setdefault(rule, (at - label["start"]) / HOUR)
                hours[label["id"], rule] += 1
    return {
        "faults": {
            label["id"]: {
                "family": label["family"],
                "rules": {
                    rule: {"delay_h": delay, "hours": hours[label["id"], rule]}
                    for rule, delay in seen[label["id"]].items()
                },
            }
            for label in truth
        },
        "hours_of_fault_verdicts_outside": dict(outside),
    }


def labels(path: Path) -> list[dict[str, Any]]:
    """The injected faults with their times."""
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    return [{**row, "start": parse_iso(row["start"]), "end": parse_iso(row["end"])} for row in rows]


if __name__ == "__main__":
    main()
