"""The water balance of a period: where water came from and where it went, over the same intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator

from analytics.balance import Quantity
from analytics.report.energy import joined, known_total, total
from analytics.report.model import Breakdown, Water
from analytics.report.period import PeriodData, water_inlet
from analytics.report.rounding import breakdown
from wattwell.model import Bool

SOURCES = {
    "water_potable": "Potable",
    "water_reclaimed": "Reclaimed",
    "water_rain": "Rain",
    "water_input": "Site input, other",
    "water_recovered": "Recovered on site",
}
"""Each less what inlets below it count: site input is what comes in and no other meter names."""
USES = {
    "water_tower_makeup": "Tower make-up",
    "tower_evaporation": "Tower evaporation and drift",
    "water_blowdown": "Tower blow-down",
    "water_evaporative": "Evaporative cooling",
    "water_returned": "Returned",
}
"""Make-up as a whole, or its two parts where blow-down is metered."""
_OTHER_INLETS = ("water_potable", "water_reclaimed", "water_rain")
OTHER = ("other", "Not metered by use")
_TOWER = ("water_tower_makeup", "water_blowdown")
"""Their difference is evaporation: where one of them alone is in service, it is not known."""
_METERED = ("water_recovered", "water_tower_makeup", "water_blowdown", "water_evaporative", "water_returned")


def water(data: PeriodData, least: float, reclaimed: float | None = None) -> Water:
    """All of it; a part that is not metered is None. ``reclaimed``: the KPI ``water_reclaimed_share`` of the period.

    ``least``: the share of the period below which an amount has no value.
    """
    sources, uses = _sources_and_uses(data)
    pair = [data.roles[name].required() for name in _TOWER if name in data.roles]
    both = joined(pair) if len(pair) == len(_TOWER) else None
    cycles = None
    if both is not None and both.any() and both.mean() >= least and (away := total(pair[1], both)) > 0:
        cycles = total(pair[0], both) / away
    return Water(
        numerator=data.site.wue_numerator,
        sources=sources,
        uses=uses,
        blowdown=known_total(data.roles.get("water_blowdown"), least),
        returned=known_total(data.roles.get("water_returned"), least),
        cycles=cycles,
        reclaimed_share=reclaimed,
    )


def _sources_and_uses(data: PeriodData) -> tuple[Breakdown | None, Breakdown | None]:
    whole = data.quantities.get("water_total")
    if whole is None:
        return None, None
    inlets = [data.quantities[name] for role in SOURCES if (name := water_inlet(role)) in data.quantities]
    metered = _metered(data)
    joint = joined([whole.required(), *inlets, *metered.values()])
    if joint is None:
        return None, None
    if metered.keys() >= set(_TOWER):
        makeup, blowdown = (metered[name].served for name in _TOWER)
        joint &= makeup == blowdown
    if not joint.any():
        return None, None
    share = float(joint.mean())
    came = list(_sources(data, joint))
    went = list(_uses(data, joint, sum(value for _, _, value in came)))
    return breakdown("Water by source", "water", came, share), breakdown("Water by use", "water", went, share)


def _metered(data: PeriodData) -> dict[str, Quantity]:
    """Uses, and recovered water, by role, of which some meter is in service in the period."""
    return {name: data.roles[name] for name in _METERED if name in data.roles and data.roles[name].served.any()}


def _sources(data: PeriodData, joint: Bool) -> Iterator[tuple[str, str, float]]:
    """What came in by kind, and what was recovered."""
    for name, label in SOURCES.items():
        column = data.quantities.get(water_inlet(name), data.roles.get(name) if name == "water_recovered" else None)
        if column is not None:
            alone = name == "water_input" and not any(water_inlet(other) in data.quantities for other in _OTHER_INLETS)
            yield name, "Site input" if alone else label, total(column, joint)


def _uses(data: PeriodData, joint: Bool, came: float) -> Iterator[tuple[str, str, float]]:
    """What meters show of it; the rest is what no meter shows, also where that is less than nothing.

    Water that is returned holds the blow-down, if that goes back too: then it is no part of its own.
    """
    amounts = {name: total(column, joint) for name, column in _metered(data).items() if name in USES}
    if "water_blowdown" in amounts and "water_tower_makeup" in amounts:
        amounts["tower_evaporation"] = amounts.pop("water_tower_makeup") - amounts["water_blowdown"]
    if "water_returned" in amounts:
        amounts.pop("water_blowdown", None)
    for name, label in USES.items():
        if name in amounts:
            yield name, label, amounts[name]
    yield *OTHER, math.fsum([came, *(-amount for amount in amounts.values())])
