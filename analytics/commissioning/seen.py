"""What is looked at, and what is found: a site's last days as columns, and small sums over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from analytics.balance import SiteGrid
from analytics.closure import Balance, columns
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND
from wattwell.model import Float64, Int64, Meter, Reject, Site
from wattwell.roles import ENERGY_KINDS, WATER_KINDS
from wattwell.units import AMOUNT_OF, CANONICAL

FEEDING = frozenset({"onsite_renewable", "generator", "grid_export"})
"""Below a parent, these may feed it."""
FEWEST = 20
"""Readings or intervals below which nothing is said."""
FEWEST_KNOWN = 0.5
"""Share of the last day that must be known for its sum to be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, with what shows it."""

    code: str
    severity: str
    """info, warning or error"""
    meter: str | None
    """None: the site as a whole."""
    message: str
    """One sentence with numbers and times."""
    evidence: Mapping[str, float | str]
    remedy: str
    since: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The last readings of one real meter that is in service."""

    meter: Meter
    at: Int64
    """Device times of accepted readings, ascending."""
    value: Float64
    """In the meter's own unit."""
    sent: Int64
    """Device times of the last readings that carry one, ascending."""
    received: Int64
    """When those arrived."""
    rejects: tuple[Reject, ...] = ()

    @property
    def amount(self) -> bool:
        """Whether its interval values are kWh or litres."""
        return self.meter.quantity in AMOUNT_OF


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A site's last days."""

    site: Site
    edge: int
    """Up to where the site has readings: nothing later is known."""
    grid: SiteGrid
    """Interval values of every meter that counts an amount or senses something, virtual ones too."""
    traces: Mapping[str, Trace]
    balances: tuple[Balance, ...] = field(default=())

    @cached_property
    def day(self) -> SiteGrid:
        """The last 24 hours of interval values."""
        first = int(np.searchsorted(self.grid.start, self.grid.start[-1] + self.grid.grid - DAY))
        return SiteGrid(
            start=self.grid.start[first:],
            grid=self.grid.grid,
            value={name: value[first:] for name, value in self.grid.value.items()},
            measured={name: share[first:] for name, share in self.grid.measured.items()},
        )

    @cached_property
    def rates(self) -> Mapping[str, float]:
        """Mean kW or L/h of each meter over the last day, where at least half of it is known."""
        found = {}
        for name, value in self.day.value.items():
            known = ~np.isnan(value)
            if self.site.meters[name].quantity in AMOUNT_OF and known.mean() >= FEWEST_KNOWN:
                found[name] = float(value[known].mean()) * HOUR / self.grid.grid
        return found

    @cached_property
    def tallies(self) -> tuple[Tally, ...]:
        """Every balance over the last day of which enough is known."""
        found = (tally(self.site, balance, self.day) for balance in self.balances)
        return tuple(each for each in found if each is not None)


@dataclass(frozen=True, slots=True)
class Tally:
    """A balance over the last day: what each meter counted in the intervals that all of them have."""

    balance: Balance
    amounts: Mapping[str, float]
    """The parent first."""
    tolerance: float
    """What accuracy and resolution explain."""
    unit: str

    @property
    def parent(self) -> float:
        """What the parent counted."""
        return self.amounts[self.balance.parent]

    @property
    def children(self) -> float:
        """What the children counted together."""
        return sum(self.amounts[child] for child in self.balance.children)

    @property
    def residual(self) -> float:
        """Parent minus children."""
        return self.parent - self.children

    @property
    def closed(self) -> bool:
        """Whether accuracy and resolution explain the residual."""
        return abs(self.residual) <= self.tolerance


def tally(site: Site, balance: Balance, grid: SiteGrid) -> Tally | None:
    """A balance summed over some intervals; None where too few are usable.

    A child that feeds its parent is taken off rather than added where that closes the balance better.
    """
    found = columns(site, balance, grid)
    usable = found[0].usable
    if not len(usable) or usable.mean() < FEWEST_KNOWN:
        return None
    sums = [float(quantity.value.sum()) for quantity in found]
    parent, _, explained, *children = sums
    amounts = dict(zip(balance.meters, (parent, *children), strict=True))
    fed = sum(amounts[child] for child in balance.children if site.meters[child].role in FEEDING)
    residual = parent - sum(children)
    if abs(residual + 2 * fed) < abs(residual):
        amounts |= {child: -amounts[child] for child in balance.children if site.meters[child].role in FEEDING}
    unit = CANONICAL[AMOUNT_OF[site.meters[balance.parent].quantity]]
    return Tally(balance, amounts, explained + 2 * balance.steps, unit)


def factor(meter: Meter, at: int) -> float:
    """Multiplier x sign in force at an instant."""
    return [value for since, value in meter.factors if since <= at][-1]


def same_kind(site: Site, first: str, second: str) -> bool:
    """Whether two meters both count energy, or both water."""
    kinds = {site.meters[first].quantity, site.meters[second].quantity}
    return kinds <= ENERGY_KINDS or kinds <= WATER_KINDS


def siblings(seen: Seen, meter: str) -> Iterator[str]:
    """Other meters of the same role and kind that count an amount."""
    role = seen.site.meters[meter].role
    for name, other in seen.site.meters.items():
        if role is not None and name != meter and other.role == role and same_kind(seen.site, name, meter):
            yield name


def lasting(span: float) -> str:
    """A span of time in words: ``2 h``, ``2 h 30 min``, ``12 min``, ``4.0 d``, ``0.4 s``."""
    if span >= 2 * DAY:
        return f"{span / DAY:,.1f} d"
    if span >= HOUR:
        hours, minutes = divmod(round(span / MINUTE), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if span >= MINUTE:
        return f"{span / MINUTE:.3g} min"
    return f"{span / SECOND:.3g} s"


def rate_unit(meter: Meter) -> str:
    """The unit of :attr:`Seen.rates`."""
    return "kW" if meter.quantity in ENERGY_KINDS else "L/h"
