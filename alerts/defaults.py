"""The alert that Wattwell ships: PUE above the site's target."""

from __future__ import annotations

from collections.abc import Mapping

from wattwell.intervals import HOUR, MINUTE
from wattwell.model import AlertRule, Site

PUE_TARGET = 1.30
"""Where a site declares none (METRICS, Limits: the operator's own target)."""
_CLEAR_SHARE = 0.9
"""The clear line leaves this share of the overhead above 1 that the target allows: 1.30 clears at 1.27."""


def default_rules(sites: Mapping[str, Site]) -> tuple[AlertRule, ...]:
    """``PueHigh`` for every site, used where the configuration declares no alerts: 24 h PUE above the site's target.

    Sites that share a target share a rule; where all do, the rule names no sites and so serves every one.
    """
    by_target: dict[float, list[str]] = {}
    for site in sites.values():
        by_target.setdefault(site.targets.get("pue", PUE_TARGET), []).append(site.id)
    if len(by_target) <= 1:
        return tuple(pue_high(target) for target in by_target or {PUE_TARGET: []})
    return tuple(pue_high(target, tuple(ids)) for target, ids in by_target.items())


def pue_high(target: float, sites: tuple[str, ...] = ()) -> AlertRule:
    """The shipped rule for a PUE target (a ratio, above 1): held for 30 min, kept firing for 1 h."""
    return AlertRule(
        name="PueHigh",
        kpi="pue",
        window="24h",
        above=target,
        below=None,
        clear=round(min(1.0 + _CLEAR_SHARE * (target - 1.0), target), 6),
        hold=30 * MINUTE,
        keep_firing=HOUR,
        severity="warning",
        sites=sites,
    )
