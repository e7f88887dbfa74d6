"""The detector of one site: walks through its hours once, in order, and knows in each only what was known by then.

Each hour is compared with what like hours had (:mod:`analytics.anomaly.baseline`). A stream that departs for long
enough begins an *episode*; an episode is a symptom of a *case*, the fault at work, or begins one. What is learnt leaves
out the hours of cases, so that a fault never becomes the norm.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analytics.anomaly.baseline import Baseline, History, columns, judge, learn
from analytics.anomaly.causes import CAUSES, METERING, Cause, explains, shown
from analytics.anomaly.change import change_point
from analytics.anomaly.frame import Frame
from analytics.anomaly.settings import Settings
from analytics.anomaly.streams import RUNNING, Stream, inputs, it_terms, streams
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


def run(walk: Walk) -> Walk:
    """Through every hour that it has not been through."""
    edges = learnings(walk.frame, walk.settings)
    if not edges:
        return walk
    walk.hour = max(walk.hour, edges[0])
    for low, high in zip(edges, [*edges[1:], len(walk.frame)], strict=True):
        if high <= walk.hour:
            continue
        if walk.hour == low:
            anew = walk.baseline is None or low >= min(walk.tried + walk.settings.try_every, int(walk.tried * 1.3))
            _keep(walk, lasting=True)
            if anew:
                _try_out(walk, low)
            _learn(walk, low, anew)
        _judge(walk, walk.hour, high)
        while walk.hour < high:
            if walk.hour % 24 == 0:
                _keep(walk, lasting=False)
            step(walk, walk.hour)
            walk.hour += 1
    return walk


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


def _try_out(walk: Walk, hour: int) -> None:
    """Notes what the coming try-out overwrites, for as long as the walk may be taken back to before it."""
    walk.tried = hour
    first = max(0, hour - walk.settings.memory)
    before = Overwritten(hour, first, walk.error[first:hour].copy(), walk.standard[first:hour].copy())
    walk.overwritten = [each for each in walk.overwritten if each.hour >= walk.marks[0].hour] + [before]


def _keep(walk: Walk, lasting: bool) -> None:
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


def learnings(frame: Frame, settings: Settings) -> list[int]:
    """Hours of the frame at which everything is learnt anew."""
    if not len(frame):
        return []
    at = frame.start // HOUR
    first = int(at[0]) + settings.least_history
    first += -first % settings.learn_every
    return [int(hour - at[0]) for hour in range(first, int(at[-1]) + 1, settings.learn_every)]


def _learn(walk: Walk, upto: int, anew: bool) -> None:
    past = slice(max(0, upto - walk.settings.memory), upto)
    history = History(
        frame=walk.frame.part(past),
        actual=np.where(healthy(walk, upto)[past], walk.actual[past], np.nan),
        error=walk.error[past],
        standard=walk.standard[past],
    )
    walk.baseline = learn(walk.streams, history, walk.settings, None if anew else walk.baseline)


def healthy(walk: Walk, upto: int) -> Bool:
    """Which of the hours before ``upto`` may be learnt from, as far as is known by then."""
    fit = ~walk.masked[:upto]
    for case in walk.cases:
        if case.detected >= upto or _quiet(walk, case, upto, for_good=True):
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


def _quiet(walk: Walk, case: Case, hour: int, for_good: bool = False) -> bool:
    """Whether operators had called a case no news by an hour; ``for_good``: so that it is the norm from then on."""
    where, family = equipment_of(walk, case), CAUSES[case.cause].family
    said = [each for each in walk.feedback if each.quiets(family, where, walk.instant(hour))]
    return any(not for_good or each.status == "dismissed" or each.until is None for each in said)


def equipment_of(walk: Walk, case: Case) -> str | None:
    """What a case is at: the equipment of the streams that tell it, three at most."""
    streams_of = dict.fromkeys(episode.stream for episode in case.telling or case.episodes)
    names = list(dict.fromkeys(name for i in streams_of if (name := walk.streams[i].equipment)))
    return ", ".join(names[:3]) if names else None


def _judge(walk: Walk, low: int, high: int) -> None:
    assert walk.baseline is not None  # noqa: S101 - learnt just before
    rows = slice(low, high)
    found = judge(walk.baseline, walk.streams, walk.frame.part(rows), walk.actual[rows], walk.settings)
    walk.expected[rows], walk.sigma[rows], walk.standard[rows] = found.expected, found.sigma, found.standard
    walk.error[rows] = walk.actual[rows] - found.expected
    walk.z[rows] = np.where(walk.masked[rows], np.nan, found.z)


# -- one hour ---------------------------------------------------------------------------------------------------------


def step(walk: Walk, hour: int) -> None:
    """Takes in one hour."""
    for episode in walk.active:
        if episode is not None:
            _close(walk, episode, hour)
    for i in _departed(walk, hour):
        _open(walk, i, hour)
    for episode in walk.unplaced:
        _place(walk, episode, hour)
    walk.unplaced = [episode for episode in walk.unplaced if not episode.placed]
    for case in walk.cases:
        if case.end is None:
            _heed(walk, case, hour)


def _departed(walk: Walk, hour: int) -> list[int]:
    """Takes one hour into the CUSUMs; the streams whose sums are above their limits now."""
    assert walk.baseline is not None  # noqa: S101
    sums, limits, z = walk.sums, walk.baseline.limits, walk.z[hour]
    take = ~np.isnan(z) & np.array([episode is None for episode in walk.active], dtype=np.bool_)
    sums.up = np.where(take, np.maximum(0.0, sums.up + z - limits.allowance), sums.up)
    sums.down = np.where(take, np.maximum(0.0, sums.down - z - limits.allowance), sums.down)
    sums.up_since = np.where(sums.up == 0, -1, np.where(sums.up_since < 0, hour, sums.up_since))
    sums.down_since = np.where(sums.down == 0, -1, np.where(sums.down_since < 0, hour, sums.down_since))
    return [int(i) for i in np.flatnonzero((sums.up > limits.high) | (sums.down > limits.low))]


def _open(walk: Walk, i: int, hour: int) -> None:
    assert walk.baseline is not None  # noqa: S101
    upwards = bool(walk.sums.up[i] > walk.baseline.limits.high[i])
    onset = int(walk.sums.up_since[i] if upwards else walk.sums.down_since[i])
    episode = Episode(stream=i, sign=1 if upwards else -1, onset=onset, detected=hour)
    walk.active[i] = episode
    walk.unplaced.append(episode)
    _rest(walk, i)


def _rest(walk: Walk, i: int) -> None:
    walk.sums.up[i], walk.sums.down[i], walk.sums.up_since[i], walk.sums.down_since[i] = 0.0, 0.0, -1, -1


def _close(walk: Walk, episode: Episode, hour: int) -> None:
    """Ends an episode once its departure has been gone for a while, or can no longer be seen."""
    settings = walk.settings
    if np.isnan(walk.z[hour, episode.stream]) and hour - episode.detected < settings.unseen:
        return
    z = walk.z[episode.onset : hour + 1, episode.stream] * episode.sign
    z = np.where(_idle(walk, episode, hour), np.nan, z)
    known = np.flatnonzero(~np.isnan(z))
    if not len(known):
        return
    if len(z) - 1 - int(known[-1]) >= settings.unseen:
        episode.lost = True
        _end(walk, episode, episode.onset + int(known[-1]) + 1, hour)
        return
    late, before = known[-settings.close_window :], known[: -settings.close_window]
    if len(late) < settings.close_window or hour - episode.detected < settings.close_window // 2:
        return
    level = float(z[before].mean()) if len(before) else settings.clip
    off = walk.error[episode.onset : hour + 1, episode.stream] * episode.sign
    usual = np.abs(walk.expected[episode.onset : hour + 1, episode.stream])
    gone = len(before) > 0 and (
        off[late].mean() < settings.close_share * off[before].mean()
        and off[late].sum() * usual[before].sum() <= settings.close_share * off[before].sum() * usual[late].sum()
    )
    if gone or z[late].mean() < max(settings.close_least, settings.close_share * level):
        span = known[-3 * settings.close_window :]
        point = change_point(z[span], 1, len(span), kind="step")
        last = int(span[max(point.at - 1, 0)]) if point is not None else len(z) - settings.close_window
        _end(walk, episode, episode.onset + last + 1, hour)


def _idle(walk: Walk, episode: Episode, hour: int) -> Bool:
    """Hours in which a machine rests as it should: they say nothing of one that draws too much where it runs."""
    i, rows = episode.stream, slice(episode.onset, hour + 1)
    if not (walk.streams[i].energy or walk.streams[i].water):
        return np.zeros(hour + 1 - episode.onset, dtype=np.bool_)
    some = RUNNING * float(np.nanmax(np.abs(walk.actual[: hour + 1, i])))
    rests: Bool = (np.abs(walk.expected[rows, i]) < some) & (np.abs(walk.actual[rows, i]) < some)
    begun = walk.expected[episode.onset : episode.detected + 1, i]
    worked = bool((np.nan_to_num(begun) >= some).mean() >= 0.5)
    return rests if worked else np.zeros(len(rests), dtype=np.bool_)


def _end(walk: Walk, episode: Episode, end: int, hour: int) -> None:
    episode.end, episode.closed = end, hour
    walk.active[episode.stream] = None
    _rest(walk, episode.stream)


# -- why --------------------------------------------------------------------------------------------------------------


def _place(walk: Walk, episode: Episode, hour: int) -> None:
    """Says what an episode is a symptom of; one that nobody can place is let go when it ends."""
    episode.placed = episode.closed is not None
    stream = walk.streams[episode.stream]
    near = sorted(walk.cases, key=lambda case: abs(case.start - episode.onset))
    for case in near:
        if _belongs(walk, case, episode):
            _join(walk, case, episode, hour)
            return
        if _explains(walk, case, episode):
            case.telling = []
            case.cause = next(n for n, cause in enumerate(CAUSES) if shown(cause, stream.kind, episode.sign))
            _join(walk, case, episode, hour)
            return
    if stream.waste not in (0, episode.sign) and stream.space == "profile" and episode not in walk.lulls:
        walk.lulls.append(episode)
    if stream.waste not in (0, episode.sign) or not _material(walk, episode, hour):
        return
    number = METERING if _contradicted(walk, episode, hour) else _cause(walk, episode, hour)
    if number is None:
        return
    told = shown(CAUSES[number], stream.kind, episode.sign)
    if CAUSES[number].patient and episode.placed:
        return
    if CAUSES[number].costs and not _costs(walk, CAUSES[number], episode, hour):
        return
    if told and CAUSES[number].patient and hour - episode.detected < walk.settings.patience:
        return
    case = Case(cause=number, detected=hour, first=episode.stream, ratio=_ratios(walk, episode.onset))
    _join(walk, case, episode, hour)
    if not _quiet(walk, case, hour):
        walk.cases.append(case)


def _join(walk: Walk, case: Case, episode: Episode, hour: int) -> None:
    """Another stream that tells the same cause says how long it lasts only where it is off by something."""
    episode.placed = True
    tells = shown(CAUSES[case.cause], walk.streams[episode.stream].kind, episode.sign)
    if tells and (not case.telling or _material(walk, episode, hour)):
        case.telling.append(episode)
    case.episodes.append(episode)


def _heed(walk: Walk, case: Case, hour: int) -> None:
    """A stream that tells the cause and was off by too little to matter may have come to matter."""
    for episode in case.episodes:
        stream = walk.streams[episode.stream]
        if episode.end is None and episode not in case.telling and shown(CAUSES[case.cause], stream.kind, episode.sign):
            if _material(walk, episode, hour):
                case.telling.append(episode)


def _belongs(walk: Walk, case: Case, episode: Episode) -> bool:
    """Whether a case at work explains an episode, or one that is over so lately that it is at work again."""
    kind, cause, end = walk.streams[episode.stream].kind, CAUSES[case.cause], case.end
    if shown(cause, kind, episode.sign):
        lost = any(each.lost for each in case.telling or case.episodes)
        return end is None or episode.onset - end <= (walk.settings.reopen_lost if lost else walk.settings.reopen)
    follows = kind in cause.moves and not (cause.heats and kind == "outdoor_air" and episode.sign < 0)
    return follows and (end is None or episode.onset < end)


def _contradicted(walk: Walk, episode: Episode, hour: int) -> bool:
    """Whether a meter and the balance of the meters around it are off by the same amount, one up and one down.

    Real power shows at the supply too; what only one meter shows is the meter's.
    """
    stream = walk.streams[episode.stream]
    if not (stream.energy or stream.water) or stream.kind == "chiller_curve":
        return False
    rows = slice(episode.onset, hour + 1)
    mine = {meter: factor for factor, meter in stream.terms}
    for i, other in enumerate(walk.streams):
        between = {meter: factor for factor, meter in other.terms}
        shared = mine.keys() & between.keys()
        balance = {"unmetered", "water_balance"} & {stream.kind, other.kind}
        if i == episode.stream or not shared or not balance or stream.kind == other.kind:
            continue
        known = ~np.isnan(walk.z[rows, i]) & ~np.isnan(walk.error[rows, episode.stream])
        if known.sum() < 2 or abs(float(walk.z[rows, i][known].mean())) < walk.settings.contradicts:
            continue
        one, two = float(walk.error[rows, episode.stream][known].mean()), float(walk.error[rows, i][known].mean())
        if abs(one + two) < walk.settings.same_amount * abs(one):
            return True
    return False


def _explains(walk: Walk, case: Case, episode: Episode) -> bool:
    """Whether an episode tells of a cause further upstream than a case that began with it: then the case is that."""
    if case.end is not None or abs(case.start - episode.onset) > walk.settings.together:
        return False
    kind = walk.streams[episode.stream].kind
    known = {walk.streams[each.stream].kind for each in case.telling or case.episodes}
    for cause in CAUSES[: case.cause]:
        if shown(cause, kind, episode.sign):
            return not cause.costs and known <= {*cause.moves} and _material(walk, episode, episode.detected)
    return False


def _cause(walk: Walk, episode: Episode, hour: int) -> int | None:
    """The most upstream cause that shows and explains the episode."""
    kind = walk.streams[episode.stream].kind
    kinds = {stream.kind for stream in walk.streams}
    for number, cause in enumerate(CAUSES):
        if cause.unless in kinds:
            continue
        if shown(cause, kind, episode.sign):
            return number
        if kind in cause.moves and any(_shows(walk, one, way, episode, hour) for one, way in cause.shown_by):
            return number
    return None


def _shows(walk: Walk, kind: str, way: int, episode: Episode, hour: int) -> bool:
    """Whether a stream of a kind has departed too, by now."""
    rows = slice(max(episode.onset, hour - 23), hour + 1)
    for i, stream in enumerate(walk.streams):
        if stream.kind != kind:
            continue
        known = ~np.isnan(walk.z[rows, i])
        if known.sum() < 2 or abs(off := float(walk.error[rows, i][known].mean())) < stream.floor:
            continue
        active = walk.active[i]
        departed = active is not None or abs(float(walk.z[rows, i][known].mean())) > walk.settings.corroborates
        if departed and way in (0, np.sign(off)):
            return True
    return False


def _costs(walk: Walk, cause: Cause, episode: Episode, hour: int) -> bool:
    """Whether something that follows from the cause draws more than expected."""
    rows = slice(episode.onset, hour + 1)
    for i, stream in enumerate(walk.streams):
        if stream.waste > 0 and stream.kind in cause.moves:
            z = walk.z[rows, i]
            z = z[~np.isnan(z)]
            if len(z) and float(z.mean()) >= walk.settings.consequence:
                return True
    return False


def _material(walk: Walk, episode: Episode, hour: int) -> bool:
    """Whether a departure is large enough to matter."""
    settings, stream = walk.settings, walk.streams[episode.stream]
    rows = slice(episode.onset, hour + 1 if episode.end is None else episode.end)
    known = ~np.isnan(walk.z[rows, episode.stream])
    if not known.any():
        return False
    off = abs(float(walk.error[rows, episode.stream][known].mean()))
    share = settings.least_share_water if stream.water else settings.least_share
    share = settings.least_share_fan if stream.kind == "fan" else share
    usual = share * abs(float(walk.expected[rows, episode.stream][known].mean()))
    assert walk.baseline is not None  # noqa: S101
    usual = max(usual, settings.least_weeks * float(walk.baseline.weekly[episode.stream]))
    if stream.energy:
        load = walk.it[max(0, hour - settings.learn_every) : hour + 1]
        known_load = load[~np.isnan(load)]
        least = settings.least_loss if stream.kind == "ups_loss" else settings.least_of_it
        return off >= max(least * float(known_load.mean()) if len(known_load) else 0.0, usual)
    return off >= (max(settings.least_water, usual) if stream.water else stream.floor)


# -- how much ---------------------------------------------------------------------------------------------------------


def _ratios(walk: Walk, onset: int) -> Float64:
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
        if not (i in own or explains(cause, stream.kind)) or stream.kind == "overhead" and len(own) > 1:
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
