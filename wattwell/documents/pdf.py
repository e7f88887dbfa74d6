"""The report on A4 as tagged PDF (PDF/UA-1), laid out by typst.

The template reads the report as data; no text of it becomes part of typst source.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

import typst

from wattwell.documents.blocks import Paper
from wattwell.documents.fonts import FALLBACK, FAMILY, all_files, extra, opened, source_sans
from wattwell.documents.glyphs import BOX, Glyphs
from wattwell.documents.words import plural

_UNSEEN = "PDF/UA-1 error: the text"
"""In typst's complaint of characters that cannot be set."""


def pdf(paper: Paper, fonts: Path | None = None) -> bytes:
    """The report for print; ``fonts``: a folder of font files for scripts that Source Sans and DejaVu lack.

    A box stands for a character that no font has; the title of the file keeps it.
    """
    try:
        found = _compiled(paper, fonts, "pdf", Glyphs(all_files(fonts)))
    except typst.TypstError as fault:
        if _UNSEEN not in str(fault):
            raise
        # Letters that a font has but cannot set together: keep to those of one family.
        found = _compiled(paper, fonts, "pdf", Glyphs((source_sans(),)))
    if not isinstance(found, bytes):
        raise TypeError(f"typst gave {type(found).__name__} in place of one PDF")
    return found


def pages(paper: Paper, fonts: Path | None = None, *, ppi: float = 72.0) -> list[bytes]:
    """Each page as PNG, for looking at."""
    found = _compiled(paper, fonts, "png", Glyphs(all_files(fonts)), ppi)
    return [found] if isinstance(found, bytes) else list(found)


def _compiled(
    paper: Paper, fonts: Path | None, format: Literal["pdf", "png"], glyphs: Glyphs, ppi: float | None = None
) -> bytes | list[bytes]:
    printed = glyphs.paper(paper)
    inputs = {
        "paper": json.dumps(dataclasses.asdict(printed), ensure_ascii=False, sort_keys=True),
        "title": f"{paper.site}, {paper.period}: {paper.title}",
        "boxes": _boxes(len(glyphs.missing)),
        "fonts": json.dumps([FAMILY, FALLBACK, *_families(fonts)]),
    }
    with _folder(fonts) as folder, as_file(files("wattwell.documents") / "templates" / "report.typ") as template:
        done: bytes | list[bytes] = typst.compile(
            str(template),
            format=format,
            font_paths=[str(folder)],
            ignore_system_fonts=True,
            sys_inputs=inputs,
            timestamp=0,
            ppi=ppi,
            pdf_standards=["ua-1"] if format == "pdf" else [],
        )
    return done


def _boxes(many: int) -> str:
    """What is said of characters that could not be set."""
    if not many:
        return ""
    return (
        f"{plural(many, 'character')} of this report {'is' if many == 1 else 'are'} in no font at hand; {BOX} stands "
        "wherever one comes. The configuration can name a folder of fonts that have them (reports: {fonts: DIR}); the "
        "HTML, CSV and JSON files have the full text."
    )


@contextmanager
def _folder(fonts: Path | None) -> Iterator[Path]:
    """A folder with the fonts of the report and no others: typst reads whole folders, and of two files with the same
    face it would take the one that the disk lists first."""
    with tempfile.TemporaryDirectory(prefix="wattwell-fonts-") as name:
        for place, path in enumerate(all_files(fonts)):
            shutil.copyfile(path, Path(name) / f"{place:03}{path.suffix}")
        yield Path(name)


def _families(fonts: Path | None) -> list[str]:
    """Family names of further fonts, by file."""
    return list(dict.fromkeys(str(opened(path).family_name) for path in extra(fonts)))
