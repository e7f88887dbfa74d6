"""Inhibition: while the data behind a figure fail, what is said of the figure is not told. Pure.

One fault shows in several ways, and the way nearest to its cause is the one to tell. From the cause on: a meter is
stale; the coverage of a figure is low; a figure has no value; the figure is beyond its threshold. An open alert of the
first three inhibits the open alerts of its site that come after it and rest on all of its meters: a stale IT meter what
is said of PUE, a stale outdoor sensor nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alerts.machine import data_alert_name
from wattwell.model import AlertRule

Basis = Mapping[tuple[str, str], frozenset[str]]
"""(signal, KPI or subsystem) -> the meters of a site that the figure is made of."""
_STALE, _COVERAGE, _NO_DATA, _FIGURE = range(4)
_RANKS = {
    "stale": _STALE,
    "coverage": _COVERAGE,
    **dict.fromkeys(("kpi", "power", "course", "expected"), _FIGURE),
}
"""Signals that inhibit or are inhibited; balance, spool and findings are neither."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert stands between cause and figure."""

    rank: tuple[int, int]
    """The kind, then the rule's place in its list: of two data alerts about the same figure the first is told."""
    meters: frozenset[str] | None
    """What it rests on; None where that is not known."""

    def inhibits(self, other: Place) -> bool:
        """Whether this one, open, keeps the other from being told."""
        if self.rank[0] == _FIGURE or self.rank >= other.rank:
            return False
        return other.meters is None or (self.meters is not None and self.meters <= other.meters)


def place_of(rule: AlertRule, index: int, name: str, meter: str, basis: Basis) -> Place | None:
    """The place of a rule's alert ``name``; None for one that takes no part. ``index``: of the rule in its list."""
    rank = _RANKS.get(rule.signal)
    if rank is None:
        return None
    if name == data_alert_name(rule):
        rank = _NO_DATA
    if rule.signal == "stale":
        return Place((rank, index), frozenset((meter,)))
    source = "power" if rule.signal == "power" else "kpi"
    return Place((rank, index), basis.get((source, rule.of or rule.kpi)))


def inhibitors(alerts: Iterable[tuple[str, Place | None]]) -> dict[str, str]:
    """Of the open alerts (key, place) of a site those that are inhibited, each with what inhibits it first."""
    placed = sorted(((key, place) for key, place in alerts if place is not None), key=lambda each: each[1].rank)
    found: dict[str, str] = {}
    for key, place in placed:
        by = next((cause for cause, other in placed if other.inhibits(place)), None)
        if by is not None:
            found[key] = by
    return found
