"""SenML packs as JSON (RFC 8428). Not CBOR, XML or EXI. Pure.

A pack is a list of records whose base fields (``bn bt bu bv bs``) hold for the record that they stand in and all after
it, until replaced (4.6). A record's name is base name and name together, its value base value and value, its sum base
sum and sum, its time base time and time. Values are added in decimal, as they are written: 812000.1 in two parts is
the same double as in one. A meter may ask for a name without its base name as long as a pack holds one such record's
name only; of several none is taken, and the meter's reject (``value.type``) lists them.

Time (4.5.3): from 2^28 seconds on it is UNIX time; anything less is relative to now, which is the arrival, and so is no
time at all. A unit that Wattwell knows by another name is translated, ``Cel`` to degC; any other is passed on and fails
the meter's check by its own name. A sum is in unit times second (4.2): of W it is J, of l/s it is L.

A pack with a version that we do not know, or with an unknown field that must be understood (its label ends in ``_``,
4.4), is refused as a whole. Version 26 is 10 with the secondary units of RFC 8798 (RFC 9100, 3).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

from collector.dialects.base import NO_TIME, Message, PayloadError, document_of
from collector.points import PointsBuilder
from collector.scalars import ABSENT, DEVICE, MISSING, UNREADABLE, Missing, time_of
from collector.topics import Binding, Bindings
from wattwell.config.selectors import record_selector

_LABELS = frozenset({"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"})
_NO_DATA = frozenset({"bn", "bt", "bu", "bv", "bs", "bver", "ut"})
_VERSION = 10
_WITH_SECONDARY_UNITS = 26
_FIRST_ABSOLUTE = 2**28
_LISTED = 3
"""Names that a reject lists, of however many one could be meant."""
_UNITS: Mapping[object, str] = {
    "Cel": "degC",
    "l": "L",
    "l/s": "L/s",
    "/": "1",
    "%RH": "%",
    "/100": "%",
}
"""Units of RFC 8428 (12.1) and RFC 8798 that Wattwell writes in another way."""
_SUM_UNITS: Mapping[object, str] = {"W": "J", "kW": "kJ", "l/s": "L", "m3/s": "m3"}
"""What unit times second is."""

Index = Mapping[str, Sequence[tuple[Binding, bool]]]
"""Meters by the record's name, each with whether it is the sum that it asks for."""
Found = tuple[Binding, tuple[int, int], object, object]
"""A meter, and the time with its state, value and unit of a record."""


def senml_points(message: Message, bindings: Bindings, out: PointsBuilder) -> None:
    """A point for each record that a meter asks for; nothing of a pack that is refused."""
    pack = document_of(message.payload)
    if not isinstance(pack, list):
        raise PayloadError("no list of records")
    found = _resolved(pack, bindings.prepared(_index))
    for bound, time, value, unit in found:
        out.add(
            bound.meter, time if bound.time is not None else NO_TIME, value, unit if bound.unit is not None else None
        )


def _index(bindings: Sequence[Binding]) -> Index:
    found: dict[str, list[tuple[Binding, bool]]] = {}
    for bound in bindings:
        name, of_sum = record_selector(bound.selector)
        found.setdefault(name, []).append((bound, of_sum))
    return found


def _resolved(pack: Sequence[object], index: Index) -> list[Found]:
    """What each record that is asked for says (4.6)."""
    found: list[Found] = []
    by_own_name: list[Found] = []
    base_names: dict[int, set[str]] = {}
    base: dict[str, Any] = {}
    for record in pack:
        if not isinstance(record, dict):
            raise PayloadError("a record is no object")
        _check(record)
        base.update({label: value for label, value in record.items() if label[0:1] == "b"})
        base_name, own = base.get("bn", ""), record.get("n", "")
        found += _read(record, base, index.get(base_name + own, ()))
        if base_name and own in index:
            of_own = _read(record, base, index[own])
            by_own_name += of_own
            for bound, *_ in of_own:
                base_names.setdefault(bound.meter, set()).add(base_name)
    return found + _meant(found, by_own_name, base_names) if by_own_name else found


