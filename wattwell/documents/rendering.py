"""A report's document as a file in one of four formats.

The same document gives the same bytes on any machine, in any locale and time zone: nothing reads the clock, the zone of
the process or a font of the machine. Bytes of ``html`` and ``pdf`` are those of the versions of matplotlib and typst
that Wattwell is installed with, which is why these two are pinned; ``csv`` and ``json`` depend on neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from wattwell.documents.csv_ import csv_
from wattwell.documents.json_ import json_
from wattwell.documents.words import Document

FORMATS = ("html", "pdf", "csv", "json")
"""In which a report can be had."""
MEDIA = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
}
"""Media type of each format."""


def render(document: Document, format: str, fonts: Path | None = None) -> bytes:
    """The report (``dataclasses.asdict`` of a Report or a FleetReport, or that read back from JSON) in one of FORMATS.

    ``fonts``: a folder of font files, for names in scripts that Source Sans Pro and DejaVu Sans lack. ValueError for
    another format.
    """
    return renders(document, (format,), fonts)[format]


def renders(document: Document, formats: Iterable[str], fonts: Path | None = None) -> dict[str, bytes]:
    """The same in several formats, by format; what HTML and PDF share, their figures above all, is made once."""
    wanted = tuple(formats)
    for name in wanted:
        if name not in FORMATS:
            raise ValueError(f"{name!r} is no format of a report; use one of {', '.join(FORMATS)}")
    laid = _typeset(document, wanted, fonts) if {"html", "pdf"} & {*wanted} else {}
    plain: dict[str, Callable[[Document], bytes]] = {"csv": csv_, "json": json_}
    return {name: plain[name](document) if name in plain else laid[name] for name in wanted}


def _typeset(document: Document, formats: Iterable[str], fonts: Path | None) -> dict[str, bytes]:
    from wattwell.documents.html import html  # noqa: PLC0415 - plots and typesetting take a second to load,
    from wattwell.documents.paper import paper  # noqa: PLC0415 - and most who ask for words or CSV need neither
    from wattwell.documents.pdf import pdf  # noqa: PLC0415

    laid = paper(document, fonts)
    return {name: html(laid) if name == "html" else pdf(laid, fonts) for name in formats if name in ("html", "pdf")}
