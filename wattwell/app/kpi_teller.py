"""Writes the KPI values of windows that are over to a remote store, each at least once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from wattwell.engine.kpi_series import KpiSeries
from wattwell.store.remote import KpiPoint

_log = logging.getLogger(__name__)


def tell(
    series: KpiSeries, write: Callable[[Sequence[KpiPoint]], Sequence[str]], wall: int, monotonic: Callable[[], float]
) -> bool:
    """Writes the next values; whether there were any windows. What ``write`` raises leaves them to be written."""
    pieces = series.take(wall)
    if not pieces:
        return False
    points = series.points(pieces)
    refused = write(points) if points else ()
    if refused:
        _log.error("The remote store refuses %d of %d KPI values for good: %s", len(refused), len(points), refused[0])
    series.wrote(pieces, monotonic())
    return True
