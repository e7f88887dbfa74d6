"""Sites of a few meters with interval values written down: what KPI tests are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analytics.evaluate import Window
from tests import collecting
from tests.support import T0, a_meter
from wattwell.engine.book import KpiBook
from wattwell.intervals import DAY, MINUTE, Interval
from wattwell.model import Certificate, IntervalValues, KpiValue, Meter, Site, SiteIntervals
from wattwell.store.protocol import DaySums
from wattwell.units import CANONICAL, QuantityKind

GRID = 15 * MINUTE


def meter(id: str, role: str | None, **changes: Any) -> Meter:
    """A meter of site ``s``; water where its role says so."""
    kind = QuantityKind.WATER if role is not None and role.startswith("water") else QuantityKind.ENERGY
    return a_meter(**{"id": id, "role": role, "quantity": kind, "unit": CANONICAL[kind]} | changes)


def a_site(roles: Mapping[str, str | None], *more: Meter, **changes: Any) -> Site:
    """Site ``s`` with one meter for each id and role, and others; other fields by name."""
    meters = [*(meter(name, role) for name, role in roles.items()), *more]
    site = collecting.site(meters, id=changes.pop("id", "s"))
    return replace(site, meters={m.id: replace(m, site=site.id) for m in meters}, **changes)


def certificate(kind: str, status: str, kwh: float, start: int, end: int, *, retired: Any = None) -> Certificate:
    """A row of a certificate file."""
    return Certificate(
        id=f"{kind}-{status}", kind=kind, interval=Interval(start, end), kwh=kwh, status=status, retired_on=retired
    )


class Cells:
    """Interval values as a store would give them back."""

    def __init__(self) -> None:
        self.columns: dict[tuple[str, str], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self.kept: dict[tuple[str, int, str], bytes] = {}

    def put(
        self,
        meter: str,
        value: Sequence[float] | np.ndarray,
        measured: Sequence[float] | np.ndarray | float = 1.0,
        *,
        start: int = T0,
        grid: int = GRID,
        site: str = "s",
    ) -> None:
        """One meter's values from ``start`` on; NaN is missing."""
        column = np.array(value, dtype=np.float64)
        at = start + np.arange(len(column), dtype=np.int64) * grid
        self.columns[site, meter] = (at, column, np.broadcast_to(np.array(measured, dtype=np.float64), column.shape))

    def intervals(self, site: str, meters: Sequence[str], start: int, end: int) -> SiteIntervals:
        """See ``ReadingStore.intervals``."""
        known = [name for name in meters if (site, name) in self.columns]
        parts: list[tuple[np.ndarray, ...]] = []
        for place, name in enumerate(known):
            at, value, measured = self.columns[site, name]
            chosen = (at >= start) & (at < end) & ~np.isnan(value)
            parts.append((np.full(int(chosen.sum()), place), at[chosen], value[chosen], measured[chosen]))
        nothing = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
        where, at, value, measured = (np.concatenate(column) for column in zip(nothing, *parts, strict=True))
        recovered = np.zeros(len(at), dtype=np.bool_)
        values = IntervalValues(start=at, value=value, measured=measured, recovered=recovered)
        return SiteIntervals(meters=tuple(known), meter=where, values=values)

    def day_sums(self, site: str, digest: str, start: int, end: int) -> Mapping[int, bytes]:
        """See ``ReadingStore.day_sums``."""
        days = range(start, end, DAY)
        return {day: self.kept[site, day, digest] for day in days if (site, day, digest) in self.kept}

    def keep_day_sums(self, kept: Sequence[DaySums]) -> None:
        """See ``ReadingStore.keep_day_sums``; nothing is dropped by itself."""
        self.kept |= {(each.site, each.day, each.digest): each.sums for each in kept}


def cells(values: Mapping[str, Sequence[float]], site: str = "s") -> Cells:
    """Measured values of several meters from T0 on."""
    made = Cells()
    for name, column in values.items():
        made.put(name, column, site=site)
    return made


def book(store: Cells, *sites: Site, **changes: Any) -> KpiBook:
    """A book over these sites."""
    return KpiBook(replace(collecting.config(*sites), **changes), store)


def kpi(
    site: Site, values: Mapping[str, Sequence[float]] | Cells, name: str, window: str | None = None, **changes: Any
) -> KpiValue:
    """One KPI over all of the values that are written down, from T0 on."""
    store = values if isinstance(values, Cells) else cells(values, site.id)
    length = max(len(at) for at, _, _ in store.columns.values())
    grid = changes.get("grid", GRID)
    span = Window(name=window, interval=Interval(T0, T0 + length * grid))
    return book(store, site, **changes).value(site.id, name, span)


def codes(value: KpiValue) -> list[str]:
    """The codes of a value's issues."""
    return [issue.code for issue in value.issues]


__all__ = ["DAY", "GRID", "T0", "Cells", "a_site", "book", "cells", "certificate", "codes", "kpi", "meter"]
