"""From the plant model's outputs to what the site's meters send: rates, dials, displays, and the truth about faults.

Pure. Rates are means over the ten minutes that end at the row's time: kW, L/h; displays are degC, %, L/s, shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

ENERGY = (
    "utility",
    "ups-in",
    "ups-out",
    "chiller",
    "tower",
    "chw-pump",
    "cw-pump",
    "fan-east",
    "fan-west",
    "evap",
    "lights",
    "house",
    "chiller-heat",
)
WATER = ("water-site", "water-tower", "water-evap")
TEMPERATURE = (
    "oat",
    "wet-bulb",
    "ahu-oat",
    "supply-east",
    "supply-west",
    "return-air",
    "hall-air",
    "rack-inlet",
    "chw-supply",
    "chw-return",
    "cw-supply",
    "cw-return",
)
DISPLAYS = (
    *("oat", "wet-bulb", "rh", "ahu-oat", "supply-east", "supply-west", "return-air", "hall-air", "rack-inlet"),
    *("chw-supply", "chw-return", "cw-supply", "cw-return", "chw-flow", "cw-flow", "oa-fraction"),
)
RESOLUTION = {**dict.fromkeys(ENERGY, 0.01), "chiller-heat": 0.1, **dict.fromkeys(WATER, 0.001)}
_STEP = {"rh": 1.0, "chw-flow": 0.01, "cw-flow": 0.01, "oa-fraction": 0.01}
_WATER_STEP = dict.fromkeys(("chw-supply", "chw-return", "cw-supply", "cw-return"), 0.05)
DISPLAY_STEP = {**dict.fromkeys(DISPLAYS, 0.1), **_WATER_STEP, **_STEP}

HEAT_CAPACITY = 4.19
"""Of water, kJ/(kg K)."""
MAKE_UP_L_PER_KWH = 1.96
"""Tower water for a kWh of heat: evaporation at 2.45 MJ/kg, a third more to blow down."""
COOLERS_KW, COOLERS_L_PER_H = 3.2, 30.0
"""What the evaporative coolers draw when they never stop, and the water that they waste."""


@dataclass(frozen=True, slots=True)
class Full:
    """Full-speed power and flow of the two pumps, kW and L/s: the largest of a healthy year."""

    chw_kw: float
    chw_flow: float
    cw_kw: float
    cw_flow: float


_Source = tuple[tuple[tuple[str, str], ...], str, float]
"""Outputs by (variable, start of the key), how they are put together, and the factor to kW, L/h or as it is."""

_KW = 1e-3
SOURCES: Mapping[str, _Source] = {
    "ups-out": ((("ITE CPU Electricity Rate", ""), ("ITE Fan Electricity Rate", "")), "sum", _KW),
    "ups-in": (tuple((f"ITE {x} Electricity Rate", "") for x in ("CPU", "Fan", "UPS")), "sum", _KW),
    "chiller": ((("Chiller Electricity Rate", ""),), "sum", _KW),
    "tower": (tuple((f"Cooling Tower {x} Electricity Rate", "") for x in ("Fan", "Basin Heater")), "sum", _KW),
    "chw-pump": ((("Pump Electricity Rate", "CW CIRC"),), "sum", _KW),
    "cw-pump": ((("Pump Electricity Rate", "COND CIRC"),), "sum", _KW),
    "fan-east": ((("Fan Electricity Rate", "EAST"),), "sum", _KW),
    "fan-west": ((("Fan Electricity Rate", "WEST"),), "sum", _KW),
    "evap": ((("Evaporative Cooler Electricity Rate", ""),), "sum", _KW),
    "lights": ((("Lights Electricity Rate", ""),), "sum", _KW),
    "chiller-heat": ((("Chiller Evaporator Cooling Rate", ""),), "sum", _KW),
    "water-tower": ((("Cooling Tower Make Up Water Volume Flow Rate", ""),), "sum", 3.6e6),
    "water-evap": ((("Evaporative Cooler Water Volume", ""),), "sum", 6000.0),
    "oat": ((("Site Outdoor Air Drybulb Temperature", ""),), "mean", 1.0),
    "wet-bulb": ((("Site Outdoor Air Wetbulb Temperature", ""),), "mean", 1.0),
    "rh": ((("Site Outdoor Air Relative Humidity", ""),), "mean", 1.0),
    "supply-east": ((("System Node Temperature", "EAST AIR LOOP OUTLET"),), "mean", 1.0),
    "supply-west": ((("System Node Temperature", "WEST AIR LOOP OUTLET"),), "mean", 1.0),
    "return-air": (tuple(("System Node Temperature", f"{x} ZONE RETURN AIR") for x in ("EAST", "WEST")), "mean", 1.0),
    "hall-air": (tuple(("Zone Mean Air Temperature", f"{x} ZONE") for x in ("EAST", "WEST")), "mean", 1.0),
    "rack-inlet": ((("ITE Air Inlet Dry-Bulb Temperature", ""),), "mean", 1.0),
    "chw-supply": ((("System Node Temperature", "CW SUPPLY OUTLET"),), "mean", 1.0),
    "chw-return": ((("System Node Temperature", "CHILLER INLET"),), "mean", 1.0),
    "cw-supply": ((("System Node Temperature", "CHILLER CONDENSER INLET"),), "mean", 1.0),
    "cw-return": ((("System Node Temperature", "CHILLER CONDENSER OUTLET"),), "mean", 1.0),
    "chw-flow": ((("Pump Mass Flow Rate", "CW CIRC"),), "sum", 1.0),
    "cw-flow": ((("Pump Mass Flow Rate", "COND CIRC"),), "sum", 1.0),
    "oa-fraction": ((("Air System Outdoor Air Flow Fraction", ""),), "mean", 1.0),
}


def rates(output: pd.DataFrame, levers: pd.DataFrame) -> pd.DataFrame:
    """Mean rates and states of every meter, by its id, before the levers of :data:`~benchmarks.sites.levers.POST`."""
    out = pd.DataFrame(index=output.index)
    for meter, (variables, together, factor) in SOURCES.items():
        names = [
            column
            for variable, start in variables
            for column in output.columns
            if column.startswith(start) and column.endswith(f":{variable}")
        ]
        if len(names) < len(variables):
            message = f"The model gives too few outputs for {meter}: {names} of {variables}."
            raise ValueError(message)
        chosen = output[names]
        out[meter] = factor * (chosen.sum(axis=1) if together == "sum" else chosen.mean(axis=1))
    out["house"] = levers["house"] + levers["heater"]
    out["ahu-oat"] = out["oat"] + levers["oat_bias"]
    return out


def full_speed(healthy: pd.DataFrame) -> Full:
    """The pumps at their most in a healthy year."""
    return Full(*(float(healthy[x].max()) for x in ("chw-pump", "chw-flow", "cw-pump", "cw-flow")))


def finish(model: pd.DataFrame, levers: pd.DataFrame, full: Full) -> pd.DataFrame:
    """Put in the levers that act on meters; add up the site's electricity and water."""
    out = model.copy()
    heat = out["chiller-heat"]
    _pumps(out, levers, full)
    before = out["chiller"].copy()
    out["chiller"] *= levers["chiller"]
    extra = out["chiller"] - before
    rejected = (heat + before).clip(lower=1.0)
    out["tower"] *= 1 + (extra / rejected).clip(-0.5, 0.5).where(out["oat"] > 8.0, 0.0) * 2.0
    out["water-tower"] += extra * MAKE_UP_L_PER_KWH
    out["cw-return"] += (extra / (out["cw-flow"].clip(lower=1.0) * HEAT_CAPACITY)).where(out["cw-flow"] > 0.5, 0.0)
    always = levers["evap"] > 0
    out["evap"] = out["evap"].where(~always, out["evap"].clip(lower=COOLERS_KW))
    out["water-evap"] += always * COOLERS_L_PER_H
    out["water-tower"] += levers["blowdown"]
    out["water-site"] = out["water-tower"] + out["water-evap"] + levers["leak"]
    parts = ["ups-in", "chiller", "tower", "chw-pump", "cw-pump", "fan-east", "fan-west", "evap", "lights", "house"]
    out["utility"] = out[parts].sum(axis=1) + levers["unmetered"]
    for name in ("supply-east", "supply-west"):
        out[name] += levers["show_supply"]
    out["hall-air"] += levers["show_hall"]
    return out


