"""Issued reports as the store keeps them: the canonical JSON of the document, compressed; never written twice.

The audit ledger holds the SHA-256 of each, so that a change shows.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence

from wattwell.errors import StoreError
from wattwell.ledger import Break, Entry
from wattwell.store.protocol import ReadingStore

KIND = "report"
"""Of the entries in the audit ledger."""


def name_of(site: str, key: str, revision: int) -> str:
    """Of the stored document."""
    return f"report/{site}/{key}/{revision}"


def packed(text: str) -> str:
    """A text as it is stored."""
    return base64.b85encode(zlib.compress(text.encode(), 9)).decode()


def stored_text(store: ReadingStore, name: str) -> str:
    """The canonical JSON of an issued report; StoreError where it is not there or cannot be read."""
    packed = store.load_state(name)
    if packed is None:
        raise StoreError(
            f"the issued {name} is not in the store; take it from a backup, and see `wattwell audit verify`"
        )
    try:
        return zlib.decompress(base64.b85decode(packed)).decode()
    except (ValueError, zlib.error) as error:
        raise StoreError(f"the issued {name} cannot be read ({error}); take it from a backup") from error


def unlike(store: ReadingStore, entries: Sequence[Entry]) -> Break | None:
    """The first issued report that is not what its entry in the ledger says."""
    for entry in entries:
        if entry.kind != KIND:
            continue
        content = entry.content
        name = name_of(content["site"], content["key"], content["revision"])
        try:
            found = hashlib.sha256(stored_text(store, name).encode()).hexdigest()
        except StoreError as error:
            return Break(seq=entry.seq, kind=KIND, at=entry.at, problem=str(error))
        if found != content["sha256"]:
            problem = f"the stored {name} is not the one that was issued: its SHA-256 is {found}"
            return Break(seq=entry.seq, kind=KIND, at=entry.at, problem=problem)
    return None
