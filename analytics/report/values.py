"""KPI values of a part of a period, by the same rules as every other (:mod:`analytics.evaluate`)."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from analytics.balance import Quantity
from analytics.evaluate import Rules, Window, evaluate
from analytics.kpi import KPIS
from analytics.report.period import PeriodData
from analytics.windows import Sums
from wattwell.intervals import Interval
from wattwell.model import KpiValue


def value_of(name: str, data: PeriodData, low: int, high: int, rules: Rules, available: Collection[str]) -> KpiValue:
    """A KPI over intervals [low, high) of a period; not for KPIs by the hour or of a peak.

    ``available``: the quantities that the site has (:func:`analytics.balance.inputs`).
    """
    kpi = KPIS[name]
    first = data.span.start + low * data.grid
    window = Window(name=None, interval=Interval(first, first + (high - low) * data.grid))
    if kpi.missing(available):
        return evaluate(data.site, kpi, window, None, available, rules)
    found = {each: data.quantities[each] for each in kpi.quantities(available)}
    columns = [_cut(column.required() if each in kpi.needs else column, low, high) for each, column in found.items()]
    usable = np.logical_and.reduce([column.usable for column in columns])
    measured = np.minimum.reduce([column.measured for column in columns])
    spans = np.rint(measured[usable] * data.grid).astype(np.int64)
    sums = Sums(
        sums=tuple(math.fsum(column.value[usable].tolist()) for column in columns),
        usable=int(usable.sum()),
        measured=int(spans.sum()),
        peak=-math.inf,
    )
    return evaluate(data.site, kpi, window, sums, available, rules)


def amount_of(name: str, data: PeriodData, low: int, high: int) -> float | None:
    """What a quantity comes to over the intervals [low, high) in which it is known; None where the site lacks it."""
    if name not in data.quantities:
        return None
    column = _cut(data.quantities[name].required(), low, high)
    return math.fsum(column.value[column.usable].tolist()) if column.usable.any() else None


def _cut(column: Quantity, low: int, high: int) -> Quantity:
    kept = slice(low, high)
    return Quantity(
        value=column.value[kept], usable=column.usable[kept], served=column.served[kept], measured=column.measured[kept]
    )
