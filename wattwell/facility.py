"""What a regulator asks of a data centre and no meter tells: the site key ``facility``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

FACILITY_TYPES = ("enterprise", "colocation", "co-hosting")
"""Kinds of data centre in Delegated Regulation (EU) 2024/1364; enterprise: for the owner's own use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """Declared by the operator; None where it is not."""

    name: str | None = None
    """As registered; None: the site's name."""
    owner: str | None = None
    operator: str | None = None
    address: str | None = None
    postcode: str | None = None
    municipality_code: str | None = None
    """Local administrative unit (LAU)."""
    nuts: str | None = None
    """NUTS 3 region."""
    type: str | None = None
    """One of FACILITY_TYPES."""
    start_of_operation: date | None = None
    power_redundancy: str | None = None
    """Of the electrical infrastructure, such as N+1."""
    power_redundancy_rack: str | None = None
    """At rack level."""
    cooling_redundancy: str | None = None
    cooling_redundancy_rack: str | None = None
    floor_area_m2: float | None = None
    computer_room_area_m2: float | None = None
    connected_power_kw: float | None = None
    """Non-redundant connected power of the whole data centre (EnEfG), which is more than that of its IT."""
    grid_functions: tuple[str, ...] | None = None
    """Services to the grid; an empty tuple says that there are none."""
    refrigerants: tuple[str, ...] | None = None
    energy_management: str | None = None
    """Energy or environmental management system, such as ISO 50001 or EMAS."""
    energy_management_certified: bool | None = None
    declared_year: int | None = None
    """Calendar year that the values below are declared for; None: any."""
    battery_power_kw: float | None = None
    """Mean battery capacity offered to the grid over the year."""
    waste_heat_temperature_c: float | None = None
    waste_heat_meter: str | None = None
    """Id of the temperature meter that tells it."""
    intake_temperature_c: float | None = None
    """Mean set point of the intake air of IT equipment."""
    intake_meter: str | None = None
    """Id of the temperature meter that tells it."""
    released_heat_kwh: float | None = None
    """Waste heat given off to air, water or ground."""
    released_heat_temperature_c: float | None = None
    server_capacity: float | None = None
    """Sum over all servers of the active state performance."""
    storage_capacity_pb: float | None = None
    bandwidth_in_gb_s: float | None = None
    bandwidth_out_gb_s: float | None = None
    traffic_in_eb: float | None = None
    traffic_out_eb: float | None = None
    data_stored_pb: float | None = None
    data_processed_pb: float | None = None


YEARLY = (
    "battery_power_kw",
    "waste_heat_temperature_c",
    "intake_temperature_c",
    "released_heat_kwh",
    "released_heat_temperature_c",
    "server_capacity",
    "storage_capacity_pb",
    "bandwidth_in_gb_s",
    "bandwidth_out_gb_s",
    "traffic_in_eb",
    "traffic_out_eb",
    "data_stored_pb",
    "data_processed_pb",
)
"""Fields that belong to ``declared_year``."""
