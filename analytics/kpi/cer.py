"""Cooling efficiency ratio, heat removed / energy of the cooling (ISO/IEC 30134-7)."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _cer(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["heat_removed"], denominator=sums["cooling"])


CER = Kpi(name="cer", label="CER", unit="1", needs=("heat_removed", "cooling"), combine=_cer)
