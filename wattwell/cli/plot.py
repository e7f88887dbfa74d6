"""A plot in text: what was drawn against what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

_BAND, _EXPECTED, _ACTUAL = "░", "─", "●"
_HEIGHT = 9


def plot(course: Mapping[str, Any], width: int) -> list[str]:
    """The lines of a plot of a course, ``width`` characters wide at most; empty where nothing is known."""
    columns = {name: _means(course[name], max(width - 12, 10)) for name in ("low", "high", "expected", "actual")}
    known = [value for values in columns.values() for value in values if value is not None]
    if not known:
        return []
    bottom, top = min(known), max(known)
    step = (top - bottom) / (_HEIGHT - 1) or 1.0

    def row(value: float) -> int:
        return round((value - bottom) / step)

    count = len(columns["actual"])
    cells = [[" "] * count for _ in range(_HEIGHT)]
    for at in range(count):
        low, high, expected, actual = (columns[name][at] for name in ("low", "high", "expected", "actual"))
        if low is not None and high is not None:
            for level in range(row(low), row(high) + 1):
                cells[level][at] = _BAND
        for value, mark in ((expected, _EXPECTED), (actual, _ACTUAL)):
            if value is not None:
                cells[row(value)][at] = mark
    lines = [f"{bottom + level * step:>10.4g} {''.join(cells[level])}".rstrip() for level in reversed(range(_HEIGHT))]
    start, end = course["start"][0][:16].replace("T", " "), course["start"][-1][:16].replace("T", " ")
    unit = "" if course["unit"] == "1" else f", {course['unit']}"
    head = f"{course['label']}{unit} ({_ACTUAL} actual, {_EXPECTED} expected, {_BAND} healthy)"
    return [head, *lines, f"{'':>10} {start}Z to {end}Z"]


def _means(values: Sequence[float | None], count: int) -> list[float | None]:
    """At most so many means of consecutive values; None where none of them is known."""
    count = min(count, len(values))
    if not count:
        return []
    edges = [len(values) * place // count for place in range(count + 1)]
    groups = ([value for value in values[low:high] if value is not None] for low, high in pairwise(edges))
    return [sum(group) / len(group) if group else None for group in groups]
