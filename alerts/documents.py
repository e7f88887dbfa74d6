"""Small versioned JSON documents, in which alert states, their history and the outbox survive a restart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wattwell.errors import WattwellError

T = TypeVar("T")


class DocumentError(WattwellError):
    """A stored document cannot be read: it is damaged, or a newer version wrote it."""


def write(kind: str, version: int, content: Mapping[str, Any]) -> str:
    """A document of a kind and version, as compact JSON; a NaN in it is a ValueError."""
    document = {"kind": kind, "version": version, **content}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read(text: str, kind: str, version: int, parse: Callable[[Mapping[str, Any]], T], oldest: int | None = None) -> T:
    """What ``parse`` makes of a document; DocumentError when it is another kind, another version or damaged.

    ``parse`` reads documents of the versions ``oldest`` (``version`` unless said otherwise) to ``version``.
    """
    remedy = f"restore the store from a backup, or delete the document {kind} to start without what it remembers"
    try:
        document = json.loads(text)
    except ValueError as fault:
        raise DocumentError(f"the stored document {kind} is no JSON ({fault}); {remedy}") from fault
    if not isinstance(document, dict) or document.get("kind") != kind:
        raise DocumentError(f"the stored document {kind} holds something else ({text[:40]!r}); {remedy}")
    if document.get("version") not in range(version if oldest is None else oldest, version + 1):
        raise DocumentError(
            f"the stored document {kind} has version {document.get('version')!r} and this Wattwell reads version "
            f"{version}; run the Wattwell that wrote it, or {remedy}"
        )
    try:
        return parse(document)
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise DocumentError(
            f"the stored document {kind} is damaged ({type(fault).__name__}: {fault}); {remedy}"
        ) from fault
