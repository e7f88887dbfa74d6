"""The balance of the meter tree: parent minus children, and whether the meters' accuracy explains what is left.

A balance is judged over the grid intervals in which the parent and every child in service have a value. A meter that
is out of service is neither needed nor counted. Two kinds of children stand in the tree without being part of its
balance: one of another form of energy than its parent (what a generator makes is not the energy of its fuel, what a
chiller removes is not its power), and a virtual meter whose members stand below the same parent themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analytics.balance import Quantity, SiteGrid, members, served_by
from analytics.evaluate import Rules, Window
from analytics.windows import Sums, intervals_in
from wattwell.intervals import Interval
from wattwell.model import Issue, Meter, Site
from wattwell.roles import HEAT_REMOVED_ROLE, HEAT_REUSE_ROLE, above
from wattwell.units import AMOUNT_OF, CANONICAL, scale_to_canonical, shown

_FORMS = {"fuel": "fuel", **dict.fromkeys(("cooling_import", HEAT_REUSE_ROLE, HEAT_REMOVED_ROLE), "heat")}
"""Forms of energy by role; every other role is electricity."""

TOTALS = ("parent", "children", "explained")
"""What a balance is judged by: what the parent and all children counted, and what accuracy explains."""
_ROUNDING = 1e-9
"""Share of the parent's amount that sums of binary fractions may be off."""


@dataclass(frozen=True, slots=True)
class Balance:
    """A parent meter and the children that are balanced against it."""

    parent: str
    children: tuple[str, ...]
    steps: float
    """One step of each dial, kWh or L: what the displays themselves leave open."""

    @property
    def meters(self) -> tuple[str, ...]:
        """All of them, the parent first."""
        return (self.parent, *self.children)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """One balance over one window; amounts are None where too little of the window is usable."""

    site: str
    parent: str
    window: str | None
    interval: Interval
    parent_amount: float | None
    """kWh or L over the usable intervals."""
    children_amount: float | None
    amounts: tuple[tuple[str, float | None], ...]
    """(child, amount), where each child was summed too."""
    residual: float | None
    """Parent minus children."""
    tolerance: float | None
    """What accuracy explains: the sum, over parent and children, of ``accuracy`` x what they counted."""
    unit: str
    usable: float
    """Share of the window's intervals in which every meter of the balance has a value."""
    coverage: float
    provisional: bool
    issue: Issue | None
    excess: float | None = None
    """Children minus parent as a multiple of what accuracy and a step of each dial explain."""

    @property
    def share(self) -> float | None:
        """Residual over the parent's amount."""
        return self.residual / self.parent_amount if self.residual is not None and self.parent_amount else None


def balances(site: Site) -> tuple[Balance, ...]:
    """Every balance of a site's tree, in the order of its meters."""
    found: dict[str, list[str]] = {parent: [] for parent in site.meters}
    for child in site.meters.values():
        parent = None if child.parent is None else site.meters.get(child.parent)
        if parent is not None and _alike(parent, child) and not _below_by_members(site, child, parent.id):
            found[parent.id].append(child.id)
    return tuple(
        Balance(parent, tuple(children), sum(_step(site.meters[name]) for name in (parent, *children)))
        for parent, children in found.items()
        if children
    )


def _alike(parent: Meter, child: Meter) -> bool:
    """Whether both count the same form of energy; a meter without a role counts what the other does."""
    if parent.role is None or child.role is None:
        return True
    return _FORMS.get(parent.role) == _FORMS.get(child.role)


def _below_by_members(site: Site, child: Meter, parent: str) -> bool:
    """Whether a virtual child's members stand below the parent on a way of their own."""
    if not child.virtual:
        return False
    branches = [list(above(site.meters, member)) for member in members(site, child.id)]
    return any(parent in branch and child.id not in branch for branch in branches)


