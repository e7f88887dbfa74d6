"""KPI values of windows that are over, for the remote store: what has still to be written, and again after late data.

Rolling windows of 24 hours end at every full hour UTC, days at their local end; a value stands at its window's end. Of
each site the windows that end in ``(low, high]`` are written piece by piece: at the front those that have come to an
end, and those again that a late reading or a correction touches, gathered for an hour, under the next revision. What
is written is remembered durably when it is safe in the remote store, so each value arrives at least once.

A value that changes since a factor or another figure of the configuration does is not written again by itself.
"""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.evaluate import Window
from analytics.kpi import KPIS
from wattwell.config.settings import Config
from wattwell.engine.analyse import Changed
from wattwell.engine.book import KpiBook
from wattwell.intervals import DAY, HOUR, MINUTE, Interval, calendar_windows, floor_to
from wattwell.model import KpiValue, Site
from wattwell.store.protocol import DirtySet, ReadingStore
from wattwell.store.remote import KpiPoint

STATE = "kpi.series."
"""The stored document of a site: this and its id."""
_ROLLING = "24h"
_CALENDAR = "day"
_REACH = DAY + HOUR
"""How long after an interval the last window ends that holds it: a local day has 25 hours at most."""
_HOURS_AT_ONCE = 96
"""Hours of all sites in one request, about; each has as many values as the site has KPIs."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The windows of a site that end in ``(low, high]``."""

    site: str
    low: int
    high: int
    revision: int
    again: bool
    """Whether they were written before."""


@dataclass(slots=True)
class _Due:
    """Windows that end in ``(low, high]`` have changed and are written under a revision of their own."""

    low: int
    high: int
    revision: int
    since: int
    """The hour in which they changed, by the machine's clock."""
    cursor: int
    """How far they have been written since this process runs."""
    begun: bool = False


@dataclass(slots=True)
class _Progress:
    front: int | None = None
    """Windows up to here are safe in the remote store; None: nothing was ever written."""
    tried: int = -(2**62)
    """Those up to here may be there."""
    base: int = 0
    """The revision of what is written at the front."""
    number: int = 0
    """The highest revision in use."""
    due: list[_Due] = field(default_factory=list)
    pending: tuple[int, int] | None = None
    """The span of readings that are being analysed."""
    cursor: int | None = None
    """How far the front has been written since this process runs."""

    def document(self) -> str:
        due = [[each.low, each.high, each.revision, each.since] for each in self.due]
        marks = {"front": self.front, "tried": self.tried, "base": self.base, "number": self.number}
        return json.dumps(marks | {"due": due, "pending": self.pending})

    @classmethod
    def of(cls, document: str | None) -> _Progress:
        if document is None:
            return cls()
        kept = json.loads(document)
        pending = None if kept["pending"] is None else (kept["pending"][0], kept["pending"][1])
        due = [_Due(low, high, revision, since, low) for low, high, revision, since in kept["due"]]
        return cls(kept["front"], kept["tried"], kept["base"], kept["number"], due, pending, kept["front"])

    def add(self, low: int, high: int, now: int) -> bool:
        """Windows that end in ``(low, high]`` have changed; whether any of them was ever written."""
        high = min(high, self.tried)
        if low >= high:
            return False
        for each in self.due:
            if not each.begun and low <= each.high and high >= each.low:
                each.low = each.cursor = min(low, each.low)
                each.high = max(high, each.high)
                return True
        self.number += 1
        self.due.append(_Due(low, high, self.number, floor_to(now, HOUR), low))
        return True


def kpi_series(config: Config, store: ReadingStore, book: KpiBook) -> KpiSeries:
    """The series of a configuration; without any site where none are to be written.

    Windows are over when live readings are in for every KPI, and a grid interval later, when they have settled.
    """
    remote = config.store.remote
    sites = config.sites if remote is not None and remote.kpi_series else {}

    def over(site: str, now: int) -> int:
        return min(book.live_edge(site, kpi, now) for kpi in KPIS) - config.grid

    return KpiSeries(store, sites, book.value, over)


