"""A month's figures from raw register readings, computed again with plain arithmetic: no array, no grid, no store.

What the program's reports are held against. It knows clean registers alone: no gap, no event, one reading every ten
minutes, the first and the last one on the edges of the month.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

STEP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Table:
    """Readings by meter: the dial, or the state, at each time."""

    times: Sequence[datetime]
    columns: Mapping[str, Sequence[float]]

    def dial(self, meter: str, at: datetime) -> float:
        """What a register shows at an instant, on the straight line between its neighbours."""
        place = bisect_right(self.times, at) - 1
        low, values = self.times[place], self.columns[meter]
        if low == at:
            return values[place]
        share = (at - low) / (self.times[place + 1] - low)
        return values[place] + (values[place + 1] - values[place]) * share

    def amount(self, meter: str, start: datetime, end: datetime) -> float:
        """What a register counted in [start, end)."""
        return self.dial(meter, end) - self.dial(meter, start)

    def mean(self, meter: str, start: datetime, end: datetime) -> float:
        """The time-weighted mean of a state: the trapezoids between readings that lie on both ends."""
        low, high = self.times.index(start), self.times.index(end)
        values = self.columns[meter]
        areas = [(values[place] + values[place + 1]) / 2 for place in range(low, high)]
        return sum(areas) / len(areas)


def read(*files: Path) -> Table:
    """A wide table of consecutive files; where two share a time, the later one counts."""
    rows: dict[datetime, dict[str, float]] = {}
    for file in files:
        with gzip.open(file, "rt", newline="") as lines:
            for row in csv.DictReader(lines):
                at = datetime.fromisoformat(row.pop("time"))
                rows[at] = {meter: float(cell) for meter, cell in row.items()}
    times = sorted(rows)
    return Table(times, {meter: [rows[at][meter] for at in times] for meter in rows[times[0]]})


def steps(start: datetime, end: datetime, width: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Consecutive spans of a width."""
    while start < end:
        yield start, start + width
        start += width


def utc(text: str) -> datetime:
    """An ISO time."""
    return datetime.fromisoformat(text).astimezone(UTC)