def _pumps(out: pd.DataFrame, levers: pd.DataFrame, full: Full) -> None:
    heat = out["chiller-heat"]
    held = levers["chw_pump"] > 0
    if held.any():
        power = out["chw-pump"].where(~held, (full.chw_kw * levers["chw_pump"]).clip(lower=out["chw-pump"]))
        out["chiller"] *= 1 + ((power - out["chw-pump"]) / heat.clip(lower=5.0)).where(heat > 5.0, 0.0)
        out["chw-pump"] = power
        out["chw-flow"] = out["chw-flow"].where(~held, full.chw_flow * levers["chw_pump"])
        warmer = out["chw-supply"] + heat / (out["chw-flow"].clip(lower=0.1) * HEAT_CAPACITY)
        out["chw-return"] = out["chw-return"].where(~held, warmer)
    held = levers["cw_pump"] > 0
    if held.any():
        rejected = heat + out["chiller"]
        power = out["cw-pump"].where(~held, full.cw_kw * levers["cw_pump"])
        out["water-tower"] += (power - out["cw-pump"]) * MAKE_UP_L_PER_KWH
        out["cw-pump"] = power
        out["cw-flow"] = out["cw-flow"].where(~held, full.cw_flow * levers["cw_pump"])
        warmer = out["cw-supply"] + rejected / (out["cw-flow"].clip(lower=0.1) * HEAT_CAPACITY)
        out["cw-return"] = out["cw-return"].where(~held, warmer)


