"""Faults with real processes and files: killed in the middle, a full disk, a locked, foreign or damaged file."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import T0, readings_of
from wattwell.errors import StoreError, StoreLocked
from wattwell.intervals import SECOND
from wattwell.store.duckdb import DuckdbStore

ROOT = Path(__file__).resolve().parents[2]
KEY = ("s", "m")
EVER = 2**62

PRELUDE = """
import json, os, resource, signal, sys, threading
from pathlib import Path
import numpy as np
from tests.support import T0
from wattwell.errors import StoreError, StoreFull
from wattwell.intervals import SECOND
from wattwell.model import Readings
from wattwell.store.duckdb import DuckdbStore

path = Path(sys.argv[1])

def batch(first, count):
    noise = np.random.default_rng(first)
    number = np.arange(first, first + count, dtype=np.int64)
    received = T0 + noise.integers(0, 10**12, count)
    return Readings(keys=(("s", "m"),), meter=np.zeros(count, dtype=np.int32), at=T0 + number * SECOND,
        received_at=received, value=noise.random(count), arrival_time=np.zeros(count, bool))

def count(store):
    at, _ = store.readings([("s", "m")], -2**62, 2**62).get(("s", "m"), (np.empty(0), None))
    assert len(np.unique(at)) == len(at)
    return len(at)
"""


def child(script: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """A Python process that runs PRELUDE and a script."""
    command = [sys.executable, "-c", PRELUDE + script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def told(script: str, *arguments: object) -> Any:
    """The JSON that a script prints last."""
    process = child(script, *arguments)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    return json.loads(out.splitlines()[-1])


# -- killed ---------------------------------------------------------------------------------------------------

ENDLESS = """
store = DuckdbStore.open(path)
first, size = int(sys.argv[2]), int(sys.argv[3])
print("open", flush=True)
while True:
    store.commit(batch(first, size), [])
    first += size
    print(first, flush=True)
"""


def numbers(path: Path) -> list[int]:
    store = DuckdbStore.open(path)
    at, _ = store.readings([KEY], -EVER, EVER).get(KEY, ((), ()))
    assert store.count_readings(-EVER, EVER) == len(at)
    assert not len(at) or {span.key for span in store.dirty().meters} == {KEY}, "its dirt is durable too"
    store.close()
    return [(int(t) - T0) // SECOND for t in at]


@pytest.mark.parametrize(("size", "lines"), [(7, (1, 2, 9, 40, 120)), (60_000, (2, 5, 7))])
def test_what_a_killed_process_had_committed_is_there_once(tmp_path: Path, size: int, lines: Sequence[int]) -> None:
    path, first = tmp_path / "w.duckdb", 0
    for count in lines:
        with child(ENDLESS, path, first, size) as process:
            assert process.stdout is not None
            for _ in range(count):
                line = process.stdout.readline()
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().splitlines()  # what it had said before it died
        safe = [int(word) for word in [line, *rest] if word.strip().isdigit()]
        found = numbers(path)
        assert found == list(range(len(found))), "each once, without a hole"
        assert len(found) - max([first, *safe]) in (0, size), "at most the commit that had not returned"
        first = len(found)


# -- a full disk ----------------------------------------------------------------------------------------------

FULL = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
case = sys.argv[2]
sizes = {"log": 500, "checkpoint": 20_000, "bulk": 300_000}
size = sizes[case]
store = DuckdbStore.open(path)
store.commit(batch(0, 250_000), [])
good = 250_000
if case == "checkpoint":
    store._con.execute("SET checkpoint_threshold = '1MB'")
wal = path.with_name(path.name + ".wal")
start = path.stat().st_size if case != "log" else wal.stat().st_size if wal.exists() else 0
resource.setrlimit(resource.RLIMIT_FSIZE, (start + 40_000, resource.RLIM_INFINITY))

stop, wrong = threading.Event(), []
def look():
    while not stop.is_set():
        try:
            store.last_readings(), store.readings([("s", "m")], T0, T0 + 1000 * SECOND)
        except Exception as error:
            wrong.append(repr(error))
readers = [threading.Thread(target=look) for _ in range(2)]
for reader in readers: reader.start()

refused, tried = [], 0
while len(refused) < 3:
    tried += 1
    assert tried < 500, "the limit was never met"
    try:
        store.commit(batch(good, size), [])
        good += size
    except StoreFull as error:
        refused.append(str(error))
try:
    store.save_states({"big": "x" * 10_000_000})
    kept = True
except StoreFull:
    kept = False
during = [count(store) - good, store.load_state("big") is not None]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for _ in range(3):
    store.commit(batch(good, size), [])
    good += size
stop.set()
for reader in readers: reader.join()
after = count(store) - good
store.close()
again = DuckdbStore.open(path)
print(json.dumps({"refused": sorted(set(refused)), "kept": kept, "during": during, "after": after,
    "reopened": count(again) - good, "readers": sorted(set(wrong))[:3]}))
"""


