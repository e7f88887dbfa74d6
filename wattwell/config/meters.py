"""Meters: what must hold for each one by itself, and building the checked ones (METERING, README)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from wattwell.config.devices import fill
from wattwell.config.dialects import check_source, source_of
from wattwell.config.document import flow_value
from wattwell.config.files import read_table
from wattwell.config.places import Faults, Place
from wattwell.config.reading import keys_of, read
from wattwell.config.schema import TEXT_COLUMNS, RawDated, RawMeter, RawSource
from wattwell.config.spellings import spelled
from wattwell.intervals import MINUTE, SECOND, Interval, day_start
from wattwell.model import Accumulation, Interpolation, Meter
from wattwell.roles import ENERGY_KINDS, ROLES, WEIGHTED_ROLES
from wattwell.units import AMOUNT_OF, CANONICAL, QuantityKind, is_unit_of, units_of

DEFAULT_SENTINELS = (65535.0, 4294967295.0, 32768.0, -32768.0)
DEFAULT_PERIOD = 60 * SECOND
DEFAULT_ACCURACY = 0.01
FAR_PAST, FAR_FUTURE = -(2**62), 2**62
"""Open ends of a meter's service, beyond every date."""

_REAL_ONLY = (
    "accumulation",
    "unit",
    "source",
    "multiplier",
    "sign",
    "rollover_at",
    "max_rate",
    "resolution",
    "period",
    "max_gap",
    "interpolation",
    "range",
    "sentinels",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A meter as written and where it stands."""

    raw: RawMeter
    place: Place


def read_meters(listed: Sequence[Any] | None, place: Place, faults: Faults) -> list[Entry]:
    """The meters of a ``meters`` list."""
    entries = []
    for index, item in enumerate(listed or ()):
        entries += _entry(item, place / index, faults)
    return entries


def _entry(document: Any, place: Place, faults: Faults) -> list[Entry]:
    """The meter of a document, completed from the device that its source names."""
    filled = fill(document, place, faults)
    raw = read(RawMeter, filled.document, place, faults, broken=filled.broken)
    if raw is None:
        return []
    if raw.source is not None:
        raw.source = spelled(raw.source)
    return [Entry(raw, place)]


def read_meters_file(name: str, base: Path, place: Place, faults: Faults) -> list[Entry]:
    """The meters of a CSV file with the keys of a meter as columns, ``source.topic`` and its like among them."""
    columns = [key for key in keys_of(RawMeter) if key != "source"]
    columns += [f"source.{key}" for key in keys_of(RawSource)]
    entries = []
    for row in read_table(base, name, place, faults, known=columns, required=("id", "quantity")):
        document: dict[str, Any] = {}
        for column, cell in row.cells.items():
            outer, _, inner = column.partition(".")
            if inner:
                document.setdefault(outer, {})[inner] = cell
            else:
                document[outer] = cell if outer in (*TEXT_COLUMNS, "formula") else flow_value(cell)
        entries += _entry(document, row.place, faults)
    return entries


def check_meter(entry: Entry, faults: Faults, notes: list[str]) -> None:
    """Everything that must hold for one meter without looking at others."""
    if entry.raw.formula is not None or entry.raw.broken("formula"):
        _check_virtual(entry, faults)
    else:
        _check_accumulation(entry, faults)
        _check_dial(entry, faults)
        _check_times(entry, faults, notes)
        if entry.raw.source is not None:
            check_source(entry.raw.source, entry.place / "source", faults)
    _check_role(entry, faults)
    _check_dates(entry, faults)


def _check_virtual(entry: Entry, faults: Faults) -> None:
    for key in _REAL_ONLY:
        value = getattr(entry.raw, key)
        if value is not None:
            faults.add(
                entry.place / key, "a meter with a formula has no readings of its own; leave this key out", value
            )


def _check_role(entry: Entry, faults: Faults) -> None:
    raw, place = entry.raw, entry.place
    if raw.role is not None and raw.quantity is not None and raw.quantity not in ROLES[raw.role]:
        fitting = " or ".join(kind for kind in QuantityKind if kind in ROLES[raw.role])
        faults.add(place / "role", f"this role needs the quantity {fitting}, not {raw.quantity}", raw.role)
    if raw.role in WEIGHTED_ROLES and raw.lacks("weight"):
        faults.add(place / "weight", f"the role {raw.role} requires a weight in E_DC; write for example `weight: 1`")
    if raw.weight not in (None, 1) and raw.role not in WEIGHTED_ROLES and not raw.broken("role"):
        remedy = f"only the roles {' and '.join(WEIGHTED_ROLES)} are weighted; leave it out"
        faults.add(place / "weight", remedy, raw.weight)
    if raw.kg_per_kwh is not None and raw.quantity is not None and raw.quantity not in ENERGY_KINDS:
        faults.add(place / "kg_per_kwh", "emissions belong to energy or power; leave it out", raw.kg_per_kwh)
    if raw.factor_source is not None and raw.lacks("kg_per_kwh"):
        remedy = "this names the source of kg_per_kwh, which is absent; add that key or leave this one out"
        faults.add(place / "factor_source", remedy, raw.factor_source)


def _check_accumulation(entry: Entry, faults: Faults) -> None:
    raw, place = entry.raw, entry.place
    if raw.lacks("accumulation"):
        remedy = "this key is required and absent; add one of: " + " ".join(Accumulation)
        faults.add(place / "accumulation", f"{remedy} (it is never guessed)")
    if raw.quantity is None:
        return
    if raw.unit is not None and not is_unit_of(raw.unit, raw.quantity):
        remedy = f"no unit of {raw.quantity}; write one of: {' '.join(units_of(raw.quantity))}"
        faults.add(place / "unit", remedy, raw.unit)
    if raw.accumulation is None:
        return
    if raw.quantity in (QuantityKind.ENERGY, QuantityKind.WATER):
        if raw.accumulation is Accumulation.INSTANTANEOUS:
            rate = "power" if raw.quantity is QuantityKind.ENERGY else "flow"
            remedy = f"{raw.quantity} is register or delta; write `quantity: {rate}` for a rate"
            faults.add(place / "accumulation", remedy, str(raw.accumulation))
    elif raw.accumulation is not Accumulation.INSTANTANEOUS:
        remedy = f"{raw.quantity} is instantaneous; only energy and water are register or delta"
        faults.add(place / "accumulation", remedy, str(raw.accumulation))


def _check_dial(entry: Entry, faults: Faults) -> None:
    raw, place = entry.raw, entry.place
    counting = raw.accumulation in (Accumulation.REGISTER, Accumulation.DELTA)
    if counting and raw.lacks("max_rate"):
        remedy = "register and delta meters require the largest plausible flow; add it in kW (energy) or L/s (water)"
        faults.add(place / "max_rate", remedy)
    if raw.max_rate is not None and raw.quantity is not None and raw.quantity not in AMOUNT_OF:
        remedy = f"max_rate is a flow in kW or L/s, and {raw.quantity} has none; write `range: [lo, hi]` instead"
        faults.add(place / "max_rate", remedy, raw.max_rate)
    if raw.accumulation is None:
        return
    if raw.rollover_at is not None and raw.accumulation is not Accumulation.REGISTER:
        faults.add(place / "rollover_at", "only a register rolls over; leave it out", raw.rollover_at)
    if raw.interpolation is Interpolation.STEP and counting:
        faults.add(
            place / "interpolation", "only instantaneous meters are interpolated; leave it out", raw.interpolation
        )


def _check_times(entry: Entry, faults: Faults, notes: list[str]) -> None:
    raw = entry.raw
    period = raw.period or DEFAULT_PERIOD
    if raw.max_gap is not None and raw.max_gap < period and not raw.broken("period"):
        notes.append(f"{entry.place / 'max_gap'}: shorter than the period, so every pair of readings is a gap")
    for key in ("multiplier", "sign"):
        dated: list[RawDated] | None = getattr(raw, key)
        if dated is None:
            continue
        if not dated:
            faults.add(entry.place / key, "the list is empty; write a number or leave the key out", dated)
        days = [step.since for step in dated]
        for index, day in enumerate(days):
            if day in days[:index]:
                faults.add(entry.place / key / index / "from", "this date stands twice; keep one of them", str(day))


def _check_dates(entry: Entry, faults: Faults) -> None:
    raw = entry.raw
    if raw.since is not None and raw.until is not None and raw.since >= raw.until:
        remedy = f"until is the first day out of service and must lie after from ({raw.since})"
        faults.add(entry.place / "until", remedy, str(raw.until))


def _at(steps: Sequence[tuple[int, float]], instant: int) -> float:
    """The value in force at an instant; 1 before the first (METERING, Structure)."""
    return next((value for since, value in reversed(steps) if since <= instant), 1.0)


def _steps(dated: Sequence[RawDated] | None, zone: str) -> list[tuple[int, float]]:
    return sorted(
        (FAR_PAST if step.since is None else day_start(step.since, zone), float(step.value or 1))
        for step in dated or ()
    )


def combined_factors(raw: RawMeter, zone: str) -> tuple[tuple[int, float], ...]:
    """(from instant, multiplier x sign), ascending, each in force until the next."""
    multipliers, signs = _steps(raw.multiplier, zone), _steps(raw.sign, zone)
    instants = sorted({FAR_PAST, *(since for since, _ in multipliers + signs)})
    return tuple((instant, _at(multipliers, instant) * _at(signs, instant)) for instant in instants)


def _instant(day: date | None, otherwise: int, zone: str) -> int:
    return otherwise if day is None else day_start(day, zone)


def build_meter(raw: RawMeter, site: str, zone: str, formula: tuple[tuple[int, str], ...]) -> Meter:
    """The meter of a checked part. Raises ValueError where a required key is absent, which the checks exclude."""
    if raw.id is None or raw.quantity is None:
        raise ValueError("a meter without id or quantity has passed the checks")
    period = raw.period or DEFAULT_PERIOD
    return Meter(
        id=raw.id,
        site=site,
        quantity=raw.quantity,
        accumulation=raw.accumulation or Accumulation.INSTANTANEOUS,
        unit=raw.unit or CANONICAL[raw.quantity],
        role=raw.role,
        equipment=raw.equipment,
        parent=raw.parent,
        factors=combined_factors(raw, zone),
        rollover_at=raw.rollover_at,
        max_rate=raw.max_rate,
        resolution=raw.resolution or 0.0,
        accuracy=DEFAULT_ACCURACY if raw.accuracy is None else raw.accuracy,
        period=period,
        max_gap=raw.max_gap or max(5 * MINUTE, 3 * period),
        interpolation=raw.interpolation or Interpolation.LINEAR,
        range=raw.range,
        sentinels=DEFAULT_SENTINELS if raw.sentinels is None else tuple(raw.sentinels),
        weight=raw.weight,
        kg_per_kwh=raw.kg_per_kwh,
        factor_source=raw.factor_source,
        in_service=Interval(_instant(raw.since, FAR_PAST, zone), _instant(raw.until, FAR_FUTURE, zone)),
        formula=formula,
        source=None if raw.source is None else source_of(raw.source),
    )
