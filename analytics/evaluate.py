"""A KPI's sums over a window to the value that may be said of it (METERING, Quality; METRICS)."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from analytics.kpi.base import Kpi, Ratio
from analytics.windows import Sums, intervals_in, named
from wattwell.intervals import HOUR, Interval
from wattwell.model import Issue, KpiValue, Site
from wattwell.units import shown

YEARLY = ("365d", "year", "fiscal_year")
"""Windows over which PUE is PUE; over any other it is interim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What every evaluation goes by."""

    grid: int
    """Microseconds."""
    full: float
    """Usable share from which a value stands."""
    provisional: float
    """Usable share from which a value is shown as provisional."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The span a KPI is asked for."""

    name: str | None
    """``24h``, ``month`` and so on; None for a span of the asker's own."""
    interval: Interval
    cut: bool = False
    """A calendar window that is not over yet and ends at the live edge."""


def evaluate(
    site: Site, kpi: Kpi, window: Window, sums: Sums | None, available: Collection[str], rules: Rules
) -> KpiValue:
    """The KPI over the window; ``sums`` is None where the site lacks an input."""
    if sums is None:
        return _blank(site, kpi, window, kpi.missing(available))
    count = intervals_in(window.interval.start, window.interval.end, rules.grid)
    usable = sums.usable / count if count else 0.0
    coverage = sums.measured / (count * rules.grid) if count else 0.0
    ratio = _combine(kpi, sums, available, rules)
    issues = [*ratio.issues, *_denominator_issues(kpi, ratio)] if sums.usable else []
    issues += _coverage_issues(usable, window, rules)
    failed = usable < rules.provisional or any(issue.severity == "error" for issue in issues)
    return KpiValue(
        **_named(site, kpi, window),
        value=None if failed else ratio.numerator / ratio.denominator,
        numerator=ratio.numerator if sums.usable else None,
        denominator=ratio.denominator if sums.usable else None,
        usable=usable,
        coverage=coverage,
        estimated=usable - coverage,
        provisional=not failed and (usable < rules.full or window.cut),
        issues=tuple(issues),
        parts=ratio.parts if sums.usable else {},
    )


def _denominator_issues(kpi: Kpi, ratio: Ratio) -> list[Issue]:
    """A ratio to nothing, or to an amount with the wrong sign, is no figure."""
    if ratio.denominator > 0:
        return []
    if ratio.denominator == 0:
        message = f"the denominator of {kpi.label} is 0"
        return [Issue(code="denominator.zero", severity="error", message=message)]
    message = f"the denominator of {kpi.label} is {shown(ratio.denominator)}: check signs and multipliers of its meters"
    return [Issue(code="denominator.negative", severity="error", message=message)]


def _coverage_issues(usable: float, window: Window, rules: Rules) -> list[Issue]:
    issues = []
    if usable < rules.provisional:
        message = f"{usable:.1%} of the window is usable, at least {rules.provisional:.0%} are needed"
        issues.append(Issue(code="coverage.insufficient", severity="warning", message=message))
    elif usable < rules.full:
        message = f"{usable:.1%} of the window is usable, {rules.full:.0%} are needed for a value that stands"
        issues.append(Issue(code="coverage.provisional", severity="warning", message=message))
    if window.cut:
        issues.append(Issue(code="window.open", severity="info", message="the window is not over yet"))
    return issues


def _combine(kpi: Kpi, sums: Sums, available: Collection[str], rules: Rules) -> Ratio:
    values: Mapping[str, float] = named(kpi.quantities(available), sums)
    if kpi.peak:
        peak = sums.peak if math.isfinite(sums.peak) else 0.0
        values = {**values, "peak": peak, "hours": rules.grid / HOUR, "intervals": sums.usable}
    return kpi.combine(values)


def _blank(site: Site, kpi: Kpi, window: Window, issues: tuple[Issue, ...]) -> KpiValue:
    return KpiValue(
        **_named(site, kpi, window),
        value=None,
        numerator=None,
        denominator=None,
        usable=0.0,
        coverage=0.0,
        estimated=0.0,
        provisional=False,
        issues=issues,
    )


def _named(site: Site, kpi: Kpi, window: Window) -> dict[str, Any]:
    """What a value carries whatever it comes to."""
    return {
        "site": site.id,
        "kpi": kpi.name,
        "label": label_of(kpi, window.name),
        "window": window.name,
        "interval": window.interval,
        "unit": kpi.unit,
        "category": site.pue_category if kpi.category else None,
        "basis": basis_of(kpi, site),
    }


def label_of(kpi: Kpi, window: str | None) -> str:
    """The name to print: interim where the window is not a year."""
    return f"i{kpi.label}" if kpi.interim and window not in YEARLY else kpi.label


def basis_of(kpi: Kpi, site: Site) -> str | None:
    """What the numerator is made of, where the site has a choice."""
    if kpi.name in ("wue", "wue_source"):
        return site.wue_numerator
    if kpi.name == "ref":
        return "on-site, ppa and certificate" if site.certificates is not None else "on-site"
    return kpi.basis
