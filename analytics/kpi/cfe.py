"""24x7 carbon-free share by hourly matching: sum over hours of [min(C, L) + (L - min(C, L)) x grid share] / sum of L.

C is on-site renewable energy, L is E_DC. Whole UTC hours alone count, those in which every interval has a value
(:mod:`analytics.matching`); what one hour has too much of never covers another one.
"""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _cfe(sums: Mapping[str, float]) -> Ratio:
    e_dc = sums["e_dc"]
    parts = {"onsite": sums.get("onsite_matched", 0.0), "grid": sums["grid_carbon_free"]}
    shares = {name: energy / e_dc for name, energy in parts.items()} if e_dc > 0 else {}
    return Ratio(numerator=sum(parts.values()), denominator=e_dc, parts=shares)


CFE = Kpi(
    name="cfe",
    label="24x7 carbon-free share",
    unit="1",
    needs=("grid_carbon_free", "e_dc"),
    uses=("onsite_matched",),
    combine=_cfe,
    hourly=True,
)
