"""Readings in the embedded store.

Rows stand in order of arrival, without an index, so memory does not grow with history; DuckDB knows the minima and
maxima of every block of rows and reads little beside the span asked for. That a reading is new is known from the
latest time of its meter; only rows that are not later are looked up. Each row carries the number of its commit, so what
the analysis has not seen is known without a second write.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

import duckdb
import numpy as np
from numpy.typing import NDArray

from wattwell.model import Bool, Float64, Int64, MeterKey, Readings, Reject
from wattwell.store import merge
from wattwell.store.database import NEVER, Columns
from wattwell.store.ledgers import Ledgers
from wattwell.store.order import sort_by_series
from wattwell.store.outbox import Accepted, Outgoing, Place
from wattwell.store.protocol import Committed

_MILLISECOND = 1000


_BEYOND = "token >= ? AND (token > ? OR series > ? OR (series = ? AND t > ?)) AND value IS NOT NULL"
"""Accepted readings after a place, whose parameters these are."""


class ReadingTable(Ledgers):
    """The part of the store that holds readings; methods as in :class:`~wattwell.store.protocol.ReadingStore`."""

    _held_after = 2**62
    """Accepted readings of later commits are not pruned."""
    _most = 2
    """Where more than one in so many meters is wanted, all are read."""

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Adds readings and rejects in one durable transaction."""
        with self.transaction() as con:
            numbers = self.assign(con, readings.keys)
            rows = merge.Rows(
                series=numbers[readings.meter] if len(readings) else np.empty(0, dtype=np.int64),
                at=readings.at,
                received=readings.received_at,
                value=readings.value,
                arrival=readings.arrival_time,
            )
            pruned = rows.select(rows.at < self._pruned)
            if len(pruned):
                rows = rows.select(rows.at >= self._pruned)
            merged = merge.merge(rows, self._latest, lambda keys: self._stored(con, keys), self._overruled(con))
            apart = self._crowded(con, merged.added)
            self._append(con, merged.added, apart, self._replace(con, merged.replaced))
            found = [self._as_reject(row, "clock.past") for row in pruned.rows()]
            found += [self._as_reject(row, "conflict") for row in merged.conflicts]
            listed = self.list_rejects(con, [*rejects, *found])
        return Committed(added=len(merged.added), repeated=merged.repeated, rejects=tuple(listed))

    def _as_reject(self, row: merge.Row, reason: str) -> Reject:
        site, meter = self._keys[row.series]
        return Reject(
            site=site,
            meter=meter,
            topic=None,
            at=row.at,
            received_at=row.received,
            reason=reason,
            value=repr(row.value),
        )

    def _stored(self, con: duckdb.DuckDBPyConnection, keys: Columns) -> Mapping[tuple[int, int], merge.Row]:
        con.register("wanted", dict(keys))
        rows = con.execute(
            "SELECT r.series, r.t, r.received, coalesce(r.value, 'nan'), r.arrival FROM readings r"
            " SEMI JOIN wanted w ON r.series = w.series AND r.t = w.t WHERE r.t BETWEEN ? AND ?",
            [int(keys["t"].min()), int(keys["t"].max())],
        ).fetchall()
        return {row[:2]: merge.Row(*row) for row in rows}

    def _overruled(self, con: duckdb.DuckDBPyConnection) -> merge.Overruled:
        """Whether a value has lost a conflict before; what has is looked up once, when first asked."""

        @functools.cache
        def lost() -> Mapping[tuple[MeterKey, int], list[float]]:
            found: dict[tuple[MeterKey, int], list[float]] = {}
            query = "SELECT site, meter, t, value FROM rejects WHERE reason = 'conflict'"
            for site, meter, at, value in con.execute(query).fetchall():
                found.setdefault(((site, meter), at), []).append(float(value))
            return found

        def overruled(series: int, at: int, value: float) -> bool:
            return any(merge.equal(other, value) for other in lost().get((self._keys[series], at), ()))

        return overruled

    def _crowded(self, con: duckdb.DuckDBPyConnection, rows: merge.Rows) -> Bool:
        """Which rows meet another reading of their meter in the same millisecond, stored or before them in the batch.

        A store of milliseconds would take the two for one. Decided once, on arrival, so that it never changes.
        """
        instant = rows.at // _MILLISECOND
        order = np.lexsort((instant, rows.series))
        found = np.zeros(len(rows), dtype=np.bool_)
        found[order[1:]] = (np.diff(instant[order]) == 0) & (np.diff(rows.series[order]) == 0)
        late = np.flatnonzero(instant <= self._latest[rows.series] // _MILLISECOND)
        if len(late):
            con.register("wanted", {"series": rows.series[late], "ms": instant[late]})
            taken = con.execute(
                "SELECT DISTINCT r.series, r.t // ? FROM readings r"
                " SEMI JOIN wanted w ON r.series = w.series AND r.t // ? = w.ms WHERE r.t BETWEEN ? AND ?",
                [
                    _MILLISECOND,
                    _MILLISECOND,
                    int(rows.at[late].min()) - _MILLISECOND,
                    int(rows.at[late].max()) + _MILLISECOND,
                ],
            ).fetchall()
            known = set(taken)
            pairs = zip(rows.series[late].tolist(), instant[late].tolist(), strict=True)
            found[late] |= np.array([pair in known for pair in pairs], dtype=np.bool_)
        return found

    def _replace(self, con: duckdb.DuckDBPyConnection, rows: merge.Rows) -> Mapping[tuple[int, int], tuple[int, bool]]:
        """Takes out what others replace; (series, time) -> revision of the next, and whether it stands apart."""
        if not len(rows):
            return {}
        con.register("replaced", {"series": rows.series, "t": rows.at})
        gone = con.execute(
            "DELETE FROM readings USING replaced WHERE readings.series = replaced.series"
            " AND readings.t = replaced.t AND readings.t BETWEEN ? AND ?"
            " RETURNING readings.series, readings.t, revision + (value IS NOT NULL)::INTEGER, apart",
            [int(rows.at.min()), int(rows.at.max())],
        ).fetchall()
        return {(series, at): (revision, apart) for series, at, revision, apart in gone}

    def _append(
        self,
        con: duckdb.DuckDBPyConnection,
        rows: merge.Rows,
        apart: Bool,
        gone: Mapping[tuple[int, int], tuple[int, bool]],
    ) -> None:
        if not len(rows):
            return
        revision = np.zeros(len(rows), dtype=np.int32)
        if gone:
            for place, key in enumerate(zip(rows.series.tolist(), rows.at.tolist(), strict=True)):
                revision[place], apart[place] = gone.get(key, (0, apart[place]))
        batch = {"s": rows.series, "t": rows.at, "r": rows.received, "v": rows.value, "a": rows.arrival}
        con.register("batch", batch | {"n": revision, "p": apart})
        con.execute(
            "INSERT INTO readings SELECT s, t, r, CASE WHEN isnan(v) THEN NULL ELSE v END, a, ?, n, p FROM batch",
            [self.next_token()],
        )
        self._latest, self._accepted = self._latest.copy(), self._accepted.copy()
        np.maximum.at(self._latest, rows.series, rows.at)
        good = np.isfinite(rows.value)
        np.maximum.at(self._accepted, rows.series[good], rows.at[good])

    def readings(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, tuple[Int64, Float64]]:
        """Times, ascending, and values of each meter in ``[start, end)``."""
        numbers = self.numbers(keys)
        query = "SELECT series, t, coalesce(value, 'nan') AS value FROM readings WHERE t >= ? AND t < ?"
        if self._most * len(numbers) < len(self._keys):  # else most are wanted, and a join would mix up their order
            query += " AND series IN (SELECT s FROM wanted)"
        found = self.columns(query, [start, end], wanted={"s": numbers})
        order, bounds = sort_by_series(found["series"], found["t"])
        at, value = found["t"][order], found["value"][order]
        chosen = set(numbers.tolist())
        return {self._keys[number]: (at[rows], value[rows]) for number, rows in bounds if number in chosen}

    def transits(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, tuple[Int64, Int64]]:
        """Device times, ascending, and arrival times of each meter's readings in ``[start, end)``."""
        found = self.columns(
            "SELECT series, t, received FROM readings"
            " WHERE t >= ? AND t < ? AND NOT arrival AND series IN (SELECT s FROM wanted) ORDER BY series, t",
            [start, end],
            wanted={"s": self.numbers(keys)},
        )
        return {key: (found["t"][rows], found["received"][rows]) for key, rows in self._by_meter(found["series"])}

    def _by_meter(self, series: NDArray[np.int32]) -> Iterator[tuple[MeterKey, slice]]:
        """The rows of each meter in a column that is sorted by meter."""
        numbers, first = np.unique(series, return_index=True)
        bounds = np.append(first, len(series))
        for number, low, high in zip(numbers, bounds[:-1], bounds[1:], strict=True):
            yield self._keys[int(number)], slice(low, high)

    def count_readings(self, start: int, end: int) -> int:
        """How many readings lie in ``[start, end)``."""
        return int(self.rows("SELECT count(*) FROM readings WHERE t >= ? AND t < ?", [start, end])[0][0])

    def last_readings(self) -> Mapping[MeterKey, int]:
        """Time of the latest accepted reading of each meter."""
        with self._lock:
            latest = self._accepted.tolist()
            return {key: at for key, at in zip(self._keys, latest, strict=True) if at > NEVER}

    def first_reading(self, site: str) -> int | None:
        """Time of the earliest reading of a site."""
        numbers = self.numbers(key for key in list(self._keys) if key[0] == site)
        found = self.rows("SELECT min(t) FROM readings WHERE series IN (SELECT s FROM wanted)", wanted={"s": numbers})
        return None if found[0][0] is None else int(found[0][0])

    # -- on the way to a remote store ------------------------------------------------------------------------

    def outgoing(self, after: Place, limit: int) -> Outgoing:
        """The next accepted readings in the order of their commits."""
        found = self.columns(
            f"SELECT series, t, value, revision, apart, token FROM readings WHERE {_BEYOND}"  # noqa: S608 - our own words
            " ORDER BY token, series, t LIMIT ?",
            [*after.parameters(), limit + 1],
        )
        following = found["token"][limit:]
        found = {name: column[:limit] for name, column in found.items()}
        numbers, meter = np.unique(found["series"], return_inverse=True)
        last = after
        if len(meter):
            token, series, at = (int(found[name][-1]) for name in ("token", "series", "t"))
            last = Place(token, series, at) if token in following else Place(token)
        return Outgoing(
            keys=tuple(self._keys[number] for number in numbers.tolist()),
            meter=meter,
            at=found["t"],
            value=found["value"],
            revision=found["revision"],
            apart=found["apart"],
            last=last,
        )

    def waiting(self, after: Place) -> tuple[int, int | None]:
        """How many accepted readings come after a place, and when the first of them arrived."""
        query = f"SELECT count(*), min(received) FROM readings WHERE {_BEYOND}"  # noqa: S608 - our own words
        count, since = self.rows(query, after.parameters())[0]
        return int(count), since

    def count_by_meter(self, start: int, end: int, token: int) -> Mapping[tuple[MeterKey, int], int]:
        """Accepted readings in ``[start, end)`` of commits up to a token, by meter and revision."""
        rows = self.rows(
            "SELECT series, revision, count(*) FROM readings WHERE t >= ? AND t < ? AND token <= ?"
            " AND value IS NOT NULL GROUP BY series, revision",
            [start, end, token],
        )
        return {(self._keys[series], revision): int(count) for series, revision, count in rows}

    def accepted(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, Accepted]:
        """Accepted readings of each meter in ``[start, end)``, by time."""
        found = self.columns(
            "SELECT series, t, value, revision, apart, token FROM readings WHERE t >= ? AND t < ?"
            " AND value IS NOT NULL AND series IN (SELECT s FROM wanted) ORDER BY series, t",
            [start, end],
            wanted={"s": self.numbers(keys)},
        )
        names = {"t": "at"} | {name: name for name in ("value", "revision", "apart", "token")}
        return {
            key: Accepted(**{field: found[name][rows] for name, field in names.items()})
            for key, rows in self._by_meter(found["series"])
        }

    def hold(self, token: int) -> None:
        """From now on no accepted reading of a commit after this one is pruned."""
        with self._lock:
            self._held_after = token
            self._token = max(self._token, token)  # a number that was given to a reading is never given again

    def pruned(self) -> int:
        """The instant before which raw readings have been dropped."""
        return self._pruned

    def prune(
        self, before: int, keep: Mapping[MeterKey, Sequence[int]], cuts: Mapping[MeterKey, int] | None = None
    ) -> int:
        """Drops raw readings older than ``before`` but for those nearest to the instants in ``keep``."""
        pairs = [(self._ids[key], at) for key, instants in keep.items() if key in self._ids for at in instants]
        earlier = [(self._ids[key], at) for key, at in (cuts or {}).items() if key in self._ids]
        with self.transaction() as con:
            con.register("instants", _pair_columns(pairs))
            con.register("cuts", _pair_columns(earlier))
            con.execute(
                "CREATE OR REPLACE TEMP TABLE kept AS"
                " WITH good AS (SELECT series, t FROM readings WHERE value IS NOT NULL)"
                " SELECT i.s, good.t FROM instants i ASOF JOIN good ON good.series = i.s AND i.t >= good.t"
                " UNION SELECT i.s, good.t FROM instants i ASOF JOIN good ON good.series = i.s AND i.t <= good.t"
            )
            count = con.execute(
                "DELETE FROM readings WHERE t < ? AND NOT EXISTS"
                " (SELECT 1 FROM kept WHERE kept.s = readings.series AND kept.t = readings.t) AND NOT EXISTS"
                " (SELECT 1 FROM cuts WHERE cuts.s = readings.series AND readings.t >= cuts.t)"
                " AND (token <= ? OR value IS NULL)",
                [before, self._held_after],
            ).fetchone()
            con.execute("DELETE FROM pruned")
            con.execute("INSERT INTO pruned VALUES (?)", [max(self._pruned, before)])
        self._pruned = max(self._pruned, before)
        return int(count[0]) if count else 0


def _pair_columns(pairs: Sequence[tuple[int, int]]) -> dict[str, Int64]:
    return {
        "s": np.array([number for number, _ in pairs], dtype=np.int64),
        "t": np.array([at for _, at in pairs], dtype=np.int64),
    }
