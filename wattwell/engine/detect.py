"""The detector in the house: reads a site's interval values, walks :mod:`analytics.anomaly` along them, and waits.

A walk stays in memory from one advance to the next; after a start it is walked again from the stored interval values,
with the same result. Where values change, it goes back to the last mark before them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.anomaly import compose
from analytics.anomaly.detector import run
from analytics.anomaly.frame import Frame, hourly
from analytics.anomaly.inspection import Log, inspect
from analytics.anomaly.marks import extended, rewind
from analytics.anomaly.quality import models
from analytics.anomaly.settings import Settings
from analytics.anomaly.unjudged import unjudged
from analytics.anomaly.walk import Walk, begin
from analytics.balance import lay_out
from wattwell.engine.findings import Advance, Known
from wattwell.finding import Finding
from wattwell.intervals import DAY, HOUR, floor_to, starts
from wattwell.model import Float64, Maintenance, MeterEvent, Site
from wattwell.store.protocol import ReadingStore

_BLOCK = 364 * DAY
"""A walk begins at the start of such a block, two blocks before the one it is in: it has two to three years."""


@dataclass(slots=True)
class _Kept:
    walk: Walk
    maintenance: tuple[Maintenance, ...]
    log: Log
    """What the physical rules said."""
    overhead: Float64
    """kW beside the IT load expected in each hour of the walk."""


class SiteDetector:
    """Looks for findings in the interval values of a store; see :class:`~wattwell.engine.findings.Detector`."""

    def __init__(self, store: ReadingStore, grid: int, settings: Settings | None = None) -> None:
        self._store, self._grid = store, grid
        self._settings = settings or Settings()
        self._kept: dict[str, _Kept] = {}
        self._begins: dict[str, int] = {}

    def cold(self, site: Site, until: int, since_changed: int | None, known: Known) -> bool:
        """See :class:`~wattwell.engine.findings.Detector`."""
        first, kept = self._first(site, until, since_changed), self._kept.get(site.id)
        return first is not None and not (kept and _goes_on(kept, site, first, since_changed, known))

    def advance(self, site: Site, until: int, since_changed: int | None, known: Known) -> Advance | None:
        """Walks to the last whole hour before ``until``; None where no hour is new."""
        first = self._first(site, until, since_changed)
        end = floor_to(until, HOUR)
        if first is None or end <= first:
            return None
        # Should a walk fail halfway, it is not taken up again.
        kept = self._kept.pop(site.id, None)
        if kept is None or not _goes_on(kept, site, first, since_changed, known):
            frame, log = self._frame(site, first, end), Log()
            walk = begin(site, frame, self._settings, self._events(site), known.maintenance, known.feedback)
        else:
            here = kept.walk.instant(kept.walk.hour)
            low = here if since_changed is None else min(here, floor_to(since_changed, HOUR))
            if low == here and end <= here:
                self._kept[site.id] = kept
                return None
            walk, log = self._continued(kept.walk, low, end, known), kept.log
            log.forget((low - first) // HOUR, walk)
        run(walk)
        told = self._told(walk, log, end, known)
        self._kept[site.id] = _Kept(walk, known.maintenance, log, _overhead(walk))
        return told

    def _first(self, site: Site, until: int, since_changed: int | None) -> int | None:
        """Where a walk begins: a whole hour, the same in every advance of the same year."""
        begins = self._begins.get(site.id)
        if begins is None or (since_changed is not None and since_changed < begins):
            extent = self._store.extent(site.id)
            if extent is None:
                return None
            begins = self._begins[site.id] = extent[0]
        return max(floor_to(begins + HOUR - 1, HOUR), floor_to(until, _BLOCK) - 2 * _BLOCK)

    def _continued(self, walk: Walk, low: int, end: int, known: Known) -> Walk:
        """The walk over hours that are new, or have other values from ``low`` on."""
        hours = (low - walk.instant(0)) // HOUR
        if hours < walk.hour:
            rewind(walk, hours)
        frame = _joined(walk.frame, self._frame(walk.site, low, end), hours)
        walk.feedback = known.feedback
        return extended(walk, frame, self._events(walk.site), known.maintenance)

    def _frame(self, site: Site, start: int, end: int) -> Frame:
        at = starts(start, end, self._grid)
        real = [meter.id for meter in site.meters.values() if not meter.virtual]
        found = self._store.intervals(site.id, real, start, end)
        return hourly(site, lay_out(site, found, list(site.meters), at, self._grid))

    def _events(self, site: Site) -> Sequence[MeterEvent]:
        return self._store.events(site.id, None, None, None)

    def _told(self, walk: Walk, log: Log, end: int, known: Known) -> Advance:
        """What differs from the record."""
        count = len(walk.frame)
        record = {finding.id: finding for finding in known.findings}
        found: dict[str, Finding] = {}
        for inspection in inspect(walk, log):
            finding = compose.inspection(walk, inspection, count)
            found[finding.id] = finding
        for case in walk.cases:
            finding = compose.finding(walk, case, count, log)
            found[finding.id] = finding
        for fault in walk.telemetry:
            if fault.detected < count:
                finding = compose.telemetry(walk, fault, count)
                found[finding.id] = finding
        begins = walk.instant(0)
        gone = tuple(each.id for each in known.findings if each.id not in found and each.start >= begins)
        new = tuple(each for each in found.values() if record.get(each.id) != each)
        state, why = json.dumps({"until": end}), unjudged(walk)
        return Advance(state=state, findings=new, withdrawn=gone, unjudged=why, models=models(walk))

    def kept(self, site: str) -> Walk | None:
        """The walk of a site, which waits for its next hour; None where it begins anew."""
        kept = self._kept.get(site)
        return None if kept is None else kept.walk

    # -- what is expected -----------------------------------------------------------------------------------------

    def overhead(self, site: Site, start: int, end: int) -> Float64 | None:
        """kWh beside the IT load expected in each interval of [start, end); see Expectations."""
        kept = self._kept.get(site.id)
        if kept is None or kept.walk.baseline is None:
            return None
        first = int(kept.walk.frame.start[0])
        hour = np.arange((start - first) // self._grid, (end - first) // self._grid) // (HOUR // self._grid)
        known = (hour >= 0) & (hour < kept.walk.hour)
        value = np.full(len(hour), np.nan)
        value[known] = kept.overhead[hour[known]] * (self._grid / HOUR)
        return value


def _overhead(walk: Walk) -> Float64:
    """The sum of what is expected of everything that draws energy beside the IT load."""
    members = [i for i, stream in enumerate(walk.streams) if stream.energy and stream.kind != "chiller_curve"]
    return walk.expected[:, members].sum(axis=1)  # type: ignore[no-any-return]


def _goes_on(kept: _Kept, site: Site, first: int, since_changed: int | None, known: Known) -> bool:
    """Whether a walk can be taken further, rather than anew."""
    walk = kept.walk
    if walk.instant(0) != first or walk.site is not site or kept.maintenance != known.maintenance:
        return False
    changed = walk.hour if since_changed is None else (since_changed - first) // HOUR
    return changed >= walk.hour or any(mark.hour <= changed for mark in walk.marks)


def _joined(before: Frame, after: Frame, hours: int) -> Frame:
    """The first ``hours`` of one frame and then another."""
    value: Mapping[str, Float64] = {
        name: np.concatenate([column[:hours], after.value[name]]) for name, column in before.value.items()
    }
    return replace(after, start=np.concatenate([before.start[:hours], after.start]), value=value)
