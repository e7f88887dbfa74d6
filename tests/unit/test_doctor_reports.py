"""``wattwell doctor`` names reports that should have been issued, and nobody's else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands import CONFIG, called, dials, write_wide
from wattwell.app import doctor
from wattwell.app.access import QUESTIONS, open_engine
from wattwell.config import load
from wattwell.intervals import DAY, parse_iso


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with two days of data in March 2026, and no service."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.yaml").write_text(CONFIG)
    write_wide(tmp_path / "north.csv", dials())
    assert called("backfill", "w.yaml", "north.csv", "--site", "north", folder=tmp_path).code == 0
    return tmp_path


def found() -> list[tuple[str, str, str | None]]:
    return [
        (each["status"], each["message"], each["remedy"])
        for each in doctor.examine(Path("w.yaml"))
        if each["check"] == "reports"
    ]


def test_a_back_fill_alone_is_owed_no_report(folder: Path) -> None:
    assert found() == []


def test_an_overdue_report_is_named_with_the_reason_and_what_to_do(folder: Path) -> None:
    (folder / "w.yaml").write_text(f"{CONFIG}reports: {{from: 2026-03}}\n")
    status, message, remedy = found()[0]
    assert status == "warning"
    assert message == (
        "north: the report of March 2026 has been due since 2026-04-03T22:00:00Z: `wattwell run` has not come to it yet"
    )
    assert remedy is not None
    assert "`wattwell report --site north --month 2026-03` issues it now" in remedy
    assert all(said.startswith("north: ") for _, said, _ in found())  # nothing is known of the south
    (folder / "w.yaml").write_text(f"{CONFIG}reports: {{from: 2026-03, issue: false}}\n")
    assert found() == []


def test_a_refusal_is_the_reason(folder: Path) -> None:
    (folder / "w.yaml").write_text(f"{CONFIG}reports: {{from: 2026-04}}\n")
    now = parse_iso("2026-05-04T00:00:00Z")
    clock = [now - DAY]
    with open_engine(load(folder / "w.yaml"), lambda: clock[0]) as engine:
        engine.refresh()
        engine.schedule.step(clock[0])
        clock[0] = now
        while engine.schedule.step(now):
            pass
        assert engine.reports("north") == []
    status, message, _ = found()[0]
    assert status == "warning"
    assert (
        "north: the report of April 2026 has been due since 2026-05-03T22:00:00Z: Nothing is known of April" in message
    )


@pytest.mark.parametrize(
    ("key", "option"), [("2026-10", "--month 2026-10"), ("2026", "--year 2026"), ("FY2026", "--fiscal-year 2026")]
)
def test_each_period_has_its_option(key: str, option: str) -> None:
    assert doctor._asked(key) == option


def test_a_command_may_ask_a_running_service() -> None:
    assert "overdue" in QUESTIONS
