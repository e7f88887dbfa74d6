"""What is known on a walk through a site's hours: the hours themselves, departures from them, and the cases they show.

Hours count from the start of the frame. What is learnt leaves out the hours of cases, so that a fault never becomes the
norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analytics.anomaly.baseline import Baseline, columns
from analytics.anomaly.causes import CAUSES, explains
from analytics.anomaly.frame import Frame
from analytics.anomaly.settings import Settings
from analytics.anomaly.streams import Stream, inputs, it_terms, streams
from analytics.anomaly.telemetry import Fault, faults
from wattwell.finding import Feedback
from wattwell.intervals import HOUR
from wattwell.model import Bool, Float64, Int64, Maintenance, MeterEvent, Site


@dataclass(slots=True)
class Episode:
    """A stream that has departed from what is expected; hours count from the start of the frame."""

    stream: int
    sign: int
    onset: int
    """Hour at which it began."""
    detected: int
    end: int | None = None
    """First hour at which it was gone, once that is known."""
    closed: int | None = None
    """Hour at which the end was known."""
    lost: bool = False
    """Whether it ended because it could no longer be seen."""
    placed: bool = False
    """Whether it belongs to a case, or is over without one."""


@dataclass(slots=True)
class Case:
    """One cause at work, and the episodes that show it."""

    cause: int
    """Position in CAUSES."""
    detected: int
    """Hour after which it was known."""
    first: int
    """The stream that it was known by: it stays, whatever cause is told later."""
    ratio: Float64
    """By stream: what the plant drew in the weeks before, beside what was expected."""
    episodes: list[Episode] = field(default_factory=list)
    telling: list[Episode] = field(default_factory=list)
    """Those that show the cause by themselves: from when until when it was at work."""

    @property
    def start(self) -> int:
        """First hour."""
        return min(episode.onset for episode in self.telling or self.episodes)

    @property
    def end(self) -> int | None:
        """First hour at which all was well again; None while it goes on."""
        ends = [episode.end for episode in self.telling or self.episodes]
        return None if None in ends else max(end for end in ends if end is not None)

    def ended_by(self, hour: int) -> int | None:
        """The end as far as it was known by an hour."""
        closed = [episode.closed for episode in self.telling or self.episodes if episode.detected < hour]
        return self.end if all(at is not None and at < hour for at in closed) else None

    def own(self) -> set[int]:
        """The streams that show it."""
        return {episode.stream for episode in self.episodes}


@dataclass(slots=True)
class Sums:
    """The CUSUMs of all streams, in both directions, and the hours at which they left zero."""

    up: Float64
    down: Float64
    up_since: Int64
    down_since: Int64


@dataclass(frozen=True, slots=True)
class Mark:
    """What was known before an hour, to go back to."""

    hour: int
    lasting: bool
    tried: int
    baseline: Baseline | None
    moving: tuple[Sums, list[Episode | None], list[Episode], list[Case], list[Episode]]


@dataclass(frozen=True, slots=True)
class Overwritten:
    """The errors that a try-out put others in place of."""

    hour: int
    """At which history was tried out."""
    first: int
    error: Float64
    """(hours from ``first``, streams)"""
    standard: Float64


@dataclass(slots=True)
class Walk:
    """Everything that is known so far."""

    site: Site
    frame: Frame
    streams: tuple[Stream, ...]
    settings: Settings
    actual: Float64
    """(hours, streams), like the next five."""
    expected: Float64
    sigma: Float64
    z: Float64
    error: Float64
    """Of forecasts, as History has it."""
    standard: Float64
    masked: Bool
    """Hours that telemetry faults or maintenance make unfit."""
    it: Float64
    """IT load, kW."""
    telemetry: list[Fault]
    sums: Sums
    active: list[Episode | None]
    """By stream: the episode that goes on."""
    unplaced: list[Episode] = field(default_factory=list)
    """Of which nobody has said yet what they are a symptom of."""
    cases: list[Case] = field(default_factory=list)
    lulls: list[Episode] = field(default_factory=list)
    """What goes by the clock and draws less than it does: a holiday is not learnt from, a new way of working is."""
    baseline: Baseline | None = None
    feedback: tuple[Feedback, ...] = ()
    """What operators call no news: neither found again nor kept from being learnt."""
    hour: int = 0
    """All hours before it are judged."""
    tried: int = 0
    """Hour at which history was last tried out on itself."""
    marks: list[Mark] = field(default_factory=list)
    overwritten: list[Overwritten] = field(default_factory=list)
    """Since the first mark."""

    def instant(self, hour: int) -> int:
        """When an hour of the walk starts, microseconds UTC."""
        return int(self.frame.start[0]) + hour * HOUR


def begin(
    site: Site,
    frame: Frame,
    settings: Settings,
    events: Sequence[MeterEvent] = (),
    maintenance: Sequence[Maintenance] = (),
    feedback: Sequence[Feedback] = (),
) -> Walk:
    """Before the first hour."""
    watched = tuple(stream for stream in streams(site) if stream.kind != "overhead" or not _submetered(site))
    found, aside = faults(frame, events)
    actual = columns(watched, frame)
    blank = [np.full(actual.shape, np.nan) for _ in range(5)]
    count = len(watched)
    return Walk(
        site=site,
        frame=frame,
        streams=watched,
        settings=settings,
        actual=actual,
        expected=blank[0],
        sigma=blank[1],
        z=blank[2],
        error=blank[3],
        standard=blank[4],
        masked=_masked(site, frame, watched, aside, maintenance),
        it=frame.sum(it_terms(site)),
        telemetry=found,
        sums=Sums(np.zeros(count), np.zeros(count), np.full(count, -1), np.full(count, -1)),
        active=[None] * count,
        feedback=tuple(feedback),
    )


def _submetered(site: Site) -> bool:
    """Whether the plant is metered by parts: then the sum of all that is not IT tells nothing more."""
    return any(stream.kind in ("chiller", "fan", "pump", "tower", "unmetered") for stream in streams(site))


def _masked(
    site: Site, frame: Frame, watched: Sequence[Stream], aside: dict[str, Bool], maintenance: Sequence[Maintenance]
) -> Bool:
    found = np.zeros((len(frame), len(watched)), dtype=np.bool_)
    for i, stream in enumerate(watched):
        for meter in inputs(stream, site):
            if meter in aside:
                found[:, i] |= aside[meter]
        for window in maintenance:
            if window.equipment in (None, stream.equipment):
                found[:, i] |= (frame.start + HOUR > window.start) & (frame.start < window.end)
    return found


def learnings(frame: Frame, settings: Settings) -> list[int]:
    """Hours of the frame at which everything is learnt anew."""
    if not len(frame):
        return []
    at = frame.start // HOUR
    first = int(at[0]) + settings.least_history
    first += -first % settings.learn_every
    return [int(hour - at[0]) for hour in range(first, int(at[-1]) + 1, settings.learn_every)]


def healthy(walk: Walk, upto: int) -> Bool:
    """Which of the hours before ``upto`` may be learnt from, as far as is known by then."""
    fit = ~walk.masked[:upto]
    for case in walk.cases:
        if case.detected >= upto or quiet(walk, case, upto, for_good=True):
            continue
        end = case.ended_by(upto)
        stop = upto if end is None else min(upto, end + walk.settings.settle)
        cause, own = CAUSES[case.cause], case.own()
        for i, stream in enumerate(walk.streams):
            if i in own or explains(cause, stream.kind):
                fit[case.start : stop, i] = False
    for episode in walk.lulls:
        stop = upto if episode.end is None or (episode.closed or 0) >= upto else episode.end
        if episode.detected < upto and stop - episode.onset < walk.settings.lull:
            fit[episode.onset : stop, episode.stream] = False
    return fit


def healthy_meters(walk: Walk, upto: int) -> dict[str, Bool]:
    """The same by meter: fit in the hours in which every stream that it shows in is."""
    fit = healthy(walk, upto)
    found = {name: np.ones(upto, dtype=np.bool_) for name in walk.frame.value}
    for i, stream in enumerate(walk.streams):
        for meter in stream.meters:
            found[meter] &= fit[:, i]
    return found


def quiet(walk: Walk, case: Case, hour: int, for_good: bool = False) -> bool:
    """Whether operators had called a case no news by an hour; ``for_good``: so that it is the norm from then on."""
    where, family = equipment_of(walk, case), CAUSES[case.cause].family
    said = [each for each in walk.feedback if each.quiets(family, where, walk.instant(hour))]
    return any(not for_good or each.status == "dismissed" or each.until is None for each in said)


def equipment_of(walk: Walk, case: Case) -> str | None:
    """What a case is at: the equipment of the streams that tell it, three at most."""
    streams_of = dict.fromkeys(episode.stream for episode in case.telling or case.episodes)
    names = list(dict.fromkeys(name for i in streams_of if (name := walk.streams[i].equipment)))
    return ", ".join(names[:3]) if names else None
