"""Where a period's energy came from and where it went, over the same intervals, and the stages of the power chain.

Sources and uses both sum to E_DC of the intervals in which everything metered of either is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from analytics.balance import Quantity
from analytics.kpi.subsystems import METERED, split
from analytics.report.model import Breakdown, Energy, Stage
from analytics.report.period import PeriodData, inlet
from analytics.report.rounding import breakdown
from wattwell.model import Bool
from wattwell.roles import COOLING_ROLES

SOURCES = {
    "utility_import": "Grid import",
    "onsite_renewable": "On-site renewables",
    "generator": "Generators",
    "fuel": "Fuels, weighted",
    "cooling_import": "Bought cooling, weighted",
    "grid_export": "Grid export",
}
USES = {
    "it": "IT equipment",
    "cooling": "Cooling",
    "power_chain": "Power chain losses",
    "lighting": "Lighting",
    "other": "Other",
}
COOLING = {
    "chiller": "Chillers",
    "crah": "Computer room air handlers",
    "crac": "Computer room air conditioners",
    "ahu": "Air handlers",
    "fan": "Fans",
    "pump": "Pumps",
    "cooling_tower": "Cooling towers",
    "dry_cooler": "Dry coolers",
    "evaporative_cooler": "Evaporative coolers",
    "humidifier": "Humidifiers",
    "cooling_other": "Other cooling",
}
STAGES = {
    "transformer": "Transformers",
    "ups_input": "UPS input",
    "it_ups": "UPS output",
    "pdu_input": "PDU input",
    "it_pdu": "PDU output",
    "it_equipment": "IT equipment input",
}
"""The power chain from the inlet to the servers; what the site does not meter is left out."""
_CHAIN = ("ups_input", "it_ups", "pdu_input", "it_pdu", "it_equipment")
"""Stages that feed nothing but the next one; a transformer feeds cooling too, so that nothing is compared with it."""


def energy(data: PeriodData) -> Energy:
    """All of it; parts are None without E_DC and E_IT, or where no interval has both."""
    found = data.quantities
    names = [name for name in ("e_dc", "e_it", *METERED) if name in found]
    joint = joined([found[name].required() if name in ("e_dc", "e_it") else found[name] for name in names])
    if not {"e_dc", "e_it"} <= found.keys() or joint is None or not joint.any():
        return Energy(sources=None, uses=None, cooling=_cooling(data, None), stages=tuple(_stages(data)))
    share = float(joint.mean())
    sums = {name: total(found[name], joint) for name in names}
    amounts = {"it": sums["e_it"], **split(sums)}
    used = [(name, label, amounts[name]) for name, label in USES.items() if name in amounts]
    return Energy(
        sources=breakdown("Energy by source", "energy", list(_sources(data, joint)), share),
        uses=breakdown("Energy by use", "energy", used, share),
        cooling=_cooling(data, joint, sums["e_dc"]),
        stages=tuple(_stages(data)),
    )


def joined(columns: Sequence[Quantity]) -> Bool | None:
    """The intervals in which all of these are usable; None of none."""
    return np.logical_and.reduce([column.usable for column in columns]) if columns else None


def total(column: Quantity, where: Bool) -> float:
    """What a quantity comes to over some intervals, correctly rounded."""
    return math.fsum(column.value[where].tolist())


def known_total(column: Quantity | None, least: float) -> float | None:
    """What a quantity comes to over the intervals in which it is known; None where these are less than the share
    ``least`` of all, or none."""
    if column is None:
        return None
    where = column.required().usable
    return total(column, where) if where.any() and where.mean() >= least else None


def _sources(data: PeriodData, joint: Bool) -> Iterator[tuple[str, str, float]]:
    """E_DC by the role of its meters, each with its weight and sign."""
    for role, label in SOURCES.items():
        if (column := data.quantities.get(inlet(role))) is not None:
            yield role, label, total(column, joint)


def _cooling(data: PeriodData, joint: Bool | None, most: float = 0.0) -> Breakdown | None:
    """Over the intervals of the uses, so that it sums to what stands there; without uses over its own."""
    columns = {role: data.roles[role] for role in COOLING_ROLES if role in data.roles}
    joint = joined(list(columns.values())) if joint is None or not columns else joint
    if joint is None or not joint.any():
        return None
    parts = [(role, COOLING[role], total(column, joint)) for role, column in columns.items()]
    return breakdown("Cooling by kind of plant", "energy", parts, float(joint.mean()), most)


def _stages(data: PeriodData) -> Iterator[Stage]:
    before: Quantity | None = None
    for role, label in STAGES.items():
        column = data.roles.get(role)
        if column is None or not (known := column.usable & column.served).any():
            continue
        joint = None if before is None else known & before.usable & before.served
        given = 0.0 if before is None or joint is None else total(before, joint)
        taken = 0.0 if joint is None else total(column, joint)
        yield Stage(
            role=role,
            label=label,
            kwh=total(column, known),
            efficiency=taken / given if given > 0 else None,
            loss_kwh=given - taken if given > 0 else None,
            usable=float(known.mean()),
        )
        before = column if role in _CHAIN else None
