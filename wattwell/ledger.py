"""The audit ledger's chain: what is entered can be read for ever and changed never, or the chain shows where.

An entry has a number (1, 2, 3, ...), the writer's time in microseconds since the epoch, a kind, a document and a hash.
The document is canonical JSON: keys sorted, no blanks, UTF-8 as it is, floats in their shortest form. The hash is the
SHA-256, in hex, of five lines with a line feed between them::

    hash of the entry before (64 zeros before the first)
    number
    time
    kind
    document

None of the five holds a line feed, so no two entries have the same lines. Checked in a shell, for one entry::

    printf '%s\\n%s\\n%s\\n%s\\n%s' "$before" "$seq" "$at" "$kind" "$document" | sha256sum

Who notes the latest hash, the *head*, can tell later whether anything up to it was changed, taken away or put in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GENESIS = "0" * 64
"""What stands for the hash before the first entry."""
KINDS = ("configuration", "event", "correction", "readings", "figure", "silence", "finding", "report")
"""What is entered."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger."""

    seq: int
    at: int
    """When it was entered by the writer's clock, microseconds UTC."""
    kind: str
    document: str
    """Canonical JSON."""
    hash: str

    @property
    def content(self) -> dict[str, Any]:
        """The document as an object."""
        found: dict[str, Any] = json.loads(self.document)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first place at which a ledger is not what it was."""

    seq: int | None
    """None where it is not one entry's fault."""
    kind: str | None
    at: int | None
    problem: str


def canonical(document: Mapping[str, Any]) -> str:
    """The one text of a document; ValueError for a number that is not finite."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(previous: str, seq: int, at: int, kind: str, document: str) -> str:
    """The hash of an entry that follows the one with the hash ``previous``."""
    lines = "\n".join((previous, str(seq), str(at), kind, document))
    return hashlib.sha256(lines.encode()).hexdigest()


def extend(last: Entry | None, at: int, items: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
    """The entries that follow ``last`` (None: the ledger is empty) for these kinds and documents."""
    seq, previous = (0, GENESIS) if last is None else (last.seq, last.hash)
    made = []
    for kind, document in items:
        if kind not in KINDS:
            raise ValueError(f"kind {kind!r} is not one of {', '.join(KINDS)}")
        seq, text = seq + 1, canonical(document)
        previous = digest(previous, seq, at, kind, text)
        made.append(Entry(seq, at, kind, text, previous))
    return made


def first_break(entries: Sequence[Entry]) -> Break | None:
    """Where the chain of all entries, in order of their numbers, is broken; None where it holds."""
    previous = GENESIS
    for number, entry in enumerate(entries, start=1):
        problem = None
        if None in (entry.seq, entry.at, entry.kind, entry.document):  # a table that was edited may hold it
            problem = "a part of it is gone"
        elif entry.seq != number:
            what = "comes twice" if number > 1 and entry.seq == number - 1 else f"stands where number {number} is due"
            problem = f"number {entry.seq} {what}: entries were taken away, put in or renumbered"
        elif digest(previous, entry.seq, entry.at, entry.kind, entry.document) != entry.hash:
            problem = "its hash does not match: it was changed, or it does not follow the entry before it"
        if problem is not None:
            return Break(seq=entry.seq, kind=entry.kind, at=entry.at, problem=problem)
        previous = entry.hash
    return None
