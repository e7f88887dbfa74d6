"""Bounds on answers: a question for too much is refused with the remedy, where possible before it is computed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from wattwell.engine.queries import Document
from wattwell.errors import UsageError
from wattwell.intervals import SECOND, day_start, parse_iso

_LOCAL = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


def instant_of(text: str, zone: str) -> int | None:
    """The instant of an ISO time, a bare local date or a month; None where the engine must judge it."""
    try:
        if local := _LOCAL.fullmatch(text):
            return day_start(date(int(local[1]), int(local[2]), int(local[3] or 1)), zone)
        return parse_iso(text)
    except (ValueError, OverflowError):
        return None


def _too_many(count: int, limit: int) -> UsageError:
    return UsageError(
        f"the answer would hold {count:,} rows, more than {limit:,}; narrow it with 'from' and 'to', or ask for less"
    )


def check_span(site: Document, start: str | None, end: str | None, *, now: float, each: int, limit: int) -> None:
    """UsageError when [start, end) holds more than ``limit`` rows at ``each`` rows for a grid interval.

    ``now`` is seconds since the epoch and stands for an absent end. Without a start the engine chooses one.
    """
    if start is None:
        return
    low = instant_of(start, site["timezone"])
    high = int(now * SECOND) if end is None else instant_of(end, site["timezone"])
    if low is not None and high is not None:
        count = (high - low) // (int(site["grid_seconds"]) * SECOND) * each
        if count > limit:
            raise _too_many(count, limit)


def check_rows(rows: Sequence[Document], limit: int) -> None:
    """UsageError when there are more than ``limit`` rows."""
    if len(rows) > limit:
        raise _too_many(len(rows), limit)
