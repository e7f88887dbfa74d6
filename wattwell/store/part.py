"""Some meters of a store's file, for one of several processes that compute at the same time.

DuckDB lets many processes read a file that none writes. Each computes the meters that it is given, and hands what it
would store to somebody who writes the file when all are done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb

from wattwell.model import MeterKey
from wattwell.store.database import NEVER, connect
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import DirtySet, MeterUpdate


class Part(DuckdbStore):
    """A store that is only read, on one core."""

    _most = 0

    def __init__(
        self, path: Path, dirt: DirtySet, span: tuple[int, int], keep: Callable[[Sequence[MeterUpdate]], None]
    ) -> None:
        """``dirt``: what is to be computed here; ``keep`` takes what to store.

        ``span``: earliest and latest time of what is computed anywhere, so that all go through the same stretches of
        time and make the checkpoints of one process.
        """
        self._dirt, self._span, self._keep = dirt, span, keep
        self.path = path
        super().__init__(path, self._open())

    def _open(self) -> duckdb.DuckDBPyConnection:
        return connect(self.path, read_only=True).execute("SET threads = 1")

    def dirty(self) -> DirtySet:
        """What is to be computed here."""
        return self._dirt

    def last_readings(self) -> Mapping[MeterKey, int]:
        """The latest time of all, whosever it is."""
        return {self._dirt.meters[0].key: self._span[1]} if self._dirt.meters else {}

    def first_reading(self, site: str) -> int | None:
        """Time of the earliest reading of a site, or an earlier one."""
        return super().first_reading(site) if self._pruned > NEVER else self._span[0]

    def save(self, updates: Sequence[MeterUpdate]) -> None:
        """Hands analyses on."""
        self._keep(updates)

    def clear(self, token: int) -> None:
        """Whoever writes the file clears what is dirty."""
