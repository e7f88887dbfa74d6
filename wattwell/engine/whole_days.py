"""The sums of whole UTC days of every site: in memory what was lately asked for, in the store what was ever asked for.

A day is summed from its interval values once. The store keeps the sums under the digest of all that they depend on
beside the interval values, and drops them with the first change of an interval value of that day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, is_dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from analytics.stretches import DAYS, STRETCH, Stretch, condensed, over, row, total, width
from analytics.windows import Layout, Totals
from wattwell import __version__
from wattwell.engine.recent import Recent
from wattwell.intervals import DAY
from wattwell.model import Bool, Float64
from wattwell.store.protocol import DaySums, ReadingStore

_DAYS_ROOM = 128 << 20
"""Bytes of days that are at hand one by one."""
_STRETCHES_ROOM = 64 << 20
"""Bytes of stretches that are at hand as a whole: three hundred site-years of 100 meters, at least."""
_SETTLED = DAY
"""After the end of a day its last readings still come; only then its sums are stored."""
_REVISION = 1
"""Raised when the same interval values come to other sums."""

Make = Callable[[int, int], Sequence[Totals]]
"""(UTC midnight, how many) -> the sums of so many days, from their interval values."""


@dataclass(frozen=True, slots=True)
class _Days:
    """The rows of one stretch's days, as far as they are known."""

    rows: Float64
    known: Bool


def digest(*parts: Any) -> str:
    """A digest of configuration: dataclasses, mappings, sequences, arrays and plain values, in their order."""
    made = hashlib.sha256()
    for piece in _pieces(parts):
        made.update(len(piece).to_bytes(8, "little"))
        made.update(piece)
    return made.hexdigest()[:32]


def _pieces(value: Any) -> Iterator[bytes]:
    if isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape}".encode()
        yield value.tobytes()
    elif is_dataclass(value):
        yield type(value).__name__.encode()
        for each in fields(value):
            yield from _pieces(getattr(value, each.name))
    elif isinstance(value, Mapping):
        yield from _pieces(tuple(value.items()))
    elif isinstance(value, tuple | list):
        yield f"{len(value)} of".encode()
        for each in value:
            yield from _pieces(each)
    elif isinstance(value, Set):
        yield from _pieces(tuple(sorted(value)))
    else:
        yield f"{type(value).__name__} {value!r}".encode()


class SiteDays:
    """What the sums of a site's days depend on besides its interval values, and how they are made of those."""

    def __init__(self, site: str, layout: Layout, made_of: Sequence[Any], make: Make) -> None:
        """``made_of``: the configuration behind the sums."""
        self.site = site
        self.layout = layout
        self.make = make
        self._made_of = made_of
        self._digest: str | None = None

    @property
    def digest(self) -> str:
        """Of all that a day's sums depend on besides its interval values; worked out when it is first asked for."""
        if self._digest is None:
            versions = (__version__, np.__version__, _REVISION)
            self._digest = digest(versions, self.layout.rows, self.layout.peak, self._made_of)
        return self._digest


