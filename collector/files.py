"""Data files as decoded points: CSV, CSV.gz and Parquet, long or wide, in chunks of bounded size and in file order.

Long is ``time,meter,value[,unit]``; wide is ``time,METER,METER,...``. An empty cell is no reading. Times are ISO 8601
with an offset, or seconds since 1970. CSV numbers are read by Python's own correctly rounded conversion, so a file
gives the same doubles as a message with the same digits.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

from collector.columns import FileColumns, Layout, text_column, text_times
from collector.points import Points
from wattwell.errors import WattwellError

CELLS_A_CHUNK = 500_000
"""Cells read at a time; about 100 MB of memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some rows of a file."""

    points: Points
    rows: int
    broken: tuple[str, ...]
    """Lines that do not fit the header, in words."""
    share: float
    """How much of the file has been read, 0-1."""


class _Lines(Protocol):
    """What ``csv.reader`` returns."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


def read_csv(path: Path, meters: Mapping[str, int], site: str, received_at: int) -> Iterator[Chunk]:
    """The points of a CSV or CSV.gz file of one site, chunk by chunk.

    ``meters`` gives the position of each meter in the table; names that are not in it become unknown points.
    WattwellError when the file cannot be read or its header is not one of the two layouts.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        lines: _Lines = csv.reader(_text(raw, path), strict=True)
        with _readable(path, lines):
            header = [name.strip() for name in next(lines, [])]
        columns = FileColumns(layout=Layout.of(header, str(path)), meters=meters, site=site, received_at=received_at)
        most = max(1, CELLS_A_CHUNK // len(header))
        while True:
            with _readable(path, lines):
                rows, broken = _rows(lines, len(header), most)
            if not rows and not broken:
                return
            share = min(raw.tell() / size, 1.0)
            yield Chunk(points=_points(columns, rows), rows=len(rows), broken=tuple(broken), share=share)


def _text(raw: BinaryIO, path: Path) -> io.TextIOWrapper:
    if path.name.endswith(".gz"):
        return io.TextIOWrapper(gzip.GzipFile(fileobj=raw), encoding="utf-8-sig", newline="")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


@contextmanager
def _readable(path: Path, lines: _Lines) -> Iterator[None]:
    """Turns what the readers raise for a broken file into one sentence that names the line."""
    try:
        yield
    except UnicodeDecodeError as error:
        where = f"{path}: after line {lines.line_num}"
        raise WattwellError(f"{where} there is text that is not UTF-8; save the file as UTF-8.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        where = f"{path}: after line {lines.line_num}"
        raise WattwellError(f"{where} the compressed data are cut short or damaged; copy the file anew.") from error
    except csv.Error as error:
        where = f"{path}: line {lines.line_num}"
        raise WattwellError(f"{where} is broken CSV ({error}); correct that line.") from error


def _rows(lines: _Lines, width: int, most: int) -> tuple[list[list[str]], list[str]]:
    rows: list[list[str]] = []
    broken: list[str] = []
    for row in islice(lines, most):
        if len(row) == width:
            rows.append(row)
        elif row:
            cells = f"line {lines.line_num}: {len(row)} cells where the header has {width}"
            broken.append(f"{cells}: {','.join(row)}")
    return rows, broken


def _points(columns: FileColumns, rows: list[list[str]]) -> Points:
    layout = columns.layout
    texts = list(zip(*rows, strict=True)) if rows else [()] * len(layout.names)
    times = text_times(texts[layout.time])
    if layout.meter is None:
        return columns.wide(times, [text_column(texts[position]) for position in layout.values])
    units = None if layout.unit is None else texts[layout.unit]
    return columns.long(times, text_column(texts[layout.values[0]]), texts[layout.meter], units)
