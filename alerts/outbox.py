"""The outbox: what each notifier has still to be told, in order, kept until it is delivered. Pure.

Delivery is at least once: a notification leaves its queue when the notifier has taken it, and the outbox is stored
after that, so a crash, or an answer that is lost on its way, repeats a batch. ``Notification.key`` tells repetitions.
A failed batch is tried again after 5 s, then 10 s, 20 s, ... up to 10 min, without end. A queue holds QUEUE_LIMIT
notifications; beyond it the oldest are lost, and counted. Times are microseconds UTC of the wall clock, passed in.

A batch is of one site, as people are told, and a report goes alone; a keeper (:class:`alerts.notify.Keeper`) groups by
itself, gets whole batches, and is told of no reports, which it would not keep. What a receiver refuses as such would
hold up the queue for ever: after a refusal notifications go one by one, and one that was refused REFUSAL_LIMIT times is
set aside, and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerts import documents
from alerts.machine import Status
from alerts.notification import Notification
from wattwell.intervals import MINUTE, SECOND

DOCUMENT = "alerts.outbox"
"""The name under which the outbox is stored."""
VERSION = 3
QUEUE_LIMIT = 1000
BATCH_LIMIT = 100
FIRST_RETRY = 5 * SECOND
LONGEST_RETRY = 10 * MINUTE
REFUSAL_LIMIT = 5
"""Attempts, some 75 s, in which a receiver may change its mind."""
ENDED_FOR = 15 * MINUTE
"""How long a keeper is told again what has ended, as Prometheus does: one that restarts before it has told people of
the end would not know of it."""


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
    refusals: int = 0
    """How often what is at the head was refused as such; while it is above 0, notifications go one by one."""
    refused: int = 0
    """Notifications set aside since the receiver refuses them, ever."""
    standing: tuple[Notification, ...] | None = None
    """What a keeper has been told that fires and has not been told that it ended; None for a notifier that is none."""
    ended: tuple[tuple[int, Notification], ...] = ()
    """What a keeper has been told that ended, and until when it is told so again."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, by field."""
        return {
            "waiting": [each.to_json() for each in self.waiting],
            "attempts": self.attempts,
            "due": self.due,
            "delivered": self.delivered,
            "lost": self.lost,
            "error": self.error,
            "refusals": self.refusals,
            "refused": self.refused,
            "standing": None if self.standing is None else [each.to_json() for each in self.standing],
            "ended": [[until, each.to_json()] for until, each in self.ended],
        }

    def kept(self, now: int) -> tuple[Notification, ...]:
        """What a keeper is to be told again."""
        return (*(self.standing or ()), *(each for until, each in self.ended if until > now))


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
    refused: bool = False
    """Whether the batch was refused as such."""


def retarget(
    outbox: Outbox, notifiers: Collection[str], keepers: Collection[str] = ()
) -> tuple[Outbox, Mapping[str, int]]:
    """The outbox for the notifiers configured now, and how many undelivered notifications each removed one had."""
    gone = {name: len(queue.waiting) for name, queue in outbox.queues.items() if name not in notifiers}
    queues = {name: outbox.queues.get(name, Queue()) for name in notifiers}
    return Outbox(queues={name: _kept(queue, keeper=name in keepers) for name, queue in queues.items()}), gone


def _kept(queue: Queue, *, keeper: bool) -> Queue:
    return replace(queue, standing=queue.standing or ()) if keeper else replace(queue, standing=None, ended=())


def catch_up(outbox: Outbox, opened: Sequence[Notification]) -> Outbox:
    """The outbox with what is open put to each keeper that does not know of it, as one that is new here; and nothing
    told again that is no longer open, as of a site that is no longer configured."""
    keys = {each.key for each in opened}
    queues = dict(outbox.queues)
    for name, queue in outbox.queues.items():
        if queue.standing is not None:
            standing = tuple(each for each in queue.standing if each.key in keys)
            known = {each.key for each in standing}
            lacking = [each for each in opened if each.key not in known]
            queues[name] = _add(replace(queue, standing=standing), lacking)
    return Outbox(queues=queues)


def enqueue(outbox: Outbox, notifications: Sequence[Notification]) -> Outbox:
    """The outbox with notifications added for every notifier; one that is waiting already is not added again."""
    if not notifications:
        return outbox
    return Outbox(queues={name: _add(queue, notifications) for name, queue in outbox.queues.items()})


def _add(queue: Queue, notifications: Sequence[Notification]) -> Queue:
    by_key = {each.key: each for each in queue.waiting}
    for each in notifications:
        if each.of_report and queue.standing is not None:
            continue
        by_key.setdefault(each.key, each)
    waiting = tuple(by_key.values())
    surplus = max(len(waiting) - QUEUE_LIMIT, 0)
    standing = _stand(queue.standing, waiting[:surplus])  # a keeper need not hear of the beginning: it is told again
    return replace(queue, waiting=waiting[surplus:], lost=queue.lost + surplus, standing=standing)


