"""What really flowed, step by step, and the KPIs that follow from it.

Every amount is a whole multiple of 2**-24 kWh or L (a fifth of a joule). Doubles add such numbers without rounding up
to half a billion, so parts sum to totals exactly, in any order and however a run is split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from wattwell.intervals import iso
from wattwell.model import Float64, Int64

_GRAIN = 2.0**24


def exact(amount: Float64) -> Float64:
    """Amounts rounded to whole grains, so that every later sum is exact."""
    return np.rint(amount * _GRAIN) / _GRAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthKpis:
    """KPIs over a span by METRICS: ratios of sums."""

    start: int
    end: int
    e_dc: float
    """kWh"""
    e_it: float
    onsite: float
    """On-site renewable energy used on site, kWh."""
    water: float
    """Total input, L."""
    pue: float
    wue: float
    """L/kWh"""
    ref: float
    overheads: Mapping[str, float]
    """cooling, power_chain, lighting, other: they sum to PUE - 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Amounts of each step ``[at, at + step)``: kWh, water in L."""

    at: Int64
    step_us: int
    pv: Float64
    it: Float64
    """At the UPS output."""
    ups_loss: Float64
    chiller: Float64
    tower: Float64
    chw_pump: Float64
    cw_pump: Float64
    ahu_east: Float64
    ahu_west: Float64
    lighting: Float64
    house: Float64
    heat_removed: Float64
    """Thermal energy that the chiller takes up."""
    evaporation: Float64
    blowdown: Float64
    domestic: Float64
    leak: Float64

    @property
    def cooling(self) -> Float64:
        """All cooling machinery."""
        return self.chiller + self.tower + self.chw_pump + self.cw_pump + self.ahu_east + self.ahu_west

    @property
    def ups_input(self) -> Float64:
        """IT and UPS losses."""
        return self.it + self.ups_loss

    @property
    def e_dc(self) -> Float64:
        """Everything the site uses: grid import + PV - export."""
        return self.ups_input + self.cooling + self.lighting + self.house

    @property
    def grid_import(self) -> Float64:
        """Load that PV does not cover."""
        return np.maximum(self.e_dc - self.pv, 0.0)

    @property
    def grid_export(self) -> Float64:
        """PV that the load does not take."""
        return np.maximum(self.pv - self.e_dc, 0.0)

    @property
    def onsite_used(self) -> Float64:
        """On-site renewable by METRICS: PV less the smaller of PV and export. Export never exceeds PV in a step, so
        the sum over any interval equals the rule applied to that interval's sums."""
        return self.pv - np.minimum(self.pv, self.grid_export)

    @property
    def makeup(self) -> Float64:
        """Tower make-up: evaporation + blow-down."""
        return self.evaporation + self.blowdown

    @property
    def water_input(self) -> Float64:
        """Water main: make-up, taps and leak."""
        return self.makeup + self.domestic + self.leak

    def __len__(self) -> int:
        return len(self.at)

    def slice(self, start: int, end: int) -> Truth:
        """The steps in ``[start, end)``; ValueError unless both are step edges inside the run."""
        first, last = (int(self.at[0]), int(self.at[-1]) + self.step_us) if len(self.at) else (0, 0)
        if not first <= start <= end <= last or (start - first) % self.step_us or (end - first) % self.step_us:
            raise ValueError(
                f"{iso(start)} to {iso(end)} is not made of steps of this run; "
                f"choose multiples of {self.step_us // 1_000_000} s in {iso(first)} to {iso(last)}"
            )
        part = slice((start - first) // self.step_us, (end - first) // self.step_us)
        columns = {name: getattr(self, name)[part] for name in _COLUMNS}
        return Truth(step_us=self.step_us, **columns)

    def kpis(self, start: int | None = None, end: int | None = None) -> TruthKpis:
        """KPIs over ``[start, end)``, by default the whole; ValueError for an empty or unaligned span."""
        start = int(self.at[0]) if start is None else start
        end = int(self.at[-1]) + self.step_us if end is None else end
        if start >= end:
            raise ValueError(f"the span from {iso(start)} to {iso(end)} is empty; choose a later end")
        part = self.slice(start, end)
        total, it = float(part.e_dc.sum()), float(part.it.sum())
        onsite, water = float(part.onsite_used.sum()), float(part.water_input.sum())
        split = {
            "cooling": float(part.cooling.sum()) / it,
            "power_chain": float(part.ups_loss.sum()) / it,
            "lighting": float(part.lighting.sum()) / it,
            "other": float(part.house.sum()) / it,
        }
        return TruthKpis(
            start=start,
            end=end,
            e_dc=total,
            e_it=it,
            onsite=onsite,
            water=water,
            pue=total / it,
            wue=water / it,
            ref=min(onsite / total, 1.0),
            overheads=split,
        )


_COLUMNS = tuple(field.name for field in fields(Truth) if field.name != "step_us")


def join(parts: Sequence[Truth]) -> Truth:
    """Consecutive pieces of one run as one."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS}
    return Truth(step_us=parts[0].step_us, **columns)
