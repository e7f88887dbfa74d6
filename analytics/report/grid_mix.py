"""Hourly generation of a grid by fuel as factors of a site: carbon intensity, carbon-free share, renewable share.

Fuel codes are those of the U.S. Energy Information Administration's hourly grid monitor. Water power counts as
renewable; carbon-free is renewable and nuclear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from wattwell.intervals import HOUR, iso
from wattwell.model import Bool, Float64, Int64

RENEWABLE = ("WND", "SUN", "WAT", "GEO", "BIO")
FUELS = (*RENEWABLE, "NUC", "OIL", "NG", "COL", "OTH")
INTENSITY = "avg_CI"
_G_PER_KG = 1000
BASIS = (
    "Shares are ratios of sums over the hours that are used. Renewable: WND SUN WAT GEO BIO; carbon-free: these and "
    "NUC; a fuel below 0 in an hour counts as 0. The mean intensity is the plain mean of these hours; the weighted one "
    "is by generation. An hour without a row, with an empty cell, without generation or with an intensity below 0 is "
    "a gap and gets no factor."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """An hourly table, as columns in order of time; NaN where a cell is empty."""

    hours: Int64
    """Starts of UTC hours, ascending."""
    fuels: Mapping[str, Float64]
    """MWh by fuel code."""
    intensity: Float64 | None
    """g CO2 equivalent by kWh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Consecutive hours that are not used."""

    start: str
    """UTC, with Z."""
    end: str
    """Exclusive."""
    hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GridMix:
    """What a table comes to over its whole span."""

    start: str
    end: str
    """Exclusive."""
    hours: int
    """In the span."""
    used: int
    missing_rows: int
    """Hours of the span without a row."""
    empty_cells: int
    negative_cells: int
    holes: tuple[Hole, ...]
    generation_mwh: float
    """Over the hours used."""
    renewable_share: float | None
    carbon_free_share: float | None
    mean_g_per_kwh: float | None
    """Plain mean of the hours used; None without the column avg_CI."""
    weighted_g_per_kwh: float | None
    """Mean of the same hours, weighted by generation."""
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFactors:
    """The hours used, with their factors by name; each a value for every hour."""

    hours: Int64
    values: Mapping[str, Float64] = field(repr=False)
    """grid_kg_per_kwh (where the intensity is known), grid_carbon_free_share, grid_renewable_share."""


def grid_mix(table: Generation) -> tuple[GridMix, GridFactors]:
    """The figures of a table, and the factors of the hours in it that can be used."""
    cells = np.stack(list(table.fuels.values()))
    total = cells.sum(axis=0)
    known = total > 0  # not where a cell is NaN
    if table.intensity is not None:
        known &= table.intensity >= 0
    made = {name: np.maximum(column[known], 0.0) for name, column in table.fuels.items()}
    everything = _sum(made, FUELS)
    renewable, clean = _sum(made, RENEWABLE), _sum(made, (*RENEWABLE, "NUC"))
    values = {"grid_carbon_free_share": clean / everything, "grid_renewable_share": renewable / everything}
    intensity = None if table.intensity is None else table.intensity[known]
    if intensity is not None:
        values["grid_kg_per_kwh"] = intensity / _G_PER_KG
    generation, used = float(everything.sum()), int(known.sum())
    span = int(table.hours[-1] + HOUR - table.hours[0]) // HOUR
    given = [cells] if table.intensity is None else [cells, table.intensity[None]]
    mix = GridMix(
        start=iso(int(table.hours[0])),
        end=iso(int(table.hours[-1]) + HOUR),
        hours=span,
        used=used,
        missing_rows=span - len(table.hours),
        empty_cells=sum(int(np.isnan(block).sum()) for block in given),
        negative_cells=int((cells < 0).sum()),
        holes=_holes(table.hours, known),
        generation_mwh=generation,
        renewable_share=float(renewable.sum()) / generation if used else None,
        carbon_free_share=float(clean.sum()) / generation if used else None,
        mean_g_per_kwh=float(intensity.mean()) if intensity is not None and used else None,
        weighted_g_per_kwh=float(intensity @ everything) / generation if intensity is not None and used else None,
        basis=BASIS,
    )
    return mix, GridFactors(hours=table.hours[known], values=values)


def _sum(made: Mapping[str, Float64], names: tuple[str, ...]) -> Float64:
    columns = [made[name] for name in names if name in made]
    return np.sum(columns, axis=0) if columns else np.zeros(len(next(iter(made.values()))))


def _holes(hours: Int64, known: Bool) -> tuple[Hole, ...]:
    """Spans between the first and the last row's end without an hour that is used."""
    bounds = [int(hours[0]) - HOUR, *hours[known].tolist(), int(hours[-1]) + HOUR]
    return tuple(
        Hole(start=iso(before + HOUR), end=iso(after), hours=(after - before) // HOUR - 1)
        for before, after in pairwise(bounds)
        if after - before > HOUR
    )
