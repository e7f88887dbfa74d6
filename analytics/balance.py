"""A site's interval values as the quantities that KPIs are made of: E_DC, E_IT, subsystems, water, renewables.

A quantity has a value in an interval only when every meter in its formula has one, from the meter's ``from`` to its
``until``; its measured share is the smallest of theirs (METERING, Quality).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analytics.factors import FACTOR_OF, GRID_CARBON_FREE, Scaled, hourly, scaled_column, scaled_sides
from analytics.matching import matched
from wattwell.model import Bool, Certificate, Float64, Int64, Meter, Site, SiteIntervals
from wattwell.roles import (
    COOLING_ROLES,
    HEAT_REMOVED_ROLE,
    HEAT_REUSE_ROLE,
    IT_ROLE_OF_CATEGORY,
    WATER_INPUT_ROLES,
    above,
    energy_dc_terms,
)

Terms = tuple[tuple[float, str], ...]
"""(coefficient, meter id): a signed, weighted sum of meters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """One quantity on consecutive grid intervals, columns of equal length."""

    value: Float64
    """kWh or L; 0 where not usable."""
    usable: Bool
    """Every meter that is in service has a value."""
    served: Bool
    """Some meter that feeds it is in service."""
    measured: Float64
    """The smallest measured share among its meters."""

    def required(self) -> Quantity:
        """The same for those that cannot do without it: where no meter of it is in service, nothing is known."""
        if self.served.all():
            return self
        usable = self.usable & self.served
        return replace(self, value=np.where(usable, self.value, 0.0), usable=usable)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteGrid:
    """The values of a site's meters, real and virtual, on consecutive grid intervals."""

    start: Int64
    grid: int
    value: Mapping[str, Float64]
    """By meter; NaN where missing."""
    measured: Mapping[str, Float64]
    nothing: Float64 | None = None
    """The values of every meter that has none at all, where they share one column."""


def members(site: Site, meter: str) -> Iterator[str]:
    """The real meters that a meter's values are made of; itself where it is real."""
    formula = site.meters[meter].formula
    if not formula:
        yield meter
    for _, member in formula:
        yield from members(site, member)


def lay_out(site: Site, found: SiteIntervals, meters: Sequence[str], start: Int64, grid: int) -> SiteGrid:
    """Spreads stored interval values of real meters over ``start`` and adds up the virtual ones among ``meters``."""
    nothing, unmeasured = np.full(len(start), np.nan), np.zeros(len(start))
    nothing.flags.writeable = unmeasured.flags.writeable = False
    value: dict[str, Float64] = dict.fromkeys(found.meters, nothing)
    measured: dict[str, Float64] = dict.fromkeys(found.meters, unmeasured)
    cell = (found.values.start - start[0]) // grid
    bounds = np.searchsorted(found.meter, np.arange(len(found.meters) + 1))
    for place in np.flatnonzero(np.diff(bounds)).tolist():
        meter, rows = found.meters[place], slice(bounds[place], bounds[place + 1])
        value[meter] = np.full(len(start), np.nan)
        value[meter][cell[rows]] = found.values.value[rows]
        measured[meter] = np.zeros(len(start))
        measured[meter][cell[rows]] = found.values.measured[rows]
    for meter in meters:
        _fill(site, meter, start, value, measured)
    return SiteGrid(start=start, grid=grid, value=value, measured=measured, nothing=nothing)


def _fill(site: Site, meter: str, start: Int64, value: dict[str, Float64], measured: dict[str, Float64]) -> None:
    """Adds a virtual meter: one missing member makes it missing; its measured share is its members' smallest.

    A member out of service is neither needed nor counted; with nothing in service that adds to it, it is missing.
    """
    if meter in value:
        return
    formula = site.meters[meter].formula
    adds = any(sign > 0 for sign, _ in formula)
    total, share, fed = np.zeros(len(start)), np.ones(len(start)), np.zeros(len(start), dtype=np.bool_)
    for sign, member in formula:
        _fill(site, member, start, value, measured)
        served = served_by(site.meters[member], start)
        total = total + np.where(served, sign * value[member], 0.0)
        share = np.where(served, np.minimum(share, measured[member]), share)
        fed |= served & (sign > 0 or not adds)
    total = np.where(fed, total, np.nan)
    value[meter], measured[meter] = total, np.where(np.isnan(total), 0.0, share)


def served_by(meter: Meter, start: Int64) -> Bool:
    """Where a meter is in service."""
    return (start >= meter.in_service.start) & (start < meter.in_service.end)


def _always_served(meter: Meter, start: Int64) -> bool:
    """Whether a meter is in service on all of these intervals, which ascend."""
    return bool(len(start)) and meter.in_service.start <= start[0] and bool(start[-1] < meter.in_service.end)


# -- what a site's KPI sides are made of ----------------------------------------------------------------------------


