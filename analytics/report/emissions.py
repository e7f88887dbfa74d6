"""Emissions on each interval, source by source: the parts that the carbon quantities of a site are sums of.

As in them (:mod:`analytics.factors`), an import or a fuel that counts backwards in an interval takes no carbon away.
"""

from __future__ import annotations

from analytics.balance import Quantity, SiteGrid, scaled_sum, sides
from analytics.factors import CARBON, ONE, emitting
from wattwell.model import Site

IMPORTED = "imported"
"""kWh of all utility imports, none of them below 0."""
SCOPE2 = {"location": ("scope2_location", "carbon_location"), "market": ("scope2_market", "carbon_market")}
"""By basis: kg of the utility imports, and the quantity that they are a part of."""
_CLIPPED = "carbon_location"


def emitted(meter: str) -> str:
    """The name of the kWh of a meter with emissions of its own; meter ids hold no space."""
    return f"emitted {meter}"


def emission_columns(site: Site, grid: SiteGrid) -> dict[str, Quantity]:
    """Imports in kWh and kg, and the kWh of each meter with ``kg_per_kwh``; what the site lacks is left out."""
    imports = sides(site).get("import", ())
    found: dict[str, Quantity] = {}
    if imports:
        counted = tuple((sign, ONE, meter) for sign, meter in imports)
        found[IMPORTED] = scaled_sum(site, grid, _CLIPPED, counted).required()
    for name, whole in SCOPE2.values():
        factor = site.factors.get(CARBON[whole])
        if imports and factor is not None:
            terms = tuple((sign, factor, meter) for sign, meter in imports)
            found[name] = scaled_sum(site, grid, whole, terms).required()
    for meter in emitting(site.meters):
        found[emitted(meter)] = scaled_sum(site, grid, _CLIPPED, ((1.0, ONE, meter),))
    return found
