"""What is refused, what stands at a keeper, what goes together, and that nobody waits for another one."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from alerts import outbox as outbox_module
from alerts.alertmanager import LASTS, RESEND, posted
from alerts.dispatch import dispatch
from alerts.machine import Status
from alerts.message import message_of, page_of
from alerts.notification import Notification
from alerts.notify import DeliveryError, Notifier, notifier_id
from alerts.opening import open_notifier
from alerts.outbox import Delivery as Outcome
from alerts.outbox import Outbox, catch_up, due, enqueue, next_due, read, retarget, settle, write
from tests.running import RULE, Site, two_meters
from tests.support import T0
from tests.telling import note, receiver
from wattwell.intervals import MINUTE, SECOND, parse_iso
from wattwell.store.duckdb import DuckdbStore

NOW = parse_iso("2026-03-29T01:00:00Z")
FIRING, RESOLVED = Status.FIRING, Status.RESOLVED


def outbox(*waiting: Notification, keeper: bool = False) -> Outbox:
    return enqueue(retarget(Outbox(), ["x"], ["x"] if keeper else [])[0], waiting)


def told(box: Outbox) -> tuple[Outbox, tuple[Notification, ...]]:
    batch = due(box, NOW)["x"]
    return settle(box, [Outcome(notifier="x", batch=batch, error=None)], NOW), batch


def test_a_batch_is_of_one_site_and_a_keeper_groups_by_itself() -> None:
    waiting = [note("A", NOW), note("A", NOW, site="b"), note("B", NOW), note("C", NOW, site="b")]
    box, first = told(outbox(*waiting))
    box, second = told(box)
    assert (first, second) == ((waiting[0], waiting[2]), (waiting[1], waiting[3]))
    assert due(box, NOW) == {}
    assert told(outbox(*waiting, keeper=True))[1] == tuple(waiting)


@dataclass
class Picky:
    """A receiver that refuses some alerts as such."""

    refuses: Sequence[str]
    took: list[str] = field(default_factory=list)
    attempts: int = 0

    def send(self, batch: Sequence[Notification]) -> None:
        """Takes a batch without any of those."""
        self.attempts += 1
        if any(each.name in self.refuses for each in batch):
            raise DeliveryError("x answered with status 422", refused=True)
        self.took += [each.name for each in batch]


@pytest.mark.parametrize("keeper", [False, True])
def test_what_is_refused_holds_up_nothing_for_ever(*, keeper: bool) -> None:
    picky = Picky(["C", "F"])
    box = outbox(*(note(name, NOW + index) for index, name in enumerate("ABCDEFG")), keeper=keeper)
    now = NOW
    while (following := next_due(box, now)) is not None:
        now = following
        box, _ = dispatch(box, {"x": picky}, now)
        box = read(write(box))
    assert picky.took == ["A", "B", "D", "E", "G"]
    queue = box.queues["x"]
    assert (queue.delivered, queue.refused, queue.lost, queue.refusals) == (5, 2, 0, 0)
    assert now - NOW < 5 * MINUTE
    assert (queue.standing is not None) == keeper
    assert [each.name for each in queue.standing or ()] == (picky.took if keeper else [])


def test_one_that_refuses_for_a_while_loses_nothing() -> None:
    picky = Picky(["A"])
    box, now = outbox(note("A", NOW)), NOW
    for _ in range(outbox_module.REFUSAL_LIMIT - 1):
        box, _ = dispatch(box, {"x": picky}, now)
        now = next_due(box, now) or now
    assert now - NOW >= MINUTE
    picky.refuses = ()
    box, _ = dispatch(box, {"x": picky}, now)
    assert (picky.took, box.queues["x"].refused, box.queues["x"].refusals) == (["A"], 0, 0)


@pytest.mark.parametrize(
    ("status", "set_aside"), [(400, 1), (413, 1), (401, 0), (404, 0), (429, 0), (500, 0), (503, 0)]
)
def test_only_what_is_about_the_document_is_a_refusal(status: int, set_aside: int) -> None:
    with receiver() as there:
        there.answers = [(status, {})] * 20
        url = there.url()
        name = notifier_id(url)
        box, now = enqueue(retarget(Outbox(), [name])[0], [note("A", NOW)]), NOW
        for _ in range(10):
            box, _ = dispatch(box, {name: open_notifier(url)}, now)
            now = next_due(box, now) or now
    assert (box.queues[name].refused, len(box.queues[name].waiting)) == (set_aside, 1 - set_aside)


def test_what_stands_at_a_keeper_is_what_it_was_told_and_has_not_ended() -> None:
    box, _ = told(outbox(note("A", NOW), note("B", NOW), keeper=True))
    box, _ = told(enqueue(box, [note("A", NOW, RESOLVED), note("C", NOW)]))
    assert [each.name for each in read(write(box)).queues["x"].standing or ()] == ["B", "C"]
    again = note("A", NOW + MINUTE)
    box, _ = told(enqueue(box, [again]))
    assert (box.queues["x"].standing or ())[-1] == again
    assert retarget(box, ["x"])[0].queues["x"].standing is None


def test_a_keeper_is_told_again_what_ended_for_a_quarter_of_an_hour() -> None:
    box, _ = told(outbox(note("A", NOW), note("B", NOW), keeper=True))
    box, _ = told(enqueue(box, [note("A", NOW, RESOLVED), note("B", NOW, RESOLVED)]))
    box = read(write(box))
    assert [(each.name, each.status) for each in box.queues["x"].kept(NOW)] == [("A", RESOLVED), ("B", RESOLVED)]
    box, _ = told(enqueue(box, [note("B", NOW + MINUTE)]))
    assert [(each.name, each.status) for each in box.queues["x"].kept(NOW)] == [("B", Status.FIRING), ("A", RESOLVED)]
    assert [each.name for each in box.queues["x"].kept(NOW + 15 * MINUTE)] == ["B"]
    assert retarget(box, ["x"])[0].queues["x"].ended == ()
    assert told(enqueue(outbox(note("A", NOW)), [note("A", NOW, RESOLVED)]))[0].queues["x"].ended == ()


def test_an_outbox_of_the_version_before_is_read() -> None:
    document = json.loads(write(told(outbox(note("A", NOW), keeper=True))[0])) | {"version": 1}
    del document["queues"]["x"]["ended"]
    assert [each.name for each in read(json.dumps(document)).queues["x"].standing or ()] == ["A"]


def test_an_end_that_is_lost_in_a_full_queue_is_not_told_again_as_firing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "QUEUE_LIMIT", 2)
    box, _ = told(outbox(note("A", NOW), keeper=True))
    box = enqueue(box, [note("A", NOW, RESOLVED), note("B", NOW), note("C", NOW), note("D", NOW)])
    assert [each.name for each in box.queues["x"].waiting] == ["C", "D"]
    assert [each.name for each in box.queues["x"].standing or ()] == ["B"]
    assert box.queues["x"].lost == 2


def test_a_keeper_catches_up_with_what_is_open_and_forgets_what_is_not() -> None:
    box, _ = told(outbox(note("A", NOW), note("Gone", NOW, site="gone"), keeper=True))
    box = catch_up(box, [note("A", NOW), note("New", NOW)])
    assert [each.name for each in box.queues["x"].standing or ()] == ["A"]
    assert [each.name for each in due(box, NOW)["x"]] == ["New"]
    assert catch_up(outbox(), [note("A", NOW)]) == outbox()


def test_what_alertmanager_is_posted() -> None:
    firing = posted(note("A", NOW, site="hall 1"), NOW + LASTS, "https://w.example")
    assert firing == {
        "labels": {"alertname": "A", "site": "hall 1", "severity": "warning"},
        "annotations": {"summary": "A at 20 °C"},
        "startsAt": "2026-03-29T01:00:00Z",
        "endsAt": "2026-03-29T01:04:00Z",
        "generatorURL": "https://w.example/sites/hall%201",
    }
    assert posted(note("A", NOW, RESOLVED), NOW + LASTS, "")["endsAt"] == "2026-03-29T01:00:01Z"
    assert "generatorURL" not in posted(note("A", NOW), NOW, "")
    assert RESEND * 3 < LASTS


def test_what_people_read() -> None:
    runbook = replace(note("PueHigh", NOW), annotations={"summary": "PUE is 1.4.", "runbook": "https://r.example"})
    assert message_of([runbook]) == (
        "[FIRING] a: PueHigh",
        "FIRING PueHigh (warning)\nPUE is 1.4.\nrunbook: https://r.example\nsince 2026-03-29T01:00:00Z",
    )
    assert message_of([replace(runbook, site="")])[0] == "[FIRING] PueHigh"
    assert message_of([note("A", NOW), note("B", NOW)])[0] == "[FIRING:2] a: A, B"
    assert (page_of("https://w", "a/b"), page_of("https://w", ""), page_of("", "a")) == (
        "https://w/sites/a%2Fb", "https://w", "",
    )  # fmt: skip


@dataclass
class Hanging:
    """A notifier that takes a batch when it is let go."""

    let_go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    took: list[str] = field(default_factory=list)

    def send(self, batch: Sequence[Notification]) -> None:
        """Waits, and takes it."""
        self.begun.set()
        assert self.let_go.wait(20)
        self.took += [each.name for each in batch]


def test_nobody_waits_for_one_that_hangs(tmp_path: Path) -> None:
    hanging, prompt = Hanging(), Picky(())
    notifiers: dict[str, Notifier] = {"hanging": hanging, "prompt": prompt}
    store = DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: T0)
    site = Site(config=two_meters(tmp_path, RULE), store=store, pue=lambda hours: 1.5 if hours < 3 else 1.2)
    watch = type(site.engine)(site.config, site.config.rules, store, lambda: site.now, notifiers).watch
    watch_thread = threading.Thread(target=lambda: watch.deliver_to("hanging", NOW))
    with watch._lock:
        watch.outbox = enqueue(watch.outbox, [note("A", NOW)])
    watch_thread.start()
    assert hanging.begun.wait(20)
    watch.deliver_to("prompt", NOW)
    assert (prompt.took, hanging.took) == (["A"], [])
    hanging.let_go.set()
    watch_thread.join(20)
    assert hanging.took == ["A"]
    assert [queue.delivered for queue in watch.outbox.queues.values()] == [1, 1]
    store.close()


def test_a_keeper_that_fails_is_told_again_soon_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    @dataclass
    class Forgetful:
        resend: int = MINUTE
        fails: bool = True
        kept: int = 0

        def send(self, batch: Sequence[Notification]) -> None:
            """Takes it."""

        def keep(self, _standing: Sequence[Notification]) -> None:
            if self.fails:
                raise DeliveryError("am cannot be reached")
            self.kept += 1

    keeper = Forgetful()
    store = DuckdbStore.open(tmp_path / "wattwell.duckdb", lambda: T0)
    site = Site(config=two_meters(tmp_path, RULE), store=store, pue=lambda _: 1.5)
    watch = type(site.engine)(site.config, site.config.rules, store, lambda: site.now, {"am": keeper}).watch
    watch.outbox = enqueue(watch.outbox, [note("A", NOW)])
    for second in range(25):
        watch.deliver_to("am", NOW + second * SECOND)
    assert caplog.text.count("am cannot be reached") == 1
    keeper.fails = False
    for second in range(25, 100):
        watch.deliver_to("am", NOW + second * SECOND)
    assert keeper.kept == 2
    store.close()
