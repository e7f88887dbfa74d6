"""Dated limits on PUE: what holds on which day, for whom, and whether a PUE meets it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from typing import Any

import pytest

from analytics.report.limits import AppliedLimit, applicable, judge, spans
from tests.sites import a_site
from wattwell.facility import Facility
from wattwell.limits import LIMITS, TABLES
from wattwell.model import Site

OLD, NEW = date(2020, 5, 1), date(2026, 9, 1)


def site(*limits: str, power: float | None = 400.0, **declared: Any) -> Site:
    facility = Facility(**declared) if declared else None
    return a_site({"grid": "utility_import"}, limits=limits, it_power_kw=power, facility=facility)


def one(table: str, day: date, **more: Any) -> AppliedLimit:
    (found,) = applicable(site(table, **more), day)
    return found


@pytest.mark.parametrize(
    ("table", "started", "steps"),
    [
        ("enefg-existing", OLD, [("2027-06-30", None), ("2027-07-01", 1.5), ("2030-06-30", 1.5), ("2030-07-01", 1.3)]),
        ("enefg-new", NEW, [("2026-06-30", None), ("2026-07-01", 1.2), ("2031-01-01", 1.2)]),
        ("enefg-draft-2026-04", OLD, [("2027-06-30", None), ("2027-07-01", 1.6), ("2030-07-01", 1.4)]),
        ("enefg-draft-2026-04", NEW, [("2026-07-01", 1.3), ("2030-07-01", 1.3)]),
        ("gb40879-2021", OLD, [("2022-10-31", None), ("2022-11-01", 1.5)]),
    ],
)
def test_the_limit_of_a_day(table: str, started: date, steps: list[tuple[str, float | None]]) -> None:
    for day, pue in steps:
        found = one(table, date.fromisoformat(day), start_of_operation=started)
        assert (found.pue, found.state) == (pue, "none yet" if pue is None else "in force"), day


def test_before_the_first_step_its_day_is_told() -> None:
    found = one("enefg-existing", date(2026, 3, 1), start_of_operation=OLD, connected_power_kw=500.0)
    assert [(each.since, each.pue) for each in found.later] == [("2027-07-01", 1.5), ("2030-07-01", 1.3)]
    assert found.note == "No limit holds yet; the first one, 1.5, holds from 2027-07-01."


def test_a_year_in_which_the_limit_changes_shows_both_spans() -> None:
    found = spans(site("enefg-existing", start_of_operation=OLD), date(2027, 1, 1), date(2028, 1, 1))
    assert [(each.start, each.end, each.pue) for each in found] == [
        ("2027-01-01", "2027-07-01", None),
        ("2027-07-01", "2028-01-01", 1.5),
    ]
    assert [[later.since for later in each.later] for each in found] == [["2027-07-01", "2030-07-01"], ["2030-07-01"]]


def test_a_draft_stands_only_where_it_was_chosen() -> None:
    law, draft = applicable(site("enefg-existing", "enefg-draft-2026-04", start_of_operation=OLD), date(2028, 1, 1))
    assert (law.pue, law.draft) == (1.5, False)
    assert (draft.pue, draft.draft) == (1.6, True)
    assert "not law" in draft.note
    assert not applicable(site(), date(2028, 1, 1))


def test_whom_a_table_concerns() -> None:
    day = date(2031, 1, 1)
    assert one("enefg-existing", day, start_of_operation=NEW).state == "not applicable"
    assert one("enefg-new", day, start_of_operation=OLD).state == "not applicable"
    assert one("enefg-existing", day, connected_power_kw=299.0, power=None).state == "not applicable"
    assert one("enefg-existing", day, connected_power_kw=300.0, power=None).state == "in force"
    assert one("enefg-draft-2026-04", day).state == "undetermined"
    assert "facility.start_of_operation" in one("enefg-draft-2026-04", day).note
    unsaid = one("enefg-existing", day, power=200.0)
    assert unsaid.state == "in force"
    assert "facility.start_of_operation and facility.connected_power_kw" in unsaid.note


@pytest.mark.parametrize(
    ("pue", "verdict", "grade"),
    [(1.1, "met", 1), (1.2, "met", 1), (1.21, "met", 2), (1.5, "met", 3), (1.51, "missed", None)],
)
def test_grades(pue: float, verdict: str, grade: int | None) -> None:
    found = judge(one("gb40879-2021", date(2026, 1, 1)), pue)
    assert (found.verdict, found.grade) == (verdict, grade)
    assert found.margin == pytest.approx(1.5 - pue)


def test_no_value_and_no_limit_are_neither_met_nor_missed() -> None:
    assert judge(one("gb40879-2021", date(2026, 1, 1)), None).verdict == "no value"
    assert judge(one("enefg-existing", date(2026, 1, 1)), 1.2).verdict == "no limit"


def test_every_table_says_where_it_comes_from() -> None:
    assert len(LIMITS) == len(TABLES) == 4
    for name in LIMITS:
        table = TABLES[name]
        assert table.source
        assert table.checked >= date(2026, 1, 1)
        assert [step.since for step in table.steps] == sorted(step.since for step in table.steps)
        assert table.draft == ("draft" in name)
        json.dumps(asdict(one(name, date(2031, 1, 1))))


def test_a_provisional_pue_decides_nothing() -> None:
    limit = one("enefg-existing", date(2028, 1, 1), start_of_operation=OLD)
    assert judge(limit, 1.1).verdict == "met"
    found = judge(limit, 1.1, provisional=True)
    assert (found.verdict, found.grade, found.margin) == ("provisional", None, None)
    assert judge(limit, None, provisional=True).verdict == "no value"
