"""Files of hourly factors: a grid's generation table in, the factor files of a site out."""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analytics.report.grid_mix import FUELS, INTENSITY, Generation, GridFactors
from wattwell.errors import UsageError, WattwellError
from wattwell.intervals import HOUR, iso, parse_iso

_TIMES = ("timestamp", "time")


def read_generation(path: Path) -> Generation:
    """The hourly table in a CSV or CSV.gz file. Raises UsageError naming line, column and remedy."""
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="") as stream
        ):
            reader = csv.reader(stream, strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
    except (OSError, EOFError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read ({error}); name a CSV or CSV.gz file") from error
    if len(rows) < 2:
        raise UsageError(f"{path} has no rows; write a header with timestamp and fuels, and a row for each hour")
    header = rows[0][1]
    time = _check_header(path, header)
    columns: dict[str, list[float]] = {name: [] for name in header if name != time}
    hours: list[int] = []
    for line, cells in rows[1:]:
        where = f"{path} line {line}"
        if len(cells) != len(header):
            raise UsageError(f"{where}: cells in this row: {len(cells)}, columns in the header: {len(header)}")
        named = dict(zip(header, cells, strict=True))
        hours.append(_hour(named.pop(time), hours, where))
        for name, cell in named.items():
            columns[name].append(_number(cell, f"{where}, {name}"))
    arrays = {name: np.array(column) for name, column in columns.items()}
    intensity = arrays.pop(INTENSITY, None)
    return Generation(hours=np.array(hours, dtype=np.int64), fuels=arrays, intensity=intensity)


def _check_header(path: Path, header: Sequence[str]) -> str:
    """The name of the time column."""
    known = (*_TIMES, *FUELS, INTENSITY)
    for name in header:
        if name not in known or header.count(name) > 1:
            problem = "stands twice" if name in known else "is unknown"
            raise UsageError(f"{path}: the column {name!r} {problem}; known: {' '.join(known)}")
    times = [name for name in header if name in _TIMES]
    if len(times) != 1 or not set(header) & set(FUELS):
        raise UsageError(f"{path}: write one column timestamp (or time) and at least one of {' '.join(FUELS)}, in MWh")
    return times[0]


def _hour(text: str, hours: Sequence[int], where: str) -> int:
    try:
        hour = parse_iso(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{where}: {text!r} is no time; write an hour in UTC, such as 2026-01-01T00:00:00Z") from error
    if hour % HOUR:
        raise UsageError(f"{where}: {text!r} is not the start of a UTC hour; write hourly rows")
    if hours and hour <= hours[-1]:
        raise UsageError(f"{where}: {text!r} does not come after {iso(hours[-1])}; write each hour once, in order")
    return hour


def _number(cell: str, where: str) -> float:
    try:
        number = float(cell) if cell else math.nan
    except ValueError as error:
        raise UsageError(f"{where}: {cell!r} is no number; leave the cell empty where there is none") from error
    if math.isinf(number):
        raise UsageError(f"{where}: {cell!r} is not finite; leave the cell empty where there is none")
    return number


def write_factors(factors: GridFactors, folder: Path) -> list[Path]:
    """Writes each factor as ``FOLDER/NAME.csv`` with the header time,value; returns the files."""
    times = [iso(hour) for hour in factors.hours.tolist()]
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, values in factors.values.items():
            lines = (f"{time},{value!r}\n" for time, value in zip(times, values.tolist(), strict=True))
            written.append(folder / f"{name}.csv")
            written[-1].write_text("time,value\n" + "".join(lines), encoding="utf-8")
    except OSError as error:
        raise WattwellError(f"{folder} cannot be written ({error}); name a folder that can be") from error
    return written
