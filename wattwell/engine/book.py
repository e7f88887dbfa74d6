"""KPI values of sites from stored interval values, kept ready by day.

Each site's quantities are summed by UTC day once and again only when interval values of that day change, so a KPI
over a year costs its days, not its intervals, and a new reading costs one day.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from analytics.balance import Quantity, SiteGrid, inputs, lay_out, members, quantities
from analytics.closure import TOTALS, Balance, Closure, balances, close, columns
from analytics.evaluate import Rules, Window, evaluate
from analytics.kpi import KPIS
from analytics.kpi.base import Kpi
from analytics.windows import DayBlock, Sums, day_blocks, total, whole, window_sums
from wattwell.config.settings import Config
from wattwell.engine.analyse import Changed
from wattwell.intervals import DAY, floor_to, starts
from wattwell.model import KpiValue, Site
from wattwell.store.protocol import ReadingStore

_BULK_DAYS = 31
"""Days loaded at once."""
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class _Recent(Generic[_K, _V]):
    """The most recently used entries, at most ``size``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K) -> _V | None:
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: _K, value: _V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, stale: Callable[[_K], bool]) -> None:
        for key in [key for key in self._entries if stale(key)]:
            del self._entries[key]


@dataclass(slots=True)
class _SiteBook:
    site: Site
    meters: tuple[str, ...]
    """Meters that some quantity is made of, virtual ones among them."""
    stored: tuple[str, ...]
    """The real meters behind them."""
    available: Mapping[str, tuple[str, ...]]
    """Quantities that the site has, with the meters that each is made of."""
    balances: tuple[Balance, ...]
    concerned: Mapping[str, tuple[Balance, ...]]
    """By KPI: the balances in which a meter that it needs takes part."""
    totals: dict[int, Mapping[str, Sums]] = field(default_factory=dict)
    """By UTC midnight, then KPI or balance: the sums of a whole day."""


