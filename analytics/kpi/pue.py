"""Power usage effectiveness, E_DC / E_IT (ISO/IEC 30134-2, EN 50600-4-2), and its inverse, DCiE."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio, boundary


def _pue(sums: Mapping[str, float]) -> Ratio:
    e_dc, e_it = sums["e_dc"], sums["e_it"]
    return Ratio(numerator=e_dc, denominator=e_it, issues=boundary(e_dc, e_it))


def _dcie(sums: Mapping[str, float]) -> Ratio:
    e_dc, e_it = sums["e_dc"], sums["e_it"]
    return Ratio(numerator=e_it, denominator=e_dc, issues=boundary(e_dc, e_it))


PUE = Kpi(name="pue", label="PUE", unit="1", needs=("e_dc", "e_it"), combine=_pue, category=True, interim=True)
DCIE = Kpi(name="dcie", label="DCiE", unit="1", needs=("e_dc", "e_it"), combine=_dcie, category=True)
