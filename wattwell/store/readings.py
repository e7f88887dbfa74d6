"""Readings in the embedded store.

Rows stand in order of arrival, without an index, so memory does not grow with history; DuckDB knows the minima and
maxima of every block of rows and reads little beside the span asked for. That a reading is new is known from the
latest time of its meter; only rows that are not later are looked up. Each row carries the number of its commit, so what
the analysis has not seen is known without a second write.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import duckdb
import numpy as np

from wattwell.model import Float64, Int64, MeterKey, Readings, Reject
from wattwell.store import merge
from wattwell.store.database import NEVER, Columns
from wattwell.store.ledgers import Ledgers
from wattwell.store.protocol import Committed


class ReadingTable(Ledgers):
    """The part of the store that holds readings; methods as in :class:`~wattwell.store.protocol.ReadingStore`."""

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
            self._replace(con, merged.replaced)
            self._append(con, merged.added)
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

    def _stored(self, con: duckdb.DuckDBPyConnection, keys: Columns) -> Mapping[tuple[int, int], float]:
        con.register("wanted", dict(keys))
        rows = con.execute(
            "SELECT r.series, r.t, coalesce(r.value, 'nan') FROM readings r"
            " SEMI JOIN wanted w ON r.series = w.series AND r.t = w.t WHERE r.t BETWEEN ? AND ?",
            [int(keys["t"].min()), int(keys["t"].max())],
        ).fetchall()
        return {(series, t): value for series, t, value in rows}

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

    def _replace(self, con: duckdb.DuckDBPyConnection, rows: merge.Rows) -> None:
        if not len(rows):
            return
        con.register("replaced", {"series": rows.series, "t": rows.at})
        con.execute(
            "DELETE FROM readings USING replaced WHERE readings.series = replaced.series"
            " AND readings.t = replaced.t AND readings.t BETWEEN ? AND ?",
            [int(rows.at.min()), int(rows.at.max())],
        )

    def _append(self, con: duckdb.DuckDBPyConnection, rows: merge.Rows) -> None:
        if not len(rows):
            return
        batch = {"s": rows.series, "t": rows.at, "r": rows.received, "v": rows.value, "a": rows.arrival}
        con.register("batch", batch)
        con.execute(
            "INSERT INTO readings SELECT s, t, r, CASE WHEN isnan(v) THEN NULL ELSE v END, a, ? FROM batch",
            [self.next_token()],
        )
        self._latest, self._accepted = self._latest.copy(), self._accepted.copy()
        np.maximum.at(self._latest, rows.series, rows.at)
        good = np.isfinite(rows.value)
        np.maximum.at(self._accepted, rows.series[good], rows.at[good])

    def readings(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, tuple[Int64, Float64]]:
        """Times, ascending, and values of each meter in ``[start, end)``."""
        found = self.columns(
            "SELECT series, t, coalesce(value, 'nan') AS value FROM readings"
            " WHERE t >= ? AND t < ? AND series IN (SELECT s FROM wanted) ORDER BY series, t",
            [start, end],
            wanted={"s": self.numbers(keys)},
        )
        numbers, first = np.unique(found["series"], return_index=True)
        bounds = np.append(first, len(found["series"]))
        return {
            self._keys[int(number)]: (found["t"][low:high], found["value"][low:high])
            for number, low, high in zip(numbers, bounds[:-1], bounds[1:], strict=True)
        }

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
                " (SELECT 1 FROM cuts WHERE cuts.s = readings.series AND readings.t >= cuts.t)",
                [before],
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
