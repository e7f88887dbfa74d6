"""The rules by which a decoded point becomes a reading or a reject: the one place for all of them. Pure.

METERING, "Late, repeated, wrong". Live messages and back-filled files come through the same function as columns, so
the same data give the same readings whichever way they arrive. The first rule that applies names the reason:

====================  =================================================================================
``point.unknown``     the point is no metered point of the configuration
``time.invalid``      a time was sent that names no instant (no offset, null, text)
``retained``          the broker kept the message from an unknown time ago and the device sent no time
``clock.future``      device time more than 5 minutes after arrival
``clock.past``        before 2000-01-01, or (live) older than the late limit
``quality.bad``         the device itself says that the value is not good
``value.type``        no number
``unit.wrong``        the unit sent beside the value does not measure the meter's quantity
``value.sentinel``    NaN, an infinity, or one of the meter's sentinels, as sent: before unit and multiplier
``value.range``       outside the meter's range, or the rule of its accumulation; or beyond a double
====================  =================================================================================

``retained`` holds for states as for amounts: the time of such a message is unknown, and a figure at a wrong time is
a wrong figure. A point rejected for its value (the last five) has a known time, so it also yields a row with the
value NaN: the amount since the reading before it was not received, and the next delta does not reach back beyond it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.points import UNKNOWN, Points
from collector.scalars import ABSENT, BAD_QUALITY, DEVICE, NOT_A_NUMBER, TOO_LARGE, UNREADABLE, clean, listed, shown
from wattwell.intervals import FIRST_INSTANT, MINUTE
from wattwell.model import Accumulation, Bool, Float64, Int64, Meter, MeterKey, Readings, Reject, Site
from wattwell.units import CANONICAL, QuantityKind, convert, is_unit_of

FUTURE = 5 * MINUTE
"""How far device time may be ahead of arrival."""

_REASONS = (
    "",
    "point.unknown",
    "time.invalid",
    "retained",
    "clock.future",
    "clock.past",
    "quality.bad",
    "value.type",
    "unit.wrong",
    "value.sentinel",
    "value.range",
)
_CODE = {reason: code for code, reason in enumerate(_REASONS)}
_FIRST_VALUE_REASON = _CODE["quality.bad"]
_RATES = (QuantityKind.POWER, QuantityKind.FLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterTable:
    """The real meters of a configuration and the limits of each, as columns."""

    meters: tuple[Meter, ...]
    keys: tuple[MeterKey, ...]
    position: dict[MeterKey, int]
    low: Float64
    """Smallest value allowed, in the meter's unit."""
    high: Float64
    """Largest value allowed, in the meter's unit."""
    open_end: Bool
    """Whether ``high`` itself is refused (a dial never shows ``rollover_at``)."""
    rate: Float64
    """Largest canonical amount of value x factor; infinite where there is no such rule."""
    factor: Float64
    """Factor of meters that have one for all time."""
    dated: tuple[int, ...]
    """Positions of meters with a rate rule whose factor changes."""
    sentinels: Float64
    """One row a meter, padded with NaN, which equals nothing."""
    scale: Int64
    """Position in ``scales``."""
    scales: tuple[tuple[QuantityKind, str], ...]
    """Quantity and unit pairs in use."""

    @classmethod
    def of(cls, sites: Iterable[Site]) -> MeterTable:
        """The table of every meter that can have readings; a virtual meter has none."""
        meters = tuple(meter for site in sites for meter in site.meters.values() if not meter.virtual)
        limits = [_limits(meter) for meter in meters]
        scales = tuple(dict.fromkeys((meter.quantity, meter.unit) for meter in meters))
        keys = tuple((meter.site, meter.id) for meter in meters)
        return cls(
            meters=meters,
            keys=keys,
            position={key: position for position, key in enumerate(keys)},
            low=np.array([limit[0] for limit in limits], dtype=np.float64),
            high=np.array([limit[1] for limit in limits], dtype=np.float64),
            open_end=np.array([limit[2] for limit in limits], dtype=np.bool_),
            rate=np.array([limit[3] for limit in limits], dtype=np.float64),
            factor=np.array([meter.factors[-1][1] for meter in meters], dtype=np.float64),
            dated=tuple(
                position
                for position, meter in enumerate(meters)
                if len(meter.factors) > 1 and np.isfinite(limits[position][3])
            ),
            sentinels=_sentinels(meters),
            scale=np.array([scales.index((meter.quantity, meter.unit)) for meter in meters], dtype=np.int64),
            scales=scales,
        )


