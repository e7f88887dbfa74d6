"""Carbon of a period: scope 1 by source, scope 2 by location and by market, and what was avoided.

GHG Protocol, Corporate Standard (scopes) and Scope 2 Guidance (location- and market-based). Each import takes the
factor of its hour; export is not credited and avoided emissions are never subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.factors import CARBON, emitting, hourly
from analytics.report.emissions import IMPORTED, SCOPE2, emitted
from analytics.report.period import PeriodData
from wattwell.emissions import NOT_STATED, EmissionEntry
from wattwell.intervals import HOUR, iso, local_date, overlap
from wattwell.model import Bool, Factor, Float64

MOST_GAPS = 20
"""Gaps of a factor that are listed; all are counted."""
BOUGHT_ROLES = ("utility_import", "cooling_import")
"""Energy that comes from a network: what it emits is scope 2 (GHG Protocol, Scope 2 Guidance)."""
NO_VALUE = "no interval of the period has a value"
METHOD = (
    "Each import takes the factor of its UTC hour. Intervals without a value or a factor are in no figure, and nothing "
    "is put in their place. Imports stand on the intervals in which all that emits is known by their basis, meters "
    "with a factor of their own on those by location, so that the total is that of the first page; where these are too "
    "few, each stands on its own, and there is no total. The market factor is taken as given: contracts and "
    "certificates are not taken off it again. Export is not credited. Avoided emissions stand beside the totals and "
    "are never subtracted."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Consecutive hours without a factor."""

    start: str
    """UTC, with Z."""
    end: str
    """Exclusive."""
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorUse:
    """A factor of the grid as it was used."""

    name: str
    """grid_kg_per_kwh or market_kg_per_kwh"""
    source: str
    """``not stated`` where the site does not name it."""
    hourly: bool
    """From a file of hourly values; else one number."""
    mean: float | None
    """kg/kWh, weighted by the import; None without import."""
    covered: float
    """Share of the period that has a factor."""
    gaps: tuple[Gap, ...]
    """The first 20."""
    gap_count: int
    """All of them."""
    gap_hours: float
    gap_import_kwh: float
    """Import in hours without a factor: it is in no figure of carbon, and nothing is put in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchased:
    """Imported electricity by one basis."""

    basis: str
    """location or market"""
    kwh: float | None
    """Import that ``kg`` is made of: over intervals with values and factor."""
    kg: float | None
    """CO2 equivalent; None where it cannot be told."""
    usable: float
    """Share of the period's intervals that it is made of."""
    factor: FactorUse | None
    """None where the site has no such factor, or no import."""
    reason: str
    """Why there is no value; empty where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What a meter with emissions of its own counted."""

    meter: str
    role: str | None
    scope: int
    """2 where the energy is bought from a network (utility_import, cooling_import), else 1."""
    kwh: float | None
    """None where no interval has a value."""
    kg_per_kwh: float
    source: str
    """Of the factor; ``not stated`` where the meter does not name it."""
    kg: float | None
    usable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """An entry made by hand, as far as it falls into the period; scope 1."""

    id: str
    kind: str
    """fuel or refrigerant"""
    start: str
    """Local date of the whole entry."""
    end: str
    """Local date, exclusive."""
    amount: float
    """In ``unit``: the share of the entry that falls into the period, evenly by time."""
    unit: str
    kg_per_unit: float
    factor: str
    source: str
    kg: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoided:
    """Energy and emissions that a named baseline would have had in addition; negative where it would have had less."""

    name: str
    """pue or onsite"""
    title: str
    baseline: str
    """What it is compared with, in words."""
    kwh: float | None
    usable: float
    """Share of the period's intervals behind ``kwh``."""
    kg: float | None
    factor_usable: float
    """Share of the period's intervals behind ``kg``, those of ``kwh`` that have a factor."""
    factor: str
    """Name and source of the factor."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon:
    """Carbon of a period; kg CO2 equivalent. A total has no value where a part has none."""

    location: Purchased
    market: Purchased
    metered: tuple[Metered, ...]
    entries: tuple[Entered, ...]
    scope1_kg: float | None
    """Metered with scope 1, and entries."""
    scope1_reason: str
    """Why it has no value, or that nothing is metered or entered (and it is None); empty else."""
    scope2_location_kg: float | None
    """Imported electricity by location, and bought energy that is metered with its own factor."""
    scope2_market_kg: float | None
    total_location_kg: float | None
    """Scope 1, where anything of it is known to exist, and scope 2."""
    total_market_kg: float | None
    usable: float
    """Share of the period's intervals in which all that emits is known by location."""
    imported_kwh: float | None
    """Over intervals with a value, with or without a factor."""
    exported_kwh: float | None
    """Not credited."""
    avoided: tuple[Avoided, ...]
    """Beside the totals, never subtracted."""
    method: str
    """In words."""


