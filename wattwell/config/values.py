"""The kinds of value that keys of the configuration hold, as strict pydantic validators.

Nothing is coerced in silence: ``true`` is no 1, ``"5"`` is no number, 60 is no duration. Each validator's message
says what is right.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from wattwell.config.places import nearest
from wattwell.intervals import DAY, parse_duration, parse_iso

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
_YEARS = (1900, 2199)
_LONGEST_DURATION = 36525 * DAY


def as_number(value: Any) -> float:
    """A finite number; ValueError for texts, truth values, NaN and infinities."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("write a number, without quotes")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("write a finite number")
    return number


def number(says: str, test: Callable[[float], bool]) -> BeforeValidator:
    """A validator of numbers that pass ``test``; ``says`` completes "write ..."."""

    def check(value: Any) -> float | None:
        if value is None:
            return None
        try:
            found = as_number(value)
        except ValueError as error:
            quotes = ", without quotes" if isinstance(value, str) else ""
            raise ValueError(f"write {says}{quotes}") from error
        if not test(found):
            raise ValueError(f"write {says}")
        return found

    return BeforeValidator(check)


def integer(says: str, low: int, high: int) -> BeforeValidator:
    """A validator of whole numbers from ``low`` to ``high``."""

    def check(value: Any) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"write {says}")
        return value

    return BeforeValidator(check)


def one_of(
    what: str, known: Sequence[str], later: Iterable[str] = (), turn: Callable[[str], Any] = str
) -> BeforeValidator:
    """A validator of known words; ``later`` are words that a later release will know."""
    coming = tuple(later)

    def check(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, str) and value in known:
            return turn(value)
        if isinstance(value, str) and value in coming:
            raise ValueError(f"the {what} {value} is not available in this release; use one of: {' '.join(known)}")
        raise ValueError(f"unknown {what}{nearest(str(value), known)}; write one of: {' '.join(known)}")

    return BeforeValidator(check)


def is_unicode(text: str) -> bool:
    """Whether a text can be written as UTF-8; one with half a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _flag(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise ValueError("write true or false")


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        quotes = "; put a number in quotes" if isinstance(value, int | float) else ""
        raise ValueError(f"write a text{quotes}")
    if not value or "\0" in value or not is_unicode(value):
        raise ValueError("write a text that is not empty, of valid characters")
    return value


def _identifier(value: Any) -> str | None:
    text = _text(value)
    if text is not None and not _ID.fullmatch(text):
        raise ValueError("write letters, digits and _ . - only, with a letter or a digit first")
    return text


def currency() -> BeforeValidator:
    """A validator of ISO 4217 currency codes (three capital letters)."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3}", value):
            raise ValueError("write the three capital letters of a currency, such as EUR")
        return value

    return BeforeValidator(check)


def _unit(value: Any) -> str | None:
    return "1" if value == 1 and not isinstance(value, bool | float) else _text(value)


def _version(value: Any) -> str | None:
    text = "5" if value == 5 and not isinstance(value, bool | float) else value
    if text is not None and text not in ("5", "3.1.1"):
        raise ValueError('write "5" or "3.1.1"')
    return text


def duration(says: str = "a duration such as 90s, 15m, 24h or 31d", least: int = 1) -> BeforeValidator:
    """A validator of durations of at least ``least`` microseconds."""

    def check(value: Any) -> int | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise ValueError(f"write {says}, with its unit")
        try:
            span = parse_duration(value)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"write {says}") from error
        if not least <= span <= _LONGEST_DURATION:
            raise ValueError(f"write {says}, above 0 and at most 36525d" if least else f"write {says}, at most 36525d")
        return span

    return BeforeValidator(check)


