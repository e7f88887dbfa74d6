"""What a printed report is made of, before it is laid out: the same blocks become HTML and PDF.

Every text is plain; the templates escape it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wattwell.documents.words import unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    label: str
    kind: str = "number"
    """number (right), word (left, as wide as its text) or text (left, wraps, takes the room that is left)"""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table."""

    text: str
    tone: str = ""
    """good, bad, warn, muted or empty"""
    note: str = ""
    """A second, smaller line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table."""

    cells: tuple[Cell, ...]
    total: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; its head comes again on every page."""

    caption: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    note: str = ""
    wide: bool = True
    """Over the whole width, else over half of it."""
    kind: str = "table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A figure."""

    name: str
    svg: str
    alt: str
    """What it shows, for those who cannot see it."""
    caption: str
    wide: bool
    """Over the whole width, else over half of it."""
    kind: str = "plot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A paragraph."""

    text: str
    tone: str = ""
    kind: str = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """Sentences, one below the other."""

    title: str
    points: tuple[str, ...]
    tone: str = ""
    kind: str = "points"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names with a value each."""

    facts: tuple[tuple[str, str, str], ...]
    """Name, value, note."""
    kind: str = "facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One finding of the first page."""

    title: str
    amounts: tuple[tuple[str, str], ...]
    """Name and value."""
    advice: str
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Findings worth acting on."""

    title: str
    cards: tuple[Card, ...]
    note: str = ""
    kind: str = "cards"


Block = Table | Plot | Text | Points | Facts | Cards


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A chapter."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    lead: str = ""

    @property
    def alone(self) -> bool:
        """Whether its title is the caption of its only table."""
        return [block.kind for block in self.blocks] == ["table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A whole report."""

    title: str
    site: str
    head: str
    """The site in one line, for the head of a page."""
    period: str
    about: str
    """One line below the title."""
    status: str
    """Revision, or that it is a draft."""
    draft: bool
    digest: str
    """Of the inputs; empty where it is made from several reports."""
    program: str
    first: tuple[Block, ...]
    """The first page."""
    sections: tuple[Section, ...]
    lang: str = field(default="en")


def line(*cells: Cell | str, total: bool = False) -> Line:
    """A row of texts and cells."""
    return Line(tuple(each if isinstance(each, Cell) else Cell(each) for each in cells), total)


def table(
    caption: str, columns: Sequence[Column], lines: Iterable[Line], note: str = "", *, wide: bool = True
) -> Table:
    """A table."""
    return Table(caption=caption, columns=tuple(columns), lines=tuple(lines), note=note, wide=wide)


def absent(why: str) -> Text:
    """What stands in place of figures that do not exist."""
    return Text(text=unavailable(why), tone="muted")
