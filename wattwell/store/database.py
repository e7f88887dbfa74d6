"""One DuckDB file: connections, transactions, errors in our own words, and the numbers that stand for meters.

Writes go through one connection under a lock, one transaction each; reads have cursors of their own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from wattwell.errors import StoreError, StoreFull, StoreLocked
from wattwell.model import Int64, MeterKey
from wattwell.store import schema

Columns = Mapping[str, NDArray[Any]]
NEVER = -(2**62)
_FULL = ("no space left", "disk full", "file too large", "enospc", "efbig", "quota exceeded")
_T = TypeVar("_T")


class Database:
    """An open store file and what is kept in memory of it: meter numbers and the latest time of each meter."""

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self._con = connection
        self._lock = threading.RLock()
        self._closed = False
        self._load()

    def _load(self) -> None:
        try:
            self._con.execute(schema.TABLES)
            self._check_version()
            rows = self._con.execute("SELECT site, meter FROM series ORDER BY id").fetchall()
            self._keys: list[MeterKey] = [(site, meter) for site, meter in rows]
            self._ids: dict[MeterKey, int] = {key: number for number, key in enumerate(self._keys)}
            self._latest = self._grouped("SELECT series, max(t) FROM readings GROUP BY series")
            self._accepted = self._grouped(
                "SELECT series, max(t) FROM readings WHERE value IS NOT NULL GROUP BY series"
            )
            self._intervals_to = self._grouped("SELECT series, max(t) FROM intervals GROUP BY series")
            self._pruned = self._maximum("SELECT max(before) FROM pruned")
            self._token = self._maximum("SELECT max(token) FROM dirty")
        except duckdb.Error as error:
            raise translated(error, self.path) from error

    def _check_version(self) -> None:
        found = self._con.execute("SELECT version FROM meta").fetchone()
        if found is None:
            self._con.execute("INSERT INTO meta VALUES (?)", [schema.VERSION])
        elif found[0] != schema.VERSION:
            raise StoreError(
                f"store {self.path} has layout {found[0]}, this Wattwell reads layout {schema.VERSION}; "
                "use the version that wrote it, or back-fill into a new store"
            )

    def _maximum(self, query: str) -> int:
        row = self._con.execute(query).fetchone()
        return NEVER if row is None or row[0] is None else int(row[0])

    def _grouped(self, query: str) -> Int64:
        found = np.full(len(self._keys), NEVER, dtype=np.int64)
        for number, value in self._con.execute(query).fetchall():
            found[number] = value
        return found

    # -- transactions -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One durable transaction; whatever fails inside leaves the store, and what we know of it, as it was."""
        with self._lock:
            known = (len(self._keys), self._latest, self._accepted, self._intervals_to)
            try:
                self._con.execute("BEGIN")
                yield self._con
                self._con.execute("COMMIT")
            except BaseException as error:
                self._restore(*known)
                self._roll_back()
                if isinstance(error, duckdb.Error):
                    raise translated(error, self.path) from error
                raise

    def _restore(self, count: int, latest: Int64, accepted: Int64, intervals_to: Int64) -> None:
        for key in self._keys[count:]:
            del self._ids[key]
        del self._keys[count:]
        self._latest, self._accepted, self._intervals_to = latest, accepted, intervals_to

    def _roll_back(self) -> None:
        with contextlib.suppress(duckdb.TransactionException):  # the failure may have ended the transaction already
            try:
                self._con.execute("ROLLBACK")
            except (duckdb.FatalException, duckdb.IOException, duckdb.ConnectionException):
                # After a failed write to disk DuckDB refuses all work: a new connection reads back what is safe.
                self._con.close()
                self._con = connect(self.path)

    def rows(self, query: str, parameters: Sequence[object] = (), **tables: Columns) -> list[tuple[Any, ...]]:
        """Result rows of a read; ``tables`` are columns that the query may name."""
        return self._read(query, parameters, tables, lambda result: result.fetchall())

    def columns(self, query: str, parameters: Sequence[object] = (), **tables: Columns) -> dict[str, NDArray[Any]]:
        """Result columns of a read."""
        return self._read(query, parameters, tables, _fetch_columns)

    def _read(
        self,
        query: str,
        parameters: Sequence[object],
        tables: Mapping[str, Columns],
        fetch: Callable[[duckdb.DuckDBPyConnection], _T],
    ) -> _T:
        try:
            with self._lock:
                cursor = self._con.cursor()
            try:
                for name, columns in tables.items():
                    cursor.register(name, dict(columns))
                return fetch(cursor.execute(query, list(parameters)))
            finally:
                cursor.close()
        except duckdb.Error as error:
            raise translated(error, self.path) from error

    # -- meters -----------------------------------------------------------------------------------------------

    def numbers(self, keys: Iterable[MeterKey]) -> Int64:
        """Numbers of the meters that are known; the others are left out."""
        return np.array([self._ids[key] for key in keys if key in self._ids], dtype=np.int64)

    def assign(self, con: duckdb.DuckDBPyConnection, keys: Sequence[MeterKey]) -> Int64:
        """Numbers of the meters, new ones where there are none; within a transaction."""
        for key in keys:
            if key not in self._ids:
                number = self._ids[key] = len(self._keys)
                self._keys.append(key)
                con.execute("INSERT INTO series VALUES (?, ?, ?)", [number, *key])
        grow = len(self._keys) - len(self._latest)
        if grow:
            pad = np.full(grow, NEVER, dtype=np.int64)
            self._latest = np.append(self._latest, pad)
            self._accepted = np.append(self._accepted, pad)
            self._intervals_to = np.append(self._intervals_to, pad)
        return np.array([self._ids[key] for key in keys], dtype=np.int64)

    def close(self) -> None:
        """Releases the file; a second call does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._con.close()


def _fetch_columns(result: duckdb.DuckDBPyConnection) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(column) for name, column in result.fetchnumpy().items()}


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Opens or creates a DuckDB file."""
    if not path.parent.is_dir():
        raise StoreError(f"store {path}: its folder does not exist; create {path.parent}")
    try:
        return duckdb.connect(path, config={"memory_limit": "2GB", "threads": 2})
    except duckdb.Error as error:
        raise translated(error, path) from error


def translated(error: duckdb.Error, path: Path) -> StoreError:
    """DuckDB's error as ours: one sentence that names the file and the remedy."""
    text = str(error).strip()
    lowered = text.lower()
    if "lock on file" in lowered:
        holder = text[text.index("(PID") :].split(")")[0] + ")" if "(PID" in text else ""
        return StoreLocked(f"store {path} is in use by another process {holder}; stop it, or wait until it is done")
    if any(sign in lowered for sign in _FULL):
        return StoreFull(
            f"store {path} cannot grow: the disk is full; free space and it goes on ({text.splitlines()[0]})"
        )
    return StoreError(f"store {path}: {text.splitlines()[0]}")
