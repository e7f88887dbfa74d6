"""Notifiers: the shells that carry notifications out of the house, by the scheme of their URL.

What a notifier does not take is a :class:`DeliveryError`, and the outbox tries again later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from alerts.notification import Notification
from wattwell.errors import WattwellError


class DeliveryError(WattwellError):
    """A notifier did not take a batch; nothing is known to have been told."""

    def __init__(self, message: str, retry_after: int | None = None, *, refused: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """How long the receiver asks us to wait, microseconds."""
        self.refused = refused
        """Whether it refuses what was sent as such, so that sending it again is of little use."""


class Notifier(Protocol):
    """Someone who is told."""

    def send(self, batch: Sequence[Notification]) -> None:
        """Tells a batch, in order, and returns when it was taken; DeliveryError when it was not.

        It blocks, and is called from a thread without a running event loop.
        """


@runtime_checkable
class Keeper(Notifier, Protocol):
    """Someone who groups what it is told by itself, and forgets what it is told unless it is told again."""

    @property
    def resend(self) -> int:
        """How often it is to be told again, microseconds."""

    def keep(self, kept: Sequence[Notification]) -> None:
        """Tells again what is firing, and what has ended of late; DeliveryError when it was not taken."""


def notifier_id(url: str) -> str:
    """The name of a notifier in the outbox: the same for the same URL, and nothing of the secrets that one may hold."""
    scheme = url.partition("://")[0].lower() or "unknown"
    return f"{scheme}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
