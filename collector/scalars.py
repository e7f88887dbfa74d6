"""What was sent for a value or a time, as numbers. Pure; nothing here raises on hostile input.

A number may come as a JSON number or as text in plain decimal notation: ASCII digits, one point, an optional exponent;
no blanks, underscores, thousands separators or hexadecimal. ``NaN`` and infinities are numbers that a later rule
rejects; a finite number beyond the range of a double is known as such, so that it cannot pass for an infinity.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from wattwell.intervals import SECOND, parse_iso
from wattwell.model import Float64

NUMBER: Final = 0
"""Form of a value: a number, NaN and infinities among them."""
NOT_A_NUMBER: Final = 1
"""Form of a value: text, a boolean, null, an object, or nothing at all."""
TOO_LARGE: Final = 2
"""Form of a value: a finite number that no double holds."""
BAD_QUALITY: Final = 3
"""Form of a value: whatever it is, its own device says that it is not good."""

DEVICE: Final = 0
"""State of a time: sent by the device."""
ABSENT: Final = 1
"""State of a time: none was sent."""
UNREADABLE: Final = 2
"""State of a time: something was sent that names no instant."""

SHOWN: Final = 200
"""Characters of a rejected value that are kept."""
LONGEST_TOPIC: Final = 500
"""Characters of a topic that are kept in lists."""

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?[0-9]{1,30}")
_PLAIN_CHARACTERS = re.compile(r"[0-9+\-.eE,]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DIGITS_OF_A_DOUBLE = 308
"""So many fit any double: an integer that is read as one can be added to a fraction."""
_US_OF: Final = {"s": SECOND, "ms": 1000, "us": 1}
_FIRST_TIME = -62_135_596_800 * SECOND  # 0001-01-01
_LAST_TIME = 253_402_300_800 * SECOND  # 10000-01-01


class Missing:
    """Nothing stood where something was looked for."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "(nothing)"


MISSING: Final = Missing()


class Constant(float):
    """``NaN``, ``Infinity`` or ``-Infinity`` as JSON text, apart from a number that overflowed to infinity."""

    __slots__ = ()


class HugeInteger:
    """An integer of so many digits that it is not worth computing."""

    __slots__ = ("_start",)

    def __init__(self, text: str) -> None:
        self._start = f"{text[:40]}... ({len(text)} characters)"

    def __repr__(self) -> str:
        return self._start


def parse_integer(text: str) -> int | HugeInteger:
    """A JSON integer; beyond the range of a double it is not converted, which would take quadratic time."""
    return int(text) if len(text) <= _DIGITS_OF_A_DOUBLE else HugeInteger(text)


def parse_constant(text: str) -> Constant:
    """One of the three constants that JSON readers accept beside numbers."""
    return Constant(text)


def text_number(text: str) -> tuple[float, int]:
    """Value and form of a number sent as text."""
    if _PLAIN.fullmatch(text):
        value = float(text)
        return (value, NUMBER) if math.isfinite(value) else (value, TOO_LARGE)
    return (float(text), NUMBER) if _WORD.fullmatch(text) else (math.nan, NOT_A_NUMBER)


def number_of(raw: object) -> tuple[float, int]:
    """Value and form of whatever stood in a document; the value is NaN where the form is not NUMBER.

    >>> number_of(True)
    (nan, 1)
    >>> number_of("812.4")
    (812.4, 0)
    """
    if isinstance(raw, Constant):
        return float(raw), NUMBER
    if isinstance(raw, float):
        return (raw, NUMBER) if not math.isinf(raw) else (raw, TOO_LARGE)
    if isinstance(raw, bool):
        return math.nan, NOT_A_NUMBER
    if isinstance(raw, int):
        try:
            return float(raw), NUMBER
        except OverflowError:
            return math.inf, TOO_LARGE
    if isinstance(raw, str):
        return text_number(raw)
    return (math.inf, TOO_LARGE) if isinstance(raw, HugeInteger) else (math.nan, NOT_A_NUMBER)


def text_numbers(texts: Sequence[str]) -> tuple[Float64, np.ndarray[tuple[int], np.dtype[np.int8]]]:
    """Values and forms of a column of texts, each the same as :func:`text_number` gives."""
    form = np.zeros(len(texts), dtype=np.int8)
    # Only these characters: then float() takes exactly the plain notation, and one look at the column is enough.
    if _PLAIN_CHARACTERS.fullmatch(",".join(texts)):
        try:
            value = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
        except ValueError:
            pass  # some text is no number: the slow way below finds out which
        else:
            form[np.isinf(value)] = TOO_LARGE
            return value, form
    pairs = [text_number(text) for text in texts]
    value = np.array([pair[0] for pair in pairs], dtype=np.float64)
    form[:] = [pair[1] for pair in pairs]
    return value, form


def time_of(raw: object, unit: str = "s") -> tuple[int, int]:
    """Microseconds UTC and state of a time: ISO 8601 text with an offset, or a number in s, ms, us or ns.

    Whole numbers are exact; others are rounded to the microsecond. A time without an offset is unreadable, and so are
    null and a time outside the years 1 to 9999.

    >>> time_of("2026-03-29T01:00:00Z")
    (1774746000000000, 0)
    >>> time_of(1774746000123, "ms")
    (1774746000123000, 0)
    """
    if isinstance(raw, Missing):
        return 0, ABSENT
    found = _text_time(raw, unit) if isinstance(raw, str) else _number_time(raw, unit)
    if found is None or not _FIRST_TIME <= found < _LAST_TIME:
        return 0, UNREADABLE
    return found, DEVICE


def _text_time(text: str, unit: str) -> int | None:
    if _WHOLE.fullmatch(text):
        return _number_time(int(text), unit)
    if _PLAIN.fullmatch(text):
        return _number_time(float(text), unit)
    try:
        return parse_iso(text)
    except (ValueError, OverflowError):
        return None


def _number_time(raw: object, unit: str) -> int | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int):
        return (raw + 500) // 1000 if unit == "ns" else raw * _US_OF[unit]
    if isinstance(raw, float) and math.isfinite(raw):
        scaled = raw / 1000 if unit == "ns" else raw * _US_OF[unit]
        return round(scaled) if math.isfinite(scaled) else None
    return None


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxdict = _SHORT.maxlist = 8


def shown(raw: object) -> str:
    """What was sent, as text of at most 200 characters that every encoding, store and terminal can take."""
    if isinstance(raw, bytes):
        text = raw[: 4 * SHOWN].decode("utf-8", "replace")
    elif isinstance(raw, str):
        text = raw
    elif raw is None or isinstance(raw, bool):
        text = {None: "null", True: "true", False: "false"}[raw]
    elif isinstance(raw, int | float):
        text = repr(float(raw)) if isinstance(raw, float) else str(raw)
    else:
        text = _SHORT.repr(raw)
    return clean(text)


def listed(topic: str) -> str:
    """A topic as lists keep it; MQTT allows 65535 bytes, of which a flood would fill the memory."""
    return clean(topic, LONGEST_TOPIC)


def clean(text: str, longest: int = SHOWN) -> str:
    """Text cut to its length, without lone surrogates, and without controls that a terminal would obey."""
    return _CONTROL.sub("\ufffd", text[:longest].encode("utf-8", "replace").decode("utf-8"))
