"""``meter.unit``: readings in another unit than the meter is declared in (Wh for kWh, L for m3, W for kW).

Four things can give it away: readings far above ``max_rate``, the balance of the tree, the site's totals beside each
other and beside ``it_power_kw``, and siblings of the same role. Each asks the same question: with which unit that
exists would the meter fit?
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from analytics.balance import sides
from analytics.commissioning.seen import FEWEST, Finding, Seen, Tally, Trace, factor, rate_unit, siblings
from analytics.commissioning.still import ALWAYS_ON
from wattwell.intervals import HOUR, SECOND
from wattwell.model import Accumulation, Float64, Meter
from wattwell.units import AMOUNT_OF, QuantityKind, scale_to_canonical, shown, units_of

_ABOVE = 10.0
"""Times ``max_rate`` from which a rate is a matter of units, not of a ``max_rate`` that is too tight."""
_NEARLY_ALL = 0.8
"""Share of the readings that must say the same."""
_LARGE = 250.0
"""Factors from here on contradict by their size; smaller ones (3.6, 3.785, 60) must close a balance exactly."""
_UNMETERED = 0.5
"""Share of a parent that may be without a meter of its own once the unit is right."""
_PLAUSIBLE_RATIO = (0.95, 4.0)
"""E_DC / E_IT of a site whose units are right."""
_ABSURD_RATIO = (0.5, 50.0)
"""E_DC / E_IT that no load explains; an empty hall may well cool and light itself at 40."""
_PLAUSIBLE_LOAD = (0.005, 3.0)
"""Shares of ``it_power_kw``: from an empty hall to a declaration that is out of date."""
_ALIKE = 5.0
"""Siblings whose rates differ by less than this are of one kind."""
_MOST_WATER = 50.0
"""L/kWh of IT that no cooling needs."""
_AGAINST = 1000.0


@dataclass(frozen=True, slots=True)
class Other:
    """Another unit of a meter's quantity: ``times`` what it counts now would be right."""

    unit: str
    times: float
    exists: bool = True
    """False for a thousand, or a thousandth, of the declared unit that has no name of its own."""


def others(meter: Meter) -> list[Other]:
    """Every unit that a meter could be meant to have, the plain thousands first."""
    declared = scale_to_canonical(meter.quantity, meter.unit)
    found = [Other(unit, scale_to_canonical(meter.quantity, unit) / declared) for unit in units_of(meter.quantity)]
    found = [other for other in found if not 0.5 < other.times < 2]
    for times, words in ((_AGAINST, "1000"), (1 / _AGAINST, "0.001")):
        if not any(math.isclose(other.times, times, rel_tol=1e-9) for other in found):
            found.append(Other(f"{words} {meter.unit}", times, exists=False))
    return sorted(found, key=lambda other: (not _thousands(other.times), abs(math.log(other.times))))


def _thousands(times: float) -> bool:
    power = math.log10(times)
    return abs(power - round(power)) < 1e-9 and round(power) % 3 == 0


def judge_scale(seen: Seen) -> Iterator[Finding]:
    """Meters that fit with another unit, the surest evidence first."""
    told: set[str] = set()
    for trace in seen.traces.values():
        if trace.amount and (finding := _above_rate(seen, trace)):
            told.add(trace.meter.id)
            yield finding
    for finding in [*_trees(seen, frozenset(told)), *_totals(seen), *_among_siblings(seen)]:
        if finding.meter is not None and finding.meter not in told:
            told.add(finding.meter)
            yield finding


def _found(meter: Meter, other: Other, why: str, **evidence: float | str) -> Finding:
    fix = f"declare unit: {other.unit}, or correct the multiplier" if other.exists else "correct the multiplier"
    times = shown(other.times, 4) if other.times > 1 else f"1/{shown(1 / other.times, 4)}"
    return Finding(
        code="meter.unit",
        severity="warning",
        meter=meter.id,
        message=f"{why}; it is declared in {meter.unit}, and with {other.unit} ({times} of it) it would fit",
        evidence={"declared": meter.unit, "fits": other.unit, "factor": other.times, **evidence},
        remedy=f"see what the device sends, then {fix}",
    )


