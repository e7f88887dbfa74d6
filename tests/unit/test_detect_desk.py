"""The desk and its detector: sites that take long wait, faults stay with their site, and a crash forgets no change."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.finding import Scripted
from tests.running import RULE, Site, two_meters
from tests.support import T0, readings_of
from wattwell.app.service import Service
from wattwell.engine import engine as module
from wattwell.engine.findings import Advance, Known
from wattwell.errors import StoreError
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import Site as Place
from wattwell.store.duckdb import DuckdbStore


@dataclass(kw_only=True)
class Slow(Scripted):
    """Takes long at first, and fails while it is told to."""

    warm: set[str] = field(default_factory=set)
    fault: Exception | None = None

    def cold(self, site: Place, until: int, since_changed: int | None, known: Known) -> bool:  # noqa: ARG002
        """See :class:`~wattwell.engine.findings.Detector`."""
        return site.id not in self.warm

    def advance(self, site: Place, until: int, since_changed: int | None, known: Known) -> Advance | None:
        """See :class:`~wattwell.engine.findings.Detector`."""
        self.warm.add(site.id)
        if self.fault is not None:
            self.asked.append(((until - T0) / HOUR, None, None))
            raise self.fault
        return super().advance(site, until, since_changed, known)


def a_site(folder: Path, detector: Scripted, *rules: dict[str, Any]) -> Site:
    made: list[Site] = []
    store = DuckdbStore.open(folder / "w.duckdb", lambda: made[0].now if made else T0)
    made.append(Site(config=two_meters(folder, *rules), store=store, pue=lambda _: 1.2, detector=detector))
    return made[0]


def pass_time(site: Site, minutes: int) -> None:
    site.now += minutes * MINUTE
    site.send(site.now)


def change_at(site: Site, hours: float) -> None:
    """A reading that comes late."""
    at = T0 + round(hours * HOUR) + MINUTE
    site.store.commit(readings_of([(("s", "it"), at, 90.0)], received_at=site.now), [])


def test_a_service_takes_the_seconds_of_a_site_apart_from_its_figures(tmp_path: Path) -> None:
    detector = Slow(opens=2)
    site = a_site(tmp_path, detector)
    pass_time(site, 180)
    site.engine.refresh(cold=False)
    assert detector.asked == []
    assert site.engine.watch.board.site("s").at is not None
    site.engine.catch_up()
    site.engine.catch_up()
    assert len(detector.asked) == 1
    assert [each["id"] for each in site.engine.findings()] == ["f1"]
    pass_time(site, 15)
    site.engine.refresh(cold=False)
    assert len(detector.asked) == 2


def test_a_command_waits_for_it(tmp_path: Path) -> None:
    detector = Slow(opens=2)
    site = a_site(tmp_path, detector)
    pass_time(site, 180)
    site.engine.refresh()
    assert [each["id"] for each in site.engine.findings()] == ["f1"]


def test_what_changed_while_a_site_waits_is_told_when_its_turn_comes(tmp_path: Path) -> None:
    detector = Slow(opens=100)
    site = a_site(tmp_path, detector)
    site.live(3)
    for hours, restarted in ((1.0, False), (1.5, True)):
        detector.warm.clear()
        change_at(site, hours)
        site.engine.refresh(cold=False)
        if restarted:
            site.restart()
            site.engine.refresh(cold=False)
        before = len(detector.asked)
        site.engine.catch_up()
        (_, since, _) = detector.asked[before]
        assert since is not None
        assert since <= hours
        assert site.store.load_state("findings.due/s") == ""


def test_a_fault_of_the_detector_is_told_and_stops_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detector = Slow(opens=2, fault=ValueError("no such column"))
    site = a_site(tmp_path, detector, {**RULE})
    with caplog.at_level(logging.INFO, logger="wattwell.engine.findings"):
        site.live(2)
        assert len(detector.asked) == 2
        assert len(caplog.records) == 2
        assert site.engine.watch.board.site("s").at == T0 + 2 * HOUR - 15 * MINUTE
        assert "no such column" in site.engine.finding_faults()["s"]
        (problem,) = [each for each in site.engine.problems("s") if each["code"] == "findings.failed"]
        assert problem["severity"] == "error"
        change_at(site, 1)
        detector.fault = None
        site.live(5)
    assert caplog.records[-1].getMessage() == "findings at s are looked for again"
    assert not site.engine.finding_faults()
    assert len(site.engine.findings()) == 1
    assert [each["code"] for each in site.engine.problems("s")] == []


def test_the_service_stays_ready_and_says_where_nobody_looks(tmp_path: Path) -> None:
    detector = Slow(fault=ValueError("no such column"))
    site = a_site(tmp_path, detector)
    service = Service(site.config, site.engine, ["alerts"], lambda: site.now)
    pass_time(site, 60)
    service.refresh()
    assert service.ready() == (True, "ready")
    site.engine.catch_up()
    ready, told = service.ready()
    assert ready
    assert told == "ready; looking for findings at s failed (ValueError: no such column)"


def test_a_fault_of_the_store_is_not_the_detectors(tmp_path: Path) -> None:
    site = a_site(tmp_path, Slow(fault=StoreError("the disk is full")))
    pass_time(site, 60)
    with pytest.raises(StoreError, match="disk"):
        site.engine.refresh()
    assert not site.engine.finding_faults()


def test_a_crash_between_the_analysis_and_the_detector_forgets_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = Slow(opens=2)
    site = a_site(tmp_path, detector)
    site.live(3)
    change_at(site, 1)
    with monkeypatch.context() as patch:
        patch.setattr(module.FindingsDesk, "step", lambda *_, **__: (_ for _ in ()).throw(StoreError("gone")))
        with pytest.raises(StoreError):
            site.engine.refresh()
    assert not site.store.dirty().meters
    site.restart()
    site.refresh()
    assert detector.asked[-1][1] is not None
    assert site.engine.findings() == []
    asked = len(detector.asked)
    site.restart()
    site.refresh()
    assert len(detector.asked) == asked


def test_readings_that_come_in_time_are_noted_nowhere(tmp_path: Path) -> None:
    site = a_site(tmp_path, Slow(opens=2))
    site.live(4)
    assert not site.store.load_state("findings.due/s")
