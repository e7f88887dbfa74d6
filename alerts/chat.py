"""Mail, chat, MQTT and every other service that Apprise knows: one message for each batch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from alerts.attachment import Attach, Attachment, AttachmentError
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
    attach: Attach | None = None
    """Makes the file that goes with a report; None where none goes."""

    def send(self, batch: Sequence[Notification]) -> None:
        """See :meth:`alerts.notify.Notifier.send`."""
        made, notes = self._file_of(batch)
        if made is not None:
            if self._tell(batch, (), made) is None:
                return
            notes = _linked(batch, "The PDF is not attached, since this service did not take it.")
        if (fault := self._tell(batch, notes)) is not None:
            raise DeliveryError(f"{self.shown} took no message: {fault}")

    def _file_of(self, batch: Sequence[Notification]) -> tuple[Attachment | None, Sequence[str]]:
        """The file that goes with a batch; else what the message says in its place."""
        report = next((each for each in batch if each.status is Status.ISSUED), None)
        if report is None:
            return None, ()
        if self.attach is None or not self.service.attachment_support:
            return None, _linked(batch)
        try:
            made = self.attach(report)
        except AttachmentError as error:
            return None, _linked(batch, f"The PDF is not attached: {error}.")
        return made, () if made is not None else _linked(batch)

    def _tell(self, batch: Sequence[Notification], notes: Sequence[str], made: Attachment | None = None) -> str | None:
        """Sends one message; why it was not taken, without what may be secret."""
        from apprise import Apprise, NotifyFormat  # noqa: PLC0415 (loaded with the service already)
        from apprise.attachment.memory import AttachMemory  # noqa: PLC0415

        title, body = message_of(batch, self.page, notes)
        file = None if made is None else AttachMemory(content=made.content, name=made.name, mimetype=made.kind)  # type: ignore[no-untyped-call]
        result = Apprise(self.service).notify(
            body=body,
            title=title,
            notify_type=_kind(batch),
            body_format=NotifyFormat.TEXT,
            attach=file,
            timeout=self.timeout,
        )
        if result:
            return None
        return _without(
            next((entry.message for entry in result.logs()), f"{self.service.service_name} failed"), self.url
        )


def _kind(batch: Sequence[Notification]) -> Any:
    """How Apprise marks a message."""
    from apprise import NotifyType  # noqa: PLC0415 (loaded with the service already)

    statuses = {each.status for each in batch}
    if statuses & {Status.FIRING, Status.REFUSED}:
        return NotifyType.WARNING
    return NotifyType.INFO if statuses == {Status.ISSUED} else NotifyType.SUCCESS


def _linked(batch: Sequence[Notification], *said: str) -> tuple[str, ...]:
    """What is said where no file goes with a message: why, and where it is."""
    return (*said, *(f"PDF: {link}" for each in batch if (link := each.annotations.get("pdf"))))


def _without(text: str, url: str) -> str:
    """A text without any part of a URL that may be secret, as what Apprise says of a failure might hold."""
    host = urlsplit(url).hostname
    for part in sorted(re.split(r"[^\w.-]+", unquote(url)), key=len, reverse=True):
        if len(part) > 3 and part != host:
            text = text.replace(part, "***")
    return text


def open_chat(url: str, page: str, attach: Attach | None = None) -> Chat:
    """The notifier of a checked Apprise URL.

    Unless the URL says otherwise, what a service cannot take in one message is cut, so that it refuses none: the title
    counts and names, and the page shows all.
    """
    from apprise import OverflowMode  # noqa: PLC0415 (loaded with the service already)

    service = apprise_service(url)
    if "overflow=" not in url:
        service.overflow_mode = OverflowMode.TRUNCATE
    return Chat(service=service, url=url, shown=shown(url), page=page, attach=attach)