def columns(site: Site, balance: Balance, grid: SiteGrid) -> list[Quantity]:
    """The columns TOTALS, then each child's, on each interval; usable where all in service have a value."""
    if grid.value[balance.parent] is grid.nothing:
        nought, never = np.zeros(len(grid.start)), np.zeros(len(grid.start), dtype=np.bool_)
        unknown = Quantity(value=nought, usable=never, served=never, measured=nought)
        return [unknown] * (len(TOTALS) + len(balance.children))
    value = np.stack([grid.value[name] for name in balance.meters])
    served = np.stack([served_by(site.meters[name], grid.start) for name in balance.meters])
    usable = served[0] & served[1:].any(axis=0) & (~np.isnan(value) | ~served).all(axis=0)
    shares = np.stack([grid.measured[name] for name in balance.meters])
    measured = np.minimum.reduce(np.where(served, shares, 1.0), axis=0, initial=1.0)
    amounts = np.where(usable & served, value, 0.0)
    accuracy = np.array([site.meters[name].accuracy for name in balance.meters])
    explained = np.sum(accuracy[:, None] * np.abs(amounts), axis=0)
    children = np.sum(amounts[1:], axis=0)
    shown = (amounts[0], children, explained, *amounts[1:])
    return [Quantity(value=each, usable=usable, served=usable, measured=measured) for each in shown]


def close(site: Site, balance: Balance, window: Window, sums: Sums, rules: Rules) -> Closure:
    """What may be said of a balance over a window, by the sums of its :func:`columns`, or of TOTALS alone."""
    span = window.interval
    count = intervals_in(span.start, span.end, rules.grid)
    usable = sums.usable / count if count else 0.0
    enough = usable >= rules.provisional and sums.usable > 0
    parent, children, tolerance, *each = sums.sums if enough else (None,) * len(sums.sums)
    meter = site.meters[balance.parent]
    found = Closure(
        site=site.id,
        parent=balance.parent,
        window=window.name,
        interval=span,
        parent_amount=parent,
        children_amount=children,
        amounts=tuple(zip(balance.children, each, strict=False)),
        residual=None if parent is None or children is None else parent - children,
        tolerance=tolerance,
        unit=CANONICAL[AMOUNT_OF[meter.quantity]],
        usable=usable,
        coverage=sums.measured / (count * rules.grid) if count else 0.0,
        provisional=enough and (usable < rules.full or window.cut),
        issue=None,
    )
    return replace(found, issue=_issue(found, balance.steps, rules), excess=_excess(found, balance.steps))


def _step(meter: Meter) -> float:
    """The smallest step of a meter's dial in kWh or litres; 0 for a virtual one."""
    if meter.virtual or meter.quantity not in AMOUNT_OF:
        return 0.0
    return meter.resolution * scale_to_canonical(meter.quantity, meter.unit) * abs(meter.factors[-1][1])


def _explained(found: Closure, steps: float) -> float:
    return (found.tolerance or 0.0) + steps + _ROUNDING * abs(found.parent_amount or 0.0)


def _excess(found: Closure, steps: float) -> float | None:
    if found.residual is None:
        return None
    explained = _explained(found, steps)
    return -found.residual / explained if explained else 0.0


def _issue(found: Closure, steps: float, rules: Rules) -> Issue | None:
    """``balance.open`` beyond accuracy: a warning where the children count more than there is, else for information."""
    if found.residual is None or found.tolerance is None:
        message = f"{found.usable:.1%} of the window is usable for the balance of {found.parent}"
        message += f", at least {rules.provisional:.0%} are needed"
        return Issue(code="coverage.insufficient", severity="warning", message=message)
    if abs(found.residual) <= _explained(found, steps):
        return None
    share = "" if found.share is None else f" ({abs(found.share):.1%} of it)"
    amount = f"{shown(abs(found.residual))} {found.unit}{share}"
    explained = f"accuracy explains {shown(found.tolerance, 4)} {found.unit}"
    if found.residual < 0:
        message = f"the meters below {found.parent} count {amount} more than {found.parent} itself; {explained}"
        return Issue(code="balance.open", severity="warning", message=message)
    message = f"{amount} of {found.parent} are not metered below it: losses or loads without a meter; {explained}"
    return Issue(code="balance.open", severity="info", message=message)
