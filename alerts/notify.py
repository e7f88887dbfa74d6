"""Notifiers: the shells that carry notifications out of the house, by webhook to start with.

A webhook gets one POST for each batch, in the JSON document that Prometheus Alertmanager sends (version 4), so
whatever receives from an Alertmanager receives from Wattwell too. A status of 2xx takes the batch; anything else, and
no answer within the time limit, is a :class:`DeliveryError`, and the outbox tries again later.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import httpx

from alerts.machine import Status
from alerts.notification import Notification
from wattwell.errors import ConfigError, Fault, WattwellError
from wattwell.intervals import SECOND, iso

SCHEMES: Mapping[str, str] = {
    "json": "http",
    "jsons": "https",
    "webhook+http": "http",
    "webhook+https": "https",
}
"""Notifier URL scheme -> that of the request."""
TIMEOUT = 10.0
"""Seconds that one delivery may take, from the name look-up to the last header of the answer."""
_NO_END = "0001-01-01T00:00:00Z"
"""What Alertmanager sends as endsAt of an alert that is firing."""


class DeliveryError(WattwellError):
    """A notifier did not take a batch; nothing is known to have been told."""

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """How long the receiver asks us to wait, microseconds."""


class Notifier(Protocol):
    """Someone who is told."""

    def send(self, batch: Sequence[Notification]) -> None:
        """Tells a batch, in order, and returns when it was taken; DeliveryError when it was not.

        It blocks, and is called from a thread without a running event loop.
        """


def notifier_id(url: str) -> str:
    """The name of a notifier in the outbox: the same for the same URL, and nothing of the secrets that one may hold."""
    return f"{urlsplit(url).scheme or 'unknown'}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def supported(url: str) -> str | None:
    """None for a notifier URL that can be used, else the remedy in one sentence (it does not repeat the URL)."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as fault:
        return f"is no URL ({fault}); write one such as json://127.0.0.1:9000/alerts"
    if parts.scheme not in SCHEMES:
        named = f"scheme {parts.scheme!r} is not known" if parts.scheme else "the scheme is missing"
        return f"{named}; write one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}"
    if not host:
        return f"the host is missing; write {parts.scheme}://HOST:PORT/PATH"
    if parts.fragment:
        return "a webhook has no part after '#'; leave it away, or write %23"
    try:
        httpx.URL(_target(parts))
    except httpx.InvalidURL as fault:
        return f"is no URL that can be requested ({fault}); write {parts.scheme}://HOST:PORT/PATH"
    return None


def open_notifier(url: str, token_file: Path | None = None, timeout: float = TIMEOUT) -> Notifier:
    """The notifier of a URL; it connects only to send. ConfigError for a URL that cannot be used.

    ``token_file`` holds a bearer token and is read at each delivery, so that a token can be changed while we run.
    """
    remedy = supported(url)
    parts = urlsplit(url) if remedy is None else None
    if parts is not None and parts.username is not None and token_file is not None:
        remedy = "holds a user and there is a token_file too; keep one of them"
    if parts is None or remedy is not None:
        raise ConfigError([Fault(path="notify.url", value=_shown(url), remedy=remedy or "cannot be used")])
    basic = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return Webhook(target=_target(parts), shown=_shown(url), basic=basic, token_file=token_file, timeout=timeout)


def _target(parts: SplitResult) -> str:
    """The URL of the request, without user and password."""
    return urlunsplit((SCHEMES[parts.scheme], _address(parts), parts.path or "/", parts.query, ""))


def _address(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _shown(url: str) -> str:
    """As much of a URL as may be printed: user, password, path and query, and any part for others, can hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(cannot be read)"
    return f"{parts.scheme}://{_address(parts) if parts.scheme in SCHEMES else '...'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A notifier that posts JSON over HTTP; certificates are verified against the system's trust store."""

    target: str
    """The URL of the request, without user and password."""
    shown: str
    """What messages call it."""
    basic: tuple[str, str] | None
    """User and password for basic authentication."""
    token_file: Path | None
    timeout: float
    """Seconds for one delivery as a whole."""

    def send(self, batch: Sequence[Notification]) -> None:
        """See :meth:`Notifier.send`."""
        headers = {"Content-Type": "application/json", "User-Agent": "wattwell", "Idempotency-Key": batch_key(batch)}
        if self.token_file is not None:
            headers["Authorization"] = f"Bearer {_token(self.token_file)}"
        body = json.dumps(webhook_document(batch), ensure_ascii=False, allow_nan=False).encode()
        try:
            status, retry_after = asyncio.run(self._post(headers, body))
        except (TimeoutError, httpx.TimeoutException) as fault:
            raise DeliveryError(f"{self.shown} did not answer within {self.timeout:g} s") from fault
        except (httpx.HTTPError, OSError) as fault:
            raise DeliveryError(f"{self.shown} cannot be reached: {str(fault) or type(fault).__name__}") from fault
        if not 200 <= status < 300:
            moved = "; write the address that it redirects to" if 300 <= status < 400 else ""
            raise DeliveryError(f"{self.shown} answered with status {status}{moved}", retry_after)

    async def _post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, int | None]:
        """Status and requested wait. The limit holds for the whole exchange, however slowly an answer trickles in."""
        async with (
            asyncio.timeout(self.timeout),
            httpx.AsyncClient(verify=ssl.create_default_context(), auth=self.basic, timeout=self.timeout) as client,
            client.stream("POST", self.target, headers=headers, content=body) as response,
        ):
            return response.status_code, _seconds(response.headers.get("Retry-After"))


def _seconds(text: str | None) -> int | None:
    """Retry-After in seconds as microseconds; the form with a date is left to our own schedule."""
    return int(text) * SECOND if text is not None and text.isascii() and text.isdigit() and len(text) < 10 else None


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise DeliveryError(
            f"token_file {path} cannot be read: {type(fault).__name__}; check path and rights"
        ) from fault
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise DeliveryError(f"token_file {path} holds no bearer token; write the token alone on one line")
    return token


def batch_key(batch: Sequence[Notification]) -> str:
    """The same for a repetition of exactly this batch, by which a receiver can tell it."""
    return hashlib.sha256("\n".join(each.key for each in batch).encode()).hexdigest()[:32]


def webhook_document(batch: Sequence[Notification]) -> dict[str, Any]:
    """A batch as the document of Alertmanager's webhook, version 4; ``firing`` when any alert in it is."""
    firing = any(each.status is Status.FIRING for each in batch)
    return {
        "version": "4",
        "groupKey": "wattwell",
        "truncatedAlerts": 0,
        "status": (Status.FIRING if firing else Status.RESOLVED).value,
        "receiver": "wattwell",
        "groupLabels": {},
        "commonLabels": _common([each.labels for each in batch]),
        "commonAnnotations": _common([each.annotations for each in batch]),
        "externalURL": "",
        "alerts": [_alert(each) for each in batch],
    }


def _alert(notification: Notification) -> dict[str, Any]:
    return {
        "status": notification.status.value,
        "labels": dict(notification.labels),
        "annotations": dict(notification.annotations),
        "startsAt": iso(notification.starts_at),
        "endsAt": _NO_END if notification.ends_at is None else iso(notification.ends_at),
        "generatorURL": "",
        "fingerprint": _fingerprint(notification.labels),
    }


def _fingerprint(labels: Mapping[str, str]) -> str:
    """The same for every notification of the same alert: made of its labels alone."""
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]


def _common(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    shared = set(each[0].items()).intersection(*(other.items() for other in each[1:])) if each else set()
    return dict(sorted(shared))
