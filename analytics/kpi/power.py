"""UPS efficiency, UPS output / UPS input; peak demand, the highest interval mean of the utility import in kW; and load
factor, the mean of its usable intervals by that peak."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _ups_efficiency(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["it_ups"], denominator=sums["ups_input"])


def _peak_demand(sums: Mapping[str, float]) -> Ratio:
    """``peak`` is the largest interval's import in kWh and ``hours`` the length of an interval."""
    return Ratio(numerator=sums["peak"], denominator=sums["hours"])


def _load_factor(sums: Mapping[str, float]) -> Ratio:
    """Mean and peak in kW; ``intervals``: how many are usable."""
    hours = sums["intervals"] * sums["hours"]
    return Ratio(numerator=sums["import"] / hours if hours else 0.0, denominator=sums["peak"] / sums["hours"])


UPS_EFFICIENCY = Kpi(
    name="ups_efficiency", label="UPS efficiency", unit="1", needs=("it_ups", "ups_input"), combine=_ups_efficiency
)
PEAK_DEMAND = Kpi(
    name="peak_demand_kw", label="Peak demand", unit="kW", needs=("import",), combine=_peak_demand, peak=True
)
LOAD_FACTOR = Kpi(name="load_factor", label="Load factor", unit="1", needs=("import",), combine=_load_factor, peak=True)
