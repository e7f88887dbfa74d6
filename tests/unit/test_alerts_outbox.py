"""The outbox: order, retries, bounds and the document that survives a restart."""

from __future__ import annotations

import json

import pytest

import alerts.outbox as outbox_module
from alerts.documents import DocumentError
from alerts.machine import Status
from alerts.notification import Notification
from alerts.outbox import BATCH_LIMIT, Delivery, Outbox, backoff, due, enqueue, next_due, read, retarget, settle, write
from wattwell.intervals import MINUTE, SECOND

NOW = 1_774_746_000_000_000


def note(n: int, status: Status = Status.FIRING) -> Notification:
    return Notification(
        site="a", name="PueHigh", status=status, starts_at=NOW + n, ends_at=None if status is Status.FIRING else NOW,
        labels={"alertname": "PueHigh"}, annotations={"summary": f"number {n} at 20 °C"},
    )  # fmt: skip


def outbox(*names: str) -> Outbox:
    return retarget(Outbox(), names)[0]


def failed(name: str, box: Outbox, now: int, retry_after: int | None = None) -> Outbox:
    batch = due(box, now)[name]
    return settle(box, [Delivery(notifier=name, batch=batch, error="refused", retry_after=retry_after)], now)


def delivered(name: str, box: Outbox, now: int) -> Outbox:
    return settle(box, [Delivery(notifier=name, batch=due(box, now)[name], error=None)], now)


def test_every_notifier_is_told_everything_in_order_and_once() -> None:
    box = enqueue(outbox("x", "y"), [note(1), note(2)])
    box = enqueue(box, [note(2), note(2, Status.RESOLVED), note(0)])
    expected = (note(1), note(2), note(2, Status.RESOLVED), note(0))
    assert due(box, NOW) == {"x": expected, "y": expected}
    box = delivered("x", box, NOW)
    assert due(box, NOW) == {"y": expected}
    assert (box.queues["x"].delivered, box.queues["y"].delivered) == (4, 0)


def test_a_failure_is_tried_again_ever_later() -> None:
    box, now, waits = enqueue(outbox("x"), [note(1)]), NOW, []
    for _ in range(10):
        box = failed("x", box, now)
        following = next_due(box, now)
        assert following is not None
        assert due(box, following - 1) == {}
        assert due(box, following) == {"x": (note(1),)}
        waits.append((following - now) // SECOND)
        now = following
    assert waits == [5, 10, 20, 40, 80, 160, 320, 600, 600, 600]
    assert (box.queues["x"].attempts, box.queues["x"].error) == (10, "refused")
    box = delivered("x", box, now)
    assert (box.queues["x"].attempts, box.queues["x"].error) == (0, None)
    assert next_due(box, now) is None
    assert next_due(enqueue(box, [note(2)]), now) == now


def test_backoff_has_no_overflow() -> None:
    assert backoff(10**9) == 10 * MINUTE


@pytest.mark.parametrize(("asked", "waits"), [(2, 5), (30, 30), (86_400, 600)])
def test_what_the_receiver_asks_for_is_kept_within_reason(asked: int, waits: int) -> None:
    box = failed("x", enqueue(outbox("x"), [note(1)]), NOW, retry_after=asked * SECOND)
    assert next_due(box, NOW) == NOW + waits * SECOND


def test_a_clock_that_went_back_does_not_silence_a_notifier() -> None:
    box = failed("x", enqueue(outbox("x"), [note(1)]), NOW + 86_400 * SECOND)
    assert due(box, NOW) == {"x": (note(1),)}


def test_one_that_fails_does_not_hold_up_another() -> None:
    box = failed("x", enqueue(outbox("x", "y"), [note(1)]), NOW)
    assert set(due(box, NOW)) == {"y"}


def test_what_comes_while_a_batch_is_out_stays() -> None:
    box = enqueue(outbox("x"), [note(1)])
    batch = due(box, NOW)["x"]
    box = settle(enqueue(box, [note(2)]), [Delivery(notifier="x", batch=batch, error=None)], NOW)
    assert due(box, NOW) == {"x": (note(2),)}


def test_long_queues_go_out_in_batches() -> None:
    box = enqueue(outbox("x"), [note(n) for n in range(BATCH_LIMIT + 1)])
    assert due(box, NOW)["x"] == tuple(note(n) for n in range(BATCH_LIMIT))
    assert due(delivered("x", box, NOW), NOW) == {"x": (note(BATCH_LIMIT),)}


def test_a_full_queue_loses_the_oldest_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "QUEUE_LIMIT", 3)
    box = enqueue(enqueue(outbox("x"), [note(1), note(2)]), [note(3), note(4), note(5)])
    assert due(box, NOW)["x"] == (note(3), note(4), note(5))
    assert box.queues["x"].lost == 2
    assert read(write(box)).queues["x"].lost == 2


def test_a_removed_notifier_is_dropped_and_said_so() -> None:
    box = enqueue(outbox("x", "y"), [note(1)])
    box, gone = retarget(box, ["y", "z"])
    assert gone == {"x": 1}
    assert {name: len(queue.waiting) for name, queue in box.queues.items()} == {"y": 1, "z": 0}
    assert settle(box, [Delivery(notifier="x", batch=(note(1),), error=None)], NOW) == box


def test_the_outbox_survives_a_restart() -> None:
    box = failed("x", enqueue(outbox("x", "y"), [note(1), note(2, Status.RESOLVED)]), NOW)
    assert read(write(box)) == box
    assert read(None) == Outbox()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (json.dumps({"kind": "alerts.outbox", "version": 9}), "has version 9 and this Wattwell reads version 3"),
        (json.dumps({"kind": "alerts.outbox", "version": 1, "queues": {"x": {"waiting": [{}]}}}), "is damaged"),
        (json.dumps({"kind": "alerts.outbox", "version": 1, "queues": {"x": {"waiting": [], "no": 1}}}), "is damaged"),
    ],
)
def test_an_outbox_that_cannot_be_read_is_one_clear_error(text: str, said: str) -> None:
    with pytest.raises(DocumentError, match=said):
        read(text)
