"""``meter.frozen``: a meter that reports and never moves, where it should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analytics.closure import Balance
from analytics.commissioning.seen import FEWEST, Finding, Seen, Tally, Trace, factor, lasting, same_kind, tally
from wattwell.intervals import DAY, HOUR, iso
from wattwell.model import Accumulation, Meter
from wattwell.roles import IT_ROLE_OF_CATEGORY, POWER_CHAIN_ROLES, SENSOR_ROLES
from wattwell.units import AMOUNT_OF, scale_to_canonical, shown

_AIR = frozenset({"crah", "crac", "ahu", "fan"})
"""Air is moved whenever IT works, by fans that may run at one speed."""
ALWAYS_ON = frozenset({"utility_import", *IT_ROLE_OF_CATEGORY.values(), *POWER_CHAIN_ROLES, *_AIR, "water_input"})
"""Meters of a site at work that count every day; anything else may rest (a chiller in winter, a standby generator)."""
_STANDBY = frozenset({"utility_import", *_AIR, "water_input"})
"""Of several of these one may be a reserve."""
OUTDOORS = frozenset({"outdoor_dry_bulb", "outdoor_wet_bulb", "outdoor_humidity"})
_ROOM = frozenset({"return_air", "hall_air", "rack_inlet", "rack_outlet"})
"""Sensors of which several sense much the same: one may stand, since what it senses is controlled, while none moves."""
_ROOM_SPAN = 3 * DAY
_UNSEEN = 0.01
"""Share of ``max_rate`` that a dial must be able to show as a step within the time that it stood."""
_DIGITS = 3
"""Significant digits from which a running rate that stays the same for a day is no round number by chance."""
_REMEDY = "see that the device measures and that its gateway does not repeat an old value; compare its own display"


@dataclass(frozen=True, slots=True)
class Standstill:
    """The same reading again and again, up to the meter's last one."""

    value: float
    since: int
    """When it was first seen, as far back as one looks."""
    until: int
    readings: int

    @property
    def span(self) -> int:
        """How long, microseconds."""
        return self.until - self.since


def standstill(seen: Seen, trace: Trace) -> Standstill | None:
    """The run of equal readings that a meter ends with, where it lasts for a day and has enough readings."""
    if len(trace.value) < FEWEST or trace.at[-1] < seen.edge - DAY:
        return None
    value = float(trace.value[-1])
    other = np.flatnonzero(trace.value != value)
    first = int(other[-1]) + 1 if len(other) else 0
    since = int(trace.at[first]) if first else _earlier(seen, trace, int(trace.at[0]), value)
    found = Standstill(value, since, int(trace.at[-1]), len(trace.at) - first)
    return found if found.readings >= FEWEST and found.span >= DAY else None


def _earlier(seen: Seen, trace: Trace, at: int, value: float) -> int:
    """How far back before ``at`` the interval values are those of the same reading."""
    before = seen.grid.start + seen.grid.grid <= at
    amounts = seen.grid.value[trace.meter.id][before]
    moved = np.flatnonzero(~np.isclose(amounts, _still_amount(seen, trace.meter, value), rtol=1e-9, atol=0.0))
    if not len(moved):
        return int(seen.grid.start[0]) if len(amounts) else at
    return min(at, int(seen.grid.start[moved[-1]]) + seen.grid.grid)


def _still_amount(seen: Seen, meter: Meter, value: float) -> float:
    """The interval value of a meter that stands, from the last of its intervals where it is not simply 0."""
    if meter.accumulation is Accumulation.REGISTER or value == 0:
        return 0.0
    known = seen.grid.value[meter.id]
    known = known[~np.isnan(known)]
    return float(known[-1]) if len(known) else np.nan


def judge_still(seen: Seen) -> Iterator[Finding]:
    """Meters that stand still although their role, their tree or their site says that they should not."""
    for trace in seen.traces.values():
        found = standstill(seen, trace)
        if found is None or not _could_show(trace.meter, found):
            continue
        verdict = _amount(seen, trace, found) if trace.amount else _sensor(seen, trace.meter, found)
        if verdict is not None:
            severity, why = verdict
            yield _finding(trace.meter, found, severity, why)


