"""The embedded store: one DuckDB file, opened by one process at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from wattwell.store import schema
from wattwell.store.analysis import AnalysisTable
from wattwell.store.audit import correction_document, event_document
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
            store = cls(path, connection, clock)
            store._upgrade()
            return store
        except BaseException:
            connection.close()
            raise

    def _upgrade(self) -> None:
        """Brings a store up to date: the ledger of one of layout 1 begins with the events and corrections there are."""
        if self.layout == schema.VERSION:
            return
        entered: list[tuple[str, Mapping[str, Any]]] = []
        if self.layout == 1:
            entered += [("event", event_document(event)) for event in self.events(None, None, None, None)]
            entered += [("correction", correction_document(correction)) for correction in self.corrections()]
        with self.transaction() as con:
            self.enter(con, entered)
            con.execute("UPDATE meta SET version = ?", [schema.VERSION])
        self.layout = schema.VERSION

    def back_up(self, target: Path) -> int:
        """See ReadingStore."""
        return back_up(self, target)
