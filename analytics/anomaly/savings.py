"""What a repair or a measure has saved, with bounds, or why that cannot be said: IPMVP Options B and C. Pure.

Option B where the baseline is of one subsystem's meter, Option C where it is of the whole site; the sums are the same.
Three questions, each with its own baseline:

* ``avoided``: a measure was taken. What would have been drawn since, by the baseline of the time before, less what was.
* ``repaired``: a finding has closed. The healthy baseline only brings the time with the fault and the time after it to
  the same conditions; what the fault drew beyond it and what is drawn beyond it now differ by the saving. How a fault
  grows with the conditions is not known, so both are reckoned, an excess of so many kW and one of so many per cent;
  the value stands midway and the bounds hold both.
* ``normalised``: a measure was taken, and both the time before and the time after have a model of their own. Both are
  asked for the same typical year.

Bounds hold in nine cases of ten (ASHRAE Guideline 14-2014, Annex B, see ``statistics``), with the model's bias on held
out data in them. Amounts are kWh (or L), steps are equal, missing values NaN; steps whose drivers the baseline has
never seen (``outside``) do not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from analytics.anomaly.statistics import CONFIDENCE, PERFORMANCE, Fit, Floats, Mask, error_of_sum
from wattwell.finding import Estimate
from wattwell.intervals import DAY
from wattwell.model import Issue

YEAR = 365.25
"""Days"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a saving may be told."""

    days: float = 14.0
    """Of usable data in the reporting period: a week's course twice, and some weather."""
    coverage: float = 0.90
    """Usable share of the reporting period."""
    year: float = 328.0
    """Usable days (90 % of a year) from which a reporting period speaks for a whole year."""


@dataclass(frozen=True, slots=True, eq=False)
class Period:
    """What was drawn over a time and what the baseline expected at the conditions that were."""

    expected: Floats
    actual: Floats
    outside: Mask | None = None

    @property
    def counts(self) -> Mask:
        """The steps that can be compared."""
        known = np.isfinite(self.expected) & np.isfinite(self.actual)
        return known if self.outside is None else known & ~self.outside


@dataclass(frozen=True, slots=True, eq=False)
class Year:
    """What a model expects of each step of a typical year."""

    fit: Fit
    expected: Floats
    outside: Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What was saved; what cannot be told is None, and ``issues`` says why."""

    kwh: Estimate | None = None
    """Over the usable steps of the reporting period; negative where more is drawn than before."""
    per_year: Estimate | None = None
    share: float | None = None
    """Of what would have been drawn without the measure or with the fault."""
    uncertainty: float | None = None
    """Fractional savings uncertainty at nine cases of ten: half the width of the bounds over the saving's size."""
    accepted: bool = False
    """The uncertainty is below 50 % at 68 % confidence, as Guideline 14 asks of a reported saving."""
    issues: tuple[Issue, ...] = ()


def avoided(fit: Fit, step: int, after: Period, rules: Rules | None = None) -> Saving:
    """Avoided energy of a measure; ``fit`` is of the baseline learnt before it, ``step`` in microseconds."""
    rules = rules or Rules()
    issues = _shortages(after.counts, step, rules)
    if issues:
        return Saving(issues=issues)
    points, expected, actual = _sums(after)
    found = _told(expected - actual, expected, lambda confidence: _half(fit, expected, points, confidence))
    days = points * step / DAY
    if days >= rules.year and found.kwh is not None:
        return replace(found, per_year=_times(found.kwh, YEAR / days))
    return replace(found, issues=(*found.issues, _no_year(days, rules)))


