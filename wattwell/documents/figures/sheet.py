"""The sheet that every figure is drawn on: palette, fonts, axes with units, and SVG that is the same on every machine.

matplotlib without pyplot. Its settings are its defaults while a figure is drawn, whatever a ``matplotlibrc`` of the
machine says.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import MaxNLocator

from wattwell.documents.fonts import dejavu, extra, opened, source_sans

INK, MUTED, LINE, PAPER = "#1b2430", "#566272", "#dde2e8", "#ffffff"
BLUE, TEAL, ORANGE, YELLOW, GREY, RED, SKY = (
    "#2f6db3",
    "#1f9384",
    "#d98a29",
    "#c9b83c",
    "#98a2b0",
    "#b5332a",
    "#6fb1de",
)
VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    PAPER: "var(--surface)",
    BLUE: "var(--blue)",
    TEAL: "var(--teal)",
    ORANGE: "var(--orange)",
    YELLOW: "var(--yellow)",
    GREY: "var(--grey)",
    RED: "var(--red)",
    SKY: "var(--sky)",
}
"""Colours of the figures as the custom properties of the HTML page, which has them for light and for dark."""
WIDE, HALF = 7.0, 3.42
"""Widths, inches: the printed width of an A4 page, and half of it."""
SIZE = 8.5
"""Points."""
_ELLIPSIS, _UNKNOWN = "\u2026", "\u25a1"
_NEAR = 0.6
"""Share of the last step that an axis must reach into to be drawn to its end."""
_BOX = 72.0
_LEAST = 1e-6
"""Span of an axis, by its size, below which it is widened."""
_DRAWING = threading.Lock()
"""matplotlib's settings belong to the whole process: one figure at a time."""


@contextmanager
def drawing() -> Iterator[None]:
    """matplotlib with its own defaults, and texts as they are: a name may hold dollar signs."""
    with _DRAWING, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["text.parse_math"] = False
        mpl.rcParams["svg.hashsalt"] = "wattwell"
        yield


class Faces:
    """The fonts of a document's figures."""

    def __init__(self, folder: Path | None = None) -> None:
        self._files = (source_sans(), dejavu(), *(path for path in extra(folder) if opened(path).scalable))
        self._fonts: dict[Path, FT2Font] = {}
        self._advance: dict[tuple[Path, str], float] = {}

    def face(self, text: str) -> FontProperties:
        """The properties of the first font that has every character of a text; else of the first one."""
        return FontProperties(fname=str(self._path(text)), size=SIZE)

    def strong(self) -> FontProperties:
        """The semibold face of fixed words."""
        return FontProperties(fname=str(source_sans("Semibold")), size=SIZE)

    def drawable(self, text: str) -> bool:
        """Whether one of the fonts has every character of it."""
        return any(self._has(each, text) for each in self._files)

    def shorten(self, text: str, inches: float) -> str:
        """As much of a text as fits into a width, in one font; a box for each letter that the best of them lacks."""
        if not self.drawable(text):
            boxed = [path for path in self._files if self._has(path, _UNKNOWN)]
            best = max(boxed, key=lambda path: sum(self._has(path, each) for each in text))
            text = "".join(each if self._has(best, each) else _UNKNOWN for each in text)
        if self.width(text) <= inches:
            return text
        room = inches - self.width(_ELLIPSIS)
        fits = [self.width(text[:length]) <= room for length in range(1, len(text) + 1)]
        return text[: fits.count(True)].rstrip() + _ELLIPSIS

    def _font(self, path: Path) -> FT2Font:
        if path not in self._fonts:
            font = opened(path)
            font.set_size(SIZE, _BOX)
            self._fonts[path] = font
        return self._fonts[path]

    def _has(self, path: Path, text: str) -> bool:
        font = self._font(path)
        return all(font.get_char_index(ord(each)) for each in text)

    def width(self, text: str) -> float:
        """Width of a text, inches."""
        path = self._path(text)
        return sum(self._advance_of(path, each) for each in text) / 65536 / _BOX

    def _path(self, text: str) -> Path:
        return next((each for each in self._files if self._has(each, text)), self._files[0])

    def _advance_of(self, path: Path, letter: str) -> float:
        key = (path, letter)
        if key not in self._advance:
            self._advance[key] = float(self._font(path).load_char(ord(letter)).linearHoriAdvance)
        return self._advance[key]


