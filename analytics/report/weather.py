"""PUE beside the outdoor temperature: hour by hour in a month, day by day in a year."""

from __future__ import annotations

import numpy as np

from analytics.evaluate import Rules
from analytics.report.model import Weather
from analytics.report.period import PeriodData
from wattwell.intervals import HOUR
from wattwell.model import Float64, Int64

_TEMPERATURE = "outdoor_dry_bulb"


def weather(data: PeriodData, step: str, rules: Rules) -> Weather | None:
    """One point for each UTC ``hour`` whose intervals all have E_DC, E_IT and temperature, or for each local ``day`` of
    which the full share has; each point's PUE is a ratio of sums, and one below 1 is none. Mean and extremes need the
    least share of the period. None without a sensor."""
    air = data.roles.get(_TEMPERATURE)
    if air is None:
        return None
    known = air.value[air.usable] if len(data.at) and air.usable.mean() >= rules.provisional else np.empty(0)
    temperature, pue = _points(data, step, rules.full)
    return Weather(
        step=step,
        temperature=tuple(temperature.tolist()),
        pue=tuple(pue.tolist()),
        mean=float(known.mean()) if len(known) else None,
        lowest=float(known.min()) if len(known) else None,
        highest=float(known.max()) if len(known) else None,
    )


def _points(data: PeriodData, step: str, full: float) -> tuple[Float64, Float64]:
    nothing = np.empty(0)
    if not {"e_dc", "e_it"} <= data.quantities.keys() or not len(data.at):
        return nothing, nothing
    columns = [data.quantities["e_dc"].required(), data.quantities["e_it"].required(), data.roles[_TEMPERATURE]]
    joint = np.logical_and.reduce([column.usable for column in columns])
    place = data.at // HOUR if step == "hour" else _local_days(data.at, data.site.zone)
    place = place - place[0]
    usable, count = np.bincount(place, weights=joint), np.bincount(place)
    e_dc, e_it, degrees = (np.bincount(place, weights=np.where(joint, column.value, 0.0)) for column in columns)
    kept = (usable > 0) & (usable >= full * count) & (e_it > 0) & (e_dc >= e_it)
    if step == "hour":
        kept &= usable == HOUR // data.grid
    return degrees[kept] / usable[kept], e_dc[kept] / e_it[kept]


def _local_days(at: Int64, zone: str) -> Int64:
    import pandas as pd  # noqa: PLC0415 - heavy, and most commands do without

    local = pd.DatetimeIndex(at.astype("datetime64[us]"), tz="UTC").tz_convert(zone)
    return local.tz_localize(None).to_numpy().astype("datetime64[D]").astype(np.int64)
