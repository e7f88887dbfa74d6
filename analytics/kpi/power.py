"""UPS efficiency, UPS output / UPS input, and peak demand, the highest interval mean of the utility import in kW."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _ups_efficiency(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["it_ups"], denominator=sums["ups_input"])


def _peak_demand(sums: Mapping[str, float]) -> Ratio:
    """``peak`` is the largest interval's import in kWh and ``hours`` the length of an interval."""
    return Ratio(numerator=sums["peak"], denominator=sums["hours"])


UPS_EFFICIENCY = Kpi(
    name="ups_efficiency", label="UPS efficiency", unit="1", needs=("it_ups", "ups_input"), combine=_ups_efficiency
)
PEAK_DEMAND = Kpi(
    name="peak_demand_kw", label="Peak demand", unit="kW", needs=("import",), combine=_peak_demand, peak=True
)
