"""Line protocol, as Telegraf's MQTT output writes it. Pure.

One message holds one line or many: ``MEASUREMENT,TAG=VALUE FIELD=VALUE,FIELD=VALUE TIME``. A time is nanoseconds unless
the source's ``time_unit`` says otherwise; a line without one was measured at its arrival. Comments and empty lines are
passed over, and so is what no meter asks for: a gateway sends much that is not metered. A line that cannot be read
makes the message one reject, ``payload.invalid``, which shows that line; the lines around it count all the same.

A field is read where a meter wants it, with the digits as sent: ``812345i``, ``42u`` and ``0.1`` are numbers, and so
is text in quotes that holds one; a truth value is none.

The parser is our own. The one that is kept on the package index (line-protocol-parser 2.0.1, in C) refuses a whole line
for one field (``1e400``, ``NaN``, an integer beyond 64 bits), so that the meters beside it would lose their readings
and none would be told why; it takes single lines, though a text in quotes may span several; and it ends the process
with a segmentation fault on bytes that are no UTF-8 (``b'a b="\\xbd"'``), which no handler can catch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from collector.dialects.base import NO_TIME, Message, PayloadError, text_of
from collector.points import PointsBuilder
from collector.scalars import time_of
from collector.topics import Binding, Bindings
from wattwell.config.selectors import MEASUREMENT, NAME, LineSelector, line_selector, unescaped

_VALUE = r'(?:"[^"\\]*(?:\\[\s\S][^"\\]*)*"|[^," \n\\]+)'
_HEAD = rf"{MEASUREMENT}(?:,{NAME}={NAME})*"
_LINE = re.compile(rf" *(?!#)({_HEAD}) +({NAME}={_VALUE}(?:,{NAME}={_VALUE})*)(?: +(-?[0-9]+))?[ \r]*(?:\n|\Z)")
_NOTHING = re.compile(r"\s*(?:#[^\n]*)?(?:\n|\Z)")
_FIELD = re.compile(rf"({NAME})=({_VALUE}),?")
_TAG = re.compile(rf",({NAME})=({NAME})")
_NAMES = re.compile(MEASUREMENT)
_INTEGER = re.compile(r"[+-]?[0-9]+i|[0-9]+u")
_IN_TEXT = re.compile(r'\\(["\\])')
_MOST_BROKEN = 20
"""Lines that cannot be read after which a message is no line protocol."""

Wanted = Mapping[tuple[str | None, ...], Sequence[Binding]]
"""Meters by the values of the tags that they ask for."""
Index = Mapping[str, Sequence[tuple[str | None, tuple[str, ...], Wanted]]]
"""By field: measurement (None: any), keys of the tags asked for, and who asks."""


def influx_points(message: Message, bindings: Bindings, out: PointsBuilder) -> None:
    """A point for each field of each line that a meter asks for."""
    index = bindings.prepared(_index)
    text, broken = text_of(message.payload), list[str]()
    if not text.strip():
        raise PayloadError("empty")
    for head, fields, time in _lines(text, broken):
        names: tuple[str, Mapping[str, str]] | None = None
        for field, value in _fields(fields):
            for measurement, keys, wanted in index.get(field, ()):
                names = names or _names(head)
                if measurement is not None and measurement != names[0]:
                    continue
                tags = names[1]
                for bound in wanted.get(tuple([tags.get(key) for key in keys]), ()):
                    out.add(bound.meter, _time(time, bound), _value(value))
    if broken:
        raise PayloadError(f"{len(broken)} lines are no line protocol", part=broken[0])


def _index(bindings: Sequence[Binding]) -> Index:
    found: dict[str, dict[tuple[str | None, tuple[str, ...]], dict[tuple[str | None, ...], list[Binding]]]] = {}
    for bound in bindings:
        for asked in _readings(line_selector(bound.selector)):
            shape = (asked.measurement, tuple(key for key, _ in asked.tags))
            values = tuple(value for _, value in asked.tags)
            found.setdefault(asked.field, {}).setdefault(shape, {}).setdefault(values, []).append(bound)
    return {field: [(*shape, wanted) for shape, wanted in shapes.items()] for field, shapes in found.items()}


def _readings(asked: LineSelector) -> list[LineSelector]:
    """What a selector can mean: ``a.b`` is a field of that name, or the field ``b`` of the measurement ``a``."""
    parts = asked.field.split(".") if asked.measurement is None else []
    cuts = range(1, len(parts))
    return [asked, *(LineSelector(".".join(parts[:cut]), (), ".".join(parts[cut:])) for cut in cuts)]


def _lines(text: str, broken: list[str]) -> Iterator[tuple[str, str, str | None]]:
    """Head, fields and time of each line; those that are none go into ``broken``."""
    position, end = 0, len(text)
    while position < end and len(broken) < _MOST_BROKEN:
        line = _LINE.match(text, position)
        if line is not None:
            yield line[1], line[2], line[3]
            position = line.end()
            continue
        if (nothing := _NOTHING.match(text, position)) is not None:
            position = nothing.end()
            continue
        stop = text.find("\n", position) + 1 or end
        broken.append(text[position:stop])
        position = stop


def _fields(fields: str) -> Iterator[tuple[str, str]]:
    if "\\" not in fields and '"' not in fields:
        for part in fields.split(","):
            key, _, value = part.partition("=")
            yield key, value
        return
    for found in _FIELD.finditer(fields):
        yield unescaped(found[1]), found[2]


def _names(head: str) -> tuple[str, Mapping[str, str]]:
    """Measurement and tags."""
    if "\\" not in head:
        measurement, *tags = head.split(",")
        return measurement, dict([tag.split("=", 1) for tag in tags])
    name = _NAMES.match(head)
    start = 0 if name is None else name.end()
    return unescaped(head[:start]), {unescaped(key): unescaped(value) for key, value in _TAG.findall(head, start)}


def _value(text: str) -> str:
    """A field's value as text: a number's digits, or what stood in quotes."""
    if text[0] == '"':
        return _IN_TEXT.sub(r"\1", text[1:-1])
    return text[:-1] if text[-1] in "iu" and _INTEGER.fullmatch(text) else text


def _time(text: str | None, bound: Binding) -> tuple[int, int]:
    return NO_TIME if text is None or bound.time is None else time_of(text, bound.time_unit)
