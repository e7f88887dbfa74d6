"""What the command line says of devices: those that are known, and meters proposed for topics, as YAML to paste."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from wattwell.cli.show import emit, table
from wattwell.config.devices import shipped_devices
from wattwell.config.document import plain_scalar

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_ASK = {
    "quantity": "energy power water flow temperature humidity pressure ratio ...",
    "accumulation": "register, delta or instantaneous?",
    "unit": "Wh or kWh, W or kW ...: what does the device send?",
    "max_rate": "the largest plausible flow, kW or L/s",
}
"""What a person must decide, by key."""


def devices(args: Namespace) -> int:
    """``wattwell devices``: every device that ships with the program, with its points."""
    rows: list[dict[str, Any]] = [
        {
            "device": device.name,
            "title": device.title,
            "maker": device.maker,
            "documented": device.documented,
            "id": device.id,
            "points": [
                {
                    "point": name,
                    "description": point.description,
                    "quantity": str(point.quantity),
                    "accumulation": str(point.accumulation),
                    "unit": point.unit,
                    "max_rate": point.max_rate,
                    **device.source(point, "{id}"),
                }
                for name, point in device.points.items()
            ],
        }
        for device in shipped_devices().values()
    ]
    if args.json:
        emit(rows)
    else:
        table("devices", [{**row, "points": " ".join(point["point"] for point in row["points"])} for row in rows])
    return 0


def proposals(topics: Sequence[Mapping[str, Any]]) -> None:
    """Prints the meters proposed for topics, to paste under ``meters:``; a ``?`` is for a person to replace."""
    console = Console()
    for topic in topics:
        if topic["proposals"]:
            lines = [f"# {topic['topic']!r}", *(line for one in topic["proposals"] for line in entry_lines(one))]
            console.print("\n" + "\n".join(lines), soft_wrap=True, markup=False, highlight=False)


def entry_lines(entry: Mapping[str, Any]) -> Iterator[str]:
    """A meter entry as lines of YAML."""
    start = "- "
    for key, value in entry.items():
        asked = f"  # {_ASK[key]}" if value is None else ""
        yield f"{start}{key}: {_flow(value)}{asked}"
        start = "  "


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if value is None:
        return '"?"'
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and plain_scalar(value) == value else json.dumps(value)
    return json.dumps(value)
