"""Energy times a factor of the hour: carbon by grid or market factor and by fuel, water behind the electricity.

CUE (ISO/IEC 30134-8) takes each import by its factor and each meter with direct emissions by its own; export is not
credited. WUE at source (The Green Grid, white paper 35) takes E_DC by the energy water intensity factor, EWIF; the 24x7
carbon-free share takes it by the carbon-free share of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wattwell.intervals import HOUR
from wattwell.model import Factor, Float64, Int64, Meter, Site
from wattwell.roles import above

CARBON = {"carbon_location": "grid_kg_per_kwh", "carbon_market": "market_kg_per_kwh"}
"""Quantities in kg by the name of the factor for imports."""
GRID_CARBON_FREE = "grid_carbon_free"
_OF_E_DC = {"source_water": "ewif_l_per_kwh", GRID_CARBON_FREE: "grid_carbon_free_share"}
FACTOR_OF = {**CARBON, **_OF_E_DC}
"""Every quantity that takes a factor of the site, by the factor's name."""

Scaled = tuple[tuple[float, Factor, str], ...]
"""(coefficient, factor, meter id): a sum of meters, each times a number and the factor of the hour."""
ONE = Factor(constant=1.0)


def scaled_sides(site: Site, sides: Mapping[str, tuple[tuple[float, str], ...]]) -> dict[str, Scaled]:
    """The sums by factors, by name; those without a meter, or without a factor that they need, are left out.

    ``sides``: the site's plain sums (:func:`analytics.balance.sides`).
    """
    found: dict[str, Scaled] = {}
    direct: Scaled = tuple((kg, ONE, meter) for meter, kg in emitting(site.meters).items())
    imports = sides.get("import", ())
    for name, key in CARBON.items():
        if key in site.factors:
            found[name] = (*((sign, site.factors[key], meter) for sign, meter in imports), *direct)
        elif not imports:
            found[name] = direct
    for name, key in _OF_E_DC.items():
        if (factor := site.factors.get(key)) is not None:
            found[name] = tuple((weight, factor, meter) for weight, meter in sides.get("e_dc", ()))
    return {name: terms for name, terms in found.items() if terms}


def emitting(meters: Mapping[str, Meter]) -> dict[str, float]:
    """kg/kWh of the meters with direct emissions; one below another of them is counted there already."""
    direct = {meter.id: meter.kg_per_kwh for meter in meters.values() if meter.kg_per_kwh is not None}
    return {name: kg for name, kg in direct.items() if direct.keys().isdisjoint(above(meters, name))}


def hourly(factor: Factor, start: Int64) -> Float64:
    """The factor on intervals, each by the UTC hour that it lies in; NaN where the hour has none."""
    if factor.constant is not None:
        return np.full(len(start), factor.constant)
    if not len(factor.hours):
        return np.full(len(start), np.nan)
    hour = start - start % HOUR
    place = np.minimum(np.searchsorted(factor.hours, hour), len(factor.hours) - 1)
    return np.where(factor.hours[place] == hour, factor.values[place], np.nan)


def scaled_column(name: str, coefficient: float, factor: Factor, value: Float64, start: Int64) -> Float64:
    """What one meter adds to a sum on each interval; NaN where value or factor is missing.

    An import or a fuel that counts backwards in an interval takes no carbon away: export is not credited.
    """
    counted = np.maximum(value, 0.0) if name in CARBON else value
    return coefficient * hourly(factor, start) * counted
