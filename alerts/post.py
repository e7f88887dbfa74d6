"""One HTTP POST of a JSON document, with a limit for the whole exchange and certificates verified."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote

import httpx

from alerts.notify import DeliveryError
from wattwell.intervals import SECOND
from wattwell.trust import verifying_context

TIMEOUT = 10.0
"""Seconds that one delivery may take, from the name look-up to the last header of the answer."""
REFUSALS = frozenset({400, 413, 415, 422})
"""Answers that are about what was sent, and will be the same next time. Others may be mended at the receiver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a notifier posts to, and how it says who it is."""

    target: str = field(repr=False)
    """The URL of the request, without user and password."""
    shown: str
    """What messages call it."""
    basic: tuple[str, str] | None = field(default=None, repr=False)
    """User and password for basic authentication."""
    token_file: Path | None = None
    """Holds a bearer token; read at each delivery, so that it can be changed while we run."""
    timeout: float = TIMEOUT
    """Seconds for one delivery as a whole."""

    def post(self, document: object, headers: Mapping[str, str] | None = None) -> None:
        """Posts a document and returns when it was taken (2xx); DeliveryError when it was not."""
        sent = {"Content-Type": "application/json", "User-Agent": "wattwell", **(headers or {})}
        if self.token_file is not None:
            sent["Authorization"] = f"Bearer {_token(self.token_file)}"
        body = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        try:
            status, retry_after = asyncio.run(self._post(sent, body))
        except (TimeoutError, httpx.TimeoutException) as fault:
            raise DeliveryError(f"{self.shown} did not answer within {self.timeout:g} s") from fault
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
            raise DeliveryError(f"{self.shown} cannot be reached: {str(fault) or type(fault).__name__}") from fault
        if not 200 <= status < 300:
            moved = "; write the address that it redirects to" if 300 <= status < 400 else ""
            said = f"{self.shown} answered with status {status}{moved}"
            raise DeliveryError(said, retry_after, refused=status in REFUSALS)

    async def _post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, int | None]:
        """Status and requested wait. The limit holds for the whole exchange, however slowly an answer trickles in."""
        async with (
            asyncio.timeout(self.timeout),
            httpx.AsyncClient(verify=verifying_context(), auth=self.basic, timeout=self.timeout) as client,
            client.stream("POST", self.target, headers=headers, content=body) as response,
        ):
            return response.status_code, _seconds(response.headers.get("Retry-After"))


def basic_of(parts: SplitResult) -> tuple[str, str] | None:
    """User and password of a URL."""
    return None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))


def host_of(parts: SplitResult) -> str:
    """Host and port of a URL as they are written, without user and password."""
    return parts.netloc.rpartition("@")[2]


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
