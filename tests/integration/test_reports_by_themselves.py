"""A whole engine issues a month by itself, restates it after late data, and tells people, in logical time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.running import GRID, Site, two_meters
from tests.servers import wait_until
from tests.support import T0, readings_of
from wattwell.app import service
from wattwell.app.report_files import ReportFiles
from wattwell.app.service import Service
from wattwell.config.settings import ReportSettings
from wattwell.intervals import DAY, HOUR, MINUTE, parse_iso
from wattwell.store.duckdb import DuckdbStore

SILENT = (220.0, 268.0)
"""Hours since T0 between which the IT meter's readings come late."""
SETTINGS = ReportSettings(since="2026-01", delay=2 * DAY)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Site]:
    """January 2026 is in the store, but for two days of the IT meter."""
    config = replace(two_meters(tmp_path, it_power_kw=200), reports=SETTINGS)
    store = DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: found.now)
    found = Site(
        config=config,
        store=store,
        pue=lambda _: 1.25,
        it=lambda hours: None if SILENT[0] < hours <= SILENT[1] else 100.0,
    )
    found.now = parse_iso("2026-02-01T00:30:00Z")
    found.send(found.now)
    yield found
    store.close()


def run(plant: Site, until: str) -> None:
    """The service's loop at an instant: analysis, reports, delivery."""
    plant.now = parse_iso(until)
    plant.refresh()
    while plant.engine.schedule.step(plant.now):
        plant.refresh()


def told(plant: Site) -> list[str]:
    assert plant.listener is not None
    return [f"{each.status.value}: {each.name}" for each in plant.listener.told if each.of_report]


def send_late(plant: Site) -> None:
    """The readings that were missing, of twice the power."""
    first, last = (T0 + int(hours) * HOUR for hours in SILENT)
    rows = [(("s", "it"), at, 110.0) for at in range(first + 5 * MINUTE, last + 1, 5 * MINUTE)]
    plant.store.commit(readings_of(rows, received_at=plant.now), [])


def test_a_month_is_issued_restated_and_told(plant: Site) -> None:
    run(plant, "2026-02-02T12:00:00Z")
    assert plant.engine.reports("s") == []
    run(plant, "2026-02-03T00:00:00Z")
    (first,) = plant.engine.reports("s")
    assert (first["key"], first["revision"], first["author"]) == ("2026-01", 1, "wattwell")
    assert told(plant) == ["issued: report of January 2026"]
    before = plant.engine.report("s", "2026-01")
    send_late(plant)
    run(plant, "2026-02-03T08:00:00Z")
    after = plant.engine.report("s", "2026-01")
    assert (before["revision"], after["revision"]) == (1, 2)
    assert after["revisions"][-1]["reason"] == "late readings or correction"
    assert plant.engine.report("s", "2026-01", 1) == before
    assert told(plant) == ["issued: report of January 2026", "issued: report of January 2026, revision 2"]
    assert plant.listener is not None
    (restated,) = (each for each in plant.listener.told if each.labels.get("revision") == "2")
    assert " -> " in restated.annotations["summary"]
    # Nothing is left to do, also after a restart.
    plant.restart()
    run(plant, "2026-02-05T00:00:00Z")
    run(plant, "2026-02-05T00:15:00Z")
    assert len(plant.engine.reports("s")) == 2


def test_live_readings_touch_no_month_that_is_over(plant: Site) -> None:
    run(plant, "2026-02-02T12:00:00Z")
    run(plant, "2026-02-03T00:00:00Z")
    for quarter in range(8):
        plant.send(plant.now)
        plant.now += GRID
        plant.refresh()
        assert plant.engine.schedule.touched.pending("s") == {}, quarter


def test_the_service_issues_and_shows_it_on_metrics(
    plant: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_LOOK", 0.01)
    plant.now = parse_iso("2026-02-03T00:00:00Z")
    plant.engine.schedule.step(plant.now)  # nothing yet: the broker may still deliver
    plant.now += GRID
    config = replace(plant.config, store=replace(plant.config.store, path=tmp_path / "wattwell.duckdb"))
    config = replace(config, http=replace(config.http, port=0))
    running = Service(config, plant.engine, ("analytics",), lambda: plant.now)
    running.start()
    try:
        wait_until(lambda: plant.engine.reports("s"), "the report is issued")
        shown = running.snapshot()
        assert shown.reports_issued == {("s", "month"): plant.now / 1e6}
        assert shown.reports_refused == {("s",): 0}
        assert running.ready()[0]
    finally:
        running.stop()


def test_the_pdf_of_what_was_issued_is_made(plant: Site) -> None:
    run(plant, "2026-02-02T12:00:00Z")
    run(plant, "2026-02-03T00:00:00Z")
    files = ReportFiles()
    files.reports = plant.engine.report
    assert plant.listener is not None
    (report,) = (each for each in plant.listener.told if each.of_report)
    made = files.attach(report)
    assert made is not None
    assert made.name == "wattwell-s-2026-01-r1.pdf"
    assert made.content.startswith(b"%PDF-")
