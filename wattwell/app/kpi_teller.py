"""Writes the KPI values of windows that are over to a remote store, each at least once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wattwell.engine.kpi_series import KpiSeries
from wattwell.store.remote import KpiPoint

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KpiTeller:
    """What knows the KPI values, and how they are written."""

    series: KpiSeries
    write: Callable[[Sequence[KpiPoint]], Sequence[str]]
    """Returns why some were refused for good."""

    def tell(self, wall: int, monotonic: Callable[[], float]) -> bool:
        """Writes the next values; whether there were any windows. What ``write`` raises leaves them to be written."""
        pieces = self.series.take(wall)
        if not pieces:
            return False
        points = self.series.points(pieces)
        refused = self.write(points) if points else ()
        if refused:
            count = f"{len(refused)} of {len(points)}"
            _log.error("The remote store refuses %s KPI values for good: %s", count, refused[0])
        self.series.wrote(pieces, monotonic())
        return True
