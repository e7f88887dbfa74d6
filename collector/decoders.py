"""Payload bytes to points. Pure: no socket, clock, file or log, and no input makes it raise.

``json`` reads documents by path. A path is keys and list positions joined by dots; a key that itself holds dots is
found too, since the longest literal key is tried first. Of a repeated key the last counts. ``plain`` reads one number
as text, with a unit after a blank where there is one. A message that cannot be read as a whole yields one reject,
``payload.invalid``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from collector.points import PointsBuilder
from collector.scalars import ABSENT, MISSING, Missing, parse_constant, parse_integer, shown, time_of
from collector.topics import Binding, Route, SiteBinding
from wattwell.model import Reject

_BOM = "\ufeff"
_NO_TIME = (0, ABSENT)
_JSON = json.JSONDecoder(parse_int=parse_integer, parse_constant=parse_constant)


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message."""

    topic: str
    payload: bytes
    retained: bool
    """The broker had kept it when we subscribed."""
    received_at: int
    """Arrival, microseconds UTC."""
    size: int = -1
    """Bytes of the payload as sent, where it was cut because it is too large; else -1."""


class PayloadError(ValueError):
    """The payload is not what its decoder reads."""


def decode(message: Message, route: Route, out: PointsBuilder) -> Reject | None:
    """Adds the points of a message to ``out``; gives a reject when the payload cannot be read as a whole."""
    out.message(message.topic, message.received_at, retained=message.retained)
    if message.size >= 0:
        return _invalid(message, route, f"{message.size} bytes, larger than mqtt.max_payload")
    try:
        for name, bindings in route.bindings.items():
            DECODERS[name](message.payload, bindings, out)
        if route.sites:
            document = _document(message.payload)
            for site in route.sites:
                _site_points(document, site, out)
    except PayloadError:
        return _invalid(message, route, shown(message.payload))
    return None


def _invalid(message: Message, route: Route, text: str) -> Reject:
    site, meter = route.owner()
    return Reject(
        site=site,
        meter=meter,
        topic=message.topic,
        at=None,
        received_at=message.received_at,
        reason="payload.invalid",
        value=text,
    )


def _text(payload: bytes) -> str:
    try:
        return payload.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise PayloadError(str(error)) from None


def _document(payload: bytes) -> object:
    """The JSON document; nesting too deep to read is as invalid as broken syntax."""
    try:
        document: object = _JSON.decode(_text(payload))
    except (ValueError, RecursionError) as error:
        raise PayloadError(str(error)) from None
    return document


def find(document: object, path: Sequence[str]) -> object:
    """What stands at a path, or MISSING; the longest literal key is tried first.

    >>> find({"a": {"b.c": [10, 20]}}, ("a", "b", "c", "1"))
    20
    """
    if not path:
        return document
    if isinstance(document, list):
        index = path[0]
        if index.isascii() and index.isdecimal() and len(index) < 10 and int(index) < len(document):
            return find(document[int(index)], path[1:])
        return MISSING
    if not isinstance(document, dict):
        return MISSING
    for cut in range(len(path), 0, -1):
        key = path[0] if cut == 1 else ".".join(path[:cut])
        if key in document and not isinstance(found := find(document[key], path[cut:]), Missing):
            return found
    return MISSING


def _json_points(payload: bytes, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    """One point for each meter that the document speaks of.

    Of several meters on one topic those that a message does not mention are left out; when it mentions none of them,
    or the only one, its value is missing and that is worth a reject.
    """
    document = _document(payload)
    if not isinstance(document, dict | list):
        for bound in bindings:
            out.add(bound.meter, _NO_TIME, document if bound.value in (("value",), ()) else MISSING)
        return
    values = [find(document, bound.value) for bound in bindings]
    none_found = all(isinstance(value, Missing) for value in values)
    for bound, value in zip(bindings, values, strict=True):
        if none_found or not isinstance(value, Missing):
            time = _NO_TIME if bound.time is None else time_of(find(document, bound.time), bound.time_unit)
            unit = MISSING if bound.unit is None else find(document, bound.unit)
            out.add(bound.meter, time, value, None if isinstance(unit, Missing) else unit)


def _site_points(document: object, bound: SiteBinding, out: PointsBuilder) -> None:
    """The points of ``{"time": ..., "values": {METER: number or {"value": ..., "unit": ...}}}``."""
    values = document.get("values") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(values, dict):
        raise PayloadError("no object under the key values")
    time = time_of(document.get("time", MISSING))
    for name, entry in values.items():
        value, unit = (entry.get("value", MISSING), entry.get("unit")) if isinstance(entry, dict) else (entry, None)
        meter = bound.meters.get(name)
        if meter is None:
            out.add_unknown(bound.site, name, time, value)
        else:
            out.add(meter, time, value, unit)


def _plain_points(payload: bytes, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    words = _text(payload).split()
    if not words:
        raise PayloadError("empty")
    value, unit = (words[0], words[1]) if len(words) == 2 else (" ".join(words), None)
    for bound in bindings:
        out.add(bound.meter, _NO_TIME, value, unit)


Decoder = Callable[[bytes, Sequence[Binding], PointsBuilder], None]
"""Adds the points of a payload for each binding; raises PayloadError where the payload cannot be read."""

DECODERS: Mapping[str, Decoder] = {"json": _json_points, "plain": _plain_points}
"""By the name used in the configuration."""
