"""Carbon by scope and basis, its factors and gaps, fuels and refrigerants, and what was avoided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from analytics.report.rounding import Scale, adding_up, scale_of
from wattwell.documents.blocks import Block, Cell, Column, Section, Table, Text, absent, line, table
from wattwell.documents.words import (
    NONE,
    Document,
    amount,
    clock,
    number,
    plural,
    sentence,
    share,
    significant,
    title_case,
)


def carbon(document: Document) -> Section:
    """All of it."""
    found = document["carbon"]
    blocks: list[Block] = []
    if found["total_location_kg"] is None and found["total_market_kg"] is None:
        blocks.append(absent(found["location"]["reason"]))
    blocks.append(_scopes(found))
    blocks += _factors(found, document["site"]["timezone"])
    if found["metered"]:
        blocks.append(_metered(found["metered"]))
    if found["entries"]:
        blocks.append(_entries(found["entries"]))
    if found["avoided"]:
        blocks.append(_avoided(found["avoided"]))
    return Section(id="carbon", title="Carbon", lead=found["method"], blocks=tuple(blocks))


def _scopes(found: Document) -> Table:
    """In one unit, one digit finer than the key metrics, so that what is moved to add up shows nowhere else."""
    bases = ("location", "market")
    names = ["scope1_kg", *(f"{what}_{basis}_kg" for what in ("scope2", "total") for basis in bases)]
    scale = scale_of("mass", max((abs(found[name]) for name in names if found[name] is not None), default=0.0))
    scale = replace(scale, digits=scale.digits + (scale.size != 1.0))
    direct, bought, totals = zip(*(_column(found, basis, scale) for basis in bases), strict=True)
    columns = [
        Column(label="", kind="text"),
        Column(label="Location-based", unit=f"{scale.unit} CO₂e"),
        Column(label="Market-based", unit=f"{scale.unit} CO₂e"),
    ]
    known = found["scope1_kg"] is not None
    lines = [
        line("Scope 1: fuels and refrigerants", *direct),
        line("Scope 2: bought energy", *bought),
        line("Total" if known else "Total, scope 1 not known", *totals, total=True),
    ]
    said = [
        sentence(found["scope1_reason"]),
        f"It stands on {share(found['usable'])} of the intervals.",
        f"Imported {amount(found['imported_kwh'], 'kWh')}.",
        f"Exported {amount(found['exported_kwh'], 'kWh')}, not credited.",
    ]
    return table("Emissions by scope", columns, lines, " ".join(each for each in said if each))


def _column(found: Document, basis: str, scale: Scale) -> tuple[str, str, str]:
    """Scope 1, scope 2 and their total of one basis, printed so that they add up."""
    parts = [found["scope1_kg"], found[f"scope2_{basis}_kg"]]
    texts, total = adding_up([each for each in parts if each is not None], scale)
    left = iter(texts)
    direct, bought = (NONE if each is None else next(left) for each in parts)
    return direct, bought, NONE if found[f"total_{basis}_kg"] is None else total


def _factors(found: Document, zone: str) -> Iterator[Block]:
    columns = [
        Column(label="Basis", kind="word"),
        Column(label="Factor and source", kind="text"),
        Column(label="Import", unit="MWh"),
        Column(label="Mean", unit="kg/kWh"),
        Column(label="CO₂e", unit="t"),
        Column(label="Usable", unit="%"),
    ]
    yield table(
        "Imported electricity by basis", columns, [line(*_basis(found[name])) for name in ("location", "market")]
    )
    for name in ("location", "market"):
        factor = found[name]["factor"]
        if factor is not None and factor["gap_count"]:
            yield Text(text=_gaps(factor, zone), tone="warn")


def _basis(each: Document) -> tuple[Cell | str, ...]:
    factor = each["factor"]
    if factor is None:
        what = Cell("no factor", "muted", each["reason"])
    else:
        what = Cell(factor["source"], "", f"{factor['name']}, {'hourly' if factor['hourly'] else 'one number'}")
        what = what if not each["reason"] else Cell(what.text, what.tone, f"{what.note}. {each['reason']}")
    return (
        title_case(each["basis"]),
        what,
        NONE if each["kwh"] is None else number(each["kwh"] / 1e3, 1),
        NONE if factor is None else number(factor["mean"], 4),
        NONE if each["kg"] is None else number(each["kg"] / 1e3, 1),
        number(100 * each["usable"], 1),
    )


def _gaps(factor: Document, zone: str) -> str:
    shown = [f"{clock(gap['start'], zone)} to {clock(gap['end'], zone)}" for gap in factor["gaps"]]
    more = factor["gap_count"] - len(shown)
    after = f" and {plural(more, 'more gap')}" if more else ""
    import_ = amount(factor["gap_import_kwh"], "kWh")
    return (
        f"{factor['name']} has no value in {significant(factor['gap_hours'])} hours; the import of these hours, "
        f"{import_}, is in no figure of carbon: {', '.join(shown)}{after}."
    )


def _metered(rows: list[Document]) -> Table:
    columns = [
        Column(label="Meter", kind="text"),
        Column(label="Scope", kind="word"),
        Column(label="Energy", unit="kWh"),
        Column(label="Factor", unit="kg/kWh"),
        Column(label="Source", kind="text"),
        Column(label="CO₂e", unit="kg"),
        Column(label="Usable", unit="%"),
    ]
    lines = [
        line(
            row["meter"],
            str(row["scope"]),
            number(row["kwh"]),
            significant(row["kg_per_kwh"]),
            row["source"],
            number(row["kg"], 1),
            number(100 * row["usable"], 1),
        )
        for row in rows
    ]
    return table("Meters with a factor of their own", columns, lines)


def _entries(rows: list[Document]) -> Table:
    columns = [
        Column(label="Entry", kind="text"),
        Column(label="Kind", kind="word"),
        Column(label="In the period", kind="text"),
        Column(label="Factor and source", kind="text"),
        Column(label="CO₂e", unit="kg"),
    ]
    lines = [
        line(
            Cell(row["id"], "", f"{row['start']} to {row['end']}. {row['note']}".strip()),
            row["kind"],
            f"{significant(row['amount'])} {row['unit']}",
            Cell(row["factor"], "", f"{significant(row['kg_per_unit'])} kg CO₂e per {row['unit']}; {row['source']}"),
            number(row["kg"], 1),
        )
        for row in rows
    ]
    return table("Fuels and refrigerants entered by hand", columns, lines)


def _avoided(rows: list[Document]) -> Table:
    columns = [
        Column(label="Avoided, against a baseline", kind="text"),
        Column(label="Energy", unit="MWh"),
        Column(label="CO₂e", unit="t"),
        Column(label="Factor", kind="text"),
    ]
    lines = [
        line(
            Cell(row["title"], "", f"{row['baseline']}. {row['note']}".strip()),
            NONE if row["kwh"] is None else number(row["kwh"] / 1e3, 1),
            NONE if row["kg"] is None else number(row["kg"] / 1e3, 1),
            row["factor"],
        )
        for row in rows
    ]
    return table("Avoided", columns, lines, "It stands beside the totals and is never subtracted.")
