"""The site key ``facility``: what a regulator asks of a data centre and no meter tells (README, Configuration)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from wattwell.config.meters import Entry
from wattwell.config.places import Faults, Place, nearest
from wattwell.config.reading import read
from wattwell.config.schema import Raw
from wattwell.config.values import Flag, LocalDate, NotNegative, Number, Positive, Text, integer, one_of
from wattwell.facility import FACILITY_TYPES, Facility
from wattwell.units import QuantityKind


def _names(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ValueError("write a list of texts, or [] for none")
    return value


Names = Annotated[list[str], BeforeValidator(_names)]


class RawFacility(Raw):
    """Keys as in :class:`~wattwell.facility.Facility`, all optional."""

    name: Text | None = None
    owner: Text | None = None
    operator: Text | None = None
    address: Text | None = None
    postcode: Text | None = None
    municipality_code: Text | None = None
    nuts: Text | None = None
    type: Annotated[str, one_of("type of data centre", FACILITY_TYPES)] | None = None
    start_of_operation: LocalDate | None = None
    power_redundancy: Text | None = None
    power_redundancy_rack: Text | None = None
    cooling_redundancy: Text | None = None
    cooling_redundancy_rack: Text | None = None
    floor_area_m2: Positive | None = None
    computer_room_area_m2: Positive | None = None
    connected_power_kw: Positive | None = None
    grid_functions: Names | None = None
    refrigerants: Names | None = None
    energy_management: Text | None = None
    energy_management_certified: Flag | None = None
    declared_year: Annotated[int, integer("a calendar year, such as 2026", 1900, 2199)] | None = None
    battery_power_kw: NotNegative | None = None
    waste_heat_temperature_c: Number | None = None
    waste_heat_meter: Text | None = None
    intake_temperature_c: Number | None = None
    intake_meter: Text | None = None
    released_heat_kwh: NotNegative | None = None
    released_heat_temperature_c: Number | None = None
    server_capacity: NotNegative | None = None
    storage_capacity_pb: NotNegative | None = None
    bandwidth_in_gb_s: NotNegative | None = None
    bandwidth_out_gb_s: NotNegative | None = None
    traffic_in_eb: NotNegative | None = None
    traffic_out_eb: NotNegative | None = None
    data_stored_pb: NotNegative | None = None
    data_processed_pb: NotNegative | None = None


def read_facility(raw: Any, meters: Mapping[str, Entry], place: Place, faults: Faults) -> Facility | None:
    """What a site declares, as far as it is right; None where it declares nothing."""
    if raw is None:
        return None
    found = read(RawFacility, raw, place, faults)
    if found is None:
        return None
    _check_meter("waste_heat", found, meters, place, faults)
    _check_meter("intake", found, meters, place, faults)
    whole, room = found.floor_area_m2, found.computer_room_area_m2
    if whole is not None and room is not None and room > whole:
        remedy = f"the computer rooms cannot be larger than the whole floor of {whole:g} m2; correct one of them"
        faults.add(place / "computer_room_area_m2", remedy, room)
    values: dict[str, Any] = {}
    for name in RawFacility.model_fields:
        value = getattr(found, name)
        values[name] = tuple(value) if isinstance(value, list) else value
    return Facility(**values)


def _check_meter(what: str, found: RawFacility, meters: Mapping[str, Entry], place: Place, faults: Faults) -> None:
    """A temperature comes from one source; a meter of it is a real temperature meter of the site."""
    name, where = getattr(found, f"{what}_meter"), place / f"{what}_meter"
    if name is None:
        return
    if getattr(found, f"{what}_temperature_c") is not None:
        faults.add(where, f"{what}_temperature_c says the same; keep one of the two", name)
    if name not in meters:
        faults.add(where, f"no meter of this site has this id{nearest(name, meters)}; name one that exists", name)
    elif meters[name].raw.quantity not in (None, QuantityKind.TEMPERATURE) or meters[name].raw.formula is not None:
        faults.add(where, "write the id of a meter with the quantity temperature and without a formula", name)
