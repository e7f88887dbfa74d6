"""PUE by day, load and peak, where the energy goes, and the power chain."""

from __future__ import annotations

from collections.abc import Iterator

from wattwell.documents.blocks import Block, Cell, Column, Facts, Line, Plot, Section, Table, absent, line, table
from wattwell.documents.figures.bars import energy_by_row, pue_and_weather
from wattwell.documents.figures.curves import load_duration, pue_by_temperature
from wattwell.documents.figures.flow import flow, left_out
from wattwell.documents.figures.sheet import Faces
from wattwell.documents.words import (
    NARROW,
    NONE,
    Document,
    clock,
    day_name,
    day_short,
    number,
    share,
    title_case,
    unit,
    with_unit,
)


def plot(name: str, svg: str | None, alt: str, caption: str, *, wide: bool = True) -> Iterator[Block]:
    """A figure, where there is anything to draw."""
    if svg is not None:
        yield Plot(name=name, svg=svg, alt=alt, caption=caption, wide=wide)


def pue(document: Document, faces: Faces) -> Section:
    """By day or month, with the weather."""
    what = "month" if document["kind"] == "year" else "day"
    blocks: list[Block] = [
        *plot(
            "daily",
            pue_and_weather(faces, document),
            f"Bars of the PUE of each {what}, with the target and the mean outdoor temperature as lines.",
            f"PUE of each {what} (bars, from 1 upwards) and mean outdoor temperature.",
        )
    ]
    if document["kind"] == "year":
        blocks += plot(
            "energy",
            energy_by_row(faces, document),
            "Bars of the energy of each month, split into IT and all else.",
            "Energy of each month: IT and all else, together E_DC.",
        )
    if not blocks:
        blocks.append(absent(f"No {what} has a PUE."))
    blocks.append(_rows(document, what))
    weather = document["weather"]
    if weather is None:
        blocks.append(absent("PUE by outdoor temperature needs a PUE and an outdoor_dry_bulb meter."))
    return Section(id="pue", title=f"PUE by {what}, and the weather", blocks=tuple(blocks))


def _rows(document: Document, what: str) -> Table:
    columns = [
        Column(label=what.capitalize(), kind="word"),
        Column(label="PUE"),
        Column(label="WUE", unit="L/kWh"),
        Column(label="REF", unit="%"),
        Column(label="E_DC", unit="MWh"),
        Column(label="E_IT", unit="MWh"),
        Column(label="Water", unit="m³"),
        Column(label="CO₂e loc.", unit="t"),
        Column(label="CO₂e mkt.", unit="t"),
        Column(label="Cost", unit=document["site"]["currency"] or ""),
        Column(label="Outdoor", unit="°C"),
        Column(label="Usable", unit="%"),
    ]
    lines = [_row(row) for row in document["rows"]]
    several = any(row["provisional"] and row["pue"] is not None for row in document["rows"])
    note = "* provisional. " if several else ""
    return table(
        f"Figures of each {what}",
        columns,
        lines,
        f"{note}Usable: share of the {what}'s intervals that its PUE stands on. A dash is no value, never 0.",
    )


def _row(row: Document) -> Line:
    def scaled(name: str, size: float, digits: int) -> str:
        return NONE if row[name] is None else number(row[name] / size, digits)

    mark = "*" if row["provisional"] and row["pue"] is not None else ""
    return line(
        day_short(row["key"]) if len(row["key"]) > 7 else day_name(row["key"]),
        Cell(f"{number(row['pue'], 3)}{mark}", "warn" if mark else ""),
        number(row["wue"], 3),
        NONE if row["ref"] is None else number(100 * row["ref"], 1),
        scaled("e_dc", 1e3, 1),
        scaled("e_it", 1e3, 1),
        scaled("water", 1e3, 1),
        scaled("carbon_location", 1e3, 1),
        scaled("carbon_market", 1e3, 1),
        number(row["cost"]),
        number(row["temperature"], 1),
        Cell(number(100 * row["usable"], 1), "" if row["usable"] >= 0.9 else "warn"),
    )