def _could_show(meter: Meter, found: Standstill) -> bool:
    """Whether a dial is fine enough that standing still says more than that a step is not full yet."""
    if meter.accumulation is not Accumulation.REGISTER or not meter.max_rate or not meter.resolution:
        return True
    time = found.span / HOUR if AMOUNT_OF[meter.quantity] == "energy" else found.span / 1e6
    step = meter.resolution * scale_to_canonical(meter.quantity, meter.unit) * abs(factor(meter, found.until))
    return step / time <= _UNSEEN * meter.max_rate


def _sensor(seen: Seen, meter: Meter, found: Standstill) -> tuple[str, str] | None:
    if meter.role in OUTDOORS:
        return "warning", "the weather does not stand still"
    if meter.role not in _ROOM or found.span < _ROOM_SPAN:
        return None
    span = seen.grid.start >= found.since
    peers = [other.id for other in seen.site.meters.values() if other.role == meter.role and other.id != meter.id]
    moved = [name for name in peers if len(set(seen.grid.value[name][span & ~np.isnan(seen.grid.value[name])])) > 1]
    return ("info", f"{', '.join(moved[:3])} moved meanwhile") if moved else None


def _amount(seen: Seen, trace: Trace, found: Standstill) -> tuple[str, str] | None:
    meter = trace.meter
    missed = _missed(seen, meter.id, found)
    if missed is not None:
        return "warning", missed
    resting = meter.accumulation is Accumulation.REGISTER or found.value == 0
    moving = [
        name for name, rate in seen.rates.items() if name != meter.id and rate and same_kind(seen.site, name, meter.id)
    ]
    if not moving:
        return None
    if meter.role in ALWAYS_ON and (resting or meter.role not in _AIR):
        peers = [name for name in moving if seen.site.meters[name].role == meter.role]
        reserve = resting and bool(peers) and meter.role in _STANDBY
        others = f"{', '.join((peers or moving)[:3])} moved meanwhile"
        return ("info", f"{others}; what is in reserve may stand") if reserve else ("warning", others)
    if (
        meter.role not in SENSOR_ROLES
        and not resting
        and len(f"{abs(found.value):.9g}".replace(".", "").strip("0")) >= _DIGITS
    ):
        return "info", "a rate that is measured does not repeat to the last digit"
    return None


def _missed(seen: Seen, meter: str, found: Standstill) -> str | None:
    """What its tree says: the balance closed while the meter moved and is open now, or its children move."""
    for now in seen.tallies:
        name = now.balance.parent
        if name == meter and now.children > now.tolerance and now.parent <= now.tolerance:
            return f"the meters below it counted {shown(now.children)} {now.unit} in the last day"
        if meter in now.balance.children and now.residual > now.tolerance and not now.closed:
            before = _before(seen, now.balance, found.since)
            if before is not None and before.closed and before.amounts[meter] > before.tolerance:
                return (
                    f"{shown(now.residual)} {now.unit} of {name} are unaccounted for since, "
                    "and the balance closed before"
                )
    return None


def _before(seen: Seen, balance: Balance, until: int) -> Tally | None:
    """The balance over the day before an instant."""
    part = (seen.grid.start + seen.grid.grid <= until) & (seen.grid.start >= until - DAY)
    if part.sum() < FEWEST:
        return None
    grid = type(seen.grid)(
        start=seen.grid.start[part],
        grid=seen.grid.grid,
        value={name: seen.grid.value[name][part] for name in balance.meters},
        measured={name: seen.grid.measured[name][part] for name in balance.meters},
    )
    return tally(seen.site, balance, grid)


def _finding(meter: Meter, found: Standstill, severity: str, why: str) -> Finding:
    dial = f"{found.value:.12g} {meter.unit}"
    message = f"has shown {dial} since {iso(found.since)} ({lasting(found.span)}, {found.readings} readings looked at)"
    return Finding(
        code="meter.frozen",
        severity=severity,
        meter=meter.id,
        message=f"{message}; {why}",
        evidence={"value": found.value, "since": iso(found.since), "readings": found.readings},
        remedy=_REMEDY,
        since=found.since,
    )
