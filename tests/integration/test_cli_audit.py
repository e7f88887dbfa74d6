"""The audit ledger as an auditor meets it: entered by every command, verified, and tampered with behind its back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analytics.kpi import KPIS
from tests.commands import (
    CONFIG,
    START,
    Result,
    ask,
    called,
    dials,
    service,
    troubled,
    wattwell,
    write_long,
    write_wide,
)
from tests.servers import wait_until
from wattwell.intervals import MINUTE, iso
from wattwell.web.shapes import ExplanationShape

DAY = ("--site", "north", "--kpi", "pue", "--window", "day", "--to", "2026-03-02")
SIGNED = ("--author", "ann", "--reason", "board paper")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The north back-filled with every kind of trouble, one figure issued, then a jump accepted, which revises it."""
    folder = tmp_path_factory.mktemp("audited")
    (folder / "w.yaml").write_text(CONFIG)
    write_wide(folder / "north.csv", iter(troubled()))
    (folder / "c.csv").write_text(
        "meter,at,event,final,first,author,reason\n"
        f"grid-a,{iso(START + 1000 * MINUTE)},accept,,,bob,the load was real\n"
    )
    for arguments in (
        ("backfill", "w.yaml", "north.csv", "--site", "north", "--author", "ann", "--reason", "first load"),
        ("kpi", "w.yaml", *DAY, "--issue", *SIGNED),
        ("correct", "w.yaml", "c.csv", "--site", "north"),
    ):
        done = called(*arguments, folder=folder)
        assert done.code == 0, done.err
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "copy"))


