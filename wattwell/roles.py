"""Roles of meters: which quantities they may have, and which KPI side they count on.

One place for the words of README (Roles), so that the configuration, the analysis and the page agree on what
belongs to E_DC, E_IT, cooling or water. Pure data and two small functions; it knows nothing of files or stores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from wattwell.units import QuantityKind

ENERGY_KINDS = frozenset({QuantityKind.ENERGY, QuantityKind.POWER})
"""Quantities whose interval values are kWh."""
WATER_KINDS = frozenset({QuantityKind.WATER, QuantityKind.FLOW})
"""Quantities whose interval values are litres."""

ENERGY_IN = ("utility_import", "generator", "onsite_renewable", "fuel", "cooling_import")
"""Added up to E_DC; ``fuel`` and ``cooling_import`` times their weight."""
ENERGY_OUT = ("grid_export",)
"""Subtracted from E_DC. Reused heat never is."""
HEAT_REUSE_ROLE = "heat_reuse"
WEIGHTED_ROLES = ("cooling_import", "fuel")
"""Roles at which a ``weight`` is required."""
IT_ROLE_OF_CATEGORY: dict[int, str] = {1: "it_ups", 2: "it_pdu", 3: "it_equipment"}
"""Where E_IT is measured at each PUE category (ISO/IEC 30134-2)."""
POWER_CHAIN_ROLES = ("transformer", "ups_input", "pdu_input")
COOLING_ROLES = (
    "chiller",
    "crah",
    "crac",
    "ahu",
    "fan",
    "pump",
    "cooling_tower",
    "dry_cooler",
    "evaporative_cooler",
    "humidifier",
    "cooling_other",
)
"""Added up to the energy of the cooling subsystem."""
OTHER_ROLES = ("lighting", "other")
WATER_INPUT_ROLES = ("water_input", "water_potable", "water_reclaimed", "water_rain")
"""Added up to total_input, as far as none of them is above another in the tree."""
WATER_ROLES = (
    *WATER_INPUT_ROLES,
    "water_recovered",
    "water_tower_makeup",
    "water_evaporative",
    "water_blowdown",
    "water_returned",
)
HEAT_REMOVED_ROLE = "heat_removed"
TEMPERATURE_ROLES = (
    "outdoor_dry_bulb",
    "outdoor_wet_bulb",
    "supply_air",
    "return_air",
    "mixed_air",
    "rack_inlet",
    "rack_outlet",
    "hall_air",
    "chw_supply",
    "chw_return",
    "cw_supply",
    "cw_return",
)
FLOW_ROLES = ("chw_flow", "cw_flow")
HUMIDITY_ROLES = ("outdoor_humidity", "hall_humidity")
RATIO_ROLES = ("fan_speed", "valve", "cooling_valve", "heating_valve", "damper", "outdoor_air_fraction", "status")
SENSOR_ROLES = (*TEMPERATURE_ROLES, *HUMIDITY_ROLES, *FLOW_ROLES, "setpoint", *RATIO_ROLES)
"""Observed, and on no KPI side."""

_SETPOINT_KINDS = frozenset(QuantityKind) - {QuantityKind.ENERGY, QuantityKind.WATER}
_ENERGY_ROLES = (
    *ENERGY_IN,
    *ENERGY_OUT,
    HEAT_REUSE_ROLE,
    *IT_ROLE_OF_CATEGORY.values(),
    *POWER_CHAIN_ROLES,
    *COOLING_ROLES,
    *OTHER_ROLES,
    HEAT_REMOVED_ROLE,
)

ROLES: dict[str, frozenset[QuantityKind]] = {
    **dict.fromkeys(_ENERGY_ROLES, ENERGY_KINDS),
    **dict.fromkeys(WATER_ROLES, WATER_KINDS),
    **dict.fromkeys(TEMPERATURE_ROLES, frozenset({QuantityKind.TEMPERATURE})),
    **dict.fromkeys(HUMIDITY_ROLES, frozenset({QuantityKind.HUMIDITY})),
    **dict.fromkeys(FLOW_ROLES, WATER_KINDS),
    "setpoint": _SETPOINT_KINDS,
    **dict.fromkeys(RATIO_ROLES, frozenset({QuantityKind.RATIO})),
}
"""Every role with the quantities it may have."""


def family_of(kind: QuantityKind) -> frozenset[QuantityKind]:
    """The quantities that may be added to this one: energy with power, water with flow, any other with itself."""
    for family in (ENERGY_KINDS, WATER_KINDS):
        if kind in family:
            return family
    return frozenset({kind})


class Placed(Protocol):
    """Anything with a role and a place in the tree of a site's meters."""

    @property
    def role(self) -> str | None:
        """One of ROLES, or None."""

    @property
    def parent(self) -> str | None:
        """Id of the meter directly above, or None."""


Terms = tuple[tuple[int, str], ...]
"""(+1 or -1, meter id): a signed sum of meters."""


def above(meters: Mapping[str, Placed], meter: str) -> Iterator[str]:
    """The meters above one, nearest first; ends at an unknown parent and where a circle closes."""
    seen = {meter}
    parent = meters[meter].parent
    while parent is not None and parent in meters and parent not in seen:
        seen.add(parent)
        yield parent
        parent = meters[parent].parent


def energy_dc_terms(meters: Mapping[str, Placed]) -> Terms:
    """The meters of E_DC with their signs, in order (METRICS, E_DC).

    A generator below a metered fuel is left out: its energy comes in with the fuel. Weights are left to the caller.
    """
    terms: list[tuple[int, str]] = []
    for meter, placed in meters.items():
        if placed.role in ENERGY_OUT:
            terms.append((-1, meter))
        elif placed.role == "generator" and any(meters[up].role == "fuel" for up in above(meters, meter)):
            continue
        elif placed.role in ENERGY_IN:
            terms.append((1, meter))
    return tuple(terms)


def kpi_sides(meters: Mapping[str, Placed], category: int | None) -> dict[str, Terms]:
    """Each sum on which no energy or water may count twice, by name (METERING, Structure).

    ``category`` is the site's PUE category; None leaves E_IT out. Sides without a meter are left out.
    """
    roles_of_side: dict[str, tuple[str, ...]] = {
        "cooling": COOLING_ROLES,
        "lighting": ("lighting",),
        "UPS input": ("ups_input",),
        "heat reuse": (HEAT_REUSE_ROLE,),
        "heat removed": (HEAT_REMOVED_ROLE,),
        **{role: (role,) for role in WATER_ROLES},
    }
    if category in IT_ROLE_OF_CATEGORY:
        roles_of_side["E_IT"] = (IT_ROLE_OF_CATEGORY[category],)
    sides: dict[str, Terms] = {"E_DC": energy_dc_terms(meters)}
    for side, roles in roles_of_side.items():
        sides[side] = tuple((1, meter) for meter, placed in meters.items() if placed.role in roles)
    return {side: terms for side, terms in sides.items() if terms}
