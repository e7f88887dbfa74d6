"""The site key ``facility``: every key is read, and every fault is named."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from wattwell.config import parse
from wattwell.config.facility import RawFacility
from wattwell.errors import ConfigError
from wattwell.facility import YEARLY, Facility

METERS = """
- {id: grid, role: utility_import, quantity: energy, accumulation: register, max_rate: 10}
- {id: water-out, quantity: temperature, accumulation: instantaneous}
- {id: both, quantity: temperature, formula: water-out}
"""


def facility(written: Any) -> Facility | None:
    site = {"id": "s", "timezone": "Etc/UTC", "pue_category": 1, "meters": yaml.safe_load(METERS), "facility": written}
    return parse({"sites": [site]}, Path()).sites["s"].facility


def faults(written: Any) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as told:
        facility(written)
    return [(str(fault.path).removeprefix("sites[0].facility"), fault.remedy) for fault in told.value.faults]


def test_what_is_declared() -> None:
    found = facility(
        {
            "owner": "ACME",
            "type": "colocation",
            "start_of_operation": "2020-05-01",
            "grid_functions": [],
            "refrigerants": ["R-1234ze"],
            "connected_power_kw": 800,
            "waste_heat_meter": "water-out",
            "energy_management_certified": True,
            "declared_year": 2026,
        }
    )
    assert found == Facility(
        owner="ACME",
        type="colocation",
        start_of_operation=date(2020, 5, 1),
        grid_functions=(),
        refrigerants=("R-1234ze",),
        connected_power_kw=800.0,
        waste_heat_meter="water-out",
        energy_management_certified=True,
        declared_year=2026,
    )
    assert facility(None) is None


def test_every_field_is_a_key() -> None:
    names = [each.name for each in fields(Facility)]
    assert list(RawFacility.model_fields) == names
    assert set(YEARLY) < set(names)


@pytest.mark.parametrize(
    ("written", "place", "says"),
    [
        ({"ower": "ACME"}, ".ower", "owner"),
        ({"type": "cloud"}, ".type", "enterprise colocation co-hosting"),
        ({"start_of_operation": "May"}, ".start_of_operation", "YYYY-MM-DD"),
        ({"refrigerants": "R-32"}, ".refrigerants", "a list of texts"),
        ({"floor_area_m2": 0}, ".floor_area_m2", "above 0"),
        ({"floor_area_m2": 5, "computer_room_area_m2": 6}, ".computer_room_area_m2", "whole floor of 5 m2"),
        ({"waste_heat_meter": "wter-out"}, ".waste_heat_meter", "water-out"),
        ({"waste_heat_meter": "grid"}, ".waste_heat_meter", "quantity temperature"),
        ({"intake_meter": "both"}, ".intake_meter", "without a formula"),
        ({"intake_meter": "water-out", "intake_temperature_c": 24}, ".intake_meter", "keep one of the two"),
        ([1], "", "write keys and values here"),
    ],
)
def test_faults(written: Any, place: str, says: str) -> None:
    ((where, remedy),) = faults(written)
    assert where == place
    assert says in remedy
