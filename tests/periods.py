"""Periods of sites with interval values written down: what tests of reports are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analytics.report.period import PeriodData
from tests.sites import GRID, T0, Cells, cells
from wattwell.engine.period import load_period
from wattwell.intervals import Interval
from wattwell.model import Site


def a_period(
    site: Site, values: Mapping[str, Sequence[float]] | Cells, span: Interval | None = None, grid: int = GRID
) -> PeriodData:
    """A site's data over a span; without one, over all that is written down from T0 on."""
    store = values if isinstance(values, Cells) else cells(values, site.id)
    length = max(len(at) for at, _, _ in store.columns.values())
    return load_period(store, site, span or Interval(T0, T0 + length * grid), grid)  # type: ignore[arg-type]
