"""The detector of one site: walks through its hours once, in order, and knows in each only what was known by then.

Each hour is compared with what like hours had (:mod:`analytics.anomaly.baseline`). A stream that departs for long
enough begins an *episode*; an episode is a symptom of a *case*, the fault at work, or begins one
(:mod:`analytics.anomaly.placing`).
"""

from __future__ import annotations

import numpy as np

from analytics.anomaly.baseline import History, judge, learn
from analytics.anomaly.change import change_point
from analytics.anomaly.marks import about_to_try_out, keep
from analytics.anomaly.placing import heed, place
from analytics.anomaly.streams import RUNNING
from analytics.anomaly.walk import Episode, Walk, healthy, learnings
from wattwell.model import Bool


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
            keep(walk, lasting=True)
            if anew:
                about_to_try_out(walk, low)
            _learn(walk, low, anew)
        _judge(walk, walk.hour, high)
        while walk.hour < high:
            if walk.hour % 24 == 0:
                keep(walk, lasting=False)
            step(walk, walk.hour)
            walk.hour += 1
    return walk


def _learn(walk: Walk, upto: int, anew: bool) -> None:
    past = slice(max(0, upto - walk.settings.memory), upto)
    history = History(
        frame=walk.frame.part(past),
        actual=np.where(healthy(walk, upto)[past], walk.actual[past], np.nan),
        error=walk.error[past],
        standard=walk.standard[past],
    )
    walk.baseline = learn(walk.streams, history, walk.settings, None if anew else walk.baseline)


def _judge(walk: Walk, low: int, high: int) -> None:
    assert walk.baseline is not None  # noqa: S101 - learnt just before
    rows = slice(low, high)
    found = judge(walk.baseline, walk.streams, walk.frame.part(rows), walk.actual[rows], walk.settings)
    walk.expected[rows], walk.sigma[rows], walk.standard[rows] = found.expected, found.sigma, found.standard
    walk.error[rows] = walk.actual[rows] - found.expected
    walk.z[rows] = np.where(walk.masked[rows], np.nan, found.z)


def step(walk: Walk, hour: int) -> None:
    """Takes in one hour."""
    for episode in walk.active:
        if episode is not None:
            _close(walk, episode, hour)
    for i in _departed(walk, hour):
        _open(walk, i, hour)
    for episode in walk.unplaced:
        place(walk, episode, hour)
    walk.unplaced = [episode for episode in walk.unplaced if not episode.placed]
    for case in walk.cases:
        if case.end is None:
            heed(walk, case, hour)


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
