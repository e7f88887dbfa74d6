"""Savings and baselines beside known truth; prints JSON.

    python benchmarks/savings.py --data DIR

* ``mv``: a meter and a temperature by the hour, whose load was made 10 % smaller at the same weather: 10,000 to
  9,000 kWh at normal weather. The baseline is learnt from the 365 days before the change; avoided energy of the 365
  days after it, and the saving normalised to the weather of both years, by ``analytics.anomaly.simple`` (with 24
  temperatures a day, and with their mean) and, beside it, by what one would pick otherwise: a regression of monthly
  sums on degree days to 65 degF. That temperatures may come by the hour was decided on this set. ``heating_below``,
  which is for data centres, is lifted: this load is heated.
* ``dcsim``: a simulated data centre of which only the main meter, the IT load and the weather are known. The baseline
  learnt from year one beside the healthy year two, by driver; how many fortnights and months of that year, in which
  nothing is saved, keep the truth within their bounds; and the saving told a fortnight after each of ten faults was
  mended beside what the fault had wasted. That the two sides of the change point have spreads of their own was decided
  on this set.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analytics.anomaly.savings import Period, Saving, Year, avoided, normalised, repaired
from analytics.anomaly.simple import Baseline, Learnt, Settings, Shape, learn
from analytics.anomaly.statistics import Fit, Floats, error_of_sum, fit_of, unacceptable
from wattwell.finding import Estimate
from wattwell.intervals import DAY

CHANGED = pd.Timestamp("2016-12-26"), pd.Timestamp("2017-01-04")
"""The reduction came between these days."""
YEAR = pd.Timedelta(days=365)
ZONE = pd.Timedelta(hours=6)
"""Both sets have local days that start at 06:00 UTC."""
BASE = 65.0
"""degF of degree days, as weather services publish them."""
REPORTING = 14
"""Days after a repair."""


def rounded(found: Any) -> Any:
    """Figures as people read them."""
    if isinstance(found, Estimate):
        return [round(found.value), round(found.low), round(found.high)]
    if isinstance(found, Shape):
        return {name: rounded(value) for name, value in asdict(found).items()}
    if isinstance(found, Fit):
        return {name: round(value, 4) for name, value in asdict(found).items() if name != "mean"}
    if isinstance(found, Saving):
        shown = {name: getattr(found, name) for name in ("kwh", "per_year", "share", "uncertainty", "accepted")}
        return {name: rounded(value) for name, value in shown.items()} | {"issues": [i.message for i in found.issues]}
    return round(found, 4) if isinstance(found, float) else found


def house(folder: Path) -> pd.DataFrame:
    """Each day's kWh, mean temperature and 24 temperatures (``h0``...), degF, by local day."""
    meter = pd.read_csv(folder / "il-electricity-cdd-hdd-hourly.csv.gz", index_col="start")["value"]
    outdoor = pd.read_csv(folder / "il-tempF.csv.gz", index_col="dt")["tempF"]
    hours = {}
    for name, column in {"kwh": meter, "outdoor": outdoor}.items():
        column.index = pd.to_datetime(column.index, utc=True).tz_convert(None) - ZONE
        hours[name] = column
    table = pd.DataFrame(hours)
    days = table.resample("1D")
    found = pd.DataFrame({"kwh": days["kwh"].sum(min_count=24), "outdoor": days["outdoor"].mean()})
    by_hour = table.groupby([table.index.floor("D"), table.index.hour])["outdoor"].mean().unstack()
    return found.join(by_hour.add_prefix("h"))


def made(found: Learnt) -> Baseline:
    """The baseline; these sets suffice for one."""
    if found.baseline is None:
        raise SystemExit(f"no baseline: {[issue.message for issue in found.issues]}")
    return found.baseline


def fitted(actual: Floats, expected: Floats, parameters: int = 1) -> Fit:
    """The statistics; these sets suffice for them."""
    fit = fit_of(actual, expected, parameters)
    if fit is None:
        raise SystemExit("no statistics: fewer points than parameters")
    return fit


