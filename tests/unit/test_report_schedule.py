"""Reports that are issued by themselves: once, told once, restated, and through crashes (README, The report)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.outbox import DOCUMENT as OUTBOX
from alerts.outbox import read as read_outbox
from tests.collecting import site as bare_site
from tests.scheduling import GRID, Scheduled, told_of
from wattwell.config.settings import ReportSettings
from wattwell.engine.analyse import Changed
from wattwell.engine.report_touched import UNSURE
from wattwell.errors import StoreError
from wattwell.intervals import DAY, HOUR, parse_iso
from wattwell.store.protocol import Dirty, DirtySet

DIRT = DirtySet(7, (Dirty(("s", "a"), 0, 1),))
DUE = "2026-11-04T00:00:00Z"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Scheduled]:
    made = Scheduled(folder=tmp_path)
    made.started("2026-10-20T00:00:00Z")
    yield made
    made.store.close()


def late(kept: Scheduled, start: str, end: str) -> None:
    """Late readings change interval values."""
    kept.schedule.touched.before(DIRT)
    kept.schedule.touched.after([Changed("s", parse_iso(start), parse_iso(end))])


def test_a_month_is_issued_once_after_the_delay_and_everybody_but_an_alertmanager_is_told(kept: Scheduled) -> None:
    kept.run("2026-11-03T22:59:00Z")
    assert kept.listed() == []
    kept.run(DUE)
    kept.run("2026-11-05T00:00:00Z")
    assert kept.listed() == [("2026-10", 1)]
    assert kept.waiting == ["issued: report of October 2026"]
    assert kept.box.queues["alertmanager-2"].waiting == ()
    assert kept.made == ["2026-10"]


def test_a_big_back_fill_does_not_issue_what_was_before_the_service_first_ran(kept: Scheduled) -> None:
    kept.run("2027-01-10T00:00:00Z")
    assert kept.listed() == [("2026-10", 1), ("2026-11", 1), ("2026-12", 1), ("2026", 1)]
    # The first month is remembered, also by a service that starts later.
    kept.started("2027-02-10T00:00:00Z")
    assert kept.listed()[4:] == [("2027-01", 1)]


def test_the_first_month_can_be_named(tmp_path: Path) -> None:
    made = Scheduled(folder=tmp_path, settings=ReportSettings(since="2026-08"))
    made.started("2026-10-20T00:00:00Z")
    assert made.listed() == [("2026-08", 1), ("2026-09", 1)]
    made.store.close()


def test_nothing_is_issued_while_the_broker_delivers_what_it_kept(kept: Scheduled) -> None:
    kept.restart()
    kept.run(DUE)
    assert kept.listed() == []
    kept.run("2026-11-04T00:14:59Z")
    assert kept.listed() == []
    kept.run("2026-11-04T00:15:00Z")
    assert kept.listed() == [("2026-10", 1)]


def test_it_can_be_left_to_people(tmp_path: Path) -> None:
    made = Scheduled(folder=tmp_path, settings=ReportSettings(issue=False))
    made.started("2026-12-20T00:00:00Z")
    assert (made.listed(), made.schedule.overdue(made.now)) == ([], [])
    made.store.close()


def test_nobody_is_told_where_that_is_not_wanted(tmp_path: Path) -> None:
    made = Scheduled(folder=tmp_path, settings=ReportSettings(deliver=False, since="2026-09"))
    made.started("2026-10-20T00:00:00Z")
    assert (made.listed(), made.waiting) == ([("2026-09", 1)], [])
    made.refusing = True
    made.run("2026-11-10T00:00:00Z")
    assert (made.listed(), made.waiting) == ([("2026-09", 1)], [])
    assert made.schedule.refusals() == {"s": 1}
    made.store.close()


# -- refused ------------------------------------------------------------------------------------------------------


def test_a_refusal_is_told_once_and_tried_again_every_day_until_it_heals(
    kept: Scheduled, caplog: pytest.LogCaptureFixture
) -> None:
    kept.refusing = True
    kept.run(DUE)
    assert kept.waiting == ["not issued: report of October 2026"]
    (told,) = kept.box.queues["mailto-1"].waiting
    assert told.annotations["reasons"] == "- E_IT 5 kWh must not be above E_DC 4 kWh."
    assert kept.schedule.refusals() == {"s": 1}
    kept.run("2026-11-04T23:59:00Z")
    assert kept.made == ["2026-10"]
    kept.run("2026-11-05T00:00:00Z")
    kept.started("2026-11-06T06:00:00Z")  # a restart knows of it too
    assert kept.made == ["2026-10"] * 3
    assert kept.waiting == ["not issued: report of October 2026"]
    assert [each.levelno for each in caplog.records if "was not issued" in each.message] == [logging.WARNING]
    kept.refusing = False
    kept.run("2026-11-07T07:00:00Z")
    assert kept.listed() == [("2026-10", 1)]
    assert kept.waiting == ["not issued: report of October 2026", "issued: report of October 2026"]
    assert kept.schedule.refusals() == {"s": 0}


def test_a_refused_month_does_not_hold_up_the_next(kept: Scheduled) -> None:
    kept.refusing = True
    kept.run(DUE)
    kept.refusing = False
    kept.now = parse_iso("2026-11-04T01:00:00Z")
    kept.refusing = True
    kept.run("2026-12-04T00:00:00Z")
    kept.refusing = False
    kept.run("2026-12-05T00:00:00Z")
    assert kept.listed() == [("2026-10", 1), ("2026-11", 1)]


def test_a_report_that_cannot_be_made_is_told_and_the_thread_goes_on(
    kept: Scheduled, caplog: pytest.LogCaptureFixture
) -> None:
    kept.broken = True
    kept.run(DUE)
    (told,) = kept.box.queues["mailto-1"].waiting
    assert told.annotations["reasons"] == "- It could not be made (ZeroDivisionError: ); see the service's log."
    assert any(each.exc_info for each in caplog.records)
    kept.broken = False
    kept.run("2026-11-05T00:00:00Z")
    assert kept.listed() == [("2026-10", 1)]


def test_what_is_overdue_is_known_with_its_reason(kept: Scheduled) -> None:
    kept.now = parse_iso("2026-11-04T22:59:59Z")
    assert kept.schedule.overdue(kept.now) == []
    expected = {"site": "s", "key": "2026-10", "name": "October 2026", "due": "2026-11-03T23:00:00Z"}
    idle = expected | {"reason": "`wattwell run` has not come to it yet"}
    kept.now = parse_iso("2026-11-05T00:00:00Z")
    assert kept.schedule.overdue(kept.now) == [idle]
    kept.refusing = True
    kept.run("2026-11-05T00:00:00Z")
    refused = expected | {"reason": "E_IT 5 kWh must not be above E_DC 4 kWh."}
    assert kept.schedule.overdue(kept.now) == [refused]
    kept.refusing = False
    kept.run("2026-11-06T00:00:00Z")
    assert kept.schedule.overdue(kept.now) == []


# -- restated -----------------------------------------------------------------------------------------------------


@pytest.fixture
def issued(kept: Scheduled) -> Scheduled:
    """October is issued and told."""
    kept.run(DUE)
    kept.box = read_outbox(None)
    kept.store.save_states({OUTBOX: ""})
    kept.store.save_states({OUTBOX: '{"kind":"alerts.outbox","version":3,"queues":{}}'})
    kept.restart()
    kept.run("2026-11-04T00:00:00Z")
    kept.run("2026-11-04T00:15:00Z")
    assert kept.waiting == []
    kept.made.clear()
    return kept


def test_late_data_are_restated_with_what_has_changed(issued: Scheduled) -> None:
    late(issued, "2026-10-07T00:00:00Z", "2026-10-07T01:00:00Z")
    issued.pue = 1.302
    issued.run("2026-11-04T08:00:00Z")
    assert issued.listed() == [("2026-10", 1), ("2026-10", 2)]
    (told,) = issued.box.queues["mailto-1"].waiting
    assert told.name == "report of October 2026, revision 2"
    assert "iPUE 1.300 -> 1.302" in told.annotations["summary"]
    assert "late readings or correction" in told.annotations["summary"]


def test_nothing_is_entered_or_told_where_no_figure_differs(issued: Scheduled) -> None:
    late(issued, "2026-10-07T00:00:00Z", "2026-10-07T01:00:00Z")
    issued.run("2026-11-04T08:00:00Z")
    assert (issued.made, issued.listed(), issued.waiting) == (["2026-10"], [("2026-10", 1)], [])
    issued.run("2026-11-06T08:00:00Z")
    assert issued.made == ["2026-10"]


def test_a_site_is_looked_at_again_once_a_day_at_most(issued: Scheduled) -> None:
    for hour in range(6):
        issued.pue += 0.01
        late(issued, "2026-10-07T00:00:00Z", "2026-10-07T01:00:00Z")
        issued.run(f"2026-11-04T{8 + hour:02}:00:00Z")
    assert issued.made == ["2026-10"]
    issued.run("2026-11-05T07:59:00Z")
    assert issued.made == ["2026-10"]
    issued.run("2026-11-05T08:00:00Z")
    assert issued.listed() == [("2026-10", 1), ("2026-10", 2), ("2026-10", 3)]


@pytest.mark.parametrize(
    ("start", "end", "touched"),
    [
        ("2026-10-31T22:45:00Z", "2026-10-31T23:00:00Z", True),
        ("2026-10-31T23:00:00Z", "2026-11-02T00:00:00Z", False),  # November is none of its business
        ("2025-10-07T00:00:00Z", "2025-10-07T01:00:00Z", True),  # the same month of the year before
        ("2025-09-07T00:00:00Z", "2025-09-30T22:00:00Z", False),
        ("2026-01-07T00:00:00Z", "2026-01-07T01:00:00Z", True),  # the year to date
    ],
)
def test_a_report_is_touched_by_all_that_it_speaks_of(issued: Scheduled, start: str, end: str, touched: bool) -> None:
    late(issued, start, end)
    assert set(issued.schedule.touched.pending("s")) == ({"2026-10"} if touched else set())
    issued.run("2026-11-04T08:00:00Z")
    assert issued.made == (["2026-10"] if touched else [])


def test_a_change_that_comes_while_one_looks_is_not_lost(issued: Scheduled) -> None:
    touched = issued.schedule.touched
    late(issued, "2026-10-07T00:00:00Z", "2026-10-07T01:00:00Z")
    number = touched.pending("s")["2026-10"]
    late(issued, "2026-10-08T00:00:00Z", "2026-10-08T01:00:00Z")
    touched.settle("s", "2026-10", number)
    assert touched.pending("s").keys() == {"2026-10"}
    touched.settle("s", "2026-10", touched.pending("s")["2026-10"])
    assert touched.pending("s") == {}


def test_what_was_touched_is_known_after_a_restart(issued: Scheduled) -> None:
    late(issued, "2026-10-07T00:00:00Z", "2026-10-07T01:00:00Z")
    issued.pue = 1.4
    issued.started("2026-11-04T08:00:00Z")
    assert issued.listed() == [("2026-10", 1), ("2026-10", 2)]


def test_a_crash_in_the_midst_of_the_analysis_touches_every_report_of_the_site(issued: Scheduled) -> None:
    issued.schedule.touched.before(DIRT)  # and the process dies before it can say what has changed
    assert issued.store.load_state(UNSURE) == '["s"]'
    issued.restart()
    assert issued.schedule.touched.pending("s") == {}
    issued.schedule.touched.before(DirtySet(0, ()))
    issued.schedule.touched.after([])
    assert issued.schedule.touched.pending("s").keys() == {"2026-10"}
    assert issued.store.load_state(UNSURE) == "[]"


def test_another_configuration_touches_every_report_of_the_site_once(issued: Scheduled) -> None:
    issued.schedule.touched.before(DirtySet(0, ()))
    issued.schedule.touched.settle("s", "2026-10", issued.schedule.touched.pending("s").get("2026-10", 0))
    issued.restart()
    assert issued.schedule.touched.pending("s") == {}
    issued.site = replace(issued.site, pue_category=2)
    issued.restart()
    assert issued.schedule.touched.pending("s").keys() == {"2026-10"}
    issued.started("2026-11-04T08:00:00Z")
    assert issued.made == ["2026-10"]
    issued.started("2026-11-06T08:00:00Z")
    assert issued.made == ["2026-10"]


def test_a_restatement_that_is_refused_stays_to_be_done(issued: Scheduled) -> None:
    late(issued, "2026-10-07T00:00:00Z", "2026-10-07T01:00:00Z")
    issued.pue, issued.refusing = 1.5, True
    issued.run("2026-11-04T08:00:00Z")
    issued.run("2026-11-05T09:00:00Z")
    assert issued.made == ["2026-10", "2026-10"]
    assert issued.waiting == ["not issued: report of October 2026, revision 2"]
    assert issued.schedule.refusals() == {"s": 1}
    issued.refusing = False
    issued.run("2026-11-06T10:00:00Z")
    assert issued.listed() == [("2026-10", 1), ("2026-10", 2)]
    assert issued.schedule.refusals() == {"s": 0}


# -- crashes ------------------------------------------------------------------------------------------------------


def test_killed_between_the_issue_and_the_outbox_it_is_issued_once_and_told_all_the_same(kept: Scheduled) -> None:
    kept.crash = True
    with pytest.raises(SystemExit):
        kept.run(DUE)
    assert (kept.listed(), kept.waiting) == ([("2026-10", 1)], [])
    kept.crash = False
    kept.started("2026-11-04T01:00:00Z")
    assert (kept.listed(), kept.waiting) == ([("2026-10", 1)], ["issued: report of October 2026"])
    kept.started("2026-11-04T02:00:00Z")
    assert told_of(read_outbox(kept.store.load_state(OUTBOX))) == ["issued: report of October 2026"]
    assert kept.made == ["2026-10"]


@pytest.mark.parametrize("crash", [False, True])
def test_a_report_that_cannot_be_told_holds_up_no_other(
    kept: Scheduled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, *, crash: bool
) -> None:
    """Neither where it was issued just now nor where a process died in between."""
    if crash:
        kept.crash = True
        with pytest.raises(SystemExit):
            kept.run(DUE)
        kept.crash = False
        kept.restart()

    def speechless(*_: object) -> None:
        raise KeyError("label")

    with monkeypatch.context() as patched:
        patched.setattr("wattwell.engine.report_schedule.issued", speechless)
        kept.run(DUE)
    assert kept.listed() == [("2026-10", 1)]
    assert "nobody can be told of it" in caplog.text
    kept.started("2026-12-04T00:00:00Z")
    assert kept.listed() == [("2026-10", 1), ("2026-11", 1)]
    assert kept.waiting == ["issued: report of November 2026"]


def test_killed_before_the_issue_its_turn_comes_again(kept: Scheduled, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(kept.reports, "issue", dies)
        with pytest.raises(SystemExit):
            kept.run(DUE)
    kept.started("2026-11-04T01:00:00Z")
    assert (kept.listed(), kept.waiting) == ([("2026-10", 1)], ["issued: report of October 2026"])


def test_a_store_that_fails_is_tried_again(kept: Scheduled, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(kept.store, "append_audit", fails)
        with pytest.raises(StoreError):
            kept.run(DUE)
    kept.run("2026-11-04T01:00:00Z")
    assert (kept.listed(), kept.waiting) == ([("2026-10", 1)], ["issued: report of October 2026"])


def test_what_a_person_issued_is_not_issued_again(kept: Scheduled) -> None:
    kept.now = parse_iso("2026-11-02T00:00:00Z")
    kept.reports.issue("s", "2026-10", "m.weber", "asked for")
    kept.run(DUE)
    assert (kept.listed(), kept.waiting) == ([("2026-10", 1)], [])


def test_the_times_of_the_grid_and_of_a_day_are_what_the_tests_above_assume() -> None:
    assert (GRID, DAY) == (HOUR // 4, 24 * HOUR)
    assert bare_site([]).id == "s"
