"""What could not be judged of late, and why: where nothing is looked at, finding nothing says nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analytics.anomaly.streams import running
from analytics.anomaly.walk import Walk

LATE = 24
"""Hours that are looked at: a stream counts as judged when half of them were."""


def unjudged(walk: Walk) -> Mapping[str, str]:
    """By name of a stream, why it was not judged in the last hours; one that is rightly at rest is not named."""
    count = len(walk.frame)
    rows = slice(max(0, count - LATE), count)
    found = {}
    for i, stream in enumerate(walk.streams):
        if np.isfinite(walk.z[rows, i]).mean() >= 0.5:
            continue
        if stream.gate and not np.mean(running(stream.gate, walk.frame)[rows]) >= 0.5:
            continue
        found[stream.name] = _why(walk, i, rows)
    return found


def _why(walk: Walk, i: int, rows: slice) -> str:
    need = walk.settings.least_history
    known = float(np.isfinite(walk.actual[:, i]).sum()) if walk.baseline is None else float(walk.baseline.hours[i])
    if np.mean(walk.masked[rows, i]) > 0.5:
        return "set aside: telemetry or maintenance"
    if np.isnan(walk.actual[rows, i]).mean() > 0.5:
        return "no values"
    if known < need:
        return f"learning: {known / 24:.0f} of {need / 24:.0f} healthy days"
    if walk.baseline is None:
        return f"learning: within {walk.settings.learn_every / 24:.0f} days"
    if np.isnan(walk.expected[rows, i]).mean() > 0.5:
        return "its weather or load is not known"
    return "unlike any hour before"
