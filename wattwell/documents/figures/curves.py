"""Load duration, and PUE by outdoor temperature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from wattwell.documents.figures.sheet import (
    BLUE,
    HALF,
    INK,
    ORANGE,
    TEAL,
    Faces,
    Sheet,
    drawing,
    nice,
    tick_text,
)
from wattwell.documents.words import Document

_STYLES = ((BLUE, "-"), (ORANGE, (0, (5, 1.5))), (TEAL, (0, (1.5, 1.2))))
_BIN = 2.0
"""Width of the temperature bins, K."""
_LEAST = 3
"""Points that a bin's mean is made of, at least."""


def load_duration(faces: Faces, curves: Sequence[Document]) -> str | None:
    """For what share of the time the load is at least so much."""
    drawn = [curve for curve in curves if curve["kw"]]
    if not drawn:
        return None
    size, name = (1000.0, "MW") if max(max(curve["kw"]) for curve in drawn) >= 10_000 else (1.0, "kW")
    with drawing():
        sheet = Sheet(faces, HALF, 2.6)
        axes = sheet.axes(left=0.48, right=0.16)
        handles = []
        for curve, (color, dash) in zip(drawn, _STYLES, strict=False):
            load = [kw / size for kw in curve["kw"]]
            share = [100 * each for each in curve["share"]]
            label = faces.shorten(curve["label"], 1.05)
            handles += axes.plot(share, load, color=color, linestyle=dash, linewidth=1.8, label=label)
        high = max(max(curve["kw"]) for curve in drawn) / size
        sheet.upright(axes, min(0.0, *(min(curve["kw"]) / size for curve in drawn), 0.0), high, name)
        axes.set_xlim(0, 100)
        sheet.across(axes, [0, 25, 50, 75, 100], ["0", "25", "50", "75", "100"], "% of the time, at least this load")
        sheet.legend(axes, handles)
        return sheet.svg("duration")


def pue_by_temperature(faces: Faces, weather: Document) -> str | None:
    """A point for each hour or day, and their mean over every 2 K."""
    points = list(zip(weather["temperature"], weather["pue"], strict=True))
    if not points:
        return None
    with drawing():
        sheet = Sheet(faces, HALF, 2.6)
        axes = sheet.axes(left=0.48, right=0.16)
        size = 1.5 if len(points) > 400 else 2.4
        style: dict[str, Any] = {
            "linestyle": "none",
            "marker": "s",
            "markersize": size,
            "color": BLUE,
            "markeredgewidth": 0,
        }
        axes.plot(weather["temperature"], weather["pue"], alpha=0.45, **style)
        handles = axes.plot([], [], label=f"One {weather['step']}", **(style | {"markersize": 4}))
        handles += _means(axes, points)
        known = [pue for _, pue in points]
        span = max(max(known) - min(known), 0.02)
        low, high = min(known) - 0.06 * span, max(known) + 0.06 * span
        ticks = nice(low, high)
        sheet.upright(axes, min(low, ticks[0]), high, "PUE")
        cold, warm = min(t for t, _ in points), max(t for t, _ in points)
        edge = max(0.03 * (warm - cold), 0.5)
        places = [each for each in nice(cold - edge, warm + edge, 6) if each <= warm + edge]
        axes.set_xlim(cold - edge, warm + edge)
        sheet.across(axes, places, [tick_text(each, places) for each in places], "Outdoor temperature, °C")
        sheet.legend(axes, handles)
        return sheet.svg("weather")


def _means(axes: Axes, points: Sequence[tuple[float, float]]) -> list[Line2D]:
    bins: dict[int, list[float]] = {}
    for temperature, pue in points:
        bins.setdefault(math.floor(temperature / _BIN), []).append(pue)
    means = [
        ((place + 0.5) * _BIN, math.fsum(each) / len(each))
        for place, each in sorted(bins.items())
        if len(each) >= _LEAST
    ]
    if len(means) < 2:
        return []
    x, y = zip(*means, strict=True)
    return list(axes.plot(x, y, color=INK, linewidth=1.6, label="Mean of every 2 K"))
