"""Reports over HTTP: as documents for the pages, and as files in every format."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from fastapi import Response

import wattwell
from wattwell.documents import FORMATS, MEDIA, render
from wattwell.engine.queries import Document, Queries
from wattwell.errors import UnknownError
from wattwell.web.jsonio import encode
from wattwell.web.turns import Turns

_AT_ONCE = 2
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Of a report in HTML: its style sheet and the styles of its plots stand in the file; it runs and fetches nothing."""
_SAVED = ("pdf", "csv")
"""Formats that a browser saves rather than shows."""


class Reports:
    """Asks for reports and renders them, a few at once."""

    def __init__(self, queries: Queries, fonts: Path | None = None) -> None:
        self._queries = queries
        self._fonts = fonts
        self._turns = Turns(_AT_ONCE, "reports are being made")

    def document(self, site: str, key: str, revision: int | None = None) -> Document:
        """The report of 2026-10, 2026 or FY2026; Busy while as many as may be are being made."""
        with self._turns.turn():
            return self._queries.report(site, key, revision)

    def file(self, site: str, name: str, revision: int | None, known: str) -> Response:
        """A report as a file: ``name`` is its key and format, such as 2026-10.pdf.

        ``known`` is the If-None-Match header: what the client has is not made again (304).
        """
        key, _, ending = name.rpartition(".")
        if ending not in FORMATS:
            kinds = ", ".join(FORMATS)
            raise UnknownError(f"there is no report {name!r}; write a month or year and one of {kinds}: 2026-10.html")
        with self._turns.turn():
            document = self._queries.report(site, key, revision)
            headers = _headers(document, site, ending)
            if _matches(known, headers["ETag"]):
                return Response(status_code=304, headers=headers)
            content = render(document, ending, self._fonts)
        return Response(content, headers=headers, media_type=MEDIA[ending])


def _headers(document: Document, site: str, format: str) -> dict[str, str]:
    """The tag names what the bytes are made of: the whole document, for a draft's findings and alerts change while the
    digest of its inputs stays, and the program that renders it. It is weak, since the answer may be compressed."""
    state = "draft" if document["revision"] is None else f"r{document['revision']}"
    tag = hashlib.sha256(encode([document, format, wattwell.__version__])).hexdigest()[:32]
    headers = {"ETag": f'W/"{tag}"', "Cache-Control": "private, no-cache"}
    if format == "html":
        headers["Content-Security-Policy"] = _POLICY
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", f"{site}-{document['period']['key']}-{state}.{format}")
    headers["Content-Disposition"] = f'{"attachment" if format in _SAVED else "inline"}; filename="{name}"'
    return headers


def _matches(known: str, tag: str) -> bool:
    """Whether If-None-Match names a tag, compared as weak ones are (RFC 9110, 8.8.3.2)."""
    return known.strip() == "*" or tag.removeprefix("W/") in {
        each.strip().removeprefix("W/") for each in known.split(",")
    }
