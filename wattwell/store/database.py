"""One DuckDB file: connections, transactions, errors in our own words, and the numbers that stand for meters.

Writes go through one connection under a lock, one transaction each; reads have cursors of their own.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import duckdb
import numpy as np
from numpy.typing import NDArray

from wattwell.errors import StoreError, StoreFull, StoreLocked
from wattwell.intervals import DAY
from wattwell.model import Int64, MeterKey
from wattwell.store import schema

_log = logging.getLogger(__name__)
Columns = Mapping[str, NDArray[Any]]
NEVER = -(2**62)
_FULL = ("no space left on device", "disk full", "file too large", "disk quota exceeded")
_DAMAGED = ("corrupt", "checksum", "not a valid duckdb", "serialization error", "not a duckdb")
_MAGIC = (8, b"DUCK")
"""Where every DuckDB file says what it is."""
_MOST = "2GB"
_AT_REST = "256MB"
_TRIMMED_EVERY = 500
"""Transactions."""
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": _MOST,  # of DuckDB itself; what it reads for us, at most some 300 MB, comes on top
    "threads": 2,  # reads by more cores would be sooner done, and take them from the messages that come in
    "autoinstall_known_extensions": False,  # a file of another kind must not send DuckDB to the network
    "autoload_known_extensions": False,
}
_ENDED = (duckdb.FatalException, duckdb.InternalException, duckdb.ConnectionException)
"""After one of these DuckDB refuses all further work on the open file."""
_T = TypeVar("_T")


def machine_clock() -> int:
    """Now, microseconds UTC."""
    return time.time_ns() // 1000


class Database:
    """An open store file and what is kept in memory of it: meter numbers and the latest time of each meter."""

    def __init__(
        self, path: Path, connection: duckdb.DuckDBPyConnection, clock: Callable[[], int] = machine_clock
    ) -> None:
        """``clock``: microseconds UTC, for the times of the audit ledger's entries."""
        self.path = path
        self._clock = clock
        self._con = connection
        self._lock = threading.RLock()
        self._idle = threading.Condition(self._lock)
        self._reading = 0
        self._untrimmed = 0
        self._broken = False
        self._closed = False
        self._load()

    def _load(self) -> None:
        try:
            self._lay_out()
            rows = self._con.execute("SELECT site, meter FROM series ORDER BY id").fetchall()
            self._keys: list[MeterKey] = [(site, meter) for site, meter in rows]
            self._ids: dict[MeterKey, int] = {key: number for number, key in enumerate(self._keys)}
            self._latest = self.extremes("max", "readings")
            self._accepted = self.extremes("max", "readings WHERE value IS NOT NULL")
            self._intervals_to = self.extremes("max", "intervals")
            self._day_sums_to: dict[str, int] = dict(
                self._con.execute("SELECT site, max(t) FROM day_sums GROUP BY site").fetchall()
            )
            self._pruned = self._single("SELECT max(before) FROM pruned")
            self._analysed = max(0, self._single("SELECT max(token) FROM analysed"))
            spent = "SELECT max(token) FROM (SELECT token FROM readings UNION ALL SELECT token FROM dirty)"
            self._token = max(self._analysed, self._single(spent))
        except duckdb.Error as error:
            raise translated(error, self.path) from error

    def _lay_out(self) -> None:
        """Creates the tables of a new file, all or none; StoreError for a file that is not ours."""
        names = {name for (name,) in self._con.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
        if not names:
            self._con.execute(f"BEGIN; {schema.TABLES} COMMIT")
        elif not {"meta", "series", "readings"} <= names:
            raise StoreError(f"store {self.path} is a DuckDB file of another program; name another file in store.url")
        self.layout = self._single("SELECT max(version) FROM meta")
        if self.layout == 1:
            self._con.execute(schema.FROM_LAYOUT_1)
        if self.layout in (1, 2):
            self._con.execute(schema.FROM_LAYOUT_2)
        elif self.layout != schema.VERSION:
            raise StoreError(
                f"store {self.path} has layout {self.layout}, this Wattwell reads layouts 1 to {schema.VERSION}; "
                "use the version that wrote it, or back-fill into a new store"
            )

    def _single(self, query: str) -> int:
        row = self._con.execute(query).fetchone()
        return NEVER if row is None or row[0] is None else int(row[0])

    def extremes(self, which: Literal["min", "max"], rows: str) -> Int64:
        """The earliest or the latest time of each meter; NEVER where it has none.

        Most have one in the first or the last day of all, which is found without reading the others.
        """
        found = np.full(len(self._keys), NEVER, dtype=np.int64)
        near, away = ("<=", DAY) if which == "min" else (">=", -DAY)
        of_each = f"SELECT series, {which}(t) FROM (FROM {rows})"  # noqa: S608 - our own words
        bound = self._single(f"SELECT {which}(t) FROM (FROM {rows})")  # noqa: S608 - as above
        for number, at in self._con.execute(f"{of_each} WHERE t {near} ? GROUP BY series", [bound + away]).fetchall():
            found[number] = at
        others = np.flatnonzero(found == NEVER).tolist()
        if others:
            query = f"{of_each} WHERE series IN (SELECT unnest(?::INTEGER[])) GROUP BY series"
            for number, at in self._con.execute(query, [others]).fetchall():
                found[number] = at
        return found

    # -- transactions -----------------------------------------------------------------------------------------

    def _connected(self) -> duckdb.DuckDBPyConnection:
        """The connection, for who holds the lock; a new one, which reads back what is safe, after a fatal failure."""
        if self._closed:
            raise StoreError(f"store {self.path} is closed; open it again")
        if self._broken:
            # All cursors share one database; only when the last reader has left it does the file open afresh.
            self._idle.wait_for(lambda: not self._reading)
        if self._broken:
            self._con.close()
            self._con = self._open()
            self._broken = False
        return self._con

    def _open(self) -> duckdb.DuckDBPyConnection:
        return connect(self.path)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One durable transaction; whatever fails inside leaves the store, and what we know of it, as it was."""
        with self._lock:
            known = (len(self._keys), self._latest, self._accepted, self._intervals_to)
            con = self._connected()
            try:
                con.execute("BEGIN")
                yield con
                con.execute("COMMIT")
            except BaseException as error:
                self._restore(*known)
                self._roll_back(con, error)
                if isinstance(error, duckdb.Error):
                    raise translated(error, self.path) from error
                raise
            self._trim(con)

    def _trim(self, con: duckdb.DuckDBPyConnection) -> None:
        """Has DuckDB forget what it keeps of the file in memory, now and then: by itself it does so only at its limit.

        Not while somebody reads, who may need the memory.
        """
        self._untrimmed += 1
        if self._untrimmed < _TRIMMED_EVERY or self._reading:
            return
        self._untrimmed = 0
        try:
            con.execute("SET memory_limit = ?", [_AT_REST])
            con.execute("SET memory_limit = ?", [_MOST])
        except duckdb.Error as error:  # what was committed is safe all the same
            _log.warning("store %s: DuckDB keeps its memory: %s", self.path, error)
            con.execute("SET memory_limit = ?", [_MOST])

    def _restore(self, count: int, latest: Int64, accepted: Int64, intervals_to: Int64) -> None:
        for key in self._keys[count:]:
            del self._ids[key]
        del self._keys[count:]
        self._latest, self._accepted, self._intervals_to = latest, accepted, intervals_to

    def _roll_back(self, con: duckdb.DuckDBPyConnection, cause: BaseException) -> None:
        self._broken = isinstance(cause, _ENDED)
        if not self._broken:
            try:
                con.execute("ROLLBACK")
            except duckdb.TransactionException:
                pass  # the failure has ended the transaction already
            except duckdb.Error:
                self._broken = True

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
            try:
                return self._attempt(query, parameters, tables, fetch)
            except _ENDED:  # a write that failed meanwhile took the database with it
                return self._attempt(query, parameters, tables, fetch)
        except duckdb.Error as error:
            raise translated(error, self.path) from error

    def _attempt(
        self,
        query: str,
        parameters: Sequence[object],
        tables: Mapping[str, Columns],
        fetch: Callable[[duckdb.DuckDBPyConnection], _T],
    ) -> _T:
        with self._lock:
            cursor = self._connected().cursor()
            self._reading += 1
        ended = False
        try:
            for name, columns in tables.items():
                cursor.register(name, dict(columns))
            return fetch(cursor.execute(query, list(parameters)))
        except _ENDED:
            ended = True
            raise
        finally:
            cursor.close()
            with self._lock:
                self._broken |= ended
                self._reading -= 1
                self._idle.notify_all()

    def next_token(self) -> int:
        """The number of the commit under way, above all before it; within a transaction."""
        self._token += 1
        return self._token

    # -- meters -----------------------------------------------------------------------------------------------

    def numbers(self, keys: Iterable[MeterKey]) -> Int64:
        """Numbers of the meters that are known; the others are left out."""
        return np.array([self._ids[key] for key in keys if key in self._ids], dtype=np.int64)

    def assign(self, con: duckdb.DuckDBPyConnection, keys: Sequence[MeterKey]) -> Int64:
        """Numbers of the meters, new ones where there are none; within a transaction."""
        fresh = [key for key in dict.fromkeys(keys) if key not in self._ids]
        if fresh:
            numbers = list(range(len(self._keys), len(self._keys) + len(fresh)))
            self._ids.update(zip(fresh, numbers, strict=True))
            self._keys.extend(fresh)
            sites, meters = [site for site, _ in fresh], [meter for _, meter in fresh]
            con.execute(
                "INSERT INTO series SELECT unnest(?::INTEGER[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
                [numbers, sites, meters],
            )
        grow = len(self._keys) - len(self._latest)
        if grow:
            pad = np.full(grow, NEVER, dtype=np.int64)
            self._latest = np.append(self._latest, pad)
            self._accepted = np.append(self._accepted, pad)
            self._intervals_to = np.append(self._intervals_to, pad)
        return np.array([self._ids[key] for key in keys], dtype=np.int64)

    def close(self) -> None:
        """Releases the file after the reads under way; a second call does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._idle.wait_for(lambda: not self._reading)
                self._con.close()


def _fetch_columns(result: duckdb.DuckDBPyConnection) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(column) for name, column in result.fetchnumpy().items()}


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Opens or creates a DuckDB file; StoreLocked when another process has it, StoreError when it cannot be had."""
    try:
        folder, known = path.parent.is_dir(), path.exists()
    except PermissionError as error:
        raise StoreError(f"store {path} cannot be reached: {error.strerror}; let this user enter its folder") from error
    if not folder:
        raise StoreError(f"store {path}: its folder does not exist; create {path.parent}")
    try:
        connection = duckdb.connect(path, read_only=read_only, config=_SETTINGS)
        # In a process without a program file, as workers are, it would stand in the midst of what a command prints.
        return connection.execute("SET enable_progress_bar = false")
    except duckdb.Error as error:
        found = translated(error, path)
        if isinstance(found, StoreFull) and not known:
            path.unlink(missing_ok=True)  # half a header; a whole one never opens with this error
        elif not isinstance(found, StoreLocked) and _is_foreign(path):
            raise StoreError(
                f"store {path} is not a DuckDB file; name another file in store.url, or move this one away"
            ) from error
        raise found from error


def _is_foreign(path: Path) -> bool:
    # Only for files that DuckDB would not open: closing any handle of a file that is open ends DuckDB's lock on it.
    place, word = _MAGIC
    try:
        with path.open("rb") as file:
            return file.read(64)[place : place + len(word)] != word
    except OSError:
        return False  # DuckDB's own message says why


def translated(error: duckdb.Error, path: Path) -> StoreError:
    """DuckDB's error as ours: one sentence that names the file and the remedy."""
    text = str(error).strip().splitlines()[0]
    lowered = text.lower()
    if "lock on file" in lowered:
        return StoreLocked(f"store {path} is in use by {_holder(str(error))}; stop it, or wait until it is done")
    for sign in _FULL:
        if sign in lowered:
            return StoreFull(f"store {path} cannot grow ({sign}); free space on its disk and it goes on")
    if any(sign in lowered for sign in _DAMAGED):
        return StoreError(f"store {path} is damaged ({text}); restore it from a backup, or back-fill into a new one")
    if "permission denied" in lowered or "read-only file system" in lowered:
        return StoreError(f"store {path} cannot be written: {text}; let this user write the file and its folder")
    return StoreError(f"store {path}: {text}; see that its file and its disk are in order")


def _holder(text: str) -> str:
    """Who holds the file, from DuckDB's message about it."""
    found = re.search(r"held in (.*?) ?\(PID (\d+)\)", text)
    return f"another process ({found[1] or 'unknown'}, PID {found[2]})" if found else "another process"
