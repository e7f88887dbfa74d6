"""A report's document as a file in one of four formats.

The same document gives the same bytes on any machine, in any locale and time zone: nothing reads the clock, the zone of
the process or a font of the machine. Bytes of ``html`` and ``pdf`` are those of the versions of matplotlib and typst
that Wattwell is installed with, which is why these two are pinned; ``csv`` and ``json`` depend on neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wattwell.documents.blocks import Paper
from wattwell.documents.csv_ import csv_
from wattwell.documents.html import html
from wattwell.documents.json_ import json_
from wattwell.documents.paper import paper
from wattwell.documents.pdf import pdf
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
    laid: Paper | None = None
    found: dict[str, bytes] = {}
    for name in formats:
        if name in ("html", "pdf"):
            laid = laid or paper(document, fonts)
            found[name] = html(laid) if name == "html" else pdf(laid, fonts)
        elif name in ("csv", "json"):
            found[name] = csv_(document) if name == "csv" else json_(document)
        else:
            raise ValueError(f"{name!r} is no format of a report; use one of {', '.join(FORMATS)}")
    return found
