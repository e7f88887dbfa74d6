"""Bounds on answers: a question for too much is refused with the remedy, where possible before it is computed."""

from __future__ import annotations

from wattwell.engine.queries import Document
from wattwell.engine.spans import ROLLING, parse_time
from wattwell.errors import UsageError
from wattwell.intervals import SECOND

_DAY = 86_400
_APART = {"day": _DAY, "month": 31 * _DAY, "year": 366 * _DAY, "fiscal_year": 366 * _DAY}
"""Seconds between the starts of calendar windows."""


def instant_of(text: str, zone: str) -> int | None:
    """The instant of a time as people write it; None where the engine must judge it."""
    try:
        return parse_time(text, zone)
    except UsageError:
        return None


def windows_apart(site: Document, window: str | None) -> int | None:
    """Seconds from one window to the next, at the most; None where a span has a single one."""
    return int(site["grid_seconds"]) if window in ROLLING else _APART.get(window or "")


def rows_in(site: Document, start: str | None, end: str | None, *, now: float, each: int, step: int) -> int:
    """How many rows [start, end) holds at ``each`` rows for every ``step`` seconds.

    ``now`` is seconds since the epoch and stands for an absent end. 0 without a start, since the engine then chooses
    one, and for times that the engine must judge.
    """
    low = None if start is None else instant_of(start, site["timezone"])
    high = int(now * SECOND) if end is None else instant_of(end, site["timezone"])
    return 0 if low is None or high is None else max(high - low, 0) // (step * SECOND) * each


def check_rows(count: int, limit: int) -> None:
    """UsageError when there are, or would be, more than ``limit`` rows."""
    if count > limit:
        many = f"the answer would hold {count:,} rows, more than {limit:,}"
        raise UsageError(f"{many}; narrow it with 'from' and 'to', or ask for less")
