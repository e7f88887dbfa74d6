"""Issued figures: values that somebody has passed on, and what becomes of them when late data changes what they say.

A figure is entered in the audit ledger when it is issued. When interval values or the configuration behind it change,
it is computed again, and where it differs it is entered as its next revision, with the old value and the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.evaluate import Window
from analytics.kpi import KPIS
from analytics.rollup import ALL, roll_up
from wattwell.engine.analyse import Changed
from wattwell.engine.book import KpiBook
from wattwell.engine.queries import Document
from wattwell.engine.shapes import kpi_document
from wattwell.intervals import Interval, iso, parse_iso
from wattwell.model import KpiValue
from wattwell.store.protocol import DirtySet, ReadingStore

PROGRAM = "wattwell"
"""The author of what the program itself enters."""
LATE = "late readings or correction"
RECONFIGURED = "configuration changed"
_STATE = "figures.unrevised"
_FIGURE = (
    *("site", "kpi", "label", "window", "start", "end", "value", "unit", "numerator", "denominator"),
    *("usable", "coverage", "estimated", "category", "basis", "provisional"),
)
_Identity = tuple[str, str, str | None, str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A KPI value, and the values of the sites that it is made of: itself, or those that it rolls up."""

    value: KpiValue
    members: tuple[KpiValue, ...]


class IssuedFigures:
    """The latest revision of every issued figure; for who holds the engine's lock."""

    def __init__(self, store: ReadingStore, book: KpiBook, sites: Collection[str]) -> None:
        self._store = store
        self._book = book
        self._sites = sites
        self._read: dict[_Identity, Document] | None = None
        self._missed = ""
        """Why figures were to be revised when it came to nothing; empty where all are up to date."""

    @property
    def _latest(self) -> dict[_Identity, Document]:
        if self._read is None:
            self._read = {_identity(entry.content): entry.content for entry in self._store.audit("figure")}
        return self._read

    def latest(self, value: Mapping[str, Any]) -> Document | None:
        """The revision in force of a figure with this document's site, KPI and window; None where none was issued."""
        return self._latest.get(_identity(value))

    def issue(self, asked: Iterable[Asked], author: str, reason: str) -> list[int | None]:
        """Enters those that have a value and are new or differ; the revision in force of each."""
        asked = list(asked)
        wanted = [
            None if one.value.value is None else _document(one) | {"author": author, "reason": reason} for one in asked
        ]
        self._enter([document for document in wanted if document is not None])
        return [None if document is None else self._latest[_identity(document)]["revision"] for document in wanted]

    def _enter(self, documents: Sequence[Document]) -> None:
        """Enters each as the next revision of its figure, unless nothing has changed."""
        entered = []
        for document in documents:
            known = self._latest.get(_identity(document))
            if known is None:
                entered.append(document | {"revision": 1})
            elif any(known[name] != document[name] for name in _FIGURE):
                entered.append(document | {"revision": known["revision"] + 1, "old_value": known["value"]})
        if entered:
            self._store.append_audit([("figure", document) for document in entered])
            self._latest.update({_identity(document): document for document in entered})

    # -- keeping up -------------------------------------------------------------------------------------------

    def expect(self, dirt: DirtySet, *, reconfigured: bool) -> None:
        """Before a change: notes durably why figures are to be revised, so that a crash in between is made up for."""
        if not self._latest:
            return
        self._missed = self._store.load_state(_STATE) or ""
        if not self._missed and (reconfigured or dirt.meters):
            self._store.save_states({_STATE: RECONFIGURED if reconfigured else LATE})

    def revise(self, changed: Sequence[Changed], *, reconfigured: bool) -> None:
        """Computes again the figures whose window touches what has changed, and enters those that differ.

        All of them when the configuration has changed, and when an earlier change was not followed to its end.
        """
        if not self._latest:
            return
        everything = reconfigured or bool(self._missed)
        reason = RECONFIGURED if reconfigured else self._missed or LATE
        documents = []
        for known in self._latest.values():
            if everything or _touched(known, changed):
                value = self._value(known)
                if value is not None:
                    renewed = {"over": known["over"], "author": PROGRAM, "reason": reason}
                    documents.append(_document(value) | renewed)
        self._enter(documents)
        if changed or everything:
            self._store.save_states({_STATE: ""})
            self._missed = ""

    def _value(self, known: Document) -> Asked | None:
        """A figure as it is now; None where its site or KPI is no more."""
        if known["kpi"] not in KPIS or any(each["site"] not in self._sites for each in known["over"]):
            return None
        members = []
        for each in known["over"]:
            span = Interval(parse_iso(each["start"]), parse_iso(each["end"]))
            window = Window(name=known["window"], interval=span, cut=each["open"])
            members.append(self._book.value(each["site"], known["kpi"], window))
        return Asked(roll_up(members) if known["site"] == ALL else members[0], tuple(members))


def _document(asked: Asked) -> Document:
    """A figure as the ledger has it, but for its revision, author and reason; ``over`` says how to compute it again."""
    shown = kpi_document(asked.value)
    over = [
        {
            "site": each.site,
            "start": iso(each.interval.start),
            "end": iso(each.interval.end),
            "open": any(issue.code == "window.open" for issue in each.issues),
        }
        for each in asked.members
    ]
    return {name: shown[name] for name in _FIGURE} | {"over": over}


def _identity(document: Mapping[str, Any]) -> _Identity:
    return (document["site"], document["kpi"], document["window"], document["start"], document["end"])


def _touched(known: Document, changed: Sequence[Changed]) -> bool:
    return any(
        each["site"] == change.site and parse_iso(each["start"]) < change.end and parse_iso(each["end"]) > change.start
        for each in known["over"]
        for change in changed
    )
