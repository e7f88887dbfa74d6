"""Follows a remote store that collectors send readings to: figures and alerts behind a shared subscription, live.

Each collector marks what it has sent (:mod:`wattwell.store.marks`). A follower looks for marks every few seconds and
brings the readings of their spans into its own store (:mod:`wattwell.app.bring`), from where everything goes its
ordinary way. What has been followed is remembered by one time, that of the earliest mark which may still have to be
looked at, durably and after the readings: who is killed in between brings them in again, and each counts once. With a
site more in the configuration everything is followed anew from the first mark.

A mark may show later than others that were written after it, since clocks differ and a server may take some seconds
until it shows what it has taken, and so may the readings that it speaks of. So marks are asked for again until they
are two minutes old, and the readings of each are read three times: when it is first seen, at the next look, and two
minutes later. The clocks of collectors and followers must agree to two minutes.

What comes so is not entered in the audit ledger, as what comes from a broker is not; ``restore`` enters what it
brings. ``explain`` says of a reading when it was brought in, which is its arrival here.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from wattwell.app.bring import Brought, Taking, bring
from wattwell.app.forward import NAME as SENDER
from wattwell.app.forward import STATE as SENT
from wattwell.app.forward import open_remote
from wattwell.config.settings import Config
from wattwell.errors import UsageError, WattwellError
from wattwell.intervals import DAY, HOUR, SECOND
from wattwell.model import Site
from wattwell.store.marks import MARGIN, Mark, Span, merged
from wattwell.store.outbox import Progress
from wattwell.store.protocol import ReadingStore
from wattwell.store.remote import RemoteStore

_log = logging.getLogger(__name__)
STATE = "follow.cursor"
"""Name of the stored document that says how far a remote store has been followed."""
SITES = "follow.sites"
"""Name of the one that says of which sites."""
_AHEAD = 3 * DAY
"""Marks of clocks that are ahead are looked for so far; VictoriaMetrics takes what is ahead by two days."""
_EVER = 3650 * DAY
"""How long ago the first mark is looked for."""
_STRIDE = HOUR
"""Marks of so long are looked at together while there are old ones."""
_TIMES = 3
"""How often the readings of a mark are read: as soon as may be, and at last when it is two minutes old."""
_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0


class Followed(Taking, Protocol):
    """The store that readings are brought into; see :class:`~wattwell.store.protocol.ReadingStore`."""

    def load_state(self, name: str) -> str | None:
        """A small named document, or None."""

    def save_states(self, documents: Mapping[str, str]) -> None:
        """Stores small named documents, durably and all or nothing."""


@dataclass(slots=True)
class _Seen:
    """A mark, and how often its readings have been read."""

    mark: Mark
    last: float
    """When to read them for the last time, seconds of a clock that never steps."""
    times: int = 0

    def due(self, now: float) -> bool:
        return self.times < _TIMES - 1 or (self.times < _TIMES and now >= self.last)


class Follower:
    """Brings in what collectors have sent; one thread calls it, any thread may ask for its state."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        store: Followed,
        remote: RemoteStore,
        every: int,
        wall: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``every``: microseconds between two looks; ``wall`` is microseconds UTC, ``monotonic`` seconds, never set."""
        self._sites = sites
        self._store = store
        self._remote = remote
        self._every = every
        self._wall = wall
        self._monotonic = monotonic
        self._saved = {name: store.load_state(name) for name in (STATE, SITES)}
        self._cursor = _cursor(self._saved[STATE], remote.url) if self._knows_all() else None
        """Marks before it have been followed; None: none has."""
        self._seen: dict[tuple[str, str, int], _Seen] = {}
        self._error: str | None = None
        self._until = self._cursor

    @property
    def error(self) -> str | None:
        """Why nothing is brought in, while that is so."""
        return self._error

    @property
    def until(self) -> int | None:
        """What was sent until then has been brought in, microseconds UTC; None: nothing yet."""
        return self._until

    def step(self, stop: threading.Event | None = None) -> bool:
        """Looks for marks once; whether there is more to be looked at without a pause.

        Raises RemoteStoreError or StoreError; nothing is lost then, and the call may be repeated. ``stop`` breaks it
        off, likewise.
        """
        now = self._wall()
        if self._cursor is None:
            first = self._remote.first_mark(now - _EVER, now + _AHEAD)
            if first is None:
                self._until = now
                return False
            self._cursor = min(first, now) - MARGIN
        high = min(self._cursor + _STRIDE, now - 2 * MARGIN)
        if high > self._cursor:
            return self._catch_up(self._cursor, high, stop or threading.Event())
        return self._look(self._cursor, now, stop or threading.Event())

    def _catch_up(self, low: int, high: int, stop: threading.Event) -> bool:
        """Brings in what was marked so long ago that nothing can still come to show."""
        marks = [mark for mark in self._remote.marks(low, high) if mark.site in self._sites]
        new = [mark for mark in marks if (seen := self._seen.get(mark[:3])) is None or seen.times < _TIMES]
        if self._bring(new, stop):
            self._cursor, self._until = high, max(high, self._until or high)
            if marks:
                self._save()
        return True

    def _look(self, low: int, now: int, stop: threading.Event) -> bool:
        """Brings in what was marked of late."""
        tick = self._monotonic()
        marks = self._remote.marks(low, now + _AHEAD)
        for mark in marks:
            if mark.site in self._sites:
                self._seen.setdefault(mark[:3], _Seen(mark, tick + MARGIN / SECOND))
        due = [each for each in self._seen.values() if each.due(tick)]
        if not self._bring([each.mark for each in due], stop):
            return False
        for each in due:
            each.times += 1
        open_ones = (each.mark.at for each in self._seen.values() if each.times < _TIMES)
        newest = max((mark.at for mark in marks), default=low)
        self._cursor = max(low, min(now - MARGIN, newest - MARGIN, *open_ones))
        self._seen = {known: each for known, each in self._seen.items() if each.mark.at >= self._cursor}
        self._until = now
        self._save()
        return False

    def _bring(self, marks: Sequence[Mark], stop: threading.Event) -> bool:
        """Brings in the readings that marks speak of; whether it was not broken off."""
        spans: dict[str, list[Span]] = {}
        for mark in marks:
            spans.setdefault(mark.site, []).append((mark.earliest, mark.latest + self._remote.resolution - 1))
        wanted = {site: merged(each) for site, each in spans.items()}
        pieces = bring(self._sites, self._store, self._remote, wanted, self._wall, Brought())
        return not any(stop.is_set() for _ in pieces)

    def _knows_all(self) -> bool:
        """Whether every site has been followed before: one that is new here may have marks from long ago."""
        return set(self._sites) <= set(json.loads(self._saved[SITES] or "[]"))

    def _save(self) -> None:
        document = json.dumps({"remote": self._remote.url, "cursor": self._cursor})
        documents = {STATE: document, SITES: json.dumps(sorted(self._sites))}
        changed = {name: text for name, text in documents.items() if text != self._saved[name]}
        if changed:
            self._store.save_states(changed)
            self._saved |= changed

    def run(self, stop: threading.Event) -> None:
        """Follows until told to stop, however long the remote store is away.

        The log gets one line when it does not answer (and one for each new reason), one when it works again.
        """
        delay = _FIRST_RETRY
        while not stop.is_set():
            try:
                more = self.step(stop)
            except WattwellError as error:
                if self._error != str(error):
                    _log.error("Nothing new is brought in from the remote store, and nothing is lost: %s", error)
                self._error = str(error)
                stop.wait(delay)
                delay = min(2 * delay, _LONGEST_RETRY)
                continue
            if self._error is not None:
                _log.info("The remote store is followed again.")
            self._error, delay = None, _FIRST_RETRY
            if not more:
                stop.wait(self._every / SECOND)


def _cursor(document: str | None, url: str) -> int | None:
    """What a document says of this remote store; one that it does not speak of is followed from the start."""
    kept = {} if document is None else json.loads(document)
    return int(kept["cursor"]) if kept.get("remote") == url else None


@contextmanager
def followed(config: Config, store: ReadingStore) -> Iterator[RemoteStore | None]:
    """The remote store that is followed; None where none is.

    UsageError where readings of ``store`` still wait to be sent there: nobody would send them.
    """
    settings = config.store.remote
    if settings is None or settings.follow is None:
        yield None
        return
    with closing(open_remote(config, settings)) as remote:
        if store.load_state(STATE) is None and store.load_state(SENDER) is not None:
            waiting = store.waiting(Progress.of(store.load_state(SENT), remote.url, 0, 0.0).sent)[0]
            if waiting:
                remedy = "run it without store.follow until they are sent, or with another store.spool"
                raise UsageError(f"{waiting} readings wait in {config.store.path} for {remote.url}; {remedy}")
        yield remote
