"""Heat that was used again, and heat that was removed."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.report.energy import known_total
from analytics.report.model import Heat
from analytics.report.period import PeriodData
from wattwell.model import KpiValue


def heat(data: PeriodData, values: Mapping[str, KpiValue], least: float) -> Heat:
    """kWh over the intervals in which each is known; ``values``: the KPIs of the period.

    ``least``: the share of the period below which an amount has no value.
    """
    return Heat(
        reused_kwh=known_total(data.quantities.get("heat_reuse"), least),
        erf=values["erf"].value,
        removed_kwh=known_total(data.quantities.get("heat_removed"), least),
        cer=values["cer"].value,
    )
