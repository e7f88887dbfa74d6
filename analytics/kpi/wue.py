"""Water usage effectiveness, W / E_IT in L/kWh (ISO/IEC 30134-9); the numerator is the one that the site declares."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _wue(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["water"], denominator=sums["e_it"])


WUE = Kpi(name="wue", label="WUE", unit="L/kWh", needs=("water", "e_it"), combine=_wue, category=True)