# -- beside max_rate ------------------------------------------------------------------------------------------------


def _above_rate(seen: Seen, trace: Trace) -> Finding | None:
    """Readings nearly all of which are implausible by the same large factor."""
    meter = trace.meter
    if meter.max_rate is None:
        return None
    found, unit = _raw_rates(seen, trace), "kW" if rate_unit(meter) == "kW" else "L/s"
    if len(found) < FEWEST or float((found > meter.max_rate).mean()) < _NEARLY_ALL:
        return None
    middle = float(np.median(found))
    fitting = [other for other in others(meter) if other.times < 1 and other.times * middle <= meter.max_rate]
    if middle < _ABOVE * meter.max_rate or not fitting:
        return None
    why = (
        f"{len(found)} readings make {shown(middle, 4)} {unit} (median), "
        f"above its max_rate of {shown(meter.max_rate)} {unit}"
    )
    return _found(meter, fitting[0], why, rate=middle, max_rate=meter.max_rate)


def _raw_rates(seen: Seen, trace: Trace) -> Float64:
    """Rates in kW or L/s by what was sent, whatever the rules made of it; standing still left out."""
    meter = trace.meter
    scale = abs(factor(meter, seen.edge)) * scale_to_canonical(meter.quantity, meter.unit)
    refused = {r.at: _number(r.value) for r in trace.rejects if r.reason == "value.range" and r.at is not None}
    times, first = np.unique(np.array([*trace.at.tolist(), *refused], dtype=np.int64), return_index=True)
    values = np.array([*trace.value.tolist(), *refused.values()], dtype=np.float64)[first]
    if meter.accumulation is Accumulation.INSTANTANEOUS or len(values) < 2:
        rates = np.abs(values) * scale if len(values) > 1 else np.empty(0)
    else:
        step = np.diff(values) if meter.accumulation is Accumulation.REGISTER else values[1:]
        rates = step * scale / (np.diff(times) / (HOUR if AMOUNT_OF[meter.quantity] is QuantityKind.ENERGY else SECOND))
    return rates[rates > 0]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


# -- in the tree ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Fix:
    meter: str
    other: Other
    strict: bool
    """Every balance that it takes part in closes."""
    wrong: tuple[Tally, ...]
    """The balances that it mends, the worst first."""

    @property
    def rank(self) -> tuple[bool, int]:
        """The more it mends the better."""
        return self.strict, len(self.wrong)


def _trees(seen: Seen, told: Set[str]) -> Iterator[Finding]:
    """Changes of unit that each mend open balances and break none; the best of each balance.

    A balance in which a meter's unit is known to be wrong already says nothing about the others.
    """
    open_ones = [tally for tally in seen.tallies if told.isdisjoint(tally.amounts)]
    fixes = [fix for name in seen.traces for fix in _fixes(seen, name, open_ones)]
    explained: set[str] = set()
    for rank in sorted({fix.rank for fix in fixes}, reverse=True):
        equals = [fix for fix in fixes if fix.rank == rank and explained.isdisjoint(_parents(fix))]
        for parent in dict.fromkeys(fix.wrong[0].balance.parent for fix in equals):
            chosen: dict[str, _Fix] = {}
            for fix in equals:
                if fix.wrong[0].balance.parent == parent:
                    chosen.setdefault(fix.meter, fix)
            likely = {name: fix for name, fix in chosen.items() if not _plausible(seen, name)} or chosen
            explained.update(name for fix in likely.values() for name in _parents(fix))
            yield from (_mended(seen, fix, [name for name in likely if name != fix.meter]) for fix in likely.values())


def _parents(fix: _Fix) -> set[str]:
    return {tally.balance.parent for tally in fix.wrong}


def _mended(seen: Seen, fix: _Fix, rest: list[str]) -> Finding:
    tally, parent = fix.wrong[0], fix.wrong[0].balance.parent
    either = f" (or {', '.join(rest)} is wrong instead)" if rest else ""
    why = (
        f"counted {shown(tally.amounts[fix.meter])} {tally.unit} in the last day, which leaves {shown(tally.residual)} "
        f"of {shown(tally.parent)} {tally.unit} in the balance of {parent}{either}"
    )
    return _found(seen.site.meters[fix.meter], fix.other, why, residual=tally.residual, parent=parent)


