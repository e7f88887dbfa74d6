"""What the demo's history and its faults must give: silence while all is well, then what it is and what it costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.backfill import backfill
from collector.simulate import Simulator, SiteSpec, demo_fault
from collector.simulate.files import CONFIGURATION, TELEMETRY, configuration_document, write_folder
from tests.commands import ask, called
from wattwell.app import demo
from wattwell.app.access import open_engine
from wattwell.config import parse
from wattwell.intervals import DAY, HOUR, MINUTE, parse_iso

PAST, STEP = 60 * DAY, 5 * MINUTE
START = parse_iso("2026-01-01T00:00Z")


@pytest.mark.parametrize("begin", [parse_iso("2026-01-10T12:00Z"), parse_iso("2026-07-01T12:00Z")])
def test_healthy_months_give_no_finding_and_hours_of_faults_do(begin: int, tmp_path: Path) -> None:
    spec, end = SiteSpec(), begin + 5 * HOUR
    config = parse(configuration_document(spec, MINUTE) | {"grid": "5m", "alerts": []}, tmp_path)
    past = Simulator(spec, seed=1, start_us=begin - PAST, step_us=STEP)
    write_folder(tmp_path / "past", past, PAST // STEP)
    live = past.onwards(MINUTE)
    live.inject(*demo_fault(spec, begin + 25 * MINUTE))
    live.advance(1)
    write_folder(tmp_path / "live", live, (end - live.now) // MINUTE)
    for folder, until in (("past", begin), ("live", end)):
        with open_engine(config, lambda until=until: until, detect=True) as engine:  # type: ignore[misc]
            backfill([tmp_path / folder / TELEMETRY], spec.id, config, engine.store.commit, until)
            engine.refresh()
            found, rejects = engine.findings(), engine.rejects()
        if folder == "past":
            assert found == []
    damper = next(each for each in found if each["family"] == "economizer")
    assert damper["status"] == "open"
    assert begin < parse_iso(damper["detected_at"]) <= begin + 4 * HOUR
    assert damper["excess_kwh"]["value"] > 100
    assert damper["cost"]["value"] > 20
    assert damper["cost"]["currency"] == "EUR"
    assert rejects == []  # nothing comes twice where the step changes


def test_what_cannot_be_judged_is_said(tmp_path: Path) -> None:
    spec, days = SiteSpec(), 10
    site = Simulator(spec, seed=1, start_us=START, step_us=15 * MINUTE)
    write_folder(tmp_path, site, days * 96)
    backfilled = called("backfill", CONFIGURATION, str(tmp_path / TELEMETRY), "--site", spec.id, folder=tmp_path)
    assert backfilled.code == 0, backfilled.err
    told = "no finding can be made of ups_loss, chiller, tower, chw-pump, cw-pump and 15 more"
    listed = called("findings", CONFIGURATION, folder=tmp_path)
    assert listed.out == f"No finding.\n\nsim: {told} (learning: 10 of 28 healthy days)\n"
    assert ask(tmp_path, "findings", CONFIGURATION).json == []


def test_the_demo_brings_as_much() -> None:
    assert (demo._HISTORY, demo._PAST) == (PAST, STEP)
    assert demo._LEAD >= 6 * HOUR
