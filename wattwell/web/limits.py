"""Bounds on answers: a question for too much is refused with the remedy, where possible before it is computed."""

from __future__ import annotations

from collections.abc import Sequence

from wattwell.engine.queries import Document
from wattwell.engine.spans import parse_time
from wattwell.errors import UsageError
from wattwell.intervals import SECOND


def instant_of(text: str, zone: str) -> int | None:
    """The instant of a time as people write it; None where the engine must judge it."""
    try:
        return parse_time(text, zone)
    except UsageError:
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
