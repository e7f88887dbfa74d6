"""``wattwell doctor``: every check can be well, doubtful and bad, and says what to do."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import shutil
import socket
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.collecting import mqtt_settings
from tests.commands import CONFIG, called, dials, service, write_wide
from tests.servers import Mosquitto, mosquitto
from tests.support import readings_of
from wattwell.app import broker_check, doctor
from wattwell.app.access import open_engine
from wattwell.config import load
from wattwell.engine.queries import Document
from wattwell.intervals import MINUTE, parse_iso
from wattwell.store.duckdb import DuckdbStore

NOW = parse_iso("2026-03-02T06:00:10Z")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A healthy installation without a broker, filled until just now."""
    (tmp_path / "w.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(check: str, path: Path = Path("w.yaml")) -> list[Document]:
    return [finding for finding in doctor.examine(path) if finding["check"] == check]


def said(check: str) -> set[tuple[str, str]]:
    return {(finding["status"], finding["message"]) for finding in found(check)}


def test_every_finding_has_its_shape(folder: Path) -> None:
    findings = doctor.examine(Path("w.yaml"))
    assert {finding["check"] for finding in findings} == {
        "packaging",
        "clock",
        "configuration",
        "disk",
        "store",
        "mapping",
        "commissioning",
        "broker",
    }
    for finding in findings:
        assert list(finding) == ["check", "status", "message", "remedy"]
        assert finding["status"] in {"ok", "warning", "failed"}
        assert finding["remedy"] or finding["status"] == "ok" or finding["check"] == "configuration", finding


def test_packaging(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {status for status, _ in said("packaging")} == {"ok"}
    real = importlib.util.find_spec

    def elsewhere(name: str, package: str | None = None) -> importlib.machinery.ModuleSpec | None:
        if name == "alerts":
            return importlib.machinery.ModuleSpec("alerts", None, origin="/opt/other/alerts/__init__.py")
        return real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", elsewhere)
    bad = [finding for finding in found("packaging") if finding["status"] == "failed"]
    assert [finding["message"] for finding in bad] == ["package alerts comes from /opt/other, not from Wattwell"]
    assert bad[0]["remedy"] == "install Wattwell into a virtual environment of its own"


def test_clock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding["status"] for finding in found("clock")] == ["ok"]
    monkeypatch.setattr(doctor, "clock", lambda: 0)
    assert said("clock") == {("failed", "the machine's clock says 1970-01-01T00:00:00Z")}


def test_a_clock_behind_the_readings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(NOW)
    monkeypatch.setattr(doctor, "clock", lambda: NOW - 6 * MINUTE)
    behind = "north has a reading of 2026-03-02T06:00:10Z, which is later than the machine's clock"
    assert ("warning", behind) in said("clock")
    monkeypatch.setattr(doctor, "clock", lambda: NOW - 5 * MINUTE)
    assert {status for status, _ in said("clock")} == {"ok"}


def fill(at: int) -> None:
    """One reading of each meter."""
    with open_engine(load(Path("w.yaml"))) as engine:
        keys = [(site.id, meter) for site in engine.config.sites.values() for meter in site.meters]
        engine.store.commit(readings_of([(key, at, 20.0) for key in keys]), [])


def test_configuration(folder: Path) -> None:
    assert found("configuration")[0]["status"] == "ok"
    assert {finding["status"] for finding in found("configuration")[1:]} == {"warning"}
    Path("w.yaml").write_text(CONFIG.replace("pue_category: 1", "pue_category: 9") + "colour: red\n")
    bad = found("configuration")
    assert [finding["status"] for finding in bad] == ["failed"] * 3
    assert {"colour", "sites[0].pue_category", "sites[1].pue_category"} == {f["message"].split(" ")[0] for f in bad}
    assert all(finding["remedy"] for finding in bad)
    assert called("doctor", "w.yaml", folder=folder).code == 2
    assert called("doctor", "none.yaml", folder=folder).code == 2


def test_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding["status"] for finding in found("disk")] == ["ok"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5e8))
    low = found("disk")
    assert [(finding["status"], finding["message"]) for finding in low] == [("warning", f"0.5 GB are free in {folder}")]
    assert "free some space" in low[0]["remedy"]
    Path("w.yaml").write_text(CONFIG.replace("duckdb:wattwell", "duckdb:gone/wattwell"))
    assert said("disk") == {("failed", f"the store's folder {folder}/gone does not exist")}


