"""Mean power of a site's subsystems on each grid interval, from its quantities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analytics.balance import Quantity
from analytics.kpi.subsystems import METERED, SUBSYSTEMS, split
from wattwell.intervals import HOUR
from wattwell.model import Float64

POWERS: Mapping[str, tuple[str, ...]] = {
    "total": ("e_dc",),
    "it": ("e_it",),
    **{name: ("e_dc", "e_it", name) for name in METERED},
    "other": ("e_dc", "e_it", *METERED),
}
"""The quantities that each subsystem's power is made of."""


def power_columns(found: Mapping[str, Quantity], grid: int) -> dict[str, Float64]:
    """kW by subsystem, and ``water_litres``, on each interval; NaN where unknown."""
    known = {name: np.where(q.usable & q.served, q.value, np.nan) for name, q in found.items()}
    hours = grid / HOUR
    columns: dict[str, Float64] = {}
    if "e_dc" in known:
        columns["total"] = known["e_dc"] / hours
    if "e_it" in known:
        columns["it"] = known["e_it"] / hours
    if "e_dc" in known and "e_it" in known:
        taken = {name: np.where(found[name].usable, found[name].value, np.nan) for name in METERED if name in found}
        columns["other"] = split({"e_dc": known["e_dc"], "e_it": known["e_it"], **taken})["other"] / hours
        columns |= {name: known[name] / hours for name in taken}
    length = len(next(iter(known.values()))) if known else 0
    unknown = np.full(length, np.nan)
    columns = {name: columns.get(name, unknown) for name in ("total", "it", *SUBSYSTEMS)}
    return columns | {"water_litres": known.get("water", unknown)}
