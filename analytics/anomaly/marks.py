"""Places on a walk to go back to when data change, and the same walk over more hours."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

from analytics.anomaly.frame import Frame
from analytics.anomaly.walk import Mark, Overwritten, Walk, begin
from wattwell.model import Maintenance, MeterEvent


def about_to_try_out(walk: Walk, hour: int) -> None:
    """Notes what the coming try-out overwrites, for as long as the walk may be taken back to before it."""
    walk.tried = hour
    first = max(0, hour - walk.settings.memory)
    before = Overwritten(hour, first, walk.error[first:hour].copy(), walk.standard[first:hour].copy())
    walk.overwritten = [each for each in walk.overwritten if each.hour >= walk.marks[0].hour] + [before]


def keep(walk: Walk, lasting: bool) -> None:
    """Marks the place: the last days, and every learning within the span in which data may come late."""
    moving = copy.deepcopy((walk.sums, walk.active, walk.unplaced, walk.cases, walk.lulls))
    kept = [mark for mark in walk.marks if mark.lasting][-walk.settings.marks :]
    daily = [mark for mark in walk.marks if not mark.lasting][-walk.settings.marks :]
    baseline = walk.baseline
    if lasting and baseline is not None:  # what follows is learnt anew, from its limits and errors
        baseline = replace(baseline, groups=())
    mark = Mark(walk.hour, lasting, walk.tried, baseline, moving)
    walk.marks = sorted([*kept, *daily, mark], key=lambda each: each.hour)


def rewind(walk: Walk, hour: int) -> bool:
    """Goes back to the last mark before an hour whose data have changed; False where none is kept."""
    marks = [mark for mark in walk.marks if mark.hour <= hour]
    if not marks:
        return False
    mark = marks[-1]
    walk.hour, walk.tried, walk.baseline = mark.hour, mark.tried, mark.baseline
    walk.sums, walk.active, walk.unplaced, walk.cases, walk.lulls = copy.deepcopy(mark.moving)
    walk.marks = marks[:-1] if mark.lasting else marks
    for each in reversed([each for each in walk.overwritten if each.hour > mark.tried]):
        walk.error[each.first : each.hour], walk.standard[each.first : each.hour] = each.error, each.standard
    walk.overwritten = [each for each in walk.overwritten if each.hour <= mark.tried]
    return True


def extended(
    walk: Walk, frame: Frame, events: Sequence[MeterEvent] = (), maintenance: Sequence[Maintenance] = ()
) -> Walk:
    """The same walk over a frame that begins with the same hour: with further hours, or other ones from its hour on."""
    longer = begin(walk.site, frame, walk.settings, events, maintenance, walk.feedback)
    done = walk.hour
    for name in ("expected", "sigma", "z", "error", "standard"):
        getattr(longer, name)[:done] = getattr(walk, name)[:done]
    for name in ("sums", "active", "unplaced", "cases", "lulls", "baseline", "hour", "tried", "marks", "overwritten"):
        setattr(longer, name, getattr(walk, name))
    return longer