def repaired(
    fit: Fit, step: int, during: Period, after: Period, *, year: float | None = None, rules: Rules | None = None
) -> Saving:
    """Saving since a fault has gone; ``fit`` is of the healthy baseline.

    ``during`` is the time with the fault, ``after`` the reporting period. ``year`` is what the healthy baseline expects
    of a typical year; without it nothing is said about a year.
    """
    rules = rules or Rules()
    issues = _shortages(after.counts, step, rules)
    if issues or not during.counts.any():
        none = _issue("fault", "nothing measured while the fault lasted can be compared with the baseline")
        return Saving(issues=issues or (none,))
    (before_points, before, before_actual), (points, expected, actual) = _sums(during), _sums(after)
    if not (before > 0 and expected > 0):
        return Saving(issues=(_issue("expected", "the baseline expects nothing to be drawn"),))
    rate = (before_actual - before) / before_points - (actual - expected) / points
    share = before_actual / before - actual / expected

    def told(steps: float, base: float) -> Saving:
        """Over so many steps at which the healthy plant draws ``base``."""
        ends = sorted((rate * steps, share * base))

        def half(confidence: float) -> float:
            spread = math.hypot(
                _half(fit, before, before_points, confidence) / before_points,
                _half(fit, expected, points, confidence) / points,
            )
            return spread * steps + (ends[1] - ends[0]) / 2

        return _told(sum(ends) / 2, base * actual / expected + sum(ends) / 2, half)

    found = told(points, expected)
    if year is None:
        return replace(found, issues=(*found.issues, _no_year(points * step / DAY, rules)))
    return replace(found, per_year=told(YEAR * DAY / step, year).kwh)


def normalised(before: Year, after: Year, step: int, rules: Rules | None = None) -> Saving:
    """Normalised saving: the models of the time before and the time after, asked for the same conditions.

    Steps that either model has never seen the like of are left out, and the sums scaled to the length of a year.
    """
    rules = rules or Rules()
    counts = Period(before.expected, after.expected, before.outside | after.outside).counts
    points = int(counts.sum())
    days = points * step / DAY
    if days < rules.year:
        text = f"the two models can be asked for {days:.0f} days of a typical year, {rules.year:g} are needed"
        return Saving(issues=(_issue("year", text),))
    old, new = (float(np.sum(side.expected[counts])) for side in (before, after))

    def half(confidence: float) -> float:
        return math.hypot(_half(before.fit, old, points, confidence), _half(after.fit, new, points, confidence))

    found = _told(old - new, old, half)
    per_year = None if found.kwh is None else _times(found.kwh, YEAR / days)
    return replace(found, kwh=None, per_year=per_year)


def _sums(period: Period) -> tuple[int, float, float]:
    """Steps that count, what was expected of them, and what they drew."""
    counts = period.counts
    return int(counts.sum()), float(np.sum(period.expected[counts])), float(np.sum(period.actual[counts]))


def _half(fit: Fit, expected: float, points: int, confidence: float) -> float:
    """Scatter and bias of the model over so many steps."""
    return math.hypot(error_of_sum(fit, expected, points, confidence), fit.nmbe * expected)


def _told(value: float, without: float, half: Callable[[float], float]) -> Saving:
    """A saving with its bounds; ``without`` is what would have been drawn otherwise."""
    width = half(CONFIDENCE)
    confidence, most = PERFORMANCE
    accepted = half(confidence) < most * abs(value)
    issues: tuple[Issue, ...] = ()
    if not accepted:
        text = (
            f"the uncertainty is {most:.0%} of the saving or more at {confidence:.0%} confidence (ASHRAE Guideline 14)"
        )
        issues = (Issue(code="saving.unsure", severity="warning", message=text),)
    return Saving(
        kwh=Estimate(value=value, low=value - width, high=value + width),
        share=value / without if without > 0 else None,
        uncertainty=width / abs(value) if value else None,
        accepted=accepted,
        issues=issues,
    )


def _times(one: Estimate, factor: float) -> Estimate:
    return Estimate(value=one.value * factor, low=one.low * factor, high=one.high * factor)


def _shortages(counts: Mask, step: int, rules: Rules) -> tuple[Issue, ...]:
    """Why a reporting period does not suffice."""
    days = float(counts.sum()) * step / DAY
    found = []
    if days < rules.days:
        found.append(_issue("period", f"{days:.1f} days of the reporting period are usable, {rules.days:g} are needed"))
    if len(counts) and (share := float(counts.mean())) < rules.coverage:
        text = f"{share:.0%} of the reporting period can be compared with the baseline, {rules.coverage:.0%} are needed"
        found.append(_issue("coverage", text))
    return tuple(found)


def _no_year(days: float, rules: Rules) -> Issue:
    text = f"{days:.0f} days do not speak for a year; {rules.year:g}, or a typical year to compare over, are needed"
    return _issue("year", text)


def _issue(what: str, text: str) -> Issue:
    return Issue(code=f"saving.{what}", severity="info", message=text)
