"""The first page: the figures against target and other spans, and what is worth acting on."""

from __future__ import annotations

from collections.abc import Iterator

from wattwell.documents.advice import advice
from wattwell.documents.blocks import Block, Card, Cards, Cell, Column, Line, Points, Table, Text, line
from wattwell.documents.words import NONE, Document, amount, clock, money, number, sentence, share, unavailable, unit
from wattwell.intervals import parse_iso

_FULL = 0.995
"""Usable share from which nothing is said of it on the first page."""
_MARKS = ("¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹")
_SPANS = {
    "month": {
        "previous": "Last month",
        "year_ago": "Same month last year",
        "ytd": "Year to date",
        "fiscal": "Fiscal year to date",
    },
    "year": {"previous": "Last year", "fiscal": "Fiscal year to date"},
    "fiscal_year": {"previous": "Last fiscal year", "ytd": "Calendar year to date"},
}
"""What a period is compared with. A year is its own year to date, and its year ago is the last one."""
_COMPARED = ("previous", "year_ago")
"""Spans as long as the period, so that it can be said how it differs."""
_AMOUNTS = ("energy", "water", "carbon", "cost")
"""Figures that grow with time; the others are ratios."""
_WHOLE = 0.9
"""Usable share from which two amounts can be compared."""
_AS_LONG = 0.05
"""By how much two spans may differ in length, for their amounts to be compared."""
_SHORT = {
    "iPUE": "iPUE: PUE over less than a year; the energy of the data centre by that of its IT equipment.",
    "REF": "REF: renewable energy factor, the share of the energy that is renewable.",
}
_MOST_CARDS = 3


def first_page(document: Document) -> tuple[Block, ...]:
    """Figures, findings worth acting on, and what a reader must know."""
    return (
        *_draft(document),
        Headlines(document).table(),
        _findings(document),
        *_caveats(document),
    )


def _draft(document: Document) -> Iterator[Block]:
    period = document["period"]
    if document["status"] != "issued":
        yield Text(text="This is a draft. It has not been issued, and its figures may change.", tone="warn")
    if not period["over"]:
        end = clock(period["end"], document["site"]["timezone"])
        yield Text(text=f"{period['name']} is not over: all figures end at {end} and are provisional.", tone="warn")
    broken = [check for check in document["gate"] if check["ok"] is False]
    if broken:
        text = "A check does not hold: " + " ".join(check["message"] for check in broken)
        yield Text(text=text, tone="bad")


