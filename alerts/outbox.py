"""The outbox: what each notifier has still to be told, in order, kept until it is delivered. Pure.

Delivery is at least once: a notification leaves its queue when the notifier has taken it, and the outbox is stored
after that, so a crash, or an answer that is lost on its way, repeats a batch. ``Notification.key`` tells repetitions.
A failed batch is tried again after 5 s, then 10 s, 20 s, ... up to 10 min, without end. A queue holds QUEUE_LIMIT
notifications; beyond it the oldest are lost, and counted. Times are microseconds UTC of the wall clock, passed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerts import documents
from alerts.notification import Notification
from wattwell.intervals import MINUTE, SECOND

DOCUMENT = "alerts.outbox"
"""The name under which the outbox is stored."""
VERSION = 1
QUEUE_LIMIT = 1000
BATCH_LIMIT = 100
FIRST_RETRY = 5 * SECOND
LONGEST_RETRY = 10 * MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What one notifier has still to be told."""

    waiting: tuple[Notification, ...] = ()
    """In the order in which it was told."""
    attempts: int = 0
    """Failed attempts since the last delivery."""
    due: int = 0
    """Not to be tried before this instant."""
    delivered: int = 0
    """Notifications taken, ever."""
    lost: int = 0
    """Notifications dropped because the queue was full, ever."""
    error: str | None = None
    """Why the last attempt failed; None after a delivery."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, by field."""
        return {
            "waiting": [each.to_json() for each in self.waiting],
            "attempts": self.attempts,
            "due": self.due,
            "delivered": self.delivered,
            "lost": self.lost,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """The queues, by notifier id (:func:`alerts.notify.notifier_id`)."""

    queues: Mapping[str, Queue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The outcome of one attempt."""

    notifier: str
    batch: tuple[Notification, ...]
    error: str | None
    """None: the notifier has taken the batch; else one sentence on why not."""
    retry_after: int | None = None
    """How long the notifier asks us to wait, microseconds."""


def retarget(outbox: Outbox, notifiers: Collection[str]) -> tuple[Outbox, Mapping[str, int]]:
    """The outbox for the notifiers configured now, and how many undelivered notifications each removed one had."""
    gone = {name: len(queue.waiting) for name, queue in outbox.queues.items() if name not in notifiers}
    return Outbox(queues={name: outbox.queues.get(name, Queue()) for name in notifiers}), gone


def enqueue(outbox: Outbox, notifications: Sequence[Notification]) -> Outbox:
    """The outbox with notifications added for every notifier; one that is waiting already is not added again."""
    if not notifications:
        return outbox
    return Outbox(queues={name: _add(queue, notifications) for name, queue in outbox.queues.items()})


def _add(queue: Queue, notifications: Sequence[Notification]) -> Queue:
    by_key = {each.key: each for each in queue.waiting}
    for each in notifications:
        by_key.setdefault(each.key, each)
    waiting = tuple(by_key.values())
    surplus = max(len(waiting) - QUEUE_LIMIT, 0)
    return replace(queue, waiting=waiting[surplus:], lost=queue.lost + surplus)


def due(outbox: Outbox, now: int) -> dict[str, tuple[Notification, ...]]:
    """The batch that each notifier is to be given now: the oldest BATCH_LIMIT of its queue."""
    return {
        name: queue.waiting[:BATCH_LIMIT]
        for name, queue in outbox.queues.items()
        if queue.waiting and (queue.due <= now or _clock_went_back(queue, now))
    }


def _clock_went_back(queue: Queue, now: int) -> bool:
    """Whether a wait is longer than any we ask for: the clock was ahead when it began."""
    return queue.due - now > LONGEST_RETRY


def next_due(outbox: Outbox, now: int) -> int | None:
    """When :func:`due` has something next, at the earliest ``now``; None while every queue is empty."""
    waits = [max(queue.due, now) for queue in outbox.queues.values() if queue.waiting]
    return min(waits) if waits else None


def settle(outbox: Outbox, deliveries: Iterable[Delivery], now: int) -> Outbox:
    """The outbox after attempts. What was added to it meanwhile stays, so it need not be the one that was read."""
    queues = dict(outbox.queues)
    for delivery in deliveries:
        queue = queues.get(delivery.notifier)
        if queue is not None:
            queues[delivery.notifier] = _settled(queue, delivery, now)
    return Outbox(queues=queues)


def _settled(queue: Queue, delivery: Delivery, now: int) -> Queue:
    if delivery.error is not None:
        wait = min(max(backoff(queue.attempts + 1), delivery.retry_after or 0), LONGEST_RETRY)
        return replace(queue, attempts=queue.attempts + 1, due=now + wait, error=delivery.error)
    taken = {each.key for each in delivery.batch}
    return replace(
        queue,
        waiting=tuple(each for each in queue.waiting if each.key not in taken),
        attempts=0,
        due=now,
        delivered=queue.delivered + len(taken),
        error=None,
    )


def backoff(attempts: int) -> int:
    """How long to wait after so many failed attempts in a row, microseconds."""
    return int(min(FIRST_RETRY * 2 ** min(attempts - 1, 30), LONGEST_RETRY))


def write(outbox: Outbox) -> str:
    """The outbox as a document to be stored under DOCUMENT."""
    content = {"queues": {name: queue.to_json() for name, queue in outbox.queues.items()}}
    return documents.write(DOCUMENT, VERSION, content)


def read(text: str | None) -> Outbox:
    """The outbox of a stored document, empty where there is none; DocumentError for one that cannot be read."""
    return Outbox() if text is None else documents.read(text, DOCUMENT, VERSION, _parse)


def _parse(document: Mapping[str, Any]) -> Outbox:
    return Outbox(queues={name: _parse_queue(queue) for name, queue in document["queues"].items()})


def _parse_queue(document: Mapping[str, Any]) -> Queue:
    waiting = tuple(Notification.from_json(each) for each in document["waiting"])
    return Queue(**{**document, "waiting": waiting})
