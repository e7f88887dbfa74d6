"""Rejects, events, corrections and small documents in the embedded store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from wattwell.model import Correction, MeterEvent, MeterKey, Reject
from wattwell.store.audit import (
    REPLACED,
    AuditTable,
    Item,
    correction_document,
    event_document,
    put_documents,
)

_KEPT_REJECTS = 1000
"""Rows kept for each (site, meter, topic, reason); the count goes on."""
_KEPT_IN_ALL = 100_000
"""Rows kept of all kinds together."""
_KEPT_TOPICS = 10_000
"""Counts kept by topic; the smallest ones beyond are counted without their topic."""
_DUE = 100
"""Rows listed until the oldest ones are dropped again."""
_EVENT_COLUMNS = "series, t, event, before, after, booked, unit, state"
_INSERT_EVENTS = (
    "INSERT INTO events SELECT unnest(?::INTEGER[]), unnest(?::BIGINT[]), unnest(?::VARCHAR[]), unnest(?::DOUBLE[]),"
    " unnest(?::DOUBLE[]), unnest(?::DOUBLE[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])"
)
_EventRow = tuple[Any, ...]
"""As in _EVENT_COLUMNS."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the analysis says anew of one series."""

    series: int
    start: int
    """In ``[start, end)`` all events were judged."""
    end: int
    events: Sequence[MeterEvent]

    def reach(self) -> tuple[int, int]:
        """The span, widened to the events."""
        times = [event.at for event in self.events]
        return min([self.start, *times]), max([self.end, *(at + 1 for at in times)])


def _succeeding(judged: Judged, stored: Sequence[_EventRow]) -> list[_EventRow]:
    """What stands in the ledger after stored events were judged: the new ones, those disproved and those beyond."""
    anew = {(event.at, event.event) for event in judged.events}
    anew |= {(event.at, "rollover") for event in judged.events if event.event == "transient"}
    rows: list[_EventRow] = [
        (judged.series, e.at, e.event, e.before, e.after, e.booked, e.unit, e.state) for e in judged.events
    ]
    for row in stored:
        if (row[1], row[2]) not in anew:
            disproved = judged.start <= row[1] < judged.end
            rows.append((*row[:7], "withdrawn") if disproved else row)
    return rows


