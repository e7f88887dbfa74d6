"""What drives a simulated year, one row per ten minutes: the IT load, slow healthy drift, and faults laid on top.

A *lever* is one column of the frame. Some are schedules of the plant model (:data:`SCHEDULES`), the others act on what
the model gave (:mod:`benchmarks.sites.telemetry`). Pure: the same seed gives the same year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

STEPS_PER_DAY = 144
ZONE_OFFSET = pd.Timedelta(hours=6)
"""Local standard time of every simulated site is taken for Etc/GMT+6, so that one configuration fits them all."""

SCHEDULES = (
    "cpu",
    "ups_loss",
    "fan_east",
    "fan_west",
    "oa_low",
    "oa_high",
    "oat_bias",
    "chw_setpoint",
    "hall_setpoint",
    "supply_setpoint",
    "tower_override",
    "lights",
    "heater",
)
"""cpu: 0-1; ups_loss: share of the IT load; fan_*: pressure rise over that of clean filters; oa_*: limits of the
outdoor-air fraction; oat_bias: K that the air handlers' sensor reads high; *_setpoint: degC; tower_override: 1 runs the
tower's fan flat out; lights: share; heater: kW in the halls, drawn from the house panel."""

POST = {
    "chiller": 1.0,
    "cw_pump": 0.0,
    "chw_pump": 0.0,
    "evap": 0.0,
    "leak": 0.0,
    "blowdown": 0.0,
    "unmetered": 0.0,
    "show_supply": 0.0,
    "show_hall": 0.0,
}
"""Levers on what the model gave, with their idle value. chiller: factor on its power; *_pump: share of full flow it is
held at, 0 lets it be; evap: 1 never stops the evaporative coolers; leak, blowdown: L/h; unmetered: kW; show_*: K that
sensors read high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One labelled fault. `day` counts local days from 1 January of the second year; a ramp starts from nothing."""

    family: str
    day: float
    days: float
    equipment: str
    description: str
    levers: Mapping[str, float]
    """Set point levers and limits are set to the value, factors are multiplied, all others added to."""
    ramp: bool = False
    also: str = ""


