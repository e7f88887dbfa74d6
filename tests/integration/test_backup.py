"""`wattwell backup`: a whole store from a running service under load, restored elsewhere; and what makes it fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.commands import CONFIG, ROOT, START, ask, called, dials, service, write_wide
from tests.servers import wait_until
from wattwell.app.access import reach
from wattwell.config import load
from wattwell.intervals import MINUTE
from wattwell.model import Readings

SPAN = ("--site", "north", "--from", "2026-03-01", "--to", "2026-03-02")
BATCH = 500


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store that holds the north's day, with two entries in its audit ledger."""
    (tmp_path / "w.yaml").write_text(CONFIG, encoding="utf-8")
    write_wide(tmp_path / "north.csv", dials())
    assert called("backfill", "w.yaml", "north.csv", "--site", "north", folder=tmp_path).code == 0
    return tmp_path


def batch(number: int) -> Readings:
    """Readings of the south's import, a minute apart; each batch follows on the one before."""
    steps = np.arange(number * BATCH, (number + 1) * BATCH, dtype=np.int64)
    return Readings(
        keys=(("south", "grid-a"),),
        meter=np.zeros(BATCH, dtype=np.int32),
        at=START + steps * MINUTE,
        received_at=np.full(BATCH, START, dtype=np.int64),
        value=steps * 2.5,
        arrival_time=np.zeros(BATCH, dtype=np.bool_),
    )


class Load:
    """Commits through the service again and again, and counts what was acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.acknowledged = 0
        self._config = load(folder / "w.yaml")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with reach(self._config) as access:
            while not self._stop.wait(0.02):
                access.commit(batch(self.acknowledged), [])
                self.acknowledged += 1

    @contextmanager
    def under_way(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            self._thread.join(30)


def restored(copy: Path, folder: Path) -> Path:
    """The copy in a folder of its own, as a user puts it in place."""
    folder.mkdir()
    (folder / "w.yaml").write_text(CONFIG, encoding="utf-8")
    shutil.copy(copy, folder / "wattwell.duckdb")
    return folder


def southern(folder: Path) -> int:
    """How many readings of the south are stored: all of the first so many, and no other."""
    with reach(load(folder / "w.yaml")) as access:
        rows = access._engine.store.readings([("south", "grid-a")], 0, 2**60)  # type: ignore[attr-defined]
    at, value = rows.get(("south", "grid-a"), (np.empty(0), np.empty(0)))
    assert (value == np.arange(len(value)) * 2.5).all()
    return len(at)


def test_a_running_service_under_load_is_backed_up_whole(folder: Path, tmp_path: Path) -> None:
    before = ask(folder, "kpi", "w.yaml", *SPAN).json
    with service(folder) as running:
        busy = Load(folder)
        copies: list[tuple[Path, int, int]] = []
        with busy.under_way():
            wait_until(lambda: busy.acknowledged, "the load begins")
            for number in range(3):
                copy, sure = tmp_path / f"{number}.duckdb", busy.acknowledged
                done = called("backup", "w.yaml", copy, folder=folder)
                assert (done.code, done.err) == (0, "")
                copies.append((copy, sure, busy.acknowledged + 1))
        assert running.ready()
        assert running.end() == 0
    assert copies[-1][1] > copies[0][1] > 0, "there was a load"
    for copy, sure, at_most in copies:
        elsewhere = restored(copy, tmp_path / copy.stem)
        assert ask(elsewhere, "kpi", "w.yaml", *SPAN).json == before
        assert called("audit", "verify", "w.yaml", folder=elsewhere).code == 0
        stored = southern(elsewhere)
        assert stored % BATCH == 0, "a commit is in it whole or not at all"
        assert sure <= stored // BATCH <= at_most
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob("*.wal"))


def test_a_restored_store_goes_on(folder: Path, tmp_path: Path) -> None:
    assert called("backup", "w.yaml", tmp_path / "copy.duckdb", folder=folder).code == 0
    elsewhere = restored(tmp_path / "copy.duckdb", tmp_path / "elsewhere")
    write_wide(elsewhere / "south.csv", dials("south"))
    assert called("backfill", "w.yaml", "south.csv", "--site", "south", folder=elsewhere).code == 0
    assert called("backfill", "w.yaml", elsewhere / "south.csv", "--site", "south", folder=folder).code == 0
    asked = ("kpi", "w.yaml", "--from", "2026-03-01", "--to", "2026-03-02")
    assert ask(elsewhere, *asked).json == ask(folder, *asked).json


def test_a_copy_never_overwrites(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.duckdb").write_text("precious", encoding="utf-8")
    done = called("backup", "w.yaml", tmp_path / "copy.duckdb", folder=folder)
    assert (done.code, done.err) == (2, f"back-up {tmp_path / 'copy.duckdb'} is there already; name a new file\n")
    assert (tmp_path / "copy.duckdb").read_text(encoding="utf-8") == "precious"
    done = called("backup", "w.yaml", tmp_path / "away" / "copy.duckdb", folder=folder)
    assert done.code == 2
    assert f"create {tmp_path / 'away'}" in done.err


NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from tests.storing import A, put
from wattwell.errors import StoreError
from wattwell.store.duckdb import DuckdbStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Path(sys.argv[1])
store = DuckdbStore.open(folder / "w.duckdb")
put(store, *((A, at, float(at)) for at in range(5000)))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    store.back_up(folder / "copy.duckdb")
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
put(store, (A, 6000, 1.0))
print(len(store.readings([A], 0, 2**60)[A][0]))
store.back_up(folder / "copy.duckdb")
store.close()
again = DuckdbStore.open(folder / "copy.duckdb")
print(len(again.readings([A], 0, 2**60)[A][0]))
"""


def test_no_room_for_the_copy_leaves_the_store_as_it_is(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, tmp_path], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    said, kept, copied = done.stdout.splitlines()
    assert said.startswith(f"back-up {tmp_path / 'copy.duckdb'} was not written: ")
    assert "its disk needs room" in said
    assert (kept, copied) == ("5001", "5001")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.duckdb", "w.duckdb"]
