"""Renewable energy of a period by source, the certificate ledger behind it, and the cap at E_DC (ISO/IEC 30134-3).

No kilowatt-hour counts twice: on-site energy counts by its meter less what was sold of it, a contract or certificate
counts once, as an even power over its period, and only when retired with a date. The grid's own share never counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.balance import contracts
from analytics.kpi.base import MISSING
from analytics.kpi.ref import REF
from analytics.report.period import PeriodData
from wattwell.intervals import local_date, overlap
from wattwell.model import Bool, Certificate

BASIS = (
    "On-site generation less the part that was exported and less what of it was sold as certificates; contracts (PPA) "
    "and certificates that were retired with a date, spread evenly over their period; together at most E_DC of the "
    "period. The grid's own renewable or carbon-free share is not counted."
)
_CONTRACTS = ("ppa", "certificate")
_ROUNDING = 1e-12
_KWH_PER_MWH = 1000

Claim = tuple[str, str, float]
"""(source, certificate id or empty, kWh) of what may count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewableSource:
    """One source of renewable energy."""

    source: str
    """onsite, ppa or certificate"""
    kwh: float
    """Over the usable intervals, before the cap."""
    share: float | None
    """``kwh`` by E_DC; None where E_DC is not above 0."""
    counted_kwh: float
    """After the cap: on-site first, then contracts, then certificates."""
    counted_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row of the certificate file that overlaps the period."""

    id: str
    kind: str
    """onsite, ppa or certificate"""
    status: str
    """held, retired or sold"""
    start: str
    """Local date."""
    end: str
    """Local date, exclusive."""
    retired_on: str | None
    mwh: float
    """Of the whole row."""
    period_kwh: float
    """What falls into the period, evenly by time."""
    counted_kwh: float
    """What counts as renewable in it."""
    taken_off_kwh: float
    """What a sold on-site row takes off the on-site part, before that part is cut at 0."""
    why: str
    """Why less than ``period_kwh`` counts; empty where all of it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewables:
    """Renewable energy of a period."""

    e_dc_kwh: float | None
    """Over the usable intervals; None where the site lacks an input or too few are usable."""
    sources: tuple[RenewableSource, ...]
    """Sums to ``uncapped_kwh`` and, as counted, to ``renewable_kwh``."""
    uncapped_kwh: float | None
    capped_kwh: float | None
    """What the cap at E_DC leaves out."""
    renewable_kwh: float | None
    """uncapped - capped: the numerator of REF."""
    ref: float | None
    """renewable / E_DC, at most 1; None where E_DC is not above 0."""
    sold_kwh: float
    """On-site energy sold as certificates, over the usable intervals; it is taken off the on-site source."""
    usable: float
    """Share of the period's intervals in which E_DC and on-site generation have a value."""
    basis: str
    """What counts, in words."""
    reason: str
    """Why there is no value; empty where there is one."""
    ledger: tuple[LedgerRow, ...]
    """In order of start, kind and id."""


def renewables(data: PeriodData, least: float) -> Renewables:
    """Renewable energy of a period by source, over the same intervals as REF (:mod:`analytics.kpi.ref`).

    ``least``: the share of the period below which nothing has a value.
    """
    usable, reason = _usable(data, least)
    rows = _overlapping(data)
    if reason:
        return _without(data, rows, usable, reason)
    e_dc = float(data.quantities["e_dc"].value[usable].sum())
    sold = _total(data, "onsite_sold", usable)
    entitled = {row.id: _kwh(row, data, usable) for row in rows}
    claims = [("onsite", "", max(_total(data, "onsite", usable) - sold, 0.0))]
    claims += [(kind, name, entitled[name]) for kind, name in _counting(data) if name in entitled]
    counted = _within(max(e_dc, 0.0), [kwh for *_, kwh in claims])
    sources = tuple(_source(source, claims, counted, e_dc) for source in ("onsite", *_CONTRACTS))
    uncapped, renewable = (math.fsum(each) for each in ((s.kwh for s in sources), (s.counted_kwh for s in sources)))
    shares = {name: share for (_, name, _), share in zip(claims, counted, strict=True)}
    return Renewables(
        e_dc_kwh=e_dc,
        sources=sources,
        uncapped_kwh=uncapped,
        capped_kwh=uncapped - renewable,
        renewable_kwh=renewable,
        ref=min(renewable / e_dc, 1.0) if e_dc > 0 else None,
        sold_kwh=sold,
        usable=float(usable.mean()),
        basis=BASIS,
        reason="" if e_dc > 0 else "E_DC is not above 0",
        ledger=tuple(_ledger_row(row, data, entitled[row.id], shares.get(row.id, 0.0), "") for row in rows),
    )