class Headlines:
    """The table of the first page, with its footnotes."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._notes: dict[str, str] = {}

    def table(self) -> Table:
        """One line for each figure."""
        window = self._document["period"]["window"]
        columns = [
            Column(label="", kind="text"),
            Column(label=self._document["period"]["name"] if window != "fiscal_year" else "This fiscal year"),
            Column(label="Target"),
            *(Column(label=label) for label in _SPANS[window].values()),
        ]
        lines = [self._line(each) for each in self._document["headlines"]]
        notes = " ".join(f"{mark} {sentence(text)}" for text, mark in self._notes.items())
        return Table(
            caption="Figures of the period",
            columns=tuple(columns),
            lines=tuple(lines),
            note=f"{self._span_note()} {notes}".strip(),
        )

    def _span_note(self) -> str:
        site = self._document["site"]
        said = f"PUE category {site['pue_category']}. WUE counts {site['wue_numerator'].replace('_', ' ')}."
        labels = {each["label"] for each in self._document["headlines"]}
        said = " ".join([*(text for label, text in _SHORT.items() if label in labels), said])
        return f"{said} A per cent below a figure is the share of the period's intervals that it stands on."

    def _line(self, headline: Document) -> Line:
        written = unit(headline["unit"])
        name = Cell(headline["label"], "", written)
        spans = _SPANS[self._document["period"]["window"]]
        return line(
            name,
            self._current(headline),
            self._target(headline),
            *(self._other(headline, span) for span in spans),
        )

    def _current(self, headline: Document) -> Cell:
        if headline["current"]["provisional"]:
            return self._cell(headline["current"], "warn", always=True)
        tone = "" if headline["met"] is None else "good" if headline["met"] else "bad"
        return self._cell(headline["current"], f"strong {tone}".strip(), always=True)

    def _target(self, headline: Document) -> Cell:
        shown, met = headline["target_shown"], headline["met"]
        if shown is None:
            return Cell(NONE, "muted")
        said = "" if met is None else "met" if met else "missed"
        if said and headline["current"]["provisional"]:
            return Cell(shown, "warn", f"{said}, provisional")
        return Cell(shown, "", said)

    def _other(self, headline: Document, span: str) -> Cell:
        cell = headline[span]
        found = self._cell(cell, "")
        now, then = headline["current"]["value"], cell["value"]
        if span not in _COMPARED or not now or not then or found.note or not _comparable(headline, cell):
            return found
        return Cell(found.text, found.tone, _change(headline, now, then))

    def _cell(self, cell: Document, tone: str, *, always: bool = False) -> Cell:
        """A figure with its mark; ``always`` says its usable share also where it is whole."""
        if cell["value"] is None:
            return Cell(f"{NONE}{self._mark(cell['note'])}", "muted")
        said = ["provisional"] if cell["provisional"] else []
        usable = cell["usable"]
        if usable is not None and (always or usable < _FULL):
            said.append(share(usable))
        return Cell(cell["shown"], "warn" if cell["provisional"] and not always else tone, ", ".join(said))

    def _mark(self, note: str | None) -> str:
        if note is None:
            return ""
        free = _MARKS[len(self._notes) % len(_MARKS)] * (1 + len(self._notes) // len(_MARKS))
        return self._notes.setdefault(note, free)


def _comparable(headline: Document, other: Document) -> bool:
    """Whether it can be said how the period differs: neither figure is provisional, and amounts are of as much time."""
    cells = (headline["current"], other)
    if any(each["provisional"] for each in cells):
        return False
    if headline["name"] not in _AMOUNTS:
        return True
    if any(each["usable"] is not None and each["usable"] < _WHOLE for each in cells):
        return False
    lengths = [parse_iso(each["end"]) - parse_iso(each["start"]) for each in cells if each["start"] and each["end"]]
    return max(lengths, default=0) <= (1 + _AS_LONG) * min(lengths, default=0)


def _change(headline: Document, now: float, then: float) -> str:
    """How the period differs from another one: in points of a share, else in per cent."""
    if headline["unit"] == "%":
        points = 100 * (now - then)
        return f"now {'+' if points > 0 else ''}{number(points, 1)} pts"
    change = 100 * (now / then - 1)
    return f"now {'+' if change > 0 else ''}{number(change, 1)}\u202f%"


def _findings(document: Document) -> Block:
    if document["findings_note"]:
        return Cards(title="Findings", cards=(), note=unavailable(document["findings_note"]))
    found = [each for state in ("open", "closed") for each in document["findings"] if each["status"] == state]
    if not found:
        return Cards(title="Findings", cards=(), note="No finding in this period.")
    title = "Worth acting on" if found[0]["status"] == "open" else "Findings"
    return Cards(title=title, cards=tuple(_card(each, document) for each in found[:_MOST_CARDS]))


def _card(found: Document, document: Document) -> Card:
    zone = document["site"]["timezone"]
    amounts = [
        ("Energy", amount(found["excess_kwh"]["value"], "kWh") if found["excess_kwh"] else NONE),
        ("Water", amount(found["excess_l"]["value"], "L") if found["excess_l"] else NONE),
        ("Cost", money(found["cost"])),
    ]
    year = found.get("per_year")
    if year and year.get("cost"):
        amounts.append(("A year, if it goes on", money(year["cost"])))
    on = f"{found['equipment']}, " if found["equipment"] else ""
    since = f"since {clock(found['start'], zone)[:10]}"
    if found["end"] is not None:
        since = f"{clock(found['start'], zone)[:10]} to {clock(found['end'], zone)[:10]}"
    return Card(
        title=found["title"],
        amounts=tuple(amounts),
        advice=advice(found, document),
        about=f"{on}{since}, confidence {share(found['confidence'], 0)}",
    )


def _caveats(document: Document) -> Iterator[Block]:
    if document["caveats"]:
        yield Points(title="What to know", points=tuple(document["caveats"]))
