"""What a report is made from: a site's quantities on every grid interval of a period, and each meter's totals.

A period is laid out a stretch at a time, so that a year of a thousand meters needs no more memory than a month; what
stays of each stretch are the columns of quantities and roles, and sums of every meter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.balance import Quantity, SiteGrid, Terms, lay_out, quantities, served_by, sides, sum_of
from analytics.report.emissions import emission_columns
from wattwell.intervals import HOUR, Interval
from wattwell.model import Float64, Int64, Meter, Site, SiteIntervals
from wattwell.roles import SENSOR_ROLES, WATER_INPUT_ROLES, above
from wattwell.units import AMOUNT_OF, CANONICAL


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterTotal:
    """One real meter over a period, as far as it is in service in it."""

    meter: str
    role: str | None
    value: float | None
    """kWh or L over the intervals with a value, or the mean of a sensor in its canonical unit; None without one."""
    unit: str
    """kWh, L, or the canonical unit of the mean."""
    in_service: float
    """Share of the period in which it is in service; of this share the three below are parts that sum to 1."""
    measured: float
    estimated: float
    missing: float
    recovered: int
    """Intervals whose amount is measured and whose spread in time is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodData:
    """Columns over the n grid intervals of a period."""

    site: Site
    span: Interval
    """Local starts of the first and of the next month or year; cut at the live edge where it is not over."""
    grid: int
    """Microseconds."""
    at: Int64
    """Starts of the intervals, n, microseconds UTC."""
    quantities: Mapping[str, Quantity]
    """By name (:func:`analytics.balance.quantities`, :func:`analytics.report.emissions.emission_columns`,
    :func:`inlet`, :func:`water_inlet`)."""
    roles: Mapping[str, Quantity]
    """By role: kWh or L of its topmost meters together, usable where each in service has a value; of sensors the mean
    of those that have a value. Roles without a meter are absent."""
    meters: tuple[MeterTotal, ...]

    @property
    def hours(self) -> float:
        """Length of the period."""
        return self.span.width / HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One meter's sums over a stretch, in intervals."""

    total: float
    """Of its values."""
    valued: int
    served: int
    measured: float
    recovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a period."""

    at: Int64
    quantities: Mapping[str, Quantity]
    roles: Mapping[str, Quantity]
    tallies: Mapping[str, Tally]


def stretch(site: Site, found: SiteIntervals, days: Int64, grid: int, span: Interval) -> Stretch:
    """Stored interval values of all real meters over ``days``, the grid intervals of whole UTC days (some quantities go
    by the hour), as the columns of the part that lies in ``span``."""
    laid = lay_out(site, found, tuple(site.meters), days, grid)
    low, high = np.searchsorted(days, (span.start, span.end)).tolist()
    kept = slice(low, high)
    roles = {role: _of_role(site, laid, role, names) for role, names in by_role(site).items()}
    plain = sides(site)
    made = quantities(site, laid, plain) | emission_columns(site, laid)
    made |= {inlet(role): sum_of(site, laid, terms) for role, terms in _inlets(site, plain.get("e_dc", ())).items()}
    made |= {water_inlet(role): sum_of(site, laid, terms) for role, terms in _water_inlets(site).items()}
    return Stretch(
        at=days[kept],
        quantities={name: _part(each, kept) for name, each in made.items()},
        roles={role: _part(each, kept) for role, each in roles.items()},
        tallies={name: _tally(meter, laid, found, kept) for name, meter in site.meters.items() if not meter.virtual},
    )


def inlet(role: str) -> str:
    """The name of the part of E_DC that the meters of a role make, with weight and sign."""
    return f"e_dc {role}"


def _inlets(site: Site, terms: Terms) -> dict[str, Terms]:
    found: dict[str, Terms] = {}
    for factor, meter in terms:
        role = site.meters[meter].role or ""
        found[role] = (*found.get(role, ()), (factor, meter))
    return found


def water_inlet(role: str) -> str:
    """The name of the part of all incoming water that the meters of a role count and no inlet below them does."""
    return f"water_total {role}"


def _water_inlets(site: Site) -> dict[str, Terms]:
    """What is counted twice, by an inlet and by another one above it, belongs to the lower one."""
    found: dict[str, Terms] = {}
    for name, meter in site.meters.items():
        if meter.role not in WATER_INPUT_ROLES:
            continue
        found[meter.role] = (*found.get(meter.role, ()), (1.0, name))
        over = next((up for up in above(site.meters, name) if site.meters[up].role in WATER_INPUT_ROLES), None)
        if over is not None:
            role = site.meters[over].role or ""
            found[role] = (*found.get(role, ()), (-1.0, name))
    return found


def by_role(site: Site) -> dict[str, list[str]]:
    """The meters of each role that have none of it above them in the tree."""
    found: dict[str, list[str]] = {}
    for meter in site.meters.values():
        if meter.role and not any(site.meters[up].role == meter.role for up in above(site.meters, meter.id)):
            found.setdefault(meter.role, []).append(meter.id)
    return found


def _of_role(site: Site, laid: SiteGrid, role: str, names: Sequence[str]) -> Quantity:
    if role not in SENSOR_ROLES:
        terms: Terms = tuple((1.0, name) for name in names)
        return sum_of(site, laid, terms)
    value = np.stack([laid.value[name] for name in names])
    measured = np.stack([laid.measured[name] for name in names])
    known = ~np.isnan(value)
    count = known.sum(axis=0)
    mean = np.divide(np.where(known, value, 0.0).sum(axis=0), count, out=np.zeros(len(count)), where=count > 0)
    usable = count > 0
    least = np.where(known, measured, 1.0).min(axis=0)
    return Quantity(value=mean, usable=usable, served=usable, measured=np.where(usable, least, 0.0))


def _tally(meter: Meter, laid: SiteGrid, found: SiteIntervals, kept: slice) -> Tally:
    at = laid.start[kept]
    served = served_by(meter, at)
    if meter.id not in laid.value:
        return Tally(total=0.0, valued=0, served=int(served.sum()), measured=0.0, recovered=0)
    value, measured = laid.value[meter.id][kept], laid.measured[meter.id][kept]
    known = served & ~np.isnan(value)
    return Tally(
        total=float(value[known].sum()),
        valued=int(known.sum()),
        served=int(served.sum()),
        measured=float(measured[known].sum()),
        recovered=_recovered(meter.id, found, at),
    )


def _recovered(meter: str, found: SiteIntervals, at: Int64) -> int:
    if meter not in found.meters or not len(at):
        return 0
    place = found.meters.index(meter)
    low, high = np.searchsorted(found.meter, (place, place + 1))
    starts = found.values.start[low:high]
    return int(found.values.recovered[low:high][(starts >= at[0]) & (starts <= at[-1])].sum())


# -- a whole period -------------------------------------------------------------------------------------------------


def period(site: Site, span: Interval, grid: int, stretches: Iterable[Stretch]) -> PeriodData:
    """The columns of consecutive stretches, with the sums of their meters; ValueError where they leave gaps."""
    parts = list(stretches)
    at = np.concatenate([part.at for part in parts]) if parts else np.empty(0, dtype=np.int64)
    if len(at) != span.width // grid or (len(at) and (at[0] != span.start or at[-1] + grid != span.end)):
        raise ValueError(f"{len(at)} intervals do not fill the period of {span.width // grid}")
    return PeriodData(
        site=site,
        span=span,
        grid=grid,
        at=at,
        quantities=_joined([part.quantities for part in parts]),
        roles=_joined([part.roles for part in parts]),
        meters=tuple(
            _total(meter, [part.tallies[name] for part in parts], len(at))
            for name, meter in site.meters.items()
            if not meter.virtual
        ),
    )


def _part(each: Quantity, kept: slice) -> Quantity:
    return Quantity(
        value=each.value[kept], usable=each.usable[kept], served=each.served[kept], measured=each.measured[kept]
    )


def _joined(parts: Sequence[Mapping[str, Quantity]]) -> dict[str, Quantity]:
    if not parts:
        return {}
    return {
        name: Quantity(
            value=np.concatenate([part[name].value for part in parts]),
            usable=np.concatenate([part[name].usable for part in parts]),
            served=np.concatenate([part[name].served for part in parts]),
            measured=np.concatenate([part[name].measured for part in parts]),
        )
        for name in parts[0]
    }


def _total(meter: Meter, tallies: Sequence[Tally], count: int) -> MeterTotal:
    served, valued = sum(each.served for each in tallies), sum(each.valued for each in tallies)
    total, measured = (math.fsum(column) for column in ((t.total for t in tallies), (t.measured for t in tallies)))
    amount = AMOUNT_OF.get(meter.quantity)
    unit = CANONICAL[meter.quantity if amount is None else amount]
    return MeterTotal(
        meter=meter.id,
        role=meter.role,
        value=None if not valued else total / valued if amount is None else total,
        unit=unit,
        in_service=served / count if count else 0.0,
        measured=measured / served if served else 0.0,
        estimated=(valued - measured) / served if served else 0.0,
        missing=(served - valued) / served if served else 0.0,
        recovered=sum(each.recovered for each in tallies),
    )


def known(column: Quantity) -> Float64:
    """A quantity's values, NaN where it has none."""
    return np.where(column.usable & column.served, column.value, np.nan)
