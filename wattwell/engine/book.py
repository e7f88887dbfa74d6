"""KPI values of sites from stored interval values, kept ready by day.

Each site's quantities are summed by UTC day once and again only when interval values of that day change, so a KPI
over a year costs its days, not its intervals, and a new reading costs one day.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from analytics.balance import Quantity, SiteGrid, Terms, inputs, lay_out, members, quantities, sides
from analytics.closure import TOTALS, Balance, Closure, balances, close, columns
from analytics.evaluate import Rules, Window, evaluate
from analytics.fold import FOREVER
from analytics.kpi import KPIS
from analytics.stretches import width
from analytics.windows import DayBlock, Layout, Sums, Totals, day_blocks, hours_within, whole, window_sums
from wattwell.config.settings import Config
from wattwell.engine.analyse import Changed
from wattwell.engine.power import power_columns
from wattwell.engine.recent import Recent
from wattwell.engine.whole_days import SiteDays, WholeDays
from wattwell.errors import StoreError
from wattwell.intervals import DAY, HOUR, Interval, floor_to, starts
from wattwell.model import Float64, KpiValue, Meter, Site, SiteIntervals
from wattwell.store.protocol import ReadingStore

_BULK_DAYS = 31
"""Days loaded at once, of a site where they are not more than _CELLS."""
_CELLS = 2_000_000
"""Interval values loaded at once, about: of a site with more a day, one day."""
_MORE = 64 << 20
"""Bytes at most of what is kept beyond what every site needs."""
AMOUNTS = ("e_dc", "e_it", "import", "water", "water_total", "carbon_location", "carbon_market")
"""Quantities that are asked for by themselves, not as a side of a KPI."""


@dataclass(slots=True)
class _SiteBook:
    site: Site
    meters: tuple[str, ...]
    """Meters that some quantity is made of, virtual ones among them."""
    stored: tuple[str, ...]
    """The real meters behind them."""
    available: Mapping[str, tuple[str, ...]]
    """Quantities that the site has, with the meters that each is made of."""
    terms: Mapping[str, Terms]
    """The sums that they are made of."""
    balances: tuple[Balance, ...]
    concerned: Mapping[str, tuple[Balance, ...]]
    """By KPI: the balances in which a meter that it needs takes part."""
    kpis: tuple[str, ...]
    """Those for which the site has the meters."""
    layout: Layout
    """Where the KPIs, powers and balances stand in the site's blocks."""
    balanced: tuple[Meter, ...]
    """The real meters that are balanced."""
    behind: dict[tuple[str, ...], tuple[Meter, ...]] = field(default_factory=dict)
    """The real meters behind some quantities."""
    made: deque[int] = field(default_factory=lambda: deque(maxlen=4))
    """The days whose intervals were laid out last."""
    first: int | None = None
    """No interval value starts before it; None where that is not known."""


@dataclass(slots=True)
class _Beside:
    """The energy beside the IT load and of it, of the days that windows lately asked for."""

    reach: int = 0
    """The widest window that was asked for."""
    days: dict[int, Float64] = field(default_factory=dict)
    """By UTC midnight: (2, intervals), kWh."""


