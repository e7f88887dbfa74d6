"""Carbon usage effectiveness in kg CO2 equivalent by kWh of IT energy (ISO/IEC 30134-8), by grid and by market factor.

The sum of each import times its factor and of each meter with direct emissions times its own, interval by interval
(:mod:`analytics.factors`), by E_IT; export is not credited.
"""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _kpi(basis: str) -> Kpi:
    quantity = f"carbon_{basis}"

    def combine(sums: Mapping[str, float]) -> Ratio:
        return Ratio(numerator=sums[quantity], denominator=sums["e_it"])

    return Kpi(
        name=f"cue_{basis}",
        label=f"CUE ({basis})",
        unit="kg/kWh",
        needs=(quantity, "e_it"),
        combine=combine,
        category=True,
        basis=basis,
    )


CUE_LOCATION, CUE_MARKET = _kpi("location"), _kpi("market")
