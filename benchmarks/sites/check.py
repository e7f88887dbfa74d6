"""Whether the healthy plant of year two is that of year one: both compared in like conditions. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

CELL = {"ups-out": 1.0, "oat": 0.5, "wet-bulb": 0.5}
"""Two steps are in like conditions when they share a cell of this size: kW, K, K."""
LEAST_STEPS = 3
"""Of each year in a cell."""
POWER = {"fans": ("fan-east", "fan-west"), "evap": ("evap",), "chiller": ("chiller",)}
SHARE, LEAST_KW, LEAST_K = 0.02, 0.02, 0.1
"""What may be between the years: twice the wander laid on a healthy one, of the power; at least some watts; kelvins."""
HALL_SETPOINT, HALL_BAND = 24.0, 0.5

Row = Mapping[str, float | bool]


def like_conditions(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Row]:
    """Means of both years cell by cell, weighted by the steps that they share, and whether they are the `same`.

    Means, because coolers and a chiller that switch have no telling median. A power is `off` by a share, a hall by K.
    """
    cells = (_cells(x).add_suffix(f" {number}") for number, x in enumerate((first, second), 1))
    both = pd.concat(cells, axis=1, join="inner")
    both = both[(both["steps 1"] >= LEAST_STEPS) & (both["steps 2"] >= LEAST_STEPS)]
    weight = both[["steps 1", "steps 2"]].min(axis=1)
    rows: dict[str, Row] = {}
    for name in (*POWER, "hall-air"):
        was, now = (float((both[f"{name} {x}"] * weight).sum() / weight.sum()) for x in (1, 2))
        power = name in POWER
        same = abs(now - was) <= (max(SHARE * was, LEAST_KW) if power else LEAST_K)
        off = (now - was) / max(was, LEAST_KW) if power else now - was
        rows[name] = {"y1": round(was, 3), "y2": round(now, 3), "off": round(off, 4), "same": same}
    return rows


def hall_held(site: pd.DataFrame) -> float:
    """The share of a healthy year in which the halls are within half a kelvin of their set point."""
    return round(float(((site["hall-air"] - HALL_SETPOINT).abs() <= HALL_BAND).mean()), 4)


def _cells(site: pd.DataFrame) -> pd.DataFrame:
    keys = [(site[name] // size).rename(name) for name, size in CELL.items()]
    values = pd.DataFrame({name: site[list(parts)].sum(axis=1) for name, parts in POWER.items()})
    values["hall-air"] = site["hall-air"]
    groups = values.groupby(keys)
    return groups.mean().assign(steps=groups.size())
