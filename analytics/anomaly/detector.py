"""The detector of one site: walks through its hours once, in order, and knows in each only what was known by then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from analytics.anomaly.baseline import Baseline, judge, learn
from analytics.anomaly.causes import CAUSES, Cause, explains, shown
from analytics.anomaly.change import change_point
from analytics.anomaly.frame import Frame
from analytics.anomaly.settings import Settings
from analytics.anomaly.streams import Stream, it_terms, streams
from wattwell.intervals import HOUR
from wattwell.model import Bool, Float64, Site


@dataclass(slots=True)
class Track:
    """One stream's CUSUM, in both directions."""

    up: float = 0.0
    down: float = 0.0
    up_since: int = -1
    down_since: int = -1


@dataclass(slots=True)
class Episode:
    """A stream that has departed from what is expected."""

    stream: int
    sign: int
    onset: int
    """Hour at which it began, from the start of the frame."""
    detected: int
    end: int | None = None
    """First hour at which it was gone, once that is known."""
    closed: int | None = None
    """Hour at which the end was known."""
    placed: bool = False
    """Whether it belongs to a case, or was judged to be none."""


@dataclass(slots=True)
class Case:
    """One cause at work: the episodes that show it."""

    cause: int
    """Position in CAUSES."""
    episodes: list[Episode]
    detected: int
    """Hour after which it was known."""
    leading: int
    """The stream that tells it best."""
    ratio: Float64
    """By stream: what the plant drew of late beside what was expected, before the case."""
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


@dataclass(slots=True)
class Walk:
    """Everything the walk knows so far."""

    site: Site
    frame: Frame
    streams: tuple[Stream, ...]
    settings: Settings
    actual: Float64
    expected: Float64
    sigma: Float64
    z: Float64
    masked: Bool
    """Hours that telemetry faults or maintenance make unfit, (hours, streams)."""
    tracks: list[Track]
    unplaced: list[Episode] = field(default_factory=list)
    """Episodes of which nobody has said yet what they are a symptom of."""
    cases: list[Case] = field(default_factory=list)
    baseline: Baseline | None = None
    it: Float64 = field(default_factory=lambda: np.empty(0))
    active: list[Episode | None] = field(default_factory=list)


def begin(site: Site, frame: Frame, settings: Settings, masked: Bool | None = None) -> Walk:
    """Before the first hour."""
    watched = tuple(stream for stream in streams(site) if stream.kind != "overhead")
    shape = (len(frame), len(watched))
    blank = lambda: np.full(shape, np.nan)  # noqa: E731
    return Walk(
        site=site, frame=frame, streams=watched, settings=settings, actual=blank(), expected=blank(), sigma=blank(),
        z=blank(), masked=np.zeros(shape, dtype=np.bool_) if masked is None else masked,
        tracks=[Track() for _ in watched], it=frame.sum(it_terms(site)), active=[None for _ in watched],
    )  # fmt: skip


def run(walk: Walk, watch: Callable[[int, int], None] | None = None) -> Walk:
    """From the first hour to the last."""
    edges = learnings(walk.frame, walk.settings)
    for low, high in zip(edges, [*edges[1:], len(walk.frame)], strict=True):
        past = slice(max(0, low - walk.settings.memory), low)
        walk.baseline = learn(walk.streams, walk.frame.part(past), healthy(walk, low)[past], walk.settings)
        _judge(walk, low, high)
        for hour in range(low, high):
            step(walk, hour)
    return walk


def learnings(frame: Frame, settings: Settings) -> list[int]:
    """Hours of the frame at which everything is learnt anew."""
    at = frame.start // HOUR
    first = int(at[0]) + settings.least_history
    first += -first % settings.learn_every
    return [int(hour - at[0]) for hour in range(first, int(at[-1]) + 1, settings.learn_every)]


def healthy(walk: Walk, upto: int) -> Bool:
    """Which of the hours before ``upto`` may be learnt from, as far as is known by then."""
    fit = ~walk.masked[:upto]
    for case in walk.cases:
        if case.detected > upto:
            continue
        end = case.end
        stop = upto if end is None else min(upto, end + walk.settings.settle)
        for i, stream in enumerate(walk.streams):
            if explains(CAUSES[case.cause], stream.kind) or any(e.stream == i for e in case.episodes):
                fit[case.start : stop, i] = False
    return fit


def _judge(walk: Walk, low: int, high: int) -> None:
    assert walk.baseline is not None  # noqa: S101
    rows = slice(low, high)
    found = judge(walk.baseline, walk.streams, walk.frame.part(rows), walk.settings)
    walk.actual[rows], walk.expected[rows], walk.sigma[rows] = found.actual, found.expected, found.sigma
    walk.z[rows] = np.where(walk.masked[rows], np.nan, found.z)


