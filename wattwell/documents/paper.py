"""A report's document laid out as blocks: first page, then the chapters in a fixed order."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from unicodedata import east_asian_width

from wattwell.documents.blocks import Paper
from wattwell.documents.figures.sheet import Faces
from wattwell.documents.sections import carbon, energy, fleet, operation, quality, renewables, summary, water
from wattwell.documents.words import Document, clock, plural

_HEAD = 60
"""Letters of a site's name at the head of a page; one of a wide script counts as two."""


def paper(document: Document, fonts: Path | None = None) -> Paper:
    """The report of a site or of a fleet; ``fonts``: a folder of font files for further scripts."""
    faces = Faces(fonts)
    return _fleet(document, faces) if document["kind"] == "fleet" else _site(document, faces)


def _site(document: Document, faces: Faces) -> Paper:
    site, period = document["site"], document["period"]
    draft = document["status"] != "issued"
    kind = "Annual" if document["kind"] == "year" else "Monthly"
    zone = site["timezone"]
    metrics = quality.metrics(document)
    sections = (
        *((metrics,) if document["kind"] == "year" else ()),
        energy.pue(document, faces),
        energy.demand(document, faces),
        energy.energy(document, faces),
        energy.chain(document),
        water.water(document, faces),
        water.heat(document),
        renewables.renewables(document),
        renewables.hourly(document, faces),
        carbon.carbon(document),
        operation.limits(document),
        *(() if document["kind"] == "year" else (metrics,)),
        operation.alerts(document),
        operation.findings(document),
        operation.events(document),
        quality.coverage(document),
        quality.kpis(document),
        quality.checks(document),
        quality.method(document),
        quality.revisions(document),
    )
    power = "" if site["it_power_kw"] is None else f", {site['it_power_kw']:,.0f} kW installed IT power"
    span = f"{clock(period['start'], zone)} to {clock(period['end'], zone)} ({zone})"
    name = site["name"] or site["id"]
    return Paper(
        title=f"{kind} efficiency report",
        site=name,
        head=_short(name),
        period=period["name"],
        about=f"Site {site['id']}, PUE category {site['pue_category']}{power}. {span}; all times are local.",
        status=_status(document, draft),
        draft=draft,
        digest=document["inputs"]["digest"],
        program=document["inputs"]["program"],
        first=summary.first_page(document),
        sections=sections,
    )


def _fleet(document: Document, faces: Faces) -> Paper:
    many = plural(len(document["sites"]), "site")
    drafts = any(site["status"] != "issued" for site in document["sites"])
    return Paper(
        title="Fleet efficiency report",
        site=f"Fleet of {many}",
        head=f"Fleet of {many}",
        period=document["period"]["name"],
        about="Each site's figures are those of its own report, over the same month or year of its own calendar.",
        status="Compiled, drafts among it" if drafts else "Compiled from issued reports",
        draft=False,
        digest="",
        program=document["program"],
        first=fleet.first_page(document),
        sections=fleet.sections(document, faces),
    )


def _short(name: str) -> str:
    sizes = accumulate(1 + (east_asian_width(each) in ("W", "F")) for each in name)
    fits = sum(1 for size in sizes if size < _HEAD)
    return name if fits >= len(name) - 1 else f"{name[:fits].rstrip()}…"


def _status(document: Document, draft: bool) -> str:
    if draft:
        return "DRAFT, NOT ISSUED"
    restated = f", restated ({plural(len(document['revisions']), 'issue')})" if document["revision"] > 1 else ""
    return f"Revision {document['revision']}{restated}"
