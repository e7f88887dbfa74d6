"""Findings, verdicts and maintenance windows on the command line, without and through a running service."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.commands import CONFIG, START, ask, called, service, wattwell
from tests.finding import a_finding, a_model, leave
from tests.servers import wait_until
from wattwell.finding import Course, Estimate, Finding
from wattwell.intervals import HOUR
from wattwell.store.duckdb import DuckdbStore

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "cli"
PRICED = CONFIG.replace(
    "targets:", "prices: {currency: EUR, electricity_per_kwh: 0.2, water_per_m3: 2}\n    targets:", 1
)
WHO = ("--author", "ida", "--reason", "filters")
NOTHING = {"cv_rmse": None, "nmbe": None, "accepted": None}
WATCHED = (
    a_model(),
    a_model(name="tower", kind="tower_water", unit="L/h", cv_rmse=0.41, accepted=False, rmse=6.2, weekly=0.4),
    a_model(name="hall", kind="hall", unit="degC", rmse=0.14, weekly=None, unjudged="no values", **NOTHING),
)


def left() -> list[Finding]:
    """A finding of fans with a plot, a leak, and one that is over."""
    at = [START + step * HOUR for step in range(72)]
    expected = [18 + 4 * math.sin(step / 24 * 2 * math.pi) for step in range(72)]
    course = Course(
        label="ahu-1",
        unit="kW",
        step=HOUR,
        start=tuple(at),
        actual=tuple(None if 50 <= step < 55 else expected[step] + (9 if step >= 30 else 0) for step in range(72)),
        expected=tuple(expected),
        low=tuple(value - 1.5 for value in expected),
        high=tuple(value + 1.5 for value in expected),
    )
    began = {"site": "north", "start": START + 30 * HOUR, "detected_at": START + 34 * HOUR}
    energy = Estimate(value=378.0, low=340.0, high=416.0)
    water = Estimate(value=5400.0, low=5000.0, high=5800.0)
    return [
        a_finding(id="leak", family="water_use", equipment=None, excess_kwh=None, excess_l=water, watts=None, cost=10.8,
                  carbon_kg=None, title="Water flows at night", course=(), confidence=0.75, **began),
        a_finding(id="fans", excess_kwh=energy, cost=75.6, watts=9000.0, course=(course,), **began),
        a_finding(id="old", status="closed", end=START + 40 * HOUR, watts=None, course=(), cost=4.0,
                  saving=Estimate(value=20_000.0, low=15_000.0, high=25_000.0), **began),
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w.yaml").write_text(PRICED)
    store = DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: START)
    leave(store, START + 72 * HOUR, *left(), models=WATCHED)
    store.close()
    return tmp_path


def test_people_see_a_ranked_list_and_one_finding_in_full(folder: Path) -> None:
    listed = called("findings", "w.yaml", folder=folder)
    assert (listed.code, listed.err) == (0, "")
    assert listed.out == (GOLDEN / "findings.txt").read_text(encoding="utf-8")
    for asked in (("--id", "fans"), ("--limit", "1")):
        one = called("findings", "w.yaml", *asked, folder=folder)
        assert (one.code, one.err) == (0, "")
        assert one.out == (GOLDEN / "finding.txt").read_text(encoding="utf-8")
    assert called("findings", "w.yaml", "--site", "south", folder=folder).out == "No finding.\n"


def test_scripts_get_lists_with_every_field_and_one_with_its_course(folder: Path) -> None:
    found = ask(folder, "findings", "w.yaml").json
    assert [each["id"] for each in found] == ["fans", "leak", "old"]
    assert found[0]["excess_kwh"] == {"value": 378.0, "low": 340.0, "high": 416.0}
    assert found[0]["cost"] == {"value": 75.6, "currency": "EUR"}
    assert "course" not in found[0]
    assert [each["id"] for each in ask(folder, "findings", "w.yaml", "--status", "closed").json] == ["old"]
    assert [each["id"] for each in ask(folder, "findings", "w.yaml", "--from", "2026-03-03").json] == ["fans", "leak"]
    assert ask(folder, "findings", "w.yaml", "--to", "2026-03-01").json == []
    one = ask(folder, "findings", "w.yaml", "--id", "fans").json
    assert len(one["course"][0]["actual"]) == 72
    unknown = called("findings", "w.yaml", "--id", "nope", folder=folder)
    assert (unknown.code, "no finding 'nope' is known" in unknown.err) == (2, True)


def test_how_well_is_expected_what_is_watched(folder: Path) -> None:
    told = called("findings", "w.yaml", "--models", folder=folder)
    assert (told.code, told.err) == (0, "")
    assert told.out == (GOLDEN / "models.txt").read_text(encoding="utf-8")
    found = ask(folder, "findings", "w.yaml", "--models", "--site", "north").json
    assert found == [{"site": "north"} | asdict(each) for each in WATCHED]
    assert "Nothing is watched yet" in called("findings", "w.yaml", "--models", "--site", "south", folder=folder).out
    wrong = called("findings", "w.yaml", "--models", "--status", "open", folder=folder)
    assert (wrong.code, "leave --from, --to, --status and --limit out" in wrong.err) == (2, True)


def test_a_verdict_stands_and_is_in_the_ledger(folder: Path) -> None:
    said = ("--author", "ida", "--note", "the filter comes on Friday")
    done = called("judge", "w.yaml", "--id", "fans", "--as", "known", *said, folder=folder)
    assert (done.code, done.out) == (0, "fans is known: The fans of ahu-1 draw half as much again\n")
    assert [each["status"] for each in ask(folder, "findings", "w.yaml").json] == ["open", "known", "closed"]
    again = ask(folder, "judge", "w.yaml", "--id", "fans", "--as", "open", *said).json
    assert again["status"] == "open"
    shown = called("audit", "show", "w.yaml", "--kind", "finding", folder=folder).out
    assert "north finding fans (fan_power): known by ida: the filter comes on Friday" in shown
    assert called("audit", "verify", "w.yaml", folder=folder).code == 0
    wrong = called("judge", "w.yaml", "--id", "fans", "--as", "known", "--author", "ida", "--note", " ", folder=folder)
    assert (wrong.code, "--note ' ' must be a line of text" in wrong.err) == (2, True)


def test_maintenance_is_entered_and_listed(folder: Path) -> None:
    span = ("--from", "2026-03-01", "--to", "2026-03-02")
    made = ask(folder, "maintenance", "w.yaml", "--site", "north", *span, *WHO).json
    assert (made["kind"], made["state"], made["from"]) == ("maintenance", "ended", "2026-02-28T23:00:00Z")
    assert ask(folder, "maintenance", "w.yaml", "--site", "south").json == []
    (listed,) = ask(folder, "maintenance", "w.yaml", "--site", "north").json
    assert listed == made
    assert "site=north" in called("maintenance", "w.yaml", folder=folder).out
    for wrong, says in (
        ((*span, *WHO), "--site, --from and --to together"),
        (("--site", "north", *span, "--author", "ida"), "write --reason"),
        (("--site", "north", *span, "--equipment", "ahu", *WHO), "no meter of north has the equipment 'ahu'"),
    ):
        done = called("maintenance", "w.yaml", *wrong, folder=folder)
        assert (done.code, says in done.err) == (2, True), done.err


def test_a_running_service_takes_and_tells_all_of_it(folder: Path) -> None:
    with service(folder) as running:
        wait_until(running.ready, "the service is ready")
        assert 'wattwell_findings{family="fan_power",site="north"} 1.0' in running.get("/metrics")[1]
        said = ("--author", "ida", "--note", "so it is")
        assert wattwell("judge", "w.yaml", "--id", "fans", "--as", "not_a_fault", *said, folder=folder).code == 0
        assert 'wattwell_findings{family="fan_power",site="north"} 0.0' in running.get("/metrics")[1]
        assert '"name":"tower"' in running.get("/api/v1/models?site=north")[1]
        assert '"status":"dismissed"' in running.get("/api/v1/findings/fans")[1]
        assert "called no fault by ida: so it is" in running.get("/sites/north/findings/fans")[1]
        done = wattwell("findings", "w.yaml", "--id", "nope", folder=folder)
        assert (done.code, "no finding 'nope' is known" in done.err) == (2, True)
        assert wattwell("findings", "w.yaml", "--id", "fans", folder=folder).out.startswith("The fans of ahu-1")
