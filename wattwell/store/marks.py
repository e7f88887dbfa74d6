"""What a remote store is told of the readings that were sent to it, for whoever follows them: spans of time. Pure.

A mark is one point of ``wattwell_forwarded`` with the tags ``site`` and ``by``, the spool that sent the readings, and
the fields ``earliest`` and ``latest``, the times of the first and the last of them in seconds since the epoch, as
floats, rounded outwards to the millisecond. Its own time is the sender's clock when it was written, in whole
milliseconds; those of one site and spool differ. VictoriaMetrics has them as ``wattwell_forwarded_earliest`` and
``wattwell_forwarded_latest``. Nothing that counts or compares readings looks at marks; they are kept as long as the
remote store keeps anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from wattwell.intervals import HOUR, MINUTE, SECOND
from wattwell.store.outbox import Outgoing

MEASUREMENT = "wattwell_forwarded"
FIELDS = ("earliest", "latest")
MILLISECOND = 1000
MARGIN = 2 * MINUTE
"""How far the clocks of senders and followers may differ, and how long a written point may take until it shows."""
_APART = HOUR
"""Readings of a site that lie further apart are told as two spans."""
_MOST = 100
"""Spans of one site told at once; where there are more, those nearest to one another become one."""
Span = tuple[int, int]
"""The times of the first and the last reading, microseconds UTC."""


class Mark(NamedTuple):
    """Readings of a site, of these times, are in the remote store; times are microseconds UTC."""

    site: str
    by: str
    """The spool that sent them."""
    at: int
    """When, by the sender's clock; whole milliseconds."""
    earliest: int
    """Not after the first of them; whole milliseconds, like ``latest``."""
    latest: int
    """Not before the last of them."""


def outwards(span: Span) -> Span:
    """A span rounded outwards to the millisecond."""
    return span[0] // MILLISECOND * MILLISECOND, -(-span[1] // MILLISECOND) * MILLISECOND


def merged(spans: Iterable[Span], apart: int = 0) -> list[Span]:
    """The same times by as few spans as may be, ascending; ``apart``: microseconds between two that become one."""
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1] + apart:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return found


def told(spans: Iterable[Span]) -> list[Span]:
    """The spans of a site as they are told: few, with the long gaps between them left out."""
    apart = _APART
    found = merged(spans, apart)
    while len(found) > _MOST:
        apart *= 2
        found = merged(found, apart)
    return found


def spans_of(readings: Outgoing) -> dict[str, list[Span]]:
    """Which times the readings of each site have."""
    if not len(readings):
        return {}
    sites = sorted({site for site, _ in readings.keys})
    number = {site: place for place, site in enumerate(sites)}
    site = np.array([number[key[0]] for key in readings.keys], np.int64)[readings.meter]
    order = np.lexsort((readings.at, site))
    site, at = site[order], readings.at[order]
    first = np.flatnonzero(np.r_[True, (np.diff(site) != 0) | (np.diff(at) > _APART)])
    last = np.r_[first[1:], len(at)] - 1
    found: dict[str, list[Span]] = {}
    for place, low, high in zip(site[first].tolist(), at[first].tolist(), at[last].tolist(), strict=True):
        found.setdefault(sites[place], []).append((low, high))
    return found


def joined(fields: Mapping[tuple[str, str, int], Mapping[str, float]]) -> Sequence[Mark]:
    """Marks of the fields that a remote store shows by (site, by, time); a field that shows alone is none yet."""
    return [
        Mark(site, by, at, *(round(found[name] * SECOND / MILLISECOND) * MILLISECOND for name in FIELDS))
        for (site, by, at), found in fields.items()
        if len(found) == len(FIELDS)
    ]