def _fixes(seen: Seen, name: str, tallies: Sequence[Tally]) -> Iterator[_Fix]:
    """Units with which every balance that a meter takes part in becomes credible, one of which is not."""
    meter = seen.site.meters[name]
    involved = [tally for tally in tallies if name in tally.amounts and tally.parent]  # 0 fits no unit
    for other in others(meter) if any(not tally.closed for tally in involved) else ():
        if not _within_rate(seen, meter, other) or (_plausible(seen, name) and not _plausible(seen, name, other.times)):
            continue
        mended = [_with(seen, tally, name, other.times) for tally in involved]
        if any(before.closed and not after.closed for before, after in zip(involved, mended, strict=True)):
            continue
        small = max(other.times, 1 / other.times) < _LARGE
        wrong = [tally for tally in involved if _contradicts(tally) or (not small and _gapes(tally))]
        strict = all(tally.closed for tally in mended)
        loose = all(-tally.tolerance <= tally.residual <= _UNMETERED * tally.parent for tally in mended)
        if wrong and (strict or (loose and not small and any(_far_out(tally) for tally in wrong))):
            yield _Fix(name, other, strict, tuple(sorted(wrong, key=lambda tally: -abs(tally.residual))))


def _within_rate(seen: Seen, meter: Meter, other: Other) -> bool:
    if meter.max_rate is None or other.times < 1 or meter.id not in seen.rates:
        return True
    per = 1.0 if rate_unit(meter) == "kW" else HOUR / SECOND
    return abs(seen.rates[meter.id]) * other.times <= meter.max_rate * per


def _contradicts(tally: Tally) -> bool:
    """The children count clearly more than there is."""
    return tally.residual < -3 * tally.tolerance


def _gapes(tally: Tally) -> bool:
    """Clearly more is left over than accuracy explains."""
    return tally.residual > max(3 * tally.tolerance, 0.05 * tally.parent)


def _far_out(tally: Tally) -> bool:
    """By a size that no share of unmetered loads has."""
    return tally.children > 20 * abs(tally.parent) or tally.residual > 0.95 * tally.parent


def _with(seen: Seen, tally: Tally, name: str, times: float) -> Tally:
    """The balance as it would be with another unit of one meter."""
    more = tally.amounts[name] * times
    extra = seen.site.meters[name].accuracy * (abs(more) - abs(tally.amounts[name]))
    return Tally(tally.balance, {**tally.amounts, name: more}, tally.tolerance + extra, tally.unit)


def _plausible(seen: Seen, name: str, times: float = 1.0) -> bool:
    """Whether ``times`` a meter's rate is of the size that its site declares; True where nothing is declared."""
    declared = seen.site.it_power_kw
    meter = seen.site.meters[name]
    if declared is None or name not in seen.rates or rate_unit(meter) != "kW":
        return True
    least = _PLAUSIBLE_LOAD[0] * declared if meter.role in ALWAYS_ON else -math.inf
    return least <= times * seen.rates[name] <= _PLAUSIBLE_LOAD[1] * 2 * declared


# -- the site's totals ----------------------------------------------------------------------------------------------


def _totals(seen: Seen) -> Iterator[Finding]:
    """E_DC beside E_IT and the declared IT power, and water beside E_IT: a thousand times too much or too little."""
    terms = sides(seen.site)
    shares = {name: _shares(seen, terms.get(name, ())) for name in ("e_dc", "e_it", "water")}
    dc, it, water = (sum(share.values()) for share in shares.values())
    doubtful = list(_ratio(seen, shares, dc, it)) if it > 0 and shares["e_dc"] else []
    yield from doubtful
    if not doubtful and it > 0 and water > _MOST_WATER * it and (name := _main(shares["water"])) is not None:
        meter = seen.site.meters[name]
        for other in [other for other in others(meter) if other.times <= 1 / _LARGE][:1]:
            yield _found(meter, other, f"counted {shown(water, 4)} L/h beside {shown(it, 4)} kW of IT load", rate=water)


