"""What the embedded store keeps in memory of a file that grows: no more than it is told to, whatever it has written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.support import T0
from wattwell.intervals import SECOND
from wattwell.model import Readings
from wattwell.store import database
from wattwell.store.duckdb import DuckdbStore

KEY = ("north", "grid")
MANY = 1_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    with closing(DuckdbStore.open(tmp_path / "w.duckdb", lambda: T0)) as made:
        yield made


def commit(store: DuckdbStore, first: int, count: int) -> None:
    at = T0 + np.arange(first, first + count, dtype=np.int64) * SECOND
    value = np.random.default_rng(first).random(count)
    nothing = np.zeros(count, dtype=np.int32)
    store.commit(
        Readings(keys=(KEY,), meter=nothing, at=at, received_at=at, value=value, arrival_time=nothing.astype(bool)), []
    )


def kept(store: DuckdbStore) -> float:
    """Megabytes of the file that DuckDB has in memory."""
    found = store.rows("SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'BASE_TABLE'")
    return float(found[0][0]) / 1e6


def test_what_was_written_is_let_go_and_still_there(store: DuckdbStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_AT_REST", "3MB")
    commit(store, 0, MANY)
    assert kept(store) > 6
    monkeypatch.setattr(database, "_TRIMMED_EVERY", 1)
    commit(store, MANY, 1)
    assert kept(store) < 3.1
    assert store.rows("SELECT current_setting('memory_limit')") == [("1.8 GiB",)], "for whoever needs it"
    at, value = store.readings([KEY], T0, T0 + 2 * MANY * SECOND)[KEY]
    assert len(at) == MANY + 1
    assert value[:MANY].tolist() == np.random.default_rng(0).random(MANY).tolist()


def test_memory_that_cannot_be_let_go_harms_nothing(
    store: DuckdbStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "_AT_REST", "nothing")
    monkeypatch.setattr(database, "_TRIMMED_EVERY", 1)
    with caplog.at_level(logging.WARNING):
        commit(store, 0, 10)
    assert "DuckDB keeps its memory" in caplog.text
    assert store.count_readings(T0, T0 + MANY * SECOND) == 10
    assert store.rows("SELECT current_setting('memory_limit')") == [("1.8 GiB",)]
