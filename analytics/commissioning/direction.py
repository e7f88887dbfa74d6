"""``meter.reversed``: current that is counted the wrong way round, as by a flipped current transformer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analytics.commissioning.seen import FEEDING, FEWEST, Finding, Seen, Tally, Trace, siblings
from analytics.commissioning.still import standstill
from wattwell.intervals import DAY, HOUR, iso
from wattwell.model import Accumulation, Float64
from wattwell.roles import (
    COOLING_ROLES,
    IT_ROLE_OF_CATEGORY,
    OTHER_ROLES,
    POWER_CHAIN_ROLES,
    WATER_ROLES,
)
from wattwell.units import shown

CONSUMING = frozenset(
    {
        "utility_import",
        "fuel",
        "cooling_import",
        *IT_ROLE_OF_CATEGORY.values(),
        *POWER_CHAIN_ROLES,
        *COOLING_ROLES,
        *OTHER_ROLES,
        *WATER_ROLES,
    }
)
"""Roles that count into one direction: negative amounts make no sense. A meter without a role may count both ways."""
_MOST = 0.95
"""Share of all that was counted which must go the wrong way: an exporting site or a battery goes both ways."""
_TREND = 0.9
"""Share of a dial's steps that must lead down."""
_TURN = "turn the current transformer or its leads round, or set sign: -1 if the meter is meant to count this way"
_DIAL = "a dial that counts down books nothing: turn the current transformer round, or read its other register"
_REGISTER = (
    "turn the current transformer round or read the register that counts; "
    "if the device's own display moves, its gateway repeats an old value"
)


def judge_direction(seen: Seen) -> Iterator[Finding]:
    """Meters that count the wrong way round, by their own readings first and by their tree then."""
    for trace in seen.traces.values():
        if trace.amount:
            finding = _counts_down(trace) or _negative(seen, trace) or _refused(seen, trace) or _stands(seen, trace)
            yield from [finding] if finding else []
    for tally in seen.tallies:
        yield from _flips(seen, tally)
        yield from _thirds(seen, tally)


def _found(meter: str, message: str, remedy: str, **evidence: float | str) -> Finding:
    return Finding(
        code="meter.reversed", severity="warning", meter=meter, message=message, evidence=evidence, remedy=remedy
    )


def _counts_down(trace: Trace) -> Finding | None:
    """A dial whose steps lead down: each looks like a transient or a reset and books nothing."""
    if trace.meter.accumulation is not Accumulation.REGISTER or len(trace.value) <= FEWEST:
        return None
    step = np.diff(trace.value)
    down, moved = int((step < 0).sum()), int((step != 0).sum())
    if down < FEWEST or down < _TREND * moved:
        return None
    fall = float(-step[step < 0].sum())
    if float(np.median(-step[step < 0])) > 0.1 * fall:  # a few big steps are resets or a rollover
        return None
    first, last = float(trace.value[0]), float(trace.value[-1])
    message = (
        f"its dial counts down: {down} of {moved} steps from {iso(int(trace.at[0]))} to {iso(int(trace.at[-1]))}, "
        f"from {first:.12g} to {last:.12g} {trace.meter.unit}"
    )
    return _found(trace.meter.id, message, _DIAL, steps_down=down, steps=moved, first=first, last=last)


def _negative(seen: Seen, trace: Trace) -> Finding | None:
    """Amounts below zero, nearly all of them, in a role that counts one way."""
    meter = trace.meter
    if meter.role not in CONSUMING:
        return None
    value = seen.day.value[meter.id]
    value = value[~np.isnan(value)]
    hours = len(value) * seen.grid.grid / HOUR
    backward, all_of_it = float(-value[value < 0].sum()), float(np.abs(value).sum())
    if int((value < 0).sum()) < FEWEST or backward < _MOST * all_of_it or hours < 6:
        return None
    if meter.role == "utility_import" and _made_on_site(seen) > backward / hours:
        return None
    unit = "kWh" if meter.quantity in ("energy", "power") else "L"
    message = f"counted {shown(-backward)} {unit} in the last {hours:.3g} h, though its role is {meter.role}"
    return _found(meter.id, message, _TURN, amount=-backward, hours=hours, role=str(meter.role))


def _made_on_site(seen: Seen) -> float:
    """Mean kW of generators and renewables: what a net import meter may send out."""
    made = (seen.rates.get(name, 0.0) for name, meter in seen.site.meters.items() if meter.role in FEEDING)
    return sum(abs(rate) for rate in made)


