"""Energy reuse factor, E_reuse / E_DC (ISO/IEC 30134-6), and effectiveness, (E_DC - E_reuse) / E_IT (Green Grid)."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio, boundary


def _erf(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["heat_reuse"], denominator=sums["e_dc"])


def _ere(sums: Mapping[str, float]) -> Ratio:
    e_dc, e_it = sums["e_dc"], sums["e_it"]
    return Ratio(numerator=e_dc - sums["heat_reuse"], denominator=e_it, issues=boundary(e_dc, e_it))


ERF = Kpi(name="erf", label="ERF", unit="1", needs=("heat_reuse", "e_dc"), combine=_erf)
ERE = Kpi(name="ere", label="ERE", unit="1", needs=("e_dc", "heat_reuse", "e_it"), combine=_ere, category=True)
