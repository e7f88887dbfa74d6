"""``wattwell backfill`` and ``correct``: files into the store, and into the audit ledger which files they were."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from collector.backfill import Summary, backfill
from wattwell.app.access import Access, clock
from wattwell.config import Config
from wattwell.errors import UsageError
from wattwell.intervals import iso
from wattwell.model import Correction

_ENTERED = ("site", "rows", "readings", "rejected", "first", "last")


def enter_files(args: Namespace, config: Config, access: Access) -> dict[str, Any]:
    """Back-fills the files of a command line, with a progress bar on stderr; what it did as a document.

    The audit ledger is told even when a file breaks off, for what came before it is in the store.
    """
    for option in ("author", "reason"):
        check_line(getattr(args, option), f"--{option}")
    paths = [Path(name) for name in args.data]
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    summary, complete = Summary(), False
    files = [
        {"name": path.name.encode(errors="replace").decode(), "sha256": digest(path)}
        for path in paths
        if path.is_file()
    ]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = {path: progress.add_task(path.name, total=1.0) for path in paths}

        def moved(path: Path, share: float, _rows: int) -> None:
            progress.update(tasks[path], completed=share)

        try:
            backfill(paths, args.site, config, access.commit, clock(), moved, summary)
            complete = True
        finally:
            if summary.rows:
                done = {name: value for name, value in _document(args.site, summary).items() if name in _ENTERED}
                told = {"files": files, "author": args.author, "reason": args.reason, "complete": complete}
                access.ask("enter_readings", document=done | told)
        task = progress.add_task("analysing", total=None)
        access.refresh()
        progress.update(task, total=1.0, completed=1.0)
    return _document(args.site, summary)


def without_jump(corrections: Sequence[Correction], events: Iterable[Mapping[str, Any]]) -> list[str]:
    """A note for each acceptance of a jump that is not known at its time: its readings are to come, or it is mistaken.

    ``events`` are what the meter-event ledger shows of the site.
    """
    jumps = {(event["meter"], event["at"]) for event in events if event["event"] == "jump"}
    return [
        f"{each.meter} at {iso(each.at)}: no jump is known there; the correction waits for its readings "
        "(`at` is the first reading of the new level, see wattwell events)"
        for each in corrections
        if each.event == "accept" and (each.meter, iso(each.at)) not in jumps
    ]


def digest(path: Path) -> str | None:
    """The SHA-256 of a file, in hex; None where it cannot be read, which the back-fill then says."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _document(site: str, summary: Summary) -> dict[str, Any]:
    return {
        "site": site,
        "files": summary.files,
        "rows": summary.rows,
        "readings": summary.readings,
        "rejected": dict(summary.rejected),
        "unknown_points": dict(summary.unknown),
        "first": None if summary.first is None else iso(summary.first),
        "last": None if summary.last is None else iso(summary.last),
    }


def check_line(text: str | None, option: str) -> None:
    """UsageError for a text that the ledger cannot keep as a line: an empty one, or one that cannot be printed."""
    if text is not None and (not text.strip() or not text.isprintable()):
        raise UsageError(f"{option} {text!r} must be a line of text that can be printed")
