"""The plant's sizes: read from the report of one sizing run and written into the model, so that every run has them.

Left to itself EnergyPlus sizes the plant anew in each run, to the IT load and altitude there: another plant each time.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Sizes = Mapping[tuple[str, str, str], float]
"""By the kind and name of the object, in capitals, and the field."""

_REPORT = "Component Sizing Information"
_FIELDS = {
    "secondary_fan_power": "secondary_air_fan_design_power",
    "recirculating_pump_power": "recirculating_water_pump_design_power",
    "fan_power_at_design_air_flow_rate": "design_fan_power",
}
"""Of the model, where the report calls them otherwise."""
_AUTO = "autosize"


def read(report: str) -> Sizes:
    """The sizes in the text of an `eplusout.eio`."""
    sizes = {}
    for line in report.splitlines():
        cells = [x.strip() for x in line.split(",")]
        if cells[0] != _REPORT or len(cells) != 5 or cells[3].startswith("User-Specified"):
            continue
        field = cells[3].split("[")[0].removeprefix("Design Size ").strip().lower().replace(" ", "_")
        try:
            size = float(cells[4])
        except ValueError:  # the name of an option
            continue
        sizes[cells[1].upper(), cells[2].upper(), _FIELDS.get(field, field)] = size
    return sizes


def fix(model: dict[str, Any], sizes: Sizes) -> None:
    """Put the sizes in and turn sizing off; ValueError where one is missing."""
    for kind, name, item, field in _open(model):
        key = (kind.upper(), name.upper(), field)
        if key not in sizes:
            message = f"The sizing run gives no {field} of {kind} {name}: it would differ from run to run."
            raise ValueError(message)
        item[field] = sizes[key]
    control = next(iter(model["SimulationControl"].values()))
    control.update({f"do_{x}_sizing_calculation": "No" for x in ("zone", "system", "plant")})


def _open(model: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    for kind, items in model.items():
        if not kind.startswith("Sizing:"):
            for name, item in items.items():
                fields = [x for x, value in item.items() if isinstance(value, str) and value.lower() == _AUTO]
                yield from ((kind, name, item, field) for field in fields)