def degree_days(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, Any]:
    """Months on heating and cooling degree days, least squares."""

    def months(days: pd.DataFrame) -> tuple[Floats, Floats]:
        heat, cool = (np.maximum(sign * (days["outdoor"] - BASE), 0) for sign in (-1, 1))
        parts = pd.DataFrame({"kwh": days["kwh"], "days": 1.0, "heat": heat, "cool": cool}).resample("MS").sum()
        whole = parts[parts["days"] >= 28]
        return whole["kwh"].to_numpy(), whole[["days", "heat", "cool"]].to_numpy()

    sides = [months(side) for side in (before, after)]
    slopes = [np.linalg.lstsq(drivers, kwh, rcond=None)[0] for kwh, drivers in sides]
    fits = [fitted(kwh, drivers @ slope, 3) for (kwh, drivers), slope in zip(sides, slopes, strict=True)]
    kwh, drivers = sides[1]
    month = int(DAY * drivers[:, 0].mean())
    both = np.vstack([drivers for _, drivers in sides])
    none = np.zeros(len(both), dtype=np.bool_)
    years = [Year(fit, both @ slope, none) for fit, slope in zip(fits, slopes, strict=True)]
    return {
        "fit": rounded(fits[0]),
        "kwh_a_day_without_weather": round(float(slopes[0][0]), 2),
        "avoided": rounded(avoided(fits[0], month, Period(drivers @ slopes[0], kwh))),
        "normalised": rounded(normalised(*years, month)),
    }


def by_days(before: pd.DataFrame, after: pd.DataFrame, columns: list[str]) -> dict[str, Any]:
    """What the product says, of the temperatures in these columns."""
    sides = [((side[columns].to_numpy() - 32) / 1.8, side["kwh"].to_numpy()) for side in (before, after)]
    first, second = (made(learn(kwh, outdoor, settings=Settings(heating_below=30))) for outdoor, kwh in sides)
    outdoor, kwh = sides[1]
    expected = first.expect(outdoor)
    told = avoided(first.fit, DAY, Period(expected.value, kwh, expected.outside))
    both = np.concatenate([outdoor for outdoor, _ in sides])
    asked = [(model.fit, model.expect(both)) for model in (first, second)]
    year = normalised(*(Year(fit, one.value, one.outside) for fit, one in asked), DAY)
    return {
        "shape": rounded(first.shape),
        "kwh_a_day_without_weather": round(first.coefficients[0], 2),
        "fit": rounded(first.fit),
        "unacceptable": [issue.message for issue in unacceptable(first.fit, "day")],
        "avoided": rounded(told),
        "normalised": rounded(year),
    }


def mv(folder: Path) -> dict[str, Any]:
    """The known saving of 10 %."""
    days = house(folder)
    before = days[(days.index >= CHANGED[0] - YEAR) & (days.index < CHANGED[0])]
    after = days[(days.index >= CHANGED[1]) & (days.index < CHANGED[1] + YEAR)]
    actual = float(after["kwh"].sum())
    return {
        "truth": {"share": 0.10, "avoided_kwh": round(actual / 0.9 - actual), "kwh_a_day_without_weather": 5.48},
        "raw_kwh": [round(float(before["kwh"].sum())), round(actual)],
        "simple_by_hour": by_days(before, after, [f"h{hour}" for hour in range(24)]),
        "simple_by_day": by_days(before, after, ["outdoor"]),
        "degree_days": degree_days(before, after),
    }


def centre(path: Path) -> pd.DataFrame:
    """Overhead and IT load (kWh) and mean temperatures (degC) of each local day."""
    wanted = ["time", "utility", "ups-out", "oat", "wet-bulb"]
    rows = pd.read_csv(path, usecols=wanted, index_col="time")
    rows.index = pd.to_datetime(rows.index, utc=True).tz_convert(None) - ZONE
    edges = rows[rows.index == rows.index.normalize()]
    drawn = edges[["utility", "ups-out"]].diff().shift(-1).iloc[:-1]
    found = pd.DataFrame({"overhead": drawn["utility"] - drawn["ups-out"], "it": drawn["ups-out"]})
    for name in ("oat", "wet-bulb"):
        hours = rows[name].groupby([rows.index.floor("D"), rows.index.hour]).mean().unstack()
        found = found.join(hours.add_prefix(f"{name}-"))
    return found