# -- one hour ----------------------------------------------------------------------------------------------------------


def step(walk: Walk, hour: int) -> None:
    """Takes in one hour."""
    z = walk.z[hour]
    for i in range(len(walk.streams)):
        episode = walk.active[i]
        if episode is None:
            _sum(walk, i, hour, z[i])
        else:
            _close(walk, episode, hour)
    for episode in walk.unplaced:
        _place(walk, episode, hour)
    walk.unplaced = [episode for episode in walk.unplaced if not episode.placed]


def _sum(walk: Walk, i: int, hour: int, z: float) -> None:
    """The stream's CUSUM takes one hour; above its limit an episode begins."""
    if np.isnan(z):
        return
    assert walk.baseline is not None  # noqa: S101
    limits, track = walk.baseline.limits[i], walk.tracks[i]
    track.up = max(0.0, track.up + z - limits.allowance)
    track.down = max(0.0, track.down - z - limits.allowance)
    track.up_since = -1 if track.up == 0 else hour if track.up_since < 0 else track.up_since
    track.down_since = -1 if track.down == 0 else hour if track.down_since < 0 else track.down_since
    if track.up > limits.high or track.down > limits.low:
        sign = 1 if track.up > limits.high else -1
        onset = track.up_since if sign > 0 else track.down_since
        episode = Episode(stream=i, sign=sign, onset=onset, detected=hour)
        walk.unplaced.append(episode)
        walk.active[i] = episode
        walk.tracks[i] = Track()


def _close(walk: Walk, episode: Episode, hour: int) -> None:
    """Ends an episode once its departure has been gone for a while, or can no longer be seen."""
    settings = walk.settings
    z = walk.z[episode.onset : hour + 1, episode.stream] * episode.sign
    known = np.flatnonzero(~np.isnan(z))
    if not len(known) or len(z) - known[-1] > settings.unseen:
        _end(walk, episode, episode.onset + (int(known[-1]) + 1 if len(known) else 0), hour)
        return
    late, before = known[-settings.close_window :], known[: -settings.close_window]
    if len(late) < settings.close_window or known[-1] != len(z) - 1:
        return
    if hour - episode.detected < settings.close_window // 2:
        return
    level = float(z[before].mean()) if len(before) else settings.clip
    if z[late].mean() < max(settings.close_least, settings.close_share * level):
        span = known[-3 * settings.close_window :]
        point = change_point(z[span], 1, len(span), kind="step")
        last = len(z) - settings.close_window if point is None else int(span[point.at])
        _end(walk, episode, max(episode.onset + last, episode.onset + 1), hour)


def _end(walk: Walk, episode: Episode, end: int, hour: int) -> None:
    episode.end, episode.closed = end, hour
    walk.active[episode.stream] = None
    walk.tracks[episode.stream] = Track()


# -- why -----------------------------------------------------------------------------------------------------------------


def _place(walk: Walk, episode: Episode, hour: int) -> None:
    """Says what an episode is a symptom of; one that nobody can place is let go when it ends."""
    episode.placed = episode.closed is not None
    stream = walk.streams[episode.stream]
    for case in walk.cases:
        if _belongs(walk, case, episode):
            _join(walk, case, episode)
            return
    if stream.waste not in (0, episode.sign) or not _material(walk, episode, hour):
        return
    number = _cause(walk, episode, hour)
    if number is None:
        return
    told = shown(CAUSES[number], stream.kind, episode.sign)
    if told and CAUSES[number].patient and hour - episode.detected < walk.settings.patience and not episode.placed:
        return
    case = Case(cause=number, episodes=[], detected=hour, leading=episode.stream, ratio=_ratios(walk, episode.onset))
    walk.cases.append(case)
    _join(walk, case, episode)


def _join(walk: Walk, case: Case, episode: Episode) -> None:
    episode.placed = True
    case.episodes.append(episode)
    if shown(CAUSES[case.cause], walk.streams[episode.stream].kind, episode.sign):
        case.telling.append(episode)


def _belongs(walk: Walk, case: Case, episode: Episode) -> bool:
    """Whether a case at work explains an episode, or one that is over so lately that it is at work again."""
    kind, cause, end = walk.streams[episode.stream].kind, CAUSES[case.cause], case.end
    if shown(cause, kind, episode.sign):
        return end is None or episode.onset - end <= walk.settings.reopen
    return kind in cause.moves and (end is None or episode.onset < end)


