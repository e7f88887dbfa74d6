"""Which of two readings at the same (meter, time) counts (METERING, Late, repeated, wrong). Pure.

An accepted reading outranks one rejected for its value (NaN). Of two different accepted ones the later arrival counts
and the other is a conflict; an equal amount, or one already overruled, is a repetition. So any number of deliveries,
in any split into batches, end in the same readings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wattwell.model import Bool, Float64, Int64

Overruled = Callable[[int, int, float], bool]
"""(series, time, value) -> whether that value has lost a conflict before."""


class Row(NamedTuple):
    """One reading."""

    series: int
    at: int
    received: int
    value: float
    arrival: bool


Stored = Callable[[Mapping[str, NDArray[Any]]], Mapping[tuple[int, int], Row]]
"""Columns ``series`` and ``t`` -> the stored reading of each that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Readings as columns of equal length, in order of arrival."""

    series: Int64
    at: Int64
    received: Int64
    value: Float64
    arrival: Bool

    def __len__(self) -> int:
        return len(self.at)

    def select(self, which: Bool | Int64) -> Rows:
        """The rows of a mask or of positions."""
        return Rows(
            series=self.series[which],
            at=self.at[which],
            received=self.received[which],
            value=self.value[which],
            arrival=self.arrival[which],
        )

    def rows(self) -> Iterator[Row]:
        """One by one."""
        columns = (self.series, self.at, self.received, self.value, self.arrival)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield Row(*row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a batch comes to."""

    added: Rows
    """To be stored."""
    replaced: Rows
    """Of those, the ones whose (series, at) is stored already and must go first."""
    conflicts: tuple[Row, ...]
    """Readings that lost against a later arrival."""
    repeated: int


def equal(one: float, other: float) -> bool:
    """The same amount, whatever unit it was sent in: apart by no more than conversion rounds off."""
    return bool(abs(one - other) <= 1e-12 * max(abs(one), abs(other)) + 1e-13)


def merge(rows: Rows, latest: Int64, stored: Stored, overruled: Overruled) -> Merged:
    """Merges a batch with what is stored; ``latest`` is the latest stored time of each series."""
    order = np.lexsort((np.arange(len(rows)), rows.at, rows.series))
    series, at = rows.series[order], rows.at[order]
    same = np.zeros(len(rows), dtype=np.bool_)
    same[1:] = (series[1:] == series[:-1]) & (at[1:] == at[:-1])
    repeated_key = same.copy()
    repeated_key[:-1] |= same[1:]
    open_rows = np.zeros(len(rows), dtype=np.bool_)
    open_rows[order] = repeated_key | (at <= latest[series])
    if not open_rows.any():
        return Merged(added=rows, replaced=rows.select(open_rows), conflicts=(), repeated=0)
    return _merge_open(rows, np.flatnonzero(open_rows), open_rows, stored, overruled)


def _merge_open(rows: Rows, positions: Int64, open_rows: Bool, stored: Stored, overruled: Overruled) -> Merged:
    """Rows that meet another of the same key, in the batch or in the store, one by one in order of arrival."""
    candidates = rows.select(positions)
    there = stored({"series": candidates.series, "t": candidates.at})
    current: dict[tuple[int, int], tuple[Row, int | None]] = {key: (row, None) for key, row in there.items()}
    conflicts: list[Row] = []
    lost: dict[tuple[int, int], list[float]] = {}
    repeated = 0
    for position, row in zip(positions.tolist(), candidates.rows(), strict=True):
        key = (row.series, row.at)
        before = current[key][0] if key in current else None
        if before is None or (np.isnan(before.value) and not np.isnan(row.value)):
            current[key] = (row, position)
        elif _repeats(row.value, [before.value, *lost.get(key, ())]) or overruled(*key, row.value):
            repeated += 1
        else:
            conflicts.append(before)
            lost.setdefault(key, []).append(before.value)
            current[key] = (row, position)
    winners = np.array(sorted(p for _, p in current.values() if p is not None), dtype=np.int64)
    keep = ~open_rows
    keep[winners] = True
    chosen = rows.select(winners)
    replaced = np.array(
        [key in there for key in zip(chosen.series.tolist(), chosen.at.tolist(), strict=True)], dtype=bool
    )
    return Merged(
        added=rows.select(keep), replaced=chosen.select(replaced), conflicts=tuple(conflicts), repeated=repeated
    )


def _repeats(value: float, known: Iterable[float]) -> bool:
    return bool(np.isnan(value)) or any(equal(each, value) for each in known)
