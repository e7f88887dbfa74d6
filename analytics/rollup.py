"""Many sites as one: the sums of their own numerators and denominators, never a mean (METERING, Quality)."""

from __future__ import annotations

from collections.abc import Sequence

from wattwell.intervals import Interval
from wattwell.model import Issue, KpiValue

ALL = "all"
"""The site id of a roll-up."""


def roll_up(values: Sequence[KpiValue]) -> KpiValue:
    """One KPI over one window of several sites as that of site ``all``.

    Usable share and coverage are the lowest site's; provisional if one is; start and end the earliest and latest.
    """
    issues = _obstacles(values)
    numerators = [value.numerator for value in values if value.numerator is not None]
    denominators = [value.denominator for value in values if value.denominator is not None]
    complete = len(numerators) == len(denominators) == len(values)
    numerator, denominator = sum(numerators), sum(denominators)
    if not issues and denominator == 0:
        issues.append(Issue(code="denominator.zero", severity="error", message="the denominators sum to 0"))
    first = values[0]
    usable, coverage = min(value.usable for value in values), min(value.coverage for value in values)
    categories, bases = {value.category for value in values}, {value.basis for value in values}
    return KpiValue(
        site=ALL,
        kpi=first.kpi,
        label=first.label,
        window=first.window,
        interval=Interval(min(v.interval.start for v in values), max(v.interval.end for v in values)),
        value=None if issues else numerator / denominator,
        unit=first.unit,
        numerator=numerator if complete else None,
        denominator=denominator if complete else None,
        usable=usable,
        coverage=coverage,
        estimated=usable - coverage,
        category=first.category if len(categories) == 1 else None,
        basis=first.basis if len(bases) == 1 else None,
        provisional=not issues and any(value.provisional for value in values),
        issues=tuple(issues),
        parts=_parts(values, denominator) if not issues else {},
    )


def _parts(values: Sequence[KpiValue], denominator: float) -> dict[str, float]:
    """The shares by source of all sites together: each site's weigh as much as its denominator."""
    names = dict.fromkeys(name for value in values for name in value.parts)
    return {
        name: sum(value.parts.get(name, 0.0) * (value.denominator or 0.0) for value in values) / denominator
        for name in names
    }


def _obstacles(values: Sequence[KpiValue]) -> list[Issue]:
    """Why the sites cannot be added up."""
    issues = []
    without = [value.site for value in values if value.value is None]
    if without:
        issues.append(_error("rollup.incomplete", f"no value at {', '.join(without)}"))
    if len({value.category for value in values}) > 1:
        issues.append(_error("category.mixed", "the sites measure the IT load at different PUE categories"))
    if values[0].kpi in ("wue", "wue_source") and len({value.basis for value in values}) > 1:
        issues.append(_error("basis.mixed", "the sites declare different WUE numerators"))
    if values[0].kpi in ("peak_demand_kw", "load_factor") and len(values) > 1:
        issues.append(_error("rollup.not_additive", "peaks of several sites do not coincide and do not add up"))
    return issues


def _error(code: str, message: str) -> Issue:
    return Issue(code=code, severity="error", message=message)