def _counting(data: PeriodData) -> list[tuple[str, str]]:
    """(kind, id) of the rows that count, in the order in which they fill up E_DC: contracts first, then by start."""
    found = contracts(data.site.certificates)
    return [
        (kind, row.id)
        for kind in _CONTRACTS
        for row in sorted(found.get(kind, ()), key=lambda row: (row.interval.start, row.id))
    ]


def _within(room: float, amounts: Sequence[float]) -> list[float]:
    """As much of each amount, in order, as there is room for."""
    counted = []
    for amount in amounts:
        counted.append(min(amount, room))
        room -= counted[-1]
    return counted


def _usable(data: PeriodData, least: float) -> tuple[Bool, str]:
    """Intervals in which all that REF needs has a value, and why there are none or too few of them."""
    made = data.quantities
    nowhere = np.zeros(len(data.at), dtype=np.bool_)
    if "e_dc" not in made:
        return nowhere, MISSING["e_dc"]
    if "onsite" not in made and data.site.certificates is None:
        return nowhere, MISSING["renewable"]
    usable = made["e_dc"].required().usable
    for name in REF.uses:
        usable = usable & made[name].usable if name in made else usable
    if not usable.any():
        return usable, "no interval of the period has a value"
    share = float(usable.mean())
    return usable, "" if share >= least else f"{share:.1%} of the period is usable, at least {least:.0%} are needed"


def _total(data: PeriodData, name: str, usable: Bool) -> float:
    found = data.quantities.get(name)
    return 0.0 if found is None else float(found.value[usable].sum())


def _source(source: str, claims: Sequence[Claim], counted: Sequence[float], e_dc: float) -> RenewableSource:
    own = [place for place, claim in enumerate(claims) if claim[0] == source]
    kwh, taken = math.fsum(claims[place][2] for place in own), math.fsum(counted[place] for place in own)
    share, taken_share = (kwh / e_dc, taken / e_dc) if e_dc > 0 else (None, None)
    return RenewableSource(source=source, kwh=kwh, share=share, counted_kwh=taken, counted_share=taken_share)


def _without(data: PeriodData, rows: Sequence[Certificate], usable: Bool, reason: str) -> Renewables:
    return Renewables(
        e_dc_kwh=None,
        sources=(),
        uncapped_kwh=None,
        capped_kwh=None,
        renewable_kwh=None,
        ref=None,
        sold_kwh=0.0,
        usable=float(usable.mean()) if len(usable) else 0.0,
        basis=BASIS,
        reason=reason,
        ledger=tuple(_ledger_row(row, data, 0.0, 0.0, reason) for row in rows),
    )


# -- the certificate ledger -----------------------------------------------------------------------------------------


def _overlapping(data: PeriodData) -> list[Certificate]:
    rows = (row for row in data.site.certificates or () if overlap(row.interval, data.span))
    return sorted(rows, key=lambda row: (row.interval.start, row.kind, row.id))


def _kwh(row: Certificate, data: PeriodData, usable: Bool) -> float:
    """What an even power over the row's period comes to in the usable intervals; exact in microseconds."""
    shared = np.minimum(data.at + data.grid, row.interval.end) - np.maximum(data.at, row.interval.start)
    return row.kwh * int(np.maximum(shared, 0)[usable].sum()) / row.interval.width


def _ledger_row(row: Certificate, data: PeriodData, entitled: float, counted: float, reason: str) -> LedgerRow:
    """``entitled``: its energy in the usable intervals; ``counted``: what of it counts; ``reason``: why no row does."""
    zone, period = data.site.zone, row.kwh * overlap(row.interval, data.span) / row.interval.width
    return LedgerRow(
        id=row.id,
        kind=row.kind,
        status=row.status,
        start=local_date(row.interval.start, zone).isoformat(),
        end=local_date(row.interval.end, zone).isoformat(),
        retired_on=None if row.retired_on is None else row.retired_on.isoformat(),
        mwh=row.kwh / _KWH_PER_MWH,
        period_kwh=period,
        counted_kwh=counted,
        taken_off_kwh=entitled if row.kind == "onsite" and row.status == "sold" else 0.0,
        why=_never(row) or reason or _in_part(period, entitled, counted),
    )


def _never(row: Certificate) -> str:
    """Why a row counts in no period."""
    if row.status == "sold":
        return "sold"
    if row.kind == "onsite":
        return "on-site energy counts by its meter"
    if row.status == "held":
        return "held, not retired"
    return "retired without a date" if row.retired_on is None else ""


def _in_part(period: float, entitled: float, counted: float) -> str:
    lost = ["in intervals without data"] if entitled < period * (1 - _ROUNDING) else []
    lost += ["beyond E_DC"] if counted < entitled else []
    return "; ".join(lost)
