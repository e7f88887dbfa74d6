"""The webhook: one POST for each batch, in the JSON document that Prometheus Alertmanager sends (version 4).

So whatever receives from an Alertmanager receives from Wattwell too. A status of 2xx takes the batch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.machine import Status
from alerts.message import link_of
from alerts.notification import Notification
from alerts.post import Address
from wattwell.intervals import iso

_NO_END = "0001-01-01T00:00:00Z"
"""What Alertmanager sends as endsAt of an alert that is firing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A notifier that posts JSON over HTTP."""

    address: Address
    page: str = ""
    """Where people find the page (``http.public_url``); without it there are no links."""

    def send(self, batch: Sequence[Notification]) -> None:
        """See :meth:`alerts.notify.Notifier.send`."""
        self.address.post(webhook_document(batch, self.page), {"Idempotency-Key": batch_key(batch)})


def batch_key(batch: Sequence[Notification]) -> str:
    """The same for a repetition of exactly this batch, by which a receiver can tell it."""
    return hashlib.sha256("\n".join(each.key for each in batch).encode()).hexdigest()[:32]


def webhook_document(batch: Sequence[Notification], page: str = "") -> dict[str, Any]:
    """A batch as the document of Alertmanager's webhook, version 4; ``firing`` when any alert in it is.

    A report comes alone, with the status ``issued`` or ``not issued``, which no Alertmanager sends.
    """
    statuses = {each.status for each in batch}
    status = next((each for each in Status if each in statuses), Status.RESOLVED)
    sites = {each.site for each in batch}
    group = {"site": next(iter(sites))} if len(sites) == 1 and "" not in sites else {}
    return {
        "version": "4",
        "groupKey": ":".join(["wattwell", *group.values()]),
        "truncatedAlerts": 0,
        "status": status.value,
        "receiver": "wattwell",
        "groupLabels": group,
        "commonLabels": _common([each.labels for each in batch]),
        "commonAnnotations": _common([each.annotations for each in batch]),
        "externalURL": page,
        "alerts": [_alert(each, page) for each in batch],
    }


def _alert(notification: Notification, page: str) -> dict[str, Any]:
    return {
        "status": notification.status.value,
        "labels": dict(notification.labels),
        "annotations": dict(notification.annotations),
        "startsAt": iso(notification.starts_at),
        "endsAt": _NO_END if notification.ends_at is None else iso(notification.ends_at),
        "generatorURL": link_of(notification, page),
        "fingerprint": _fingerprint(notification.labels),
    }


def _fingerprint(labels: Mapping[str, str]) -> str:
    """The same for every notification of the same alert: made of its labels alone."""
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]


def _common(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    shared = set(each[0].items()).intersection(*(other.items() for other in each[1:])) if each else set()
    return dict(sorted(shared))
