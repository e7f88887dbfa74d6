"""Columns of a data file to points: the two layouts, the same for every file format. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from collector.points import UNKNOWN, Points
from collector.scalars import NUMBER, text_numbers, time_of
from wattwell.errors import WattwellError
from wattwell.model import Bool, Float64, Int64

EXPECTED = "time,meter,value[,unit] or time,METER,METER,..."
"""The header that a data file may have."""
_SHOWN_NAMES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which column of a file holds what."""

    names: tuple[str, ...]
    time: int
    values: tuple[int, ...]
    """The columns of numbers: one in the long layout, one a meter in the wide one."""
    meter: int | None
    """The column of meter names; None in the wide layout."""
    unit: int | None

    @classmethod
    def of(cls, header: Sequence[str], path: str) -> Layout:
        """The layout that a header announces; WattwellError when it is neither."""
        names = tuple(header)
        found = ",".join(names[:_SHOWN_NAMES]) + (",..." if len(names) > _SHOWN_NAMES else "")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise WattwellError(f"{path}: the column {repeated[0]!r} stands twice; keep one of them.")
        if "time" not in names:
            raise WattwellError(f"{path}: there is no column time; found {found or 'nothing'}, expected {EXPECTED}.")
        time = names.index("time")
        if {"meter", "value"} <= set(names):
            unit = names.index("unit") if "unit" in names else None
            value = names.index("value")
            return cls(names=names, time=time, values=(value,), meter=names.index("meter"), unit=unit)
        values = tuple(position for position in range(len(names)) if position != time)
        if not values:
            raise WattwellError(f"{path}: there is no column beside time; expected {EXPECTED}.")
        return cls(names=names, time=time, values=values, meter=None, unit=None)


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one column of a file."""

    value: Float64
    form: NDArray[np.int8]
    raw: Sequence[object]
    present: Bool
    """False where the cell is empty: no reading."""


@dataclass(frozen=True, slots=True)
class Times:
    """The time column of a file."""

    at: Int64
    clock: NDArray[np.int8]


def text_times(texts: Sequence[str]) -> Times:
    """Times written as ISO 8601 with an offset or as seconds since 1970; each different text is read once."""
    known = {text: time_of(text) for text in set(texts)}
    return Times(
        np.array([known[text][0] for text in texts], dtype=np.int64),
        np.array([known[text][1] for text in texts], dtype=np.int8),
    )


def text_column(texts: Sequence[str]) -> Column:
    """Numbers written as text; an empty or blank text is no reading."""
    if "" not in texts:
        return Column(*text_numbers(texts), texts, np.ones(len(texts), dtype=np.bool_))
    present = np.array([text != "" for text in texts], dtype=np.bool_)
    value, form = np.full(len(texts), np.nan), np.full(len(texts), NUMBER, dtype=np.int8)
    value[present], form[present] = text_numbers([text for text in texts if text])
    return Column(value, form, texts, present)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileColumns:
    """Makes points of the rows of one file."""

    layout: Layout
    meters: Mapping[str, int]
    """Position in the meter table by meter id."""
    site: str
    received_at: int

    def long(self, times: Times, column: Column, names: Sequence[str], units: Sequence[str] | None) -> Points:
        """Points of rows that each name their meter."""
        rows = np.flatnonzero(column.present)
        chosen = [names[row] for row in rows.tolist()]
        meter = np.array([self.meters.get(name, UNKNOWN) for name in chosen], dtype=np.int64)
        codes: dict[str, int] = {"": 0}
        sent = [""] * len(chosen) if units is None else [units[row] for row in rows.tolist()]
        unit = np.array([codes.setdefault(name, len(codes)) for name in sent], dtype=np.int64)
        unknown = {row: (self.site, chosen[row]) for row in np.flatnonzero(meter == UNKNOWN).tolist()}
        return self._points(times, [(column, rows)], meter, unit, tuple(codes), unknown)

    def wide(self, times: Times, columns: Sequence[Column]) -> Points:
        """Points of rows that hold a value for each of several meters; meter by meter, each in file order."""
        parts = [(column, np.flatnonzero(column.present)) for column in columns]
        names = [self.layout.names[position] for position in self.layout.values]
        counts = [len(rows) for _, rows in parts]
        meter = np.repeat(np.array([self.meters.get(name, UNKNOWN) for name in names], dtype=np.int64), counts)
        starts = np.cumsum([0, *counts])
        unknown = {
            row: (self.site, name)
            for name, start, count in zip(names, starts.tolist(), counts, strict=False)
            if name not in self.meters
            for row in range(start, start + count)
        }
        return self._points(times, parts, meter, np.zeros(len(meter), dtype=np.int64), ("",), unknown)

    def _points(
        self,
        times: Times,
        parts: Sequence[tuple[Column, Int64]],
        meter: Int64,
        unit: Int64,
        units: tuple[str, ...],
        names: Mapping[int, tuple[str | None, str | None]],
    ) -> Points:
        rows = np.concatenate([chosen for _, chosen in parts])
        raw: list[object] = []
        for column, chosen in parts:
            every = len(chosen) == len(column.raw)
            raw.extend(column.raw if every else [column.raw[row] for row in chosen.tolist()])
        return Points(
            meter=meter,
            at=times.at[rows],
            clock=times.clock[rows],
            received_at=np.full(len(rows), self.received_at, dtype=np.int64),
            retained=np.zeros(len(rows), dtype=np.bool_),
            value=np.concatenate([column.value[chosen] for column, chosen in parts]),
            form=np.concatenate([column.form[chosen] for column, chosen in parts]),
            unit=unit,
            units=units,
            raw=raw,
            names=names,
        )
