"""A file that goes with a message, where the service takes files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from alerts.notification import Notification
from wattwell.errors import WattwellError


class AttachmentError(WattwellError):
    """A file could not be made; the message goes out without it and says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file by name and media type."""

    name: str
    kind: str
    """Such as application/pdf."""
    content: bytes = field(repr=False)


Attach = Callable[[Notification], Attachment | None]
"""Makes the file of a notification when it is delivered; None where there is none, AttachmentError where it failed."""
