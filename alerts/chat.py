"""Mail, chat, MQTT and every other service that Apprise knows: one message for each batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from alerts.machine import Status
from alerts.message import message_of
from alerts.notification import Notification
from alerts.notify import DeliveryError
from wattwell.config.notifiers import apprise_service, shown

if TYPE_CHECKING:
    from apprise import NotifyBase

TIMEOUT = 30.0
"""Seconds that one message may take, with the pause that Apprise makes after the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A notifier that sends what people read, as plain text."""

    service: NotifyBase = field(repr=False)
    url: str = field(repr=False)
    shown: str
    """What messages call it."""
    page: str = ""
    """Where people find the page (``http.public_url``); without it there are no links."""
    timeout: float = TIMEOUT

    def send(self, batch: Sequence[Notification]) -> None:
        """See :meth:`alerts.notify.Notifier.send`."""
        from apprise import Apprise, NotifyFormat, NotifyType  # noqa: PLC0415 (loaded with the service already)

        kind = NotifyType.WARNING if any(each.status is Status.FIRING for each in batch) else NotifyType.SUCCESS
        title, body = message_of(batch, self.page)
        result = Apprise(self.service).notify(
            body=body, title=title, notify_type=kind, body_format=NotifyFormat.TEXT, timeout=self.timeout
        )
        if not result:
            said = next((entry.message for entry in result.logs()), f"{self.service.service_name} failed")
            raise DeliveryError(f"{self.shown} took no message: {_without(said, self.url)}")


def _without(text: str, url: str) -> str:
    """A text without any part of a URL that may be secret, as what Apprise says of a failure might hold."""
    host = urlsplit(url).hostname
    for part in sorted(re.split(r"[^\w.-]+", unquote(url)), key=len, reverse=True):
        if len(part) > 3 and part != host:
            text = text.replace(part, "***")
    return text


def open_chat(url: str, page: str) -> Chat:
    """The notifier of a checked Apprise URL.

    Unless the URL says otherwise, what a service cannot take in one message is cut, so that it refuses none: the title
    counts and names, and the page shows all.
    """
    from apprise import OverflowMode  # noqa: PLC0415 (loaded with the service already)

    service = apprise_service(url)
    if "overflow=" not in url:
        service.overflow_mode = OverflowMode.TRUNCATE
    return Chat(service=service, url=url, shown=shown(url), page=page)