@dataclass(frozen=True, slots=True)
class Normalised:
    """Readings in order of arrival, and what was refused."""

    readings: Readings
    """Accepted readings, and NaN at the time of each point that was rejected for its value."""
    rejects: list[Reject]

    @property
    def accepted(self) -> int:
        """How many readings carry a value."""
        return int(np.count_nonzero(~np.isnan(self.readings.value)))


def _limits(meter: Meter) -> tuple[float, float, bool, float]:
    if meter.range is not None:
        return meter.range[0], meter.range[1], False, np.inf
    if meter.accumulation is Accumulation.REGISTER:
        return 0.0, np.inf if meter.rollover_at is None else meter.rollover_at, True, np.inf
    if meter.accumulation is Accumulation.DELTA:
        return 0.0, np.inf, False, np.inf
    rate = meter.max_rate if meter.quantity in _RATES and meter.max_rate is not None else np.inf
    return -np.inf, np.inf, False, rate


def _sentinels(meters: tuple[Meter, ...]) -> Float64:
    width = max((len(meter.sentinels) for meter in meters), default=0)
    table = np.full((len(meters), width), np.nan)
    for row, meter in enumerate(meters):
        table[row, : len(meter.sentinels)] = meter.sentinels
    return table


def normalise(points: Points, table: MeterTable, late: int | None) -> Normalised:
    """Judges points and gives readings, in the meters' own units, and rejects.

    ``late`` is the age in microseconds beyond which a live reading is refused; None for a back-fill.
    """
    at = np.where(points.clock == ABSENT, points.received_at + points.at, points.at)
    reason = _judge_times(points, at, late)
    value = _judge_values(points, table, at, reason)
    kept = (reason == 0) | (reason >= _FIRST_VALUE_REASON)
    return Normalised(_readings(points, table, at, value, kept), _rejects(points, table, at, reason))


def _mark(reason: NDArray[np.int8], where: Bool, name: str) -> None:
    reason[where & (reason == 0)] = _CODE[name]


def _judge_times(points: Points, at: Int64, late: int | None) -> NDArray[np.int8]:
    reason = np.zeros(len(points), dtype=np.int8)
    _mark(reason, points.meter == UNKNOWN, "point.unknown")
    _mark(reason, points.clock == UNREADABLE, "time.invalid")
    _mark(reason, points.retained & (points.clock == ABSENT), "retained")
    _mark(reason, at > points.received_at + FUTURE, "clock.future")
    _mark(reason, at < FIRST_INSTANT, "clock.past")
    if late is not None:
        _mark(reason, at < points.received_at - late, "clock.past")
    return reason


def _judge_values(points: Points, table: MeterTable, at: Int64, reason: NDArray[np.int8]) -> Float64:
    """Marks values that are refused and gives all of them in the meters' units, NaN where refused."""
    _mark(reason, points.form == BAD_QUALITY, "quality.bad")
    _mark(reason, points.form == NOT_A_NUMBER, "value.type")
    _mark(reason, _wrong_units(points, table), "unit.wrong")
    _mark(reason, (points.form != TOO_LARGE) & _is_sentinel(points, table), "value.sentinel")
    open_rows = reason == 0
    value = np.full(len(points), np.nan)
    value[open_rows] = points.value[open_rows]
    with np.errstate(over="ignore"):
        _convert(points, table, value, open_rows)
        _mark(reason, open_rows & _out_of_range(points, table, at, value, open_rows), "value.range")
    value[reason != 0] = np.nan
    return value


