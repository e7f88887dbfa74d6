"""Bars by day, by month and by hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.patches import Patch

from wattwell.documents.figures.sheet import (
    BLUE,
    INK,
    LINE,
    MUTED,
    ORANGE,
    PAPER,
    RED,
    TEAL,
    WIDE,
    Faces,
    Sheet,
    drawing,
    nice,
    tick_text,
)
from wattwell.documents.words import Document, day_short, number


def pue_and_weather(faces: Faces, document: Document) -> str | None:
    """PUE of each day or month as a bar that stands on 1, its target, and the outdoor temperature; None without any."""
    rows = document["rows"]
    if not any(row["pue"] is not None for row in rows):
        return None
    target = next((line["target"] for line in document["headlines"] if line["name"] == "pue"), None)
    with drawing():
        sheet = Sheet(faces, WIDE, 2.5)
        axes = sheet.axes(left=0.42, right=0.45)
        handles = [*_pue_bars(axes, rows)]
        known = [row["pue"] for row in rows if row["pue"] is not None]
        high = max(*known, target or 1.0, 1.05)
        low = min(1.0, *known)
        sheet.upright(axes, low, high + 0.04 * (high - low), "PUE")
        if target is not None:
            handles.append(axes.axhline(target, color=RED, linewidth=1.2, dashes=(5, 2.5), label=f"Target {target:g}"))
        _days(sheet, axes, document)
        if any(row["temperature"] is not None for row in rows):
            handles.append(_temperature(sheet, axes, rows))
        sheet.legend(axes, handles)
        return sheet.svg("daily")


def _pue_bars(axes: Any, rows: Sequence[Document]) -> list[Any]:
    """Full bars, and hollow ones where a value is provisional; a mark on the line where there is none."""
    full = [(x, row["pue"]) for x, row in enumerate(rows) if row["pue"] is not None and not row["provisional"]]
    thin = [(x, row["pue"]) for x, row in enumerate(rows) if row["pue"] is not None and row["provisional"]]
    none = [x for x, row in enumerate(rows) if row["pue"] is None]
    handles = []
    for found, face, label in ((full, BLUE, "PUE"), (thin, PAPER, "PUE, provisional")):
        if found:
            places, values = zip(*found, strict=True)
            axes.bar(places, [v - 1.0 for v in values], 0.72, 1.0, facecolor=face, edgecolor=BLUE, linewidth=0.8)
            handles.append(Patch(facecolor=face, edgecolor=BLUE, linewidth=0.8, label=label))
    if none:
        marks = axes.plot(
            none,
            [0.035] * len(none),
            linestyle="none",
            marker="x",
            markersize=4,
            color=MUTED,
            label="no value",
            transform=axes.get_xaxis_transform(),
            clip_on=False,
        )
        handles.extend(marks)
    return handles


def _days(sheet: Sheet, axes: Any, document: Document) -> None:
    rows = document["rows"]
    axes.set_xlim(-0.6, len(rows) - 0.4)
    year = document["kind"] == "year"
    step = 1 if len(rows) <= 16 else 2
    places = list(range(0, len(rows), step))
    labels = [day_short(rows[x]["key"]) if year else str(int(rows[x]["key"][8:])) for x in places]
    sheet.across(axes, places, labels, "Month" if year else f"Day of {document['period']['name']}")


def _temperature(sheet: Sheet, axes: Any, rows: Sequence[Document]) -> Any:
    """The line on an axis of its own, at the right."""
    other = axes.twinx()
    for side in other.spines.values():
        side.set_visible(False)
    other.tick_params(length=0, pad=4)
    values = [float("nan") if row["temperature"] is None else row["temperature"] for row in rows]
    known = [row["temperature"] for row in rows if row["temperature"] is not None]
    span = max(max(known) - min(known), 4.0)
    ticks = nice(min(known) - 0.1 * span, max(known) + 0.1 * span, 5)
    other.set_ylim(min(ticks[0], min(known) - 0.1 * span), ticks[-1])
    labels = [tick_text(each, ticks) for each in ticks]
    other.set_yticks(ticks, labels=labels, fontproperties=sheet.faces.face("".join(labels)), color=MUTED)
    sheet.title(other, "°C", right=True)
    style = {"color": ORANGE, "linewidth": 1.8, "marker": "o", "markersize": 3.2, "markeredgecolor": PAPER}
    (line,) = other.plot(range(len(rows)), values, markeredgewidth=0.6, label="Outdoor temperature", **style)
    return line


def energy_by_row(faces: Faces, document: Document) -> str | None:
    """Energy of each month: IT and all else, which together are E_DC."""
    rows = document["rows"]
    known = [(x, row["e_it"] / 1e3, row["e_dc"] / 1e3) for x, row in enumerate(rows) if _both(row)]
    if not known:
        return None
    with drawing():
        sheet = Sheet(faces, WIDE, 2.2)
        axes = sheet.axes(left=0.55)
        places, it, whole = zip(*known, strict=True)
        rest = [dc - each for each, dc in zip(it, whole, strict=True)]
        axes.bar(places, it, 0.72, color=BLUE)
        axes.bar(places, rest, 0.72, it, color=ORANGE)
        sheet.upright(axes, 0.0, max(whole), "MWh")
        _days(sheet, axes, document)
        sheet.legend(axes, [Patch(color=BLUE, label="IT"), Patch(color=ORANGE, label="Cooling, power chain, other")])
        return sheet.svg("energy")


def _both(row: Document) -> bool:
    return row["e_it"] is not None and row["e_dc"] is not None


def carbon_free(faces: Faces, hourly: Document) -> str | None:
    """The carbon-free share of each hour of the local day."""
    known = [(hour, 100 * each) for hour, each in zip(hourly["hour"], hourly["share"], strict=True) if each is not None]
    if not known:
        return None
    with drawing():
        sheet = Sheet(faces, WIDE, 2.0)
        axes = sheet.axes(left=0.42, top=0.32)
        places, shares = zip(*known, strict=True)
        axes.bar(places, shares, 0.72, color=TEAL)
        none = [hour for hour, each in zip(hourly["hour"], hourly["share"], strict=True) if each is None]
        if none:
            axes.plot(none, [3.0] * len(none), linestyle="none", marker="x", markersize=4, color=MUTED)
        axes.set_xlim(-0.6, 23.6)
        sheet.upright(axes, 0.0, 100.0, "% carbon-free")
        sheet.across(axes, range(0, 24, 2), [f"{hour:02}:00" for hour in range(0, 24, 2)], "Hour of the local day")
        return sheet.svg("hourly")


def by_site(
    faces: Faces, name: str, names: Sequence[str], values: Sequence[float | None], mean: float | None
) -> str | None:
    """PUE of each site as a bar that stands on 1, and of all of them as a line."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    with drawing():
        sheet = Sheet(faces, WIDE, 0.75 + 0.2 * len(names))
        axes = sheet.axes(left=1.9, right=0.6, top=0.28)
        high = max(*known, 1.1) * 1.0
        for place, value in enumerate(values):
            said = "no value" if value is None else number(value, 3)
            axes.annotate(
                said,
                (value or 1.0, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center_baseline",
                color=MUTED if value is None else INK,
                fontproperties=faces.face(said),
                bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8},
            )
        axes.barh(range(len(names)), [0.0 if v is None else v - 1.0 for v in values], 0.66, 1.0, color=BLUE)
        axes.set_ylim(len(names) - 0.4, -0.6)
        labels = [faces.shorten(each, 1.75) for each in names]
        axes.set_yticks(range(len(names)), labels=labels, color=INK)
        for label in axes.get_yticklabels():
            label.set_fontproperties(faces.face(label.get_text()))
        ticks = nice(1.0, high)
        axes.set_xlim(1.0, max(high, ticks[-1]))
        sheet.across(axes, ticks, [tick_text(each, ticks) for each in ticks], "PUE")
        axes.grid(axis="x", color=LINE, linewidth=0.7)
        if mean is not None:
            line = axes.axvline(mean, color=RED, linewidth=1.2, dashes=(5, 2.5), label=f"Together {mean:.3f}")
            sheet.legend(axes, [line])
        return sheet.svg(name)
