"""Several sites in one report: weighted by energy, by PUE category and by size, and never what cannot be added up.

Sums of numerators by sums of denominators, of the sites whose value stands; the others are listed by name, with why.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.report.model import Metric
from analytics.report.rounding import KINDS, Scale, digits_of, percent, scale_of, shown

SCHEMA = "wattwell.fleet/1"
KPIS = ("pue", "wue", "ref", "erf", "cue_location", "cue_market", "cfe")
"""KPIs that a fleet is told; a peak does not add up."""
_BOUND = {"wue", "cue_location", "cue_market"}
"""KPIs whose declared basis must be the same to be added up."""
SIZES = ((500.0, "below 500 kW"), (1000.0, "500 kW to 1 MW"), (2000.0, "1 to 2 MW"), (10_000.0, "2 to 10 MW"))
LARGEST, UNKNOWN = "10 MW and more", "size not declared"
DASH = "\u2013"
_WATER = ("water", "Water")
_AMOUNTS = ("energy", "water", "carbon", "cost")
"""Of the first page, that are added up; E_IT goes with the energy."""
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSite:
    """One site's line."""

    id: str
    name: str
    size: str
    """Class by IT power."""
    category: int
    e_dc: float | None
    """kWh"""
    e_it: float | None
    water: float | None
    """L, by ``wue_numerator``"""
    wue_numerator: str
    carbon_location: float | None
    """kg"""
    cost: float | None
    currency: str | None
    values: Mapping[str, float | None]
    """By KPI."""
    provisional: bool
    usable: float | None
    """Share of the period that its PUE stands on."""
    findings_kwh: float
    """Excess of its findings."""
    status: str
    revision: int | None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sites that are added up: those of one PUE category, or of one category and size."""

    category: int
    size: str | None
    """None: of every size."""
    sites: tuple[str, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A site that is in no sum of a KPI or an amount."""

    site: str
    kpi: str
    """Or energy, water, carbon, cost."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """The figures of several sites over the same month or year of their own calendars."""

    schema: str = SCHEMA
    kind: str = "fleet"
    status: str
    """compiled"""
    period: Document
    """key, name, window, over"""
    sites: tuple[FleetSite, ...]
    totals: tuple[Metric, ...]
    """Amounts of all sites together."""
    groups: tuple[Group, ...]
    left_out: tuple[LeftOut, ...]
    caveats: tuple[str, ...]
    program: str


def size_class(it_power_kw: float | None) -> str:
    """The class of a site by its installed IT power."""
    if it_power_kw is None:
        return UNKNOWN
    return next((name for most, name in SIZES if it_power_kw < most), LARGEST)


def fleet(reports: Sequence[Document]) -> FleetReport:
    """The fleet of some reports, issued or drafts, of one key; ValueError without any.

    Fiscal years of one key are different periods where the sites begin them in other months: those that are not the
    commonest are left out.
    """
    if not reports:
        raise ValueError("a fleet report is made of at least one site's report")
    first = reports[0]
    sites = tuple(_site(each) for each in reports)
    (name, _), *_ = Counter(each["period"]["name"] for each in reports).most_common(1)
    left = tuple(out for each in reports for out in _left_out(each, name))
    return FleetReport(
        status="compiled",
        period={
            "key": first["period"]["key"],
            "name": name,
            "window": first["period"]["window"],
            "over": all(each["period"]["over"] for each in reports),
        },
        sites=sites,
        totals=tuple(_totals(sites, left)),
        groups=tuple(_groups(reports, left)),
        left_out=left,
        caveats=tuple(_caveats(reports, sites)),
        program=first["inputs"]["program"],
    )


def _kpi(report: Document, name: str) -> Document | None:
    return next((each for each in report["kpis"] if each["kpi"] == name), None)


def _site(report: Document) -> FleetSite:
    head = report["site"]
    current = {line["name"]: line["current"]["value"] for line in report["headlines"]}
    amounts = {metric["name"]: metric["value"] for metric in report["metrics"]}
    pue = _kpi(report, "pue")
    it = amounts.get("it")
    return FleetSite(
        id=head["id"],
        name=head["name"],
        size=size_class(head["it_power_kw"]),
        category=head["pue_category"],
        e_dc=current.get("energy"),
        e_it=None if it is None else it * 1000,
        water=current.get("water"),
        wue_numerator=head["wue_numerator"],
        carbon_location=current.get("carbon"),
        cost=current.get("cost"),
        currency=head["currency"],
        values={name: None if (found := _kpi(report, name)) is None else found["value"] for name in KPIS},
        provisional=bool(pue and pue["provisional"]),
        usable=None if pue is None else pue["usable"],
        findings_kwh=math.fsum(each["excess_kwh"]["value"] for each in report["findings"] if each["excess_kwh"]),
        status=report["status"],
        revision=report["revision"],
        digest=report["inputs"]["digest"],
    )


def _left_out(report: Document, name: str) -> Iterable[LeftOut]:
    """Amounts and KPIs of a site that are in no sum: without a value, or provisional for want of coverage.

    A period that is not over makes a KPI provisional too; it is the same one for all. ``name``: of the fleet's period.
    """
    site = report["site"]["id"]
    if report["period"]["name"] != name:
        reason = f"another period: {report['period']['name']}"
        yield from (LeftOut(site=site, kpi=each, reason=reason) for each in (*_AMOUNTS, *KPIS))
        return
    for line in report["headlines"]:
        if line["name"] in _AMOUNTS and (line["current"]["value"] is None or line["current"]["provisional"]):
            share = line["current"]["usable"] or 0.0
            thin = f"{share:.1%} of the period is usable"
            yield LeftOut(site=site, kpi=line["name"], reason=thin if share else line["current"]["note"] or thin)
    for kpi in KPIS:
        found = _kpi(report, kpi)
        if found is None:
            yield LeftOut(site=site, kpi=kpi, reason="the site lacks the meters or factors for it")
        elif found["value"] is None:
            why = next((issue["message"] for issue in found["issues"]), "no value")
            yield LeftOut(site=site, kpi=kpi, reason=why)
        elif any(issue["code"] == "coverage.provisional" for issue in found["issues"]):
            reason = f"provisional: {found['usable']:.1%} of the period is usable"
            yield LeftOut(site=site, kpi=kpi, reason=reason)


def _groups(reports: Sequence[Document], left: Sequence[LeftOut]) -> Iterable[Group]:
    """By category, each first as a whole and then by size."""
    without = {(out.site, out.kpi) for out in left}
    for category in sorted({report["site"]["pue_category"] for report in reports}):
        of = [report for report in reports if report["site"]["pue_category"] == category]
        yield _group(category, None, of, without)
        for size in (*(name for _, name in SIZES), LARGEST, UNKNOWN):
            same = [report for report in of if size_class(report["site"]["it_power_kw"]) == size]
            if same:
                yield _group(category, size, same, without)


def _group(category: int, size: str | None, reports: Sequence[Document], without: set[tuple[str, str]]) -> Group:
    metrics = []
    for name in KPIS:
        counted = [each for each in reports if (each["site"]["id"], name) not in without]
        found = [kpi for each in counted if (kpi := _kpi(each, name)) is not None]
        if found:
            metrics.append(_ratio(name, found, len(reports)))
    ids = tuple(report["site"]["id"] for report in reports)
    return Group(category=category, size=size, sites=ids, metrics=tuple(metrics))


def _ratio(name: str, found: Sequence[Document], of: int) -> Metric:
    """The sum of the numerators by the sum of the denominators; no value where the sites declare other bases."""
    label, bases = found[0]["label"], sorted({str(each["basis"]) for each in found})
    unit = "%" if percent(name) else found[0]["unit"]
    count = f"{len(found)} of {of} site{'' if of == 1 else 's'}"
    if name in _BOUND and len(bases) > 1:
        basis = f"not added up: {', '.join(bases).replace('_', ' ')}"
        return Metric(name=name, label=label, unit=unit, value=None, shown=DASH, basis=basis)
    numerator, denominator = (math.fsum(each[side] for each in found) for side in ("numerator", "denominator"))
    value = numerator / denominator if denominator > 0 else None
    if value is not None and percent(name):
        value *= 100
    text = DASH if value is None else shown(value, digits_of(name))
    return Metric(name=name, label=label, unit=unit, value=value, shown=text, basis=count)


def _totals(sites: Sequence[FleetSite], left: Sequence[LeftOut]) -> Iterable[Metric]:
    """Amounts of the sites that are not left out; water by what the sites count as such."""
    without, count = {(out.site, out.kpi) for out in left}, len(sites)

    def of(name: str, amounts: Callable[[FleetSite], float | None], chosen: Sequence[FleetSite]) -> list[float | None]:
        return [amounts(site) for site in chosen if (site.id, name) not in without]

    e_dc, e_it = of("energy", lambda site: site.e_dc, sites), of("pue", lambda site: site.e_it, sites)
    yield _total("e_dc", "Energy of the data centres (E_DC)", "energy", e_dc, count)
    yield _total("e_it", "Energy of the IT equipment (E_IT)", "energy", e_it, count)
    numerators = sorted({site.wue_numerator for site in sites if site.water is not None})
    for numerator in numerators or [""]:
        litres = of("water", lambda site: site.water, [site for site in sites if site.wue_numerator == numerator])
        named = (f"water_{numerator}", f"Water, {numerator.replace('_', ' ')}") if len(numerators) > 1 else _WATER
        yield _total(*named, "water", litres, count)
    carbon = of("carbon", lambda site: site.carbon_location, sites)
    yield _total("carbon_location", "Carbon, location-based", "mass", carbon, count)
    for currency in sorted({site.currency for site in sites if site.currency is not None}):
        spent = of("cost", lambda site: site.cost, [site for site in sites if site.currency == currency])
        yield _total(f"cost_{currency}", "Cost", currency, spent, count)


def _total(name: str, label: str, kind: str, amounts: Sequence[float | None], of: int) -> Metric:
    """The sum of those that are known; ``kind``: energy, water or mass, or else a currency."""
    known = [amount for amount in amounts if amount is not None]
    value = math.fsum(known) if known else None
    scale = scale_of(kind, abs(value or 0.0)) if kind in KINDS else Scale(unit=kind, size=1.0, digits=0)
    return Metric(
        name=name,
        label=label,
        unit=scale.unit,
        value=value,
        shown=DASH if value is None else shown(value / scale.size, scale.digits),
        basis=f"{len(known)} of {of} sites",
    )


def _caveats(reports: Sequence[Document], sites: Sequence[FleetSite]) -> Iterable[str]:
    drafts = [site.id for site in sites if site.status != "issued"]
    if drafts:
        yield f"Drafts, not issued: {', '.join(drafts)}."
    if len({site.category for site in sites}) > 1:
        yield "The sites measure the IT load at different PUE categories; these are never added up."
    if len({each["site"]["timezone"] for each in reports}) > 1:
        yield "Each site's period is cut in its own time zone."
