"""Whether the healthy plant of year two is that of year one: both compared in like conditions. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

LIKE = {"ups-out": 2.0, "oat": 1.0, "wet-bulb": 1.0}
"""How far apart two steps in like conditions may be: kW, K, K."""
POWER = {"fans": ("fan-east", "fan-west"), "evap": ("evap",), "chiller": ("chiller",)}
SHARE, LEAST_KW, LEAST_K = 0.02, 0.02, 0.1
"""What may be between the years: twice the wander laid on a healthy one, of the power; at least some watts; kelvins."""
HALL_SETPOINT, HALL_BAND = 24.0, 0.5

Row = Mapping[str, float | bool]


def like_conditions(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Row]:
    """Each step of the second year beside the likest of the first: the means of both, and whether they are the `same`.

    Means, because coolers and a chiller that switch have no telling median. A power is `off` by a share, a hall by K.
    ValueError where nothing is alike.
    """
    places = [x[list(LIKE)].to_numpy() / np.array(list(LIKE.values())) for x in (first, second)]
    far, nearest = cKDTree(places[0]).query(places[1], p=np.inf, distance_upper_bound=1.0)
    near = np.isfinite(far)
    if not near.any():
        message = f"No step of the second year is like one of the first in {', '.join(LIKE)}: nothing to compare."
        raise ValueError(message)
    pairs = first.iloc[nearest[near]], second[near]
    rows: dict[str, Row] = {}
    for name, parts in POWER.items():
        was, now = (float(x[list(parts)].sum(axis=1).mean()) for x in pairs)
        rows[name] = _row(was, now, (now - was) / max(was, LEAST_KW), abs(now - was) <= max(SHARE * was, LEAST_KW))
    was, now = (float(x["hall-air"].mean()) for x in pairs)
    rows["hall-air"] = _row(was, now, now - was, abs(now - was) <= LEAST_K)
    return rows


def _row(was: float, now: float, off: float, same: bool) -> Row:
    return {"y1": round(was, 3), "y2": round(now, 3), "off": round(off, 4), "same": same}


def hall_held(site: pd.DataFrame) -> float:
    """The share of a healthy year in which the halls are within half a kelvin of their set point."""
    return round(float(((site["hall-air"] - HALL_SETPOINT).abs() <= HALL_BAND).mean()), 4)
