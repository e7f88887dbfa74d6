"""Commissioning as an operator meets it: ``wattwell doctor``, ``wattwell balance``, the API and the page's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from collector.normalise import MeterTable, normalise
from collector.simulate.meters import site_document
from collector.simulate.spec import SiteSpec
from tests.commands import ask, called, service
from tests.faulty import STEP, Distort, sent, telemetry
from wattwell.app.access import clock, open_engine
from wattwell.config import load
from wattwell.intervals import DAY, HOUR, SECOND, floor_to


def fill(folder: Path, *, spoilt: bool) -> None:
    """An installation whose site has reported live for four days, until just now."""
    site = yaml.safe_dump({"sites": [site_document(SiteSpec(), period="10m")]})
    head = 'store: {url: "duckdb:w.duckdb"}\nhttp: {listen: "127.0.0.1:8080"}\n'
    (folder / "w.yaml").write_text(head + site)
    config = load(folder / "w.yaml")
    data = telemetry(4.0, 1, floor_to(clock(), STEP) - 4 * DAY)
    change: dict[str, Distort] = (
        {}
        if not spoilt
        else {"ups-in": lambda v: v / 1000, "lights": np.negative, "main": lambda v: np.full(len(v), v[0])}
    )
    table = MeterTable.of(config.sites.values())
    with open_engine(config) as engine:
        for meter, value in data.values.items():
            shown = change[meter](value) if meter in change else value
            at = data.at - 3 * HOUR if spoilt and meter == "cw-pump" else data.at
            judged = normalise(sent(table, meter, at, shown, data.at + SECOND), table, 31 * DAY)
            engine.store.commit(judged.readings, judged.rejects)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoilt")
    fill(folder, spoilt=True)
    return folder


def test_a_healthy_site(tmp_path: Path) -> None:
    fill(tmp_path, spoilt=False)
    found = [each for each in ask_doctor(tmp_path) if each["check"] == "commissioning"]
    assert [(each["status"], each["remedy"]) for each in found] == [("ok", None)]
    closed = {row["meter"]: row["issue"] for row in ask(tmp_path, "balance", "w.yaml").json}
    assert closed["main"] is None
    assert closed["ups-in"]["severity"] == "info", "what the UPS loses"


def ask_doctor(folder: Path) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = called("doctor", "w.yaml", "--json", folder=folder).json
    return found


def test_doctor_names_each_fault(spoilt: Path) -> None:
    found = [each for each in ask_doctor(spoilt) if each["check"] == "commissioning"]
    names = {" ".join(str(each["message"]).split(": ")[1:3]) for each in found}
    assert names == {"meter.unit ups-in", "meter.reversed lights", "meter.frozen main", "meter.clock cw-pump"}
    assert {each["status"] for each in found} == {"warning"}
    assert all(each["remedy"] for each in found)
    shown = called("doctor", "w.yaml", folder=spoilt).out
    assert "3 h behind arrival" in shown


def test_the_balance_command(spoilt: Path) -> None:
    shown = called("balance", "w.yaml", "--site", "sim", folder=spoilt).out
    assert "balance.open: the meters below ups-in count" in shown
    (row,) = (row for row in ask(spoilt, "balance", "w.yaml", "--window", "7d").json if row["meter"] == "ups-in")
    assert row["window"] == "7d"
    wrong = called("balance", "w.yaml", "--window", "3h", folder=spoilt)
    assert (wrong.code, wrong.out) == (2, "")
    assert "window '3h' is not known" in wrong.err


def test_through_the_service(spoilt: Path) -> None:
    with service(spoilt, "--role", "analytics,web") as running:
        status, text = running.get("/api/v1/problems?site=sim")
        assert status == 200
        for word in ('"meter.unit"', '"meter.reversed"', '"meter.frozen"', '"meter.clock"', '"remedy"'):
            assert word in text
        status, text = running.get("/api/v1/balance?window=24h")
        assert status == 200
        assert '"balance.open"' in text
        status, text = running.get("/")
        assert status == 200
        assert "declared in kWh, and with MWh" in text
        assert {f["status"] for f in ask_doctor(spoilt) if f["check"] == "commissioning"} == {"warning"}
        assert running.end() == 0
