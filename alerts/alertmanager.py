"""Prometheus Alertmanager, by its v2 API. It groups, silences and routes; we tell it what begins, holds and ends.

Alertmanager forgets an alert at its end time unless it is told again. So whatever fires is posted again every RESEND,
each time with an end LASTS ahead, as Prometheus does: what still fires stays, also through a restart of either side,
and what nobody vouches for any more ends by itself. What has ended is posted again for a quarter of an hour, as
Prometheus does: an Alertmanager that restarts between the end and the message about it would tell nobody. Times count
on the clocks of both machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.message import page_of
from alerts.notification import Notification
from alerts.post import Address
from wattwell.intervals import MINUTE, iso

RESEND = MINUTE
"""How often what fires is told again."""
LASTS = 4 * MINUTE
"""How far ahead of now the end of a firing alert is set: three repetitions may fail."""
_CHUNK = 500
"""Alerts in one request, a few hundred kilobytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alertmanager:
    """A notifier that keeps an Alertmanager informed; each one of a cluster is told on its own."""

    address: Address
    now: Callable[[], int]
    """Wall clock, microseconds UTC."""
    page: str = ""
    """Where people find the page (``http.public_url``); without it there are no links."""
    resend: int = RESEND
    lasts: int = LASTS

    def send(self, batch: Sequence[Notification]) -> None:
        """See :meth:`alerts.notify.Notifier.send`."""
        for chunk in _chunks(batch):
            until = self.now() + self.lasts
            self.address.post([posted(each, until, self.page) for each in chunk])

    def keep(self, kept: Sequence[Notification]) -> None:
        """See :meth:`alerts.notify.Keeper.keep`: the same request, which tells nobody anything new."""
        self.send(kept)


def posted(notification: Notification, until: int, page: str) -> dict[str, Any]:
    """A notification as Alertmanager's ``postableAlert``; one that is firing ends at ``until`` if not told again."""
    link = page_of(page, notification.site)
    return {
        "labels": dict(notification.labels),
        "annotations": dict(notification.annotations),
        "startsAt": iso(notification.starts_at),
        "endsAt": iso(until if notification.ends_at is None else notification.ends_at),
        **({"generatorURL": link} if link else {}),
    }


def _chunks(batch: Sequence[Notification]) -> Iterator[Sequence[Notification]]:
    for first in range(0, len(batch), _CHUNK):
        yield batch[first : first + _CHUNK]
