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
from matplotlib.ft2font import FT2Font

from wattwell.documents.blocks import Paper
from wattwell.documents.fonts import FALLBACK, FAMILY, all_files, extra


def pdf(paper: Paper, fonts: Path | None = None) -> bytes:
    """The report for print; ``fonts``: a folder of font files for scripts that Source Sans and DejaVu lack."""
    found = _compiled(paper, fonts, "pdf")
    if not isinstance(found, bytes):
        raise TypeError(f"typst gave {type(found).__name__} in place of one PDF")
    return found


def pages(paper: Paper, fonts: Path | None = None, *, ppi: float = 72.0) -> list[bytes]:
    """Each page as PNG, for looking at."""
    found = _compiled(paper, fonts, "png", ppi)
    return [found] if isinstance(found, bytes) else list(found)


def _compiled(
    paper: Paper, fonts: Path | None, format: Literal["pdf", "png"], ppi: float | None = None
) -> bytes | list[bytes]:
    inputs = {
        "paper": json.dumps(dataclasses.asdict(paper), ensure_ascii=False, sort_keys=True),
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
    return list(dict.fromkeys(str(FT2Font(str(path)).family_name) for path in extra(fonts)))
