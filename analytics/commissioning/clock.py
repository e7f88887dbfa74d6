"""``meter.clock``: a device whose clock, or time zone, is off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.commissioning.seen import FEWEST, Finding, Seen, Trace, lasting
from wattwell.intervals import DAY, MINUTE, from_us, iso, zone_of
from wattwell.model import Int64

_OFF = 10 * MINUTE
"""Smallest lag that is told; a reading that is labelled by its start may arrive a period late."""
_SPREAD = 2 * MINUTE
"""Live readings of one device come with about the same lag (the middle 80 % of them)."""
_QUARTER, _NEAR = 15 * MINUTE, 2 * MINUTE
_BULK = 20
"""More readings that arrive at the same instant come from a file or a queue: their lags say nothing."""
_FIXED = 40 * DAY
"""Rejects older than this before the site's last reading tell of a clock that has been put right."""
_REMEDY = "set the device's clock and keep it with NTP, have it send UTC or its offset, and check source.time_unit"


def judge_clock(seen: Seen) -> Iterator[Finding]:
    """Meters whose readings stand at times that are not those of their arrival, steadily."""
    for trace in seen.traces.values():
        finding = _steady(seen, trace, trace.sent, trace.received, "")
        yield from [finding] if finding else _rejected(seen, trace)


def _rejected(seen: Seen, trace: Trace) -> Iterator[Finding]:
    """The same by readings that were rejected for their time, unless good ones have come since."""
    for reason in ("clock.future", "clock.past"):
        rows = [(r.at, r.received_at) for r in trace.rejects if r.reason == reason and r.at is not None]
        rows.sort(key=lambda row: row[1])
        if not rows or rows[-1][1] < seen.edge - _FIXED:
            continue
        if len(trace.received) and int(trace.received.max()) > rows[-1][1]:
            continue
        sent, received = np.array(rows, dtype=np.int64).T
        finding = _steady(seen, trace, sent, received, f", rejected as {reason}")
        if finding:
            yield finding


def _steady(seen: Seen, trace: Trace, sent: Int64, received: Int64, fate: str) -> Finding | None:
    _, place, count = np.unique(received, return_inverse=True, return_counts=True)
    live = count[place] <= _BULK
    if int(live.sum()) < FEWEST:
        return None
    lag = (received - sent)[live]
    low, middle, high = (float(each) for each in np.quantile(lag, (0.1, 0.5, 0.9)))
    if abs(middle) < max(_OFF, 1.5 * trace.meter.period) or high - low > max(_SPREAD, trace.meter.period):
        return None
    side = "behind" if middle > 0 else "ahead of"
    readings = f"{len(lag)} readings{fate}"
    message = (
        f"device time is {lasting(abs(middle))} {side} arrival (median of {readings}, spread {lasting(high - low)})"
    )
    last = int(sent[live][-1])
    hint = _hint(seen, middle, int(received[live][-1]))
    return Finding(
        code="meter.clock",
        severity="warning",
        meter=trace.meter.id,
        message=f"{message}{hint}; its last one says {iso(last)}",
        evidence={"lag_seconds": middle / 1e6, "spread_seconds": (high - low) / 1e6, "readings": len(lag)},
        remedy=_REMEDY,
        since=int(sent[live].min()),
    )


def _hint(seen: Seen, lag: float, at: int) -> str:
    """What a lag near a whole number of quarter hours is like, by the site's own offset."""
    ahead = round(-lag / _QUARTER) * _QUARTER
    if abs(lag + ahead) > _NEAR or abs(ahead) >= DAY:
        return ""
    moment = from_us(at).astimezone(zone_of(seen.site.zone)).utcoffset()
    offset = 0 if moment is None else round(moment.total_seconds() * 1e6)
    if ahead == offset:
        return ", like local time sent as UTC"
    if ahead == -offset:
        return ", like UTC sent as local time"
    return ", like the time of another zone"
