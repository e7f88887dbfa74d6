"""What waits for whom: on /metrics, for `doctor`, and without a secret."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from alerts import outbox
from alerts.notify import notifier_id
from alerts.outbox import Delivery, Outbox, enqueue, retarget, settle
from tests.telling import note
from wattwell.app.doctor import examine
from wattwell.config import load
from wattwell.engine.engine import Engine
from wattwell.store.duckdb import DuckdbStore

CONFIG = """
sites:
  - {id: north, timezone: UTC, pue_category: 1, meters: [
      {id: grid, role: utility_import, quantity: energy, accumulation: register, max_rate: 100}]}
notify:
  - {url_file: hook.url}
  - {url: "alertmanager://127.0.0.1:9093"}
"""
URLS = ("jsons://ann:hunter2@hooks.example/x", "alertmanager://127.0.0.1:9093")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "hook.url").write_text(URLS[0], encoding="utf-8")
    (tmp_path / "hook.url").chmod(0o600)
    (tmp_path / "w.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "w.yaml"


def told(now: int) -> Outbox:
    """Two notifications for both: the second receiver has taken them, the first refuses to for now."""
    hook, manager = map(notifier_id, URLS)
    waiting = enqueue(retarget(Outbox(), [hook, manager], [manager])[0], [note("One", now), note("Two", now)])
    batch = waiting.queues[manager].waiting
    outcomes = [
        Delivery(notifier=manager, batch=batch, error=None),
        Delivery(notifier=hook, batch=batch, error="https://hooks.example/x is away"),
    ]
    return settle(waiting, outcomes, now)


def test_each_receiver_is_named_by_its_scheme_and_place(path: Path) -> None:
    config = load(path)
    store = DuckdbStore(Path("memory"), duckdb.connect())
    store.save_states({outbox.DOCUMENT: outbox.write(told(0))})
    found = Engine(config, config.rules, store, lambda: 0).receivers()
    store.close()
    assert found == [
        {"receiver": "jsons-1", "waiting": 2, "delivered": 0, "lost": 0, "error": "https://hooks.example/x is away"},
        {"receiver": "alertmanager-2", "waiting": 0, "delivered": 2, "lost": 0, "error": None},
    ]
    assert "hunter2" not in str(found)
    assert notifier_id(URLS[0]).removeprefix("jsons-") not in str(found), "a short secret can be guessed from its hash"


def test_doctor_says_what_waits_and_why(path: Path) -> None:
    store = DuckdbStore.open(path.with_name("wattwell.duckdb"))
    store.save_states({outbox.DOCUMENT: outbox.write(told(0))})
    store.close()
    waits, well = (each for each in examine(path) if each["check"] == "notifications")
    assert (waits["status"], well["status"]) == ("warning", "ok")
    assert waits["message"] == (
        "jsons-1: 2 notifications wait, 0 were delivered; the last attempt failed: https://hooks.example/x is away"
    )
    assert "`wattwell run` tries again" in waits["remedy"]
    assert well["message"] == "alertmanager-2: 0 notifications wait, 2 were delivered"
