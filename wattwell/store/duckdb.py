"""The embedded store: one DuckDB file, opened by one process at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wattwell.store.analysis import AnalysisTable
from wattwell.store.backup import back_up
from wattwell.store.database import connect, machine_clock
from wattwell.store.readings import ReadingTable


class DuckdbStore(ReadingTable, AnalysisTable):
    """A :class:`~wattwell.store.protocol.ReadingStore` in one DuckDB file."""

    @classmethod
    def open(cls, path: Path, clock: Callable[[], int] = machine_clock) -> DuckdbStore:
        """Opens or creates the file; StoreLocked when another process has it, StoreError when it is not ours.

        ``clock`` gives microseconds UTC, for the times of the audit ledger's entries.
        """
        connection = connect(path)
        try:
            return cls(path, connection, clock)
        except BaseException:
            connection.close()
            raise

    def back_up(self, target: Path) -> int:
        """See ReadingStore."""
        return back_up(self, target)
