"""Commissioning: gathers a site's last days for :mod:`analytics.commissioning`, and keeps what was found."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.balance import lay_out
from analytics.closure import balances
from analytics.commissioning import judge
from analytics.commissioning.seen import Finding, Seen, Trace
from wattwell.intervals import DAY, MINUTE, floor_to, iso, starts
from wattwell.model import Float64, Int64, Meter, MeterKey, Reject, Site
from wattwell.store.protocol import ReadingStore

_INTERVAL_SPAN = 7 * DAY
_READING_SPAN = 2 * DAY
_READINGS, _ARRIVALS = 3000, 600
"""Readings of a meter looked at, by its period, where that is less than _READING_SPAN."""
_REJECTS = 5000
_REST = MINUTE
"""Findings are made anew at most so often, and only when figures have changed."""
_NONE: tuple[Int64, Float64] = (np.empty(0, dtype=np.int64), np.empty(0))
_NO_TIMES: tuple[Int64, Int64] = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


@dataclass(slots=True)
class _Kept:
    made: int
    state: int
    findings: list[Finding]


class Commissioning:
    """The findings on each site; safe to ask from several threads."""

    def __init__(self, sites: Mapping[str, Site], grid: int, store: ReadingStore, clock: Callable[[], int]) -> None:
        self._sites, self._grid, self._store, self._clock = sites, grid, store, clock
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._state = 0

    def changed(self) -> None:
        """Figures have changed: what was found is due again."""
        self._state += 1

    def findings(self, site: str) -> list[Finding]:
        """What is wrong with a site's meters, worst first."""
        with self._lock:
            kept, now, state = self._kept.get(site), self._clock(), self._state
            if kept is None or (kept.state != state and not 0 <= now - kept.made < _REST):
                seen = look(self._sites[site], self._store, self._grid)
                kept = self._kept[site] = _Kept(now, state, [] if seen is None else judge(seen))
            return kept.findings


def look(site: Site, store: ReadingStore, grid: int) -> Seen | None:
    """A site's last days; None where nothing was ever received. Work is bounded, however dense the readings are."""
    known, rejects = store.last_readings(), _by_meter(store.rejects(site.id, _REJECTS))
    last = {name: known[site.id, name] for name in site.meters if (site.id, name) in known}
    edge = max(
        [*last.values(), *(max(r.received_at for r in rows) for rows in rejects.values() if not last)], default=None
    )
    if edge is None:
        return None
    end = floor_to(edge, grid)
    at = starts(floor_to(end - _INTERVAL_SPAN, grid), end, grid)
    real = [meter for meter in site.meters.values() if not meter.virtual]
    found = store.intervals(site.id, [meter.id for meter in real], int(at[0]), end)
    serving = [meter for meter in real if meter.in_service.start <= edge < meter.in_service.end]
    readings, arrivals = _readings(store, serving, last, edge), _arrivals(store, serving, last, edge)
    traces = {}
    for meter in serving:
        moments, values = readings.get((site.id, meter.id), _NONE)
        good = ~np.isnan(values)
        sent, received = arrivals.get((site.id, meter.id), _NO_TIMES)
        traces[meter.id] = Trace(
            meter=meter,
            at=moments[good],
            value=values[good],
            sent=sent,
            received=received,
            rejects=tuple(rejects.get(meter.id, ())),
        )
    laid = lay_out(site, found, list(site.meters), at, grid)
    return Seen(site=site, edge=edge, grid=laid, traces=traces, balances=balances(site))


def _by_meter(rows: Iterable[tuple[Reject, int]]) -> Mapping[str, list[Reject]]:
    found: dict[str, list[Reject]] = defaultdict(list)
    for reject, _ in rows:
        if reject.meter is not None:
            found[reject.meter].append(reject)
    return found


def _readings(
    store: ReadingStore, meters: Sequence[Meter], last: Mapping[str, int], edge: int
) -> dict[MeterKey, tuple[Int64, Float64]]:
    found: dict[MeterKey, tuple[Int64, Float64]] = {}
    for keys, start, end in _spans(meters, last, edge, _READINGS):
        found.update(store.readings(keys, start, end))
    return found


def _arrivals(
    store: ReadingStore, meters: Sequence[Meter], last: Mapping[str, int], edge: int
) -> dict[MeterKey, tuple[Int64, Int64]]:
    found: dict[MeterKey, tuple[Int64, Int64]] = {}
    for keys, start, end in _spans(meters, last, edge, _ARRIVALS):
        found.update(store.transits(keys, start, end))
    return found


def _spans(
    meters: Sequence[Meter], last: Mapping[str, int], edge: int, count: int
) -> Iterator[tuple[list[MeterKey], int, int]]:
    """Meters of one period whose last readings lie within the same day, with a span that holds about ``count`` each."""
    groups: dict[tuple[int, int], list[Meter]] = defaultdict(list)
    for meter in meters:
        if meter.id in last:
            groups[meter.period, (edge - last[meter.id]) // DAY].append(meter)
    for (period, _), group in groups.items():
        ends = [last[meter.id] for meter in group]
        span = min(count * period, _READING_SPAN)
        yield [(meter.site, meter.id) for meter in group], min(ends) - span, max(ends) + 1


def document(finding: Finding) -> dict[str, object]:
    """A finding as one of the site's problems."""
    return {
        "meter": finding.meter,
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "since": None if finding.since is None else iso(finding.since),
        "evidence": dict(finding.evidence),
        "remedy": finding.remedy,
    }
