"""Tasmota's telemetry: ``tele/TOPIC/SENSOR`` and ``stat/TOPIC/STATUS8`` or ``STATUS10`` (under ``StatusSNS``). Pure.

A value is a path (``ENERGY.Total``; ``ENERGY.Total.1`` of a device with several channels). Its key tells the unit.

``Time`` is the device's local time, without an offset unless the device was told to send one. It is read in the site's
zone. In the hour that comes twice the reading nearest to its arrival is meant; a time that the clock skips names no
instant, since no device that follows the zone can have sent it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from collector.dialects.base import NO_TIME, Message, PayloadError, document_of
from collector.dialects.plain import find
from collector.points import PointsBuilder
from collector.scalars import DEVICE, MISSING, UNREADABLE, Missing, time_of
from collector.topics import Binding
from wattwell.intervals import from_us, to_us, zone_of

_LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")
_ENERGY_UNITS: Mapping[str, str] = {
    **dict.fromkeys(("Total", "Today", "Yesterday", "TotalTariff"), "kWh"),
    **dict.fromkeys(("ImportActive", "ExportActive", "ExportTariff"), "kWh"),
    "Period": "Wh",
    "Power": "W",
    "ApparentPower": "VA",
    "ReactivePower": "var",
    "Voltage": "V",
    "Current": "A",
    "Frequency": "Hz",
    "Factor": "1",
}
"""Unit by key under ``ENERGY``."""
_TEMPERATURES = {"C": "degC", "F": "degF"}


def local_time(text: str, zone: str, near: int) -> tuple[int, int]:
    """Microseconds UTC and state of a local time in an IANA zone; of two instants the one nearer to ``near``."""
    try:
        wall = datetime.fromisoformat(text)
        tz = zone_of(zone)
        found = {to_us(wall.replace(tzinfo=tz, fold=fold)) for fold in (0, 1)}
        if len(found) > 1:
            found = {one for one in found if from_us(one).astimezone(tz).replace(tzinfo=None) == wall}
    except (ValueError, OverflowError):
        return 0, UNREADABLE
    return (min(found, key=lambda one: abs(one - near)), DEVICE) if found else (0, UNREADABLE)


def _time(raw: object, zone: str, near: int) -> tuple[int, int]:
    local = isinstance(raw, str) and _LOCAL.fullmatch(raw)
    return local_time(local[0], zone, near) if local else time_of(raw)


def unit_of(path: Sequence[str], document: Mapping[str, object]) -> str | None:
    """The unit of what stands at a path; None where its key tells none.

    >>> unit_of(("ENERGY", "Total", "1"), {}), unit_of(("AM2301", "Temperature"), {"TempUnit": "F"})
    ('kWh', 'degF')
    """
    key = next((part for part in reversed(path) if not part.isdecimal()), "")
    if path[0] == "ENERGY":
        return _ENERGY_UNITS.get(key)
    if key in ("Temperature", "DewPoint"):
        return _TEMPERATURES.get(str(document.get("TempUnit", "C")))
    if key == "Pressure":
        unit = document.get("PressureUnit", "hPa")
        return unit if isinstance(unit, str) else None
    return "%" if key == "Humidity" else None


def telemetry_of(message: Message) -> dict[str, object]:
    """The document with ``Time`` and the sensors."""
    document = document_of(message.payload)
    if isinstance(document, dict):
        document = document.get("StatusSNS", document)
    if not isinstance(document, dict):
        raise PayloadError("no object")
    return document


def tasmota_points(message: Message, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    """One point for each meter that the telemetry speaks of; when it speaks of none, each lacks its value."""
    document = telemetry_of(message)
    sent = document.get("Time", MISSING)
    values = [find(document, bound.value) for bound in bindings]
    none_found = all(isinstance(value, Missing) for value in values)
    for bound, value in zip(bindings, values, strict=True):
        if none_found or not isinstance(value, Missing):
            time = NO_TIME if bound.time is None else _time(sent, bound.zone, message.received_at)
            out.add(bound.meter, time, value, unit_of(bound.value, document))
