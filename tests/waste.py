"""A small data centre by the hour, from simple physics, into which waste can be put: for tests of the detector.

The same seed gives the same weather, load and noise with and without faults: the difference of two runs is the truth.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from analytics.anomaly import compose
from analytics.anomaly.detector import run
from analytics.anomaly.frame import Frame
from analytics.anomaly.marks import extended
from analytics.anomaly.settings import Settings
from analytics.anomaly.walk import Walk, begin
from tests import collecting
from tests.support import a_meter
from wattwell.finding import Feedback, Finding
from wattwell.intervals import HOUR, parse_iso
from wattwell.model import Accumulation, Bool, Float64, Maintenance, Meter, MeterEvent, Prices, Site
from wattwell.units import CANONICAL, QuantityKind

T0 = parse_iso("2024-05-01T00:00:00Z")
YEAR = 365 * 24
HOURS = 426 * 24
"""Fourteen months: faults lie in the last two, May and June, when the plant economizes by night and chills by day."""
ZONE = "Europe/Berlin"

ENERGY, WATER = QuantityKind.ENERGY, QuantityKind.WATER
KELVIN, RATIO = QuantityKind.TEMPERATURE, QuantityKind.RATIO
POINTS: dict[str, tuple[str, QuantityKind, str, str | None]] = {
    "utility": ("utility_import", ENERGY, "switchboard", None),
    "ups-in": ("ups_input", ENERGY, "ups", "utility"),
    "ups-out": ("it_ups", ENERGY, "ups", "ups-in"),
    "chiller": ("chiller", ENERGY, "chiller", "utility"),
    "pump": ("pump", ENERGY, "pump", "utility"),
    "fan-east": ("fan", ENERGY, "ahu-east", "utility"),
    "fan-west": ("fan", ENERGY, "ahu-west", "utility"),
    "tower": ("cooling_tower", ENERGY, "tower", "utility"),
    "evap": ("evaporative_cooler", ENERGY, "evap", "utility"),
    "house": ("other", ENERGY, "house", "utility"),
    "lights": ("lighting", ENERGY, "lights", "utility"),
    "chiller-heat": ("heat_removed", ENERGY, "chiller", None),
    "water-site": ("water_input", WATER, "main", None),
    "water-tower": ("water_tower_makeup", WATER, "tower", "water-site"),
    "water-evap": ("water_evaporative", WATER, "evap", "water-site"),
    "oat": ("outdoor_dry_bulb", KELVIN, "station", None),
    "wet-bulb": ("outdoor_wet_bulb", KELVIN, "station", None),
    "ahu-oat": ("outdoor_dry_bulb", KELVIN, "ahu-east", None),
    "hall-air": ("hall_air", KELVIN, "hall", None),
    "supply": ("supply_air", KELVIN, "ahu-east", None),
    "chw-supply": ("chw_supply", KELVIN, "chiller", None),
    "cw-supply": ("cw_supply", KELVIN, "chiller", None),
    "oa-fraction": ("outdoor_air_fraction", RATIO, "ahu-east", None),
}
"""Role, quantity, equipment and parent of every meter."""
PANELS = ("ups-in", "chiller", "pump", "fan-east", "fan-west", "tower", "evap", "house", "lights")
"""What hangs below the supply."""


def site(*without: str, **changes: Any) -> Site:
    """The site, less some meters; other fields by name."""
    meters = [_meter(name) for name in POINTS if name not in without]
    priced = {"prices": Prices(currency="EUR", electricity_per_kwh=0.2, water_per_m3=3.0), **changes}
    return replace(collecting.site(meters, zone=ZONE), **priced)


def _meter(name: str) -> Meter:
    role, quantity, equipment, parent = POINTS[name]
    kind = Accumulation.REGISTER if quantity in (ENERGY, WATER) else Accumulation.INSTANTANEOUS
    return a_meter(
        id=name, role=role, quantity=quantity, accumulation=kind, unit=CANONICAL[quantity], equipment=equipment,
        parent=parent,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Waste:
    """Something that goes wrong in [start, end), hours of the frame, growing to ``size`` over ``ramp`` hours."""

    what: str
    start: int
    end: int
    size: float = 0.0
    ramp: int = 0

    def level(self, hours: int) -> Float64:
        """Its size in each hour."""
        at = np.arange(hours)
        grown = np.clip((at - self.start + 1) / self.ramp, 0.0, 1.0) if self.ramp else np.ones(hours)
        return np.where((at >= self.start) & (at < self.end), self.size * grown, 0.0)

    def active(self, hours: int) -> Bool:
        """Whether it is at work."""
        at = np.arange(hours)
        return (at >= self.start) & (at < self.end)


class _Noise:
    """Every call draws its own stream, whatever was drawn before: faults change no weather."""

    def __init__(self, seed: int, hours: int) -> None:
        self.seed, self.hours = seed, hours

    def white(self, name: str) -> Float64:
        return np.random.default_rng([self.seed, *name.encode()]).standard_normal(self.hours)

    def slow(self, name: str, persistence: int) -> Float64:
        """Of unit spread, forgetting over so many hours."""
        keep = np.exp(-1 / persistence)
        found = np.empty(self.hours)
        last = 0.0
        for i, each in enumerate((self.white(name) * np.sqrt(1 - keep**2)).tolist()):
            last = found[i] = keep * last + each
        return found


def plant(
    *wastes: Waste, hours: int = HOURS, seed: int = 1, load: Float64 | None = None, where: Site | None = None
) -> Frame:
    """What the meters show; ``load`` is a share of the usual IT load by hour."""
    where = where or site()
    made = _physics(_Noise(seed, hours), wastes, hours, np.ones(hours) if load is None else load)
    start = T0 + np.arange(hours, dtype=np.int64) * HOUR
    return Frame(site=where, start=start, value={name: made[name] for name in where.meters})


def _physics(noise: _Noise, wastes: Sequence[Waste], hours: int, load: Float64) -> dict[str, Float64]:
    def size(what: str) -> Float64:
        return np.sum([each.level(hours) for each in wastes if each.what == what] or [np.zeros(hours)], axis=0)

    def meter(name: str, column: Float64, spread: float = 0.005, wander: float = 0.006) -> Float64:
        return column * (1 + spread * noise.white(name) + wander * noise.slow(f"{name} slow", 240))

    local, work = _clock(hours)
    day, hour = np.arange(hours) / 24, local
    oat = 14 - 10 * np.cos(2 * np.pi * (day + 105) / 365) - 4.5 * np.cos(2 * np.pi * (hour - 3) / 24)
    oat = oat + 3.0 * noise.slow("oat", 60)
    dry = np.maximum(0.3, 2.0 + 0.22 * oat + 1.2 * noise.slow("dry", 40))
    wet = oat - dry
    it = 60 * load * (1 + 0.05 * np.sin(2 * np.pi * (hour - 9) / 24) + 0.04 * work + 0.03 * noise.slow("it", 200))
    loss = meter("ups", 2.0 + 0.04 * it + 0.00015 * it**2) + size("ups") * it
    house = meter("house", 3 + 1.0 * work, wander=0.01) + size("heater")
    lights = meter("lights", 0.5 + 1.2 * work)

    hall, supply = 24 - size("hall"), 16 - size("supply")
    back = hall + 6
    heat = it + 0.5 * lights
    flow = heat / (1.2 * (back - supply))
    fan = 3.2 * (flow / 4.0) ** 2.5
    seen = oat + size("sensor")
    mix = np.clip((back - supply) / np.maximum(back - seen, 0.5), 0.1, 1.0)
    fraction = np.where(seen < 23, mix, 0.1)
    stuck = np.any([each.active(hours) for each in wastes if each.what == "damper"] or [np.zeros(hours)], axis=0)
    fraction = np.where(stuck, size("damper"), fraction)
    stage = np.clip((oat - 13) / 6, 0, 1) * (fraction > 0.9)
    cooled = oat - 0.6 * stage * dry
    mixed = fraction * cooled + (1 - fraction) * back
    coil = np.maximum(1.2 * flow * (mixed - supply), 0.0)
    coil = np.where(coil > 0.8, coil, 0.0)
    running = coil > 0
    chw = 7 - size("chw")
    copper = 5.2 - 0.09 * (wet - 12) + 0.14 * (chw - 7)
    chiller = np.where(running, 0.4 + coil / copper, 0.05) * (1 + size("chiller"))
    rejected = coil + chiller
    pump = np.where(running, 0.6 + 0.03 * coil, 0.1)
    pump = np.where(size("pump") > 0, size("pump"), pump)
    tower = np.where(running, 0.2 + 0.025 * rejected * (1 + 0.03 * np.maximum(wet - 8, 0)), 0.05)
    evap_water = stage * dry * flow * 1.1

    found = {
        "ups-out": it,
        "ups-in": it + loss,
        "chiller": meter("chiller", chiller),
        "pump": meter("pump", pump),
        "fan-east": meter("fan-east", fan) * (1 + size("fan")),
        "fan-west": meter("fan-west", fan),
        "tower": meter("tower", tower),
        "evap": meter("evap", 0.05 + 0.9 * stage),
        "house": house,
        "lights": lights,
        "chiller-heat": meter("chiller-heat", coil, 0.01),
        "water-tower": meter("water-tower", 1.7 * rejected * running, 0.01),
        "water-evap": meter("water-evap", evap_water, 0.01),
        "oat": oat + 0.1 * noise.white("oat sensor"),
        "wet-bulb": wet + 0.1 * noise.white("wet sensor"),
        "ahu-oat": seen + 0.2 * noise.white("ahu sensor"),
        "hall-air": hall + 0.1 * noise.white("hall") + 0.1 * noise.slow("hall slow", 100),
        "supply": supply + 0.15 * noise.white("supply"),
        "chw-supply": np.where(running, chw, 12.0) + 0.1 * noise.white("chw"),
        "cw-supply": wet + 4 + 0.1 * noise.white("cw"),
        "oa-fraction": np.clip(fraction + 0.01 * noise.white("fraction"), 0, 1),
    }
    found["utility"] = 0.3 + 1.002 * np.sum([found[name] for name in PANELS], axis=0)
    domestic = 4 + 6 * work + 1.0 * np.abs(noise.white("taps"))
    found["water-site"] = found["water-tower"] + found["water-evap"] + domestic + size("leak")
    return found


def _clock(hours: int) -> tuple[Float64, Float64]:
    """Local hour of the day, and 1 within working hours."""
    at = pd.date_range(pd.Timestamp(T0, unit="us", tz="UTC"), periods=hours, freq="1h").tz_convert(ZONE)
    hour = at.hour.to_numpy().astype(np.float64)
    work = (hour >= 8) & (hour < 18) & (at.day_of_week.to_numpy() < 5)
    return hour, work.astype(np.float64)


def truth(*wastes: Waste, hours: int = HOURS, seed: int = 1) -> tuple[float, float]:
    """kWh beside the IT load and litres that faults waste."""
    sick, well = plant(*wastes, hours=hours, seed=seed), plant(hours=hours, seed=seed)
    kwh, litres = (
        float(np.sum(sick.sum(terms) - well.sum(terms)))
        for terms in ([(1.0, "utility"), (-1.0, "ups-out")], [(1.0, "water-site")])
    )
    return kwh, litres


def having(frame: Frame, **columns: Float64) -> Frame:
    """The frame with other columns; ``_`` in a name stands for ``-``."""
    return replace(frame, value={**frame.value, **{name.replace("_", "-"): each for name, each in columns.items()}})


def blank(frame: Frame, meters: Iterable[str], start: int, end: int) -> Frame:
    """The frame without what these meters said in some hours."""
    value = dict(frame.value)
    for name in meters:
        value[name] = value[name].copy()
        value[name][start:end] = np.nan
    return replace(frame, value=value)


# -- walks -------------------------------------------------------------------------------------------------------------


@cache
def _year() -> Walk:
    """The detector after a healthy year: a few seconds, so made once for all tests. Nobody changes it."""
    return run(begin(site(), plant(hours=YEAR), Settings()))


def walked(
    frame: Frame,
    events: Sequence[MeterEvent] = (),
    maintenance: Sequence[Maintenance] = (),
    feedback: Sequence[Feedback] = (),
) -> Walk:
    """The detector after all of a frame whose first year is the healthy one."""
    before = copy.deepcopy(_year())
    before.feedback = tuple(feedback)
    return run(extended(before, frame, events, maintenance))


def found(walk: Walk) -> list[Finding]:
    """What it tells of the plant and of the telemetry."""
    until = len(walk.frame)
    plant = [compose.finding(walk, case, until) for case in walk.cases]
    return plant + [compose.telemetry(walk, fault, until) for fault in walk.telemetry if fault.detected < until]


def hours(finding: Finding) -> tuple[int, int, int | None]:
    """Start, detection and end of a finding in hours of the frame."""
    start, known = ((at - T0) // HOUR for at in (finding.start, finding.detected_at))
    return start, known, None if finding.end is None else (finding.end - T0) // HOUR


__all__ = ["HOURS", "T0", "YEAR", "Waste", "blank", "found", "having", "hours", "plant", "site", "truth", "walked"]
