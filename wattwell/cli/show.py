"""Answers as tables for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from wattwell.web.jsonio import encode

Rows = Sequence[Mapping[str, Any]]

_COLUMNS = {
    "kpi": ("site", "label", "window", "start", "end", "value", "unit", "category", "usable", "coverage", "notes"),
    "balance": (
        "site",
        "meter",
        "window",
        "start",
        "end",
        "parent_amount",
        "children_amount",
        "residual",
        "tolerance",
        "share",
        "unit",
        "usable",
        "notes",
    ),
    "series": ("meter", "start", "value", "unit", "measured", "estimated", "missing", "recovered"),
    "events": ("site", "meter", "event", "at", "before", "after", "booked", "unit", "state"),
    "rejects": ("site", "meter", "topic", "at", "reason", "value", "count"),
    "models": (
        "site",
        "name",
        "kind",
        "space",
        "hours",
        "cv_rmse",
        "nmbe",
        "accepted",
        "rmse",
        "weekly",
        "unit",
        "unjudged",
    ),
    "unmapped": ("topic", "count", "first_seen", "last_seen", "example"),
    "alerts": ("site", "name", "meter", "state", "value", "since", "fired_at", "resolved_at", "told"),
    "silences": ("id", "kind", "state", "alerts", "from", "until", "author", "reason"),
    "suggest": ("site", "name", "window", "side", "of", "threshold", "alerts", "hours"),
    "audit": ("seq", "at", "kind", "what", "hash"),
    "reports": ("site", "key", "revision", "issued_at", "author", "reason", "changes", "provisional"),
    "devices": ("device", "title", "points"),
    "doctor": ("check", "status", "message", "remedy"),
}
_NOTHING = {
    "kpi": "No window starts in that span.",
    "balance": "No meter has another one below it, or no window starts in that span.",
    "series": "No interval values are stored in that span.",
    "events": "No meter events.",
    "rejects": "No reading was rejected.",
    "models": "Nothing is watched yet: no readings, or nothing that a detector could look at.",
    "unmapped": "Every topic seen is bound to a meter.",
    "alerts": "No alert rules.",
    "silences": "No silences.",
    "suggest": "No rule watches a KPI of a site with readings.",
    "audit": "Nothing has been entered.",
    "reports": "No report was issued.",
}


_PROSE = {"reason", "notes", "message", "remedy", "example", "what", "points", "unjudged"}
"""Columns that may be folded; the others stay whole, however narrow the terminal is."""
_NUMERIC = {"value", "booked", "before", "after", "usable", "coverage", "count", "measured", "estimated", "missing"} | {
    "parent_amount",
    "children_amount",
    "residual",
    "tolerance",
    "share",
    "hours",
    "cv_rmse",
    "nmbe",
    "rmse",
    "weekly",
}
_SHARES = {"usable", "coverage", "measured", "estimated", "missing", "share", "cv_rmse", "nmbe"}
_LEAST_PROSE = 24


def emit(document: Any) -> None:
    """Prints one JSON document to stdout, in UTF-8 whatever the locale."""
    sys.stdout.buffer.write(encode(document) + b"\n")


def table(kind: str, rows: Rows) -> None:
    """Prints rows of one kind of answer to stdout: to fit a terminal, or as wide as they are into a pipe or file."""
    console = Console()
    if not rows:
        console.print(_NOTHING.get(kind, "Nothing."), soft_wrap=True)
        return
    shown = Table(box=None, header_style="bold", pad_edge=False)
    cells = {name: [_cell(name, row) for row in rows] for name in _COLUMNS[kind]}
    for name, column in cells.items():
        prose = name in _PROSE
        shown.add_column(
            name,
            justify="right" if name in _NUMERIC else "left",
            overflow="fold",
            no_wrap=not prose,
            min_width=_LEAST_PROSE if prose else max(map(len, (name, *column))),
        )
    for row in zip(*cells.values(), strict=True):
        shown.add_row(*row)
    need = Measurement.get(console, console.options.update(width=1_000_000), shown)
    console.width = max(console.width, need.minimum) if console.is_terminal else need.maximum
    console.print(shown, soft_wrap=False)


def _cell(name: str, row: Mapping[str, Any]) -> str:
    if name == "notes":
        return _notes(row)
    value = row.get(name)
    if value is None:
        return "-"
    if name in _SHARES and isinstance(value, float):
        return f"{value:z.1%}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _notes(row: Mapping[str, Any]) -> str:
    """The provisional mark and why, basis, issues: no number is shown without them."""
    notes = ["provisional"] if row.get("provisional") else []
    if row.get("basis"):
        notes.append(str(row["basis"]))
    issues = [row["issue"]] if row.get("issue") else row.get("issues", ())
    notes += [f"{issue['code']}: {issue['message']}" for issue in issues]
    return "; ".join(notes)
