"""What a departure is a symptom of: a case at work, a new one, or nothing that matters."""

from __future__ import annotations

import numpy as np

from analytics.anomaly.causes import CAUSES, METERING, Cause, shown
from analytics.anomaly.excess import ratios
from analytics.anomaly.walk import Case, Episode, Walk, quiet


def place(walk: Walk, episode: Episode, hour: int) -> None:
    """Says what an episode is a symptom of; one that nobody can place is let go when it ends."""
    episode.placed = episode.closed is not None
    stream = walk.streams[episode.stream]
    if _symptom(walk, episode, hour):
        return
    if stream.waste not in (0, episode.sign):
        if stream.space == "profile" and episode not in walk.lulls:
            walk.lulls.append(episode)
        return
    number = _due(walk, episode, hour)
    if number is None:
        return
    case = Case(cause=number, detected=hour, first=episode.stream, ratio=ratios(walk, episode.onset))
    _join(walk, case, episode, hour)
    if not quiet(walk, case, hour):
        walk.cases.append(case)


def _symptom(walk: Walk, episode: Episode, hour: int) -> bool:
    """Whether a case takes the episode up: the nearest in time that explains it, or that it explains."""
    kind = walk.streams[episode.stream].kind
    for case in sorted(walk.cases, key=lambda case: abs(case.start - episode.onset)):
        upstream = _explains(walk, case, episode)
        if not (upstream or _belongs(walk, case, episode)):
            continue
        if upstream:
            case.telling = []
            case.cause = next(n for n, cause in enumerate(CAUSES) if shown(cause, kind, episode.sign))
        _join(walk, case, episode, hour)
        return True
    return False


def _due(walk: Walk, episode: Episode, hour: int) -> int | None:
    """The cause that an episode begins a case of now; None where there is none, it must wait, or does not matter."""
    if not _material(walk, episode, hour):
        return None
    number = METERING if _contradicted(walk, episode, hour) else _cause(walk, episode, hour)
    if number is None:
        return None
    cause, stream = CAUSES[number], walk.streams[episode.stream]
    waits = shown(cause, stream.kind, episode.sign) and hour - episode.detected < walk.settings.patience
    if cause.patient and (episode.placed or waits):
        return None
    return None if cause.costs and not _costs(walk, cause, episode, hour) else number


def _join(walk: Walk, case: Case, episode: Episode, hour: int) -> None:
    """Another stream that tells the same cause says how long it lasts only where it is off by something."""
    episode.placed = True
    tells = shown(CAUSES[case.cause], walk.streams[episode.stream].kind, episode.sign)
    if tells and (not case.telling or _material(walk, episode, hour)):
        case.telling.append(episode)
    case.episodes.append(episode)


def heed(walk: Walk, case: Case, hour: int) -> None:
    """A stream that tells the cause and was off by too little to matter may have come to matter."""
    for episode in case.episodes:
        stream = walk.streams[episode.stream]
        tells = shown(CAUSES[case.cause], stream.kind, episode.sign)
        if tells and episode.end is None and episode not in case.telling and _material(walk, episode, hour):
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
