"""Reading rendered reports back: pages, texts and rows."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pypdf

from tests.reporting import Document
from wattwell.documents import render

VOID = {"meta", "path", "use", "rect", "br"}


class Reader(HTMLParser):
    """Texts, tags and ids of a page; fails on tags that do not close."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in VOID or tag in ("path", "rect", "use"):
            self._open.append(tag)
        if tag == "meta":
            self._open = [each for each in self._open if each != "meta"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return flat(" ".join(self.texts))


def flat(text: str) -> str:
    """Spaces of any kind as one, without the marks that let long words break."""
    return re.sub(r"\s+", " ", text.replace("\u200b", ""))


def pages_of(raw: bytes) -> list[str]:
    return [flat(page.extract_text()) for page in pypdf.PdfReader(io.BytesIO(raw)).pages]


def csv_rows(document: Document) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(document, "csv").decode(), newline="")))