class KpiSeries:
    """What is to be written of every site. The analysis and whoever writes may call it from threads of their own."""

    def __init__(
        self,
        store: ReadingStore,
        sites: Mapping[str, Site],
        value: Callable[[str, str, Window], KpiValue],
        over: Callable[[str, int], int],
    ) -> None:
        """``over``: the instant before which a site's windows are over, by site and the machine's clock."""
        self._store = store
        self._sites = sites
        self._value = value
        self._over = over
        self._lock = threading.RLock()
        self._progress = {site: _Progress.of(store.load_state(STATE + site)) for site in sites}
        self._unsafe: deque[tuple[float, Piece]] = deque()
        self._look_at = -(2**62)
        """By the machine's clock: when to look next whether a window has come to an end."""

    # -- for who analyses -------------------------------------------------------------------------------------

    def before(self, dirt: DirtySet, now: int) -> None:
        """Before ``dirt`` is analysed: notes durably what may change, so that a crash in between is made up for."""
        with self._lock:
            spans: dict[str, tuple[int, int]] = {}
            for each in dirt.meters:
                low, high = spans.get(each.key[0], (each.low, each.high))
                spans[each.key[0]] = (min(low, each.low), max(high, each.high))
            touched = []
            for site, progress in self._progress.items():
                span = spans.get(site)
                if progress.pending is not None:  # an earlier analysis was not followed to its end
                    progress.add(progress.pending[0], progress.pending[1] + _REACH, now)
                if progress.pending is not None or (span is not None and span[0] < progress.tried):
                    progress.pending = span
                    touched.append(site)
            self._save(touched)

    def after(self, changed: Sequence[Changed], now: int) -> None:
        """After interval values have changed: what was made of them is to be written again."""
        with self._lock:
            touched = {site for site, progress in self._progress.items() if progress.pending is not None}
            for each in changed:
                progress = self._progress.get(each.site)
                if progress is None or each.start >= progress.tried:  # most are: where data begin need not be asked
                    continue
                if progress.add(max(each.start, self._begin(each.site)), each.end + _REACH, now):
                    touched.add(each.site)
            for site in touched:
                self._progress[site].pending = None
            self._save(touched)
            self._look_at = min(self._look_at, now)

    # -- for who writes ---------------------------------------------------------------------------------------

    def busy(self, now: int) -> bool:
        """Whether something is to be written, or is not safe yet; ``now``: the machine's clock, microseconds UTC."""
        return bool(self._unsafe) or bool(self.take(now))

    def take(self, now: int) -> Sequence[Piece]:
        """The next pieces to write, some hours of one site or of many; empty where there is nothing to do."""
        with self._lock:
            if now < self._look_at:
                return ()
            pieces: list[Piece] = []
            for site, progress in self._progress.items():
                piece = self._front(site, progress, now) or self._again(site, progress, now)
                if piece is not None:
                    pieces.append(piece)
                if sum((each.high - each.low) // HOUR for each in pieces) >= _HOURS_AT_ONCE:
                    break
            if not pieces:
                self._look_at = now + MINUTE
            return pieces

    def points(self, pieces: Iterable[Piece]) -> list[KpiPoint]:
        """The values of pieces; windows without one are left out. Notes durably what may be written from now on."""
        pieces = list(pieces)
        with self._lock:
            new = [piece for piece in pieces if not piece.again and piece.high > self._progress[piece.site].tried]
            for piece in new:
                self._progress[piece.site].tried = piece.high
            for piece in pieces:
                if (due := self._due(piece)) is not None:
                    due.begun = True
            self._save({piece.site for piece in new})
        return [point for piece in pieces for point in self._points(piece)]

    def wrote(self, pieces: Iterable[Piece], now: float) -> None:
        """They are acknowledged; ``now`` is seconds of a clock that never steps."""
        with self._lock:
            for piece in pieces:
                if not piece.again:
                    self._progress[piece.site].cursor = piece.high
                elif (due := self._due(piece)) is not None:
                    due.cursor = piece.high
                self._unsafe.append((now, piece))

    def settle(self, before: float) -> None:
        """What was acknowledged before is safe."""
        with self._lock:
            touched = set()
            while self._unsafe and self._unsafe[0][0] <= before:
                piece = self._unsafe.popleft()[1]
                progress = self._progress[piece.site]
                touched.add(piece.site)
                if not piece.again:
                    progress.front = piece.high
                elif (due := self._due(piece)) is not None:
                    due.low = piece.high
                    progress.due = [each for each in progress.due if each.low < each.high]
            self._save(touched)

    def forgotten(self) -> None:
        """What was acknowledged and is not safe is to be written again."""
        with self._lock:
            self._unsafe.clear()
            self._look_at = -(2**62)
            for progress in self._progress.values():
                progress.cursor = progress.front
                for due in progress.due:
                    due.cursor = due.low

    def anew(self) -> None:
        """Everything is to be written again, as it is now."""
        with self._lock:
            self.forgotten()
            for progress in self._progress.values():
                progress.front = progress.cursor = None
                progress.due.clear()
                progress.number += 1
                progress.base = progress.number
            self._save(self._progress)

    # -- inside -----------------------------------------------------------------------------------------------

    def _begin(self, site: str) -> int:
        extent = self._store.extent(site)
        return 2**62 if extent is None else floor_to(extent[0], HOUR)

    def _front(self, site: str, progress: _Progress, now: int) -> Piece | None:
        if progress.cursor is None:
            progress.cursor = progress.front = self._begin(site)
            if progress.cursor == 2**62:
                progress.cursor = progress.front = None
                return None
        low = progress.cursor
        high = min(floor_to(low, DAY) + DAY, floor_to(self._over(site, now), HOUR))
        return Piece(site, low, high, progress.base, again=False) if low < high else None

    def _again(self, site: str, progress: _Progress, now: int) -> Piece | None:
        for due in progress.due:
            if due.cursor < due.high and due.since != floor_to(now, HOUR):
                return Piece(site, due.cursor, min(floor_to(due.cursor, DAY) + DAY, due.high), due.revision, again=True)
        return None

    def _due(self, piece: Piece) -> _Due | None:
        if not piece.again:
            return None
        return next((due for due in self._progress[piece.site].due if due.revision == piece.revision), None)

    def _points(self, piece: Piece) -> Iterator[KpiPoint]:
        for window in self._windows(piece):
            for kpi in KPIS:
                value = self._value(piece.site, kpi, window).value
                if value is not None and math.isfinite(value):
                    yield KpiPoint(
                        site=piece.site,
                        kpi=kpi,
                        window=window.name or "",
                        at=window.interval.end,
                        value=value,
                        revision=piece.revision,
                    )

    def _windows(self, piece: Piece) -> Iterator[Window]:
        for end in range(floor_to(piece.low, HOUR) + HOUR, piece.high + 1, HOUR):
            yield Window(name=_ROLLING, interval=Interval(end - DAY, end))
        site = self._sites[piece.site]
        for span in calendar_windows(_CALENDAR, piece.low - _REACH, piece.high, site.zone, site.fiscal_year_start):
            if piece.low < span.end <= piece.high:
                yield Window(name=_CALENDAR, interval=span)

    def _save(self, sites: Iterable[str]) -> None:
        documents = {STATE + site: self._progress[site].document() for site in sites}
        if documents:
            self._store.save_states(documents)