def _unit_pairs(points: Points, table: MeterTable, rows: Bool) -> Iterable[tuple[str, QuantityKind, str, Bool]]:
    """(unit sent, quantity, the meters' own unit, rows) for each combination among rows that were sent a unit."""
    sent = rows & (points.unit > 0) & (points.meter != UNKNOWN)
    if not sent.any():
        return
    width = len(table.scales)
    pair = np.where(sent, points.unit * width + table.scale[points.meter], -1)
    for code in np.unique(pair[sent]).tolist():
        kind, own = table.scales[code % width]
        yield points.units[code // width], kind, own, pair == code


def _wrong_units(points: Points, table: MeterTable) -> Bool:
    wrong = np.zeros(len(points), dtype=np.bool_)
    for unit, kind, _, rows in _unit_pairs(points, table, np.ones(len(points), dtype=np.bool_)):
        if not is_unit_of(unit, kind):
            wrong |= rows
    return wrong


def _is_sentinel(points: Points, table: MeterTable) -> Bool:
    found = ~np.isfinite(points.value)
    if table.meters:
        for column in table.sentinels.T:
            found |= points.value == column[points.meter]
    return found


def _convert(points: Points, table: MeterTable, value: Float64, rows: Bool) -> None:
    for unit, kind, own, chosen in _unit_pairs(points, table, rows):
        value[chosen] = convert(value[chosen], kind, unit, own)


def _out_of_range(points: Points, table: MeterTable, at: Int64, value: Float64, rows: Bool) -> Bool:
    if not table.meters:
        return np.zeros(len(points), dtype=np.bool_)
    low, high = table.low[points.meter], table.high[points.meter]
    wrong = ~np.isfinite(value) | (value < low) | (value > high)
    wrong |= table.open_end[points.meter] & (value >= high)
    rated = rows & np.isfinite(table.rate[points.meter])
    if rated.any():
        wrong[rated] |= _above_rate(table, points.meter[rated], at[rated], value[rated])
    return wrong


def _above_rate(table: MeterTable, meter: Int64, at: Int64, value: Float64) -> Bool:
    amount = np.empty(len(value))
    scale = table.scale[meter]
    for code in np.unique(scale).tolist():
        kind, unit = table.scales[code]
        rows = scale == code
        amount[rows] = convert(value[rows], kind, unit, CANONICAL[kind])
    factor = table.factor[meter]
    for position in table.dated:
        rows = meter == position
        if rows.any():
            factor[rows] = _factors_at(table.meters[position], at[rows])
    return np.abs(amount * factor) > table.rate[meter]


def _factors_at(meter: Meter, at: Int64) -> Float64:
    since = np.array([start for start, _ in meter.factors], dtype=np.int64)
    factor = np.array([value for _, value in meter.factors])
    return factor[np.maximum(np.searchsorted(since, at, side="right") - 1, 0)]


def _readings(points: Points, table: MeterTable, at: Int64, value: Float64, kept: Bool) -> Readings:
    meter = points.meter[kept]
    used = np.zeros(len(table.keys), dtype=np.bool_)
    used[meter] = True
    renumbered = np.cumsum(used) - 1
    return Readings(
        keys=tuple(table.keys[position] for position in np.flatnonzero(used).tolist()),
        meter=renumbered[meter].astype(np.int32),
        at=at[kept],
        received_at=points.received_at[kept],
        value=value[kept],
        arrival_time=points.clock[kept] == ABSENT,
    )


def _rejects(points: Points, table: MeterTable, at: Int64, reason: NDArray[np.int8]) -> list[Reject]:
    rows = np.flatnonzero(reason).tolist()
    return [_reject(points, table, int(at[row]), _REASONS[reason[row]], row) for row in rows]


def _reject(points: Points, table: MeterTable, at: int, reason: str, row: int) -> Reject:
    position = int(points.meter[row])
    site, meter = points.names[row] if position == UNKNOWN else table.keys[position]
    text = shown(points.raw[row])
    if reason == "unit.wrong":
        text = clean(f"{text} {points.units[points.unit[row]]}")
    return Reject(
        site=site,
        meter=None if meter is None else clean(meter),
        topic=None if points.topics is None else listed(points.topics[row]),
        at=at if points.clock[row] == DEVICE or reason in _REASONS[_FIRST_VALUE_REASON:] else None,
        received_at=int(points.received_at[row]),
        reason=reason,
        value=text,
    )
