"""PUE by day, load and peak, where the energy goes, and the power chain."""

from __future__ import annotations

from collections.abc import Iterator

from analytics.report.rounding import Scale, scale_of
from wattwell.documents.blocks import Block, Column, Facts, Plot, Section, Table, Text, absent, line, table
from wattwell.documents.figures.bars import energy_by_row, pue_and_weather
from wattwell.documents.figures.curves import load_duration, pue_by_temperature
from wattwell.documents.figures.flow import flow, left_out
from wattwell.documents.figures.sheet import Faces
from wattwell.documents.sections.rows import rows_table
from wattwell.documents.words import (
    NARROW,
    NONE,
    Document,
    clock,
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
    blocks.append(rows_table(document, what))
    weather = document["weather"]
    if weather is None:
        blocks.append(absent("PUE by outdoor temperature needs a PUE and an outdoor_dry_bulb meter."))
    return Section(id="pue", title=f"PUE by {what}, and the weather", blocks=tuple(blocks))


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
    sources, uses, cooling = found["sources"], found["uses"], found["cooling"]
    blocks: list[Block] = []
    if sources is None or uses is None:
        blocks.append(absent("E_DC or E_IT has no value."))
    else:
        svg = flow(faces, "flow", "E_DC", sources, uses, cooling)
        caption = "Energy from its sources to its uses; cooling by kind of plant. Widths are to scale."
        words = f"Energy flow. {breakdown_words(sources, uses)}"
        blocks += plot("flow", svg, words, caption + not_drawn(uses, cooling))
    blocks += [parts(each) for each in (sources, uses, cooling) if each is not None]
    return Section(id="energy", title="Where the energy goes", blocks=tuple(blocks))


def not_drawn(*breakdowns: Document | None) -> str:
    """What a flow's caption says of the parts that it cannot show."""
    names = [f"{part['label']} {part['shown']}" for each in breakdowns for part in left_out(each)]
    return f" Below 0 and not drawn: {', '.join(names)}." if names else ""


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
        line(part["label"], part["shown"], NONE if part["share_shown"] is None else part["share_shown"])
        for part in found["parts"]
    ]
    several = any(part["share_shown"] is not None for part in found["parts"])
    whole = line("Total", found["total_shown"], number(100.0, 1) if several else NONE, total=True)
    note = f"On {share(found['usable'])} of the intervals, those in which every part has a value."
    return table(found["label"], columns, [*lines, whole], note, wide=False)


def chain(document: Document) -> Section:
    """Losses from stage to stage."""
    stages = document["energy"]["stages"]
    if not stages:
        return Section(id="chain", title="Power chain", blocks=(absent("No stage of the power chain is metered."),))
    scale = scale_of("energy", max(stage["kwh"] for stage in stages))
    if len(stages) == 1:
        (only,) = stages
        said = f"{only['label'] or title_case(only['role'])}: {_energy(only['kwh'], scale)}{NARROW}{scale.unit}"
        why = "A loss and an efficiency need the meters of two stages."
        return Section(id="chain", title="Power chain", blocks=(Text(text=f"{said}. {why}"),))
    columns = [
        Column(label="Stage", kind="text"),
        Column(label="Energy", unit=scale.unit),
        Column(label="Efficiency", unit="%"),
        Column(label="Loss", unit=scale.unit),
        Column(label="Usable", unit="%"),
    ]
    lines = [
        line(
            stage["label"] or title_case(stage["role"]),
            _energy(stage["kwh"], scale),
            NONE if stage["efficiency"] is None else number(100 * stage["efficiency"], 1),
            _energy(stage["loss_kwh"], scale),
            number(100 * stage["usable"], 1),
        )
        for stage in stages
    ]
    note = "Efficiency and loss are against the stage before, over the intervals that both are known in."
    return Section(id="chain", title="Power chain", blocks=(table("Stages of the power chain", columns, lines, note),))


def _energy(kwh: float | None, scale: Scale) -> str:
    """One digit finer than elsewhere, as the flow's."""
    digits = scale.digits + (scale.size != 1.0)
    return NONE if kwh is None else number(kwh / scale.size, digits)
