"""What a site declares about its emissions beside its meters: entries made by hand, and a baseline to compare with."""

from __future__ import annotations

from dataclasses import dataclass

from wattwell.intervals import Interval

KINDS = ("fuel", "refrigerant")
"""What an entry may be about; both are direct emissions, scope 1 (GHG Protocol, Corporate Standard)."""
NOT_STATED = "not stated"
"""Printed where the source of a factor is not configured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmissionEntry:
    """One row of a site's emissions file: a fuel or a refrigerant that no meter counts."""

    id: str
    kind: str
    """One of KINDS."""
    interval: Interval
    """Local dates of the file as instants, end exclusive; the amount is spread over it evenly by time."""
    amount: float
    """In ``unit``, 0 or more."""
    unit: str
    """As written: L, kg, m3 and so on."""
    kg_per_unit: float
    """kg CO2 equivalent by unit."""
    factor: str
    """What the factor is, for example ``R-134a, GWP 1430``."""
    source: str
    """Where the factor comes from, for example ``DEFRA 2025``."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The named operation against which avoided energy and emissions are stated."""

    name: str
    pue: float
    """1 or more."""
    grid_kg_per_kwh: float | None = None
    """Its own grid factor; None: that of each hour."""