def demand(document: Document, faces: Faces) -> Section:
    """Peak, load factor, and the two curves."""
    found, weather = document["demand"], document["weather"]
    facts: tuple[tuple[str, str, str], ...] = (
        ("Peak", with_unit(number(found["peak_kw"]), "kW"), clock(found["peak_at"], document["site"]["timezone"])),
        ("Mean", with_unit(number(found["mean_kw"]), "kW"), ""),
        ("Load factor", share(found["load_factor"]), "mean / peak"),
    )
    if weather is not None and weather["mean"] is not None:
        low, high = number(weather["lowest"], 1), number(weather["highest"], 1)
        facts = (*facts, ("Outdoor", f"{number(weather['mean'], 1)}{NARROW}°C", f"{low} to {high}{NARROW}°C"))
    blocks: list[Block] = [Facts(facts=facts)] if found["peak_kw"] is not None else [absent("The load has no value.")]
    blocks += plot(
        "duration",
        load_duration(faces, found["curves"]),
        "Load-duration curves: the load over the share of the time for which it is at least so high.",
        "Load duration.",
        wide=False,
    )
    if weather is not None:
        blocks += plot(
            "weather",
            pue_by_temperature(faces, weather),
            f"A point for each {weather['step']}: PUE over outdoor temperature, and their mean by temperature.",
            f"PUE by outdoor temperature, one point each {weather['step']}.",
            wide=False,
        )
    return Section(id="demand", title=f"Load and peak demand: {found['label']}", blocks=tuple(blocks))


def energy(document: Document, faces: Faces) -> Section:
    """The flow, and what it is drawn from."""
    found = document["energy"]
    if found["sources"] is None or found["uses"] is None:
        return Section(id="energy", title="Where the energy goes", blocks=(absent("E_DC or E_IT has no value."),))
    svg = flow(faces, "flow", "E_DC", found["sources"], found["uses"], found["cooling"])
    missing = [*left_out(found["uses"]), *left_out(found["cooling"])]
    caption = "Energy from its sources to its uses; cooling by kind of plant. Widths are to scale."
    if missing:
        names = ", ".join(f"{part['label']} {part['shown']}" for part in missing)
        caption = f"{caption} Below 0 and not drawn: {names}."
    said = breakdown_words(found["sources"], found["uses"])
    blocks: list[Block] = [*plot("flow", svg, f"Energy flow. {said}", caption)]
    blocks += [parts(found[name]) for name in ("sources", "uses", "cooling") if found[name] is not None]
    return Section(id="energy", title="Where the energy goes", blocks=tuple(blocks))


def breakdown_words(*breakdowns: Document) -> str:
    """What a flow shows, in words."""
    return " ".join(
        f"{each['label']}: "
        + ", ".join(f"{part['label']} {with_unit(part['shown'], each['unit'])}" for part in each["parts"])
        + "."
        for each in breakdowns
    )


def parts(found: Document) -> Table:
    """A total and its parts."""
    columns = [
        Column(label="", kind="text"),
        Column(label="Amount", unit=unit(found["unit"])),
        Column(label="Share", unit="%"),
    ]
    lines = [
        line(part["label"], part["shown"], NONE if part["share"] is None else number(100 * part["share"], 1))
        for part in found["parts"]
    ]
    whole = line("Total", found["total_shown"], number(100.0, 1) if found["total"] else NONE, total=True)
    note = f"On {share(found['usable'])} of the intervals, those in which every part has a value."
    return table(found["label"], columns, [*lines, whole], note, wide=False)


def chain(document: Document) -> Section:
    """Losses from stage to stage."""
    stages = document["energy"]["stages"]
    if not stages:
        return Section(id="chain", title="Power chain", blocks=(absent("No stage of the power chain is metered."),))
    columns = [
        Column(label="Stage", kind="text"),
        Column(label="Energy", unit="MWh"),
        Column(label="Efficiency", unit="%"),
        Column(label="Loss", unit="MWh"),
        Column(label="Usable", unit="%"),
    ]
    lines = [
        line(
            stage["label"] or title_case(stage["role"]),
            number(stage["kwh"] / 1e3, 1),
            NONE if stage["efficiency"] is None else number(100 * stage["efficiency"], 2),
            NONE if stage["loss_kwh"] is None else number(stage["loss_kwh"] / 1e3, 1),
            number(100 * stage["usable"], 1),
        )
        for stage in stages
    ]
    note = "Efficiency and loss are against the stage before, over the intervals that both are known in."
    return Section(id="chain", title="Power chain", blocks=(table("Stages of the power chain", columns, lines, note),))
