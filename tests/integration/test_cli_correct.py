"""``wattwell correct``: what operators enter, before and after the readings."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from tests.commands import CONFIG, START, ask, called, dials, troubled, wattwell, write_wide
from wattwell.intervals import HOUR, MINUTE, iso


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.yaml").write_text(CONFIG)
    return tmp_path


HEADER = "meter,at,event,final,first,author,reason\n"


def test_an_accepted_jump_is_booked(folder: Path) -> None:
    write_wide(folder / "north.csv", iter(troubled()))
    called("backfill", "w.yaml", "north.csv", "--site", "north", folder=folder)
    at = iso(START + 200 * 5 * MINUTE)
    (folder / "c.csv").write_text(f"{HEADER}grid-a,{at},accept,,,ann,meter was bridged\n")
    done = wattwell("correct", "w.yaml", "c.csv", "--site", "north", folder=folder)
    assert (done.code, done.out) == (0, "1 correction entered\n")
    jump = ask(folder, "events", "w.yaml", "--meter", "grid-a").json
    assert [(e["event"], e["state"], e["booked"]) for e in jump] == [("jump", "accepted", pytest.approx(50_010))]


def test_an_acceptance_where_no_jump_is_known_is_told(folder: Path) -> None:
    at = START + 200 * 5 * MINUTE
    lines = [f"grid-a,{iso(at + late)},accept,,,ann,meter was bridged\n" for late in (0, MINUTE)]
    (folder / "c.csv").write_text(HEADER + "".join(lines))
    early = wattwell("correct", "w.yaml", "c.csv", "--site", "north", folder=folder)
    assert (early.code, early.out) == (0, "2 corrections entered\n")
    assert early.err.count("no jump is known there") == 2
    write_wide(folder / "north.csv", iter(troubled()))
    called("backfill", "w.yaml", "north.csv", "--site", "north", folder=folder)
    again = wattwell("correct", "w.yaml", "c.csv", "--site", "north", folder=folder)
    assert again.err.count("no jump is known there") == 1
    assert f"grid-a at {iso(at + MINUTE)}" in again.err


@pytest.mark.parametrize("before", [True, False], ids=["before the readings", "after the readings"])
def test_a_replacement_books_both_parts(folder: Path, *, before: bool) -> None:
    cut = START + 2 * HOUR + 7 * MINUTE
    rows = [
        (at, dial | ({"ups-a": round(dial["ups-a"] - 500 - 100 * (cut - START) / HOUR + 3, 2)} if at >= cut else {}))
        for at, dial in islice(dials(), 61)
    ]
    final = 500 + 100 * (cut - START) / HOUR
    write_wide(folder / "north.csv", iter(rows))
    (folder / "c.csv").write_text(f"{HEADER}ups-a,{iso(cut)},replacement,{final},3,ann,new meter\n")
    steps = [("correct", "c.csv"), ("backfill", "north.csv")]
    for command, file in steps if before else reversed(steps):
        done = called(command, "w.yaml", file, "--site", "north", folder=folder)
        assert done.code == 0, done.err
    found = ask(folder, "series", "w.yaml", "--site", "north", "--meter", "ups-a").json
    assert sum(v["value"] for v in found) == pytest.approx(500.0, abs=0.01)
    assert [v["value"] for v in found] == pytest.approx([25.0] * 20, abs=0.01)
    events = ask(folder, "events", "w.yaml").json
    assert [e["event"] for e in events if e["state"] != "withdrawn"] == ["replacement"]


def test_a_replacement_below_the_last_reading_is_refused(folder: Path) -> None:
    write_wide(folder / "north.csv", islice(dials(), 61))
    called("backfill", "w.yaml", "north.csv", "--site", "north", folder=folder)
    (folder / "c.csv").write_text(f"{HEADER}ups-a,{iso(START + 4 * HOUR)},replacement,700,0,ann,new meter\n")
    bad = wattwell("correct", "w.yaml", "c.csv", "--site", "north", folder=folder)
    assert (bad.code, bad.out) == (2, "")
    assert "the final dial 700 is below the last reading 891.67" in bad.err
    assert ask(folder, "events", "w.yaml").json == []


def test_a_faulty_file_of_corrections_lists_every_line_and_enters_none(folder: Path) -> None:
    good = f"ups-a,{iso(START)},accept,,,ann,why\n"
    lines = ["ups-a,soon,accept,,,ann,why\n", good, f"ups-a,{iso(START)},repair,,,ann,why\n",
             f"ups-a,{iso(START)},replacement,x,1,ann,why\n", f"ups-a,{iso(START)},accept,,,,why\n"]  # fmt: skip
    (folder / "c.csv").write_text(HEADER + "".join(lines))
    bad = wattwell("correct", "w.yaml", "c.csv", "--site", "north", folder=folder)
    assert (bad.code, bad.out) == (1, "")
    for number, value in ((2, "'soon'"), (4, "'repair'"), (5, "'x'"), (6, "author is empty")):
        assert f"c.csv line {number}: " in bad.err
        assert value in bad.err
    assert "line 3" not in bad.err
    (folder / "c.csv").write_text("meter,when\n")
    assert called("correct", "w.yaml", "c.csv", "--site", "north", folder=folder).code == 1
    assert called("correct", "w.yaml", "none.csv", "--site", "north", folder=folder).code == 1
