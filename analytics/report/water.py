"""The water balance of a period: where water came from and where it went, over the same intervals."""

from __future__ import annotations

from collections.abc import Iterator

from analytics.report.energy import joined, total
from analytics.report.model import Breakdown, Water
from analytics.report.period import PeriodData
from analytics.report.rounding import breakdown
from wattwell.model import Bool

SOURCES = {
    "water_potable": "Potable",
    "water_reclaimed": "Reclaimed",
    "water_rain": "Rain",
    "rest": "Site input",
    "water_recovered": "Recovered on site",
}
"""``rest`` is what comes in and no meter names."""
USES = {"water_tower_makeup": "Tower make-up", "water_evaporative": "Evaporative cooling"}
OTHER = ("other", "Not metered by use")
_NAMED = ("water_potable", "water_reclaimed", "water_rain")


def water(data: PeriodData) -> Water:
    """All of it; a part that is not metered is None."""
    sources, uses = _sources_and_uses(data)
    pair = [data.roles[name] for name in ("water_tower_makeup", "water_blowdown") if name in data.roles]
    both = joined(pair) if len(pair) == 2 else None
    cycles = None
    if both is not None and both.any() and (away := total(pair[1], both)) > 0:
        cycles = total(pair[0], both) / away
    return Water(
        numerator=data.site.wue_numerator,
        sources=sources,
        uses=uses,
        blowdown=_role(data, "water_blowdown"),
        returned=_role(data, "water_returned"),
        cycles=cycles,
        reclaimed_share=_reclaimed(data),
    )


def _role(data: PeriodData, role: str) -> float | None:
    column = data.roles.get(role)
    return None if column is None or not column.usable.any() else total(column, column.usable)


def _sources_and_uses(data: PeriodData) -> tuple[Breakdown | None, Breakdown | None]:
    whole = data.quantities.get("water_total")
    if whole is None:
        return None, None
    names = [name for name in (*_NAMED, "water_recovered", *USES) if name in data.roles]
    joint = joined([whole.required(), *(data.roles[name] for name in names)])
    if joint is None or not joint.any():
        return None, None
    share = float(joint.mean())
    came = list(_sources(data, joint))
    went = list(_uses(data, joint, sum(value for _, _, value in came)))
    return breakdown("Water by source", "water", came, share), breakdown("Water by use", "water", went, share)


def _sources(data: PeriodData, joint: Bool) -> Iterator[tuple[str, str, float]]:
    """What came in by kind, the rest of it, and what was recovered."""
    amounts = {name: total(data.roles[name], joint) for name in _NAMED if name in data.roles}
    rest = total(data.quantities["water_total"], joint) - sum(amounts.values())
    if "water_input" in data.roles:
        amounts["rest"] = rest
    if "water_recovered" in data.roles:
        amounts["water_recovered"] = total(data.roles["water_recovered"], joint)
    for name, label in SOURCES.items():
        if name in amounts:
            yield name, label, amounts[name]


def _uses(data: PeriodData, joint: Bool, came: float) -> Iterator[tuple[str, str, float]]:
    """What meters show of it; the rest is what no meter shows, also where that is less than nothing."""
    for name, label in USES.items():
        if name in data.roles:
            amount = total(data.roles[name], joint)
            came -= amount
            yield name, label, amount
    yield *OTHER, came


def _reclaimed(data: PeriodData) -> float | None:
    """Reclaimed and recovered water by all that came in and what was recovered (METRICS)."""
    names = ("water_reused", "water_total")
    if not all(name in data.quantities for name in names):
        return None
    columns = [data.quantities[name].required() for name in names]
    recovered = data.quantities.get("water_recovered")
    joint = joined([*columns, *([] if recovered is None else [recovered])])
    if joint is None or not joint.any():
        return None
    base = total(columns[1], joint) + (0.0 if recovered is None else total(recovered, joint))
    return total(columns[0], joint) / base if base > 0 else None