def carbon(data: PeriodData, least: float) -> Carbon:
    """The carbon of a period, with the site's own factors, entries and baseline.

    ``least``: the share of the period below which a total has no value.
    """
    made = data.quantities
    joint = {basis: made[whole].required().usable for basis, (_, whole) in SCOPE2.items() if whole in made}
    enough = {basis: each for basis, each in joint.items() if each.any() and each.mean() >= least}
    location, market = (_purchased(data, basis, enough.get(basis)) for basis in SCOPE2)
    metered, entries = _metered(data, next(iter(enough.values()), None)), _entries(data)
    direct = [each.kg for each in metered if each.scope == 1] + [entry.kg for entry in entries]
    bought = [each.kg for each in metered if each.scope == 2]
    known = bool(direct) or data.site.emissions is not None
    scope1 = _sum(direct) if known else None
    scope2 = [_sum([each.kg, *bought]) for each in (location, market)]
    totals = [
        None if basis in joint.keys() - enough.keys() else _sum([each, scope1] if known else [each])
        for basis, each in zip(SCOPE2, scope2, strict=True)
    ]
    return Carbon(
        location=location,
        market=market,
        metered=metered,
        entries=entries,
        scope1_kg=scope1,
        scope1_reason=_scope1_reason(scope1, known),
        scope2_location_kg=scope2[0],
        scope2_market_kg=scope2[1],
        total_location_kg=totals[0],
        total_market_kg=totals[1],
        usable=float(joint["location"].mean()) if "location" in joint else location.usable,
        imported_kwh=_over(data, IMPORTED)[0],
        exported_kwh=_over(data, "export")[0],
        avoided=_avoided(data),
        method=METHOD,
    )


def _sum(parts: Sequence[float | None]) -> float | None:
    """The sum of parts; None where one of them is."""
    known = [part for part in parts if part is not None]
    return math.fsum(known) if len(known) == len(parts) else None


def _scope1_reason(scope1: float | None, known: bool) -> str:
    if not known:
        return "no meter has kg_per_kwh and the site names no emissions file"
    return NO_VALUE if scope1 is None else ""


def _over(data: PeriodData, name: str, where: Bool | None = None) -> tuple[float | None, float]:
    """A quantity's sum over its usable intervals (those of ``where`` if given), and their share of the period."""
    found = data.quantities.get(name)
    if found is None:
        return None, 0.0
    usable = found.usable if where is None else found.usable & where
    count = int(np.count_nonzero(usable))
    return (float(found.value[usable].sum()) if count else None), (count / len(usable) if count else 0.0)


# -- scope 2: imports -----------------------------------------------------------------------------------------------


def _purchased(data: PeriodData, basis: str, where: Bool | None) -> Purchased:
    name, whole = SCOPE2[basis]
    key = CARBON[whole]
    if IMPORTED not in data.quantities:
        return Purchased(basis=basis, kwh=0.0, kg=0.0, usable=1.0, factor=None, reason="no meter imports electricity")
    if name not in data.quantities:
        reason = f"the site has no factor {key}"
        return Purchased(basis=basis, kwh=None, kg=None, usable=0.0, factor=None, reason=reason)
    kg, usable = _over(data, name, where)
    found = data.quantities[name].usable
    kwh, _ = _over(data, IMPORTED, found if where is None else found & where)
    mean = kg / kwh if kg is not None and kwh else None
    factor = _factor_use(data, key, mean)
    reason = "" if kg is not None else NO_VALUE if factor.covered else f"{key} has no value for any hour of the period"
    return Purchased(basis=basis, kwh=kwh, kg=kg, usable=usable, factor=factor, reason=reason)


def _factor_use(data: PeriodData, key: str, mean: float | None) -> FactorUse:
    factor = data.site.factors[key]
    lacking = np.isnan(hourly(factor, data.at))
    gaps = _gaps(data, lacking)
    kwh, _ = _over(data, IMPORTED, lacking)
    return FactorUse(
        name=key,
        source=data.site.factor_sources.get(key, NOT_STATED),
        hourly=factor.constant is None,
        mean=mean,
        covered=1 - float(lacking.mean()) if len(lacking) else 0.0,
        gaps=gaps[:MOST_GAPS],
        gap_count=len(gaps),
        gap_hours=int(lacking.sum()) * data.grid / HOUR,
        gap_import_kwh=kwh or 0.0,
    )


