"""A site's stored interval values over a period, for reports and exports."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from analytics.report.period import PeriodData, Stretch, period, stretch
from wattwell.intervals import DAY, Interval, ceil_to, floor_to, starts
from wattwell.model import Site, SiteIntervals
from wattwell.store.protocol import ReadingStore

_CELLS = 4_000_000
"""Interval values laid out at once, about; some 50 bytes each."""


def load_period(
    store: ReadingStore, site: Site, span: Interval, grid: int, digest: IntervalDigest | None = None
) -> PeriodData:
    """All that reports need of a site over a period, whose ends are grid edges; ``digest`` takes in what was read."""
    return period(site, span, grid, _stretches(store, site, span, grid, digest))


def _stretches(
    store: ReadingStore, site: Site, span: Interval, grid: int, digest: IntervalDigest | None
) -> Iterator[Stretch]:
    real = [name for name, meter in site.meters.items() if not meter.virtual]
    days = max(_CELLS * grid // (DAY * max(len(real), 1)), 1)
    first, end = floor_to(span.start, DAY), ceil_to(span.end, DAY)
    for low in range(first, end, days * DAY):
        high = min(low + days * DAY, end)
        found = store.intervals(site.id, real, low, high)
        if digest is not None:
            digest.add(found, span)
        yield stretch(site, found, starts(low, high, grid), grid, span)


class IntervalDigest:
    """The SHA-256 of interval values: equal where every value of every meter is, to the last bit."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, found: SiteIntervals, span: Interval) -> None:
        """Takes in those that start in a span, meter by meter."""
        values = found.values
        within = (values.start >= span.start) & (values.start < span.end)
        bounds = np.searchsorted(found.meter, np.arange(len(found.meters) + 1))
        for place, meter in sorted(enumerate(found.meters), key=lambda each: each[1]):
            rows = np.arange(bounds[place], bounds[place + 1])[within[bounds[place] : bounds[place + 1]]]
            if len(rows):
                self._hash.update(f"{meter} {len(rows)}\n".encode())
                for column in (values.start, values.value, values.measured, values.recovered):
                    self._hash.update(np.ascontiguousarray(column[rows]).tobytes())

    @property
    def hex(self) -> str:
        """Of all that was taken in."""
        return self._hash.hexdigest()
