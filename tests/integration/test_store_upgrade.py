"""A store of the release before is taken over as it stands, with a ledger that begins with what it holds."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.support import T0, readings_of
from wattwell.intervals import MINUTE
from wattwell.ledger import first_break
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import DaySums
from wattwell.store.schema import FROM_LAYOUT_1

LAYOUT_1 = (Path(__file__).resolve().parents[1] / "golden" / "store" / "layout1.sql").read_text()


def old_store(path: Path) -> None:
    """A store as 0.1.0 left it: readings of one meter, an interval, an event and a correction."""
    with duckdb.connect(path) as con:
        con.execute(LAYOUT_1)
        con.execute("INSERT INTO series VALUES (0, 's', 'a')")
        rows = [(0, T0 + n * MINUTE, T0, float(n), False, 1) for n in range(30)]
        con.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?)", rows)
        con.execute("INSERT INTO analysed VALUES (1)")
        con.execute("INSERT INTO intervals VALUES (0, ?, 15.0, 1.0, false)", [T0])
        con.execute("INSERT INTO events VALUES (0, ?, 'reset', 9.0, 1.0, 0.0, 'kWh', 'booked')", [T0 + MINUTE])
        con.execute("INSERT INTO corrections VALUES (0, ?, 'accept', NULL, NULL, 'ann', 'checked')", [T0])


@pytest.mark.parametrize("crashed", [False, True], ids=["at once", "after a crash halfway"])
def test_what_a_store_of_layout_1_holds_is_kept(tmp_path: Path, crashed: bool) -> None:
    path = tmp_path / "store.duckdb"
    old_store(path)
    if crashed:
        with duckdb.connect(path) as con:
            con.execute(FROM_LAYOUT_1)
    store = DuckdbStore.open(path, lambda: T0)
    ledger = store.audit()
    assert [(entry.seq, entry.kind) for entry in ledger] == [(1, "event"), (2, "correction")]
    assert first_break(ledger) is None
    assert store.dirty().meters == ()
    done = store.commit(
        readings_of([(("s", "a"), T0, 0.0), (("s", "a"), T0, 5.0), (("s", "a"), T0 + 60 * MINUTE, 60.0)]), []
    )
    assert (done.added, done.repeated, [r.reason for r in done.rejects]) == (2, 1, ["conflict"])
    store.close()
    again = DuckdbStore.open(path, lambda: T0)
    assert [entry.hash for entry in again.audit()] == [entry.hash for entry in ledger], "entered once"
    at, value = again.readings([("s", "a")], T0, T0 + 61 * MINUTE)["s", "a"]
    assert (len(at), value[0], value[-1]) == (31, 5.0, 60.0)
    (event,) = again.events(None, None, None, None)
    assert (event.event, event.meter, event.state) == ("reset", "a", "booked")
    again.close()
    with duckdb.connect(path) as con:
        revisions = con.execute("SELECT revision, count(*) FROM readings GROUP BY revision ORDER BY 1").fetchall()
    assert revisions == [(0, 30), (1, 1)]


def test_a_store_of_layout_2_gets_a_table_for_sums(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    DuckdbStore.open(path, lambda: T0).close()
    with duckdb.connect(path) as con:
        con.execute("DROP TABLE day_sums; UPDATE meta SET version = 2")
    store = DuckdbStore.open(path, lambda: T0)
    store.keep_day_sums([DaySums("s", T0, "d", b"x")])
    assert store.audit() == []
    store.close()
    again = DuckdbStore.open(path, lambda: T0)
    assert (again.layout, again.day_sums("s", "d", T0, T0 + 1)) == (3, {T0: b"x"})
    again.close()
