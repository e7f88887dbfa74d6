"""What a regulator asks of a site for a calendar year, from its stored interval values."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict

from analytics.evaluate import Rules
from analytics.report.enefg import enefg
from analytics.report.eu_2024_1364 import eu_2024_1364
from analytics.report.regulation import Export
from wattwell.config.settings import Config
from wattwell.engine.book import KpiBook
from wattwell.engine.period import load_period
from wattwell.engine.queries import Document
from wattwell.engine.report_spans import spans
from wattwell.errors import UsageError
from wattwell.store.protocol import ReadingStore

REGULATIONS: Mapping[str, Callable[..., Export]] = {"eu-2024-1364": eu_2024_1364, "enefg": enefg}
"""Every regulation by name."""
_KPIS = ("pue", "erf", "ref", "cer", "wue")


class Exports:
    """Answers what regulators ask; safe to ask from several threads."""

    def __init__(
        self,
        config: Config,
        store: ReadingStore,
        book: KpiBook,
        live: Callable[[str], int],
        lock: threading.Lock,
    ) -> None:
        """``live`` gives the instant up to which a site's readings should have come; ``lock`` is held while figures
        change."""
        self._sites = config.sites
        self._store = store
        self._book = book
        self._live = live
        self._lock = lock
        self._rules = Rules(grid=config.grid, full=config.full, provisional=config.provisional)

    def export(self, site: str, regulation: str, year: str) -> Document:
        """Every field that a regulation asks for (:class:`~analytics.report.regulation.Export`).

        UsageError for a site, regulation or year that is not known, and for a year that has no data yet.
        """
        if site not in self._sites:
            raise UsageError(f"site {site!r} is not configured; known: {', '.join(self._sites)}")
        if regulation not in REGULATIONS:
            raise UsageError(f"regulation {regulation!r} is not known; write one of: {' '.join(REGULATIONS)}")
        if not (year.isascii() and year.isdigit() and len(year) == 4):
            raise UsageError(f"year {year!r} is not understood: write a calendar year, such as 2026")
        with self._lock:
            asked = spans(self._sites[site], year, self._live(site))
            span = asked.current.interval
            if not span.width:
                raise UsageError(f"{site} has no data of {year} yet; choose a year that has begun")
            data = load_period(self._store, self._sites[site], span, self._rules.grid)
            kpis = {name: self._book.value(site, name, asked.current) for name in _KPIS}
        return asdict(REGULATIONS[regulation](data, kpis, self._rules, int(year), over=asked.over))
