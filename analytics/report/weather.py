"""PUE beside the outdoor temperature: hour by hour in a month, day by day in a year."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analytics.report.energy import joined
from analytics.report.model import Weather
from analytics.report.period import PeriodData
from wattwell.intervals import HOUR
from wattwell.model import Float64, Int64

_TEMPERATURE = "outdoor_dry_bulb"


def weather(data: PeriodData, step: str) -> Weather | None:
    """Points of ``hour`` or ``day`` (local) in which every interval has E_DC, E_IT and temperature; each point's PUE is
    a ratio of sums. None without an outdoor sensor."""
    air = data.roles.get(_TEMPERATURE)
    if air is None:
        return None
    known = air.value[air.usable]
    temperature, pue = _points(data, step)
    return Weather(
        step=step,
        temperature=tuple(temperature.tolist()),
        pue=tuple(pue.tolist()),
        mean=float(known.mean()) if len(known) else None,
        lowest=float(known.min()) if len(known) else None,
        highest=float(known.max()) if len(known) else None,
    )


def _points(data: PeriodData, step: str) -> tuple[Float64, Float64]:
    nothing = np.empty(0)
    if not {"e_dc", "e_it"} <= data.quantities.keys() or not len(data.at):
        return nothing, nothing
    columns = [data.quantities["e_dc"].required(), data.quantities["e_it"].required(), data.roles[_TEMPERATURE]]
    joint = joined(columns)
    place = data.at // HOUR if step == "hour" else _local_days(data.at, data.site.zone)
    place = place - place[0]
    count = np.bincount(place)
    whole = np.bincount(place, weights=joint) == count
    e_dc, e_it, degrees = (np.bincount(place, weights=column.value) for column in columns)
    kept = whole & (count > 0) & (e_it > 0)
    if step == "hour":
        kept &= count == HOUR // data.grid
    return degrees[kept] / count[kept], e_dc[kept] / e_it[kept]


def _local_days(at: Int64, zone: str) -> Int64:
    local = pd.DatetimeIndex(at.astype("datetime64[us]"), tz="UTC").tz_convert(zone)
    return local.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
