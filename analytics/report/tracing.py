"""Amounts of a period with the path back to their meters: value, coverage, what each real meter contributed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.balance import Quantity, Terms, sides
from analytics.evaluate import Rules
from analytics.report.period import PeriodData, by_role
from wattwell.intervals import calendar_next, calendar_start, day_start
from wattwell.model import Bool, Float64, Site
from wattwell.roles import SENSOR_ROLES

CDD_FROM, CDD_BASE = 24.0, 21.0
"""Eurostat's cooling degree days: a day with a mean of 24 degC or more counts with its mean less 21 degC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One real meter behind a figure."""

    meter: str
    role: str | None
    factor: float
    """What its amount is multiplied with in the sum: sign and weight; 1 of a mean."""
    amount: float | None
    """Over all its intervals with a value; of a sensor the mean."""
    unit: str
    missing: float
    """Share of its time in service without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A figure from meters, as far as it may be said."""

    value: float | None
    usable: float
    """Share of the period in which every meter needed has a value."""
    coverage: float
    """Share of the period that every meter needed measured."""
    contributions: tuple[Contribution, ...]
    missing: str
    """Why there is no value; empty where there is one."""
    provisional: bool
    """Fewer values than a figure that stands needs; nothing was added for those missing."""


class Tracer:
    """Takes amounts out of a period."""

    def __init__(self, data: PeriodData, rules: Rules) -> None:
        """``rules``: from which usable share on there is a value, and one that stands."""
        self.data = data
        self.rules = rules
        self._sides = sides(data.site)
        self._roles = by_role(data.site)
        self._totals = {total.meter: total for total in data.meters}

    def quantity(self, name: str, lacks: str) -> Amount:
        """The sum of a quantity [kWh or L] (:func:`analytics.balance.quantities`); ``lacks`` says what it needs."""
        column = self.data.quantities.get(name)
        return self._sum(None if column is None else column.required(), self._sides.get(name, ()), lacks)

    def role(self, name: str, lacks: str | None = None) -> Amount:
        """The sum of a role's topmost meters [kWh or L], or the mean of a sensor's."""
        column, terms = self._role(name)
        return self._sum(column, terms, lacks or f"no meter has the role {name}", mean=name in SENSOR_ROLES)

    def signed(self, terms: Sequence[tuple[float, str]], lacks: str) -> Amount:
        """A signed sum of roles over the intervals in which each of them has a value; roles without a meter and meters
        out of service take no part."""
        found = [(sign, name, self.data.roles[name]) for sign, name in terms if name in self.data.roles]
        if not any(sign > 0 for sign, *_ in found):
            return self._sum(None, (), lacks)
        fed = np.logical_or.reduce([column.served for sign, _, column in found if sign > 0])
        usable, measured = _joint([column for *_, column in found])
        value = np.sum([sign * column.value for sign, _, column in found], axis=0)
        whole = Quantity(value=value, usable=usable & fed, served=fed, measured=measured)
        meters = tuple((sign * factor, meter) for sign, name, _ in found for factor, meter in self._terms(name))
        return self._sum(whole, meters, lacks)

    def ratio(self, numerator: str, denominator: str, lacks: str) -> Amount:
        """Quantity by quantity, over the intervals in which both have a value."""
        parts = [self.data.quantities.get(name) for name in (numerator, denominator)]
        columns = [part.required() for part in parts if part is not None]
        terms = (*self._sides.get(numerator, ()), *self._sides.get(denominator, ()))
        if len(columns) < 2:
            return self._sum(None, terms, lacks)
        usable, measured = _joint(columns)
        joint = Quantity(value=columns[0].value, usable=usable, served=usable, measured=measured)
        top, bottom = (math.fsum(column.value[usable].tolist()) for column in columns)
        if usable.any() and bottom <= 0:
            return self._blank(terms, "the denominator is not above 0", joint)
        return self._judged(top / bottom if bottom else 0.0, terms, joint)

    def mean(self, meter: str) -> Amount:
        """The mean of one sensor."""
        total = self._totals[meter]
        known = total.in_service * (1 - total.missing)
        return Amount(
            value=total.value if known >= self.rules.provisional else None,
            usable=known,
            coverage=total.in_service * total.measured,
            contributions=(self._contribution(1.0, meter),),
            missing="" if known >= self.rules.provisional else self._too_little(known),
            provisional=self.rules.provisional <= known < self.rules.full,
        )

    def cooling_degree_days(self) -> Amount:
        """Eurostat's cooling degree days [K.d] of the site's local days, from the mean over its outdoor sensors.

        A day counts as known with the usable share from which a figure stands; unknown days add nothing.
        """
        lacks = "no meter has the role outdoor_dry_bulb"
        column, terms = self._role("outdoor_dry_bulb")
        if column is None:
            return self._sum(None, (), lacks)
        total, days, known = 0.0, 0, 0
        for low, high in self._days():
            usable = column.usable[low:high]
            days += 1
            if not len(usable) or usable.mean() < self.rules.full:
                continue
            known += 1
            mean = float(column.value[low:high][usable].mean())
            total += mean - CDD_BASE if mean >= CDD_FROM else 0.0
        share = known / days if days else 0.0
        return Amount(
            value=total if share >= self.rules.provisional else None,
            usable=share,
            coverage=float((column.measured * column.usable).mean()) if len(column.value) else 0.0,
            contributions=self._contributions(terms),
            missing="" if share >= self.rules.provisional else self._too_little(share),
            provisional=self.rules.provisional <= share < self.rules.full,
        )

    def contributions_of(self, *names: str) -> tuple[Contribution, ...]:
        """The real meters behind quantities."""
        return self._contributions(tuple(term for name in names for term in self._sides.get(name, ())))

    # -- inside -----------------------------------------------------------------------------------------------

    def _role(self, name: str) -> tuple[Quantity | None, Terms]:
        column = self.data.roles.get(name)
        return (None if column is None else column.required()), self._terms(name)

    def _terms(self, role: str) -> Terms:
        """The topmost meters of a role."""
        return tuple((1.0, meter) for meter in self._roles.get(role, ()))

    def _days(self) -> Iterator[tuple[int, int]]:
        """Places of the first interval of each local day and of the next one."""
        span, zone = self.data.span, self.data.site.zone
        day, low = calendar_start("day", span.start, zone), span.start
        while low < span.end:
            day = calendar_next("day", day)
            high = min(day_start(day, zone), span.end)
            if high > low:
                first, last = np.searchsorted(self.data.at, (low, high)).tolist()
                yield first, last
            low = high

    def _sum(self, column: Quantity | None, terms: Terms, lacks: str, *, mean: bool = False) -> Amount:
        if column is None:
            return Amount(value=None, usable=0.0, coverage=0.0, contributions=(), missing=lacks, provisional=False)
        total, count = math.fsum(column.value[column.usable].tolist()), int(column.usable.sum())
        value = total / count if mean and count else total
        return self._judged(value, terms, column)

    def _judged(self, value: float, terms: Terms, column: Quantity) -> Amount:
        usable = float(column.usable.mean()) if len(column.usable) else 0.0
        if usable < self.rules.provisional or not column.usable.any():
            return self._blank(terms, self._too_little(usable), column)
        return Amount(
            value=value,
            usable=usable,
            coverage=float((column.measured * column.usable).mean()),
            contributions=self._contributions(terms),
            missing="",
            provisional=usable < self.rules.full,
        )

    def _blank(self, terms: Terms, why: str, column: Quantity) -> Amount:
        some = len(column.usable) > 0
        return Amount(
            value=None,
            usable=float(column.usable.mean()) if some else 0.0,
            coverage=float((column.measured * column.usable).mean()) if some else 0.0,
            contributions=self._contributions(terms),
            missing=why,
            provisional=False,
        )

    def _too_little(self, usable: float) -> str:
        if not usable:
            return "no data in the period"
        return f"{usable:.1%} of the period has values, at least {self.rules.provisional:.0%} are needed"

    def _contributions(self, terms: Terms) -> tuple[Contribution, ...]:
        factors: dict[str, float] = {}
        for factor, meter in terms:
            for sign, real in _real(self.data.site, meter):
                factors[real] = factors.get(real, 0.0) + factor * sign
        return tuple(self._contribution(factor, meter) for meter, factor in factors.items() if factor)

    def _contribution(self, factor: float, meter: str) -> Contribution:
        total = self._totals[meter]
        return Contribution(
            meter=meter,
            role=total.role,
            factor=factor,
            amount=total.value,
            unit=total.unit,
            missing=total.missing,
        )


def _real(site: Site, meter: str) -> Iterator[tuple[int, str]]:
    """The real meters of a meter, with their signs."""
    formula = site.meters[meter].formula
    if not formula:
        yield 1, meter
    for sign, member in formula:
        for inner, real in _real(site, member):
            yield sign * inner, real


def _joint(columns: Sequence[Quantity]) -> tuple[Bool, Float64]:
    """Where all of them have a value, and the smallest measured share."""
    usable = np.logical_and.reduce([column.usable for column in columns])
    return usable, np.minimum.reduce([column.measured for column in columns])
