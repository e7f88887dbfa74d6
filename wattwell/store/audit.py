"""The audit ledger in the embedded store, and what an auditor asks about single readings.

The ledger is append-only by interface: entries are written within the transaction of what they tell of, under the
store's one lock, and nothing here changes or drops one (see :mod:`wattwell.ledger` for the chain).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np

from wattwell.intervals import iso
from wattwell.ledger import Entry, extend
from wattwell.model import Correction, MeterEvent, MeterKey, Reject
from wattwell.store.database import Database

Item = tuple[str, Mapping[str, Any]]
"""Kind and document of something to enter."""
REPLACED = "replaced"
"""State, in the ledger alone, of an event in whose place another one about the same reading has come."""


def put_documents(con: duckdb.DuckDBPyConnection, documents: Mapping[str, str]) -> None:
    """Stores small named documents within a transaction."""
    if not documents:
        return
    columns = {"n": list(documents), "x": list(documents.values())}
    con.register("stated", {name: np.array(column, dtype=object) for name, column in columns.items()})
    con.execute("DELETE FROM documents WHERE name IN (SELECT n FROM stated)")
    con.execute("INSERT INTO documents SELECT n, x FROM stated")


class AuditTable(Database):
    """The part of the store that holds the ledger; methods as in the protocol."""

    def enter(self, con: duckdb.DuckDBPyConnection, items: Iterable[Item]) -> list[Entry]:
        """Appends entries within a transaction."""
        items = list(items)
        if not items:
            return []
        row = con.execute("SELECT seq, t, kind, document, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        last = None if row is None else Entry(row[0], row[1], row[2], row[3], row[4] or "")
        made = extend(last, self._clock(), items)
        con.execute(
            "INSERT INTO audit SELECT unnest(?::BIGINT[]), unnest(?::BIGINT[]), unnest(?::VARCHAR[]),"
            " unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
            [[getattr(entry, name) for entry in made] for name in ("seq", "at", "kind", "document", "hash")],
        )
        return made

    def append_audit(self, items: Sequence[Item], documents: Mapping[str, str] | None = None) -> Sequence[Entry]:
        """Appends entries to the ledger, and stores small named documents with them, durably and all or nothing."""
        with self.transaction() as con:
            put_documents(con, documents or {})
            return self.enter(con, items)

    def audit(self, kind: str | None = None, last: int | None = None) -> Sequence[Entry]:
        """Entries by number."""
        rows = self.rows(
            "SELECT * FROM (SELECT seq, t, kind, document, hash FROM audit WHERE ?::VARCHAR IS NULL OR kind = ?"
            " ORDER BY seq DESC NULLS FIRST LIMIT ?) ORDER BY seq NULLS LAST",
            [kind, kind, _ALL if last is None else last],
        )
        return [Entry(*row) for row in rows]

    def arrivals(self, pairs: Sequence[tuple[MeterKey, int]]) -> Mapping[tuple[MeterKey, int], int]:
        """When the readings of these meters at these times arrived."""
        known = [(self._ids[key], at) for key, at in pairs if key in self._ids]
        if not known:
            return {}
        series, times = np.array(known, dtype=np.int64).T
        rows = self.rows(
            "SELECT series, t, received FROM readings SEMI JOIN wanted ON t = instant AND series = s"
            " WHERE t BETWEEN ? AND ?",
            [int(times.min()), int(times.max())],
            wanted={"s": series, "instant": times},
        )
        return {(self._keys[number], int(at)): int(received) for number, at, received in rows}

    def rejects_within(self, site: str, start: int, end: int) -> Sequence[Reject]:
        """Rejected readings of a site that are kept and whose own time is in ``[start, end)``, by time."""
        rows = self.rows(
            "SELECT site, meter, topic, t, received, reason, value FROM rejects"
            " WHERE site = ? AND t >= ? AND t < ? ORDER BY t, meter, received",
            [site, start, end],
        )
        names = ("site", "meter", "topic", "at", "received_at", "reason", "value")
        return [Reject(**dict(zip(names, row, strict=True))) for row in rows]


def event_document(event: MeterEvent, state: str | None = None) -> dict[str, Any]:
    """An event as the ledger has it; ``state`` stands in place of its own."""
    document = _document(event, ("site", "meter", "event", "at", "before", "after", "booked", "unit", "state"))
    return document if state is None else document | {"state": state}


def correction_document(correction: Correction) -> dict[str, Any]:
    """A correction as the ledger has it."""
    return _document(correction, ("site", "meter", "event", "at", "final", "first", "author", "reason"))


def _document(entered: MeterEvent | Correction, names: Sequence[str]) -> dict[str, Any]:
    """These fields, numbers as the store gives them back."""
    found: dict[str, Any] = {name: getattr(entered, name) for name in names}
    for name, value in found.items():
        if isinstance(value, float):
            found[name] = float(value) if math.isfinite(value) else None
    return found | {"at": iso(entered.at)}


_ALL = 2**62
