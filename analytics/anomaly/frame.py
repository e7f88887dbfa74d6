"""A site by the hour: mean power, flow and sensor values, the grain at which expectations are learnt and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.balance import SiteGrid
from wattwell.intervals import HOUR
from wattwell.model import Bool, Float64, Int64, Meter, Site
from wattwell.roles import ENERGY_KINDS, WATER_KINDS

LEAST_KNOWN = 0.5
"""Share of an hour that must be known for its mean to count, and of an interval that must be measured.

Amounts that are recovered after a gap are right in sum, but say nothing of the hour.
"""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Consecutive whole hours of a site, columns of equal length."""

    site: Site
    start: Int64
    """Starts of the hours, microseconds UTC, without gaps."""
    value: Mapping[str, Float64]
    """By meter: mean kW (energy, power), L/h (water, flow), or the mean in the canonical unit; NaN where missing."""

    def __len__(self) -> int:
        return len(self.start)

    def sum(self, terms: Sequence[tuple[float, str]]) -> Float64:
        """A signed sum of meters; NaN where one is missing."""
        total = np.zeros(len(self))
        for factor, meter in terms:
            total = total + factor * self.value[meter]
        return total

    def between(self, start: int, end: int) -> slice:
        """Where the hours lie that start in [start, end)."""
        return slice(int(np.searchsorted(self.start, start)), int(np.searchsorted(self.start, end)))

    def part(self, where: slice) -> Frame:
        """Some of the hours."""
        return Frame(site=self.site, start=self.start[where], value={k: v[where] for k, v in self.value.items()})

    @cached_property
    def local_hours(self) -> Int64:
        """Hours since the epoch as the site's clocks show them: summer time moves them by one."""
        import pandas as pd  # noqa: PLC0415 - most commands do without it, and start sooner

        local = pd.DatetimeIndex(self.start.astype("datetime64[us]"), tz="UTC").tz_convert(self.site.zone)
        return local.tz_localize(None).as_unit("us").asi8 // HOUR


def hourly(site: Site, grid: SiteGrid) -> Frame:
    """Interval values by the hour; the hours at both ends that the grid does not hold whole are left out."""
    per_hour = HOUR // grid.grid
    first = int(-grid.start[0] // grid.grid % per_hour) if len(grid.start) else 0
    count = max(0, (len(grid.start) - first) // per_hour)
    rows = slice(first, first + count * per_hour)
    value = {
        name: _scale(site.meters[name], grid.grid) * _means(column[rows].reshape(count, per_hour))
        for name, column in ((name, _measured(grid, name)) for name in grid.value)
    }
    return Frame(site=site, start=grid.start[rows][::per_hour], value=value)


def _measured(grid: SiteGrid, name: str) -> Float64:
    return np.where(grid.measured[name] >= LEAST_KNOWN, grid.value[name], np.nan)


def _scale(meter: Meter, grid: int) -> float:
    """From what an interval holds to a mean rate: kWh to kW, litres to litres an hour."""
    return HOUR / grid if meter.quantity in ENERGY_KINDS | WATER_KINDS else 1.0


def _means(blocks: Float64) -> Float64:
    known: Bool = ~np.isnan(blocks)
    count = known.sum(axis=1)
    total = np.where(known, blocks, 0.0).sum(axis=1)
    return np.where(count >= LEAST_KNOWN * blocks.shape[1], total / np.maximum(count, 1), np.nan)