class Sheet:
    """A figure with one pair of axes, in inches."""

    def __init__(self, faces: Faces, width: float, height: float) -> None:
        self.faces, self.width, self.height = faces, width, height
        self._figure = Figure(figsize=(width, height), facecolor="none")

    def plain(self) -> Axes:
        """Axes over the whole sheet, in inches, without lines."""
        axes = self._figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, self.width)
        axes.set_ylim(0, self.height)
        axes.set_axis_off()
        return axes

    def axes(self, *, left: float = 0.5, right: float = 0.12, bottom: float = 0.42, top: float = 0.5) -> Axes:
        """Axes within margins; only horizontal lines are drawn."""
        box = (
            left / self.width,
            bottom / self.height,
            (self.width - left - right) / self.width,
            (self.height - bottom - top) / self.height,
        )
        axes = self._figure.add_axes(box, facecolor="none")
        for side in ("top", "left", "right"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(MUTED)
        axes.spines["bottom"].set_linewidth(0.8)
        axes.tick_params(length=0, pad=4)
        axes.set_axisbelow(True)
        return axes

    def across(self, axes: Axes, ticks: Sequence[float], labels: Sequence[str], title: str) -> None:
        """Ticks and title of the horizontal axis."""
        axes.set_xticks(ticks, labels=labels, fontproperties=self.faces.face("".join(labels)), color=MUTED)
        axes.set_xlabel(title, fontproperties=self.faces.face(title), color=MUTED, labelpad=3)

    def upright(self, axes: Axes, low: float, high: float, title: str, digits: int | None = None) -> None:
        """Limits, ticks and, above the axis, title of the vertical axis."""
        ticks = nice(low, high, 6)
        if len(ticks) > 3 and high - ticks[-2] < _NEAR * (ticks[-1] - ticks[-2]):
            ticks.pop()
        axes.set_ylim(low, max(high, ticks[-1]))
        labels = [tick_text(each, ticks, digits) for each in ticks]
        axes.set_yticks(ticks, labels=labels, fontproperties=self.faces.face("".join(labels)), color=MUTED)
        axes.grid(axis="y", color=LINE, linewidth=0.7)
        self.title(axes, title)

    def title(self, axes: Axes, title: str, *, right: bool = False) -> None:
        """The unit of a vertical axis, above its end."""
        axes.annotate(
            title,
            (1.0 if right else 0.0, 1.0),
            xycoords="axes fraction",
            xytext=(26 if right else -28, 8),
            textcoords="offset points",
            ha="right" if right else "left",
            va="bottom",
            color=MUTED,
            fontproperties=self.faces.face(title),
            annotation_clip=False,
        )

    def legend(self, axes: Axes, handles: Sequence[Artist]) -> None:
        """Names of what is drawn, in a row at the top of the sheet."""
        text = "".join(str(each.get_label()) for each in handles)
        axes.figure.legend(
            handles=list(handles),
            loc="upper right",
            bbox_to_anchor=(1.0, 1.0),
            ncol=len(handles),
            frameon=False,
            prop=self.faces.face(text),
            labelcolor=INK,
            handlelength=1.4,
            handletextpad=0.5,
            columnspacing=1.4,
            borderpad=0.1,
            borderaxespad=0.1,
        )

    def svg(self, name: str) -> str:
        """The drawing, with ids that begin with ``name``."""
        out = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        FigureCanvasSVG(self._figure).print_svg(out, metadata=nothing)  # type: ignore[no-untyped-call]
        return tidy(out.getvalue(), name)


def tidy(svg: str, name: str) -> str:
    """The ``svg`` element alone; ids that nothing refers to are dropped, the others begin with ``name``."""
    text = svg[svg.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    used = sorted(set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", text)))
    short = {each: f"{name}-{place}" for place, each in enumerate(used)}
    text = re.sub(r' id="([^"]*)"', lambda found: _id(short.get(found[1])), text)
    text = re.sub(r'(href="#|url\(#)([^")]+)', lambda found: found[1] + short[found[2]], text)
    return re.sub(r"\n\s*", "\n", text)


def _id(name: str | None) -> str:
    return "" if name is None else f' id="{name}"'


def nice(low: float, high: float, many: int = 5) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``, two or more."""
    if high - low < _LEAST * max(abs(low), abs(high), 1.0):
        high = low + (0.1 * abs(low) or 1.0)
    found = MaxNLocator(nbins=many, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    ticks = [float(each) for each in found if each >= low - 1e-9 * max(abs(low), 1.0)]
    return [each for place, each in enumerate(ticks) if place == 0 or ticks[place - 1] < high]


def tick_text(value: float, ticks: Sequence[float], digits: int | None = None) -> str:
    """A tick with the digits that tell it from the next."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    many = (
        digits
        if digits is not None
        else next((n for n in range(6) if abs(step * 10**n - round(step * 10**n)) < 1e-6), 6)
    )
    return f"{value:z,.{many}f}"
