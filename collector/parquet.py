"""Parquet files as decoded points, read by an in-memory DuckDB in chunks of bounded size and in file order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from collector.columns import Column, FileColumns, Layout, Times, text_column, text_times
from collector.files import CELLS_A_CHUNK, Chunk
from collector.points import Points
from collector.scalars import DEVICE, NUMBER, time_of
from wattwell.errors import WattwellError

_BINARY = {"DOUBLE", "FLOAT", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
"""Types whose values a double holds, or rounds, as Python would."""
_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}


def read_parquet(path: Path, meters: Mapping[str, int], site: str, received_at: int) -> Iterator[Chunk]:
    """The points of a Parquet file of one site, chunk by chunk; see :func:`collector.files.read_csv`."""
    with duckdb.connect() as database:
        try:
            described = database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
            types = {str(row[0]): str(row[1]) for row in described}
            total = _number(database, "SELECT count(*) FROM read_parquet(?)", path)
            layout = Layout.of(list(types), str(path))
            columns = FileColumns(layout=layout, meters=meters, site=site, received_at=received_at)
            query = _query(layout, types, path)
            most = max(1, CELLS_A_CHUNK // len(types))
            for start in range(0, total, most):
                found = database.execute(query, [str(path), start, start + most]).fetchnumpy()
                rows = min(most, total - start)
                points = _points(columns, types, found)
                yield Chunk(points=points, rows=rows, broken=(), share=(start + rows) / total)
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise WattwellError(f"{path}: not a readable Parquet file ({first}); write it anew.") from error


def _number(database: duckdb.DuckDBPyConnection, query: str, path: Path) -> int:
    row = database.execute(query, [str(path)]).fetchone()
    return int(row[0]) if row else 0


def _query(layout: Layout, types: Mapping[str, str], path: Path) -> str:
    """Columns c0, c1, ... of a range of rows, each in a type that NumPy takes over without loss."""
    wanted = sorted({layout.time, *layout.values, *(p for p in (layout.meter, layout.unit) if p is not None)})
    parts = []
    for position in wanted:
        name = layout.names[position]
        quoted = '"' + name.replace('"', '""') + '"'
        if position == layout.time:
            parts.append(f"{_time_expression(quoted, types[name], path)} AS c{position}")
        elif types[name] in _BINARY and position in layout.values:
            parts.append(f"CAST({quoted} AS DOUBLE) AS c{position}")
        else:
            parts.append(f"CAST({quoted} AS VARCHAR) AS c{position}")
    return (
        f"SELECT {', '.join(parts)} FROM read_parquet(?, file_row_number = true) "  # noqa: S608 # quoted names only
        "WHERE file_row_number >= ? AND file_row_number < ? ORDER BY file_row_number"
    )


def _time_expression(quoted: str, kind: str, path: Path) -> str:
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({quoted})"
    if kind in _WHOLE:
        return f"CAST({quoted} AS BIGINT)"
    if kind in {"DOUBLE", "FLOAT"}:
        return f"CAST({quoted} AS DOUBLE)"
    if kind == "VARCHAR":
        return quoted
    raise WattwellError(
        f"{path}: the column time has the type {kind}, which names no instant; "
        "write it with a time zone (timestamptz, UTC), as ISO 8601 text with an offset, or as seconds since 1970."
    )


def _points(columns: FileColumns, types: Mapping[str, str], found: Mapping[str, Any]) -> Points:
    layout = columns.layout
    times = _times(found[f"c{layout.time}"], types[layout.names[layout.time]])
    values = [_column(found[f"c{position}"]) for position in layout.values]
    if layout.meter is None:
        return columns.wide(times, values)
    units = None if layout.unit is None else _texts(found[f"c{layout.unit}"])
    return columns.long(times, values[0], _texts(found[f"c{layout.meter}"]), units)


def _texts(array: Any) -> list[str]:
    """Texts of a column; empty where it holds null."""
    absent = np.ma.getmaskarray(array)
    return ["" if gone or text is None else str(text) for text, gone in zip(np.ma.getdata(array), absent, strict=True)]


def _times(array: Any, kind: str) -> Times:
    absent = np.ma.getmaskarray(array)
    if kind == "TIMESTAMP WITH TIME ZONE" and not absent.any():
        at = np.ma.getdata(array).astype(np.int64)
        return Times(at, np.full(len(at), DEVICE, dtype=np.int8))
    if kind == "VARCHAR":
        return text_times(_texts(array))
    unit = "us" if kind == "TIMESTAMP WITH TIME ZONE" else "s"
    found = [
        time_of(None if gone else value, unit)
        for value, gone in zip(np.ma.getdata(array).tolist(), absent.tolist(), strict=True)
    ]
    return Times(np.array([f[0] for f in found], dtype=np.int64), np.array([f[1] for f in found], dtype=np.int8))


def _column(array: Any) -> Column:
    data = np.ma.getdata(array)
    if data.dtype == object:
        return text_column(_texts(array))
    return Column(
        data.astype(np.float64),
        np.full(len(data), NUMBER, dtype=np.int8),
        data.tolist(),
        ~np.ma.getmaskarray(array),
    )
