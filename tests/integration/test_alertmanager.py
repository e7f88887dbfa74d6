"""Alerts in a real Alertmanager: they arrive, stay while they fire, end, and survive a restart of either side."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerts.alertmanager import Alertmanager as Told
from alerts.machine import Status
from alerts.notify import notifier_id
from alerts.opening import open_notifier
from alerts.outbox import DOCUMENT, Delivery, Outbox, enqueue, retarget, settle, write
from tests.running import RULE, Site, two_meters
from tests.servers import Alertmanager, alertmanager, free_port, program, wait_until
from tests.support import T0
from tests.telling import Receiver, note, receiver
from wattwell.app.service import running
from wattwell.config.settings import HttpSettings, Notifier
from wattwell.intervals import HOUR, MINUTE, SECOND, iso
from wattwell.store.database import machine_clock as clock
from wattwell.store.duckdb import DuckdbStore

PAGE = "https://watch.example"
SECOND_RULE = {"name": "PueVeryHigh", "kpi": "pue", "window": "1h", "above": 1.4, "clear": 1.35, "severity": "critical"}


@pytest.fixture
def people() -> Iterator[Receiver]:
    """Whom the Alertmanager tells."""
    with receiver() as there:
        yield there


@pytest.fixture
def manager(tmp_path: Path, people: Receiver) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path / "alertmanager", people.url(scheme="http")) as running:
        yield running


def told_by(manager: Alertmanager, **changes: Any) -> Told:
    notifier = open_notifier(manager.url.replace("http", "alertmanager"), page=PAGE)
    assert isinstance(notifier, Told)
    return replace(notifier, **changes)


@pytest.fixture
def open_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Sites with a PUE by the hour, and rules on it."""
    stores = []

    def opened(notifier: Told, pue: Callable[[float], float], *rules: Any) -> Site:
        store = DuckdbStore.open(tmp_path / "wattwell.duckdb", clock)
        stores.append(store)
        return Site(config=two_meters(tmp_path, *rules), store=store, pue=pue, listener=notifier)  # type: ignore[arg-type]

    yield opened
    for store in stores:
        store.close()


def groups(people: Receiver) -> list[tuple[str, list[tuple[str, str]]]]:
    """(site, [(status, alert)]) of each message that the Alertmanager sent."""
    return [
        (
            document["groupLabels"]["site"],
            sorted((alert["status"], alert["labels"]["alertname"]) for alert in document["alerts"]),
        )
        for document in people.taken
    ]


def step(hours: float) -> float:
    """A day-long step to a PUE of 1.5 between the second and the sixth hour."""
    return 1.5 if 2 <= hours < 6 else 1.2


def test_an_alert_arrives_and_ends(manager: Alertmanager, people: Receiver, open_site: Callable[..., Site]) -> None:
    site = open_site(told_by(manager), step, RULE)
    site.live(4)
    (shown,) = manager.shown()
    assert shown["labels"] == {
        "alertname": "PueHigh", "site": "s", "severity": "warning", "kpi": "pue", "window": "1h",
    }  # fmt: skip
    assert shown["startsAt"].startswith(iso(site.engine.watch.board.site("s").open["PueHigh"].fired_at)[:19])
    assert shown["generatorURL"] == f"{PAGE}/sites/s"
    assert "PUE of s over 1h is 1.5" in shown["annotations"]["summary"]
    query = [program("amtool"), "alert", "query", "alertname=PueHigh", f"--alertmanager.url={manager.url}"]
    assert "PueHigh" in subprocess.run(query, capture_output=True, text=True, check=True).stdout
    wait_until(lambda: groups(people), "people are told")
    site.live(8)
    assert manager.shown() == []
    wait_until(lambda: len(groups(people)) == 2, "people are told of the end")
    assert groups(people) == [("s", [("firing", "PueHigh")]), ("s", [("resolved", "PueHigh")])]


def test_alerts_of_one_site_come_in_one_message(manager: Alertmanager, people: Receiver) -> None:
    now = clock() - MINUTE
    told_by(manager).send([note("One", now), note("One", now, site="b"), note("Two", now)])
    assert manager.names() == [("a", "One"), ("a", "Two"), ("b", "One")]
    wait_until(lambda: len(groups(people)) == 2, "two messages")
    assert sorted(groups(people)) == [("a", [("firing", "One"), ("firing", "Two")]), ("b", [("firing", "One")])]