def _refused(seen: Seen, trace: Trace) -> Finding | None:
    """Readings rejected because they are below zero, nearly all that came."""
    if trace.meter.role in FEEDING:
        return None
    rows = [(r.at, _number(r.value)) for r in trace.rejects if r.reason == "value.range" and r.at is not None]
    low = [(at, value) for at, value in rows if value < 0 and at > seen.edge - DAY]
    accepted = int((trace.at > seen.edge - DAY).sum())
    if len(low) < FEWEST or len(low) < _TREND * (len(low) + accepted):
        return None
    middle = float(np.median([value for _, value in low]))
    message = (
        f"{len(low)} of the last day's readings were rejected because they are below zero "
        f"(median {middle:.6g} {trace.meter.unit}, the last at {iso(max(at for at, _ in low))})"
    )
    return _found(trace.meter.id, message, _TURN, rejected=len(low), median=middle)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _stands(seen: Seen, trace: Trace) -> Finding | None:
    """An import register that stands while its parent misses about what its siblings count."""
    meter = trace.meter
    still = standstill(seen, trace) if meter.accumulation is Accumulation.REGISTER else None
    if still is None:
        return None
    for tally in seen.tallies:
        peers = [name for name in siblings(seen, meter.id) if name in tally.balance.children]
        usual = float(np.median([tally.amounts[name] for name in peers])) if peers else 0.0
        if meter.id not in tally.balance.children or usual <= tally.tolerance or tally.closed:
            continue
        if 0.5 * usual <= tally.residual <= 2.5 * usual:
            message = (
                f"has stood at {still.value:.12g} {meter.unit} since {iso(still.since)} while {shown(tally.residual)} "
                f"{tally.unit} a day of {tally.balance.parent} are missing, as much as its siblings count "
                f"({', '.join(peers[:3])}: {shown(usual)} {tally.unit})"
            )
            return _found(meter.id, message, _REGISTER, dial=still.value, residual=tally.residual, siblings=usual)
    return None


def _flips(seen: Seen, tally: Tally) -> Iterator[Finding]:
    """The one meter of an open balance that closes it with its sign turned round."""
    if tally.closed or abs(tally.residual) <= 3 * tally.tolerance:
        return
    closing = []
    for name, amount in tally.amounts.items():
        turned = tally.residual + (-2 * amount if name == tally.balance.parent else 2 * amount)
        plausible = amount < 0 or seen.site.meters[name].role is None
        if abs(amount) > tally.tolerance and abs(turned) <= tally.tolerance and plausible:
            closing.append(name)
    if len(closing) == 1 and seen.site.meters[closing[0]].role not in FEEDING:
        name = closing[0]
        message = (
            f"counted {shown(tally.amounts[name])} {tally.unit} in the last day; with its sign turned round the "
            f"balance of {tally.balance.parent} closes, as it is {shown(tally.residual)} {tally.unit} are left over"
        )
        yield _found(name, message, _TURN, amount=tally.amounts[name], residual=tally.residual)


def _thirds(seen: Seen, tally: Tally) -> Iterator[Finding]:
    """A meter that reads a third, as with one of three current transformers turned round: 1 + 1 - 1 of 3."""
    if tally.residual <= 3 * tally.tolerance:
        return
    for name in tally.balance.children:
        amount = tally.amounts[name]
        usual = _usual(seen, tally, name)
        if usual is None or amount <= 0 or abs(3 * amount - usual) > 0.2 * usual:
            continue
        if abs(tally.residual - 2 * amount) <= tally.tolerance:
            message = (
                f"counted {shown(amount)} {tally.unit} in the last day, a third of what its siblings count, and twice "
                f"as much is missing in the balance of {tally.balance.parent}"
            )
            remedy = "turn round the one of its three current transformers that is mounted the wrong way"
            yield _found(name, message, remedy, amount=amount, siblings=usual, residual=tally.residual)


def _usual(seen: Seen, tally: Tally, name: str) -> float | None:
    """What siblings below the same parent count, where there are at least two that agree."""
    peers: Float64 = np.array([tally.amounts[peer] for peer in siblings(seen, name) if peer in tally.balance.children])
    if len(peers) < 2 or peers.min() <= 0 or peers.max() > 1.5 * peers.min():
        return None
    return float(np.median(peers))