_SET = {"chw_setpoint", "oa_high", "tower_override", "cw_pump", "chw_pump", "evap", "lights"}
_FACTOR = {"fan_east", "fan_west", "chiller"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An ordinary change of the IT load that is no fault: from `day` on it is `factor` of what it was, after `days`."""

    day: float
    days: float
    factor: float


def times(year: int) -> pd.DatetimeIndex:
    """The ends (UTC) of the ten-minute steps of a local year."""
    first = pd.Timestamp(f"{year}-01-01", tz="UTC") + ZONE_OFFSET
    return pd.date_range(first, periods=365 * STEPS_PER_DAY, freq="10min") + pd.Timedelta(minutes=10)


def wander(rng: np.random.Generator, count: int, sd: float, days: float = 12.0) -> NDArray[np.float64]:
    """A slow stationary wander of standard deviation `sd` that forgets itself in `days`."""
    keep = float(np.exp(-1.0 / (4 * days)))
    coarse = count // 36 + 2
    steps = rng.normal(0.0, sd * np.sqrt(1 - keep * keep), coarse)
    values = np.empty(coarse)
    values[0] = rng.normal(0.0, sd)
    for i in range(1, coarse):
        values[i] = keep * values[i - 1] + steps[i]
    return np.interp(np.arange(count), np.arange(coarse) * 36.0, values)


def filters(rng: np.random.Generator, count: int, gain: float = 0.08, days: float = 90.0) -> NDArray[np.float64]:
    """Pressure over the clean value of a filter that loads up by `gain` and is changed every `days` or so."""
    age = (np.arange(count) / STEPS_PER_DAY + rng.uniform(0, days)) % days
    return np.asarray(1.0 + gain * age / days)


def office_hours(index: pd.DatetimeIndex) -> NDArray[np.float64]:
    """0-1 by the local hour, working days only."""
    local = index - ZONE_OFFSET - pd.Timedelta(minutes=5)
    hour = local.hour.to_numpy() + local.minute.to_numpy() / 60.0
    shape = np.interp(hour, [0, 7, 9, 12, 12.5, 13.5, 17, 19, 24], [0, 0, 1, 1, 0.8, 1, 0.9, 0, 0])
    return np.asarray(shape * (local.day_of_week.to_numpy() < 5))


def it_load(trace: Sequence[float], year: int, shift_h: int, low: float, high: float) -> NDArray[np.float64]:
    """CPU load of every step from an hourly trace that is repeated, its percentiles 1 and 99 put at low and high."""
    hours = np.asarray(trace, dtype=float)
    bottom, top = np.percentile(hours, [1, 99])
    hours = low + (high - low) * (hours - bottom) / (top - bottom)
    count = 365 * STEPS_PER_DAY
    at = np.arange(count) / 6.0 + shift_h + (year - 2022) * 8760
    return np.asarray(np.interp(at % len(hours), np.arange(len(hours) + 1), np.append(hours, hours[0])))


def baseline(year: int, seed: int, cpu: NDArray[np.float64], changes: Sequence[Change] = ()) -> pd.DataFrame:
    """The levers of a healthy year, with drift; :data:`POST` at rest, and `house` in kW."""
    index = times(year)
    count = len(index)
    rng = np.random.default_rng((seed, year))
    office = office_hours(index)
    day = np.arange(count) / STEPS_PER_DAY
    demand = cpu + rng.normal(0, 0.006, count)
    for change in changes:  # the halls draw 0.24 of their rating at no load at all
        demand = (demand + 0.24) * (1 + (change.factor - 1) * np.clip((day - change.day) / change.days, 0, 1)) - 0.24
    frame = pd.DataFrame(index=index)
    frame["cpu"] = np.clip(demand, 0.02, 1.0)
    frame["ups_loss"] = 0.1 * (1 + wander(rng, count, 0.01))
    frame["fan_east"] = filters(rng, count) * (1 + wander(rng, count, 0.01))
    frame["fan_west"] = filters(rng, count) * (1 + wander(rng, count, 0.01))
    frame["oa_low"] = 0.0
    frame["oa_high"] = 1.0
    frame["oat_bias"] = 0.0
    frame["chw_setpoint"] = 7.0 + np.clip(wander(rng, count, 0.05), -0.12, 0.12)
    frame["hall_setpoint"] = 24.0 + np.clip(wander(rng, count, 0.05), -0.12, 0.12)
    frame["supply_setpoint"] = 16.0 + np.clip(wander(rng, count, 0.05), -0.1, 0.1)
    frame["tower_override"] = 0.0
    frame["lights"] = np.clip(0.05 + 0.93 * office, 0, 1)
    frame["heater"] = 0.0
    for name, idle in POST.items():
        frame[name] = idle
    frame["chiller"] *= 1 + wander(rng, count, 0.01)
    slow = 1 + wander(rng, count, 0.015)
    frame["house"] = slow * (0.44 + 0.62 * office * (1 + 0.08 * wander(rng, count, 1.0, 1.0))) + rng.normal(
        0, 0.01, count
    )
    return frame


def at_load(course: pd.DataFrame, was: pd.Series[float], wanted: pd.Series[float]) -> pd.DataFrame:
    """The same year with the demand changed so that the IT load, now `was` (kW), becomes `wanted`."""
    slope = float(np.polyfit(course["cpu"], was, 1)[0])
    return course.assign(cpu=(course["cpu"] + (wanted - was) / slope).clip(0.0, 1.0))


def window(fault: Fault, year: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """When a fault is there: [start, end) in UTC."""
    return span(fault.day, fault.days, year)


def span(day: float, days: float, year: int) -> tuple[pd.Timestamp, pd.Timestamp]:
    """[start, end) in UTC, at whole steps, of what begins on a local day of the year (counted from 0)."""
    start = (pd.Timestamp(f"{year}-01-01", tz="UTC") + ZONE_OFFSET + pd.Timedelta(days=day)).round("10min")
    return start, (start + pd.Timedelta(days=days)).round("10min")


def with_faults(healthy: pd.DataFrame, faults: Sequence[Fault], year: int) -> pd.DataFrame:
    """The same year with faults on its levers."""
    frame = healthy.copy()
    for fault in faults:
        start, end = window(fault, year)
        inside = (frame.index > start) & (frame.index <= end)
        grown = np.linspace(0, 1, int(inside.sum())) if fault.ramp else np.ones(int(inside.sum()))
        for name, size in fault.levers.items():
            now = frame.loc[inside, name].to_numpy()
            if name in _SET:
                frame.loc[inside, name] = size
            elif name in _FACTOR:
                frame.loc[inside, name] = now * (1 + (size - 1) * grown)
            else:
                frame.loc[inside, name] = now + size * grown
    return frame
