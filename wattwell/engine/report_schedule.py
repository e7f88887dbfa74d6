"""Reports that `run` issues by itself: each once its month or year is over and late data have come, and again where
what it is made of has changed.

One call of :meth:`ReportSchedule.step` makes one report at most. What it is about to do is stored first, and what there
is to tell is stored together with the end of it, so that after a crash a report is issued once and told all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerts import documents
from alerts.notification import Notification
from wattwell.config.settings import Config
from wattwell.engine.queries import Document
from wattwell.engine.report_news import issued, refused
from wattwell.engine.report_plan import Due, due
from wattwell.engine.report_spans import month_key, spans
from wattwell.engine.report_touched import TouchedReports
from wattwell.engine.reports import Reports
from wattwell.errors import StoreError
from wattwell.intervals import DAY, iso
from wattwell.store.protocol import ReadingStore

DOCUMENT = "reports.schedule"
VERSION = 1
AGAIN = DAY
"""When a refused report is tried again, and how often the issued ones of a site are looked at again at most."""
_EVER = 2**61
_log = logging.getLogger(__name__)
Tell = Callable[[Sequence[Notification], Mapping[str, str]], None]
"""Enters notifications in the outbox, and stores documents in the same transaction."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A report that was to be issued and could not be."""

    at: int
    """When it was last tried."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the schedule remembers."""

    since: Mapping[str, str] = field(default_factory=dict)
    """By site, the first month that is issued."""
    pending: tuple[str, str, int] | None = None
    """Site and key of the report that is being made, and its revision before."""
    refused: Mapping[str, Mapping[str, Refusal]] = field(default_factory=dict)
    """By site and key."""
    restated: Mapping[str, int] = field(default_factory=dict)
    """By site, when its issued reports were last looked at again."""

    def refusing(self, site: str, key: str, refusal: Refusal | None) -> State:
        """With or without a refusal of a report."""
        mine = {each: found for each, found in self.refused.get(site, {}).items() if each != key}
        mine |= {} if refusal is None else {key: refusal}
        return replace(self, refused={**self.refused, site: mine})