def _stand(
    standing: tuple[Notification, ...] | None, told: Sequence[Notification], *, begins: bool = True
) -> tuple[Notification, ...] | None:
    """What stands after ``told``; unless ``begins``, only what ends counts."""
    if standing is None or not told:
        return standing
    by_labels = {_identity(each): each for each in standing}
    for each in told:
        by_labels.pop(_identity(each), None)
        if each.status is Status.FIRING and begins:
            by_labels[_identity(each)] = each
    return tuple(by_labels.values())


def _ended(
    ended: tuple[tuple[int, Notification], ...], told: Sequence[Notification], now: int
) -> tuple[tuple[int, Notification], ...]:
    """What has ended of late after ``told``; what fires again has not."""
    by_labels = {_identity(each): (until, each) for until, each in ended if until > now}
    for each in told:
        by_labels.pop(_identity(each), None)
        if each.status is Status.RESOLVED:
            by_labels[_identity(each)] = (now + ENDED_FOR, each)
    return tuple(by_labels.values())[-QUEUE_LIMIT:]


def _identity(notification: Notification) -> tuple[tuple[str, str], ...]:
    """By which a keeper tells alerts apart."""
    return tuple(sorted(notification.labels.items()))


def due(outbox: Outbox, now: int) -> dict[str, tuple[Notification, ...]]:
    """The batch that each notifier is to be given now."""
    return {
        name: head(queue)
        for name, queue in outbox.queues.items()
        if queue.waiting and (queue.due <= now or _clock_went_back(queue, now))
    }


def head(queue: Queue) -> tuple[Notification, ...]:
    """The oldest notifications: up to BATCH_LIMIT, of one site unless it is a keeper's queue; one after a refusal,
    and one where it is a report."""
    if queue.refusals or (queue.waiting and queue.waiting[0].of_report):
        return queue.waiting[:1]
    if queue.standing is not None:
        return queue.waiting[:BATCH_LIMIT]
    site = [each for each in queue.waiting if each.site == queue.waiting[0].site and not each.of_report]
    return tuple(site[:BATCH_LIMIT])


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
    if delivery.error is None:
        return replace(
            _without(queue, delivery.batch, now),
            delivered=queue.delivered + len(delivery.batch),
            error=None,
            refusals=min(queue.refusals, 1) if len(queue.waiting) > len(delivery.batch) else 0,
            standing=_stand(queue.standing, delivery.batch),
            ended=() if queue.standing is None else _ended(queue.ended, delivery.batch, now),
        )
    refusals = queue.refusals + delivery.refused
    if delivery.refused and len(delivery.batch) == 1 and refusals >= REFUSAL_LIMIT:
        return replace(
            _without(queue, delivery.batch, now),
            error=delivery.error,
            refusals=0,
            refused=queue.refused + 1,
            standing=_stand(queue.standing, delivery.batch, begins=False),
        )
    wait = min(max(backoff(queue.attempts + 1), delivery.retry_after or 0), LONGEST_RETRY)
    return replace(queue, attempts=queue.attempts + 1, due=now + wait, error=delivery.error, refusals=refusals)


def _without(queue: Queue, batch: Sequence[Notification], now: int) -> Queue:
    taken = {each.key for each in batch}
    waiting = tuple(each for each in queue.waiting if each.key not in taken)
    return replace(queue, waiting=waiting, attempts=0, due=now)


def backoff(attempts: int) -> int:
    """How long to wait after so many failed attempts in a row, microseconds."""
    return int(min(FIRST_RETRY * 2 ** min(attempts - 1, 30), LONGEST_RETRY))


def write(outbox: Outbox) -> str:
    """The outbox as a document to be stored under DOCUMENT."""
    content = {"queues": {name: queue.to_json() for name, queue in outbox.queues.items()}}
    return documents.write(DOCUMENT, VERSION, content)


def read(text: str | None) -> Outbox:
    """The outbox of a stored document, empty where there is none; DocumentError for one that cannot be read."""
    return Outbox() if text is None else documents.read(text, DOCUMENT, VERSION, _parse, oldest=1)


def _parse(document: Mapping[str, Any]) -> Outbox:
    return Outbox(queues={name: _parse_queue(queue) for name, queue in document["queues"].items()})


def _parse_queue(document: Mapping[str, Any]) -> Queue:
    standing = document.get("standing")
    return Queue(
        **{
            **document,
            "waiting": tuple(Notification.from_json(each) for each in document["waiting"]),
            "standing": None if standing is None else tuple(Notification.from_json(each) for each in standing),
            "ended": tuple((until, Notification.from_json(each)) for until, each in document.get("ended", ())),
        }
    )