def sides(site: Site) -> dict[str, Terms]:
    """The sums that quantities are made of, by name; those without a meter are left out."""
    meters = site.meters
    listed: dict[str, list[tuple[float, str]]] = {}
    for meter in meters.values():
        if meter.role:
            listed.setdefault(meter.role, []).append((1.0, meter.id))
    by_role = {role: tuple(terms) for role, terms in listed.items()}
    it_role = IT_ROLE_OF_CATEGORY[site.pue_category]
    found: dict[str, Terms] = {
        "e_dc": _energy_dc(meters),
        "e_it": by_role.get(it_role, ()),
        "cooling": tuple(term for role in COOLING_ROLES for term in by_role.get(role, ())),
        "lighting": by_role.get("lighting", ()),
        "ups_input": by_role.get("ups_input", ()),
        "it_ups": by_role.get("it_ups", ()),
        "import": by_role.get("utility_import", ()),
        "export": by_role.get("grid_export", ()),
        "pv": by_role.get("onsite_renewable", ()),
        "water": _water(site, by_role),
        "water_total": _total_water(meters),
        "water_reused": (*by_role.get("water_reclaimed", ()), *by_role.get("water_recovered", ())),
        "water_recovered": by_role.get("water_recovered", ()),
        "heat_reuse": by_role.get(HEAT_REUSE_ROLE, ()),
        "heat_removed": by_role.get(HEAT_REMOVED_ROLE, ()),
    }
    return {name: terms for name, terms in found.items() if terms}


def _energy_dc(meters: Mapping[str, Meter]) -> Terms:
    """E_DC, with bought cooling and fuels by weight (METRICS); nothing without an inlet."""
    terms = energy_dc_terms(meters)
    weighted = tuple((sign * (1.0 if (w := meters[meter].weight) is None else w), meter) for sign, meter in terms)
    return weighted if any(sign > 0 for sign, _ in terms) else ()


def _water(site: Site, by_role: Mapping[str, Terms]) -> Terms:
    """The declared WUE numerator (METRICS): total_input, potable, fresh or consumed."""
    total = _total_water(site.meters)
    taken = {"fresh": "water_reclaimed", "consumed": "water_returned"}.get(site.wue_numerator)
    if site.wue_numerator == "potable":
        return by_role.get("water_potable", ())
    if taken is None or not total:
        return total
    if site.wue_numerator == "consumed" and taken not in by_role:
        return ()
    return (*total, *((-1.0, meter) for _, meter in by_role.get(taken, ())))


def _total_water(meters: Mapping[str, Meter]) -> Terms:
    """All that comes in: the input meters that have none of these above them in the tree."""
    return tuple(
        (1.0, meter.id)
        for meter in meters.values()
        if meter.role in WATER_INPUT_ROLES
        and not any(meters[up].role in WATER_INPUT_ROLES for up in above(meters, meter.id))
    )


def inputs(site: Site) -> dict[str, tuple[str, ...]]:
    """The meters, real or virtual, that each quantity is made of; quantities that the site lacks are left out."""
    plain = sides(site)
    found = {name: tuple(meter for _, meter in terms) for name, terms in plain.items()}
    found |= {name: tuple(meter for *_, meter in terms) for name, terms in scaled_sides(site, plain).items()}
    if "ups_input" in found:
        found["power_chain"] = (*found["ups_input"], *found.get("e_it", ()))
    if "pv" in found:
        found["onsite"] = (*found["pv"], *found.get("export", ()))
    if GRID_CARBON_FREE in found:
        found["onsite_matched"] = found.get("onsite", ())
    return found | dict.fromkeys(contracts(site.certificates), ())


# -- quantities -------------------------------------------------------------------------------------------------


def quantities(site: Site, grid: SiteGrid, terms: Mapping[str, Terms] | None = None) -> dict[str, Quantity]:
    """Every quantity that the site's meters and certificates allow, by name; ``terms``: its :func:`sides`, if known."""
    plain = sides(site) if terms is None else terms
    found = {name: sum_of(site, grid, each) for name, each in plain.items()}
    found |= {name: scaled_sum(site, grid, name, each) for name, each in scaled_sides(site, plain).items()}
    if "ups_input" in found and "e_it" in found:
        found["power_chain"] = _power_chain(found["ups_input"], found["e_it"])
    if "pv" in found:
        found["onsite"] = _onsite(found["pv"], found.get("export"))
    if GRID_CARBON_FREE in found:
        found |= _matched(site, grid, found)
    for kind, rows in contracts(site.certificates).items():
        found[kind] = even(rows, grid)
    return found