class ReportSchedule:
    """Issues what is due; one thread steps, any may ask."""

    def __init__(
        self,
        config: Config,
        store: ReadingStore,
        reports: Reports,
        live: Callable[[str], int],
        tell: Tell,
    ) -> None:
        """``live`` gives the instant up to which a site's readings should have come."""
        self._config = config
        self._settings = config.reports
        self._store = store
        self._reports = reports
        self.touched = TouchedReports(config, store, reports.keys)
        """To be told of every analysis, before and after it."""
        self._live = live
        self._tell = tell
        self._state: State | None = None
        self._reading = threading.Lock()
        self._opened: int | None = None
        self._round: list[tuple[str, str, int]] = []
        """What is still to be looked at again: site, key and number of the touch."""

    # -- issuing ----------------------------------------------------------------------------------------------

    def step(self, now: int) -> bool:
        """Issues, or looks at again, one report; whether there may be more to do at once.

        For one grid interval after the start, while the broker delivers what it kept for us, it does nothing.
        """
        if not self._settings.issue:
            return False
        state = self._begun(now)
        if self._opened is None:
            self._opened = now
        if state.pending is not None:
            self._make_up(state.pending, now)
            return True
        if now - self._opened < self._config.grid:
            return False
        waiting = list(self._due(now))
        self._forget({(each.site, each.key) for each in waiting})
        for each in waiting:
            refusal = self._known().refused.get(each.site, {}).get(each.key)
            if refusal is None or now - refusal.at >= AGAIN:
                self._attempt(each.site, each.key, now)
                return True
        return self._look_again(now)

    def _begun(self, now: int) -> State:
        """What is remembered; the month that it is now is the first that a new site issues."""
        state = self._known()
        new = {site.id: month_key(site, now) for site in self._config.sites.values() if site.id not in state.since}
        if new:
            state = self._save(replace(state, since={**state.since, **new}))
        return state

    def _due(self, now: int) -> Iterator[Due]:
        for site in self._config.sites.values():
            since = self._settings.since or self._known().since.get(site.id)
            if since is None:
                continue
            live, delay, least = self._live(site.id), self._settings.delay, self._config.provisional
            keys = self._reports.keys(site.id)
            if due(site, since, -_EVER, live, now, delay, keys, least):
                extent = self._store.extent(site.id)
                yield from due(site, since, None if extent is None else extent[0], live, now, delay, keys, least)

    def _look_again(self, now: int) -> bool:
        """Looks at one of the touched reports; each site's at most once a day."""
        if not self._round:
            sites = [
                site
                for site in self._config.sites
                if self.touched.pending(site) and now - self._known().restated.get(site, -_EVER) >= AGAIN
            ]
            if not sites:
                return False
            self._save(replace(self._known(), restated={**self._known().restated, **dict.fromkeys(sites, now)}))
            self._round = [(site, key, number) for site in sites for key, number in self.touched.pending(site).items()]
        site, key, number = self._round.pop(0)
        if key not in self._reports.keys(site) or self._attempt(site, key, now):
            self.touched.settle(site, key, number)
        return True

    def _attempt(self, site: str, key: str, now: int) -> bool:
        """Whether it was not refused."""
        before = self._reports.latest(site, key)
        self._save(replace(self._known(), pending=(site, key, before)))
        document, new, reasons = self._issue(site, key)
        if reasons:
            self._refuse(site, key, before + 1, reasons, now)
        else:
            self._end(site, key, None, self._news(site, key, lambda: document, now) if new else [])
        if new:
            _log.info("report %s of %s: revision %d is issued", key, site, document["revision"])
        return not reasons

    def _issue(self, site: str, key: str) -> tuple[Document, bool, tuple[str, ...]]:
        try:
            outcome = self._reports.issue(site, key)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this report alone; it is told below
            _log.exception("report %s of %s could not be made; everything else goes on", key, site)
            return {}, False, (f"It could not be made ({type(error).__name__}: {error}); see the service's log.",)
        return outcome.document, outcome.new, outcome.refused

    def _make_up(self, pending: tuple[str, str, int], now: int) -> None:
        """What was being made when it broke off: told, if it was issued; else its turn comes again."""
        site, key, before = pending
        made = site in self._config.sites and self._reports.latest(site, key) > before
        told = self._news(site, key, lambda: self._reports.report(site, key), now) if made else []
        refusal = None if made else self._known().refused.get(site, {}).get(key)
        self._end(site, key, refusal, told)

    def _news(self, site: str, key: str, document: Callable[[], Document], now: int) -> list[Notification]:
        """What people are told of a report that is issued.

        Nothing, and the log says why, where it cannot be read or put into words: it would hold up all others for ever.
        """
        try:
            return [issued(document(), self._page, now)]
        except Exception:  # noqa: BLE001 - whatever it is, it concerns this report alone; a lost store fails next
            _log.exception("report %s of %s is issued, but nobody can be told of it; all else goes on", key, site)
            return []

    def _refuse(self, site: str, key: str, revision: int, reasons: tuple[str, ...], now: int) -> None:
        known = self._known().refused.get(site, {}).get(key)
        if known is None or known.reasons != reasons:
            _log.warning("report %s of %s was not issued: %s", key, site, " ".join(reasons))
        asked = spans(self._config.sites[site], key, now)
        told = [refused(site, asked.name, asked.window, key, revision, reasons, self._page, now)]
        self._end(site, key, Refusal(now, reasons), told if known is None else [])

    def _end(self, site: str, key: str, refusal: Refusal | None, told: Sequence[Notification]) -> None:
        """Stores that nothing is being made any more, and what there is to tell, in one transaction."""
        state = replace(self._known().refusing(site, key, refusal), pending=None)
        if told and self._settings.deliver:
            self._tell(told, {DOCUMENT: _written(state)})
            self._state = state
        else:
            self._save(state)

    def _forget(self, waiting: Collection[tuple[str, str]]) -> None:
        """Drops refusals of what is no longer to be issued."""
        state = self._known()
        gone = [
            (site, key)
            for site, mine in state.refused.items()
            for key in mine
            if (site, key) not in waiting and (site not in self._config.sites or key not in self.touched.pending(site))
        ]
        for site, key in gone:
            state = state.refusing(site, key, None)
        if gone:
            self._save(state)

    # -- answers ----------------------------------------------------------------------------------------------

    def overdue(self, now: int) -> list[Document]:
        """Reports that have been due for more than a day: site, key, name, due, reason (why they are not issued)."""
        if not self._settings.issue:
            return []
        found = []
        for each in self._due(now):
            if now - each.at > AGAIN:
                refusal = self._known().refused.get(each.site, {}).get(each.key)
                reason = " ".join(refusal.reasons) if refusal else "`wattwell run` has not come to it yet"
                name = spans(self._config.sites[each.site], each.key, now).name
                found.append({"site": each.site, "key": each.key, "name": name, "due": iso(each.at), "reason": reason})
        return found

    def issued_at(self) -> dict[tuple[str, str], float]:
        """(site, window): when a report of it was last issued or restated, seconds since the epoch."""
        return self._reports.issued_at()

    def refusals(self) -> dict[str, int]:
        """By site: how many reports could not be issued as things are."""
        known = self._known().refused
        return {site: len(known.get(site, {})) for site in self._config.sites}

    # -- what is stored ---------------------------------------------------------------------------------------

    @property
    def _page(self) -> str:
        return self._config.http.public_url

    def _known(self) -> State:
        with self._reading:
            if self._state is None:
                text = self._store.load_state(DOCUMENT)
                self._state = State() if text is None else documents.read(text, DOCUMENT, VERSION, _parse)
            return self._state

    def _save(self, state: State) -> State:
        self._store.save_states({DOCUMENT: _written(state)})
        self._state = state
        return state


def _written(state: State) -> str:
    refusals = {
        site: {key: {"at": each.at, "reasons": list(each.reasons)} for key, each in mine.items()}
        for site, mine in state.refused.items()
        if mine
    }
    content = {
        "since": dict(state.since),
        "pending": None if state.pending is None else list(state.pending),
        "refused": refusals,
        "restated": dict(state.restated),
    }
    return documents.write(DOCUMENT, VERSION, content)


def _parse(document: Mapping[str, Any]) -> State:
    pending = document["pending"]
    return State(
        since=dict(document["since"]),
        pending=None if pending is None else (pending[0], pending[1], int(pending[2])),
        refused={
            site: {key: Refusal(each["at"], tuple(each["reasons"])) for key, each in mine.items()}
            for site, mine in document["refused"].items()
        },
        restated=dict(document["restated"]),
    )
