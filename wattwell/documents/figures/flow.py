"""Energy and water as flows: what came in, the total, where it went; one scale for the whole figure, so widths are
exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from wattwell.documents.figures.sheet import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    SKY,
    TEAL,
    WIDE,
    YELLOW,
    Faces,
    Sheet,
    drawing,
)
from wattwell.documents.words import NARROW, Document, with_unit

_COLORS = {
    "it": BLUE,
    "cooling": TEAL,
    "power_chain": ORANGE,
    "lighting": YELLOW,
    "onsite_renewable": YELLOW,
    "generator": ORANGE,
    "fuel": ORANGE,
    "cooling_import": TEAL,
    "water_reclaimed": TEAL,
    "water_recovered": YELLOW,
    "tower_evaporation": SKY,
    "water_tower_makeup": SKY,
    "water_evaporative": SKY,
    "water_potable": BLUE,
    "water_input": BLUE,
    "water_rain": SKY,
    "water_blowdown": ORANGE,
}
_NODE, _GAP, _ROW = 0.1, 0.07, 0.33
"""Width of a node, least space between two, and the height of a label of two lines, inches."""
_LEFT, _BETWEEN, _RIGHT = 1.42, 1.2, 1.78
"""Room for the names of sources, of uses before the kinds of cooling, and of the last column."""
_HEAD, _FOOT, _FLOWS = 0.34, 0.24, 1.5
"""Room above and below the flows, and the height of all flows together."""
_FAINT = 0.38


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a flow on the sheet, inches."""

    part: Document
    color: str
    text: str
    low: float
    high: float

    @property
    def middle(self) -> float:
        """Height of its centre."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where columns begin, from left to right."""

    source: float
    total: float
    use: float
    kind: float
    scale: float
    """Inches for one unit."""
    height: float


def flow(
    faces: Faces, name: str, total: str, sources: Document | None, uses: Document | None, kinds: Document | None = None
) -> str | None:
    """Sources, the total and uses; ``kinds`` are the parts of the use ``cooling``. None without anything to draw.

    A part below 0 on the side of the sources (export) leaves the total below it; one on the side of the uses cannot be
    drawn and is left out (:func:`left_out`).
    """
    if sources is None or uses is None or not _positive(uses) or not _positive(sources):
        return None
    split = kinds if kinds is not None and any(part["name"] == "cooling" for part in _positive(uses)) else None
    split = split if split is not None and _positive(split) else None
    with drawing():
        plan = _plan(sources, uses, split)
        sheet = Sheet(faces, WIDE, plan.height)
        _Flow(sheet, plan, faces).draw(total, sources, uses, split)
        return sheet.svg(name)


def left_out(breakdown: Document | None) -> list[Document]:
    """Parts that a flow cannot show."""
    return [] if breakdown is None else [part for part in breakdown["parts"] if part["value"] < 0]


def _positive(breakdown: Document) -> list[Document]:
    return [part for part in breakdown["parts"] if part["value"] > 0]


def _sum(parts: Sequence[Document]) -> float:
    return math.fsum(float(part["value"]) for part in parts)


def _plan(sources: Document, uses: Document, kinds: Document | None) -> _Plan:
    columns = [_positive(sources), _positive(uses), *([] if kinds is None else [_positive(kinds)])]
    scale = _FLOWS / max(_sum(each) for each in columns[:2])
    height = max(_tall(each, scale) for each in columns) + _HEAD + _FOOT
    left = _LEFT + 0.08
    end = WIDE - _RIGHT - 0.08 - _NODE
    if kinds is None:
        return _Plan(left, left + (end - left) * 0.46, end, end, scale, height)
    return _Plan(left, left + 0.72, left + 1.36, end, scale, height)


def _steps(parts: Sequence[Document], scale: float) -> list[float]:
    """The space below each part but the last: labels of neighbours, beside their centres, never touch."""
    sizes = [part["value"] * scale for part in parts]
    return [max(_GAP, _ROW - (one + other) / 2) for one, other in pairwise(sizes)]


def _tall(parts: Sequence[Document], scale: float) -> float:
    """Height of a column and of the labels that stand out beyond its ends."""
    first, last = (float(part["value"]) * scale for part in (parts[0], parts[-1]))
    beyond = max(_ROW - first, 0.0) / 2 + max(_ROW - last, 0.0) / 2
    return _sum(parts) * scale + math.fsum(_steps(parts, scale)) + beyond