def sum_of(site: Site, grid: SiteGrid, terms: Terms) -> Quantity:
    """A side's sum over the meters that are in service."""
    length = len(grid.start)
    value, measured = np.zeros(length), np.ones(length)
    usable, fed = np.ones(length, dtype=np.bool_), np.zeros(length, dtype=np.bool_)
    for factor, meter in _telling(site, grid, terms):
        known = ~np.isnan(grid.value[meter])
        if _always_served(site.meters[meter], grid.start):  # nearly always, and then in half the steps
            value = value + np.where(known, factor * grid.value[meter], 0.0)
            usable &= known
            measured = np.minimum(measured, grid.measured[meter])
            fed |= factor > 0
            continue
        served = served_by(site.meters[meter], grid.start)
        value = value + np.where(served & known, factor * grid.value[meter], 0.0)
        usable &= known | ~served
        measured = np.where(served, np.minimum(measured, grid.measured[meter]), measured)
        fed |= served & (factor > 0)
    return Quantity(value=np.where(usable, value, 0.0), usable=usable, served=fed, measured=measured)


def _telling(site: Site, grid: SiteGrid, terms: Terms) -> Iterator[tuple[float, str]]:
    """The terms; of those whose meters have no value at all and serve at the same time, one says what all do."""
    told: set[tuple[int, int, bool]] = set()
    for factor, meter in terms:
        if grid.value[meter] is grid.nothing:
            service = site.meters[meter].in_service
            said = (service.start, service.end, factor > 0)
            if said in told:
                continue
            told.add(said)
        yield factor, meter


def scaled_sum(site: Site, grid: SiteGrid, name: str, terms: Scaled) -> Quantity:
    """A sum by factors over the meters that are in service; without its factor an interval is not usable."""
    length = len(grid.start)
    value, measured = np.zeros(length), np.ones(length)
    usable, fed = np.ones(length, dtype=np.bool_), np.zeros(length, dtype=np.bool_)
    for coefficient, factor, meter in terms:
        column = scaled_column(name, coefficient, factor, grid.value[meter], grid.start)
        known, served = ~np.isnan(column), served_by(site.meters[meter], grid.start)
        value = value + np.where(served & known, column, 0.0)
        usable &= known | ~served
        measured = np.where(served, np.minimum(measured, grid.measured[meter]), measured)
        fed |= served & (coefficient >= 0)
    return Quantity(value=np.where(usable, value, 0.0), usable=usable, served=fed, measured=measured)


def _power_chain(ups_input: Quantity, e_it: Quantity) -> Quantity:
    """What the power chain loses, UPS input less E_IT; nothing, and so in ``other``, where it is not metered."""
    usable = ups_input.usable & (e_it.usable | ~ups_input.served)
    return Quantity(
        value=np.where(usable & ups_input.served, ups_input.value - e_it.value, 0.0),
        usable=usable,
        served=ups_input.served,
        measured=np.where(ups_input.served, np.minimum(ups_input.measured, e_it.measured), 1.0),
    )


def _onsite(pv: Quantity, export: Quantity | None) -> Quantity:
    """On-site renewable energy that stayed on the site: in each interval PV less the smaller of PV and export."""
    if export is None:
        return replace(pv, value=pv.value - np.minimum(pv.value, 0.0))
    return Quantity(
        value=pv.value - np.minimum(pv.value, export.value),
        usable=pv.usable & export.usable,
        served=pv.served,
        measured=np.minimum(pv.measured, export.measured),
    )


def _matched(site: Site, grid: SiteGrid, found: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """What was carbon-free, by whole UTC hours: on-site energy as far as it was used, and the grid's part of the rest.

    Only E_DC is missed where none of its meters is in service; there it has no usable hour either.
    """
    load, onsite = found["e_dc"].required(), found.get("onsite", even([], grid))
    known = load.usable & found[GRID_CARBON_FREE].usable & onsite.usable
    share = hourly(site.factors[FACTOR_OF[GRID_CARBON_FREE]], grid.start)
    covered, rest, counts = matched(grid.start, grid.grid, load.value, onsite.value, share, known)
    everywhere = np.ones(len(rest), dtype=np.bool_)
    return {
        GRID_CARBON_FREE: replace(load, value=rest, usable=counts, served=everywhere),
        "onsite_matched": replace(onsite, value=covered, usable=counts),
    }


def contracts(certificates: Sequence[Certificate] | None) -> dict[str, list[Certificate]]:
    """Rows that count, by what they count as; none where the site names no certificate file."""
    if certificates is None:
        return {}
    return {
        "ppa": [row for row in certificates if row.kind == "ppa" and _retired(row)],
        "certificate": [row for row in certificates if row.kind == "certificate" and _retired(row)],
        "onsite_sold": [row for row in certificates if row.kind == "onsite" and row.status == "sold"],
    }


def _retired(row: Certificate) -> bool:
    return row.status == "retired" and row.retired_on is not None


def even(rows: Sequence[Certificate], grid: SiteGrid) -> Quantity:
    """Certificates as an even power over their periods."""
    value = np.zeros(len(grid.start))
    for row in rows:
        overlap = np.minimum(grid.start + grid.grid, row.interval.end) - np.maximum(grid.start, row.interval.start)
        value = value + row.kwh * (np.maximum(overlap, 0) / max(row.interval.width, 1))
    everywhere = np.ones(len(grid.start))
    return Quantity(value=value, usable=everywhere > 0, served=everywhere > 0, measured=everywhere)
