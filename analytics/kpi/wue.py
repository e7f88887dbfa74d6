"""Water usage effectiveness, W / E_IT in L/kWh (ISO/IEC 30134-9); the numerator is the one that the site declares.

At source (The Green Grid, white paper 35) the water behind the electricity is added, EWIF x E_DC of each interval. The
reclaimed share is reclaimed and recovered water by all that came in and what was recovered.
"""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _wue(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["water"], denominator=sums["e_it"])


def _wue_source(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["water"] + sums["source_water"], denominator=sums["e_it"])


def _reclaimed(sums: Mapping[str, float]) -> Ratio:
    return Ratio(numerator=sums["water_reused"], denominator=sums["water_total"] + sums.get("water_recovered", 0.0))


WUE = Kpi(name="wue", label="WUE", unit="L/kWh", needs=("water", "e_it"), combine=_wue, category=True)
WUE_SOURCE = Kpi(
    name="wue_source",
    label="WUE at source",
    unit="L/kWh",
    needs=("water", "source_water", "e_it"),
    combine=_wue_source,
    category=True,
)
RECLAIMED = Kpi(
    name="water_reclaimed_share",
    label="Reclaimed water share",
    unit="1",
    needs=("water_reused", "water_total"),
    uses=("water_recovered",),
    combine=_reclaimed,
)
