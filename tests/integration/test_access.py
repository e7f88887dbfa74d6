"""Commands while a service, or another command, holds the store: nobody notices a difference."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands import CONFIG, ROOT, START, called, dials, service, wattwell, write_long, write_wide
from tests.servers import wait_until
from wattwell.app import access
from wattwell.config import load
from wattwell.intervals import HOUR, MINUTE, iso

ROLES = ("--role", "analytics,alerts,web")
SPAN = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z")
QUESTIONS: dict[str, tuple[str, ...]] = {
    "kpi of a day": ("kpi", "w.yaml", "--window", "day", "--to", "2026-03-02"),
    "kpi of a span": ("kpi", "w.yaml", "--site", "north", *SPAN),
    "kpi that roll": ("kpi", "w.yaml", "--kpi", "pue,wue", "--window", "1h", *SPAN),
    "series": ("series", "w.yaml", "--site", "north"),
    "events": ("events", "w.yaml"),
    "rejects": ("rejects", "w.yaml"),
    "unmapped": ("unmapped", "w.yaml"),
}
WRONG: dict[str, tuple[str, ...]] = {
    "site": ("kpi", "w.yaml", "--site", "mars", "--window", "day"),
    "kpi": ("kpi", "w.yaml", "--kpi", "eup", "--window", "day"),
    "time": ("series", "w.yaml", "--site", "north", "--from", "yesterday"),
    "correction": ("correct", "w.yaml", "below.csv", "--site", "north"),
    "file": ("backfill", "w.yaml", "none.csv", "--site", "north"),
}
JUMP = START + 200 * 5 * MINUTE


def prepare(folder: Path) -> Path:
    """Configuration and data files: a transient, a jump, and a column that is no meter."""
    folder.mkdir(exist_ok=True)
    (folder / "w.yaml").write_text(CONFIG)
    rows = []
    for step, (at, dial) in enumerate(dials()):
        dial["ups-a"] *= step != 30
        dial["grid-a"] += 50_000 * (at >= JUMP)
        rows.append((at, {**dial, "cafeteria": 7}))
    write_wide(folder / "north.csv", iter(rows))
    write_long(folder / "south.csv", dials("south"))
    header = "meter,at,event,final,first,author,reason\n"
    (folder / "accept.csv").write_text(f"{header}grid-a,{iso(JUMP)},accept,,,ann,bridged\n")
    (folder / "below.csv").write_text(f"{header}ups-a,{iso(START + 9 * HOUR)},replacement,1,0,ann,new\n")
    return folder


def fill(folder: Path) -> list[tuple[int, str]]:
    """Enters everything, and says what the commands said."""
    done = [
        called("backfill", "w.yaml", f"{site}.csv", "--site", site, "--json", folder=folder)
        for site in ("north", "south")
    ]
    done.append(called("correct", "w.yaml", "accept.csv", "--site", "north", "--json", folder=folder))
    return [(each.code, each.out) for each in done]


def without_arrival(text: str) -> str:
    """Rejects without their times of arrival, which are those of the run."""
    documents = json.loads(text)
    for document in documents:
        document.pop("received_at", None)
    return json.dumps(documents)


def test_the_service_answers_and_takes_in_as_the_file_does(tmp_path: Path) -> None:
    alone, served = prepare(tmp_path / "alone"), prepare(tmp_path / "served")
    entered = fill(alone)
    assert [code for code, _ in entered] == [0, 0, 0]
    with service(served, *ROLES) as running:
        assert fill(served) == entered, "back-fill and correct through the service"
        by_service = {name: called(*command, "--json", folder=served) for name, command in QUESTIONS.items()}
        alerts = called("alerts", "w.yaml", "--json", folder=served)
        wrong = {name: called(*command, folder=served) for name, command in WRONG.items()}
        assert wattwell(*QUESTIONS["events"], folder=served).code == 0
        assert 'wattwell_readings_total{site="north"} ' in running.get("/metrics")[1]
        assert running.end() == 0
    assert not (served / "wattwell.duckdb.sock").exists()
    for name, command in QUESTIONS.items():
        by_file = called(*command, "--json", folder=served)
        assert (by_service[name].code, by_service[name].err) == (0, "")
        assert by_service[name] == by_file, f"{name}: byte for byte"
        elsewhere = called(*command, "--json", folder=alone).out
        assert without_arrival(by_file.out) == without_arrival(elsewhere), f"{name}: whoever took it in"
    assert called("alerts", "w.yaml", "--json", folder=served).out == alerts.out
    for name, command in WRONG.items():
        result = called(*command, folder=served)
        assert result.code in (1, 2)
        assert (result.code, result.out, result.err) == (wrong[name].code, wrong[name].out, wrong[name].err), name


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the store open until it is told to let go."""
    script = (
        "import sys; from pathlib import Path; from wattwell.store.duckdb import DuckdbStore\n"
        "store = DuckdbStore.open(Path(sys.argv[1])); print('open', flush=True); sys.stdin.read(); store.close()"
    )
    command = [sys.executable, "-c", script, str(folder / "wattwell.duckdb")]
    with subprocess.Popen(command, cwd=ROOT, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "open\n"
        yield process
        if not process.stdin.closed:
            process.stdin.close()


def test_a_command_waits_for_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    waited: list[float] = []
    with holder(tmp_path) as process:
        assert process.stdin is not None

        def pause(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                process.stdin.close()  # type: ignore[union-attr] # it is there
                process.wait()

        monkeypatch.setattr(time, "sleep", pause)
        with access.reach(load(tmp_path / "w.yaml")) as reached:
            assert reached.ask("events") == []
    assert len(waited) == 3


def test_a_store_that_stays_locked_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    monkeypatch.setattr(access, "_PATIENCE", 0.2)
    with holder(tmp_path) as process:
        for command in (("events", "w.yaml"), ("run", "w.yaml", *ROLES)):
            refused = called(*command, folder=tmp_path)
            assert (refused.code, refused.out) == (1, "")
            assert f"PID {process.pid}); stop it, or wait until it is done" in refused.err
            assert len(refused.err.splitlines()) == 1


def test_a_killed_service_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    prepare(tmp_path)
    with service(tmp_path, *ROLES) as running:
        first = fill(tmp_path)
        second = wattwell("run", "w.yaml", *ROLES, folder=tmp_path)
        assert (second.code, second.out) == (1, "")
        assert f"PID {running.process.pid}); stop it, or wait" in second.err
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
    socket = tmp_path / "wattwell.duckdb.sock"
    assert socket.exists(), "it had no time to remove it"
    by_file = called(*QUESTIONS["series"], "--json", folder=tmp_path)
    assert by_file.code == 0
    assert fill(tmp_path) == first, "the same files again change nothing"
    with service(tmp_path, *ROLES) as running:
        wait_until(running.ready, "the service is ready again")
        assert called(*QUESTIONS["series"], "--json", folder=tmp_path) == by_file
        assert running.end() == 0
    assert not socket.exists()
