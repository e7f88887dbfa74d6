"""The hourly carbon-free share (24x7) by hour of the local day."""

from __future__ import annotations

import numpy as np

from analytics.factors import GRID_CARBON_FREE
from analytics.report.model import Hourly
from analytics.report.period import PeriodData
from wattwell.model import Int64


def hourly(data: PeriodData) -> Hourly | None:
    """Carbon-free energy by E_DC over all of the period, for each local hour; None without the grid's share.

    The hours are those of :mod:`analytics.matching`; a share is None where no such hour of the day has a value.
    """
    grid, load = data.quantities.get(GRID_CARBON_FREE), data.quantities.get("e_dc")
    if grid is None or load is None:
        return None
    onsite = data.quantities.get("onsite_matched")
    free = grid.value if onsite is None else grid.value + onsite.value
    hour = _local_hour(data.at, data.site.zone)
    sums = [
        np.bincount(hour, weights=np.where(grid.usable, column, 0.0), minlength=24) for column in (free, load.value)
    ]
    pairs = zip(*(column.tolist() for column in sums), strict=True)
    return Hourly(hour=tuple(range(24)), share=tuple(free / energy if energy > 0 else None for free, energy in pairs))


def _local_hour(at: Int64, zone: str) -> Int64:
    """0 to 23, in the site's zone."""
    import pandas as pd  # noqa: PLC0415 - heavy, and most commands do without

    local = pd.DatetimeIndex(at.astype("datetime64[us]"), tz="UTC").tz_convert(zone)
    return local.hour.to_numpy().astype(np.int64)
