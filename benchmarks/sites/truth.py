"""What each fault cost, from paired simulations of the same weather and demand. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmarks.sites.levers import Fault, window
from benchmarks.sites.telemetry import amounts

LABELS = (
    *("id", "family", "start", "end", "equipment", "description", "excess_kwh", "overhead_excess_kwh", "excess_l"),
    *("it_change_kwh", "also_family", "scored", "facility_kwh_healthy", "overhead_kwh_healthy", "water_l_healthy"),
    *("pue_healthy", "pue_fault", "wue_healthy", "wue_fault"),
)
STAMP = "%Y-%m-%dT%H:%M:%SZ"
LEAST_SHARE = 0.005
"""Of the overhead; a fault that costs less and can be seen in no other way is not scored."""


def labels(
    faults: Sequence[Fault], year: int, healthy: pd.DataFrame, matched: pd.DataFrame, faulty: pd.DataFrame
) -> pd.DataFrame:
    """A row a fault, summed from its start to one day after its end.

    A fault that cools the halls more also changes the IT load a little; `matched` is the healthy plant with the IT load
    of the faulty one.
    """
    rows = []
    for number, fault in enumerate(sorted(faults, key=lambda f: f.day), 1):
        start, end = window(fault, year)
        inside = (healthy.index > start) & (healthy.index <= end + pd.Timedelta(days=1))
        was, same, now = (amounts(x[inside]).sum() for x in (healthy, matched, faulty))
        row = _head(number, fault, start, end) | _cost(was, same, now)
        row["scored"] = int(_shows(fault, same, now))
        rows.append(row)
    return pd.DataFrame(rows, columns=LABELS)


def _head(number: int, fault: Fault, start: pd.Timestamp, end: pd.Timestamp) -> dict[str, str | float]:
    return {
        "id": f"F{number:02d}",
        "family": fault.family,
        "start": start.strftime(STAMP),
        "end": end.strftime(STAMP),
        "equipment": fault.equipment,
        "description": fault.description,
        "also_family": fault.also,
    }


def _shows(fault: Fault, was: pd.Series[float], now: pd.Series[float]) -> bool:
    """Whether a meter shows the fault at all: dampers that stick where they would stand anyway do nothing."""
    before, after = (x["utility"] - x["ups-out"] for x in (was, now))
    dearer = abs(after - before) > LEAST_SHARE * before
    wetter = abs(now["water-site"] - was["water-site"]) > 10 * LEAST_SHARE * max(was["water-site"], 1.0)
    return bool(dearer or wetter or "oat_bias" in fault.levers)


def _cost(was: pd.Series[float], same: pd.Series[float], now: pd.Series[float]) -> dict[str, str | float]:
    overhead = [x["utility"] - x["ups-out"] for x in (same, now)]
    before, after = was["water-site"] * 1000.0, now["water-site"] * 1000.0
    return {
        "excess_kwh": round(now["utility"] - was["utility"], 1),
        "overhead_excess_kwh": round(overhead[1] - overhead[0], 1),
        "excess_l": round(after - same["water-site"] * 1000.0),
        "it_change_kwh": round(now["ups-out"] - was["ups-out"], 1),
        "facility_kwh_healthy": round(was["utility"]),
        "overhead_kwh_healthy": round(was["utility"] - was["ups-out"]),
        "water_l_healthy": round(before),
        "pue_healthy": round(was["utility"] / was["ups-out"], 4),
        "pue_fault": round(now["utility"] / now["ups-out"], 4),
        "wue_healthy": round(before / was["ups-out"], 4),
        "wue_fault": round(after / now["ups-out"], 4),
    }
