"""The air-handler rules over the four LBNL fault sets, day by day; prints JSON.

    python benchmarks/lbnl.py --data DIR

DIR holds ``MZVAV-2-1``, ``MZVAV-2-2``, ``SZCAV`` and ``SZVAV`` (``.csv.gz``, 1 minute, degF; of
doi:10.1038/s41597-020-0398-6) and ``fault_days.csv`` with the fault of each day. That file corrects one label:
MZVAV-2-1 on 2007-08-30 is faulty.

A day is positive when any rule calls it a fault, whether or not it names the right cause. Nothing is learnt: the
rules stand on the default errors of ASHRAE Guideline 36. What it leaves open was chosen on SZCAV (``damper_leak``)
and MZVAV-2-2 (``damper_half``, ``damper_least``, ``coil_least``).

The other two sets are not wholly unseen. That 40 % outdoor air in the heat is ventilation (``opened``) showed on both
MZVAV sets; and of two ways to count what ``coil_passes`` can judge, the one without false days on SZVAV was kept (the
other finds six of its seven faults and calls two of its four healthy days faulty).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analytics.anomaly.rules import Plant, Point, State, Verdict, judge
from wattwell.intervals import MINUTE
from wattwell.units import QuantityKind

CHOSEN_ON = ("SZCAV", "MZVAV-2-2")
SETS = ("MZVAV-2-1", "MZVAV-2-2", "SZCAV", "SZVAV")
STEP = 5 * MINUTE
OUTCOMES = ("true_positive", "false_positive", "true_negative", "false_negative", "inconclusive")
RULES = frozenset(
    {"mixed_air", "damper", "coil_passes", "coil_does_nothing", "heating_and_cooling", "economizer", "affinity"}
)
"""Those that an air handler's own points can serve."""
FAHRENHEIT = {
    "Supply Air Temperature": "supply_air",
    "Outdoor Air Temperature": "outdoor_dry_bulb",
    "Mixed Air Temperature": "mixed_air",
    "Return Air Temperature": "return_air",
}
RATIOS = {
    "Supply Air Fan Status": "status",
    "Supply Air Fan Speed Control Signal": "fan_speed",
    "Outdoor Air Damper Control Signal": "damper",
    "Cooling Coil Valve Control Signal": "cooling_valve",
    "Heating Coil Valve Control Signal": "heating_valve",
}
SET_POINT = "Supply Air Temperature Set Point"


def main() -> None:
    """Judge every day of the four sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--days", action="store_true", help="what each day was called, too")
    arguments = parser.parse_args()
    truth = fault_days(arguments.data / "fault_days.csv")
    sets = {name: one_set(arguments.data / f"{name}.csv.gz", truth.get(name, {}), days=arguments.days) for name in SETS}
    test = [sets[name]["days"] for name in SETS if name not in CHOSEN_ON]
    result = {
        "settings_chosen_on": CHOSEN_ON,
        "on_the_other_sets": rates({key: sum(each[key] for each in test) for key in test[0]}),
        "sets": sets,
    }
    print(json.dumps(result, indent=2))


def fault_days(path: Path) -> dict[str, dict[str, tuple[str, str]]]:
    """By set and date: the fault and its intensity."""
    found: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found[row["file"]][row["date"]] = (row["fault"], row["intensity"])
    return found


def one_set(path: Path, faulty: dict[str, tuple[str, str]], *, days: bool) -> dict[str, Any]:
    """One air handler: its days by truth and answer, by fault type, and what each rule said."""
    called: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    by_rule: dict[str, Counter[str]] = defaultdict(Counter)
    told = {}
    for date, plant in read(path):
        found = [verdict for verdict in judge(plant) if verdict.rule in RULES]
        said = [verdict for verdict in found if verdict.state is State.FAULT]
        fault, intensity = faulty.get(date, ("healthy", ""))
        outcome = ("true_" if bool(said) == (date in faulty) else "false_") + ("positive" if said else "negative")
        answer = "fault" if said else ("normal" if any(v.state is State.NORMAL for v in found) else "inconclusive")
        called["inconclusive" if answer == "inconclusive" else outcome] += 1
        by_type[fault][answer] += 1
        for verdict in found:
            by_rule[verdict.rule][verdict.state.value] += 1
        told[f"{date} {fault} {intensity}".strip()] = {"said": answer, "why": [sentence(v) for v in said]}
    return {
        "days": dict(called),
        "rates": rates(called),
        "by_fault": {fault: dict(answers) for fault, answers in sorted(by_type.items())},
        "by_rule": {rule: dict(answers) for rule, answers in by_rule.items()},
        **({"each": told} if days else {}),
    }


def sentence(verdict: Verdict) -> str:
    """A verdict in one line."""
    return f"{verdict.rule}: {verdict.message}"


def rates(days: dict[str, int] | Counter[str]) -> dict[str, float | None]:
    """True and false positive rate, precision and F1 by day."""
    hit, false, clear, missed = (days[key] for key in OUTCOMES[:4])

    def share(part: int, whole: int) -> float | None:
        return round(part / whole, 3) if whole else None

    return {
        "true_positive_rate": share(hit, hit + missed),
        "false_positive_rate": share(false, false + clear),
        "precision": share(hit, hit + false),
        "f1": share(2 * hit, 2 * hit + false + missed),
    }


def read(path: Path) -> list[tuple[str, Plant]]:
    """Each day of a file as a plant in 5-minute means."""
    table = pd.read_csv(path, low_memory=False)
    table.columns = [name.strip().removeprefix("AHU: ") for name in table.columns]
    table.index = pd.to_datetime(table.pop("Datetime"))
    means = table.apply(pd.to_numeric, errors="coerce").resample("5min").mean()
    days = []
    for date, day in means.groupby(means.index.strftime("%Y-%m-%d")):
        if day.notna().any(axis=None):
            start = pd.DatetimeIndex(day.index).as_unit("us").asi8
            days.append((str(date), Plant(start=start, step=STEP, points=tuple(points(day)))))
    return days


def points(day: pd.DataFrame) -> list[Point]:
    """The columns that a rule has a role for, in canonical units."""
    found = []
    for column, role in (FAHRENHEIT | RATIOS).items():
        if column in day:
            value = day[column].to_numpy(dtype=np.float64)
            value = (value - 32) / 1.8 if column in FAHRENHEIT else value
            found.append(Point(meter=column, role=role, equipment="ahu", value=value))
    if SET_POINT in day:
        value = (day[SET_POINT].to_numpy(dtype=np.float64) - 32) / 1.8
        kind = QuantityKind.TEMPERATURE
        found.append(Point(meter=SET_POINT, role="setpoint", equipment="ahu", value=value, quantity=kind))
    return found


if __name__ == "__main__":
    main()
