"""What must be true at the end: looked at in the store's own file, by other code than the product's."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import httpx

from tests.torture.stream import SITE, UNITS_PER_KWH, Dial
from tests.torture.world import PROGRAM
from wattwell.intervals import MINUTE, SECOND, iso

GRID = 15 * MINUTE
PER_INTERVAL = GRID // SECOND
_EXACT = 1e-9
FAULTS = ("missing", "twice", "foreign", "wrong_value")
"""Counts that must be zero."""


def readings(path: Path, dials: Sequence[Dial], numbers: int) -> dict[str, int]:
    """Counts of the store's raw rows against the numbers sent."""
    with duckdb.connect(path, read_only=True) as store:
        rows = store.execute("SELECT meter, t, value FROM readings JOIN series ON series = id").fetchall()
        rejected = store.execute("SELECT coalesce(sum(count), 0) FROM reject_counts").fetchone()
    assert rejected is not None
    return _judge([(meter, t, value) for meter, t, value in rows], dials, numbers) | {"rejected": int(rejected[0])}


def remote(url: str, dials: Sequence[Dial], numbers: int) -> dict[str, int]:
    """The same of what the remote store exports, after its own removal of repeated samples."""
    lines = httpx.get(
        f"{url}/api/v1/export", params={"match[]": f'{{site="{SITE}",__name__=~"wattwell_reading.*"}}'}, timeout=60
    ).text.splitlines()
    rows = []
    for line in lines:
        series = json.loads(line)
        meter = series["metric"]["meter"]
        rows += [(meter, t * 1000, v) for t, v in zip(series["timestamps"], series["values"], strict=True)]
    return _judge(rows, dials, numbers)


def _judge(rows: Sequence[tuple[str, int, float]], dials: Sequence[Dial], numbers: int) -> dict[str, int]:
    seen = Counter((meter, t) for meter, t, _ in rows)
    expected = {(dial.meter, dial.start + n * SECOND): dial.at(n) for dial in dials for n in range(numbers)}
    return {
        "expected": len(expected),
        "stored": len(rows),
        "missing": len(expected.keys() - seen.keys()),
        "twice": sum(count > 1 for count in seen.values()),
        "foreign": len(seen.keys() - expected.keys()),
        "wrong_value": sum(value != expected.get((meter, t), value) for meter, t, value in rows),
    }


def totals(configuration: Path, dials: Sequence[Dial], numbers: int) -> dict[str, Any]:
    """Interval values as a user asks for them, against the dials; kWh."""
    wrong, asked = 0, 0
    booked: dict[str, float] = {}
    whole = (numbers - 1) // PER_INTERVAL
    for dial in dials:
        start, end = dial.start, dial.start + whole * GRID
        span = ["--from", iso(start), "--to", iso(end)]
        rows = told(configuration, "series", "--site", SITE, "--meter", dial.meter, *span)
        found = {row["start"]: row["value"] for row in rows}
        for each in range(whole):
            first, last = dial.at(each * PER_INTERVAL), dial.at((each + 1) * PER_INTERVAL)
            value = found.get(iso(start + each * GRID))
            asked += 1
            wrong += value is None or abs(value - (last - first) / UNITS_PER_KWH) > _EXACT
        kwh = (dial.at(whole * PER_INTERVAL) - dial.at(0)) / UNITS_PER_KWH
        total = sum(value for value in found.values() if value is not None)
        booked[dial.meter] = total
        wrong += abs(total - kwh) > _EXACT * kwh
    return {"intervals": asked, "wrong": wrong, "kwh": booked, "events": len(told(configuration, "events"))}


def told(configuration: Path, command: str, *options: str) -> Any:
    """What a command answers, as JSON."""
    program = [*PROGRAM, command, str(configuration), *options, "--json"]
    return json.loads(subprocess.run(program, check=True, capture_output=True, text=True, timeout=120).stdout)
