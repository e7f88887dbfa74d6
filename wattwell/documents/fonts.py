"""Where the fonts of reports come from: files that are packages of their own, never those of the machine."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from matplotlib.ft2font import FT2Font

from wattwell.errors import UsageError

FAMILY = "Source Sans Pro"
FALLBACK = "DejaVu Sans"
_OURS = ("Regular", "It", "Semibold", "Bold")
_DEJAVU = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


def source_sans(style: str = "Regular") -> Path:
    """The file of Source Sans Pro in one style."""
    return Path(str(files("font_source_sans_pro") / "files" / f"SourceSansPro-{style}.ttf"))


def dejavu() -> Path:
    """The file of DejaVu Sans that matplotlib ships."""
    return Path(str(files("matplotlib") / "mpl-data" / "fonts" / "ttf" / _DEJAVU[0]))


def opened(path: Path) -> FT2Font:
    """A font; UsageError for a file that is none."""
    try:
        return FT2Font(str(path))
    except (RuntimeError, OSError) as fault:
        raise UsageError(f"{path} is no font that can be read ({fault}); take it out of the folder of fonts") from fault


def extra(folder: Path | None) -> tuple[Path, ...]:
    """Font files of a folder, by name: for names in scripts that the two families lack."""
    if folder is None:
        return ()
    found = (path for path in folder.iterdir() if path.suffix.lower() in (".ttf", ".otf", ".ttc"))
    return tuple(sorted(found, key=lambda path: path.name))


def all_files(folder: Path | None) -> list[Path]:
    """Every font file that a PDF may use."""
    bold = dejavu().with_name(_DEJAVU[1])
    return [*(source_sans(style) for style in _OURS), dejavu(), bold, *extra(folder)]
