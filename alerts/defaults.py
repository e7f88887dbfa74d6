"""The alert rules that Wattwell ships: what every site should be told of, with few false alarms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wattwell.intervals import HOUR, MINUTE
from wattwell.model import ANY_METER, AlertRule, Site

PUE_TARGET = 1.30
"""Where a site declares none (METRICS, Limits: the operator's own target)."""
_CLEAR_SHARE = 0.9
"""The clear line leaves this share of the overhead above 1 that the target allows: 1.30 clears at 1.27."""
_DAY = "24h"


def default_rules(sites: Mapping[str, Site]) -> tuple[AlertRule, ...]:
    """The shipped rules, used where the configuration declares no alerts.

    A rule against a target is there once for each target that sites declare, and names those sites; where all sites
    share one, it names none and so serves every one.
    """
    return (
        *(pue_high(target, chosen) for target, chosen in _targets(sites, "pue", PUE_TARGET)),
        *(_wue_high(target, chosen) for target, chosen in _targets(sites, "wue")),
        *(_renewable_low(target, chosen) for target, chosen in _targets(sites, "renewable_share")),
        *_DATA_RULES,
    )


def _targets(
    sites: Mapping[str, Site], name: str, default: float | None = None
) -> Iterator[tuple[float, tuple[str, ...]]]:
    """Each target with the sites that have it; with none where every site has it."""
    by_target: dict[float, list[str]] = {}
    for site in sites.values():
        target = site.targets.get(name, default)
        if target is not None:
            by_target.setdefault(target, []).append(site.id)
    return ((target, () if len(chosen) == len(sites) else tuple(chosen)) for target, chosen in by_target.items())


def _rule(name: str, signal: str, of: str, window: str, **changes: object) -> AlertRule:
    of_kpi = signal in ("kpi", "coverage", "expected")
    fields: dict[str, object] = {
        "name": name,
        "signal": signal,
        "kpi": of if of_kpi else "",
        "of": "" if of_kpi else of,
        "window": window,
        "above": None,
        "below": None,
        "clear": None,
        "hold": 30 * MINUTE,
        "keep_firing": 0,
        "severity": "warning",
        "sites": (),
    }
    return AlertRule(**(fields | changes))  # type: ignore[arg-type]  # names and kinds stand above


def pue_high(target: float, sites: tuple[str, ...] = ()) -> AlertRule:
    """24 h PUE above a target (a ratio, above 1): held for 30 min, kept firing for 1 h."""
    clear = round(min(1.0 + _CLEAR_SHARE * (target - 1.0), target), 6)
    return _rule("PueHigh", "kpi", "pue", _DAY, above=target, clear=clear, keep_firing=HOUR, sites=sites)


def _wue_high(target: float, sites: tuple[str, ...]) -> AlertRule:
    clear = round(_CLEAR_SHARE * target, 6)
    return _rule("WueHigh", "kpi", "wue", _DAY, above=target, clear=clear, keep_firing=HOUR, sites=sites)


def _renewable_low(target: float, sites: tuple[str, ...]) -> AlertRule:
    """Over 30 days: the sun does not shine at night, and on some days not at all."""
    return _rule("RenewableLow", "kpi", "ref", "30d", below=target, keep_firing=HOUR, sites=sites)


_DATA_RULES = (
    _rule("PueBelowOne", "kpi", "pue", _DAY, below=1.0),
    _rule("MeterStale", "stale", ANY_METER, "", above=900.0, hold=0),
    _rule("CoverageLow", "coverage", "pue", _DAY, below=0.9, clear=0.95),
    _rule("BalanceOpen", "balance", ANY_METER, _DAY, above=1.0),
    _rule("PueAboveExpected", "expected", "pue", _DAY, above=0.05, clear=0.03, keep_firing=HOUR),
    _rule("FindingOpen", "findings", ANY_METER, "", above=0.0, hold=0, severity="info"),
    _rule("SpoolGrowing", "spool", "readings", "", above=1000.0, clear=100.0),
)
