"""How a source's ``value`` names one value in line protocol and in SenML. Pure.

Line protocol: ``FIELD``, or ``MEASUREMENT FIELD``, or ``MEASUREMENT,TAG=VALUE,... FIELD``, written as in a line: a
backslash before a comma, an equals sign or a blank that belongs to a name. Of a ``FIELD`` with dots, ``a.b``, the field
``b`` of the measurement ``a`` is meant too.

SenML: a record's resolved name, or ``NAME s`` for its sum; the name without its base name where only one can be meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MEASUREMENT = r"(?=[^, \n])[^, \n\\]*(?:\\.[^, \n\\]*)*"
"""A measurement in a line."""
NAME = r"(?=[^,= \n])[^,= \n\\]*(?:\\.[^,= \n\\]*)*"
"""A tag's key or value, or a field's key."""
_LINE = re.compile(rf"(?:({MEASUREMENT})((?:,{NAME}={NAME})*) )?({NAME})")
_TAG = re.compile(rf",({NAME})=({NAME})")
_ESCAPED = re.compile(r"\\([,= ])")
_SPECIAL = re.compile(r"([,= ])")
_LINE_REMEDY = (
    "write FIELD, or MEASUREMENT,TAG=VALUE FIELD, with a backslash before each comma, equals sign or blank of a name"
)
_RECORD = re.compile(r"(\S+)( s)?")
_RECORD_REMEDY = "write the name of a record with its base name, or NAME s for its sum"


@dataclass(frozen=True, slots=True)
class LineSelector:
    """Which lines and which field of line protocol a meter reads."""

    measurement: str | None
    """None: any measurement."""
    tags: tuple[tuple[str, str], ...]
    """Key and value of each tag that a line must carry, by key."""
    field: str


def unescaped(name: str) -> str:
    """A name of line protocol without its escapes.

    >>> unescaped(r"CPU1\\ Temp")
    'CPU1 Temp'
    """
    return _ESCAPED.sub(r"\1", name) if "\\" in name else name


def escaped(name: str) -> str:
    """A name as line protocol writes it; one that is escaped already stays as it is."""
    return _SPECIAL.sub(r"\\\1", unescaped(name))


def line_selector(text: str) -> LineSelector:
    """The selector of a source of line protocol; ValueError says what to write instead.

    >>> line_selector("modbus,slave_id=1 energy")
    LineSelector(measurement='modbus', tags=(('slave_id', '1'),), field='energy')
    """
    found = _LINE.fullmatch(text)
    if found is None:
        raise ValueError(_LINE_REMEDY)
    tags = {unescaped(key): unescaped(value) for key, value in _TAG.findall(found[2] or "")}
    measurement = None if found[1] is None else unescaped(found[1])
    return LineSelector(measurement, tuple(sorted(tags.items())), unescaped(found[3]))


def line_selector_fault(text: str) -> str | None:
    """What is wrong with a selector of line protocol, or None."""
    try:
        line_selector(text)
    except ValueError as error:
        return str(error)
    return None


def record_selector(text: str) -> tuple[str, bool]:
    """The name of a SenML record, and whether its sum is meant; ValueError says what to write instead.

    >>> record_selector("urn:dev:mac:0024befffe804ff1:power s")
    ('urn:dev:mac:0024befffe804ff1:power', True)
    """
    found = _RECORD.fullmatch(text)
    if found is None:
        raise ValueError(_RECORD_REMEDY)
    return found[1], found[2] is not None


def record_selector_fault(text: str) -> str | None:
    """What is wrong with a selector of SenML, or None."""
    return None if _RECORD.fullmatch(text) else _RECORD_REMEDY
