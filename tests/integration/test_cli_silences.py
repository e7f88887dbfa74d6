"""Silences, acknowledgements and suggestions as people enter them, without and through a running service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands import CONFIG, ask, called, dials, service, wattwell, write_wide
from tests.servers import wait_until

WHO = ("--author", "ida", "--reason", "chiller service")
RULES = """\
alerts:
  - {name: PueHigh, kpi: pue, window: 1h, above: 1.3}
  - {name: MeterStale, stale: any, above: 15m}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The south, whose PUE is 1.5, over thirty hours; its alert fires."""
    (tmp_path / "w.yaml").write_text(CONFIG + RULES)
    write_wide(tmp_path / "south.csv", dials("south"))
    done = called("backfill", "w.yaml", "south.csv", "--site", "south", folder=tmp_path)
    assert done.code == 0, done.err
    return tmp_path


def test_what_is_entered_is_listed_marked_and_in_the_ledger(folder: Path) -> None:
    made = ask(folder, "silence", "w.yaml", "--site", "south", "--for", "4h", *WHO).json
    assert (made["kind"], made["state"], made["author"]) == ("maintenance", "active", "ida")
    narrow = ask(folder, "silence", "w.yaml", "--name", "MeterStale", "--match", "meter=ups-a", "--from",
                 "2090-01-01T00:00Z", "--until", "2090-01-02T00:00Z", *WHO).json  # fmt: skip
    assert narrow["matchers"] == {"alertname": "MeterStale", "meter": "ups-a"}
    assert [each["state"] for each in ask(folder, "silences", "w.yaml").json] == ["pending", "active"]
    ask(folder, "ack", "w.yaml", "--site", "south", "--name", "PueHigh", *WHO)
    (found,) = [each for each in ask(folder, "alerts", "w.yaml").json if each["state"] == "firing"]
    assert found["silenced_by"]["id"] == made["id"]
    assert found["acknowledged_by"]["author"] == "ida"
    shown = called("alerts", "w.yaml", folder=folder).out
    assert f"maintenance {made['id']}; acknowledged by ida" in shown
    ended = called("silences", "w.yaml", "--expire", made["id"], *WHO, folder=folder)
    assert "ended" in ended.out
    entered = called("audit", "show", "w.yaml", "--kind", "silence", folder=folder).out
    assert "site=south silenced" in entered
    assert "acknowledged by ida: chiller service" in entered
    assert called("audit", "verify", "w.yaml", folder=folder).code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("silence", "--site", "south", "--for", "4h", "--reason", "x"), "write --author"),
        (("silence", "--site", "south", *WHO), "--for 4h or --until"),
        (("silence", "--for", "4h", *WHO), "name a site, an alert or a label"),
        (("silence", "--site", "south", "--for", "4h", "--match", "meter", *WHO), "LABEL=VALUE"),
        (("silences", "--expire", "99", *WHO), "no silence 99"),
        (("ack", "--site", "north", "--name", "PueHigh", *WHO), "no alert PueHigh is open on north; open: none"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    command, *rest = arguments
    refused = called(command, "w.yaml", *rest, folder=folder)
    assert refused.code == 2
    assert said in refused.err


def test_suggestions(folder: Path) -> None:
    (found,) = ask(folder, "alerts", "w.yaml", "--suggest", "--site", "south").json
    tried = {each["of"]: each["threshold"] for each in found["thresholds"]}
    assert tried == {"own": 1.3, "p50": pytest.approx(1.5), "p90": pytest.approx(1.5), "p99": pytest.approx(1.5)}
    assert "p99" in called("alerts", "w.yaml", "--suggest", folder=folder).out


def test_the_running_service_takes_them_in(folder: Path) -> None:
    with service(folder, "--role", "analytics,alerts,web") as running:
        wait_until(running.ready, "the service is ready")
        done = wattwell("silence", "w.yaml", "--site", "south", "--for", "1h", *WHO, "--json", folder=folder)
        assert done.code == 0, done.err
        (listed,) = json.loads(running.get("/api/v1/silences")[1])
        assert listed == done.json
        found = json.loads(running.get("/api/v1/alerts?site=south")[1])[0]
        assert found["silenced_by"]["reason"] == "chiller service"
    assert [each["state"] for each in ask(folder, "silences", "w.yaml").json] == ["active"]


def test_times_are_local_to_the_site(folder: Path) -> None:
    made = ask(folder, "silence", "w.yaml", "--site", "north", "--from", "2090-06-01", "--for", "1h", *WHO).json
    assert made["from"] == "2090-05-31T22:00:00Z"
