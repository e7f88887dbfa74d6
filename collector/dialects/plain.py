"""The two plain dialects. Pure.

``json`` reads documents by path. A path is keys and list positions joined by dots; a key that itself holds dots is
found too, since the longest literal key is tried first. Of a repeated key the last counts. ``plain`` reads one number
as text, with a unit after a blank where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from collector.dialects.base import NO_TIME, Message, PayloadError, document_of, text_of
from collector.points import PointsBuilder
from collector.scalars import MISSING, Missing, time_of
from collector.topics import Binding, SiteBinding


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


def json_points(message: Message, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    """One point for each meter that the document speaks of.

    Of several meters on one topic those that a message does not mention are left out; when it mentions none of them,
    or the only one, its value is missing and that is worth a reject.
    """
    document = document_of(message.payload)
    if not isinstance(document, dict | list):
        for bound in bindings:
            out.add(bound.meter, NO_TIME, document if bound.value in (("value",), ()) else MISSING)
        return
    values = [find(document, bound.value) for bound in bindings]
    none_found = all(isinstance(value, Missing) for value in values)
    for bound, value in zip(bindings, values, strict=True):
        if none_found or not isinstance(value, Missing):
            time = NO_TIME if bound.time is None else time_of(find(document, bound.time), bound.time_unit)
            unit = MISSING if bound.unit is None else find(document, bound.unit)
            out.add(bound.meter, time, value, None if isinstance(unit, Missing) else unit)


def site_points(message: Message, bound: SiteBinding, out: PointsBuilder) -> None:
    """The points of ``{"time": ..., "values": {METER: number or {"value": ..., "unit": ...}}}``."""
    document = document_of(message.payload)
    values = document.get("values") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(values, dict):
        raise PayloadError("no object under the key values")
    time = time_of(document.get("time", MISSING))
    known = [meter for name in values if (meter := bound.meters.get(name)) is not None]
    if len(known) == len(values) and out.add_numbers(known, time, list(values.values())):
        return
    for name, entry in values.items():
        value, unit = (entry.get("value", MISSING), entry.get("unit")) if isinstance(entry, dict) else (entry, None)
        meter = bound.meters.get(name)
        if meter is None:
            out.add_unknown(bound.site, name, time, value)
        else:
            out.add(meter, time, value, unit)


def plain_points(message: Message, bindings: Sequence[Binding], out: PointsBuilder) -> None:
    """One number, with a unit after a blank where there is one, for every meter on the topic."""
    words = text_of(message.payload).split()
    if not words:
        raise PayloadError("empty")
    value, unit = (words[0], words[1]) if len(words) == 2 else (" ".join(words), None)
    for bound in bindings:
        out.add(bound.meter, NO_TIME, value, unit)
