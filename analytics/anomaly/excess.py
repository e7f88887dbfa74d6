"""How much a case draws beyond expectation, and which streams it answers for."""

from __future__ import annotations

import numpy as np

from analytics.anomaly.causes import CAUSES, explains
from analytics.anomaly.walk import Case, Walk, healthy
from wattwell.model import Float64


def ratios(walk: Walk, onset: int) -> Float64:
    """By stream: actual over expected in the weeks before, drawn towards 1 where little is known."""
    rows = slice(max(0, onset - walk.settings.calibrate), onset)
    known = healthy(walk, onset)[rows] & ~np.isnan(walk.z[rows])
    actual = np.where(known, walk.actual[rows], 0.0).sum(axis=0)
    expected = np.where(known, walk.expected[rows], 0.0).sum(axis=0)
    usual = walk.settings.draw * np.abs(np.nan_to_num(walk.actual[rows])).mean(axis=0) if onset else np.zeros(0)
    total = expected + usual
    ratio = np.where(total > 0, (actual + usual) / np.where(total > 0, total, 1.0), 1.0)
    return np.clip(ratio, 1 - walk.settings.ratio_most, 1 + walk.settings.ratio_most)


def moved(walk: Walk, case: Case, stop: int) -> list[int]:
    """The streams whose excess a case answers for, each machine once, none that another case at that time shows."""
    cause, own = CAUSES[case.cause], case.own()
    found = []
    for i, stream in enumerate(walk.streams):
        if not (i in own or explains(cause, stream.kind)) or (stream.kind == "overhead" and len(own) > 1):
            continue
        if stream.kind in ("chiller", "chiller_curve") and (stream.kind == "chiller_curve") != _by_curve(walk, case):
            continue
        if i in own or not any(_claims(other, i, case.start, stop) for other in walk.cases if other is not case):
            found.append(i)
    return found


def _by_curve(walk: Walk, case: Case) -> bool:
    """Whether a chiller's excess is what it draws beyond its own curve, rather than beyond the weather's."""
    has_curve = any(stream.kind == "chiller_curve" for stream in walk.streams)
    return has_curve and CAUSES[case.cause].counts == "chiller_curve"


def _claims(case: Case, stream: int, start: int, stop: int) -> bool:
    end = case.end
    return case.start < stop and (end is None or end > start) and stream in case.own()


def off_by(walk: Walk, case: Case, stream: int, rows: slice) -> float | None:
    """kWh or litres of one stream beyond expectation; None where it is not known, or not in the case's favour.

    A stream that shows no departure of its own counts only where it is off on average: sums of nothing are noise.
    """
    known = ~np.isnan(walk.actual[rows, stream]) & ~np.isnan(walk.expected[rows, stream]) & ~walk.masked[rows, stream]
    if not known.any():
        return None
    if stream not in case.own() and walk.streams[stream].kind != CAUSES[case.cause].counts:
        z = walk.z[rows, stream]
        z = z[~np.isnan(z)]
        if not len(z) or abs(float(z.mean())) < walk.settings.goes_along:
            return None
    mean = float((walk.actual[rows, stream] - case.ratio[stream] * walk.expected[rows, stream])[known].mean())
    # A machine that does not run draws nothing; a meter that is missing goes on as it was.
    return mean * int(known.sum() if walk.streams[stream].gate else len(known))
