"""Reports that somebody has passed on: issued once they are plausible, kept as they were, and restated when late data,
a correction or another configuration changes what they say.

An issued report is its document, as it was; every format is rendered from it. Its entry in the audit ledger holds the
document's SHA-256, so that nobody can change one unseen. The same inputs never make a second revision.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

from analytics.report.compare import changes
from analytics.report.fleet import FleetReport
from analytics.report.gate import breaches
from analytics.report.model import Change, Report, Revision
from wattwell.config.settings import Config
from wattwell.engine.figures import LATE, PROGRAM, RECONFIGURED
from wattwell.engine.queries import Document
from wattwell.engine.report_spans import Spans, spans
from wattwell.engine.report_store import KIND, name_of, packed, stored_text
from wattwell.errors import StoreError, UnknownError, UsageError
from wattwell.intervals import SECOND, iso, parse_iso
from wattwell.ledger import Entry, canonical
from wattwell.model import Site
from wattwell.store.protocol import ReadingStore

FIRST = "period over"
REPROGRAMMED = "another version of the program or of its method"
_MOST_REASONS = 3
_LISTED = ("site", "window", "key", "name", "revision", "provisional", "author", "reason", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt to issue."""

    document: Document
    """The revision in force, or the draft that was not issued."""
    new: bool = False
    """Whether a revision was entered just now."""
    refused: tuple[str, ...] = ()
    """Why it was not issued, a sentence each."""


class Reports:
    """The issued reports of a store, and drafts of others; safe to ask from several threads."""

    def __init__(
        self,
        config: Config,
        store: ReadingStore,
        make: Callable[[Site, Spans], Report],
        live: Callable[[str], int],
        lock: threading.Lock,
    ) -> None:
        """``make`` builds a draft; ``live`` gives the instant up to which a site's readings should have come.

        ``lock`` is held while interval values change.
        """
        self._config = config
        self._store = store
        self._make = make
        self._live = live
        self._lock = lock
        self._known: dict[str, list[Document]] | None = None
        self._reading = threading.Lock()

    # -- answers ----------------------------------------------------------------------------------------------

    def report(self, site: str, key: str, revision: int | None = None) -> Document:
        """The revision in force, or that asked for; a draft where none was issued."""
        asked = self._asked(site, key)
        with self._lock:
            found = self._of(site, key)
            if revision is None:
                return self._load(found[-1]) if found else plain(self._make(self._site(site), asked))
        wanted = [each for each in found if each["revision"] == revision]
        if not wanted:
            known = ", ".join(str(each["revision"]) for each in found) or "none"
            raise UnknownError(f"report {key} of {site} has no revision {revision}; issued: {known}")
        return self._load(wanted[0])

    def draft(self, site: str, key: str) -> Document:
        """As the figures are now, issued or not."""
        asked = self._asked(site, key)
        with self._lock:
            return plain(self._make(self._site(site), asked))

    def reports(self, site: str | None = None) -> list[Document]:
        """Every issued revision, the latest first."""
        chosen = self._config.sites if site is None else [self._site(site).id]
        found = [each for name in chosen for each in self._index().get(name, ())]
        return sorted(found, key=lambda each: (each["issued_at"], each["key"], each["revision"]), reverse=True)

    def keys(self, site: str) -> set[str]:
        """Of the reports of a site of which there is a revision."""
        return {each["key"] for each in self._index().get(site, ())}

    def latest(self, site: str, key: str) -> int:
        """The revision in force; 0 before the first."""
        return max((int(each["revision"]) for each in self._of(site, key)), default=0)

    def issued_at(self) -> dict[tuple[str, str], float]:
        """(site, window): when a report of it was last issued or restated, seconds since the epoch."""
        found: dict[tuple[str, str], float] = {}
        for site in self._config.sites:
            for each in list(self._index().get(site, ())):
                of = (site, each["window"])
                found[of] = max(parse_iso(each["issued_at"]) / SECOND, found.get(of, 0.0))
        return found

    # -- issuing ----------------------------------------------------------------------------------------------

    def issue(self, site: str, key: str, author: str | None = None, reason: str | None = None) -> Outcome:
        """Issues a report that is over and plausible, as its next revision where a figure differs from the latest."""
        asked = self._asked(site, key)
        with self._lock:
            return self._issue(asked, self._make(self._site(site), asked), author or PROGRAM, reason)

    def _issue(self, asked: Spans, made: Report, author: str, reason: str | None) -> Outcome:
        issued = self._of(made.site.id, made.period.key)
        latest = self._load(issued[-1]) if issued else None
        if latest is not None and latest["inputs"]["digest"] == made.inputs.digest:
            return Outcome(document=latest)
        refused = obstacles(asked, made)
        if refused:
            return Outcome(document=plain(made), refused=refused)
        differing = () if latest is None else changes(latest, plain(made))
        if latest is not None and not differing:
            return Outcome(document=latest)
        why = reason or (FIRST if latest is None else _why(latest, plain(made)))
        return Outcome(document=self._enter(made, latest, differing, author, why), new=True)

    def _enter(
        self,
        made: Report,
        latest: Document | None,
        differing: tuple[Change, ...],
        author: str,
        reason: str,
    ) -> Document:
        number = 1 if latest is None else int(latest["revision"]) + 1
        revision = Revision(number=number, digest=made.inputs.digest, author=author, reason=reason, changes=differing)
        document = asdict(replace(made, status="issued", revision=number))
        document["revisions"] = [*([] if latest is None else latest["revisions"]), asdict(revision)]
        text = canonical(document)
        site, key = made.site.id, made.period.key
        entry = {
            "site": site,
            "window": made.period.window,
            "key": key,
            "name": made.period.name,
            "revision": number,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "inputs": asdict(made.inputs),
            "figures": {each.name: each.current.value for each in made.headlines},
            "provisional": any(each.current.provisional for each in made.headlines),
            "author": author,
            "reason": reason,
            "changes": [asdict(each) for each in differing],
        }
        (entered,) = self._store.append_audit([(KIND, entry)], {name_of(site, key, number): packed(text)})
        self._index().setdefault(site, []).append(_listed(entered))
        return _parsed(text)

    # -- what is stored ---------------------------------------------------------------------------------------

    def _asked(self, site: str, key: str) -> Spans:
        chosen, live = self._site(site), self._live(site)
        asked = spans(chosen, key, live)
        if asked.full.start >= live:
            raise UsageError(f"{asked.name} has not begun at {site}: no report can be made of it")
        return asked

    def _site(self, site: str) -> Site:
        if site not in self._config.sites:
            raise UsageError(f"site {site!r} is not configured; known: {', '.join(self._config.sites)}")
        return self._config.sites[site]

    def _index(self) -> dict[str, list[Document]]:
        """The entries by site, in order of issue; read once."""
        with self._reading:
            if self._known is None:
                self._known = {}
                for entry in self._store.audit(KIND):
                    self._known.setdefault(entry.content["site"], []).append(_listed(entry))
            return self._known

    def _of(self, site: str, key: str) -> list[Document]:
        return [each for each in self._index().get(site, ()) if each["key"] == key]

    def _load(self, listed: Document) -> Document:
        name = name_of(listed["site"], listed["key"], listed["revision"])
        text = stored_text(self._store, name)
        if hashlib.sha256(text.encode()).hexdigest() != listed["sha256"]:
            raise StoreError(f"the stored {name} is not the one that was issued; take it from a backup")
        return _parsed(text)


