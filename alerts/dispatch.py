"""The loop body that empties the outbox: what is due goes out, to every notifier on its own. A shell."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from alerts.notification import Notification
from alerts.notify import DeliveryError, Notifier
from alerts.outbox import Delivery, Outbox, due, settle

_THREADS = 8


def dispatch(outbox: Outbox, notifiers: Mapping[str, Notifier], now: int) -> tuple[Outbox, tuple[Delivery, ...]]:
    """The outbox after one attempt at each batch that is due, and the outcomes.

    ``notifiers`` by their id (:func:`alerts.notify.notifier_id`); ``now`` is wall time in microseconds UTC. To add
    to the outbox from another thread meanwhile, call :func:`deliver`, and then ``settle`` on the outbox as it is.
    """
    outcomes = deliver(due(outbox, now), notifiers)
    return settle(outbox, outcomes, now), outcomes


def deliver(batches: Mapping[str, tuple[Notification, ...]], notifiers: Mapping[str, Notifier]) -> tuple[Delivery, ...]:
    """One attempt at each batch, side by side, so that a notifier that hangs delays no other one's delivery."""
    known = [(name, batch) for name, batch in batches.items() if name in notifiers]
    if not known:
        return ()
    with ThreadPoolExecutor(max_workers=min(len(known), _THREADS), thread_name_prefix="notify") as pool:
        attempts = [(name, batch, pool.submit(notifiers[name].send, batch)) for name, batch in known]
        return tuple(_outcome(name, batch, attempt) for name, batch, attempt in attempts)


def _outcome(name: str, batch: tuple[Notification, ...], attempt: Future[None]) -> Delivery:
    """A notifier that breaks in a way it did not announce is a failed delivery too: it must not stop the others."""
    fault = attempt.exception()
    if fault is None:
        return Delivery(notifier=name, batch=batch, error=None)
    if isinstance(fault, DeliveryError):
        return Delivery(
            notifier=name, batch=batch, error=str(fault), retry_after=fault.retry_after, refused=fault.refused
        )
    return Delivery(notifier=name, batch=batch, error=f"{type(fault).__name__}: {fault}")
