"""Some meters of a store's file, for one of several processes that compute at the same time.

DuckDB lets many processes read a file that none writes. Each computes the meters that it is given, and hands what it
would store to somebody who writes the file when all are done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from wattwell.model import Int64, MeterKey
from wattwell.store.database import NEVER, connect
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import DirtySet, MeterUpdate


class Unread(DuckdbStore):
    """A store that no reading is written to: the latest one of each meter is not looked up, which saves time."""

    def _grouped(self, query: str) -> Int64:  # noqa: ARG002 - the question is not asked
        return np.full(len(self._keys), NEVER, dtype=np.int64)

    def last_readings(self) -> Mapping[MeterKey, int]:
        """Not known here."""
        return {}


class Part(Unread):
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
        super().__init__(path, connect(path, read_only=True))
        self._con.execute("SET threads = 1")

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
