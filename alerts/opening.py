"""From the URL of a notifier to the notifier; nothing is connected before there is something to send."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from alerts.alertmanager import Alertmanager
from alerts.attachment import Attach
from alerts.chat import open_chat
from alerts.notify import Notifier
from alerts.post import TIMEOUT, Address, basic_of, host_of
from alerts.webhook import Webhook
from wattwell.config.notifiers import ALERTMANAGERS, WEBHOOKS, scheme_of, shown
from wattwell.store.database import machine_clock

_PORT = 9093
_API = "/api/v2/alerts"


def open_notifier(
    url: str,
    token_file: Path | None = None,
    *,
    page: str = "",
    now: Callable[[], int] = machine_clock,
    timeout: float = TIMEOUT,
    attach: Attach | None = None,
) -> Notifier:
    """The notifier of a URL that the configuration has checked; ValueError for one that cannot be used.

    ``page`` is where people find the page, for links; ``timeout`` holds for HTTP, in seconds; ``attach`` makes the file
    that goes with a report in mail and chat.
    """
    scheme = scheme_of(url)
    if scheme not in WEBHOOKS and scheme not in ALERTMANAGERS:
        return open_chat(url, page, attach)
    parts = urlsplit(url)
    target = _hook(parts) if scheme in WEBHOOKS else _manager(parts)
    basic = basic_of(parts)
    address = Address(target=target, shown=shown(url), basic=basic, token_file=token_file, timeout=timeout)
    return (
        Webhook(address=address, page=page) if scheme in WEBHOOKS else Alertmanager(address=address, page=page, now=now)
    )


def _hook(parts: SplitResult) -> str:
    return urlunsplit((WEBHOOKS[parts.scheme], host_of(parts), parts.path or "/", parts.query, ""))


def _manager(parts: SplitResult) -> str:
    host = host_of(parts) if parts.port is not None else f"{host_of(parts).rstrip(':')}:{_PORT}"
    return urlunsplit((ALERTMANAGERS[parts.scheme], host, parts.path.rstrip("/") + _API, "", ""))
