"""Renewable energy factor, E_ren / E_DC, at most 1 (ISO/IEC 30134-3).

E_ren is on-site generation that stayed on the site, less what was sold of it as certificates, and contracts and
certificates that were retired; it is capped at E_DC over the window, and the capped sum is the numerator.
"""

from __future__ import annotations

from collections.abc import Mapping

from analytics.kpi.base import Kpi, Ratio


def _ref(sums: Mapping[str, float]) -> Ratio:
    e_dc = sums["e_dc"]
    parts = {
        "onsite": max(sums.get("onsite", 0.0) - sums.get("onsite_sold", 0.0), 0.0),
        "ppa": sums.get("ppa", 0.0),
        "certificate": sums.get("certificate", 0.0),
    }
    renewable = min(sum(parts.values()), max(e_dc, 0.0))
    shares = {name: energy / e_dc for name, energy in parts.items()} if e_dc > 0 else {}
    return Ratio(numerator=renewable, denominator=e_dc, parts=shares)


REF = Kpi(
    name="ref",
    label="REF",
    unit="1",
    needs=("e_dc",),
    uses=("onsite", "onsite_sold", "ppa", "certificate"),
    any_of=("onsite", "ppa"),
    combine=_ref,
)
