"""A small installation in a folder, and the commands run on it as a user runs them: in processes of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers import answers, free_port, wait_until
from wattwell.cli import main
from wattwell.intervals import MINUTE, iso, parse_iso

ROOT = Path(__file__).resolve().parents[1]
START = parse_iso("2026-03-01T00:00:00Z")
"""First instant of DATA."""
HOURS = 30

_MAIN = "from wattwell.cli import main; raise SystemExit(main())"
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
      - {id: grid-a, role: utility_import, quantity: energy, accumulation: register, max_rate: 500, period: 5m}
      - {id: ups-a, role: it_ups, quantity: energy, accumulation: register, max_rate: 500, period: 5m}
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


def troubled() -> list[tuple[int, dict[str, object]]]:
    """The northern dials with every kind of trouble, and a column that is no meter."""
    rows: list[tuple[int, dict[str, object]]] = []
    for step, (at, dial) in enumerate(dials()):
        row: dict[str, object] = {**dial, "cafeteria": 7}
        if step == 30:
            row["ups-a"] = 0  # a transient
        if step >= 60:
            row["water"] = round(dial["water"] - 10.5, 3)  # a new dial: a reset
        if step >= 200:
            row["grid-a"] = dial["grid-a"] + 50_000  # a jump
        if step == 7:
            row["hall"] = 65535  # a sentinel
        if step == 8:
            row["hall"] = "warm"
        if step == 9:
            row["hall"] = ""
        rows.append((at, row))
    return rows


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


def _env() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}


def called(*arguments: object, folder: Path) -> Result:
    """Calls one command in this process, which is quicker, with its own stdout and stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.chdir(folder), redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = int(left.code or 0)
    texts = [each.buffer.getvalue().decode() for each in (out, err)]  # type: ignore[attr-defined] # our BytesIO
    return Result(code, *texts)


def ask(folder: Path, *arguments: object) -> Result:
    """A command whose JSON is wanted: exit code 0 and nothing on stderr."""
    result = called(*arguments, "--json", folder=folder)
    assert (result.code, result.err) == (0, "")
    assert result.out.count("\n") == 1
    return result


def start(*arguments: object, folder: Path) -> subprocess.Popen[str]:
    """Starts one command in a folder."""
    command = [sys.executable, "-c", _MAIN, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, env=_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


@dataclass
class Service:
    """A running ``wattwell run``."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        response = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)
        return response.status_code, response.text

    def ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return self.get("/readyz")[0] == 200
        except httpx.TransportError:
            assert self.process.poll() is None, self.log.read_text()
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and waits for the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@contextmanager
def service(folder: Path, *arguments: object, port: int | None = None) -> Iterator[Service]:
    """``wattwell run w.yaml`` on a port of its own, once its page answers; killed at the end if it still runs."""
    port = free_port() if port is None else port
    text = (folder / "w.yaml").read_text()
    (folder / "w.yaml").write_text(re.sub(r'listen: "[^"]*"', f'listen: "127.0.0.1:{port}"', text))
    log = folder / "service.log"
    with log.open("a") as file:
        command = [sys.executable, "-c", _MAIN, "run", "w.yaml", *map(str, arguments)]
        process = subprocess.Popen(command, cwd=folder, env=_env(), stderr=file, text=True)
    running = Service(process, port, log)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, "the service answers")
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)
