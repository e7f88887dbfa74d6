"""Heat that was used again, and heat that was removed."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.report.energy import total
from analytics.report.model import Heat
from analytics.report.period import PeriodData
from wattwell.model import KpiValue


def heat(data: PeriodData, values: Mapping[str, KpiValue]) -> Heat:
    """kWh over the intervals in which each is known; ``values``: the KPIs of the period."""
    return Heat(
        reused_kwh=_amount(data, "heat_reuse"),
        erf=values["erf"].value,
        removed_kwh=_amount(data, "heat_removed"),
        cer=values["cer"].value,
    )


def _amount(data: PeriodData, name: str) -> float | None:
    column = data.quantities.get(name)
    return None if column is None or not column.usable.any() else total(column, column.usable)
