"""The audit ledger from the engine's side: configuration versions, verification, and entries as documents."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from functools import cache
from typing import Any

import numpy as np

import wattwell
from wattwell.config.settings import Config
from wattwell.engine.queries import Document
from wattwell.engine.report_store import unlike
from wattwell.intervals import Interval, iso
from wattwell.ledger import GENESIS, Break, Entry, canonical, first_break
from wattwell.model import AlertRule, Meter
from wattwell.store.audit import REPLACED, correction_document, event_document
from wattwell.store.protocol import ReadingStore

_FAR = 2**61
"""Instants beyond are open ends."""
_SIMPLEST = (type(None), str, int, bool)


# -- configuration --------------------------------------------------------------------------------------------------


def configuration(config: Config, rules: Sequence[AlertRule]) -> Document:
    """What of a configuration, and of the program, determines figures and alerts; no address and no secret is in it.

    Columns of hourly values stand as their number and digest.
    """
    return {
        "program": f"wattwell {wattwell.__version__}",
        "grid_seconds": config.grid / 1e6,
        "late_seconds": config.late / 1e6,
        "coverage": {"full": config.full, "provisional": config.provisional},
        "sites": plain(config.sites),
        "rules": [plain(dataclasses.replace(rule, boards=None)) for rule in rules],
    }


def version_of(document: Mapping[str, Any]) -> str:
    """The name of a configuration version: the SHA-256 of its canonical document."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def plain(value: Any) -> Any:
    """A frozen object of the model as JSON."""
    if type(value) in _SIMPLEST:  # most are, and the other questions take longer
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)
    names = _fields(value.__class__)
    if names and not isinstance(value, Interval):
        made = {name: plain(getattr(value, name)) for name in names}
        if isinstance(value, Meter):
            made["factors"] = [{"from": _instant(since), "value": factor} for since, factor in value.factors]
        return made
    return _simple(value)


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """Names of a dataclass' fields, nothing for another type."""
    return tuple(field.name for field in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


def _simple(value: Any) -> Any:
    if isinstance(value, Interval):
        return {"from": _instant(value.start), "to": _instant(value.end)}
    if isinstance(value, np.ndarray):
        return {"count": len(value), "sha256": hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


def _instant(at: int) -> str | None:
    return None if abs(at) > _FAR else iso(at)


def in_force(store: ReadingStore) -> Entry | None:
    """The latest configuration entered."""
    return next(iter(store.audit("configuration", 1)), None)


def differs(store: ReadingStore, document: Document) -> bool:
    """Whether a configuration is another one than that in force."""
    known = in_force(store)
    return known is None or known.document != canonical(document)


# -- looking into it ------------------------------------------------------------------------------------------------


def entry_document(entry: Entry) -> Document:
    """An entry for people and scripts."""
    return {
        "seq": entry.seq,
        "at": iso(entry.at),
        "kind": entry.kind,
        "hash": entry.hash,
        "document": entry.content,
    }


def verify(store: ReadingStore, current: Document | None, head: str | None) -> Document:
    """Walks the whole chain, and compares it with the ledgers that people see and with the ``current`` configuration.

    ``head`` is a hash noted earlier that must still be in the chain; GENESIS always is.
    """
    entries = store.audit()
    broken = first_break(entries) or _unlike_tables(store, entries) or unlike(store, entries)
    broken = broken or _unlike_configuration(entries, current)
    if broken is None and head is not None and head not in {GENESIS, *(entry.hash for entry in entries)}:
        problem = f"the head {head} is not in the chain: entries were taken away at its end, or it was made anew"
        broken = Break(seq=None, kind=None, at=None, problem=problem)
    return {
        "ok": broken is None,
        "entries": len(entries),
        "head": entries[-1].hash if entries else GENESIS,
        "first": _time(entries[0].at) if entries else None,
        "last": _time(entries[-1].at) if entries else None,
        "broken": None if broken is None else dataclasses.asdict(broken) | {"at": _time(broken.at)},
    }


def _time(at: int | None) -> str | None:
    """A time that somebody may have tampered with."""
    try:
        return None if at is None else iso(at)
    except OverflowError:
        return None


def _unlike_tables(store: ReadingStore, entries: Sequence[Entry]) -> Break | None:
    """The first entry with whose latest state the table of events or of corrections does not agree."""
    tables = {
        "event": [event_document(event) for event in store.events(None, None, None, None)],
        "correction": [correction_document(correction) for correction in store.corrections()],
    }
    breaks: list[Break] = []
    for kind, documents in tables.items():
        stored = {_identity(document): document for document in documents}
        latest: dict[tuple[str, ...], tuple[Entry, Document]] = {}
        for entry in entries:
            if entry.kind == kind:
                content = entry.content
                latest[_identity(content)] = (entry, content)
        for identity, (entry, content) in latest.items():
            found = stored.pop(identity, None)
            if content.get("state") == REPLACED and found is None:
                continue
            if found is None or canonical(found) != entry.document:
                problem = f"{_named(kind, identity)}: {_difference(content, found)}"
                breaks.append(Break(seq=entry.seq, kind=kind, at=entry.at, problem=problem))
        unknown = (f"{_named(kind, identity)} is in its table and was never entered" for identity in stored)
        breaks += [Break(seq=None, kind=kind, at=None, problem=problem) for problem in unknown]
    return min(breaks, key=lambda each: 2**62 if each.seq is None else each.seq, default=None)


def _identity(document: Document) -> tuple[str, ...]:
    return (document["site"], document["meter"], document["event"], document["at"])


def _named(kind: str, identity: Sequence[str]) -> str:
    site, meter, event, at = identity
    return f"the {kind} {event} of {site}/{meter} at {at}"


def _difference(content: Document, found: Document | None) -> str:
    if found is None:
        return "it is gone from its table"
    return ", ".join(
        f"{name} is {found.get(name)!r} in its table and was entered as {entered!r}"
        for name, entered in content.items()
        if entered != found.get(name)
    )


def _unlike_configuration(entries: Sequence[Entry], current: Document | None) -> Break | None:
    latest = next((entry for entry in reversed(entries) if entry.kind == "configuration"), None)
    if latest is None or current is None or latest.document == canonical(current):
        return None
    problem = (
        "the configuration is not the latest one entered: the next command that computes figures enters it, "
        "a running service after a restart"
    )
    return Break(seq=latest.seq, kind=latest.kind, at=latest.at, problem=problem)
