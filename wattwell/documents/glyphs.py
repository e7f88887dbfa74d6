"""Which characters the fonts of a report have, and what is set in place of those that none has.

A PDF that is accessible (PDF/UA-1) may hold no character that cannot be seen, so a box stands for each that no font
has.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wattwell.documents.blocks import Paper, Plot
from wattwell.documents.fonts import opened

BOX = "\u25a1"
_FORBIDDEN = frozenset({0x0, 0xFEFF, 0xFFFE, 0xFFFF})
"""Code points that no accessible PDF may hold, whatever a font has."""
_SPACES = "\n\u00a0\u202f\u2009 "
_JOINERS = ("\u200d", "\u094d")
_PLAIN = re.compile(r"[\x20-\x7e\n]*")
"""What needs no look at any font."""


class Glyphs:
    """The characters of some fonts."""

    def __init__(self, fonts: Iterable[Path]) -> None:
        self._sets = [frozenset(opened(path).get_charmap()) - _FORBIDDEN for path in fonts]
        self.missing: set[str] = set()
        """Letters that a box was set for."""

    def settable(self, text: str) -> str:
        """The text with a box for each letter that no one font has with all its marks; breaks of lines stay."""
        if _PLAIN.fullmatch(text):
            return text
        return "".join(self._set(each) for each in _letters(text))

    def paper(self, paper: Paper) -> Paper:
        """A report with nothing but what can be set; its figures, which are drawings, stay as they are."""
        return self._within(paper)  # type: ignore[no-any-return]

    def _set(self, letter: str) -> str:
        if letter.isspace():
            return letter if letter in _SPACES else " "
        if any(all(ord(each) in known for each in letter) for known in self._sets):
            return letter
        seen = "".join(each for each in letter if unicodedata.category(each) not in ("Cf", "Cc"))
        if seen != letter:
            return self._set(seen) if seen else ""
        self.missing.add(letter)
        return BOX

    def _within(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.settable(value)
        if isinstance(value, tuple):
            return tuple(map(self._within, value))
        if isinstance(value, Plot):
            return dataclasses.replace(value, caption=self.settable(value.caption), alt=self.settable(value.alt))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            found = {each.name: self._within(getattr(value, each.name)) for each in dataclasses.fields(value)}
            return dataclasses.replace(value, **found)
        return value


def _letters(text: str) -> list[str]:
    """Each letter with the marks that belong to it, and with what a joiner ties to it."""
    found: list[str] = []
    for each in text:
        tied = bool(found) and (found[-1].endswith(_JOINERS) or _mark(each)) and not found[-1].isspace()
        if tied:
            found[-1] += each
        else:
            found.append(each)
    return found


def _mark(each: str) -> bool:
    """Combining marks, joiners, selectors of variants, and colours of skin."""
    return unicodedata.category(each) in ("Mn", "Mc", "Me") or each == "\u200d" or "\U0001f3fb" <= each <= "\U0001f3ff"
