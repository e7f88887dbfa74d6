"""Files that the configuration names: found relative to it, readable, and tables with a header."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattwell.config.places import Faults, Place, closest, nearest


def named_file(base: Path, name: str | None, place: Place, faults: Faults) -> Path | None:
    """The absolute path of a file that must be readable and not empty; a fault and None where it is not."""
    if name is None:
        return None
    path = base / name
    try:
        with path.open("rb") as stream:
            if not stream.read(1):
                faults.add(place, "the file is empty; write its contents or leave the key out", name)
                return None
    except (OSError, ValueError) as error:
        faults.add(place, f"{unreadable(error)}; relative names start at the configuration file", name)
        return None
    return path


def unreadable(error: Exception) -> str:
    """Why a file cannot be read, in words."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a directory, not a file"
    if isinstance(error, PermissionError):
        return "the file may not be read by this user"
    if isinstance(error, UnicodeDecodeError):
        return "the file is not UTF-8 text"
    return f"the file cannot be read ({error})"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: cells by column, empty ones left out."""

    place: Place
    cells: dict[str, str]


def read_table(
    base: Path, name: str, place: Place, faults: Faults, *, known: Sequence[str], required: Sequence[str]
) -> list[Row]:
    """The rows of a CSV file with a header; every fault of its shape is noted and the rest is read.

    UTF-8, commas, RFC 4180 quotes; spaces round a cell are dropped, blank lines skipped.
    """
    try:
        with (base / name).open(encoding="utf-8-sig", newline="") as stream:
            lines = list(_lines(stream))
    except (OSError, ValueError, csv.Error) as error:
        faults.add(place, f"{unreadable(error)}; name a CSV file, relative to the configuration file", name)
        return []
    if not lines:
        faults.add(place, f"the file is empty; write the header {','.join(required)}", name)
        return []
    (first, header), *body = lines
    columns = _header(header, place.row(name, first), faults, known)
    lacking = [column for column in required if column not in columns]
    for column in lacking:
        faults.add(place.row(name, first).cell(column), "this column is required and absent; add it to the header")
    if lacking:
        return []
    rows = []
    for line, cells in body:
        where = place.row(name, line)
        if len(cells) != len(header):
            faults.add(where, f"cells in this row: {len(cells)}, columns in the header: {len(header)}; write as many")
            continue
        pairs = ((column, cell) for column, cell in zip(columns, cells, strict=True) if column is not None and cell)
        rows.append(Row(where, dict(pairs)))
    return rows


def _lines(stream: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(stream, strict=True)
    line = 1
    for cells in reader:
        stripped = [cell.strip() for cell in cells]
        if any(stripped):
            yield line, stripped
        line = reader.line_num + 1


def _header(header: Sequence[str], place: Place, faults: Faults, known: Sequence[str]) -> list[str | None]:
    """The column names, misspelt ones as what they are meant to be; None for one that is unknown or repeated."""
    columns: list[str | None] = []
    for column in header:
        if column not in known:
            semicolons = "; separate columns by commas" if ";" in column else ""
            faults.add(
                place.cell(column), f"unknown column{nearest(column, known)}{semicolons}; known: {' '.join(known)}"
            )
            meant = closest(column, known)
            columns.append(None if meant in header or meant in columns else meant)
        elif column in columns:
            faults.add(place.cell(column), "the column stands twice in the header; keep one of them")
            columns.append(None)
        else:
            columns.append(column)
    return columns
