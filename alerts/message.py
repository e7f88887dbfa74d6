"""What people read in mail and chat: one message for what has begun and ended on a site. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from alerts.machine import Status
from alerts.notification import Notification
from wattwell.intervals import iso


def page_of(page: str, site: str) -> str:
    """The address of a site's page, or of the first page where there is no site; empty without ``page``."""
    return f"{page}/sites/{quote(site, safe='')}" if page and site else page


def message_of(batch: Sequence[Notification], page: str = "") -> tuple[str, str]:
    """Title and body, as plain text.

    The title counts what fires and what has ended, and names the site and the alerts. The body has, for each
    notification in order, its sentence, what else the rule says of it, and since when; then a link to the page.
    """
    numbers = [(status.value.upper(), sum(each.status is status for each in batch)) for status in Status]
    counted = [f"{name}:{number}" if len(batch) > 1 else name for name, number in numbers if number]
    sites = ", ".join(dict.fromkeys(each.site for each in batch if each.site))
    names = ", ".join(dict.fromkeys(each.name for each in batch))
    title = f"[{', '.join(counted)}] {sites}: {names}" if sites else f"[{', '.join(counted)}] {names}"
    links = dict.fromkeys(link for each in batch if (link := page_of(page, each.site)))
    return title, "\n\n".join([*map(_paragraph, batch), *links])


def _paragraph(notification: Notification) -> str:
    severity = notification.labels.get("severity")
    said = [f"{notification.status.value.upper()} {notification.name}{f' ({severity})' if severity else ''}"]
    annotations = dict(notification.annotations)
    said += [annotations.pop("summary")] if "summary" in annotations else []
    said += [f"{key}: {text}" for key, text in annotations.items()]
    ended = "" if notification.ends_at is None else f", ended {iso(notification.ends_at)}"
    return "\n".join([*said, f"since {iso(notification.starts_at)}{ended}"])
