"""The table of days or months: ratios as they are, amounts that add up to the last line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.report.rounding import Scale, adding_up, scale_of
from wattwell.documents.blocks import Cell, Column, Line, Table, line, table
from wattwell.documents.words import NONE, Document, day_name, day_short, number, unit

_AMOUNTS = (
    ("e_dc", "E_DC", "energy"),
    ("e_it", "E_IT", "energy"),
    ("water", "Water", "water"),
    ("carbon_location", "CO₂e loc.", "mass"),
    ("carbon_market", "CO₂e mkt.", "mass"),
    ("cost", "Cost", "money"),
)
"""Field of a row, label, and kind of amount."""
_LITTLE = 100.0
"""Money below which a row shows cents."""
_USABLE = 0.9


@dataclass(frozen=True, slots=True)
class Amounts:
    """A column of amounts as it is printed, and what it adds up to."""

    unit: str
    texts: tuple[str, ...]
    total: str


def amounts_of(rows: Sequence[Document], name: str, kind: str, currency: str = "") -> Amounts:
    """A column in the unit that suits its rows; rows without a value have a dash, and add nothing."""
    known = [row[name] for row in rows if row[name] is not None]
    most = max((abs(value) for value in known), default=0.0)
    if kind == "money":
        scale = Scale(unit=currency, size=1.0, digits=2 if most < _LITTLE else 0)
    else:
        scale = scale_of(kind, most)
    texts, total = adding_up(known, scale)
    left = iter(texts)
    return Amounts(
        unit(scale.unit) if known or kind == "money" else "",
        tuple(NONE if row[name] is None else next(left) for row in rows),
        total if known else NONE,
    )


def rows_table(document: Document, what: str) -> Table:
    """Every day or month, and their sum."""
    rows, currency = document["rows"], document["site"]["currency"] or ""
    sums = {name: amounts_of(rows, name, kind, currency) for name, _, kind in _AMOUNTS}
    columns = [
        Column(label=what.capitalize(), kind="word"),
        Column(label="PUE"),
        Column(label="WUE", unit="L/kWh"),
        Column(label="REF", unit="%"),
        *(Column(label=label, unit=sums[name].unit) for name, label, _ in _AMOUNTS),
        Column(label="Outdoor", unit="°C"),
        Column(label="Usable", unit="%"),
    ]
    lines = [_row(row, [each.texts[place] for each in sums.values()]) for place, row in enumerate(rows)]
    if len(rows) > 1:
        lines.append(line("Sum", "", "", "", *(each.total for each in sums.values()), "", "", total=True))
    return table(f"Figures of each {what}", columns, lines, _note(document, what))


def _note(document: Document, what: str) -> str:
    several = any(row["provisional"] and row["pue"] is not None for row in document["rows"])
    said = [
        "* provisional." if several else "",
        f"Usable: share of the {what}'s intervals that its PUE stands on. A dash is no value, never 0.",
        f"Amounts are rounded so that they add up. Carbon of a {what} is that of import and of metered fuel;",
        "what was entered by hand is in the period's total alone.",
    ]
    return " ".join(each for each in said if each)


def _row(row: Document, amounts: Sequence[str]) -> Line:
    mark = "*" if row["provisional"] and row["pue"] is not None else ""
    return line(
        day_short(row["key"]) if len(row["key"]) > 7 else day_name(row["key"]),
        Cell(f"{number(row['pue'], 3)}{mark}", "warn" if mark else ""),
        number(row["wue"], 3),
        NONE if row["ref"] is None else number(100 * row["ref"], 1),
        *amounts,
        number(row["temperature"], 1),
        Cell(number(100 * row["usable"], 1), "" if row["usable"] >= _USABLE else "warn"),
    )