def _read(record: Mapping[str, Any], base: Mapping[str, Any], wanted: Sequence[tuple[Binding, bool]]) -> list[Found]:
    found: list[Found] = []
    for bound, of_sum in wanted:
        value = _sum_of(record, base) if of_sum else _value_of(record, base)
        if not isinstance(value, Missing):
            found.append((bound, _time_of(record, base), value, _unit_of(record, base, of_sum=of_sum)))
    return found


def _meant(
    found: Sequence[Found], by_own_name: Sequence[Found], base_names: Mapping[int, Collection[str]]
) -> list[Found]:
    """Records asked for without their base name, where no whole name fits; those of several devices are no value."""
    whole = {bound.meter for bound, *_ in found}
    several: dict[int, object] = {}
    for bound, *_ in by_own_name:
        if len(base_names[bound.meter]) > 1 and bound.meter not in several:
            own = record_selector(bound.selector)[0]
            several[bound.meter] = {"one of": [base + own for base in sorted(base_names[bound.meter])[:_LISTED]]}
    return [
        (bound, time, several.get(bound.meter, value), unit)
        for bound, time, value, unit in by_own_name
        if bound.meter not in whole
    ]


def _check(record: Mapping[str, Any]) -> None:
    """Raises PayloadError for a record that the rest of its pack cannot be read without."""
    if not record.keys() <= _LABELS and any(label.endswith("_") for label in record.keys() - _LABELS):
        raise PayloadError("a field that must be understood is not known")
    for label in ("bn", "n"):
        if not isinstance(record.get(label, ""), str):
            raise PayloadError(f"{label} is no text")
    for label in ("bt", "bv", "bs", "bver"):
        if label in record and not _is_number(record[label]):
            raise PayloadError(f"{label} is no number")
    version = record.get("bver", _VERSION)
    if version > _VERSION and version != _WITH_SECONDARY_UNITS:
        raise PayloadError("a version that is not known")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0


def _value_of(record: Mapping[str, Any], base: Mapping[str, Any]) -> object:
    if "v" in record:
        return _added(record["v"], base.get("bv", 0))
    if "vd" in record:
        return {"vd": record["vd"]}  # bytes as text: digits among them are no number
    for label in ("vs", "vb"):
        if label in record:
            return record[label]
    valueless = "bv" not in base or record.keys() <= _NO_DATA or "s" in record
    return MISSING if valueless else base["bv"]


def _sum_of(record: Mapping[str, Any], base: Mapping[str, Any]) -> object:
    return _added(record["s"], base.get("bs", 0)) if "s" in record else MISSING


def _added(value: object, base: Any) -> object:
    """The sum of two numbers, correctly rounded; the value itself where it is no number, or the base is 0."""
    if base == 0 or not _is_number(value):
        return value
    if isinstance(value, int) and isinstance(base, int):
        return value + base
    return float(Context(prec=40, traps=[]).add(Decimal(repr(value)), Decimal(repr(base))))


def _time_of(record: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[int, int]:
    """Time and its state; of a relative one the microseconds from arrival, ABSENT."""
    own = record.get("t", 0)
    if not _is_number(own):
        return 0, UNREADABLE
    seconds = own + base.get("bt", 0)
    at, state = time_of(seconds)
    return (at, ABSENT) if state == DEVICE and seconds < _FIRST_ABSOLUTE else (at, state)


def _unit_of(record: Mapping[str, Any], base: Mapping[str, Any], *, of_sum: bool) -> object:
    unit = record["u"] if "u" in record else base.get("bu")
    if not isinstance(unit, str) or not unit:
        return unit
    return _SUM_UNITS.get(unit, f"{unit} s") if of_sum else _UNITS.get(unit, unit)