class WholeDays:
    """The sums of whole days of many sites. Its caller holds a lock."""

    def __init__(self, store: ReadingStore) -> None:
        self._store = store
        self._days: Recent[tuple[str, int], _Days] = Recent(_DAYS_ROOM, lambda days: days.rows.nbytes)
        self._stretches: Recent[tuple[str, int], Stretch] = Recent(_STRETCHES_ROOM, lambda stretch: stretch.size)
        self._unsaved: dict[str, dict[int, set[int]]] = {}
        """By site and stretch: the days that are not in the store."""

    def total(self, site: SiteDays, first: int, end: int) -> Totals:
        """The sums of the days in ``[first, end)``, UTC midnights, correctly rounded."""
        pieces: dict[int, Stretch | None] = {}
        for start in range(first - first % STRETCH, end, STRETCH):
            inside = first <= start and start + STRETCH <= end
            pieces[start] = self._stretches.get((site.site, start)) if inside else None
        lacking = [start for start, piece in pieces.items() if piece is None]
        found = self._found(site, lacking, first, end)
        for start in lacking:
            low, high = max(first, start), min(end, start + STRETCH)
            piece = over(found[start].rows[(low - start) // DAY : (high - start) // DAY], site.layout)
            if high - low == STRETCH:
                piece = condensed(piece)
                self._stretches.put((site.site, start), piece)
            pieces[start] = piece
        return total([piece for piece in pieces.values() if piece is not None], site.layout)

    def _found(self, site: SiteDays, stretches: Sequence[int], first: int, end: int) -> Mapping[int, _Days]:
        """The days of these stretches; those in ``[first, end)`` are all known."""
        found = {start: self._at_hand(site, start) for start in stretches}
        wanted = [
            day
            for start, days in found.items()
            for day in range(max(first, start), min(end, start + STRETCH), DAY)
            if not days.known[(day - start) // DAY]
        ]
        if wanted:
            stored: dict[int, bytes] = {}
            for low, high in _near(wanted):
                stored |= self._store.day_sums(site.site, site.digest, low, high)
            for day in wanted:
                if day in stored:
                    _enter(found, day, np.frombuffer(stored[day]))
            self._make(site, found, [day for day in wanted if day not in stored])
            for start, days in found.items():
                self._days.put((site.site, start), days)
        return found

    def _at_hand(self, site: SiteDays, start: int) -> _Days:
        known = self._days.get((site.site, start))
        return _Days(np.zeros((DAYS, width(site.layout))), np.zeros(DAYS, dtype=np.bool_)) if known is None else known

    def _make(self, site: SiteDays, found: Mapping[int, _Days], days: Sequence[int]) -> None:
        """Sums days from their interval values, those that follow each other at once."""
        unsaved = self._unsaved.setdefault(site.site, {})
        for first, count in _runs(days):
            for place, made in enumerate(site.make(first, count)):
                day = first + place * DAY
                _enter(found, day, row(made))
                unsaved.setdefault(day - day % STRETCH, set()).add(day)

    def forget(self, touched: Callable[[str, int, int], bool]) -> None:
        """Drops the days that are touched; ``touched`` is asked with a site and a span of time."""
        for site, stretches in self._unsaved.items():
            for days in stretches.values():
                days -= {day for day in days if touched(site, day, day + DAY)}
        for (site, start), at_hand in self._days.items():
            if touched(site, start, start + STRETCH):
                every = range(start, start + STRETCH, DAY)
                at_hand.known[[touched(site, day, day + DAY) for day in every]] = False
        self._stretches.drop(lambda key: touched(key[0], key[1], key[1] + STRETCH))

    def keep(self, sites: Mapping[str, SiteDays], now: int) -> None:
        """Stores what was made of days that are over for good; what is still at hand of the others, later.

        No analysis is under way, and :meth:`forget` was told of all that the last one has changed.
        """
        kept = {
            (site, start): {day for day in days if day + DAY + _SETTLED <= now}
            for site, stretches in self._unsaved.items()
            for start, days in stretches.items()
        }
        rows = [each for key, days in kept.items() for each in self._rows(sites, key, days)]
        if rows:
            self._store.keep_day_sums(rows)
        for (site, start), days in kept.items():
            self._unsaved[site][start] -= days
            if not self._unsaved[site][start] or (site, start) not in self._days:
                del self._unsaved[site][start]

    def _rows(self, sites: Mapping[str, SiteDays], key: tuple[str, int], days: Set[int]) -> Iterator[DaySums]:
        site, start = key
        at_hand = self._days.get(key) if days else None
        if at_hand is not None:
            for day in sorted(days):
                place = (day - start) // DAY
                if at_hand.known[place]:
                    yield DaySums(site, day, sites[site].digest, at_hand.rows[place].tobytes())


def _enter(found: Mapping[int, _Days], day: int, row_of_day: Float64) -> None:
    days, place = found[day - day % STRETCH], day % STRETCH // DAY
    days.rows[place], days.known[place] = row_of_day, True


def _near(days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Spans that hold these days, not much else."""
    low = days[0]
    for day, after in pairwise([*days, days[-1] + 2 * STRETCH]):
        if after - day > STRETCH:
            yield low, day + DAY
            low = after


def _runs(days: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Days that follow each other, at most a stretch at once: the first and how many."""
    place = 0
    while place < len(days):
        count = 1
        while count < DAYS and place + count < len(days) and days[place + count] == days[place] + count * DAY:
            count += 1
        yield days[place], count
        place += count