def _cause(walk: Walk, episode: Episode, hour: int) -> int | None:
    """The most upstream cause that shows and explains the episode."""
    kind = walk.streams[episode.stream].kind
    for number, cause in enumerate(CAUSES):
        if shown(cause, kind, episode.sign):
            return number
        if kind in cause.moves and any(_shows(walk, one, way, episode, hour) for one, way in cause.shown_by):
            return number
    return None


def _shows(walk: Walk, kind: str, way: int, episode: Episode, hour: int) -> bool:
    """Whether streams of a kind have departed too, by now."""
    since = max(episode.onset, hour - 23)
    for i, stream in enumerate(walk.streams):
        if stream.kind != kind:
            continue
        active = walk.active[i]
        if active is not None and way in (0, active.sign):
            return True
        z = walk.z[since : hour + 1, i]
        known = ~np.isnan(z)
        if known.sum() < 2:
            continue
        mean = float(z[known].mean())
        off = float((walk.actual[since : hour + 1, i] - walk.expected[since : hour + 1, i])[known].mean())
        if abs(mean) > 2.5 and way in (0, np.sign(mean)) and abs(off) >= stream.floor:
            return True
    return False


def _material(walk: Walk, episode: Episode, hour: int) -> bool:
    """Whether a departure is large enough to matter."""
    settings, stream = walk.settings, walk.streams[episode.stream]
    rows = slice(episode.onset, hour + 1)
    known = ~np.isnan(walk.z[rows, episode.stream])
    off = float((walk.actual[rows, episode.stream] - walk.expected[rows, episode.stream])[known].mean())
    usual = float(np.abs(walk.expected[rows, episode.stream][known]).mean())
    if stream.energy:
        return abs(off) >= max(settings.least_of_it * float(np.nanmean(walk.it[: hour + 1])), settings.least_share * usual)
    if stream.water:
        return abs(off) >= max(settings.least_water, settings.least_share * usual)
    return abs(off) >= stream.floor


def _ratios(walk: Walk, onset: int) -> Float64:
    """By stream: actual over expected in the weeks before, drawn towards 1."""
    rows = slice(max(0, onset - walk.settings.calibrate), onset)
    known = ~np.isnan(walk.z[rows]) & healthy(walk, onset)[rows]
    actual = np.where(known, walk.actual[rows], 0.0).sum(axis=0)
    expected = np.where(known, walk.expected[rows], 0.0).sum(axis=0)
    usual = 4 * 24 * np.abs(np.nanmean(np.where(np.isnan(walk.expected[:onset]), 0.0, walk.expected[:onset]), axis=0))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (actual + usual) / (expected + usual)
    return np.clip(np.nan_to_num(ratio, nan=1.0), 0.9, 1.1)


# -- how much ------------------------------------------------------------------------------------------------------------


def excess(walk: Walk, case: Case, until: int, pick: Callable[[Stream], bool]) -> float:
    """kWh or litres beyond expectation, over the streams that the case moves."""
    cause = CAUSES[case.cause]
    end = case.end
    stop = until if end is None else min(until, end + walk.settings.settle)
    rows = slice(case.start, stop)
    own = {episode.stream for episode in case.episodes}
    total = 0.0
    for i, stream in enumerate(walk.streams):
        if not pick(stream) or not (i in own or explains(cause, stream.kind)) or _stands_in(walk, cause, stream):
            continue
        if i not in own and any(_claims(other, i, case.start, stop) for other in walk.cases if other is not case):
            continue
        total += _sum_of(walk, case, rows, i, i in own)
    return total


def _claims(case: Case, stream: int, start: int, stop: int) -> bool:
    """Whether a case at work at that time counts a stream as its own."""
    end = case.end
    return case.start < stop and (end is None or end > start) and any(e.stream == stream for e in case.episodes)


def _stands_in(walk: Walk, cause: Cause, stream: Stream) -> bool:
    """Whether another stream counts the same machine."""
    if stream.kind == "chiller_curve":
        return cause.counts != "chiller_curve"
    return stream.kind == "chiller" and cause.counts == "chiller_curve"


def _sum_of(walk: Walk, case: Case, rows: slice, i: int, own: bool) -> float:
    known = ~np.isnan(walk.actual[rows, i]) & ~np.isnan(walk.expected[rows, i])
    off = (walk.actual[rows, i] - case.ratio[i] * walk.expected[rows, i])[known]
    if not own and len(off):
        mean = float(walk.z[rows, i][known & ~np.isnan(walk.z[rows, i])].mean()) if (~np.isnan(walk.z[rows, i])).any() else 0.0
        if abs(mean) < 0.3:
            return 0.0
    return float(off.sum())


def sequence(found: Sequence[Case]) -> list[Case]:
    """Cases by the time they were known."""
    return sorted(found, key=lambda case: case.detected)
