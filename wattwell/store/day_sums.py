"""What the embedded store keeps of whole days: sums that their writer made, until an interval value of the day changes.

Nearly every analysis touches what is newer than all that is kept: then nothing is asked of the table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import duckdb
import numpy as np

from wattwell.intervals import DAY, floor_to
from wattwell.store.database import NEVER, Database
from wattwell.store.protocol import DaySums

FOREVER = -NEVER


class DaySumsTable(Database):
    """The part of the store that keeps sums of days; methods as in the protocol."""

    def day_sums(self, site: str, digest: str, start: int, end: int) -> Mapping[int, bytes]:
        """Sums of days, by UTC midnight."""
        found = self.columns(
            "SELECT t, sums FROM day_sums WHERE site = ? AND t >= ? AND t < ? AND digest = ?",
            [site, start, end, digest],
        )
        return dict(zip(found["t"].tolist(), map(bytes, found["sums"]), strict=True))

    def keep_day_sums(self, kept: Sequence[DaySums]) -> None:
        """Keeps sums of days in one durable transaction."""
        if not kept:
            return
        columns = {
            "site": np.array([each.site for each in kept], dtype=np.object_),
            "t": np.array([each.day for each in kept], dtype=np.int64),
            "digest": np.array([each.digest for each in kept], dtype=np.object_),
            "sums": np.array([each.sums for each in kept], dtype=np.object_),
        }
        with self.transaction() as con:
            for each in kept:
                self._day_sums_to[each.site] = max(each.day, self._day_sums_to.get(each.site, NEVER))
            con.register("new_sums", columns)
            con.execute(
                "DELETE FROM day_sums USING new_sums AS fresh WHERE day_sums.site = fresh.site AND day_sums.t = fresh.t"
            )
            con.execute("INSERT INTO day_sums SELECT site, t, digest, sums FROM new_sums")
            con.unregister("new_sums")  # or it would hold all of them until the next time

    def drop_day_sums(self, con: duckdb.DuckDBPyConnection, spans: Collection[tuple[str, int, int]]) -> None:
        """Drops the sums of all days that (site, start, end) touch; within a transaction."""
        stale = [
            (site, low, end)
            for site, start, end in spans
            if start < end and (low := floor_to(max(start, NEVER), DAY)) <= self._day_sums_to.get(site, NEVER)
        ]
        if not stale:
            return
        sites, lows, highs = zip(*stale, strict=True)
        con.register(
            "old_sums",
            {
                "site": np.array(sites, dtype=np.object_),
                "low": np.array(lows, dtype=np.int64),
                "high": np.minimum(np.array(highs, dtype=np.int64), FOREVER),
            },
        )
        con.execute(
            "DELETE FROM day_sums USING old_sums AS outdated WHERE day_sums.site = outdated.site"
            " AND day_sums.t >= outdated.low AND day_sums.t < outdated.high AND day_sums.t >= ?",
            [min(lows)],
        )
