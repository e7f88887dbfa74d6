"""What makes the engine's figures defensible: they are explained, issued, revised, and entered in the audit ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from analytics.evaluate import Window
from wattwell.config.settings import Config
from wattwell.engine import audit, shapes
from wattwell.engine.analyse import Changed
from wattwell.engine.book import KpiBook
from wattwell.engine.explain import explain, take_apart, window_of
from wattwell.engine.figures import Asked, IssuedFigures
from wattwell.engine.queries import Document
from wattwell.model import AlertRule, KpiValue
from wattwell.store.protocol import DirtySet, ReadingStore


class Asking(Protocol):
    """How the engine answers questions for KPIs."""

    def asked(
        self, site: str | None, kpis: Sequence[str] | None, window: str | None, start: str | None, end: str | None
    ) -> list[Asked]:
        """KPI values, each with those that it is made of; UsageError for bad input."""

    def value(self, site: str, kpi: str, window: Window) -> KpiValue:
        """One KPI value."""

    def check(self, site: str, kpis: Sequence[str]) -> None:
        """UsageError for a site or a KPI that is not known."""


class Auditor:
    """The ledger's side of one engine; ``lock`` is held while interval values change."""

    def __init__(
        self,
        config: Config,
        rules: Sequence[AlertRule],
        store: ReadingStore,
        book: KpiBook,
        asking: Asking,
        lock: threading.Lock,
        clock: Callable[[], int],
    ) -> None:
        self._config = config
        self._store = store
        self._book = book
        self._asking = asking
        self._lock = lock
        self._clock = clock
        self._figures = IssuedFigures(store, book, config.sites)
        self._configuration = audit.configuration(config, rules)
        self._entered = False
        self._reconfigured = False

    # -- keeping up, for who holds the lock -------------------------------------------------------------------

    def before(self, dirt: DirtySet) -> None:
        """Before ``dirt`` is analysed: enters the configuration if it is another one than that in force."""
        self._reconfigured = self._reconfigured or (
            not self._entered and audit.differs(self._store, self._configuration)
        )
        self._figures.expect(dirt, reconfigured=self._reconfigured)
        if not self._entered and self._reconfigured:
            self._store.append_audit([("configuration", self._configuration)])
        self._entered = True

    def after(self, changed: Sequence[Changed]) -> None:
        """After they have changed: revises the issued figures concerned."""
        self._figures.revise(changed, reconfigured=self._reconfigured)
        self._reconfigured = False

    # -- answers ----------------------------------------------------------------------------------------------

    def issue(
        self,
        site: str | None,
        kpis: Sequence[str] | None,
        window: str | None,
        start: str | None,
        end: str | None,
        author: str,
        reason: str,
    ) -> list[Document]:
        """KPI values in the shape of ``kpi``, entered in the ledger as issued by ``author`` for a ``reason``.

        Each has besides its ``revision`` there; null where there is no value, for that is no figure.
        """
        with self._lock:  # so that no change comes between the value and its entry
            asked = self._asking.asked(site, kpis, window, start, end)
            revisions = self._figures.issue(asked, author, reason)
        pairs = zip(asked, revisions, strict=True)
        return [shapes.kpi_document(each.value) | {"revision": revision} for each, revision in pairs]

    def explain(
        self,
        site: str,
        kpi: str,
        window: str | None = None,
        at: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> Document:
        """See :class:`~wattwell.engine.queries.Queries`."""
        self._asking.check(site, [kpi])
        chosen, grid = self._config.sites[site], self._config.grid
        live = self._book.live_edge(site, kpi, self._clock())
        span = window_of(chosen, window, at, (start, end), live, grid)
        with self._lock:  # so that the value and its parts are of the same intervals
            value = self._asking.value(site, kpi, span)
            made = take_apart(self._store, chosen, kpi, span.interval, grid)
            issued = self._figures.latest(shapes.kpi_document(value))
        return explain(self._store, chosen, value, made, grid, issued)

    def audit(self, kind: str | None = None, last: int | None = None) -> list[Document]:
        """The entries of the ledger, by number; of one kind, or all; the ``last`` so many of them."""
        return [audit.entry_document(entry) for entry in self._store.audit(kind, last)]

    def verify(self, head: str | None = None, configuration: Document | None = None) -> Document:
        """Whether the ledger is what it was (see :func:`wattwell.engine.audit.verify`).

        ``configuration`` is the one that should be in force; by default the engine's own.
        """
        with self._lock:
            return audit.verify(self._store, configuration or self._configuration, head)

    def enter_readings(self, document: Document) -> None:
        """Enters which files somebody has back-filled, and what came of it."""
        self._store.append_audit([("readings", document)])
