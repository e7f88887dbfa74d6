"""A small installation in a folder, and the commands run on it as a user runs them: in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import answers, free_port, wait_until
from wattwell.intervals import HOUR, MINUTE, iso, parse_iso

ROOT = Path(__file__).resolve().parents[1]
START = parse_iso("2026-03-01T00:00:00Z")
"""First instant of DATA."""
HOURS = 30

CONFIG = """\
store: {url: "duckdb:wattwell.duckdb"}
http: {listen: "127.0.0.1:8080"}
sites:
  - id: north
    name: North
    timezone: Europe/Berlin
    pue_category: 1
    targets: {pue: 1.3}
    meters:
      - {id: grid-a, role: utility_import, quantity: energy, accumulation: register, max_rate: 500, resolution: 0.01, period: 5m}
      - {id: ups-a, role: it_ups, quantity: energy, accumulation: register, max_rate: 500, resolution: 0.01, period: 5m}
      - {id: water, role: water_input, quantity: water, accumulation: register, unit: m3, max_rate: 5, period: 5m}
      - {id: hall, role: hall_air, quantity: temperature, accumulation: instantaneous, unit: degC, period: 5m}
  - id: south
    timezone: UTC
    pue_category: 1
    meters:
      - {id: grid-a, role: utility_import, quantity: energy, accumulation: register, max_rate: 500, period: 5m}
      - {id: ups-a, role: it_ups, quantity: energy, accumulation: register, max_rate: 500, period: 5m}
"""


def dials(site: str = "north") -> Iterator[tuple[int, dict[str, float]]]:
    """Readings every five minutes: 120 kW and 100 kW of it for IT in the north, 150 and 100 in the south."""
    import_kw = 120.0 if site == "north" else 150.0
    for step in range(HOURS * 12 + 1):
        hours = step / 12
        row = {"grid-a": round(1000 + import_kw * hours, 2), "ups-a": round(500 + 100 * hours, 2)}
        if site == "north":
            row |= {"water": round(10 + 0.1 * hours, 3), "hall": 24.0 + step % 5}
        yield START + step * 5 * MINUTE, row


def write_wide(path: Path, rows: Iterator[tuple[int, Mapping[str, object]]]) -> Path:
    """A CSV with a column for each meter."""
    lines: list[str] = []
    for at, row in rows:
        if not lines:
            lines.append("time," + ",".join(row))
        lines.append(",".join([iso(at), *map(str, row.values())]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_long(path: Path, rows: Iterator[tuple[int, Mapping[str, object]]]) -> Path:
    """A CSV with a line for each reading."""
    lines = ["time,meter,value"] + [f"{iso(at)},{meter},{value}" for at, row in rows for meter, value in row.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def wattwell(*arguments: object, folder: Path, seconds: float = 60.0) -> Result:
    """Runs one command in a folder."""
    process = start(*arguments, folder=folder)
    out, err = process.communicate(timeout=seconds)
    return Result(process.returncode, out, err)


def start(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    """Starts one command in a folder."""
    command = [sys.executable, "-m", "wattwell.cli", *map(str, arguments)]
    env = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
