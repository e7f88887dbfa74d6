"""The command line as a new user meets it; where no process of its own matters, called in this one."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import duckdb
import pytest

from tests.commands import CONFIG, START, Result, ask, called, dials, start, troubled, wattwell, write_long, write_wide
from wattwell.cli.main import _COMMANDS
from wattwell.intervals import HOUR, MINUTE, iso

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "cli"
SPAN = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z")
Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both sites back-filled: a reset, a transient, a jump and rejects in the north. Tests only read it."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "w.yaml").write_text(CONFIG)
    write_wide(folder / "north.csv", troubled())
    write_long(folder / "south.csv", dials("south"))
    for site in ("north", "south"):
        done = wattwell("backfill", "w.yaml", f"{site}.csv", "--site", site, folder=folder)
        assert done.code == 0, done.err
    return folder


# -- check ----------------------------------------------------------------------------------------------------


def test_check(folder: Path) -> None:
    good = wattwell("check", "w.yaml", folder=folder)
    assert (good.code, good.out) == (0, "w.yaml: no fault; 2 sites, 6 meters, 8 alert rules\n")
    assert "note: " in good.err
    broken = CONFIG.replace("pue_category: 1", "pue_category: 7").replace("unit: m3", "unit: pints") + "colour: blue\n"
    (folder / "w.yaml").write_text(broken)
    for command in (("check",), ("kpi",), ("run",), ("series", "--site", "north")):
        bad = called(command[0], "w.yaml", *command[1:], folder=folder)
        assert (bad.code, bad.out) == (2, "")
        for path in ("sites[0].pue_category", "sites[1].pue_category", "sites[0].meters[2].unit", "colour"):
            assert path in bad.err, f"{command}: every fault at once"
        assert "Traceback" not in bad.err
    listed = wattwell("check", "w.yaml", "--json", folder=folder)
    assert listed.code == 2
    assert {fault["path"] for fault in listed.json["faults"]} >= {"colour", "sites[0].pue_category"}
    assert all(fault["remedy"] for fault in listed.json["faults"])


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no command": ((), "required: COMMAND"),
    "unknown command": (("measure", "w.yaml"), "invalid choice: 'measure'"),
    "no configuration": (("kpi",), "required: CONFIG"),
    "no such configuration": (("kpi", "other.yaml"), "other.yaml"),
    "unknown option": (("check", "w.yaml", "--fast"), "--fast"),
    "unknown site": (("kpi", "w.yaml", "--site", "mars", "--window", "day"), "site 'mars' is not configured; known:"),
    "unknown site of series": (("series", "w.yaml", "--site", "mars"), "known: north, south"),
    "unknown site of rejects": (("rejects", "w.yaml", "--site", "mars"), "known: north, south"),
    "unknown site of alerts": (("alerts", "w.yaml", "--site", "mars"), "known: north, south"),
    "unknown site of backfill": (("backfill", "w.yaml", "x.csv", "--site", "mars"), "known: north, south"),
    "unknown site of correct": (("correct", "w.yaml", "x.csv", "--site", "mars"), "known: north, south"),
    "unknown meter": (("series", "w.yaml", "--site", "north", "--meter", "x"), "meter 'x' is not configured at north"),
    "unknown kpi": (
        ("kpi", "w.yaml", "--kpi", "pue,eup", "--window", "day"),
        "kpi 'eup' is not known; use one of pue,",
    ),
    "unknown window": (("kpi", "w.yaml", "--window", "9h"), "window '9h' is not known; use one of 1h,"),
    "a time without offset": (("kpi", "w.yaml", "--to", "2026-03-01T00:00"), "'2026-03-01T00:00' is not understood"),
    "a span the wrong way": (("kpi", "w.yaml", "--from", "2026-03-02", "--to", "2026-03-01"), "the span is empty"),
    "neither window nor from": (("kpi", "w.yaml"), "without --window, --from is needed"),
    "unknown role": (("run", "w.yaml", "--role", "cook"), "role 'cook' is not known"),
    "a collector without a broker": (("run", "w.yaml", "--role", "collector"), "has no mqtt section; add one"),
    "a wrong simulation": (("simulate", "out", "--step", "soon"), "soon"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_exit_code_2_with_the_value_and_the_remedy(folder: Path, name: str) -> None:
    arguments, message = WRONG[name]
    result = called(*arguments, folder=folder)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert "Traceback" not in result.err


# -- backfill -------------------------------------------------------------------------------------------------


def test_backfill_says_what_it_did(folder: Path) -> None:
    write_wide(folder / "north.csv", iter(troubled()))
    done = wattwell("backfill", "w.yaml", "north.csv", "--site", "north", "--json", folder=folder)
    assert done.code == 0
    assert done.json == {
        "site": "north",
        "files": 1,
        "rows": 361,
        "readings": 361 * 4 - 3,
        "rejected": {"value.sentinel": 1, "value.type": 1, "point.unknown": 361},
        "unknown_points": {"cafeteria": 361},
        "first": "2026-03-01T00:00:00Z",
        "last": "2026-03-02T06:00:00Z",
    }
    assert "100%" in done.err, "the progress bar goes to stderr"
    again = wattwell("backfill", "w.yaml", "north.csv", "--site", "north", folder=folder)
    assert (again.code, again.out) == (
        0,
        "1441 readings from 361 rows, 2026-03-01T00:00:00Z to 2026-03-02T06:00:00Z\n",
    )
    assert "rejected 1 as value.sentinel; see wattwell rejects w.yaml" in again.err


def test_every_form_of_a_file_gives_the_same_intervals(folder: Path) -> None:
    rows = list(islice(dials(), 61))
    write_wide(folder / "wide.csv", iter(rows))
    write_long(folder / "long.csv", iter(rows[:31]))
    write_long(folder / "rest.csv", iter(rows[31:]))
    (folder / "wide.csv.gz").write_bytes(gzip.compress((folder / "wide.csv").read_bytes()))
    write_long(folder / "whole.csv", iter(rows))
    with duckdb.connect() as database:
        database.execute(f"COPY (FROM '{folder}/wide.csv') TO '{folder}/wide.parquet'")
        database.execute(f"COPY (FROM '{folder}/whole.csv') TO '{folder}/long.parquet'")
    kinds = (["wide.csv"], ["rest.csv", "long.csv"], ["wide.csv.gz"], ["wide.parquet"], ["long.parquet"])
    found = []
    for number, files in enumerate(kinds):
        name = f"store{number}.yaml"
        (folder / name).write_text(CONFIG.replace("wattwell.duckdb", f"store{number}.duckdb"))
        assert called("backfill", name, *files, "--site", "north", folder=folder).code == 0
        found.append(ask(folder, "series", name, "--site", "north").out)
    assert json.loads(found[0])[0]["value"] == pytest.approx(30.0)
    assert all(each == found[0] for each in found)


def test_files_that_cannot_be_read_are_exit_code_1(folder: Path) -> None:
    (folder / "broken.csv.gz").write_bytes(gzip.compress(b"time,grid-a\n2026-03-01T00:00:00Z,1\n")[:-9])
    (folder / "broken.parquet").write_bytes(b"PAR1 is all there is PAR1")
    (folder / "odd.csv").write_text("when,what\n1,2\n")
    (folder / "empty.csv").write_text("")
    for name in ("none.csv", "broken.csv.gz", "broken.parquet", "odd.csv", "empty.csv"):
        bad = called("backfill", "w.yaml", name, "--site", "north", folder=folder)
        assert (bad.code, bad.out) == (1, ""), name
        assert f"wattwell: {name}" in bad.err
        assert "Traceback" not in bad.err


# -- asking ---------------------------------------------------------------------------------------------------


def test_kpi(filled: Path) -> None:
    found = ask(filled, "kpi", "w.yaml", "--kpi", "pue,wue", "--window", "day", "--to", "2026-03-02").json
    assert [(v["site"], v["kpi"]) for v in found] == [
        ("north", "pue"),
        ("north", "wue"),
        ("south", "pue"),
        ("south", "wue"),
        ("all", "pue"),
        ("all", "wue"),
    ]
    keys = "site kpi label window start end value unit numerator denominator usable coverage estimated category basis"
    assert {*keys.split(), "provisional", "issues"} <= set(found[0])
    assert (found[0]["start"], found[0]["end"]) == ("2026-02-28T23:00:00Z", "2026-03-01T23:00:00Z"), "a local day"
    south = found[2]
    assert (south["value"], south["label"], south["window"], south["category"]) == (
        pytest.approx(1.5),
        "iPUE",
        "day",
        1,
    )
    assert found[3]["value"] is None, "no water meter: no value, and why"
    assert [issue["code"] for issue in found[3]["issues"]] == ["input.missing"]
    span = ask(filled, "kpi", "w.yaml", "--site", "south", "--kpi", "pue", *SPAN).json
    assert [(v["window"], v["start"], v["end"]) for v in span] == [
        (None, "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
    ]
    rolling = ask(filled, "kpi", "w.yaml", "--site", "south", "--kpi", "pue", "--window", "1h", *SPAN).json
    assert len(rolling) == 96
    assert rolling[-1]["end"] == "2026-03-02T00:00:00Z"


def test_series(filled: Path) -> None:
    first = ("--from", iso(START + HOUR), "--to", iso(START + HOUR + 30 * MINUTE))
    found = ask(filled, "series", "w.yaml", "--site", "south", *first).json
    assert [(v["meter"], v["start"]) for v in found] == [
        (meter, iso(START + HOUR + quarter * 15 * MINUTE)) for meter in ("grid-a", "ups-a") for quarter in (0, 1)
    ]
    assert found[0] == {
        "site": "south",
        "meter": "grid-a",
        "start": "2026-03-01T01:00:00Z",
        "end": "2026-03-01T01:15:00Z",
        "value": pytest.approx(37.5),
        "unit": "kWh",
        "measured": 1.0,
        "estimated": 0.0,
        "missing": 0.0,
        "recovered": False,
    }
    assert ask(filled, "series", "w.yaml", "--site", "south", "--meter", "ups-a", *first).json == found[2:]


def test_events_and_rejects(filled: Path) -> None:
    events = ask(filled, "events", "w.yaml").json
    assert [(e["meter"], e["event"], e["state"], e["unit"]) for e in events] == [
        ("ups-a", "transient", "booked", "kWh"),
        ("water", "reset", "booked", "L"),
        ("grid-a", "jump", "pending", "kWh"),
    ]
    assert set(events[0]) == {"site", "meter", "event", "at", "before", "after", "booked", "unit", "state"}
    assert events[0]["at"] == iso(START + 150 * MINUTE)
    assert ask(filled, "events", "w.yaml", "--site", "south").json == []
    assert len(ask(filled, "events", "w.yaml", "--from", iso(START + 151 * MINUTE)).json) == 2
    rejects = ask(filled, "rejects", "w.yaml").json
    assert set(rejects[0]) == {"site", "meter", "topic", "at", "received_at", "reason", "value", "count"}
    counted: dict[tuple[str, str], int] = {}
    for entry in rejects:
        counted[entry["meter"], entry["reason"]] = counted.get((entry["meter"], entry["reason"]), 0) + entry["count"]
    assert counted == {("hall", "value.sentinel"): 1, ("hall", "value.type"): 1, ("cafeteria", "point.unknown"): 361}


def test_alerts(filled: Path) -> None:
    found = ask(filled, "alerts", "w.yaml", "--site", "south").json
    assert {"name", "site", "state", "value", "since", "fired_at", "resolved_at", "labels", "annotations"} <= set(
        found[0]
    )
    assert (found[0]["site"], found[0]["name"], found[0]["state"]) == ("south", "PueHigh", "firing")
    assert found[0]["fired_at"].endswith("Z")


def test_unmapped(filled: Path) -> None:
    assert ask(filled, "unmapped", "w.yaml").json == []


TABLES: dict[str, tuple[str, ...]] = {
    "kpi": ("kpi", "w.yaml", "--kpi", "pue,wue", "--window", "day", "--to", "2026-03-02"),
    "series": ("series", "w.yaml", "--site", "north", "--meter", "water", "--from", "2026-03-01T04:30Z", "--to",
               "2026-03-01T05:30Z"),
    "events": ("events", "w.yaml"),
    "alerts": ("alerts", "w.yaml", "--site", "south"),
    "unmapped": ("unmapped", "w.yaml"),
    "check": ("check", "w.yaml"),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_for_people(filled: Path, name: str) -> None:
    shown = called(*TABLES[name], folder=filled)
    assert shown.code == 0
    lines = "".join(line.rstrip() + "\n" for line in shown.out.splitlines())
    assert lines == (GOLDEN / f"{name}.txt").read_text()


def test_a_reader_who_leaves_early_is_no_error(filled: Path) -> None:
    process = start("series", "w.yaml", "--site", "north", "--json", folder=filled)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(5)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=30) in (0, 1)


# -- simulate and the store -----------------------------------------------------------------------------------


def test_what_is_simulated_can_be_back_filled(folder: Path) -> None:
    done = wattwell(
        "simulate", "out", "--days", "0.5", "--start", "2026-03-01", "--step", "10m", "--json", folder=folder
    )
    assert done.code == 0
    assert isinstance(done.json, dict)
    files = {path.name for path in (folder / "out").iterdir()}
    assert any(name.endswith(".yaml") for name in files), files
    config = next(path for path in (folder / "out").iterdir() if path.suffix == ".yaml")
    assert wattwell("check", config, folder=folder).code == 0


def test_a_store_that_cannot_be_opened_is_exit_code_1(folder: Path) -> None:
    (folder / "wattwell.duckdb").write_text("not a store at all, " * 100)
    bad = wattwell("kpi", "w.yaml", "--window", "day", folder=folder)
    assert (bad.code, bad.out) == (1, "")
    assert bad.err.startswith("wattwell: store ")
    assert "is not a DuckDB file; name another file" in bad.err
    assert len(bad.err.splitlines()) == 1


def test_version_and_help(folder: Path) -> None:
    assert wattwell("--version", folder=folder).out.startswith("wattwell ")
    helped = wattwell("--help", folder=folder)
    assert helped.code == 0
    assert set(_COMMANDS) >= {"backfill", "check", "correct", "demo", "doctor", "events", "kpi", "rejects", "run"}
    for command in _COMMANDS:
        assert command in helped.out
        assert f"usage: wattwell {command}" in called(command, "--help", folder=folder).out


def test_the_installed_entry_point(folder: Path) -> None:
    entry = Path(sys.executable).with_name("wattwell")
    assert subprocess.run([entry, "check", folder / "w.yaml"], check=False, capture_output=True).returncode == 0