def test_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [finding["status"] for finding in found("store")] == ["ok"]
    assert called("doctor", "w.yaml", folder=folder).code == 0
    store = folder / "wattwell.duckdb"
    store.unlink()
    store.write_text("no store at all" * 999)
    bad = found("store")
    assert [finding["status"] for finding in bad] == ["failed"]
    assert f"store {store} is not a DuckDB file" in bad[0]["message"]
    assert called("doctor", "w.yaml", "--json", folder=folder).code == 1


def test_mapping(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = {message for status, message in said("mapping") if status == "warning"}
    assert "north: grid-a has never reported" in silent
    fill(doctor.clock())
    assert said("mapping") == {("ok", "every meter in service reports, and every topic seen is bound to one")}
    with open_engine(load(Path("w.yaml"))) as engine:
        entry = {"topic": "x/y", "first_seen": NOW, "last_seen": NOW, "count": 3, "example": "1"}
        engine.store.save_states({"collector.unmapped": json.dumps([entry])})
    assert said("mapping") == {("warning", "topic x/y brought 3 messages and is bound to no meter")}


def with_broker(port: int, more: str = "") -> None:
    Path("w.yaml").write_text(f"{CONFIG}mqtt: {{url: 'mqtt://127.0.0.1:{port}'{more}}}\n")


def test_broker(folder: Path, broker: Mosquitto) -> None:
    assert [finding["status"] for finding in found("broker")] == ["warning"], "no mqtt section"
    with_broker(broker.port)
    kept = "kept all 3000 messages of a trial while we were away; these meters send"
    assert [(f["status"], f["remedy"]) for f in found("broker")] == [("ok", None), ("ok", None)]
    assert [f["message"].split("broker at ")[1].split(" ", 1)[1][: len(kept)] for f in found("broker")] == [
        "accepts us",
        kept,
    ]
    with_broker(broker.port, ", subscribe: ['wattwell/south/#']")
    assert ("warning", "no subscription covers the topic wattwell/north/#") in said("broker")
    broker.stop()
    assert next((f["status"], f["remedy"]) for f in found("broker")) == (
        "failed",
        "start the broker, or correct mqtt.url",
    )


def test_a_broker_that_refuses(folder: Path) -> None:
    with mosquitto(folder / "mosquitto", "allow_anonymous false") as strict:
        with_broker(strict.port)
        bad = found("broker")
    assert [finding["status"] for finding in bad] == ["failed"]
    assert "refused the connection (Not authorized)" in bad[0]["message"]
    assert "password_file" in bad[0]["remedy"]


def test_a_broker_that_drops_what_comes_while_we_are_away(folder: Path) -> None:
    with mosquitto(folder / "mosquitto", "allow_anonymous true", "max_queued_messages 100") as forgetful:
        with_broker(forgetful.port)
        bad = [finding for finding in found("broker") if finding["status"] != "ok"]
    assert [finding["status"] for finding in bad] == ["warning"]
    assert "kept only 1" in bad[0]["message"]
    assert "of 3000 messages while we were away; these meters fill that in " in bad[0]["message"]
    assert bad[0]["remedy"] == "lift its queue limit: in mosquitto, max_queued_messages 0"


def test_a_broker_that_says_what_it_cannot() -> None:
    ours = mqtt_settings(1, session_expiry=86400)
    brief = list(broker_check._limits(ours, "b", {"SessionExpiryInterval": 3600}))
    assert [finding["message"] for finding in brief] == ["b keeps our session for 1h only, not for 24h"]
    assert [finding["status"] for finding in broker_check._limits(ours, "b", {"MaximumQoS": 0})] == ["warning"]
    assert list(broker_check._limits(ours, "b", {"ReceiveMaximum": 20})) == []


def test_a_broker_without_shared_subscriptions() -> None:
    ours = mqtt_settings(1, subscribe=("dc/#", "$share/wattwell/wattwell/#"))
    (told,) = broker_check._limits(ours, "b", {"SharedSubscriptionAvailable": 0})
    assert (told["status"], told["message"]) == ("failed", "b has no shared subscriptions")
    assert list(broker_check._limits(ours, "b", {"SharedSubscriptionAvailable": 1})) == []
    assert list(broker_check._limits(mqtt_settings(1), "b", {"SharedSubscriptionAvailable": 0})) == []


def test_a_shared_subscription(folder: Path, broker: Mosquitto) -> None:
    waits = "the subscription is shared: what is wattwell's waits for it for 7d while it is away"
    with_broker(broker.port, ", subscribe: ['$share/g/wattwell/#']")
    shared = [each for each in found("broker") if "shared" in each["message"]]
    assert [(each["status"], each["message"]) for each in shared] == [
        (
            "warning",
            "the subscription is shared, so this store gets a part of the readings, and figures are of that part",
        ),
        ("ok", f"{waits}, and no other collector gets it"),
    ]
    text = Path("w.yaml").read_text().replace("duckdb:wattwell.duckdb", "victoriametrics://127.0.0.1:1")
    Path("w.yaml").write_text(text)
    shared = [each for each in found("broker") if "shared" in each["message"]]
    assert [each["status"] for each in shared] == ["ok"]


def test_a_broker_that_lets_nobody_try(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_check, "_ANSWER_SECONDS", 1.0)
    rules = folder / "acl"
    rules.write_text("topic read wattwell/#\n")
    with mosquitto(folder / "mosquitto", "allow_anonymous true", f"acl_file {rules}", "user root") as strict:
        with_broker(strict.port)
        bad = [finding for finding in found("broker") if finding["status"] != "ok"]
    assert len(bad) == 1
    assert "could not be tried: it refuses the topic $wattwell/doctor/wattwell-doctor" in bad[0]["message"]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_the_trial_leaves_nothing_behind(folder: Path, broker: Mosquitto, version: str) -> None:
    with_broker(broker.port, f", version: '{version}'")
    assert {finding["status"] for finding in found("broker")} == {"ok"}
    visitor = replace(mqtt_settings(broker.port, client_id="wattwell-doctor"), version=version)
    with broker_check._visit(visitor, lasting=False) as visit:
        assert visit.present is False


def test_a_password_file_that_is_not_there(folder: Path, broker: Mosquitto) -> None:
    with_broker(broker.port, ", username: me, password_file: secret.txt")
    bad = [finding for finding in doctor.examine(Path("w.yaml")) if finding["status"] == "failed"]
    assert [finding["message"] for finding in bad] == ["mqtt.password_file = secret.txt"]


def test_a_broker_that_never_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_check, "_ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        with_broker(deaf.getsockname()[1])
        assert [finding["status"] for finding in found("broker")] == ["failed"]
        assert f"127.0.0.1:{deaf.getsockname()[1]} does not answer" in found("broker")[0]["message"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("paho")]


def test_while_the_service_runs(folder: Path, broker: Mosquitto) -> None:
    with_broker(broker.port)
    write_wide(folder / "north.csv", dials())
    with service(folder, "--role", "analytics,web") as running:
        assert called("backfill", "w.yaml", "north.csv", "--site", "north", folder=folder).code == 0
        findings = {finding["check"]: finding for finding in doctor.examine(Path("w.yaml"))}
        assert findings["store"]["message"] == f"{folder}/wattwell.duckdb, through the running service"
        assert {findings[check]["status"] for check in ("store", "disk", "clock", "packaging", "broker")} == {"ok"}
        shown = called("doctor", "w.yaml", folder=folder)
        assert shown.code == 0
        assert "through the running service" in shown.out
        assert running.end() == 0


def test_a_finding_is_a_plain_document(folder: Path) -> None:
    findings: Any = called("doctor", "w.yaml", "--json", folder=folder).json
    assert isinstance(findings, list)
    assert DuckdbStore.open(folder / "wattwell.duckdb").close() is None
