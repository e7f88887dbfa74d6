"""What people read in mail and chat: one message for what has begun and ended on a site, or for a report. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from alerts.machine import Status
from alerts.notification import Notification
from wattwell.intervals import iso

LINKS = ("page", "html", "pdf")
"""Annotations of a report that are addresses: its page, and the report itself."""


def page_of(page: str, site: str) -> str:
    """The address of a site's page, or of the first page where there is no site; empty without ``page``."""
    return f"{page}/sites/{quote(site, safe='')}" if page and site else page


def message_of(batch: Sequence[Notification], page: str = "", notes: Sequence[str] = ()) -> tuple[str, str]:
    """Title and body, as plain text.

    The title counts what fires and what has ended, and names the site and the alerts. The body has, for each
    notification in order, its sentence, what else the rule says of it, and since when; then ``notes`` and a link to the
    page. Of a report it has the sentences and figures of the first page.
    """
    numbers = [(status.value.upper(), sum(each.status is status for each in batch)) for status in Status]
    counted = [f"{name}:{number}" if len(batch) > 1 else name for name, number in numbers if number]
    sites = ", ".join(dict.fromkeys(each.site for each in batch if each.site))
    names = ", ".join(dict.fromkeys(each.name for each in batch))
    title = f"[{', '.join(counted)}] {sites}: {names}" if sites else f"[{', '.join(counted)}] {names}"
    links = dict.fromkeys(link for each in batch if (link := link_of(each, page)))
    return title, "\n\n".join([*map(_paragraph, batch), *notes, *links])


def link_of(notification: Notification, page: str) -> str:
    """Where people read on: a report's own page, else that of the site; empty without ``page``."""
    own = notification.annotations.get("page") if notification.of_report else None
    return own if own and page else page_of(page, notification.site)


def _paragraph(notification: Notification) -> str:
    if notification.of_report:
        return "\n\n".join(text for name, text in notification.annotations.items() if name not in LINKS)
    severity = notification.labels.get("severity")
    said = [f"{notification.status.value.upper()} {notification.name}{f' ({severity})' if severity else ''}"]
    annotations = dict(notification.annotations)
    said += [annotations.pop("summary")] if "summary" in annotations else []
    said += [f"{key}: {text}" for key, text in annotations.items()]
    ended = "" if notification.ends_at is None else f", ended {iso(notification.ends_at)}"
    return "\n".join([*said, f"since {iso(notification.starts_at)}{ended}"])