def plain(made: Report | FleetReport) -> Document:
    """A report as its JSON document, the same as one that was stored."""
    return _parsed(canonical(asdict(made)))


def obstacles(asked: Spans, made: Report) -> tuple[str, ...]:
    """Why a report must not be issued, a sentence each."""
    if not asked.over:
        return (f"{made.period.name} is not over yet.",)
    if all(headline.current.value is None for headline in made.headlines):
        return (f"Nothing is known of {made.period.name}: no figure of the first page has a value.",)
    return tuple(check.message for check in breaches(made.gate))


def _why(old: Document, new: Document) -> str:
    """What has changed among the inputs; corrections in the period by who entered them and why."""
    before, after = old["inputs"], new["inputs"]
    entered = [each for each in new["corrections"] if each not in old["corrections"]]
    said = [f"{each['event']} of {each['meter']} entered by {each['author']}: {each['reason']}" for each in entered]
    reconfigured = before["configuration"] != after["configuration"]
    compared = before["comparisons"] != after["comparisons"] and not reconfigured
    reasons = {
        "; ".join(said[:_MOST_REASONS]): bool(said),
        LATE: (before["intervals"] != after["intervals"] or compared) and not said,
        RECONFIGURED: reconfigured,
        REPROGRAMMED: (before["program"], before["method"]) != (after["program"], after["method"]),
    }
    return "; ".join(reason for reason, holds in reasons.items() if holds) or LATE


def _listed(entry: Entry) -> Document:
    content = entry.content
    return {name: content[name] for name in _LISTED} | {
        "digest": content["inputs"]["digest"],
        "changes": len(content["changes"]),
        "issued_at": iso(entry.at),
    }


def _parsed(text: str) -> Document:
    found: Document = json.loads(text)
    return found