def _gaps(data: PeriodData, lacking: Bool) -> tuple[Gap, ...]:
    edges = np.flatnonzero(np.diff(lacking.astype(np.int8), prepend=0, append=0))
    bounds = [data.span.start + int(edge) * data.grid for edge in edges]
    return tuple(
        Gap(start=iso(start), end=iso(end), hours=(end - start) / HOUR)
        for start, end in zip(bounds[::2], bounds[1::2], strict=True)
    )


# -- scope 1, and what is bought beside electricity -----------------------------------------------------------------


def _metered(data: PeriodData, where: Bool | None) -> tuple[Metered, ...]:
    found = []
    for name, factor in emitting(data.site.meters).items():
        column, meter = data.quantities.get(emitted(name)), data.site.meters[name]
        if column is None or not column.served.any():
            continue
        kwh, usable = _over(data, emitted(name), where)
        found.append(
            Metered(
                meter=name,
                role=meter.role,
                scope=2 if meter.role in BOUGHT_ROLES else 1,
                kwh=kwh,
                kg_per_kwh=factor,
                source=meter.factor_source or NOT_STATED,
                kg=None if kwh is None else factor * kwh,
                usable=usable,
            )
        )
    return tuple(found)


def _entries(data: PeriodData) -> tuple[Entered, ...]:
    listed = sorted(data.site.emissions or (), key=lambda entry: (entry.interval.start, entry.id))
    return tuple(_entered(entry, data) for entry in listed if overlap(entry.interval, data.span))


def _entered(entry: EmissionEntry, data: PeriodData) -> Entered:
    amount = entry.amount * overlap(entry.interval, data.span) / entry.interval.width
    start, end = (local_date(at, data.site.zone).isoformat() for at in (entry.interval.start, entry.interval.end))
    return Entered(
        id=entry.id,
        kind=entry.kind,
        start=start,
        end=end,
        amount=amount,
        unit=entry.unit,
        kg_per_unit=entry.kg_per_unit,
        factor=entry.factor,
        source=entry.source,
        kg=amount * entry.kg_per_unit,
        note=entry.note,
    )


# -- avoided --------------------------------------------------------------------------------------------------------


def _avoided(data: PeriodData) -> tuple[Avoided, ...]:
    lines = [_against_baseline(data), _onsite(data)]
    return tuple(line for line in lines if line is not None)


def _against_baseline(data: PeriodData) -> Avoided | None:
    """E_IT at the baseline's PUE less E_DC as it was."""
    baseline, made = data.site.baseline, data.quantities
    if baseline is None or "e_dc" not in made or "e_it" not in made:
        return None
    e_dc, e_it = made["e_dc"].required(), made["e_it"].required()
    own = baseline.grid_kg_per_kwh
    return _line(
        data,
        baseline.pue * e_it.value - e_dc.value,
        e_dc.usable & e_it.usable,
        None if own is None else Factor(constant=own),
        name="pue",
        title="Energy that the baseline's PUE would have taken in addition",
        baseline=f"{baseline.name}, PUE {baseline.pue:g}",
        note="",
    )


def _onsite(data: PeriodData) -> Avoided | None:
    """On-site renewable energy that was used and not sold, at the factor of the grid that it took the place of."""
    onsite = data.quantities.get("onsite")
    if onsite is None:
        return None
    sold, _ = _over(data, "onsite_sold", onsite.usable)
    taken = data.quantities["onsite_sold"].value if sold else 0.0
    note = f"{sold:.6g} kWh that were sold as certificates are left out: their claim is the buyer's" if sold else ""
    return _line(
        data,
        onsite.value - taken,
        onsite.usable,
        None,
        name="onsite",
        title="On-site renewable energy used instead of grid electricity",
        baseline="the same energy from the grid",
        note=note,
    )


def _line(data: PeriodData, kwh: Float64, usable: Bool, factor: Factor | None, **words: str) -> Avoided:
    """``factor``: the baseline's own; else that of the grid."""
    key = CARBON["carbon_location"]
    used = factor or data.site.factors.get(key)
    each = np.full(len(kwh), np.nan) if used is None else hourly(used, data.at)
    both = usable & ~np.isnan(each)
    source = "of the baseline" if factor else data.site.factor_sources.get(key, NOT_STATED)
    return Avoided(
        kwh=float(kwh[usable].sum()) if usable.any() else None,
        usable=float(usable.mean()) if len(usable) else 0.0,
        kg=float((kwh[both] * each[both]).sum()) if both.any() else None,
        factor_usable=float(both.mean()) if len(both) else 0.0,
        factor="none: the site has no grid_kg_per_kwh" if used is None else f"{key}, {source}",
        **words,
    )
