"""Alert rules stepped along the data, once for each grid interval, and notifications on their way.

Rules step up to the live edge. Where history is filled in, and for one grid interval after a start, while the broker
delivers what it kept for us, the last reading takes the place of now: what is still to come is not missing yet. The
state of the rules and what there is to tell are stored together, so a crash neither loses nor repeats an alert. What
began where nobody was told is told with the first live step.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from alerts import outbox, silences
from alerts.board import NO_SITE, Board, Episode, advance, documents_of, load, needed, open_notifications
from alerts.dispatch import deliver
from alerts.listing import places
from alerts.machine import Key, Sample
from alerts.notification import Notification
from alerts.notify import DeliveryError, Keeper, Notifier, notifier_id
from alerts.outbox import Delivery, Queue
from wattwell.config.settings import Config
from wattwell.engine.analyse import Changed
from wattwell.engine.book import KpiBook
from wattwell.engine.findings import Expectations
from wattwell.engine.signals import Excesses, Known, Signals
from wattwell.intervals import SECOND, floor_to
from wattwell.ledger import Entry
from wattwell.model import AlertRule
from wattwell.store.protocol import ReadingStore

_log = logging.getLogger(__name__)
_SOON = 10 * SECOND
"""When a keeper that could not be told again is tried next."""


class AlertWatch:
    """Steps the alert rules of every site; one thread steps, another delivers, any may read ``board``."""

    def __init__(
        self,
        config: Config,
        rules: Sequence[AlertRule],
        store: ReadingStore,
        book: KpiBook,
        notifiers: Mapping[str, Notifier] | None,
        excess: Excesses | None = None,
        expectations: Expectations | None = None,
    ) -> None:
        """``notifiers`` by id; None where history is filled in and nobody is to be told.

        ``excess`` of findings, and ``expectations`` of what sites draw: None where there are none.
        """
        self._rules = rules
        self._sites = tuple(config.sites)
        self._grid = config.grid
        self._store = store
        self._signals = Signals(config, book, excess or (lambda _site, _at: {}), expectations)
        self._needed = {site: needed(rules, site) for site in places(self._sites, rules)}
        self._basis = {site: self._signals.basis(site, self._needed[site]) for site in self._sites}
        self._notifiers = notifiers
        self._receivers = list(dict.fromkeys(notifier_id(target.url) for target in config.notify))
        self._lock = threading.Lock()
        self._opened: int | None = None
        self._first: dict[str, int] = {}
        self.spool: Callable[[], int] | None = None
        """How many readings wait for the store; None where that is not known."""
        self.silences = silences.read(store.audit(silences.KIND), silences.declared(config.sites.values()))
        self.board: Board = load(self._needed, store.load_state)
        self.outbox = outbox.read(store.load_state(outbox.DOCUMENT))
        self._keepers = {name: each for name, each in (notifiers or {}).items() if isinstance(each, Keeper)}
        self._resend: dict[str, int] = {}
        self._faults: dict[str, str | None] = {}
        if notifiers is not None:
            self.outbox, _ = outbox.retarget(self.outbox, notifiers, self._keepers)
            self.outbox = outbox.catch_up(self.outbox, open_notifications(self.board))

    def step(self, now: int, changed: Iterable[Changed] = ()) -> None:
        """Steps every site's rules up to the live edge; ``changed``: what the analysis has changed since the last."""
        for change in changed:
            if change.start <= self._first.get(change.site, change.start):
                self._first.pop(change.site, None)
        self._opened = now if self._opened is None else self._opened
        before, told = self.board, list[Notification]()
        last: dict[str, dict[str, int]] = {}
        for (site, meter), at in self._store.last_readings().items():
            last.setdefault(site, {})[meter] = at
        steps = [each for site in self._sites if (each := self._due_at(site, now, last.get(site, {})))]
        self._signals.ready((site, self._needed[site], known) for site, _, known in steps)
        for site, edges, known in steps:
            told += self._step_site(site, edges, known, now)
        told += self._step_service(now)
        if self.board is before:
            return
        documents = documents_of(self.board, before)
        with self._lock:
            self.outbox = outbox.enqueue(self.outbox, told)
            self._store.save_states(documents | ({outbox.DOCUMENT: outbox.write(self.outbox)} if told else {}))

    def _due_at(self, site: str, now: int, last: Mapping[str, int]) -> tuple[str, range, Known] | None:
        """The edges that a site has still to step, and what its step goes by; None where there are none."""
        keys = self._needed[site]
        first = self._first_of(site) if keys else None
        if first is None:
            return None
        grid, data_time = self._grid, self._data_time(now, last)
        # A rule whose meters report less often looks back by so much, and holds up no other rule of the site.
        fastest, lags = self._signals.lags(site, keys, data_time)
        stepped = self.board.site(site).at
        edges = range((first if stepped is None else stepped) + grid, floor_to(data_time - fastest, grid) + 1, grid)
        if not edges:
            return None
        live = None if self._notifiers is None else last
        return site, edges, Known(first=first, last_edge=edges[-1], last_readings=live, lags=lags)

    def _step_site(self, site: str, edges: Iterable[int], known: Known, now: int) -> list[Notification]:
        told: list[Notification] = []
        for edge in edges:
            samples, held = self._signals.at(site, edge, self._needed[site], known)
            told += self._advance(site, edge, samples, held, now)
        return told

    def _first_of(self, site: str) -> int | None:
        """Start of a site's first interval."""
        if site not in self._first and (extent := self._store.extent(site)) is not None:
            self._first[site] = extent[0]
        return self._first.get(site)

    def _step_service(self, now: int) -> Sequence[Notification]:
        """The rules that belong to no site, at the latest edge alone: what was before is not known."""
        if self.spool is None or not (keys := self._needed.get(NO_SITE)):
            return ()
        edge = floor_to(now, self._grid)
        return self._advance(NO_SITE, edge, dict.fromkeys(keys, Sample(edge, float(self.spool()))), (), now)

    def _advance(
        self, site: str, edge: int, samples: Mapping[Key, Sample], held: Collection[Key], now: int
    ) -> Sequence[Notification]:
        def mute(alert: Episode) -> bool:
            """Where history is filled in, nobody is told: that waits until the alert is live."""
            if self._notifiers is None or self.silences.silencing(alert.labels, edge, now) is not None:
                return True
            return (site, alert.name, alert.meter, alert.fired_at) in self.silences.acknowledged

        basis = self._basis.get(site, {})
        self.board, told = advance(self.board, self._rules, site, edge, samples, held, basis=basis, mute=mute)
        return told

    def _data_time(self, now: int, last: Mapping[str, int]) -> int:
        """The time up to which the readings of a site have come as far as they will."""
        if self._notifiers is not None and self._opened is not None and now - self._opened >= self._grid:
            return now
        return min(now, max(last.values(), default=now))

    def tell(self, told: Sequence[Notification], documents: Mapping[str, str]) -> None:
        """Has everybody told of what is no alert, and stores ``documents`` in the same transaction."""
        with self._lock:
            self.outbox = outbox.enqueue(self.outbox, told)
            self._store.save_states({**documents, outbox.DOCUMENT: outbox.write(self.outbox)})

    def heed(self, entries: Sequence[Entry]) -> None:
        """Takes in what was entered about silences."""
        self.silences = silences.read(entries, self.silences)

    @property
    def notifiers(self) -> tuple[str, ...]:
        """The ids of those who are told."""
        return tuple(self._notifiers or ())

    def receivers(self) -> Mapping[str, Queue]:
        """What each of ``notify`` has still to be told and was told, by its scheme and its place in the list: the rest
        of a URL, and what is made from it, may tell a secret."""
        queues = self.outbox.queues
        return {
            f"{name.rpartition('-')[0]}-{place}": queues.get(name, Queue())
            for place, name in enumerate(self._receivers, 1)
        }

    def deliver(self, now: int) -> None:
        """Tells whom it may concern, one after the other."""
        for name in self.notifiers:
            self.deliver_to(name, now)

    def deliver_to(self, name: str, now: int) -> None:
        """Tells one notifier what is due, and notes what was taken; a thread for each, so that none waits for another.

        A keeper is told again what fires and what has ended of late, once it has been told all there is.
        """
        notifier, keeper = (self._notifiers or {})[name], self._keepers.get(name)
        remind = keeper is not None and now >= self._resend.get(name, 0)
        while batch := self._due(name, now, anyway=remind):
            if not self._settle(deliver({name: batch}, {name: notifier}), now):
                break
        if keeper is None or not remind:
            return
        with self._lock:
            queue = self.outbox.queues[name]
        kept = queue.kept(now)
        fault = _kept(keeper, kept) if kept and not queue.waiting else None
        if fault is not None and fault != self._faults.get(name):
            _log.warning("notify: %s; it is told again what fires as soon as it can be", fault)
        self._faults[name] = fault
        self._resend[name] = now + (keeper.resend if fault is None else min(keeper.resend, _SOON))

    def _due(self, name: str, now: int, *, anyway: bool) -> tuple[Notification, ...]:
        with self._lock:
            due = outbox.due(self.outbox, now).get(name, ())
            return due or (outbox.head(self.outbox.queues[name]) if anyway else ())

    def _settle(self, outcomes: Sequence[Delivery], now: int) -> bool:
        """Notes what was taken; whether all was. What fails is logged when it begins to, and when it works again."""
        with self._lock:
            before = self.outbox
            self.outbox = outbox.settle(self.outbox, outcomes, now)
            self._store.save_states({outbox.DOCUMENT: outbox.write(self.outbox)})
            after = self.outbox
        for each in outcomes:
            _say(each, before.queues[each.notifier], after.queues[each.notifier])
        return all(each.error is None for each in outcomes)


def _kept(keeper: Keeper, kept: Sequence[Notification]) -> str | None:
    """Tells again what stands and what has ended; why it was not taken."""
    try:
        keeper.keep(kept)
    except DeliveryError as fault:
        return str(fault)
    return None


def _say(outcome: Delivery, before: Queue, after: Queue) -> None:
    if after.refused > before.refused:
        _log.error("%s; set aside, since it was refused again and again: %s", outcome.error, outcome.batch[0].key)
    elif outcome.error is not None and outcome.error != before.error:
        _log.warning("notify: %s; %d notifications wait", outcome.error, len(after.waiting))
    elif outcome.error is None and before.error is not None:
        _log.info("notify: %s takes notifications again", outcome.notifier)
