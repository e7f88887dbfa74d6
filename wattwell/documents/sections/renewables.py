"""Renewable share by source and basis, certificates, and the hourly carbon-free share."""

from __future__ import annotations

from wattwell.documents.blocks import Block, Cell, Column, Facts, Section, absent, line, table
from wattwell.documents.figures.bars import carbon_free
from wattwell.documents.figures.sheet import Faces
from wattwell.documents.sections.energy import plot
from wattwell.documents.words import NONE, Document, amount, number, share

_SOURCES = {"onsite": "On site, as used", "ppa": "Contracts (PPA)", "certificate": "Certificates"}


def renewables(document: Document) -> Section:
    """Sources, cap and ledger."""
    found = document["renewables"]
    blocks: list[Block] = []
    whole = amount(found["e_dc_kwh"], "kWh")
    if found["ref"] is None:
        blocks.append(absent(found["reason"] or "The renewable share has no value."))
    else:
        blocks.append(
            Facts(
                facts=(
                    ("REF", share(found["ref"]), f"on {share(found['usable'])} of the intervals"),
                    ("Renewable energy", amount(found["renewable_kwh"], "kWh"), f"of E_DC {whole}"),
                    ("Left out by the cap", amount(found["capped_kwh"], "kWh"), "REF is at most 1"),
                    ("Sold on-site energy", amount(found["sold_kwh"], "kWh"), "taken off the on-site part"),
                )
            )
        )
    if found["sources"]:
        blocks.append(_sources(found))
    if found["ledger"]:
        blocks.append(_ledger(found["ledger"]))
    return Section(id="renewables", title="Renewable energy", lead=found["basis"], blocks=tuple(blocks))


def _sources(found: Document) -> Block:
    columns = [
        Column(label="Source", kind="text"),
        Column(label="Energy", unit="MWh"),
        Column(label="Share of E_DC", unit="%"),
        Column(label="Counted", unit="MWh"),
        Column(label="Counted share", unit="%"),
    ]

    def percent(value: float | None) -> str:
        return NONE if value is None else number(100 * value, 1)

    lines = [
        line(
            _SOURCES.get(each["source"], each["source"]),
            number(each["kwh"] / 1e3, 1),
            percent(each["share"]),
            number(each["counted_kwh"] / 1e3, 1),
            percent(each["counted_share"]),
        )
        for each in found["sources"]
    ]
    return table("Renewable energy by source", columns, lines)


def _ledger(rows: list[Document]) -> Block:
    columns = [
        Column(label="Certificate", kind="text"),
        Column(label="Kind", kind="word"),
        Column(label="Status", kind="word"),
        Column(label="Retired on", kind="word"),
        Column(label="In the period", unit="MWh"),
        Column(label="Counted", unit="MWh"),
        Column(label="Why less", kind="text"),
    ]
    lines = [
        line(
            Cell(row["id"], "", f"{row['start']} to {row['end']}, {number(row['mwh'], 1)} MWh"),
            row["kind"],
            row["status"],
            row["retired_on"] or NONE,
            number(row["period_kwh"] / 1e3, 1),
            number(row["counted_kwh"] / 1e3, 1),
            row["why"],
        )
        for row in rows
    ]
    return table("Certificate ledger", columns, lines, "An end is exclusive. No kilowatt-hour counts twice.")


def hourly(document: Document, faces: Faces) -> Section:
    """By hour of the local day."""
    title, found = "Carbon-free share by hour", document["carbon_free"]
    svg = None if found is None else carbon_free(faces, found)
    if svg is None:
        why = "It needs hourly E_DC, on-site generation and grid_carbon_free_share."
        return Section(id="hourly", title=title, blocks=(absent(why),))
    caption = (
        "Mean carbon-free share of E_DC in each hour of the local day: on-site renewable energy, then the grid's own."
    )
    alt = "Bars of the carbon-free share for each of the 24 hours of the local day."
    return Section(id="hourly", title=title, blocks=tuple(plot("hourly", svg, alt, caption)))
