"""The PDF of a report, made when the message about it goes out, from the revision that was issued."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from alerts.attachment import Attachment, AttachmentError
from alerts.notification import Notification
from wattwell.documents import render
from wattwell.engine.queries import Document
from wattwell.engine.report_news import report_of
from wattwell.errors import WattwellError

_log = logging.getLogger(__name__)


class ReportFiles:
    """Makes attachments; notifiers exist before the engine does, so ``reports`` is set when it is open."""

    def __init__(self, fonts: Path | None = None) -> None:
        self._fonts = fonts
        self.reports: Callable[[str, str, int], Document] | None = None
        """Gives an issued document by site, key and revision."""

    def attach(self, notification: Notification) -> Attachment | None:
        """See :data:`alerts.attachment.Attach`."""
        if self.reports is None:
            return None
        site, key, revision = report_of(notification)
        try:
            content = render(self.reports(site, key, revision), "pdf", self._fonts)
        except WattwellError as error:
            raise AttachmentError(str(error).rstrip(".")) from error
        except Exception as error:
            _log.exception("the PDF of the report %s of %s could not be made", key, site)
            raise AttachmentError(f"it could not be made ({type(error).__name__})") from error
        return Attachment(name=f"wattwell-{site}-{key}-r{revision}.pdf", kind="application/pdf", content=content)
