"""When a real data centre's air-handling power is seen to step up, and what else is flagged in nine years; prints JSON.

    python benchmarks/esif_step.py --data DIR

``esif``: weekly mean kW of a data centre, June 2016 to August 2025. HVAC steps from 12 to 108 kW in the week of
2024-03-25 (why is not known; it may be the metering). There is no weather in the table, so what a subsystem should draw
is learnt from the IT load and the time of year. Week by week, from what was known by then only:

* expected: least squares of kW on 1, IT load and one yearly wave over the last ``MEMORY`` weeks that are whole and not
  flagged, at least a year of them; weeks whose IT load is beyond what was learnt are not judged;
* the residual in standard deviations, of which one is at least ``WORTH`` of the IT load: less is not worth a visit;
* ``analytics.anomaly.change.cusum``; from its onset until ``CALM`` weeks in a row are normal, or cannot be judged, a
  flag stays raised and its weeks are not learnt from. After a whole year a flag is the new normal: only the time since
  its onset is learnt from.

k and h are the usual ones for shifts of two deviations and WORTH is a choice; none was tuned. When a flag ends (weeks
that cannot be judged, the new normal) was settled after looking at this table's flags.
``flags`` lists what is flagged, ``other_subsystems`` the same for the rest of the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analytics.anomaly.change import CusumState, cusum, robust_scale
from analytics.anomaly.statistics import Floats, Mask

STEP = "2024-03-25"
MEMORY = 104
ENOUGH = 52
WORTH = 0.0025
"""Share of the IT load that is one deviation at least."""
WHOLE = 4
"""Days of data that make a week."""
K, H = 1.0, 5.0
CALM = 4
BEYOND = 0.10
"""Share by which the IT load may leave the range that was learnt."""


@dataclass(slots=True)
class Flag:
    """Weeks, by their number, from the onset on."""

    onset: int
    detected: int
    sign: int
    last: int


def drivers(weeks: pd.DataFrame) -> Floats:
    """1, IT load in MW, one yearly wave."""
    season = 2 * np.pi * weeks.index.day_of_year.to_numpy() / 365.25
    return np.column_stack([np.ones(len(weeks)), weeks["it_kw"] / 1000, np.sin(season), np.cos(season)])


def standardised(known: Mask, at: int, columns: Floats, actual: Floats) -> tuple[float, float]:
    """Residual of one week in deviations, and what was expected; NaN where it cannot be judged."""
    learnt = np.flatnonzero(known[:at])[-MEMORY:]
    if len(learnt) < ENOUGH:
        return np.nan, np.nan
    load, seen = columns[at, 1], columns[learnt, 1]
    if not seen.min() * (1 - BEYOND) <= load <= seen.max() * (1 + BEYOND):
        return np.nan, np.nan
    for _ in range(2):  # the second time without weeks that are far off
        slopes = np.linalg.lstsq(columns[learnt], actual[learnt], rcond=None)[0]
        residual = actual[learnt] - columns[learnt] @ slopes
        middle, scale = robust_scale(residual)
        learnt = learnt[np.abs(residual - middle) <= 4 * scale]
    expected = float(columns[at] @ slopes)
    return (actual[at] - expected) / max(scale, WORTH * 1000 * load), expected


def flagged(weeks: pd.DataFrame, subsystem: str) -> tuple[list[Flag], Floats, Floats]:
    """Flags of one subsystem, and every week's residual in deviations and expectation."""
    columns, actual = drivers(weeks), weeks[subsystem].to_numpy()
    whole = (weeks["n_days"] >= WHOLE).to_numpy()
    known = whole.copy()
    z, expected = np.full(len(weeks), np.nan), np.full(len(weeks), np.nan)
    state, flags, calm = CusumState(), list[Flag](), CALM
    for at in np.flatnonzero(whole):
        raised = bool(flags) and calm < CALM
        if raised and at - flags[-1].onset > ENOUGH:
            since = flags[-1].onset
            known[:since], known[since:at] = False, whole[since:at]
            calm, raised = CALM, False
        z[at], expected[at] = standardised(known, at, columns, actual)
        stepped = cusum(z[: at + 1][state.seen :], K, H, state=state)
        state = stepped.state
        if stepped.alarms and not raised:
            alarm = stepped.alarms[0]
            flags.append(Flag(alarm.onset, alarm.detected, alarm.sign, int(at)))
            known[alarm.onset : at + 1], calm = False, 0
        elif raised:
            calm = 0 if abs(z[at]) >= 2 else calm + 1
            known[at] = np.isnan(z[at])
            flags[-1].last = int(at) if not calm else flags[-1].last
    return flags, z, expected


def shown(weeks: pd.DataFrame, subsystem: str) -> list[dict[str, Any]]:
    """Flags as people read them."""
    found = []
    flags, _, expected = flagged(weeks, subsystem)
    for flag in flags:
        span = slice(flag.onset, flag.last + 1)
        found.append(
            {
                "onset": f"{weeks.index[flag.onset]:%Y-%m-%d}",
                "detected_in_week": f"{weeks.index[flag.detected]:%Y-%m-%d}",
                "until_week": f"{weeks.index[flag.last]:%Y-%m-%d}",
                "direction": "up" if flag.sign > 0 else "down",
                "kw": round(float(weeks[subsystem].iloc[span].mean()), 1),
                "expected_kw": round(float(np.nanmean(expected[span])), 1),
                "it_kw": round(float(weeks["it_kw"].iloc[span].mean())),
            }
        )
    return found


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="a step in a real data centre's air handling")
    parser.add_argument("--data", type=Path, required=True, help="the folder with esif/")
    options = parser.parse_args()
    table = options.data / "esif" / "esif_weekly_2016_2025.csv"
    weeks = pd.read_csv(table, index_col="week", parse_dates=["week"])
    flags = shown(weeks, "hvac_kw")
    judged = int(np.isfinite(flagged(weeks, "hvac_kw")[1]).sum())
    step = next((flag for flag in flags if flag["onset"] <= STEP <= flag["until_week"]), None)
    document = {
        "benchmark": "esif_step",
        "weeks": len(weeks),
        "judged": judged,
        "step": STEP,
        "step_detected_in_week": step and step["detected_in_week"],
        "other_flags": len(flags) - (step is not None),
        "flags": flags,
        "other_subsystems": {name: shown(weeks, name) for name in ("cooling_kw", "pump_kw", "plug_kw")},
    }
    print(json.dumps(document, indent=2))
    return 0 if step else 1


if __name__ == "__main__":
    sys.exit(main())
