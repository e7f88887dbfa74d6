"""The desk of findings: what a detector finds is kept, ranked, shown, judged, and told by alert rules."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.finding import COURSE, Scripted, a_finding, a_model, leave
from tests.running import Site, two_meters
from tests.support import T0, readings_of
from wattwell.engine import findings as module
from wattwell.engine.finding_shapes import finding_document, finding_from_json, finding_to_json
from wattwell.engine.findings import Advance
from wattwell.errors import UsageError
from wattwell.finding import FAMILIES, FINDING_STATES, Course, Estimate, Finding
from wattwell.intervals import DAY, HOUR, iso
from wattwell.store.duckdb import DuckdbStore

PRICES = {"currency": "EUR", "electricity_per_kwh": 0.2, "water_per_m3": 2.0}


def a_site(folder: Path, detector: Scripted, *rules: dict[str, Any], **site: Any) -> Site:
    config = two_meters(folder, *rules, **({"prices": PRICES} | site))
    made: list[Site] = []
    store = DuckdbStore.open(folder / "w.duckdb", lambda: made[0].now if made else T0)
    made.append(Site(config=config, store=store, pue=lambda _: 1.2, detector=detector))
    return made[0]


numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
instants = st.integers(-(2**50), 2**50)
estimates = st.none() | st.builds(Estimate, value=numbers, low=numbers, high=numbers)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    length = draw(st.integers(0, 4))
    column = st.lists(st.none() | numbers, min_size=length, max_size=length).map(tuple)
    start = st.lists(instants, min_size=length, max_size=length).map(tuple)
    made = st.builds(
        Course,
        label=texts,
        unit=texts,
        step=instants,
        start=start,
        actual=column,
        expected=column,
        low=column,
        high=column,
    )
    return draw(made)


findings = st.builds(
    Finding,
    id=texts,
    site=texts,
    family=st.sampled_from(FAMILIES),
    detector=texts,
    equipment=st.none() | texts,
    meters=st.lists(texts, max_size=3).map(tuple),
    start=instants,
    end=st.none() | instants,
    detected_at=instants,
    status=st.sampled_from(FINDING_STATES),
    confidence=numbers,
    excess_kwh=estimates,
    excess_l=estimates,
    cost=st.none() | numbers,
    carbon_kg=st.none() | numbers,
    watts=st.none() | numbers,
    title=texts,
    cause=texts,
    advice=texts,
    evidence=st.dictionaries(texts, st.none() | numbers | texts, max_size=3),
    saving=estimates,
    course=st.lists(courses(), max_size=2).map(tuple),
    note=st.none() | texts,
)


@given(findings)
def test_a_finding_comes_back_from_its_document_as_it_was(finding: Finding) -> None:
    text = json.dumps(finding_to_json(finding), allow_nan=False)
    assert finding_from_json(json.loads(text)) == finding


def test_what_is_found_is_kept_through_a_restart(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=2, closes=4))
    site.live(3)
    (found,) = site.engine.findings()
    assert (found["id"], found["status"], found["detected_at"]) == ("f1", "open", iso(T0 + 2 * HOUR))
    assert "course" not in found
    site.restart()
    assert site.engine.findings() == [found]
    assert site.engine.finding("f1")["course"][0]["actual"] == [10.1, None, 0.1 + 0.2]
    site.live(5)
    (found,) = site.engine.findings()
    assert (found["status"], found["end"], found["per_year"]) == ("closed", iso(T0 + 4 * HOUR), None)
    site.restart()
    assert site.engine.findings() == [found]
    assert [each["verdict"] for each in site.engine.finding("f1")["history"]] == ["detected", "closed"]


def test_what_is_watched_is_kept_through_a_restart(tmp_path: Path) -> None:
    class Knowing(Scripted):
        def advance(self, *asked: Any) -> Advance | None:
            came = super().advance(*asked)
            return None if came is None else replace(came, models=(a_model(), a_model(name="hall", cv_rmse=None)))

    site = a_site(tmp_path, Knowing(opens=2))
    assert site.engine.models() == []
    site.live(1)
    found = site.engine.models("s")
    assert found == [{"site": "s"} | asdict(each) for each in (a_model(), a_model(name="hall", cv_rmse=None))]
    site.restart()
    assert site.engine.models() == found
    with pytest.raises(UsageError, match="'nope' is not configured"):
        site.engine.models("nope")


def test_the_detector_is_asked_once_for_each_edge_with_its_own_state(tmp_path: Path) -> None:
    detector = Scripted(opens=100)
    site = a_site(tmp_path, detector)
    site.live(1.5)
    site.restart()
    site.live(2.5)
    edges = [until for until, _, _ in detector.asked]
    assert edges == sorted(set(edges))
    assert edges[-1] == 2.25
    """The last interval is whole when the period of the meters has passed."""
    assert [since for _, since, _ in detector.asked] == [None] * len(edges)
    assert [state for _, _, state in detector.asked] == [None, *map(str, range(1, len(edges)))]


def test_a_detector_with_nothing_to_say_is_not_asked_twice_about_the_same_data(tmp_path: Path) -> None:
    detector = Scripted(site="elsewhere")
    site = a_site(tmp_path, detector)
    asked: list[int] = []
    told = detector.advance

    def counted(place: Any, until: int, *rest: Any) -> Any:
        asked.append(until)
        return told(place, until, *rest)

    detector.advance = counted  # type: ignore[method-assign]
    site.live(2)
    for _ in range(3):
        site.refresh()
    assert len(asked) == len(set(asked)) >= 6
    assert site.store.load_state("detector/s") is None


def test_a_changed_past_is_told_to_the_detector_and_may_disprove_a_finding(tmp_path: Path) -> None:
    detector = Scripted(opens=2)
    site = a_site(tmp_path, detector)
    site.live(3)
    assert len(site.engine.findings()) == 1
    site.store.commit(readings_of([(("s", "it"), T0 + HOUR + 60_000_000, 90.0)], received_at=site.now), [])
    site.refresh()
    assert detector.asked[-1][1] is not None
    assert detector.asked[-1][1] <= 1.0
    assert site.engine.findings() == []
    site.restart()
    assert site.engine.findings() == []


def test_history_that_is_filled_in_is_looked_at_to_its_last_reading_only(tmp_path: Path) -> None:
    detector = Scripted(opens=2)
    site = a_site(tmp_path, detector)
    site.listener = None
    site.restart()
    site.now = T0 + 40 * DAY
    site.send(T0 + 3 * HOUR)
    site.refresh()
    assert [each[0] for each in detector.asked] == [3.0]


def test_findings_are_ranked_by_state_then_money_then_energy_then_water(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=100))
    site.live(1)
    energy, water = Estimate(value=50.0, low=1, high=90), Estimate(value=9e9, low=1, high=9e9)
    made = [
        a_finding(id="closed", status="closed", end=T0 + 2 * HOUR, cost=9e9),
        a_finding(id="dear", cost=100.0),
        a_finding(id="water", cost=None, excess_kwh=None, excess_l=water),
        a_finding(id="energy", cost=None, excess_kwh=energy, excess_l=water),
        a_finding(id="cheap", cost=1.0, excess_kwh=energy),
    ]
    _put(site, *made)
    assert _ids(site) == ["dear", "cheap", "energy", "water", "closed"]
    assert _ids(site, limit=2) == ["dear", "cheap"]
    assert _ids(site, status="closed") == ["closed"]
    assert _ids(site, start=iso(T0 + 3 * HOUR), end=iso(T0 + 9 * HOUR)) == ["dear", "cheap", "energy", "water"]
    assert _ids(site, end=iso(T0)) == []
    assert _ids(site, start=iso(T0 + HOUR), end=iso(T0 + 2 * HOUR)) == ["dear", "cheap", "energy", "water", "closed"]
    for wrong in ({"site": "x"}, {"status": "new"}, {"limit": 0}, {"start": "soon"}):
        with pytest.raises(UsageError):
            site.engine.findings(**wrong)


def _put(site: Site, *made: Finding) -> None:
    """What another detector has left in the store."""
    leave(site.store, site.now, *made)
    site.restart()


def _ids(site: Site, **asked: Any) -> list[str]:
    return [each["id"] for each in site.engine.findings(**asked)]


def test_a_year_of_it_is_its_last_day_for_power_and_its_mean_for_water() -> None:
    site = two_meters(Path(), prices=PRICES).sites["s"]
    at = T0 + 10 * HOUR
    water = Estimate(value=1000.0, low=900.0, high=1100.0)
    year = finding_document(a_finding(excess_l=water), site, at)["per_year"]
    assert year["excess_kwh"] == pytest.approx(4.0 * 8760)
    assert year["excess_l"] == pytest.approx(100.0 * 8760)
    assert year["cost"]["value"] == pytest.approx(4.0 * 8760 * 0.2 + 876.0 * 2.0)
    unknown = finding_document(a_finding(watts=None), site, at)["per_year"]
    assert unknown["excess_kwh"] == pytest.approx(4.0 * 8760)
    assert unknown["excess_l"] is None
    without = two_meters(Path()).sites["s"]
    assert finding_document(a_finding(), without, at)["cost"] is None
    assert finding_document(a_finding(), without, at)["per_year"]["cost"] is None


def test_what_an_operator_says_is_laid_over_it_until_its_end(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=2))
    site.live(3)
    end = iso(site.now + HOUR)
    said = site.engine.judge("f1", "known", "ida", "the filter comes on Friday", end)
    assert (said["status"], said["note"]) == ("known", "the filter comes on Friday")
    site.restart()
    assert site.engine.findings(status="known")[0]["id"] == "f1"
    site.live(4.25)
    assert site.engine.findings()[0]["status"] == "open"
    site.engine.judge("f1", "not_a_fault", "bob", "it is a test bench")
    assert site.engine.findings()[0]["status"] == "dismissed"
    site.engine.judge("f1", "open", "ida", "it is not")
    found = site.engine.finding("f1")
    assert (found["status"], found["note"]) == ("open", "it is not")
    assert [(each["verdict"], each["author"]) for each in found["history"]] == [
        ("detected", None),
        ("known", "ida"),
        ("dismissed", "bob"),
        ("open", "ida"),
    ]
    assert [each["kind"] for each in site.engine.audit("finding")] == ["finding"] * 3
    assert site.engine.verify()["ok"]


def test_what_was_known_closes_and_what_is_no_fault_does_not(tmp_path: Path) -> None:
    for verdict, status in (("known", "closed"), ("not_a_fault", "dismissed")):
        folder = tmp_path / verdict
        folder.mkdir()
        site = a_site(folder, Scripted(opens=1, closes=2))
        site.live(1.5)
        site.engine.judge("f1", verdict, "ida", "so it is")
        site.live(3)
        assert site.engine.findings()[0]["status"] == status


def test_verdicts_are_refused_with_the_remedy(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=1))
    site.live(2)
    for asked, says in (
        (("nope", "known", "ida", "x"), "no finding 'nope'"),
        (("f1", "maybe", "ida", "x"), "use one of known, not_a_fault, open"),
        (("f1", "open", "ida", "x", iso(site.now + DAY)), "leave --until out"),
        (("f1", "known", "ida", "x", iso(site.now)), "name a later end"),
    ):
        with pytest.raises(UsageError, match=says):
            site.engine.judge(*asked)
    assert site.engine.audit("finding") == []


def test_the_detector_is_quiet_where_the_thing_is_known(tmp_path: Path) -> None:
    detector = Scripted(opens=1, closes=2)
    site = a_site(tmp_path, detector)
    site.live(1.5)
    site.engine.judge("f1", "not_a_fault", "ida", "a test bench")
    detector.finding = a_finding(id="f2")
    detector.opens, detector.closes = 4, 1e9
    site.live(5)
    assert _ids(site) == ["f1"]
    detector.finding = a_finding(id="f3", equipment="ahu-2")
    site.live(6)
    assert set(_ids(site)) == {"f1", "f3"}


def test_maintenance_is_told_to_the_detector_and_silences_the_site(tmp_path: Path) -> None:
    windows = [{"from": iso(T0 + HOUR), "until": iso(T0 + 3 * HOUR), "reason": "chillers cleaned"}]
    site = a_site(tmp_path, Scripted(opens=2), maintenance=windows)
    site.pue = lambda hours: 1.5 if hours >= 1 else 1.2
    site.live(2.75)
    assert site.engine.findings() == []
    assert site.told() == []
    (alert,) = [each for each in site.engine.alerts() if each["state"] == "firing"]
    assert (alert["silenced_by"]["kind"], alert["silenced_by"]["author"]) == ("maintenance", "configuration")
    site.live(3.5)
    assert [name for name, _, _ in site.told()] == ["PueHigh"]
    (listed,) = site.engine.silences()
    assert (listed["id"], listed["state"], listed["reason"]) == (0, "ended", "chillers cleaned")


def test_maintenance_may_be_entered_for_the_past_and_for_a_piece_of_equipment(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=2))
    site.live(1)
    with pytest.raises(UsageError, match="no meter of s has the equipment"):
        site.engine.maintenance("s", iso(T0), iso(T0 + HOUR), "ahu-1", "ida", "x")
    with pytest.raises(UsageError, match="the window is empty"):
        site.engine.maintenance("s", iso(T0), iso(T0), None, "ida", "x")
    entered = site.engine.maintenance("s", iso(T0 - DAY), iso(T0 - HOUR), None, "ida", "commissioning")
    assert (entered["kind"], entered["state"]) == ("maintenance", "ended")
    site.engine.maintenance("s", iso(T0 + 2 * HOUR), iso(T0 + 3 * HOUR), None, "ida", "filters")
    site.restart()
    site.live(4)
    assert site.engine.findings() == []
    assert [each["kind"] for each in site.engine.audit("silence")] == ["silence"] * 2


ANY = {"name": "FindingOpen", "finding": "any", "severity": "info"}
BIG = {"name": "Waste", "finding": "fan_power", "above": 3, "clear": 1, "for": "30m"}


def test_a_rule_without_a_threshold_tells_of_each_family_that_opens(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=2, closes=4), ANY)
    site.live(5)
    assert site.told() == [("FindingOpen", "firing", 2.0), ("FindingOpen", "resolved", 4.0)]
    assert site.listener is not None
    first = site.listener.told[0]
    assert (first.labels["family"], first.labels["severity"]) == ("fan_power", "info")
    assert "meter" not in first.labels
    assert "The fans of ahu-1 draw half as much again" in first.annotations["summary"]


def test_a_threshold_is_in_kilowatts_of_excess_and_is_held(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=2, closes=4), BIG)
    site.live(5)
    assert site.told() == [("Waste", "firing", 2.5), ("Waste", "resolved", 4.0)]


def test_small_waste_water_alone_and_what_is_known_raise_no_such_alert(tmp_path: Path) -> None:
    water = Estimate(value=100.0, low=90.0, high=110.0)
    quiet = (a_finding(watts=2900.0), a_finding(watts=None, excess_kwh=None, excess_l=water))
    for place, finding in enumerate(quiet):
        folder = tmp_path / str(place)
        folder.mkdir()
        site = a_site(folder, Scripted(opens=2, finding=finding), BIG, ANY)
        site.live(4)
        assert [name for name, _, _ in site.told()] == ["FindingOpen"]
    site.engine.judge("f1", "known", "ida", "a leak, the plumber comes")
    site.live(4.5)
    assert site.told()[-1][:2] == ("FindingOpen", "resolved")


def test_an_alert_on_a_finding_may_be_acknowledged_by_its_family(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=1), ANY)
    site.live(2)
    known = site.engine.acknowledge("s", "FindingOpen", "fan_power", "ida", "on it")
    assert known["author"] == "ida"


def test_the_metrics_show_open_ones_and_zero_once_they_are_gone(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=1, closes=3))
    site.live(0.75)
    assert site.engine.snapshot().findings == {}
    site.live(2)
    snapshot = site.engine.snapshot()
    key = ("s", "fan_power")
    assert (snapshot.findings, snapshot.finding_watts) == ({key: 1}, {key: 4000.0})
    site.engine.judge("f1", "known", "ida", "x")
    assert site.engine.snapshot().findings == {key: 0}
    site.engine.judge("f1", "open", "ida", "x")
    site.live(4)
    snapshot = site.engine.snapshot()
    assert (snapshot.findings, snapshot.finding_watts) == ({key: 0}, {key: 0.0})


def test_without_a_detector_what_is_on_record_is_still_shown(tmp_path: Path) -> None:
    site = a_site(tmp_path, Scripted(opens=1))
    site.live(2)
    site.detector = None
    site.restart()
    site.live(3)
    assert _ids(site) == ["f1"]


def test_only_so_many_closed_findings_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSED_KEPT", 2)
    site = a_site(tmp_path, Scripted(opens=100))
    site.live(1)
    made = [a_finding(id=f"c{n}", status="closed", end=T0 + n * HOUR, course=(COURSE,)) for n in (3, 1, 2)]
    _put(site, *made, a_finding(id="o"))
    assert set(_ids(site)) == {"o", "c2", "c3"}
