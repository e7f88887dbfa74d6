"""Partial PUE, (E_sub + E_IT) / E_IT (ISO/IEC 30134-2), and the overhead split, E_sub / E_IT.

All subsystems are taken over the same intervals, those in which everything metered of them has a value, so the
overheads sum to PUE - 1 over those intervals exactly. ``other`` is what E_DC holds beside IT and the three metered
subsystems; a subsystem that is not metered, or not yet, is part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from analytics.kpi.base import Kpi, Ratio, boundary
from wattwell.model import Float64

_Energy = TypeVar("_Energy", float, Float64)

SUBSYSTEMS = ("cooling", "power_chain", "lighting", "other")
METERED = ("cooling", "power_chain", "lighting")
"""Subsystems that have quantities of their own, each where the site meters it."""


def split(sums: Mapping[str, _Energy]) -> dict[str, _Energy]:
    """Energy of each subsystem, from sums over the same intervals; those not metered are in ``other``.

    Takes one number or one array for each of ``e_dc e_it`` and, where metered, ``cooling power_chain lighting``.
    """
    parts = {name: sums[name] for name in METERED if name in sums}
    other = sums["e_dc"] - sums["e_it"]
    for energy in parts.values():
        other = other - energy
    parts["other"] = other
    return parts


def _combine(subsystem: str, base: float) -> Callable[[Mapping[str, float]], Ratio]:
    def combine(sums: Mapping[str, float]) -> Ratio:
        e_it = sums["e_it"]
        energy = split(sums)[subsystem]
        return Ratio(numerator=energy + base * e_it, denominator=e_it, issues=boundary(sums["e_dc"], e_it))

    return combine


def _kpi(prefix: str, label: str, subsystem: str, base: float) -> Kpi:
    needs = ("e_dc", "e_it", subsystem) if subsystem in METERED else ("e_dc", "e_it")
    return Kpi(
        name=f"{prefix}_{subsystem}",
        label=f"{label} {subsystem.replace('_', ' ')}",
        unit="1",
        needs=needs,
        uses=tuple(name for name in METERED if name not in needs),
        combine=_combine(subsystem, base),
        category=True,
    )


PARTIAL_PUES = tuple(_kpi("ppue", "pPUE", subsystem, 1.0) for subsystem in SUBSYSTEMS)
OVERHEADS = tuple(_kpi("overhead", "Overhead", subsystem, 0.0) for subsystem in SUBSYSTEMS)
