"""Where in the configuration something stands, and the list of everything that is wrong with it."""

from __future__ import annotations

import difflib
import json
import re
import reprlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from wattwell.errors import Fault

Part = str | int
"""A key of a mapping or a position in a list."""

_PLAIN_KEY = re.compile(r"[\w-]+")
_SECRET = re.compile(r"passw|secret|token|api_?key", re.IGNORECASE)
_LIKE_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")
_LONGEST = 80


class _Absent:
    """Marks a value that is not there, which differs from null."""


ABSENT: Final = _Absent()


def _dotted(parts: Iterable[Part]) -> str:
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part)}]"
    return text


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the configuration file, or in a CSV file that it names; ``place / key`` is one step deeper."""

    parts: tuple[Part, ...] = ()
    """Keys and list positions from the top of the document."""
    file: str = ""
    """The CSV file as written in the configuration; empty for the document itself."""
    line: int = 0
    column: tuple[Part, ...] = ()
    """Steps within the CSV row; a dotted column is two steps."""

    def __truediv__(self, part: Part) -> Place:
        if self.file:
            return replace(self, column=(*self.column, part))
        return replace(self, parts=(*self.parts, part))

    def row(self, file: str, line: int) -> Place:
        """A line of a CSV file that this place names."""
        return Place(self.parts, file, line)

    def cell(self, column: str) -> Place:
        """A column of this row; a dotted column is a step for each part."""
        return replace(self, column=tuple(column.split(".")))

    def last(self) -> str:
        """The innermost key."""
        steps = self.column or self.parts
        return str(steps[-1]) if steps else ""

    def __str__(self) -> str:
        text = _dotted(self.parts) or "(the whole file)"
        if not self.file:
            return text
        column = f", {_dotted(self.column)}" if self.column else ""
        return f"{text}: {self.file} line {self.line}{column}"


def shown(value: Any, *, cell: bool = False) -> str:
    """A value as a fault shows it: on one line, cut to a bounded length; empty for ABSENT.

    A text that looks like a number is quoted, but for a CSV ``cell``, where all are texts.
    """
    if isinstance(value, _Absent):
        return ""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        plain = value.strip() == value != "" and value.isprintable() and (cell or not _LIKE_NUMBER.fullmatch(value))
        text = value if plain else json.dumps(value)
    else:
        text = _container(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _container(value: Any) -> str:
    try:
        return reprlib.repr(value)
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "(a number too long to show)"


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that this one is probably meant to be."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower()[:_LONGEST], list(by_lower), 1, 0.6)
    return by_lower[close[0]] if close else None


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean ...?)`` when a known word is close to this one, else nothing."""
    close = closest(word, known)
    return f" (did you mean {close}?)" if close else ""


class Faults:
    """Collects what is wrong, so that all of it is said at once."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, Fault]] = []

    def add(self, place: Place, remedy: str, value: Any = ABSENT) -> None:
        """Notes a fault. Values of keys that look like secrets are not shown."""
        key = place.last()
        hidden = bool(_SECRET.search(key)) and not key.endswith("_file") and not isinstance(value, _Absent)
        self._found.append(
            (place, Fault(str(place), "(hidden)" if hidden else shown(value, cell=bool(place.file)), remedy))
        )

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def in_order(self, document: Any) -> tuple[Fault, ...]:
        """Every fault in the order of the document, each once."""
        ordered = sorted(self._found, key=lambda found: (_position(document, found[0].parts), found[0].line))
        return tuple(dict.fromkeys(fault for _, fault in ordered))


def _position(document: Any, parts: tuple[Part, ...]) -> tuple[int, ...]:
    position: list[int] = []
    for part in parts:
        if isinstance(document, dict):
            keys = list(document)
            known = part in document
            position.append(keys.index(part) if known else len(keys))
            document = document[part] if known else None
        elif isinstance(document, list) and isinstance(part, int) and part < len(document):
            position.append(part)
            document = document[part]
        else:
            break
    return tuple(position)