class KpiBook:
    """KPI values of every site of a configuration; safe to ask from several threads."""

    def __init__(self, config: Config, store: ReadingStore) -> None:
        self._store = store
        self._grid = config.grid
        self._rules = Rules(grid=config.grid, full=config.full, provisional=config.provisional)
        self._lock = threading.RLock()
        self._blocks: _Recent[tuple[str, int], Mapping[str, DayBlock]] = _Recent(2 * _BULK_DAYS + 8 * len(config.sites))
        self._middles: _Recent[tuple[str, str, int, int], Sums] = _Recent(4096)
        self._sites = {site.id: _open(site) for site in config.sites.values()}

    def forget(self, changes: Iterable[Changed]) -> None:
        """Drops what was made from interval values that have changed."""
        with self._lock:
            for change in changes:
                book = self._sites.get(change.site)
                if book is not None:
                    self._forget(book, floor_to(change.start, DAY), change.end)

    def _forget(self, book: _SiteBook, first: int, end: int) -> None:
        site = book.site.id
        for day in [day for day in book.totals if first <= day < end]:
            del book.totals[day]
        self._blocks.drop(lambda key: key[0] == site and first <= key[1] < end)
        self._middles.drop(lambda key: key[0] == site and key[2] < end and key[3] > first)

    def value(self, site: str, kpi: str, window: Window) -> KpiValue:
        """One KPI of one site over one window, whose ends are grid edges."""
        book, made = self._sites[site], KPIS[kpi]
        with self._lock:
            width = len(made.quantities(book.available))
            sums = None if made.missing(book.available) else self._sums(book, kpi, width, window)
        return evaluate(book.site, made, window, sums, book.available, self._rules)

    def closures(self, site: str, window: Window, kpi: str | None = None) -> list[Closure]:
        """The balances of a site's meter tree over a window; for a KPI those of meters that it needs, in total."""
        book = self._sites[site]
        with self._lock:
            if kpi is None:
                chosen, width = book.balances, len(TOTALS)
                sums = [self._sums(book, _key(b), width + len(b.children), window) for b in chosen]
            else:
                chosen = book.concerned[kpi]
                sums = [self._sums(book, _key(b, in_total=True), len(TOTALS), window) for b in chosen]
        return [
            close(book.site, balance, window, found, self._rules) for balance, found in zip(chosen, sums, strict=True)
        ]

    def live_edge(self, site: str, kpi: str, now: int) -> int:
        """The last grid edge not after now less the longest period of the meters that a KPI needs."""
        return floor_to(now - self.longest_period(site, kpi, now), self._grid)

    def longest_period(self, site: str, kpi: str, now: int) -> int:
        """The longest ``period`` of the meters that a KPI needs, microseconds.

        A meter counts from its ``from`` until one period, in which its last readings still come, after its ``until``.
        """
        return self.period(site, self.needs(site, kpi), now)

    def needs(self, site: str, kpi: str) -> tuple[str, ...]:
        """The quantities that a KPI is made of at a site."""
        return KPIS[kpi].quantities(self._sites[site].available)

    def lacks(self, site: str, kpi: str) -> bool:
        """Whether the site has no meters for what a KPI needs."""
        return bool(KPIS[kpi].missing(self._sites[site].available))

    def period(self, site: str, names: Iterable[str], now: int) -> int:
        """The longest ``period`` of the meters behind some quantities, microseconds."""
        return _longest_period(self._sites[site].site, self._meters(site, names), now)

    def meters(self, site: str, names: Iterable[str]) -> frozenset[str]:
        """The real meters behind some quantities."""
        chosen = self._sites[site].site
        return frozenset(real for meter in self._meters(site, names) for real in members(chosen, meter))

    def _meters(self, site: str, names: Iterable[str]) -> set[str]:
        available = self._sites[site].available
        return {meter for name in names for meter in available.get(name, ())}

    def balance_edge(self, site: str, now: int) -> int:
        """The last grid edge not after now less the longest period of the meters that are balanced."""
        return floor_to(now - self.balance_period(site, now), self._grid)

    def balance_period(self, site: str, now: int) -> int:
        """The longest ``period`` of the meters that are balanced, microseconds."""
        book = self._sites[site]
        return _longest_period(book.site, {meter for balance in book.balances for meter in balance.meters}, now)

    def quantities(self, site: str, start: int, end: int) -> Mapping[str, Quantity]:
        """The site's quantities on the grid intervals in ``[start, end)``."""
        book = self._sites[site]
        return quantities(book.site, self._laid_out(book, start, end))

    def _laid_out(self, book: _SiteBook, start: int, end: int) -> SiteGrid:
        found = self._store.intervals(book.site.id, book.stored, start, end)
        return lay_out(book.site, found, (*book.stored, *book.meters), starts(start, end, self._grid), self._grid)

    def _sums(self, book: _SiteBook, name: str, width: int, window: Window) -> Sums:
        span = window.interval
        return window_sums(
            span.start,
            span.end,
            self._grid,
            lambda day: self._block(book, day)[name],
            lambda first, end: self._middle(book, name, width, first, end),
        )

    def _middle(self, book: _SiteBook, name: str, width: int, first: int, end: int) -> Sums:
        key = (book.site.id, name, first, end)
        known = self._middles.get(key)
        if known is None:
            days = range(first, end, DAY)
            self._load(book, [day for day in days if day not in book.totals])
            known = total([book.totals[day][name] for day in days], width)
            self._middles.put(key, known)
        return known

    def _block(self, book: _SiteBook, day: int) -> Mapping[str, DayBlock]:
        known = self._blocks.get((book.site.id, day))
        if known is None:
            walking = self._blocks.get((book.site.id, day - DAY)) is not None
            made = self._make(book, day, _BULK_DAYS if walking else 1)
            # Days ahead without data have not come yet: at the live edge they would only push others out.
            filled = max((place for place, blocks in enumerate(made) if _filled(blocks)), default=0)
            for offset, blocks in enumerate(made[: filled + 1]):
                self._blocks.put((book.site.id, day + offset * DAY), blocks)
            known = made[0]
        return known

    def _load(self, book: _SiteBook, days: Sequence[int]) -> None:
        """Makes the totals of days that are not known, a stretch at a time."""
        for index, day in enumerate(days):
            if (made := self._blocks.get((book.site.id, day))) is not None:
                book.totals[day] = {name: whole(block) for name, block in made.items()}
            if day in book.totals:
                continue
            ahead = [d for place, d in enumerate(days[index : index + _BULK_DAYS]) if d == day + place * DAY]
            for offset, blocks in enumerate(self._make(book, day, len(ahead))):
                book.totals[day + offset * DAY] = {name: whole(block) for name, block in blocks.items()}

    def _make(self, book: _SiteBook, day: int, count: int) -> list[Mapping[str, DayBlock]]:
        grid = self._laid_out(book, day, day + count * DAY)
        found = quantities(book.site, grid)
        made = {
            name: day_blocks(_taken(kpi, found), count, kpi.peak)
            for name, kpi in KPIS.items()
            if not kpi.missing(book.available)
        }
        for balance in book.balances:
            blocks = day_blocks(columns(book.site, balance, grid), count, peaks=False)
            made[_key(balance)] = blocks
            made[_key(balance, in_total=True)] = [replace(b, values=b.values[: len(TOTALS)]) for b in blocks]
        return [{name: blocks[place] for name, blocks in made.items()} for place in range(count)]


def _filled(blocks: Mapping[str, DayBlock]) -> bool:
    return any(block.usable[-1] for block in blocks.values())


def _taken(kpi: Kpi, found: Mapping[str, Quantity]) -> list[Quantity]:
    """The columns that a KPI sums, in the order of ``Kpi.quantities``."""
    return [found[name].required() if name in kpi.needs else found[name] for name in kpi.quantities(found)]


def _open(site: Site) -> _SiteBook:
    available, tree = inputs(site), balances(site)
    meters = tuple(
        dict.fromkeys(meter for names in (*available.values(), *(b.meters for b in tree)) for meter in names)
    )
    stored = tuple(dict.fromkeys(member for meter in meters for member in members(site, meter)))
    concerned = {name: _concerned(site, kpi.quantities(available), available, tree) for name, kpi in KPIS.items()}
    return _SiteBook(site=site, meters=meters, stored=stored, available=available, balances=tree, concerned=concerned)


def _concerned(
    site: Site, needed: Iterable[str], available: Mapping[str, tuple[str, ...]], tree: Sequence[Balance]
) -> tuple[Balance, ...]:
    """The balances that share a real meter with some quantities."""
    own = {member for name in needed for meter in available.get(name, ()) for member in members(site, meter)}
    return tuple(b for b in tree if not own.isdisjoint(real for meter in b.meters for real in members(site, meter)))


def _longest_period(site: Site, chosen: Iterable[str], now: int) -> int:
    real = {site.meters[member] for meter in chosen for member in members(site, meter)}
    serving = [m.period for m in real if m.in_service.start <= now < m.in_service.end + m.period]
    return max(serving, default=0)


def _key(balance: Balance, *, in_total: bool = False) -> str:
    """A name that no KPI has: meter ids hold no space, and KPI names neither."""
    return f"total {balance.parent}" if in_total else f"balance {balance.parent}"
