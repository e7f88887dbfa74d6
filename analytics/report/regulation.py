"""What a regulator asks of a data centre for a calendar year, field by field: the shape of the export, and its makers.

A field without data says why and has no value; it is never 0. Each figure from meters carries what every one of them
contributed. ``dataclasses.asdict`` of an :class:`Export` is the JSON document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from analytics.evaluate import Rules
from analytics.report.figures import joint
from analytics.report.gate import Check, Figure, breaches, gate
from analytics.report.limits import AppliedLimit, Judgement, judge, spans
from analytics.report.period import PeriodData
from analytics.report.tracing import Amount, Contribution, Tracer
from wattwell.facility import YEARLY, Facility
from wattwell.intervals import iso, local_date
from wattwell.model import KpiValue

SCHEMA = "wattwell.export/1"
_PV = ("pv", "export")
Value = float | str | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that is asked for."""

    part: str
    """Where the regulation asks for it, such as ``Annex II``."""
    code: str
    name: str
    unit: str
    """Empty for texts; 1 for ratios."""
    value: Value = None
    missing: str | None = None
    """Why there is no value; None where there is one."""
    basis: str | None = None
    """measured, declared or computed; None without a value."""
    usable: float | None = None
    """Share of the year in which every meter needed has a value; None for what comes from no meter."""
    coverage: float | None = None
    """Share of the year that every meter needed measured."""
    provisional: bool = False
    """Fewer values than a figure that stands needs, or a year that is not over."""
    meters: tuple[Contribution, ...] = ()
    formula: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitResult:
    """A limit that the site chose, and whether the year's PUE meets it."""

    limit: AppliedLimit
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """All that one regulation asks of a site for one calendar year."""

    schema: str
    regulation: str
    title: str
    source: str
    site: str
    year: int
    timezone: str
    start: str
    end: str
    """UTC; earlier than the year's end where that is still to come."""
    over: bool
    """Whether the year is over."""
    threshold: str
    """Who is asked."""
    obliged: bool | None
    """Whether the site is, by its declared power; None where that is not declared."""
    due: str
    """Local date by which it is to be reported."""
    fields: tuple[Field, ...]
    missing: tuple[str, ...]
    """Codes of the fields without a value."""
    checks: tuple[Check, ...]
    breaches: tuple[str, ...]
    """What the plausibility gate holds against it; with one the export is not fit to be handed in."""
    limits: tuple[LimitResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regulation:
    """A regulation: who is asked, and by when."""

    name: str
    title: str
    source: str
    threshold: str
    least_kw: float
    due: tuple[int, int]
    """Month and day of the year after."""


class Form:
    """Fills in fields for one site and year."""

    def __init__(self, data: PeriodData, kpis: Mapping[str, KpiValue], rules: Rules, year: int, *, over: bool) -> None:
        self.data = data
        self.tracer = Tracer(data, rules)
        self.facility = data.site.facility or Facility()
        self._kpis = kpis
        self._year = year
        self._over = over

    # -- one field ----------------------------------------------------------------------------------------------

    def given(self, part: str, code: str, name: str, value: Value, where: str, unit: str = "", note: str = "") -> Field:
        """What is declared; ``where`` is the key of the site that declares it."""
        return Field(
            part=part,
            code=code,
            name=name,
            unit=unit,
            value=value,
            missing=None if value is not None else f"not declared: {where} of the site",
            basis=None if value is None else "declared",
            note=note,
        )

    def declared(self, part: str, code: str, name: str, key: str, unit: str = "") -> Field:
        """A key of ``facility``; one that belongs to a year counts for that year alone."""
        value, told = getattr(self.facility, key), self.facility.declared_year
        shown: Value = value.isoformat() if isinstance(value, date) else value
        if value is None or key not in YEARLY:
            return self.given(part, code, name, shown, f"facility.{key}", unit)
        if told not in (None, self._year):
            other = f"facility.{key} is declared for {told}"
            return Field(part=part, code=code, name=name, unit=unit, missing=other)
        note = "" if told else "declared without a year (facility.declared_year)"
        return self.given(part, code, name, shown, f"facility.{key}", unit, note)

    def measured(
        self, part: str, code: str, name: str, unit: str, amount: Amount, formula: str, *, size: float = 1.0
    ) -> Field:
        """An amount from meters, divided by ``size``."""
        scaled = amount if amount.value is None else replace(amount, value=amount.value / size)
        made = self.computed(part, code, name, unit, scaled, formula)
        return made if made.value is None else replace(made, basis="measured")

    def computed(
        self, part: str, code: str, name: str, unit: str, amount: Amount, formula: str, note: str = ""
    ) -> Field:
        """A figure worked out from meters."""
        known = amount.value is not None
        notes = [note] if note else []
        if known and amount.usable < 1:
            notes.append(f"{amount.usable:.1%} of the year has values; nothing is added for the rest")
        if known and not self._over:
            notes.append("the year is not over")
        return Field(
            part=part,
            code=code,
            name=name,
            unit=unit,
            value=amount.value,
            missing=None if known else amount.missing,
            basis="computed" if known else None,
            usable=amount.usable,
            coverage=amount.coverage,
            provisional=known and (amount.provisional or not self._over),
            meters=amount.contributions,
            formula=formula,
            note="; ".join(notes),
        )

    def kpi(self, part: str, code: str, name: str, kpi: str, quantities: Sequence[str], formula: str) -> Field:
        """A KPI of the year."""
        found = self._kpis[kpi]
        why = "; ".join(issue.message for issue in found.issues) or "no data"
        amount = Amount(
            value=found.value,
            usable=found.usable,
            coverage=found.coverage,
            contributions=self.tracer.contributions_of(*quantities),
            missing="" if found.value is not None else why,
            provisional=found.provisional,
        )
        basis = [] if found.category is None else [f"category {found.category}"]
        return self.computed(part, code, name, found.unit, amount, formula, ", ".join([*basis, *_of(found.basis)]))

    # -- groups -------------------------------------------------------------------------------------------------

    def temperature(self, part: str, code: str, name: str, what: str, role: str | None = None) -> Field:
        """A mean temperature: of a meter that ``facility`` names, declared there, or of the sensors of a role."""
        meter = getattr(self.facility, f"{what}_meter")
        if meter is not None:
            return self.measured(part, code, name, "degC", self.tracer.mean(meter), f"mean of {meter} over the year")
        field = self.declared(part, code, name, f"{what}_temperature_c", "degC")
        if field.value is not None or role is None or role not in self.data.roles:
            return field
        note = f"measured mean of {role}, where a set point is asked for (facility.{what}_temperature_c)"
        return self.computed(part, code, name, "degC", self.tracer.role(role), f"mean of {role} over the year", note)

    def renewable(self) -> dict[str, Amount]:
        """kWh of renewable energy that count: ``total``, ``onsite``, ``ppa`` and ``certificate``.

        The cap at E_DC takes certificates first and the on-site part last.
        """
        found = self._kpis["ref"]
        why = "; ".join(issue.message for issue in found.issues) or "no data"
        left = found.numerator if found.value is not None and found.numerator is not None else None
        amounts = {"total": self._renewable(found, left, why, _PV)}
        for name, meters in (("onsite", _PV), ("ppa", ()), ("certificate", ())):
            if left is None or name not in self.data.quantities:
                lacks = "no meter has the role onsite_renewable" if name == "onsite" else "no certificate file"
                amounts[name] = self._renewable(found, None, why if left is None else lacks, meters)
                continue
            counted = min(found.parts.get(name, 0.0) * (found.denominator or 0.0), left)
            amounts[name] = self._renewable(found, counted, why, meters)
            left -= counted
        return amounts

    def _renewable(self, found: KpiValue, value: float | None, why: str, meters: Sequence[str] = ()) -> Amount:
        """``meters``: the quantities whose meters are behind it; none of what certificates alone tell."""
        return Amount(
            value=value,
            usable=found.usable,
            coverage=found.coverage,
            contributions=self.tracer.contributions_of(*meters),
            missing="" if value is not None else why,
            provisional=found.provisional,
        )

    # -- the whole ----------------------------------------------------------------------------------------------

    def export(
        self,
        regulation: Regulation,
        fields: Iterable[Field],
        power_kw: float | None,
        sums: Mapping[str, Sequence[str]],
        tables: Sequence[str],
    ) -> Export:
        """The fields as a document; ``power_kw`` is what decides whether the site is asked, ``tables`` whose limits are
        told with it."""
        made, site, data = tuple(fields), self.data.site, self.data
        checks = gate(_figures(made), hours=data.hours, sums=_present(sums, made), joint=joint(data))
        first, last = local_date(data.span.start, site.zone), date(self._year + 1, 1, 1)
        limits = [each for each in spans(site, first, last) if each.table in tables]
        pue = self._kpis["pue"]
        return Export(
            schema=SCHEMA,
            regulation=regulation.name,
            title=regulation.title,
            source=regulation.source,
            site=site.id,
            year=self._year,
            timezone=site.zone,
            start=iso(data.span.start),
            end=iso(data.span.end),
            over=self._over,
            threshold=regulation.threshold,
            obliged=None if power_kw is None else power_kw >= regulation.least_kw,
            due=date(self._year + 1, *regulation.due).isoformat(),
            fields=made,
            missing=tuple(field.code for field in made if field.value is None),
            checks=checks,
            breaches=tuple(check.message for check in breaches(checks)),
            limits=tuple(
                LimitResult(
                    limit=each,
                    judgement=judge(each, pue.value if self._over else None, provisional=pue.provisional),
                )
                for each in limits
            ),
        )


def _of(basis: str | None) -> list[str]:
    return [] if basis is None else [basis.replace("_", " ")]


def _figures(fields: Iterable[Field]) -> list[Figure]:
    """The numbers among them."""
    return [
        Figure(name=field.code, value=field.value, unit=field.unit)
        for field in fields
        if isinstance(field.value, float)
    ]


def _present(sums: Mapping[str, Sequence[str]], fields: Sequence[Field]) -> dict[str, list[str]]:
    """Totals with those of their parts that have a value; a part that the site lacks adds nothing."""
    valued = {field.code for field in fields if field.value is not None}
    return {
        total: [part for part in parts if part in valued]
        for total, parts in sums.items()
        if total in valued and any(part in valued for part in parts)
    }