def test_what_fires_is_told_again_beyond_its_end_and_ends_when_nobody_tells_it(
    manager: Alertmanager, open_site: Callable[..., Site]
) -> None:
    lasts = 2
    site = open_site(told_by(manager, resend=SECOND // 2, lasts=lasts * SECOND), step, RULE)
    site.live(4)
    until = time.monotonic() + 2 * lasts
    while time.monotonic() < until:
        site.engine.watch.deliver(clock())
        assert manager.names() == [("s", "PueHigh")]
        time.sleep(0.1)
    wait_until(lambda: manager.names() == [], "the alert ends by itself", lasts + 2)
    site.engine.watch.deliver(clock())
    assert manager.names() == [("s", "PueHigh")]


def test_an_alertmanager_that_forgot_is_told_again_within_a_minute(
    manager: Alertmanager, open_site: Callable[..., Site]
) -> None:
    site = open_site(told_by(manager), step, RULE)
    site.live(4)
    manager.stop()
    manager.start()
    assert manager.names() == []
    site.engine.watch.deliver(site.now)
    assert manager.names() == []
    site.engine.watch.deliver(site.now + MINUTE)
    assert manager.names() == [("s", "PueHigh")]
    assert site.engine.watch.outbox.queues["listener"].delivered == 1


def test_people_are_told_of_an_end_that_alertmanager_took_and_forgot(
    tmp_path: Path, people: Receiver, open_site: Callable[..., Site]
) -> None:
    with alertmanager(tmp_path / "slow", people.url(scheme="http"), interval="5m") as manager:
        site = open_site(told_by(manager), step, RULE)
        site.live(4)
        wait_until(lambda: groups(people), "people are told")
        while site.engine.watch.board.site("s").open:
            site.live((site.now - T0) / HOUR + 0.25)
        assert not site.engine.watch.outbox.queues["listener"].waiting, "it took the end"
        manager.stop()
        manager.start()
        site.restart()
        assert groups(people) == [("s", [("firing", "PueHigh")])]
        site.engine.watch.deliver(site.now + 2 * MINUTE)
        wait_until(lambda: len(groups(people)) == 2, "people are told of the end")
        assert groups(people)[1] == ("s", [("resolved", "PueHigh")])
        assert manager.shown() == []


def test_a_restart_while_firing_tells_people_nothing_new(
    manager: Alertmanager, people: Receiver, open_site: Callable[..., Site]
) -> None:
    site = open_site(told_by(manager), step, RULE, SECOND_RULE)
    site.live(4)
    both = ("s", [("firing", "PueHigh"), ("firing", "PueVeryHigh")])
    wait_until(lambda: both in groups(people), "people are told")
    told, before = groups(people), manager.shown()
    site.restart()
    site.refresh()
    again = manager.shown()
    assert [each["updatedAt"] for each in again] > [each["updatedAt"] for each in before], "it was told again"
    time.sleep(2.5)  # more than two group intervals
    assert groups(people) == told


def test_what_happens_while_it_is_away_arrives_in_order_when_it_is_back(
    manager: Alertmanager, open_site: Callable[..., Site]
) -> None:
    site = open_site(told_by(manager), lambda hours: {2: 1.5, 3: 1.5}.get(int(hours), 1.35), RULE, SECOND_RULE)
    manager.stop()
    site.live(8)
    queue = site.engine.watch.outbox.queues["listener"]
    waiting = [(each.name, each.status.value) for each in queue.waiting]
    assert waiting == [("PueHigh", "firing"), ("PueVeryHigh", "firing"), ("PueVeryHigh", "resolved")]
    assert "cannot be reached" in (queue.error or "")
    manager.start()
    site.engine.watch.deliver(site.now + MINUTE)
    assert manager.names() == [("s", "PueHigh")]
    queue = site.engine.watch.outbox.queues["listener"]
    assert (queue.waiting, queue.delivered, queue.lost, queue.error) == ((), 3, 0, None)


def test_one_that_is_new_is_told_what_fires_already(manager: Alertmanager, open_site: Callable[..., Site]) -> None:
    site = open_site(None, step, RULE)
    site.listener = Nobody()  # type: ignore[assignment]
    site.restart()
    site.live(4)
    site.listener = told_by(manager)  # type: ignore[assignment]
    site.restart()
    site.refresh()
    assert manager.names() == [("s", "PueHigh")]


class Nobody:
    """A notifier that takes everything."""

    def send(self, batch: Sequence[Any]) -> None:
        """Takes it."""


def test_what_it_refuses_is_named_and_what_is_sound_goes_through(manager: Alertmanager) -> None:
    with pytest.raises(Exception, match="answered with status 400") as caught:
        told_by(manager).send([note("Sound", clock()), replace(note("Bad", clock()), labels={"no label": "x"})])
    assert getattr(caught.value, "refused", False)
    assert manager.names() == [("a", "Sound")]
    told_by(manager).send([note("Sound", clock(), Status.RESOLVED)])


def test_the_service_tells_each_on_its_own(tmp_path: Path, manager: Alertmanager) -> None:
    let_go = threading.Event()
    with receiver(lambda _: hang(let_go)) as hanging:
        urls = [hanging.url(), manager.url.replace("http", "alertmanager")]
        http = HttpSettings(host="127.0.0.1", port=free_port(), token_file=None)
        config = replace(two_meters(tmp_path), http=http, notify=tuple(Notifier(url=url) for url in urls))
        waiting = enqueue(retarget(Outbox(), [notifier_id(url) for url in urls])[0], [note("One", clock())])
        # The second one is due when the first one hangs already.
        failed = Delivery(notifier=notifier_id(urls[1]), batch=(), error="away")
        waiting = settle(waiting, [failed], clock() - 3 * SECOND)
        with closing(DuckdbStore.open(tmp_path / "wattwell.duckdb", clock)) as store:
            store.save_states({DOCUMENT: write(waiting)})
        with running(config, ("alerts", "web")):
            wait_until(lambda: hanging.seen, "the one that hangs is told")
            wait_until(lambda: manager.names() == [("a", "One")], "the other one is told", 5)
            assert hanging.taken == []
            let_go.set()


def hang(let_go: threading.Event) -> None:
    """Answers nothing before it is let go."""
    let_go.wait(20)