def by_hour(days: pd.DataFrame, driver: str) -> Floats:
    """24 temperatures a day."""
    return days[[f"{driver}-{hour}" for hour in range(24)]].to_numpy()


def healthy_year(one: pd.DataFrame, two: pd.DataFrame, driver: str, load: bool) -> tuple[Baseline, dict[str, Any]]:
    """A baseline of year one beside year two, in which nothing was wasted and nothing saved."""

    def columns(days: pd.DataFrame) -> tuple[Floats, Floats | None]:
        return by_hour(days, driver), days["it"].to_numpy() if load else None

    baseline = made(learn(one["overhead"].to_numpy(), *columns(one)))
    expected = baseline.expect(*columns(two))
    actual = two["overhead"].to_numpy()
    seen = np.where(expected.outside, np.nan, actual)
    fit = fitted(seen, expected.value)
    within = ((actual >= expected.low) & (actual <= expected.high))[~expected.outside]
    held = {}
    for length in (14, 30):
        starts = range(0, len(two) - length + 1, length)
        sums = [(expected.value[at : at + length].sum(), actual[at : at + length].sum()) for at in starts]
        inside = [abs(wanted - drew) <= error_of_sum(baseline.fit, wanted, length) for wanted, drew in sums]
        held[f"{length}d_within_bounds"] = f"{sum(inside)}/{len(inside)}"
    shown = {
        "driver": driver,
        "it_load": load,
        "form": baseline.shape.name,
        "held_out": rounded(baseline.fit),
        "year_two": rounded(fit),
        "unacceptable": [issue.message for issue in unacceptable(fit, "day")],
        "outside_days": int(expected.outside.sum()),
        "in_band": round(float(within.mean()), 3),
    }
    return baseline, shown | held


def dcsim(folder: Path) -> dict[str, Any]:
    """Two years with three series."""
    one, two, faulty = (centre(folder / f"{name}.csv.gz") for name in ("y1_healthy", "y2_healthy", "y2_faults"))
    models = [healthy_year(one, two, driver, load) for driver in ("wet-bulb", "oat") for load in (True, False)]
    best = models[0][0]
    expected = best.expect(by_hour(faulty, "wet-bulb"), faulty["it"].to_numpy())
    labels = pd.read_csv(folder / "labels.csv")
    starts, ends = (pd.to_datetime(labels[name], utc=True).dt.tz_convert(None) - ZONE for name in ("start", "end"))
    repairs = []
    for at, label in labels.iterrows():
        spans = ((starts[at], ends[at]), (ends[at] + pd.Timedelta(days=1), ends[at] + pd.Timedelta(days=1 + REPORTING)))
        picked = [np.asarray((faulty.index >= low) & (faulty.index < high)) for low, high in spans]
        during, after = (
            Period(expected.value[days], faulty["overhead"].to_numpy()[days], expected.outside[days]) for days in picked
        )
        told = repaired(best.fit, DAY, during, after)
        truth = float(label["overhead_excess_kwh"]) * REPORTING / int(picked[0].sum())
        within = told.kwh is not None and told.kwh.low <= truth <= told.kwh.high
        shown = {"id": label["id"], "family": label["family"], "truth_kwh": round(truth), "within": within}
        repairs.append(shown | {"kwh": rounded(told.kwh), "accepted": told.accepted})
    return {"baselines": [shown for _, shown in models], "repairs": repairs}


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="savings and baselines beside known truth")
    parser.add_argument("--data", type=Path, required=True, help="the folder with mv/ and dcsim/")
    options = parser.parse_args()
    found = {"mv": mv(options.data / "mv"), "dcsim": dcsim(options.data / "dcsim")}
    print(json.dumps({"benchmark": "savings", **found}, indent=2, default=bool))
    return 0


if __name__ == "__main__":
    sys.exit(main())
