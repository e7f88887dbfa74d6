"""``balance.children`` and ``pue.below_one``: sums that cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from analytics.balance import quantities, sides
from analytics.commissioning.seen import FEWEST_KNOWN, Finding, Seen, Tally
from analytics.kpi.base import boundary
from wattwell.units import shown

_SHOWN = 4
"""Meters named as the largest."""


def judge_totals(seen: Seen, blamed: Set[str | None]) -> Iterator[Finding]:
    """Children above their parent, but where one of them is blamed already; a site that draws less than its IT."""
    for tally in seen.tallies:
        if blamed.isdisjoint(tally.amounts):
            yield from _children(tally)
    yield from _below_one(seen)


def _children(tally: Tally) -> Iterator[Finding]:
    if tally.residual >= -tally.tolerance:
        return
    parent, unit = tally.balance.parent, tally.unit
    children = {child: tally.amounts[child] for child in tally.balance.children}
    above = f"{shown(-tally.residual)} {unit}"
    share = f" ({-tally.residual / tally.parent:.1%})" if tally.parent > 0 else ""
    message = (
        f"the meters below it counted {shown(tally.children)} {unit} in the last day and {parent} itself "
        f"{shown(tally.parent)} {unit}: {above}{share} too much, of which accuracy explains "
        f"{shown(tally.tolerance, 4)} {unit}; the largest are {_largest(children, unit)}"
    )
    yield Finding(
        code="balance.children",
        severity="warning",
        meter=parent,
        message=message,
        evidence={"parent": tally.parent, "children": tally.children, "tolerance": tally.tolerance, **children},
        remedy="check multiplier (CT ratio) and unit of each, and whether each child's parent is right",
    )


def _below_one(seen: Seen) -> Iterator[Finding]:
    found = quantities(seen.site, seen.day)
    if "e_dc" not in found or "e_it" not in found:
        return
    dc, it = found["e_dc"].required(), found["e_it"].required()
    usable = dc.usable & it.usable
    if usable.mean() < FEWEST_KNOWN:
        return
    e_dc, e_it = float(dc.value[usable].sum()), float(it.value[usable].sum())
    if not boundary(e_dc, e_it):
        return
    terms = sides(seen.site)
    parts = {
        side: {name: sign * float(seen.day.value[name][usable].sum()) for sign, name in terms[side]}
        for side in ("e_dc", "e_it")
    }
    ratio = f"{e_dc / e_it:.3g}" if e_it else "undefined"
    message = (
        f"PUE of the last day is {ratio}: the IT load of {shown(e_it)} kWh ({_largest(parts['e_it'], 'kWh')}) is above "
        f"all that the data centre drew, {shown(e_dc)} kWh ({_largest(parts['e_dc'], 'kWh')})"
    )
    yield Finding(
        code="pue.below_one",
        severity="error",
        meter=None,
        message=message,
        evidence={"e_dc": e_dc, "e_it": e_it},
        remedy="check units, multipliers and signs of these meters, and whether every feed of the site has a meter",
    )


def _largest(amounts: Mapping[str, float], unit: str) -> str:
    names = sorted(amounts, key=lambda name: -abs(amounts[name]))[:_SHOWN]
    return ", ".join(f"{name} {shown(amounts[name])} {unit}" for name in names)
