"""What operators say of findings: entries of the audit ledger, and what is in force. Pure.

A verdict is ``known`` (it is so, and no news), ``dismissed`` (it is not a fault) or ``open`` (it counts again). The
latest one about a finding counts, until the end given with it. Nothing else stores them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wattwell.finding import Feedback, Finding
from wattwell.intervals import iso, parse_iso
from wattwell.ledger import Entry

KIND = "finding"
"""Kind of the ledger's entries."""
OPEN = "open"
VERDICTS = {"known": "known", "not_a_fault": "dismissed", "open": OPEN}
"""What operators write, and the status that a finding has by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One verdict."""

    site: str
    feedback: Feedback
    """Its status may be ``open`` here."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        said = self.feedback
        until = None if said.until is None else iso(said.until)
        return {"at": iso(said.at), "verdict": said.status, "until": until, "author": said.author, "note": said.note}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """All that was ever said, by finding, in order."""

    by_finding: Mapping[str, tuple[Said, ...]] = field(default_factory=dict)

    def of(self, finding: str) -> tuple[Said, ...]:
        """What was said of a finding."""
        return self.by_finding.get(finding, ())

    def in_force(self, site: str) -> tuple[Feedback, ...]:
        """What a detector must respect at a site; one whose end has come still holds for the time before."""
        latest = (said[-1] for said in self.by_finding.values())
        return tuple(each.feedback for each in latest if each.site == site and each.feedback.status != OPEN)

    def applied(self, finding: Finding, now: int) -> Finding:
        """The finding with the status and the note that operators gave it; what has closed is no longer known."""
        said = self.of(finding.id)
        if not said:
            return finding
        last = said[-1].feedback
        over = last.status == OPEN or (last.until is not None and last.until <= now)
        if over or (last.status == "known" and finding.end is not None):
            return replace(finding, note=last.note)
        return replace(finding, status=last.status, note=last.note)


def read(entries: Iterable[Entry], before: Verdicts | None = None) -> Verdicts:
    """What the ledger's entries of KIND come to, after those that are known."""
    found = dict((before or Verdicts()).by_finding)
    for entry in entries:
        document = entry.content
        feedback = Feedback(
            finding=document["finding"],
            family=document["family"],
            equipment=document["equipment"],
            status=document["verdict"],
            at=entry.at,
            until=None if document["until"] is None else parse_iso(document["until"]),
            author=document["author"],
            note=document["note"],
        )
        said = Said(site=document["site"], feedback=feedback)
        found[feedback.finding] = (*found.get(feedback.finding, ()), said)
    return Verdicts(by_finding=found)


def verdict_document(finding: Finding, status: str, until: int | None, author: str, note: str) -> dict[str, Any]:
    """A verdict as the ledger has it."""
    return {
        "finding": finding.id,
        "site": finding.site,
        "family": finding.family,
        "equipment": finding.equipment,
        "verdict": status,
        "until": None if until is None else iso(until),
        "author": author,
        "note": note,
    }