class _Flow:
    """Draws one figure."""

    def __init__(self, sheet: Sheet, plan: _Plan, faces: Faces) -> None:
        self._axes, self._plan, self._faces = sheet.plain(), plan, faces
        self._middle = (plan.height - _HEAD - _FOOT) / 2 + _FOOT

    def draw(self, total: str, sources: Document, uses: Document, kinds: Document | None) -> None:
        """All columns, then the ribbons between them."""
        plan = self._plan
        left = self._column(sources, _positive(sources))
        right = self._column(uses, _cooling_last(_positive(uses), kinds))
        middle = self._total(total, sources, left, right)
        self._ribbons(left, plan.source + _NODE, plan.total, middle)
        self._ribbons(right, plan.use, plan.total + _NODE, middle, reverse=True)
        self._labels(left, plan.source, -1, _LEFT)
        cooling = next((node for node in right if node.part["name"] == "cooling"), None)
        if kinds is not None and cooling is not None:
            self._kinds(cooling, kinds)
        self._labels(right, plan.use + _NODE, 1, _RIGHT if kinds is None else _BETWEEN)
        for nodes, x in ((left, plan.source), (right, plan.use)):
            for node in nodes:
                self._box(x, node.low, node.high, node.color)

    def _column(self, whole: Document, parts: Sequence[Document], *, center: float | None = None) -> list[Node]:
        """Nodes from the top, each as high as its value, about a height as far as the sheet has room."""
        plan = self._plan
        size = _tall(parts, plan.scale)
        around = self._middle if center is None else center
        top = min(max(around + size / 2, size + _FOOT), plan.height - _HEAD)
        top -= max(_ROW - parts[0]["value"] * plan.scale, 0.0) / 2
        nodes = []
        for part, step in zip(parts, [*_steps(parts, plan.scale), 0.0], strict=True):
            low = top - part["value"] * plan.scale
            nodes.append(Node(part, _COLORS.get(part["name"], GREY), _said(part, whole), low, top))
            top = low - step
        return nodes

    def _total(self, total: str, sources: Document, left: Sequence[Node], right: Sequence[Node]) -> float:
        """The total and, below it, what is exported; the top of both."""
        plan = self._plan
        size = max(_sum([n.part for n in left]), _sum([n.part for n in right])) * plan.scale
        top = self._middle + size / 2
        out = [part for part in sources["parts"] if part["value"] < 0]
        low = top - (size + _sum(out) * plan.scale)
        self._box(plan.total, low, top, INK)
        said = f"{total} {with_unit(sources['total_shown'], sources['unit'])}"
        x = plan.total + _NODE / 2
        self._text(x, plan.height - 0.13, said, "center", strong=True)
        for part in out:
            high, low = low, low + part["value"] * plan.scale
            self._box(plan.total, low, high, MUTED)
            self._axes.plot([x, x], [0.15, low], color=MUTED, linewidth=0.5)
            name = self._faces.shorten(str(part["label"]), _LEFT)
            self._text(x - 0.03, 0.08, name, "right", color=MUTED)
            self._text(x + 0.03, 0.08, with_unit(part["shown"], sources["unit"]), "left", color=MUTED)
        return top

    def _ribbons(self, nodes: Sequence[Node], x: float, far: float, top: float, *, reverse: bool = False) -> None:
        """From each node to its share of the total."""
        for node in nodes:
            low = top - (node.high - node.low)
            ends = (
                ((far, top, low), (x, node.high, node.low)) if reverse else ((x, node.high, node.low), (far, top, low))
            )
            self._ribbon(*ends, node.color)
            top = low

    def _kinds(self, cooling: Node, kinds: Document) -> None:
        """The kinds of cooling: a band under the label of cooling, then each its own way."""
        plan = self._plan
        begin = plan.use + _NODE + _BETWEEN + 0.08
        nodes = self._column(kinds, _positive(kinds), center=cooling.middle)
        band = (cooling.high, cooling.low)
        self._ribbon((plan.use + _NODE, *band), (begin, *band), TEAL)
        top = cooling.high
        unit = (cooling.high - cooling.low) / max(_sum([n.part for n in nodes]), 1e-12)
        for node in nodes:
            low = top - node.part["value"] * unit
            self._ribbon((begin, top, low), (plan.kind, node.high, node.low), TEAL)
            self._box(plan.kind, node.low, node.high, TEAL)
            top = low
        self._labels(nodes, plan.kind + _NODE, 1, _RIGHT)

    def _labels(self, nodes: Sequence[Node], x: float, side: int, room: float) -> None:
        """Two lines each beside its node: name, and amount with share."""
        align = "left" if side > 0 else "right"
        for node in nodes:
            name = self._faces.shorten(str(node.part["label"]), room)
            self._text(x + side * 0.06, node.middle + 0.07, name, align)
            self._text(x + side * 0.06, node.middle - 0.07, node.text, align, color=MUTED)

    def _text(self, x: float, y: float, text: str, align: str, *, strong: bool = False, color: str = INK) -> None:
        face = self._faces.strong() if strong else self._faces.face(text)
        self._axes.text(x, y, text, ha=align, va="center_baseline", color=color, fontproperties=face)

    def _box(self, x: float, low: float, high: float, color: str) -> None:
        self._axes.add_patch(Rectangle((x, low), _NODE, high - low, facecolor=color, edgecolor=color, linewidth=0.4))

    def _ribbon(self, one: tuple[float, float, float], other: tuple[float, float, float], color: str) -> None:
        """A band between two upright edges, each (x, top, bottom)."""
        (a, a_top, a_low), (b, b_top, b_low) = one, other
        half = (a + b) / 2
        codes: Any = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
        corners = [(a, a_top), (half, a_top), (half, b_top), (b, b_top)]
        back = [(b, b_low), (half, b_low), (half, a_low), (a, a_low), (a, a_top)]
        path = Path(corners + back, codes)
        self._axes.add_patch(PathPatch(path, facecolor=color, edgecolor=color, linewidth=0.3, alpha=_FAINT))


def _said(part: Document, whole: Document) -> str:
    """Amount and share."""
    text = with_unit(part["shown"], whole["unit"])
    return text if part["share_shown"] is None else f"{text} · {part['share_shown']}{NARROW}%"


def _cooling_last(parts: Sequence[Document], kinds: Document | None) -> list[Document]:
    """Cooling at the bottom where its kinds go on to the right, so that they cross no other label."""
    if kinds is None:
        return list(parts)
    return sorted(parts, key=lambda part: part["name"] == "cooling")