def shown(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask(folder, "audit", "show", "w.yaml", *arguments).json
    return found


def verified(folder: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = called("audit", "verify", "w.yaml", "--json", *arguments, folder=folder)
    return done.code, done.json


# -- what is entered --------------------------------------------------------------------------------------------------


def test_each_command_enters_what_it_does(made: Path) -> None:
    entries = shown(made)
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry["kind"] for entry in entries] == [
        "readings",
        "configuration",
        *["event"] * 3,
        "figure",
        "correction",
        "event",
        "figure",
    ]
    readings = entries[0]["document"]
    assert readings == {
        "site": "north",
        "files": [{"name": "north.csv", "sha256": hashlib.sha256((made / "north.csv").read_bytes()).hexdigest()}],
        "rows": 361,
        "readings": 361 * 4 - 3,
        "rejected": {"value.sentinel": 1, "value.type": 1, "point.unknown": 361},
        "first": iso(START),
        "last": "2026-03-02T06:00:00Z",
        "author": "ann",
        "reason": "first load",
        "complete": True,
    }
    issued, revised = (entry["document"] for entry in shown(made, "--kind", "figure"))
    assert (issued["revision"], issued["author"], issued["reason"]) == (1, "ann", "board paper")
    assert "old_value" not in issued
    assert issued["value"] == pytest.approx(1.2)
    assert (revised["revision"], revised["old_value"]) == (2, issued["value"])
    assert (revised["author"], revised["reason"]) == ("wattwell", "late readings or correction")
    now = ask(made, "kpi", "w.yaml", *DAY).json[0]
    assert {name: revised[name] for name in ("value", "numerator", "usable", "start", "end")} == {
        name: now[name] for name in ("value", "numerator", "usable", "start", "end")
    }
    lines = called("audit", "show", "w.yaml", folder=made).out
    assert "north/grid-a accept at 2026-03-01T16:40:00Z by bob: the load was real" in lines
    assert "(was 1.2), revision 2 by wattwell: late readings or correction" in lines
    assert "north: 1441 readings from north.csv by ann" in lines


def test_issuing_again_enters_only_what_differs(folder: Path) -> None:
    before = len(shown(folder))
    again = called("kpi", "w.yaml", *DAY, "--issue", *SIGNED, "--json", folder=folder)
    assert (again.code, again.json[0]["revision"]) == (0, 2)
    assert "1 of 1 values stand in the audit ledger as issued" in again.err
    assert len(shown(folder)) == before
    both = called("kpi", "w.yaml", "--kpi", "pue,ups_efficiency", *DAY[4:], "--issue", *SIGNED, "--json", folder=folder)
    assert [(v["site"], v["kpi"], v["revision"]) for v in both.json] == [
        ("north", "pue", 2),
        ("north", "ups_efficiency", None),
        ("south", "pue", None),
        ("south", "ups_efficiency", None),
        ("all", "pue", None),
        ("all", "ups_efficiency", None),
    ], "what has no value is no figure"


def test_a_roll_up_is_issued_and_revised_with_its_sites(folder: Path) -> None:
    write_long(folder / "south.csv", dials("south"))
    assert called("backfill", "w.yaml", "south.csv", "--site", "south", folder=folder).code == 0
    issued = called("kpi", "w.yaml", "--kpi", "pue", *DAY[4:], "--issue", *SIGNED, "--json", folder=folder).json
    assert [(v["site"], v["revision"]) for v in issued] == [("north", 2), ("south", 1), ("all", 1)]
    (folder / "late.csv").write_text("time,meter,value\n2026-03-02T00:00:00Z,ups-a,2901\n")
    assert called("backfill", "w.yaml", "late.csv", "--site", "south", folder=folder).code == 0
    entered = [e["document"] for e in shown(folder, "--kind", "figure")][-2:]
    now = ask(folder, "kpi", "w.yaml", "--kpi", "pue", *DAY[4:]).json
    assert now[1]["denominator"] == pytest.approx(issued[1]["denominator"] + 1)
    assert [(d["site"], d["revision"], d["value"], d["old_value"]) for d in entered] == [
        ("south", 2, now[1]["value"], issued[1]["value"]),
        ("all", 2, now[2]["value"], issued[2]["value"]),
    ]


def test_a_file_that_breaks_off_is_entered_too(folder: Path) -> None:
    (folder / "half.csv").write_text(f"time,meter,value\n{iso(START)},ups-a,501\n")
    done = called("backfill", "w.yaml", "half.csv", "none.csv", "--site", "south", folder=folder)
    assert (done.code, done.out) == (1, "")
    entered = shown(folder, "--kind", "readings")[-1]["document"]
    assert (entered["complete"], entered["readings"], entered["author"]) == (False, 1, None)
    assert [file["name"] for file in entered["files"]] == ["half.csv"]
    assert verified(folder)[0] == 0


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "no author": (("kpi", "w.yaml", *DAY, "--issue", "--reason", "r"), "--issue, --author and --reason together"),
    "nobody issues": (("kpi", "w.yaml", *DAY, *SIGNED), "--issue, --author and --reason together"),
    "an empty author": (("kpi", "w.yaml", *DAY, "--issue", "--author", " ", "--reason", "r"), "--author ' ' must be"),
    "a broken line": (("backfill", "w.yaml", "north.csv", "--site", "north", "--reason", "a\nb"), "--reason 'a\\nb'"),
    "no hash": (("audit", "verify", "w.yaml", "--head", "abc"), "--head 'abc' is no hash"),
    "no action": (("audit", "w.yaml"), "invalid choice: 'w.yaml'"),
    "unknown kind": (("audit", "show", "w.yaml", "--kind", "gossip"), "invalid choice: 'gossip'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage(made: Path, name: str) -> None:
    arguments, message = WRONG[name]
    result = called(*arguments, folder=made)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


# -- verification -----------------------------------------------------------------------------------------------------


def test_an_untouched_ledger_holds(made: Path) -> None:
    entries = shown(made)
    code, found = verified(made)
    assert code == 0
    assert found == {
        "ok": True,
        "entries": len(entries),
        "head": entries[-1]["hash"],
        "first": entries[0]["at"],
        "last": entries[-1]["at"],
        "broken": None,
    }
    told = called("audit", "verify", "w.yaml", folder=made)
    assert told.code == 0
    assert told.out.splitlines() == [
        f"the audit ledger holds: 9 entries, {found['first']} to {found['last']}",
        f"head {found['head']}",
    ]
    for entry in (entries[0], entries[4], entries[-1]):
        assert verified(made, "--head", entry["hash"])[0] == 0, "whatever was noted since is still there"
    assert len(shown(made)) == len(entries), "looking enters nothing"


def sql(*statements: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        with duckdb.connect(str(folder / "wattwell.duckdb")) as store:
            for statement in statements:
                store.execute(statement)

    return spoil


SPOILT: dict[str, tuple[Callable[[Path], None], int | None, str]] = {
    "one byte of a document": (
        sql("UPDATE audit SET document = replace(document, 'board', 'Board') WHERE seq = 6"),
        6,
        "its hash does not match",
    ),
    "a hash": (sql("UPDATE audit SET hash = reverse(hash) WHERE seq = 3"), 3, "its hash does not match"),
    "a time": (sql("UPDATE audit SET t = t + 1 WHERE seq = 4"), 4, "its hash does not match"),
    "a kind": (sql("UPDATE audit SET kind = 'figure' WHERE seq = 1"), 1, "its hash does not match"),
    "a document gone": (sql("UPDATE audit SET document = NULL WHERE seq = 2"), 2, "a part of it is gone"),
    "a row taken out": (sql("DELETE FROM audit WHERE seq = 5"), 6, "number 6 stands where number 5 is due"),
    "a row taken out and the rest renumbered": (
        sql("DELETE FROM audit WHERE seq = 5", "UPDATE audit SET seq = seq - 1 WHERE seq > 5"),
        5,
        "its hash does not match",
    ),
    "the first row taken out": (sql("DELETE FROM audit WHERE seq = 1"), 2, "number 2 stands where number 1 is due"),
    "two rows changed about": (
        sql("UPDATE audit SET seq = CASE seq WHEN 3 THEN 4 ELSE 3 END WHERE seq IN (3, 4)"),
        3,
        "its hash does not match",
    ),
    "a row put in": (
        sql("INSERT INTO audit SELECT 10, t, kind, document, hash FROM audit WHERE seq = 9"),
        10,
        "its hash does not match",
    ),
    "a row twice": (sql("INSERT INTO audit SELECT * FROM audit WHERE seq = 7"), 7, "number 7 comes twice"),
    "a number gone": (sql("UPDATE audit SET seq = NULL WHERE seq = 2"), 3, "number 3 stands where number 2 is due"),
    "the last number gone": (sql("UPDATE audit SET seq = NULL WHERE seq = 9"), None, "a part of it is gone"),
    "an event edited": (
        sql("UPDATE events SET booked = 1.5 WHERE event = 'reset'"),
        5,
        "the event reset of north/water at 2026-03-01T05:00:00Z: booked is 1.5 in its table and was entered as 0.0",
    ),
    "an event dropped": (
        sql("DELETE FROM events WHERE event = 'transient'"),
        4,
        "the event transient of north/ups-a at 2026-03-01T02:30:00Z: it is gone from its table",
    ),
    "an event invented": (
        sql("INSERT INTO events SELECT series, t + 1, event, before, after, booked, unit, state FROM events LIMIT 1"),
        None,
        "is in its table and was never entered",
    ),
    "a correction edited": (
        sql("UPDATE corrections SET author = 'nobody'"),
        7,
        "the correction accept of north/grid-a at 2026-03-01T16:40:00Z: author is 'nobody' in its table",
    ),
    "the end cut off": (
        sql("DELETE FROM audit WHERE seq > 7"),
        3,
        "the event jump of north/grid-a at 2026-03-01T16:40:00Z: booked is 50010.0 in its table and was entered as 0.0",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_whatever_is_changed_is_named(folder: Path, name: str) -> None:
    spoil, seq, problem = SPOILT[name]
    spoil(folder)
    code, found = verified(folder)
    assert (code, found["ok"], found["broken"]["seq"]) == (1, False, seq)
    assert problem in found["broken"]["problem"]
    told = called("audit", "verify", "w.yaml", folder=folder)
    assert told.code == 1
    assert told.out.startswith("the audit ledger is broken" + (f" at entry {seq} (" if seq else ": "))
    assert problem in told.out


def test_what_the_chain_alone_cannot_tell_the_head_tells(folder: Path) -> None:
    """The last entry cut off, or the whole chain made anew: what is left is whole, but not what somebody noted."""
    head = verified(folder)[1]["head"]
    sql("DELETE FROM audit WHERE seq = 9")(folder)
    assert verified(folder)[0] == 0
    code, found = verified(folder, "--head", head)
    assert (code, found["broken"]["seq"]) == (1, None)
    assert found["broken"]["problem"].startswith(f"the head {head} is not in the chain: entries were taken away")


def test_another_configuration_is_named_until_figures_are_made_with_it(folder: Path) -> None:
    (folder / "w.yaml").write_text(
        CONFIG.replace("pue_category: 1", "pue_category: 2", 1).replace("it_ups", "it_pdu", 1)
    )
    code, found = verified(folder)
    assert (code, found["broken"]["seq"], found["broken"]["kind"]) == (1, 2, "configuration")
    assert "is not the latest one entered" in found["broken"]["problem"]
    assert ask(folder, "kpi", "w.yaml", *DAY).json[0]["category"] == 2
    assert verified(folder)[0] == 0
    before, after = (entry["document"] for entry in shown(folder, "--kind", "configuration"))
    assert (before["sites"]["north"]["pue_category"], after["sites"]["north"]["pue_category"]) == (1, 2)
    figure = shown(folder, "--kind", "figure")[-1]["document"]
    assert (figure["revision"], figure["category"], figure["reason"]) == (3, 2, "configuration changed")


# -- explain ----------------------------------------------------------------------------------------------------------

ASKED = ("explain", "w.yaml", "--site", "north", "--kpi", "pue", "--window", "day", "--at", "2026-03-01")


def test_a_figure_is_explained_down_to_its_dials(made: Path) -> None:
    found = ask(made, *ASKED).json
    assert found["figure"] == ask(made, "kpi", "w.yaml", *DAY).json[0]
    assert found["local"] == {
        "timezone": "Europe/Berlin",
        "start": "2026-03-01T00:00:00+01:00",
        "end": "2026-03-02T00:00:00+01:00",
    }
    grid, ups = found["meters"]
    # 120 kW over 23 hours, and the jump that was accepted: 50,010 kWh in five minutes.
    assert [ups["amount"], grid["amount"]] == [pytest.approx(2300), pytest.approx(2750 + 50010)]
    assert [c["author"] for c in grid["corrections"]] == ["bob"]
    assert [(e["event"], e["state"]) for e in (*grid["events"], *ups["events"])] == [
        ("jump", "accepted"),
        ("transient", "booked"),
    ]
    assert (found["ledger"]["head"], found["ledger"]["issued"]["revision"]) == (verified(made)[1]["head"], 2)
    told = called(*ASKED, folder=made)
    assert told.code == 0
    assert told.out.startswith("iPUE of north: 22.93913043, day, 2026-03-01 00:00+01:00 to 2026-03-02 00:00+01:00")
    assert "dial 2,990 kWh to 53,000 kWh, 50,010 kWh (accepted)." in told.out
    assert "Correction accept at 2026-03-01 17:40+01:00 by bob: the load was real." in told.out


def test_every_figure_can_be_explained(made: Path) -> None:
    for kpi in KPIS:
        found = ask(
            made, "explain", "w.yaml", "--site", "north", "--kpi", kpi, "--window", "7d", "--at", "2026-03-03"
        ).json
        assert found["figure"]["kpi"] == kpi
        assert (found["formula"] is None) == any(i["code"] == "input.missing" for i in found["figure"]["issues"])
    for wrong in (("--kpi", "eup", "--window", "day"), ("--kpi", "pue"), ("--kpi", "pue", "--at", "2026-03")):
        bad = called("explain", "w.yaml", "--site", "north", *wrong, folder=made)
        assert (bad.code, bad.out) == (2, "")


def test_the_running_service_answers_the_same(folder: Path) -> None:
    alone = (verified(folder), shown(folder), ask(folder, *ASKED).json)
    with service(folder) as running:
        wait_until(running.ready, "the first analysis")
        assert (verified(folder), shown(folder), ask(folder, *ASKED).json) == alone
        status, text = running.get("/api/v1/explain?site=north&kpi=pue&window=day&at=2026-03-01")
        assert (status, json.loads(text)) == (200, alone[2])
        ExplanationShape.model_validate(alone[2])
        status, page = running.get("/sites/north/explain?kpi=pue&window=day&at=2026-03-01")
        assert (status, "by bob: the load was real." in page, alone[2]["ledger"]["head"] in page) == (200, True, True)
        status, page = running.get("/sites/north/ledger")
        assert (status, alone[0][1]["head"] in page, f"north/{alone[2]['meters'][0]['meter']} jump at" in page) == (
            200,
            True,
            True,
        )
        for wrong in ("kpi=eup&window=day", "window=day", "kpi=pue", "kpi=pue&at=2026-03", "kpi=pue&from=1999&to=2100"):
            assert running.get(f"/api/v1/explain?site=north&{wrong}")[0] == 400
        assert running.get("/api/v1/explain?site=mars&kpi=pue&window=day")[0] == 404
        before = shown(folder)
        issued: Result = wattwell(
            "kpi", "w.yaml", "--site", "north", "--kpi", "wue", *DAY[4:], "--issue", *SIGNED, "--json", folder=folder
        )
        assert (issued.code, issued.json[0]["revision"]) == (0, 1), issued.err
        (folder / "late.csv").write_text(f"time,meter,value\n{iso(START + 1001 * MINUTE)},water,1.169\n")
        late = wattwell("backfill", "w.yaml", "late.csv", "--site", "north", "--author", "eve", folder=folder)
        assert late.code == 0, late.err
        entered = shown(folder)[len(before) :]
        assert [entry["kind"] for entry in entered] == ["figure", "readings"]
        assert entered[1]["document"]["author"] == "eve"
        head = verified(folder)[1]["head"]
        assert running.end() == 0
    assert verified(folder, "--head", head)[0] == 0