def as_date(value: Any) -> date:
    """A local date, from a text such as ``2026-03-01`` or a date object; ValueError for anything else."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            value = date.fromisoformat(value)
        except ValueError as error:
            raise ValueError("no such day; write a date as YYYY-MM-DD") from error
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError("write a local date as YYYY-MM-DD, without a time")
    if not _YEARS[0] <= value.year <= _YEARS[1]:
        raise ValueError(f"write a date between the years {_YEARS[0]} and {_YEARS[1]}")
    return value


def _moment(value: Any) -> date | int | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        if isinstance(value, str) and not _DATE.fullmatch(value):
            return parse_iso(value)
        return as_date(value)
    except (ValueError, OverflowError) as error:
        says = "write a local date (2026-10-31), or ISO 8601 with an offset (2026-10-31T08:00:00Z)"
        raise ValueError(says) from error


def _month(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and _MONTH.fullmatch(value)):
        return value
    raise ValueError("write a month as YYYY-MM, such as 2026-10, from 2000-01 to 2099-12")


def topic_filter_fault(topic: str) -> str | None:
    """What is wrong with an MQTT topic filter (MQTT 5, 4.7), or None."""
    if not topic or "\0" in topic or len(topic.encode("utf-8", "replace")) > 65535:
        return "write a topic of 1 to 65535 bytes"
    levels = topic.split("/")
    for position, level in enumerate(levels):
        if "#" in level and (level != "#" or position != len(levels) - 1):
            return "# must be a whole level and the last one, as in dc/#"
        if "+" in level and level != "+":
            return "+ must be a whole level, as in dc/+/power"
    return None


def _topic(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    if text.startswith("$share/"):
        raise ValueError("a shared subscription belongs in mqtt.subscribe; write the topic without $share/GROUP/")
    if fault := topic_filter_fault(text):
        raise ValueError(fault)
    return text


def _subscription(value: Any) -> str:
    text = _text(value)
    if text is None:
        raise ValueError("write a topic filter such as wattwell/#")
    rest = text
    if text.startswith("$share/"):
        group, _, rest = text.removeprefix("$share/").partition("/")
        if not group or "+" in group or "#" in group or not rest:
            raise ValueError("write a shared subscription as $share/GROUP/FILTER")
    if fault := topic_filter_fault(rest):
        raise ValueError(fault)
    return text


def path_fault(text: str) -> str | None:
    """What is wrong with a path into a document, or None."""
    if all(text.split(".")):
        return None
    return "write keys and list positions joined by single dots, as in energy.import_total"


def _value_path(value: Any) -> str | None:
    text = _text(value)
    if text is not None and (fault := path_fault(text)):
        raise ValueError(fault)
    return text


def _number_or_file(value: Any) -> float | str | None:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return None
    try:
        return as_number(value)
    except ValueError as error:
        raise ValueError("write a number, or the name of a CSV file with the columns time,value") from error


def _threshold(value: Any) -> float | str | None:
    """A number, or the text of a duration: what is watched decides which."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            parse_duration(value)
            return value
        return as_number(value)
    except (ValueError, OverflowError) as error:
        raise ValueError("write a number without quotes, or a duration such as 15m") from error


Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str, BeforeValidator(_text)]
Identifier = Annotated[str, BeforeValidator(_identifier)]
UnitName = Annotated[str, BeforeValidator(_unit)]
MqttVersion = Annotated[str, BeforeValidator(_version)]
LocalDate = Annotated[date, BeforeValidator(lambda value: None if value is None else as_date(value))]
RequiredDate = Annotated[date, BeforeValidator(as_date)]
Moment = Annotated[date | int, BeforeValidator(_moment)]
"""A local date, or an instant in microseconds UTC."""
MonthKey = Annotated[str, BeforeValidator(_month)]
"""A local month, such as 2026-10."""
Topic = Annotated[str, BeforeValidator(_topic)]
Subscription = Annotated[str, BeforeValidator(_subscription)]
ValuePath = Annotated[str, BeforeValidator(_value_path)]
NumberOrFile = Annotated[float | str, BeforeValidator(_number_or_file)]
Duration = Annotated[int, duration()]
"""Microseconds, above 0."""
Hold = Annotated[int, duration("a duration such as 30m, or 0s", least=0)]
"""Microseconds, 0 or more."""
Number = Annotated[float, number("a number", lambda _: True)]
Threshold = Annotated[float | str, BeforeValidator(_threshold)]
Positive = Annotated[float, number("a number above 0", lambda x: x > 0)]
NotNegative = Annotated[float, number("a number of 0 or more", lambda x: x >= 0)]
PositiveShare = Annotated[float, number("a share above 0, at most 1", lambda x: 0 < x <= 1)]
Share = Annotated[float, number("a share from 0 to 1", lambda x: 0 <= x <= 1)]
