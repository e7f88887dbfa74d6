"""Silences and acknowledgements: what is not told, by whose word and why. Pure.

A silence keeps the alerts that carry all of its labels from being told between two instants; one that names a site
alone, or beside it a piece of equipment, is a maintenance window. An acknowledgement is about one alert that is open:
somebody has it in hand. Neither changes a state. What a silence held back and still fires at its end is told then,
once; whatever was told before is told to have ended, silence or not.

All of them are entered into the audit ledger as entries of the kind ``silence`` and read from there: nothing else
stores them. A silence is called by the number of its entry, a maintenance window of the configuration by 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wattwell.intervals import iso, parse_iso
from wattwell.ledger import Entry
from wattwell.model import Maintenance, Site

KIND = "silence"
"""Kind of the ledger's entries."""
Acknowledged = tuple[str, str, str, int]
"""Site, alert, meter and the instant at which it fired: one alert and no other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts with these labels are not told in [start, end); times are microseconds UTC."""

    id: int
    matchers: Mapping[str, str]
    """Label -> value; all must be there."""
    start: int
    end: int
    author: str
    reason: str
    expired: str | None = None
    """Who ended it early and why; ``end`` is when."""

    @property
    def maintenance(self) -> bool:
        """Whether it is a whole site, or a piece of its equipment, that somebody works on."""
        return set(self.matchers) - {"equipment"} == {"site"}

    def covers(self, labels: Mapping[str, str], at: int) -> bool:
        """Whether an alert with these labels is silenced at an instant."""
        return self.start <= at < self.end and self.matchers.items() <= labels.items()

    def to_json(self, now: int) -> dict[str, Any]:
        """As a JSON object; ``state`` is pending, active or ended at ``now``."""
        state = "pending" if now < self.start else "active" if now < self.end else "ended"
        return {
            "id": self.id,
            "kind": "maintenance" if self.maintenance else "silence",
            "state": state,
            "matchers": dict(self.matchers),
            "from": iso(self.start),
            "until": iso(self.end),
            "author": self.author,
            "reason": self.reason,
            "expired": self.expired,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who has an alert in hand."""

    at: int
    author: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"at": iso(self.at), "author": self.author, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silences:
    """All that were ever entered."""

    silences: Mapping[int, Silence] = field(default_factory=dict)
    acknowledged: Mapping[Acknowledged, Acknowledgement] = field(default_factory=dict)
    declared: tuple[Silence, ...] = ()
    """The maintenance windows of the configuration."""

    @property
    def all(self) -> tuple[Silence, ...]:
        """Declared and entered ones."""
        return (*self.declared, *self.silences.values())

    def silencing(self, labels: Mapping[str, str], *instants: int) -> Silence | None:
        """The first silence that covers an alert at one of these instants."""
        return next((each for each in self.all for at in instants if each.covers(labels, at)), None)

    def maintenance(self, site: str) -> tuple[Maintenance, ...]:
        """The maintenance windows of a site, by time."""
        found = [
            Maintenance(start=each.start, end=each.end, equipment=each.matchers.get("equipment"), reason=each.reason)
            for each in self.all
            if each.maintenance and each.matchers["site"] == site and each.start < each.end
        ]
        return tuple(sorted(found, key=lambda each: (each.start, each.end)))


def declared(sites: Iterable[Site]) -> Silences:
    """What the configuration silences: its maintenance windows."""
    found = [
        Silence(
            id=0,
            matchers=maintenance_matchers(site.id, each.equipment),
            start=each.start,
            end=each.end,
            author="configuration",
            reason=each.reason,
        )
        for site in sites
        for each in site.maintenance
    ]
    return Silences(declared=tuple(found))


def maintenance_matchers(site: str, equipment: str | None) -> dict[str, str]:
    """The labels that make a silence a maintenance window."""
    return {"site": site} | ({} if equipment is None else {"equipment": equipment})


def read(entries: Iterable[Entry], before: Silences | None = None) -> Silences:
    """What the ledger's entries of KIND come to, after those that are known."""
    known = before or Silences()
    silences, acknowledged = dict(known.silences), dict(known.acknowledged)
    for entry in entries:
        document = entry.content
        who = {"author": document["author"], "reason": document["reason"]}
        if document["action"] == "silence":
            start, end = parse_iso(document["from"]), parse_iso(document["until"])
            silences[entry.seq] = Silence(id=entry.seq, matchers=document["matchers"], start=start, end=end, **who)
        elif document["action"] == "expire":
            silence, end = silences[document["id"]], parse_iso(document["at"])
            by = "{author}: {reason}".format(**who)
            silences[silence.id] = replace(silence, start=min(silence.start, end), end=end, expired=by)
        else:
            alert = (document["site"], document["alert"], document["meter"], parse_iso(document["fired_at"]))
            acknowledged[alert] = Acknowledgement(at=parse_iso(document["at"]), **who)
    return replace(known, silences=silences, acknowledged=acknowledged)


def silence_document(matchers: Mapping[str, str], start: int, end: int, author: str, reason: str) -> dict[str, Any]:
    """A silence as the ledger has it."""
    document = {"action": "silence", "matchers": dict(matchers), "from": iso(start), "until": iso(end)}
    return document | {"author": author, "reason": reason}


def expiry_document(id: int, at: int, author: str, reason: str) -> dict[str, Any]:
    """The early end of a silence as the ledger has it."""
    return {"action": "expire", "id": id, "at": iso(at), "author": author, "reason": reason}


def acknowledgement_document(alert: Acknowledged, at: int, author: str, reason: str) -> dict[str, Any]:
    """An acknowledgement as the ledger has it."""
    site, name, meter, fired = alert
    found = {"action": "acknowledge", "site": site, "alert": name, "meter": meter, "fired_at": iso(fired)}
    return found | {"at": iso(at), "author": author, "reason": reason}
