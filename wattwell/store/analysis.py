"""What the analysis keeps in the embedded store: dirt, checkpoints and interval values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from wattwell.intervals import DAY
from wattwell.model import Int64, IntervalValues, MeterKey, SiteIntervals
from wattwell.store.database import NEVER
from wattwell.store.day_sums import FOREVER, DaySumsTable
from wattwell.store.ledgers import Judged, Ledgers, span_columns
from wattwell.store.order import sort_by_series
from wattwell.store.protocol import Checkpoint, Dirty, DirtySet, MeterUpdate

_STATE = ("last_at", "last_value", "held_at", "held_value", "back_at", "back_value", "swap")
_INSERT_CHECKPOINTS = "INSERT INTO checkpoints SELECT s, edge, {} FROM points".format(  # noqa: S608 - our own names
    ", ".join(f"CASE WHEN {name}_no THEN NULL ELSE {name} END" for name in _STATE)
)


class AnalysisTable(Ledgers, DaySumsTable):
    """The part of the store that the analysis writes; methods as in the protocol."""

    # -- dirt -------------------------------------------------------------------------------------------------

    def dirty(self) -> DirtySet:
        """Spans of each meter that the analysis has not seen; those within a day of each other are one."""
        rows = self.rows(
            "SELECT series, min(t) AS low, max(t) AS high, max(token) AS token FROM readings WHERE token > ?"
            " GROUP BY series, t // ? UNION ALL SELECT series, low, high, token FROM dirty ORDER BY series, low",
            [self._analysed, DAY],
        )
        spans: list[Dirty] = []
        for series, low, high, _ in rows:
            key = self._keys[series]
            if spans and spans[-1].key == key and low <= spans[-1].high + DAY:
                spans[-1] = Dirty(key, spans[-1].low, max(high, spans[-1].high))
            else:
                spans.append(Dirty(key, low, high))
        return DirtySet(max((token for *_, token in rows), default=0), tuple(spans))

    def clear(self, token: int) -> None:
        """Clears the dirt of this token and of older ones."""
        with self.transaction() as con:
            con.execute("DELETE FROM dirty WHERE token <= ?", [token])
            con.execute("DELETE FROM analysed")
            con.execute("INSERT INTO analysed VALUES (?)", [max(token, self._analysed)])
        self._analysed = max(token, self._analysed)

    def forget(self, keys: Sequence[MeterKey]) -> None:
        """Drops interval values and checkpoints of meters and marks their readings dirty, as far back as there are."""
        numbers = self.numbers(keys)
        if not len(numbers):
            return
        with self.transaction() as con:
            con.register("gone", {"s": numbers})
            con.execute("DELETE FROM intervals WHERE series IN (SELECT s FROM gone) AND t >= ?", [self._pruned])
            con.execute("DELETE FROM checkpoints WHERE series IN (SELECT s FROM gone) AND edge > ?", [self._pruned])
            self.drop_day_sums(con, {(site, self._pruned, FOREVER) for site, _ in keys})
            raw = f"readings WHERE t >= {self._pruned}"
            low, high = self.extremes("min", raw)[numbers], self.extremes("max", raw)[numbers]
            con.register("spans", {"s": numbers, "low": low, "high": high})
            con.execute(
                "INSERT INTO dirty SELECT ?, s, low, high FROM spans WHERE high > ?", [self.next_token(), NEVER]
            )

    # -- checkpoints ------------------------------------------------------------------------------------------

    def checkpoints(self, keys: Sequence[MeterKey], since: int) -> Mapping[MeterKey, tuple[Checkpoint, ...]]:
        """Stored checkpoints of each meter from ``since`` on, ascending."""
        rows = self.rows(
            "SELECT * FROM checkpoints WHERE edge >= ? AND series IN (SELECT s FROM wanted) ORDER BY series, edge",
            [since],
            wanted={"s": self.numbers(keys)},
        )
        found: dict[MeterKey, list[Checkpoint]] = {}
        for series, edge, *state in rows:
            found.setdefault(self._keys[series], []).append(Checkpoint(edge, tuple(state)))
        return {key: tuple(points) for key, points in found.items()}

    # -- analyses ---------------------------------------------------------------------------------------------

    def save(self, updates: Sequence[MeterUpdate]) -> None:
        """Stores analyses in one durable transaction."""
        if not updates:
            return
        with self.transaction() as con:
            numbers = self.assign(con, [update.key for update in updates])
            self._drop_old(con, numbers.tolist(), updates)
            self.drop_day_sums(con, {(update.key[0], update.start, update.end) for update in updates})
            self._insert_intervals(con, numbers.tolist(), updates)
            self._insert_checkpoints(con, numbers.tolist(), updates)
            self.replace_events(
                con,
                [
                    Judged(number, update.events_from, update.events_to, update.events)
                    for number, update in zip(numbers.tolist(), updates, strict=True)
                ],
            )

    def _drop_old(self, con: duckdb.DuckDBPyConnection, numbers: Sequence[int], updates: Sequence[MeterUpdate]) -> None:
        pairs = list(zip(numbers, updates, strict=True))
        stale = [(n, u.start, u.end) for n, u in pairs if u.start <= self._intervals_to[n]]
        if stale:
            con.register("stale", span_columns(stale))
            low = min(start for _, start, _ in stale)
            con.execute(
                "DELETE FROM intervals USING stale WHERE intervals.series = stale.s AND intervals.t >= stale.low"
                " AND intervals.t < stale.high AND intervals.t >= ?",
                [low],
            )
        forgotten = [(n, u.forget_from, u.forget_to) for n, u in pairs]
        forgotten += [(n, point.edge, point.edge + 1) for n, u in pairs for point in u.checkpoints]
        con.register("forgotten", span_columns(forgotten))
        con.execute(
            "DELETE FROM checkpoints USING forgotten WHERE checkpoints.series = forgotten.s"
            " AND checkpoints.edge >= forgotten.low AND checkpoints.edge < forgotten.high"
        )

    def _insert_intervals(
        self, con: duckdb.DuckDBPyConnection, numbers: Sequence[int], updates: Sequence[MeterUpdate]
    ) -> None:
        values = [update.values for update in updates]
        lengths = [len(value) for value in values]
        if not sum(lengths):
            return
        columns = {
            "s": np.repeat(np.array(numbers, dtype=np.int64), lengths),
            "t": np.concatenate([value.start for value in values]),
            "v": np.concatenate([value.value for value in values]),
            "m": np.concatenate([value.measured for value in values]),
            "r": np.concatenate([value.recovered for value in values]),
        }
        con.register("fresh", columns)
        con.execute("INSERT INTO intervals SELECT s, t, v, m, r FROM fresh WHERE NOT isnan(v)")
        self._intervals_to = self._intervals_to.copy()
        np.maximum.at(self._intervals_to, columns["s"], columns["t"])

    def _insert_checkpoints(
        self, con: duckdb.DuckDBPyConnection, numbers: Sequence[int], updates: Sequence[MeterUpdate]
    ) -> None:
        points = [(n, point) for n, update in zip(numbers, updates, strict=True) for point in update.checkpoints]
        if not points:
            return
        columns = {
            "s": np.array([number for number, _ in points], dtype=np.int64),
            "edge": np.array([point.edge for _, point in points], dtype=np.int64),
        }
        for place, name in enumerate(_STATE):
            values = [point.state[place] for _, point in points]
            columns[name] = _nullable(values, np.int64 if name.endswith("_at") else np.float64)
            columns[name + "_no"] = np.array([value is None for value in values], dtype=np.bool_)
        con.register("points", columns)
        con.execute(_INSERT_CHECKPOINTS)

    # -- interval values --------------------------------------------------------------------------------------

    def intervals(self, site: str, meters: Sequence[str], start: int, end: int) -> SiteIntervals:
        """Interval values that start in ``[start, end)``, by meter and time."""
        return self.intervals_of({site: meters}, start, end)[site]

    def intervals_of(self, wanted: Mapping[str, Sequence[str]], start: int, end: int) -> Mapping[str, SiteIntervals]:
        """The interval values of many sites in one read."""
        known = {
            site: tuple(dict.fromkeys(m for m in meters if (site, m) in self._ids)) for site, meters in wanted.items()
        }
        numbers = self.numbers((site, meter) for site, meters in known.items() for meter in meters)
        found = self._interval_columns(numbers, start, end)
        firsts = np.cumsum([0, *map(len, known.values())])
        bounds = np.searchsorted(found["place"], firsts).tolist()
        sites: dict[str, SiteIntervals] = {}
        for site, first, low, high in zip(known, firsts.tolist(), bounds, bounds[1:], strict=False):
            values = IntervalValues(
                start=found["t"][low:high],
                value=found["value"][low:high],
                measured=found["measured"][low:high],
                recovered=found["recovered"][low:high],
            )
            sites[site] = SiteIntervals(meters=known[site], meter=found["place"][low:high] - first, values=values)
        return sites

    def _interval_columns(self, numbers: Int64, start: int, end: int) -> dict[str, NDArray[Any]]:
        """Interval values that start in ``[start, end)``, by the place of their meter in ``numbers`` and by time."""
        query, tables = "SELECT series, t, value, measured, recovered FROM intervals WHERE t >= ? AND t < ?", {}
        if 2 * len(numbers) < len(self._keys):  # else most rows are wanted, and a join would mix up their order
            query += " AND series IN (SELECT s FROM wanted)"
            tables["wanted"] = {"s": numbers}
        found = self.columns(query, [start, end], **tables)
        series = found.pop("series")
        last = max(int(series.max(initial=0)), int(numbers.max(initial=0)))
        places = np.full(last + 1, len(numbers), dtype=np.int64)  # behind all others: what is not wanted
        places[numbers] = np.arange(len(numbers))
        place = places[series]
        order, _ = sort_by_series(place, found["t"])
        return {"place": place[order]} | {name: column[order] for name, column in found.items()}

    def extent(self, site: str) -> tuple[int, int] | None:
        """Start of the first and of the last stored interval of a site."""
        numbers = self.numbers(key for key in list(self._keys) if key[0] == site)
        query = "SELECT min(t), max(t) FROM intervals WHERE series IN (SELECT s FROM wanted)"
        low, high = self.rows(query, wanted={"s": numbers})[0]
        return None if low is None else (int(low), int(high))


def _nullable(values: Sequence[float | int | None], dtype: type[np.int64] | type[np.float64]) -> NDArray[Any]:
    return np.array([0 if value is None else value for value in values], dtype=dtype)