class Ledgers(AuditTable):
    """What people review; methods as in :class:`~wattwell.store.protocol.ReadingStore`."""

    _listed = 0
    """Rejects since the oldest ones were dropped."""

    # -- rejects ----------------------------------------------------------------------------------------------

    def list_rejects(self, con: duckdb.DuckDBPyConnection, rejects: Sequence[Reject]) -> list[Reject]:
        """Lists rejects within a transaction; one at the same time with the same value and reason is a repetition."""
        if not rejects:
            return []
        times = sorted({reject.at for reject in rejects if reject.at is not None})
        con.register("times", {"t": np.array(times, dtype=np.int64)})
        query = "SELECT site, meter, topic, t, reason, value FROM rejects WHERE t IN (SELECT t FROM times)"
        known = set(con.execute(query).fetchall()) if times else set()
        listed = []
        for reject in rejects:
            identity = (reject.site, reject.meter, reject.topic, reject.at, reject.reason, reject.value)
            if reject.at is None or identity not in known:
                known.add(identity)
                listed.append(reject)
        if listed:
            self._insert_rejects(con, listed)
        return listed

    def _insert_rejects(self, con: duckdb.DuckDBPyConnection, rejects: Sequence[Reject]) -> None:
        con.register("listed", _reject_columns(rejects))
        con.execute(
            "INSERT INTO rejects SELECT site, meter, topic, nullif(t, ?), received, reason, value, 1 FROM listed",
            [_NO_TIME],
        )
        self._add_counts(con, "SELECT site, meter, topic, reason, count(*) AS n FROM listed GROUP BY ALL")
        self._listed += len(rejects)
        if self._listed >= _DUE:
            self._listed = 0
            self._drop_oldest(con)

    def _add_counts(self, con: duckdb.DuckDBPyConnection, counted: str) -> None:
        con.execute(
            f"MERGE INTO reject_counts r USING ({counted}) l"
            " ON r.reason = l.reason AND r.site IS NOT DISTINCT FROM l.site AND r.meter IS NOT DISTINCT FROM l.meter"
            " AND r.topic IS NOT DISTINCT FROM l.topic WHEN MATCHED THEN UPDATE SET count = r.count + l.n"
            " WHEN NOT MATCHED THEN INSERT VALUES (l.site, l.meter, l.topic, l.reason, l.n)"
        )

    def _drop_oldest(self, con: duckdb.DuckDBPyConnection) -> None:
        con.execute(
            "DELETE FROM rejects WHERE rowid IN (SELECT rowid FROM rejects QUALIFY row_number() OVER"
            " (PARTITION BY site, meter, topic, reason ORDER BY rowid DESC) > ?)",
            [_KEPT_REJECTS],
        )
        con.execute(
            "DELETE FROM rejects WHERE rowid IN (SELECT rowid FROM rejects ORDER BY rowid DESC OFFSET ?)",
            [_KEPT_IN_ALL],
        )
        con.execute(
            "CREATE OR REPLACE TEMP TABLE beyond AS SELECT rowid AS row, * FROM reject_counts WHERE topic IS NOT NULL"
            " ORDER BY count DESC, rowid OFFSET ?",
            [_KEPT_TOPICS],
        )
        con.execute("DELETE FROM reject_counts WHERE rowid IN (SELECT row FROM beyond)")
        self._add_counts(con, "SELECT site, meter, NULL AS topic, reason, sum(count) AS n FROM beyond GROUP BY ALL")

    def rejects(self, site: str | None, limit: int) -> Sequence[tuple[Reject, int]]:
        """Rejected readings, latest first."""
        rows = self.rows(
            "SELECT site, meter, topic, t, received, reason, value, count FROM rejects"
            " WHERE ?::VARCHAR IS NULL OR site = ? ORDER BY received DESC, t DESC, meter LIMIT ?",
            [site, site, limit],
        )
        return [
            (Reject(site=s, meter=m, topic=p, at=t, received_at=r, reason=why, value=v), int(count))
            for s, m, p, t, r, why, v, count in rows
        ]

    def reject_counts(self) -> Mapping[tuple[str | None, str | None, str | None, str], int]:
        """How many were rejected, by (site, meter, topic, reason)."""
        rows = self.rows("SELECT site, meter, topic, reason, count FROM reject_counts")
        return {(site, meter, topic, reason): int(count) for site, meter, topic, reason, count in rows}

    # -- events -----------------------------------------------------------------------------------------------

    def replace_events(self, con: duckdb.DuckDBPyConnection, judged: Sequence[Judged]) -> None:
        """Puts the events of spans in place of those stored, within a transaction; disproved ones are withdrawn.

        Each series comes once.
        """
        known = self._events_within(con, judged)
        rows: list[_EventRow] = []
        said: list[Item] = []
        for each in judged:
            stored = known.get(each.series, [])
            fresh = sorted(_succeeding(each, stored), key=lambda row: row[1:3])
            said += self._changes(stored, fresh)
            rows += fresh
        if rows:
            con.execute(_INSERT_EVENTS, [list(column) for column in zip(*rows, strict=True)])
        self.enter(con, said)

    def _events_within(self, con: duckdb.DuckDBPyConnection, judged: Sequence[Judged]) -> Mapping[int, list[_EventRow]]:
        """Takes out the stored events of what is judged, spans widened to the events that come; by series."""
        spans = [(each.series, *each.reach()) for each in judged]
        con.register("judged", span_columns(spans))
        found: dict[int, list[_EventRow]] = {}
        within = "series = s AND t >= low AND t < high"
        low = min((start for _, start, _ in spans), default=0)
        query = f"SELECT {_EVENT_COLUMNS} FROM events JOIN judged ON {within} WHERE t >= ?"  # noqa: S608 - our own names
        for row in con.execute(query, [low]).fetchall():
            found.setdefault(row[0], []).append(row)
        if found:
            con.execute(f"DELETE FROM events USING judged WHERE {within} AND t >= ?", [low])  # noqa: S608 - as above
        return found

    def _changes(self, stored: Sequence[tuple[Any, ...]], rows: Sequence[tuple[Any, ...]]) -> list[Item]:
        """What is to be said of events that are new, differ from those stored, or are gone."""
        before, after = ({row[1:3]: row for row in each} for each in (stored, rows))
        changed = [("event", event_document(self._event(after[k]))) for k in sorted(after) if after[k] != before.get(k)]
        gone = [event_document(self._event(before[k]), REPLACED) for k in sorted(before.keys() - after.keys())]
        return [*(("event", document) for document in gone), *changed]

    def _event(self, row: Sequence[Any]) -> MeterEvent:
        site, meter = self._keys[row[0]]
        at, name, before, after, booked, unit, state = row[1:]
        return MeterEvent(
            site=site, meter=meter, event=name, at=at, before=before, after=after, booked=booked, unit=unit, state=state
        )

    def events(self, site: str | None, meter: str | None, start: int | None, end: int | None) -> Sequence[MeterEvent]:
        """The meter-event ledger, by time."""
        rows = self.rows(
            "SELECT site, meter, event, t, before, after, booked, unit, state FROM events JOIN series ON series = id"
            " WHERE (?::VARCHAR IS NULL OR site = ?) AND (?::VARCHAR IS NULL OR meter = ?)"
            " AND (?::BIGINT IS NULL OR t >= ?) AND (?::BIGINT IS NULL OR t < ?) ORDER BY t, site, meter, event",
            [site, site, meter, meter, start, start, end, end],
        )
        names = ("site", "meter", "event", "at", "before", "after", "booked", "unit", "state")
        return [MeterEvent(**dict(zip(names, row, strict=True))) for row in rows]

    def event_counts(self) -> Mapping[tuple[str, str, str], int]:
        """How many events the ledger holds, by (site, event, state)."""
        rows = self.rows("SELECT site, event, state, count(*) FROM events JOIN series ON series = id GROUP BY ALL")
        return {(site, event, state): int(count) for site, event, state, count in rows}

    # -- corrections ------------------------------------------------------------------------------------------

    def corrections(self, key: MeterKey | None = None) -> Sequence[Correction]:
        """What operators entered, by time."""
        rows = self.rows(
            "SELECT site, meter, t, event, final, first, author, reason FROM corrections JOIN series ON series = id"
            " ORDER BY t, site, meter"
        )
        names = ("site", "meter", "at", "event", "final", "first", "author", "reason")
        found = [Correction(**dict(zip(names, row, strict=True))) for row in rows]
        return found if key is None else [c for c in found if (c.site, c.meter) == key]

    def add_corrections(self, corrections: Sequence[Correction]) -> None:
        """Adds corrections and marks their times dirty; a later one of the same meter, event and time counts."""
        with self.transaction() as con:
            numbers = self.assign(con, [(c.site, c.meter) for c in corrections])
            for number, c in zip(numbers.tolist(), corrections, strict=True):
                row = [number, c.at, c.event, c.final, c.first, c.author, c.reason]
                known = con.execute(
                    "DELETE FROM corrections WHERE series = ? AND t = ? AND event = ? RETURNING *", row[:3]
                ).fetchall()
                if tuple(row) not in known:
                    self.enter(con, [("correction", correction_document(c))])
                con.execute("INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                con.execute("INSERT INTO dirty VALUES (?, ?, ?, ?)", [self.next_token(), number, c.at, c.at])

    # -- documents --------------------------------------------------------------------------------------------

    def load_state(self, name: str) -> str | None:
        """A small named document, or None."""
        rows = self.rows("SELECT text FROM documents WHERE name = ?", [name])
        return str(rows[0][0]) if rows else None

    def save_states(self, documents: Mapping[str, str]) -> None:
        """Stores small named documents."""
        if documents:
            with self.transaction() as con:
                put_documents(con, documents)


_NO_TIME = -(2**63)
_EVER = (-(2**62), 2**62)


def span_columns(spans: Sequence[tuple[int, int, int]]) -> dict[str, NDArray[Any]]:
    """Columns ``s``, ``low`` and ``high`` of (series, start, end) spans."""
    low, high = _EVER
    return {
        "s": np.array([number for number, _, _ in spans], dtype=np.int64),
        "low": np.array([max(start, low) for _, start, _ in spans], dtype=np.int64),
        "high": np.array([min(end, high) for _, _, end in spans], dtype=np.int64),
    }


def _reject_columns(rejects: Sequence[Reject]) -> dict[str, Any]:
    def text(name: str) -> Any:
        return np.array([getattr(reject, name) for reject in rejects], dtype=object)

    times = [_NO_TIME if reject.at is None else reject.at for reject in rejects]
    return {
        "site": text("site"),
        "meter": text("meter"),
        "topic": text("topic"),
        "t": np.array(times, dtype=np.int64),
        "received": np.array([reject.received_at for reject in rejects], dtype=np.int64),
        "reason": text("reason"),
        "value": text("value"),
    }
