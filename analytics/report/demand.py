"""The load over a period: its peak, its mean, and for what share of the time it was at least so much."""

from __future__ import annotations

import numpy as np

from analytics.report.model import Curve, Demand
from analytics.report.period import PeriodData, known
from wattwell.intervals import HOUR, iso
from wattwell.model import Float64

_POINTS = 201
_NOTHING = Demand(label="", peak_kw=None, peak_at=None, mean_kw=None, load_factor=None, curves=())


def demand(data: PeriodData, least: float) -> Demand:
    """Interval means in kW of the utility import, of all its meters together; of E_DC where nothing is imported.

    ``least``: the share of the period that must be known for anything to be said.
    """
    name, label = ("import", "Utility import") if "import" in data.quantities else ("e_dc", "Data centre (E_DC)")
    if name not in data.quantities:
        return _NOTHING
    load = _kilowatts(data, name)
    curves = [_curve(label, load)]
    if "e_it" in data.quantities:
        curves.append(_curve("IT load", _kilowatts(data, "e_it")))
    there = ~np.isnan(load)
    if not there.any() or there.mean() < least:
        return Demand(label=label, peak_kw=None, peak_at=None, mean_kw=None, load_factor=None, curves=())
    place = int(np.nanargmax(load))
    peak, mean = float(load[place]), float(load[there].mean())
    return Demand(
        label=label,
        peak_kw=peak,
        peak_at=iso(int(data.at[place])),
        mean_kw=mean,
        load_factor=mean / peak if peak > 0 else None,
        curves=tuple(curve for curve in curves if curve is not None and curve.usable >= least),
    )


def _kilowatts(data: PeriodData, name: str) -> Float64:
    return known(data.quantities[name]) * (HOUR / data.grid)


def _curve(label: str, load: Float64) -> Curve | None:
    """At most so many points of the sorted means, the highest and the lowest among them."""
    there = np.sort(load[~np.isnan(load)])[::-1]
    if not len(there):
        return None
    place = np.unique(np.linspace(0, len(there) - 1, min(_POINTS, len(there))).astype(np.int64))
    return Curve(
        label=label,
        share=tuple(((place + 1) / len(there)).tolist()),
        kw=tuple(there[place].tolist()),
        usable=len(there) / len(load),
    )