class KpiBook:
    """KPI values of every site of a configuration; safe to ask from several threads."""

    def __init__(self, config: Config, store: ReadingStore, powers: Collection[str] = ()) -> None:
        """``powers``: the subsystems whose mean power over windows will be asked for."""
        self._store = store
        self._powers = tuple(powers)
        self._grid, self._late_by = config.grid, config.behind
        self._rules = Rules(grid=config.grid, full=config.full, provisional=config.provisional)
        self._lock = threading.RLock()
        self._sites = {site.id: _open(site, self._powers) for site in config.sites.values()}
        widths = [8 * width(book.layout) for book in self._sites.values()]
        days = [each * (DAY // self._grid + 1) for each in widths]
        self._blocks: Recent[tuple[str, int], DayBlock] = Recent(_room(days, 8, 2 * _BULK_DAYS), lambda each: each.size)
        self._middles: Recent[tuple[str, int, int], Totals] = Recent(_room(widths, 16, 1024), lambda each: each.size)
        self._windows: Recent[tuple[str, int, int], Totals] = Recent(_room(widths, 16, 1024), lambda each: each.size)
        self._beside: dict[str, _Beside] = {}
        self._whole = WholeDays(store)
        self._summed = {
            name: SiteDays(name, book.layout, (book.site, self._grid, self._powers), partial(self._days, book))
            for name, book in self._sites.items()
        }

    def forget(self, changes: Iterable[Changed]) -> None:
        """Drops what was made from interval values that have changed."""
        spans: dict[str, list[Interval]] = {}
        for change in changes:
            if change.site in self._sites:
                spans.setdefault(change.site, []).append(Interval(floor_to(change.start, DAY), change.end))

        def touched(site: str, low: int, high: int) -> bool:
            return any(low < span.end and high > span.start for span in spans.get(site, ()))

        with self._lock:
            for site, changed in spans.items():
                book = self._sites[site]
                if book.first is not None and any(span.start < book.first for span in changed):
                    book.first = None
                kept = self._beside[site].days if site in self._beside else {}
                for day in [day for day in kept if touched(site, day, day + DAY)]:
                    del kept[day]
            self._whole.forget(touched)
            self._blocks.drop(lambda key: touched(key[0], key[1], key[1] + DAY))
            self._middles.drop(lambda key: touched(*key))
            self._windows.drop(lambda key: touched(*key))

    def follow(self, analysis: Callable[[], list[Changed]]) -> list[Changed]:
        """Runs an analysis and drops what was made from interval values that it has changed; all, where it fails."""
        try:
            changed = analysis()
        except BaseException:
            self.forget(Changed(site, -FOREVER, FOREVER) for site in self._sites)
            raise
        self.forget(changed)
        return changed

    def keep(self, now: int) -> None:
        """Stores the sums of days that are over, for those who ask after this process has ended; ``now``: UTC.

        No analysis may be under way.
        """
        with self._lock:
            self._whole.keep(self._summed, now)

    def keep_meanwhile(self, analysing: threading.Lock, now: int) -> None:
        """The same for who only asks: not while an analysis is under way, which will do it when it is done.

        A store that cannot take the sums is no fault of the figures; the next analysis tries again, and says so.
        """
        if analysing.acquire(blocking=False):
            try:
                with contextlib.suppress(StoreError):
                    self.keep(now)
            finally:
                analysing.release()

    def ready(self, days: Iterable[tuple[str, int]]) -> None:
        """Makes the blocks of these (site, UTC midnight) that are not at hand, those of a day in one read."""
        lacking: dict[int, list[str]] = {}
        with self._lock:
            for site, day in days:
                if self._sites[site].layout.rows and self._blocks.get((site, day)) is None:
                    lacking.setdefault(day, []).append(site)
            for day, sites in lacking.items():
                found = self._store.intervals_of({site: self._sites[site].stored for site in sites}, day, day + DAY)
                for site in sites:
                    (block,) = self._blocks_of(self._sites[site], found[site], day, 1)
                    self._blocks.put((site, day), block)

    def value(self, site: str, kpi: str, window: Window) -> KpiValue:
        """One KPI of one site over one window, whose ends are grid edges."""
        book, made = self._sites[site], KPIS[kpi]
        span = hours_within(window.interval) if made.hourly else window.interval
        with self._lock:
            sums = self._sums(book, kpi, span) if kpi in book.layout.rows else None
        return evaluate(book.site, made, window, sums, book.available, self._rules)

    def power(self, site: str, subsystem: str, window: Interval) -> tuple[float | None, float]:
        """The mean kilowatts of a subsystem over the intervals in which it is known, and their share of the window.

        ``subsystem`` is one of ``powers``; the window's ends are grid edges.
        """
        book, name = self._sites[site], _power_key(subsystem)
        if name not in book.layout.rows:
            return None, 0.0
        with self._lock:
            sums = self._sums(book, name, window)
        count = window.width // self._grid
        return (sums.sums[0] / sums.usable if sums.usable else None), sums.usable / count if count else 0.0

    def amount(self, site: str, quantity: str, window: Interval) -> tuple[float | None, float]:
        """What a quantity of AMOUNTS comes to over the intervals in which it is known, and their share of the window.

        kWh, L or kg; the window's ends are grid edges.
        """
        book, name = self._sites[site], _amount_key(quantity)
        count = window.width // self._grid
        if name not in book.layout.rows or not count:
            return None, 0.0
        with self._lock:
            sums = self._sums(book, name, window)
        return (sums.sums[0] if sums.usable else None), sums.usable / count

    def beside(self, site: str, start: int, end: int) -> tuple[Float64, Float64]:
        """kWh beside the IT load and of it on each grid interval in ``[start, end)``; NaN where either is not known.

        Where ``powers`` has the total and the IT load.
        """
        book = self._sites[site]
        with self._lock:
            kept = self._beside.setdefault(site, _Beside())
            kept.reach = max(kept.reach, end - start + DAY)
            first = floor_to(start, DAY)
            for day in range(first, end, DAY):
                if day not in kept.days:
                    kept.days[day] = self._beside_of(book, day)
                    for old in [old for old in kept.days if old < day - kept.reach]:
                        del kept.days[old]
            columns = np.concatenate([kept.days[day] for day in range(first, end, DAY)], axis=1)
        low = (start - first) // self._grid
        chosen = columns[:, low : low + (end - start) // self._grid]
        return chosen[0], chosen[1]

    def _beside_of(self, book: _SiteBook, day: int) -> Float64:
        block, names = self._block(book, day), [_power_key("total"), _power_key("it")]
        if not all(name in book.layout.rows for name in names):
            return np.full((2, DAY // self._grid), np.nan)
        total, it = (block.values[book.layout.rows[name].start] for name in names)
        known = np.diff(block.usable[[book.layout.place[name] for name in names]], axis=1).all(axis=0)
        return np.where(known, np.stack([total - it, it]), np.nan) * (self._grid / HOUR)

    def closures(self, site: str, window: Window, kpi: str | None = None) -> list[Closure]:
        """The balances of a site's meter tree over a window; for a KPI those of meters that it needs, in total."""
        book = self._sites[site]
        with self._lock:
            chosen = book.balances if kpi is None else book.concerned[kpi]
            shown = None if kpi is None else len(TOTALS)
            sums = [self._sums(book, _key(balance), window.interval, shown) for balance in chosen]
        return [
            close(book.site, balance, window, found, self._rules) for balance, found in zip(chosen, sums, strict=True)
        ]

    def live_edge(self, site: str, kpi: str, now: int) -> int:
        """The last grid edge not after now less the longest period of the meters that a KPI needs."""
        return floor_to(now - self.longest_period(site, kpi, now), self._grid)

    def longest_period(self, site: str, kpi: str, now: int) -> int:
        """The longest ``period`` of the meters that a KPI needs, microseconds, longer where readings are followed.

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
        """The longest ``period`` of the meters behind some quantities, likewise."""
        book, asked = self._sites[site], tuple(names)
        if asked not in book.behind:
            book.behind[asked] = _real(book.site, self._meters(site, asked))
        return self._longest_period(book.behind[asked], now)

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
        """The longest ``period`` of the meters that are balanced, likewise."""
        book = self._sites[site]
        return self._longest_period(book.balanced, now)

    def _longest_period(self, meters: Iterable[Meter], now: int) -> int:
        serving = [m.period for m in meters if m.in_service.start <= now < m.in_service.end + m.period]
        return max(serving) + self._late_by if serving else 0

    def quantities(self, site: str, start: int, end: int) -> Mapping[str, Quantity]:
        """The site's quantities on the grid intervals in ``[start, end)``."""
        book = self._sites[site]
        return quantities(book.site, self._laid_out(book, start, end))

    def _laid_out(self, book: _SiteBook, start: int, end: int) -> SiteGrid:
        return self._spread(book, self._store.intervals(book.site.id, book.stored, start, end), start, end)

    def _spread(self, book: _SiteBook, found: SiteIntervals, start: int, end: int) -> SiteGrid:
        return lay_out(book.site, found, (*book.stored, *book.meters), starts(start, end, self._grid), self._grid)

    def _sums(self, book: _SiteBook, name: str, span: Interval, most: int | None = None) -> Sums:
        """A figure's sums over a span; of its quantities the first ``most``."""
        key = (book.site.id, span.start, span.end)
        known = self._windows.get(key)
        if known is None:
            known = window_sums(
                span.start,
                span.end,
                self._grid,
                lambda day: self._block(book, day),
                lambda first, end: self._middle(book, first, end),
            )
            self._windows.put(key, known)
        return known.of(name, book.layout, most)

    def _middle(self, book: _SiteBook, first: int, end: int) -> Totals:
        key = (book.site.id, first, end)
        known = self._middles.get(key)
        if known is None:
            known = self._whole.total(self._summed[book.site.id], first, end)
            self._middles.put(key, known)
        return known

    def _block(self, book: _SiteBook, day: int) -> DayBlock:
        known = self._blocks.get((book.site.id, day))
        if known is None:
            # A window has its two ends; who asks for a third day in turn goes on.
            walking = {day - DAY, day - 2 * DAY} <= set(book.made)
            made = self._make(book, day, min(_BULK_DAYS, self._at_once(book)) if walking else 1)
            # Days ahead without data have not come yet: at the live edge they would only push others out.
            filled = max((place for place, block in enumerate(made) if block.usable[:, -1].any()), default=0)
            for offset, block in enumerate(made[: filled + 1]):
                self._blocks.put((book.site.id, day + offset * DAY), block)
                book.made.append(day + offset * DAY)
            known = made[0]
        return known

    def _days(self, book: _SiteBook, day: int, count: int) -> list[Totals]:
        """The sums of so many whole days from ``day`` on, from their interval values."""
        at_hand = [self._blocks.get((book.site.id, day + place * DAY)) for place in range(count)]
        known = [whole(block) for block in at_hand if block is not None]
        if len(known) == count:
            return known
        step = self._at_once(book)
        blank = 0 if step >= count else min(count, max(0, (self._first(book) - day) // DAY))
        parts = [(day, blank)] if blank else []
        parts += [(day + place * DAY, min(step, count - place)) for place in range(blank, count, step)]
        return [whole(block) for first, some in parts for block in self._make(book, first, some)]

    def _first(self, book: _SiteBook) -> int:
        """No interval value of a site starts before it."""
        if book.first is None:
            extent = self._store.extent(book.site.id)
            book.first = FOREVER if extent is None else extent[0]
        return book.first

    def _at_once(self, book: _SiteBook) -> int:
        """How many days of a site are loaded at once."""
        return max(1, _CELLS // (max(1, len(book.stored)) * (DAY // self._grid)))

    def _make(self, book: _SiteBook, day: int, count: int) -> list[DayBlock]:
        found = self._store.intervals(book.site.id, book.stored, day, day + count * DAY)
        return self._blocks_of(book, found, day, count)

    def _blocks_of(self, book: _SiteBook, found: SiteIntervals, day: int, count: int) -> list[DayBlock]:
        """The blocks of so many days from ``day`` on, from all of their interval values."""
        grid = self._spread(book, found, day, day + count * DAY)
        made = quantities(book.site, grid, book.terms)
        required = {name: quantity.required() for name, quantity in made.items()}
        figures = {
            name: [required[each] if each in KPIS[name].needs else made[each] for each in KPIS[name].quantities(made)]
            for name in book.kpis
        }
        if self._powers and made:
            power = power_columns(made, self._grid)
            figures |= {_power_key(name): [_known(power[name])] for name in self._powers}
        figures |= {_amount_key(name): [required[name]] for name in AMOUNTS if name in required}
        figures |= {_key(balance): columns(book.site, balance, grid) for balance in book.balances}
        return day_blocks(figures, book.layout, count)


def _room(sizes: Collection[int], each: int, more: int) -> int:
    """Bytes for so many entries of every site, and for so many more of one where they are not too large."""
    return each * sum(sizes) + min(more * max(sizes, default=0), _MORE)


def _known(column: Float64) -> Quantity:
    """A column as a quantity of its own: usable where it is a number."""
    known = np.isfinite(column)
    return Quantity(value=column, usable=known, served=known, measured=np.ones(len(column)))


def _open(site: Site, powers: Iterable[str]) -> _SiteBook:
    available, tree = inputs(site), balances(site)
    kpis = {name: kpi for name, kpi in KPIS.items() if not kpi.missing(available)}
    widths = {name: len(kpi.quantities(available)) for name, kpi in kpis.items()}
    widths |= {_power_key(name): 1 for name in powers if available}
    widths |= {_amount_key(name): 1 for name in AMOUNTS if name in available}
    widths |= {_key(balance): len(TOTALS) + len(balance.children) for balance in tree}
    meters = tuple(
        dict.fromkeys(meter for names in (*available.values(), *(b.meters for b in tree)) for meter in names)
    )
    stored = tuple(dict.fromkeys(member for meter in meters for member in members(site, meter)))
    concerned = {name: _concerned(site, kpi.quantities(available), available, tree) for name, kpi in KPIS.items()}
    return _SiteBook(
        site=site,
        meters=meters,
        stored=stored,
        available=available,
        terms=sides(site),
        balances=tree,
        concerned=concerned,
        kpis=tuple(kpis),
        balanced=_real(site, {meter for balance in tree for meter in balance.meters}),
        layout=Layout.of(widths, [name for name, kpi in kpis.items() if kpi.peak]),
    )


def _concerned(
    site: Site, needed: Iterable[str], available: Mapping[str, tuple[str, ...]], tree: Sequence[Balance]
) -> tuple[Balance, ...]:
    """The balances that share a real meter with some quantities."""
    own = {member for name in needed for meter in available.get(name, ()) for member in members(site, meter)}
    return tuple(b for b in tree if not own.isdisjoint(real for meter in b.meters for real in members(site, meter)))


def _real(site: Site, chosen: Iterable[str]) -> tuple[Meter, ...]:
    return tuple(site.meters[name] for name in {member for meter in chosen for member in members(site, meter)})


def _key(balance: Balance) -> str:
    """A name that no KPI has: meter ids hold no space, and KPI names neither."""
    return f"balance {balance.parent}"


def _amount_key(quantity: str) -> str:
    return f"amount {quantity}"


def _power_key(subsystem: str) -> str:
    return f"power {subsystem}"