@pytest.mark.parametrize("case", ["log", "checkpoint", "bulk"])
def test_a_full_disk_refuses_and_works_again_when_there_is_room(tmp_path: Path, case: str) -> None:
    path = tmp_path / "w.duckdb"
    seen = told(FULL, path, case)
    assert seen["refused"] == [f"store {path} cannot grow (file too large); free space on its disk and it goes on"]
    assert seen["during"] == [0, seen["kept"]], "nothing of a failed commit, all of the others"
    assert (seen["after"], seen["reopened"]) == (0, 0)
    assert seen["readers"] == [], "who reads meanwhile notices nothing"


NO_ROOM = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    DuckdbStore.open(path).close()
    said = "opened"
except StoreError as error:
    said = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
try:
    store = DuckdbStore.open(path)
    store.commit(batch(0, 5), [])
    print(json.dumps([said, count(store)]))
except StoreError as error:
    print(json.dumps([said, str(error)]))
"""


@pytest.mark.parametrize("limit", [0, 5000, 12_000])
def test_a_disk_too_full_for_a_new_store(tmp_path: Path, limit: int) -> None:
    said, found = told(NO_ROOM, tmp_path / "w.duckdb", limit)
    assert "cannot grow (file too large)" in said
    assert found == 5, "and nothing half made stands in the way"


# -- files ----------------------------------------------------------------------------------------------------


@contextmanager
def held(path: Path) -> Iterator[int]:
    """A process that has the store open; gives its id."""
    process = child("store = DuckdbStore.open(path)\nprint('open', flush=True)\nsys.stdin.read()", path, stdin=-1)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    try:
        yield process.pid
    finally:
        process.communicate("")


def test_a_locked_store_names_its_holder_and_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with held(path) as pid, pytest.raises(StoreLocked, match=rf"in use by .*PID {pid}\); stop it, or wait"):
        DuckdbStore.open(path)
    DuckdbStore.open(path).close()


def foreign(path: Path) -> None:
    with duckdb.connect(path) as other:
        other.execute("CREATE TABLE readings (x INTEGER)")


def sqlite(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE readings (x INTEGER)")
    other.close()


def damaged(path: Path) -> None:
    store = DuckdbStore.open(path)
    store.commit(readings_of([(KEY, T0, 1.0)]), [])
    store.close()
    content = bytearray(path.read_bytes())
    for block in range(12288, len(content), 4096):
        content[block : block + 64] = b"\xff" * 64
    path.write_bytes(content)


def of_another_layout(path: Path) -> None:
    DuckdbStore.open(path).close()
    with duckdb.connect(path) as other:
        other.execute("UPDATE meta SET version = 99")


BAD = {
    "text": (lambda path: path.write_text("hello " * 9000), "is not a DuckDB file; name another file in store.url"),
    "sqlite": (sqlite, "is not a DuckDB file"),
    "foreign": (foreign, "is a DuckDB file of another program; name another file in store.url"),
    "damaged": (damaged, "is damaged .*; restore it from a backup, or back-fill into a new one"),
    "layout": (of_another_layout, "has layout 99, this Wattwell reads layouts 1 to 3; use the version that wrote it"),
    "directory": (lambda path: path.mkdir(), "Is a directory"),
    "no folder": (lambda path: path.parent.rmdir(), "its folder does not exist; create"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    spoil, message = BAD[name]
    path = tmp_path / "folder" / "w.duckdb"
    path.parent.mkdir()
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError, match=message) as caught:
        DuckdbStore.open(path)
    assert "\n" not in str(caught.value)
    assert before == (path.read_bytes() if path.is_file() else None)


FORBIDDEN = """
if os.geteuid() == 0:
    os.seteuid(65534)
try:
    DuckdbStore.open(path)
    print(json.dumps("opened"))
except StoreError as error:
    print(json.dumps(str(error)))
"""


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_may_not_be_written(tmp_path: Path, there: bool) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "w.duckdb"
    if there:
        DuckdbStore.open(path).close()
        path.chmod(0o444)
    folder.chmod(0o555)
    said = told(FORBIDDEN, path)
    folder.chmod(0o755)
    assert f"store {path} cannot be written" in said
    assert "let this user write the file and its folder" in said


def test_a_store_that_could_not_be_opened_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    of_another_layout(path)
    with pytest.raises(StoreError):
        DuckdbStore.open(path)
    seen = subprocess.run(
        [sys.executable, "-c", f"import duckdb; duckdb.connect({os.fspath(path)!r})"], capture_output=True, check=False
    )
    assert seen.returncode == 0, seen.stderr


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = DuckdbStore.open(tmp_path / "w.duckdb")
    store.close()
    with pytest.raises(StoreError, match="is closed; open it again"):
        store.count_readings(-EVER, EVER)
    with pytest.raises(StoreError, match="is closed"):
        store.commit(readings_of([(KEY, T0, 1.0)]), [])
