"""How well the detector's models describe the healthy history of a site, each by itself: ASHRAE Guideline 14-2014.

Each hour of history is forecast from hours that are APART from it (:mod:`analytics.anomaly.analogs`), so that no model
is judged by what it has learnt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.anomaly.statistics import Fit, fit_of, unacceptable
from analytics.anomaly.unjudged import unjudged
from analytics.anomaly.walk import Walk, healthy
from wattwell.model import Float64

NOTHING = 0.002
"""Share of what meters count below which their difference is nothing, and no error a share of it: the best accuracy
class of IEC 62053-22."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is expected of one stream beside what it was, by the hour, when history was last tried out on itself."""

    name: str
    kind: str
    unit: str
    space: str
    """Of drivers: load, weather, profile or plant."""
    hours: int
    """Healthy hours that it is learnt from."""
    cv_rmse: float | None
    """As a share; of energy and water that is more than nothing; None elsewhere and where not yet known."""
    nmbe: float | None
    """Likewise; positive where too little was expected."""
    rmse: float | None
    """Root mean square error of an hour, in ``unit``; None where not yet known."""
    weekly: float | None
    """Standard error of the mean of a week, in ``unit``; None where no week is known yet."""
    accepted: bool | None
    """Whether both shares are within the guideline's limits for hours; None where they are not known."""
    unjudged: str | None
    """Why it was not judged in the last day; None where it was, or rightly rests."""


def models(walk: Walk) -> tuple[Model, ...]:
    """Of every stream of a site, in their order."""
    why = unjudged(walk)
    rows = slice(max(0, walk.tried - walk.settings.memory), walk.tried)
    fit = healthy(walk, walk.tried)[rows]
    actual = np.where(fit, walk.actual[rows], np.nan)
    expected = actual - walk.error[rows]
    known = np.isfinite(walk.actual).sum(axis=0) if walk.baseline is None else walk.baseline.hours
    found = []
    for i, stream in enumerate(walk.streams):
        off = (actual - expected)[:, i]
        off = off[np.isfinite(off)]
        counted = walk.frame.sum([term for term in stream.terms if term[0] > 0])[rows]
        shares = _shares(actual[:, i], expected[:, i], counted) if stream.energy or stream.water else None
        week = 0.0 if walk.baseline is None else float(walk.baseline.weekly[i])
        found.append(
            Model(
                name=stream.name,
                kind=stream.kind,
                unit=stream.unit,
                space=stream.space,
                hours=int(known[i]),
                cv_rmse=None if shares is None else shares.cv_rmse,
                nmbe=None if shares is None else shares.nmbe,
                rmse=float(np.sqrt(np.mean(off**2))) if len(off) else None,
                weekly=week or None,
                accepted=None if shares is None else not unacceptable(shares, "hour"),
                unjudged=why.get(stream.name),
            )
        )
    return tuple(found)


def _shares(actual: Float64, expected: Float64, counted: Float64) -> Fit | None:
    """The statistics of a model; None where too little of what was counted is left to speak of shares."""
    fit, known = fit_of(actual, expected), np.isfinite(actual) & np.isfinite(counted)
    return None if fit is None or fit.mean < NOTHING * float(counted[known].mean()) else fit