def _ratio(seen: Seen, shares: Mapping[str, Mapping[str, float]], dc: float, it: float) -> Iterator[Finding]:
    """Which inlet, or which IT meters, a thousand times more or less would make E_DC fit E_IT."""
    low, high = _ABSURD_RATIO
    times = _AGAINST if dc < low * it else 1 / _AGAINST if dc > high * it else None
    if times is None:
        return
    inlets = [name for name, share in shares["e_dc"].items() if _fits(dc + (times - 1) * share, it)]
    main = _main(shares["e_it"])
    halls = [main] if main is not None else list(shares["e_it"])
    more = sum(shares["e_it"][name] for name in halls) * (1 / times - 1)
    suspects = {"e_dc": (times, inlets), "e_it": (1 / times, halls if _fits(dc, it + more) else [])}
    declared = seen.site.it_power_kw
    if declared is not None and all(names for _, names in suspects.values()):
        least, most = _PLAUSIBLE_LOAD[0] * declared, _PLAUSIBLE_LOAD[1] * declared
        right = {"e_dc": least <= dc <= 2 * most, "e_it": least <= it <= most}
        suspects = {side: each for side, each in suspects.items() if not right[side]} or suspects
    for side, (each, names) in suspects.items():
        for name in names:
            meter = seen.site.meters[name]
            fitting = [other for other in others(meter) if math.isclose(other.times, each, rel_tol=1e-6)]
            if fitting and not meter.virtual and _within_rate(seen, meter, fitting[0]):
                beside = f"where E_DC is {shown(dc, 4)} kW beside {shown(it, 4)} kW of IT load"
                why = f"makes {shown(shares[side][name], 4)} kW, {beside}"
                yield _found(meter, fitting[0], why, rate=shares[side][name], e_dc=dc, e_it=it)


def _fits(dc: float, it: float) -> bool:
    low, high = _PLAUSIBLE_RATIO
    return it > 0 and low <= dc / it <= high


def _shares(seen: Seen, terms: tuple[tuple[float, str], ...]) -> dict[str, float]:
    """What each meter gives to a sum; nothing where one is not known, since the sum is not known then."""
    known = {name: seen.rates[name] * sign for sign, name in terms if name in seen.rates}
    return known if len(known) == len(terms) else {}


def _main(share: Mapping[str, float]) -> str | None:
    """The meter that makes nine tenths of a sum."""
    largest = max(share, key=lambda name: share[name], default=None)
    return largest if largest is not None and share[largest] >= 0.9 * sum(share.values()) else None


# -- siblings -------------------------------------------------------------------------------------------------------


def _among_siblings(seen: Seen) -> Iterator[Finding]:
    """A meter that is a thousand times off at least three others of its role that are alike."""
    for name, rate in seen.rates.items():
        meter = seen.site.meters[name]
        peers = [seen.rates[peer] for peer in siblings(seen, name) if peer in seen.rates]
        if meter.virtual or rate <= 0 or len(peers) < 3 or min(peers) <= 0 or max(peers) > _ALIKE * min(peers):
            continue
        usual, unit = float(np.median(peers)), rate_unit(meter)
        for other in others(meter):
            near = min(peers) / 2 <= rate * other.times <= max(peers) * 2
            if near and max(other.times, 1 / other.times) >= _LARGE and _tree_agrees(seen, name, other):
                others_count = f"{len(peers)} others of its role {shown(usual, 4)} {unit} (median)"
                why = f"counts {shown(rate, 4)} {unit}, and {others_count}"
                yield _found(meter, other, why, rate=rate, siblings=usual)
                break


def _tree_agrees(seen: Seen, name: str, other: Other) -> bool:
    """Too much needs no witness; too little does, since a meter may simply have little to count."""
    if other.times < 1:
        return True
    above = [tally for tally in seen.tallies if name in tally.balance.children]
    return any(tally.residual >= 0.5 * tally.amounts[name] * other.times for tally in above)
