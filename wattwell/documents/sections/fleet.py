"""The report of several sites: sums by PUE category and size, each site's line, and which sites no sum has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wattwell.documents.blocks import Block, Cell, Column, Line, Points, Section, Table, Text, absent, line, table
from wattwell.documents.figures.bars import by_site
from wattwell.documents.figures.sheet import Faces
from wattwell.documents.sections.energy import plot
from wattwell.documents.words import NONE, Document, number, unit, with_unit

_KPIS = {
    "pue": ("PUE", "", 1.0, 3),
    "wue": ("WUE", "L/kWh", 1.0, 3),
    "ref": ("REF", "%", 100.0, 1),
    "erf": ("ERF", "%", 100.0, 1),
    "cue_location": ("CUE location", "kg/kWh", 1.0, 3),
    "cue_market": ("CUE market", "kg/kWh", 1.0, 3),
    "cfe": ("Carbon-free", "%", 100.0, 1),
}
"""Label, unit, factor from the value to the unit, and digits."""


def first_page(document: Document) -> tuple[Block, ...]:
    """Totals, the ratios of each category, and what a reader must know."""
    return (
        *_warnings(document),
        _totals(document),
        *_groups(document, whole=True),
        *([Points(title="What to know", points=tuple(document["caveats"]))] if document["caveats"] else []),
    )


def _warnings(document: Document) -> Iterator[Block]:
    if not document["period"]["over"]:
        yield Text(text=f"{document['period']['name']} is not over: its figures are provisional.", tone="warn")


def _totals(document: Document) -> Table:
    columns = [
        Column(label="", kind="text"),
        Column(label=document["period"]["name"]),
        Column(label="Of", kind="word"),
    ]
    lines = [
        line(Cell(each["label"], "", unit(each["unit"])), Cell(each["shown"], "strong"), each["basis"])
        for each in document["totals"]
    ]
    return table("All sites together", columns, lines, "Amounts add up over categories; ratios never do.")


def _groups(document: Document, *, whole: bool) -> Iterator[Block]:
    """A table for each PUE category; ``whole``: of sites of every size, else by size."""
    for category in sorted({group["category"] for group in document["groups"]}):
        of = [each for each in document["groups"] if each["category"] == category and (each["size"] is None) == whole]
        if of:
            lines = [_group(group) for group in of]
            size = "" if whole else ", by size"
            yield table(
                f"PUE category {category}{size}",
                [Column(label=f"Category {category}", kind="text"), *_columns()],
                lines,
                "Sums of numerators by sums of denominators, of the sites below each figure.",
            )


def _columns() -> list[Column]:
    return [Column(label=label, unit=written) for label, written, _, _ in _KPIS.values()]


def _group(group: Document) -> Line:
    found = {metric["name"]: metric for metric in group["metrics"]}
    many = len(group["sites"])
    name = Cell(group["size"] or "All sizes", "", f"{many} site{'' if many == 1 else 's'}")
    cells = []
    for kpi in _KPIS:
        metric = found.get(kpi)
        cells.append(Cell(NONE, "muted") if metric is None else Cell(metric["shown"], "", _count(metric)))
    return line(name, *cells)


def _count(metric: Document) -> str:
    """``28 of 30``; the reason where nothing is added up."""
    return (
        str(metric["basis"]).removesuffix("s").removesuffix(" site") if metric["value"] is not None else "bases differ"
    )


def sections(document: Document, faces: Faces) -> tuple[Section, ...]:
    """All chapters."""
    return (
        Section(id="sites", title="PUE by site", blocks=tuple(_plots(document, faces))),
        Section(id="sizes", title="By size", blocks=tuple(_groups(document, whole=False))),
        Section(id="efficiency", title="Efficiency of each site", blocks=(_efficiency(document),)),
        Section(id="amounts", title="Energy, water, carbon and cost of each site", blocks=(_amounts(document),)),
        Section(id="out", title="Left out of the sums", blocks=(_left_out(document),)),
        Section(id="made", title="What it is made from", blocks=(_made(document),)),
    )


def _plots(document: Document, faces: Faces) -> Iterator[Block]:
    """One for each category, highest PUE first; sites without a value at the end."""
    drawn = False
    for category in sorted({site["category"] for site in document["sites"]}):
        of = [site for site in document["sites"] if site["category"] == category]
        of.sort(key=lambda site: (site["values"]["pue"] is None, -(site["values"]["pue"] or 0.0), site["id"]))
        names = [_drawn_name(site, faces) for site in of]
        name = f"sites{category}"
        svg = by_site(
            faces, name, names, [site["values"]["pue"] for site in of], _together(document["groups"], category)
        )
        caption = f"PUE of the sites of category {category}, highest first, and of all of them together."
        drawn = drawn or svg is not None
        yield from plot(name, svg, f"Bars. {caption}", caption)
    if not drawn:
        yield absent("No site has a PUE.")


def _drawn_name(site: Document, faces: Faces) -> str:
    name = str(site["name"] or site["id"])
    return name if faces.drawable(name) else str(site["id"])


def _together(groups: Sequence[Document], category: int) -> float | None:
    whole = next((each for each in groups if each["category"] == category and each["size"] is None), None)
    found = None if whole is None else next((each for each in whole["metrics"] if each["name"] == "pue"), None)
    return None if found is None else found["value"]


def _named(site: Document) -> Cell:
    return Cell(site["name"] or site["id"], "", site["id"] if site["name"] else "")


def _efficiency(document: Document) -> Table:
    columns = [
        Column(label="Site", kind="text"),
        Column(label="Cat."),
        *_columns(),
        Column(label="Usable", unit="%"),
    ]
    lines = []
    for site in document["sites"]:
        values = [
            NONE if site["values"].get(name) is None else number(site["values"][name] * factor, digits)
            for name, (_, _, factor, digits) in _KPIS.items()
        ]
        mark = site["provisional"] and site["values"]["pue"] is not None
        usable = NONE if site["usable"] is None else number(100 * site["usable"], 1)
        pue = Cell(f"{values[0]}*" if mark else values[0], "warn" if mark else "")
        lines.append(line(_named(site), str(site["category"]), pue, *values[1:], usable))
    note = "* provisional. Usable: share of the period's intervals that the PUE stands on. Cat.: PUE category."
    return table("Efficiency of each site", columns, lines, note)


def _amounts(document: Document) -> Table:
    columns = [
        Column(label="Site", kind="text"),
        Column(label="Size", kind="word"),
        Column(label="E_DC", unit="MWh"),
        Column(label="E_IT", unit="MWh"),
        Column(label="Water", unit="m³"),
        Column(label="CO₂e, location", unit="t"),
        Column(label="Cost"),
        Column(label="Findings", unit="MWh"),
    ]

    def thousands(value: float | None) -> str:
        return NONE if value is None else number(value / 1e3, 1)

    lines = [
        line(
            _named(site),
            site["size"],
            thousands(site["e_dc"]),
            thousands(site["e_it"]),
            thousands(site["water"]),
            thousands(site["carbon_location"]),
            NONE if site["cost"] is None else with_unit(number(site["cost"]), site["currency"] or ""),
            thousands(site["findings_kwh"]),
        )
        for site in document["sites"]
    ]
    return table("Amounts of each site", columns, lines, "Findings: energy beyond what was expected, of all findings.")


def _left_out(document: Document) -> Block:
    if not document["left_out"]:
        return Text(text="Every site is in every sum.", tone="muted")
    by_site: dict[tuple[str, str], list[str]] = {}
    for each in document["left_out"]:
        label = _KPIS[each["kpi"]][0] if each["kpi"] in _KPIS else each["kpi"]
        by_site.setdefault((each["site"], each["reason"]), []).append(label)
    together: dict[tuple[str, str], list[str]] = {}
    for (site, reason), kpis in by_site.items():
        together.setdefault((", ".join(kpis), reason), []).append(site)
    names = {site["id"]: site["name"] or site["id"] for site in document["sites"]}
    columns = [Column(label="KPI", kind="text"), Column(label="Why", kind="text"), Column(label="Sites", kind="text")]
    lines = [
        line(kpis, reason, ", ".join(names.get(site, site) for site in sites))
        for (kpis, reason), sites in together.items()
    ]
    return table("Left out of the sums", columns, lines)


def _made(document: Document) -> Table:
    columns = [
        Column(label="Site", kind="text"),
        Column(label="Report", kind="word"),
        Column(label="Digest of its inputs, SHA-256", kind="text"),
    ]
    lines = [
        line(
            _named(site),
            f"revision {site['revision']}" if site["status"] == "issued" else Cell("draft", "warn"),
            site["digest"],
        )
        for site in document["sites"]
    ]
    return table("Reports of the sites", columns, lines)
