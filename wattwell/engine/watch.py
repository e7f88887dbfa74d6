"""Alert rules stepped along the data, once for each grid interval, and notifications on their way.

Rules step up to the live edge. Where history is filled in, and for one grid interval after a start, while the broker
delivers what it kept for us, the last reading takes the place of now: what is still to come is not missing yet. The
state of the rules and what there is to tell are stored together, so a crash neither loses nor repeats an alert.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from alerts import outbox
from alerts.board import Board, advance, documents_of, load, needed, open_notifications
from alerts.dispatch import deliver
from alerts.machine import Sample, sample_of
from alerts.notification import Notification
from alerts.notify import Notifier
from analytics.evaluate import Window
from wattwell.engine.book import KpiBook
from wattwell.engine.spans import ROLLING
from wattwell.intervals import Interval, ceil_to, floor_to
from wattwell.model import AlertRule
from wattwell.store.protocol import ReadingStore


class AlertWatch:
    """Steps the alert rules of every site; one thread steps, another delivers, any may read ``board``."""

    def __init__(
        self,
        rules: Sequence[AlertRule],
        sites: Collection[str],
        grid: int,
        store: ReadingStore,
        book: KpiBook,
        notifiers: Mapping[str, Notifier] | None,
    ) -> None:
        """``notifiers`` by id; None where history is filled in and nobody is to be told."""
        self._rules = rules
        self._sites = tuple(sites)
        self._grid = grid
        self._store = store
        self._book = book
        self._notifiers = notifiers
        self._lock = threading.Lock()
        self._opened: int | None = None
        self.board: Board = load(self._sites, store.load_state)
        self.outbox = outbox.read(store.load_state(outbox.DOCUMENT))
        if notifiers is not None:
            self.outbox, _ = outbox.retarget(self.outbox, notifiers)

    def step(self, now: int) -> None:
        """Steps every site's rules up to the live edge."""
        self._opened = now if self._opened is None else self._opened
        before, told = self.board, list[Notification]()
        for site in self._sites:
            told += self._step_site(site, now)
        if self.board is before:
            return
        documents = documents_of(self.board, before)
        with self._lock:
            if self._notifiers is None:
                documents[_UNTOLD] = "yes" if told else (self._store.load_state(_UNTOLD) or "")
            else:
                if self._store.load_state(_UNTOLD):  # alerts that began in a back-fill are told once they are live
                    told = list(open_notifications(self.board))
                self.outbox = outbox.enqueue(self.outbox, told)
                documents |= {outbox.DOCUMENT: outbox.write(self.outbox), _UNTOLD: ""}
            self._store.save_states(documents)

    def _step_site(self, site: str, now: int) -> list[Notification]:
        pairs = needed(self._rules, site)
        extent = self._store.extent(site)
        if not pairs or extent is None:
            return []
        grid, now = self._grid, self._data_time(site, now)
        periods = {pair: self._book.longest_period(site, pair[0], now) for pair in pairs}
        fastest = min(periods.values())
        # A rule whose meters report less often looks back by so much, and holds up no other rule of the site.
        lags = {pair: ceil_to(period - fastest, grid) for pair, period in periods.items()}
        stepped = self.board.site(site).at
        told: list[Notification] = []
        for edge in range((extent[0] if stepped is None else stepped) + grid, floor_to(now - fastest, grid) + 1, grid):
            samples = {pair: self._sample(site, *pair, edge, lags[pair]) for pair in pairs}
            warming = {
                pair
                for pair in pairs
                if samples[pair].value is None and edge - lags[pair] - ROLLING[pair[1]] < extent[0]
            }
            self.board, turned = advance(self.board, self._rules, site, edge, samples, warming)
            told += turned
        return told

    def _data_time(self, site: str, now: int) -> int:
        """The time up to which readings have come as far as they will."""
        if self._notifiers is not None and self._opened is not None and now - self._opened >= self._grid:
            return now
        return min(now, max((at for key, at in self._store.last_readings().items() if key[0] == site), default=now))

    def _sample(self, site: str, kpi: str, window: str, edge: int, lag: int) -> Sample:
        """What is known at an edge: the window that ends there, or by ``lag`` before it."""
        span = Window(name=window, interval=Interval(edge - lag - ROLLING[window], edge - lag))
        return replace(sample_of(self._book.value(site, kpi, span)), at=edge)

    def deliver(self, now: int) -> None:
        """Tells whom it may concern, and notes what was taken."""
        with self._lock:
            due = {} if self._notifiers is None else outbox.due(self.outbox, now)
        if self._notifiers is None or not any(due.values()):
            return
        outcomes = deliver(due, self._notifiers)
        with self._lock:
            self.outbox = outbox.settle(self.outbox, outcomes, now)
            self._store.save_states({outbox.DOCUMENT: outbox.write(self.outbox)})


_UNTOLD = "alerts.untold"