def amounts(site: pd.DataFrame) -> pd.DataFrame:
    """kWh and m3 of each step, by meter id."""
    out = site[[*ENERGY, *WATER]] / 6.0
    out[list(WATER)] /= 1000.0
    return out.clip(lower=0.0)


def dials(steps: pd.DataFrame, start: Mapping[str, float]) -> pd.DataFrame:
    """Registers at the end of every step, exact; :func:`written` cuts them off."""
    return steps.cumsum() + pd.Series(start)


def written(registers: pd.DataFrame, site: pd.DataFrame) -> pd.DataFrame:
    """The table as meters send it: registers cut off at their resolution, displays rounded to theirs."""
    out = pd.DataFrame(index=registers.index)
    for name in (*ENERGY, *WATER):
        out[name] = np.floor(registers[name] / RESOLUTION[name] + 1e-6) * RESOLUTION[name]
    for name in DISPLAYS:
        out[name] = (site[name] / DISPLAY_STEP[name]).round() * DISPLAY_STEP[name]
    return out


def text(table: pd.DataFrame) -> pd.DataFrame:
    """Cells as text with the decimals of their resolution; an empty cell where there is nothing."""
    times = pd.DatetimeIndex(table.index).strftime("%Y-%m-%dT%H:%M:%SZ")
    out = pd.DataFrame(index=times.rename("time"))
    for name in table.columns:
        places = {0.01: 2, 0.05: 2, 0.1: 1, 0.001: 3, 1.0: 0}[RESOLUTION.get(name) or DISPLAY_STEP[name]]
        if name in RESOLUTION and name != "chiller-heat":
            places = max(places, 2)
        out[name] = ["" if np.isnan(v) else f"{v + 0.0:.{places}f}" for v in table[name].to_numpy()]
    return out
