"""What each stream of a site is expected to be, learnt from the hours up to an instant, and how surely it is judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.anomaly import analogs
from analytics.anomaly.analogs import Analogs
from analytics.anomaly.change import cusum
from analytics.anomaly.frame import Frame
from analytics.anomaly.settings import Settings
from analytics.anomaly.streams import Stream, it_terms, values, weather_meters
from wattwell.intervals import HOUR
from wattwell.model import Float64
from wattwell.roles import TEMPERATURE_ROLES

LOAD_SCALE = 0.06
"""Share of the usual load that makes two hours unlike."""
DRY_BULB_SCALE, WET_BULB_SCALE = 1.0, 0.7
"""K"""
_CIRCLE = 4.0
"""Radius of the clock in a profile: two neighbouring hours are one scale apart."""
_WEEKEND = 50.0
_SEASON = 40.0
"""Days that make two hours of a profile unlike."""
_CURVE = 0.04
"""The same of a machine beside its curve: it never follows it more closely."""
_MILD = 3.0
"""K that make two hours of a profile unlike."""
_FLOOR = {"kW": 0.01, "L/h": 0.02}
"""Share of the mean of a stream by which no forecast is better."""
_MONTH, _WEEK = 30 * 24, 7 * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Streams that share a space and are known in the same hours."""

    streams: tuple[int, ...]
    scale: Float64
    kept: Analogs


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the streams' CUSUMs: what they make of each hour, and where they alarm; infinite where they do not judge."""

    allowance: Float64
    high: Float64
    low: Float64


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What has been learnt."""

    groups: tuple[Group, ...]
    limits: Limits
    drift: Float64
    """By stream: by how many standard errors the plant has been off of late."""
    hours: Float64
    """By stream: hours of history that it is learnt from."""
    weekly: Float64
    """By stream: standard error of the expected mean of a week, in its unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Hours beside what was expected of them, (hours, streams)."""

    expected: Float64
    sigma: Float64
    standard: Float64
    """Departure in standard errors."""
    z: Float64
    """The same less the drift, cut at the clip; NaN where an hour is not judged."""


def columns(streams: Sequence[Stream], frame: Frame) -> Float64:
    """The streams' values, (hours, streams)."""
    return np.column_stack([values(stream, frame) for stream in streams]) if streams else np.empty((len(frame), 0))


def space(stream: Stream, frame: Frame) -> Float64 | None:
    """The drivers of a stream, not yet scaled, (hours, drivers); None where the site does not measure them."""
    if stream.space == "profile":
        hour, day = frame.local_hours % 24, frame.local_hours // 24
        angle = 2 * np.pi * hour / 24
        weekend = ((day + 3) % 7 >= 5) * _WEEKEND
        clock = [_CIRCLE * np.cos(angle), _CIRCLE * np.sin(angle), weekend, day / _SEASON]
        return np.column_stack([*clock, *(frame.sum(driver) for driver in stream.drivers)])
    if stream.space in ("plant", "load"):
        return np.column_stack([frame.sum(driver) for driver in stream.drivers])
    weather = weather_meters(frame.site)
    return (
        np.column_stack([frame.sum(it_terms(frame.site)), *(frame.value[name] for name in weather)])
        if weather
        else None
    )


def _scales(stream: Stream, drivers: Float64, frame: Frame) -> Float64:
    """By how much two hours must differ in each driver to be unlike."""
    if stream.space == "profile":
        sensed = [frame.site.meters[driver[0][1]].role in TEMPERATURE_ROLES for driver in stream.drivers]
        beside = [_MILD if warm else _load_scale(drivers[:, 4 + i]) for i, warm in enumerate(sensed)]
        return np.array([1.0, 1.0, 1.0, 1.0, *beside])
    rest = (DRY_BULB_SCALE, WET_BULB_SCALE) if stream.space == "weather" else (DRY_BULB_SCALE,) * 2
    return np.array([_load_scale(drivers[:, 0]), *rest][: drivers.shape[1]])


def _load_scale(load: Float64) -> float:
    known = load[~np.isnan(load)]
    return max(LOAD_SCALE * float(np.quantile(np.abs(known), 0.9)) if len(known) else 0.0, 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is learnt from, (hours, streams)."""

    frame: Frame
    actual: Float64
    """NaN where missing or not to be learnt from."""
    error: Float64
    """Of forecasting each hour without itself; NaN where that is not known."""
    standard: Float64
    """The same in standard errors."""


def learn(streams: Sequence[Stream], past: History, settings: Settings, before: Baseline | None = None) -> Baseline:
    """From every hour of ``past``. Without an earlier baseline it is tried out on itself, which fills in the errors.

    With one, errors are those of the hours as they were judged, and the limits stay: trying out takes time.
    """
    at = past.frame.start // HOUR
    groups = []
    for members in _groups(streams, past.actual):
        drivers = space(streams[members[0]], past.frame)
        if drivers is None:
            continue
        scale = _scales(streams[members[0]], drivers, past.frame)
        kept = analogs.gather(
            drivers / scale,
            past.actual[:, members],
            past.error[:, members],
            at,
            np.array([_floor(streams[i], past.actual[:, i]) for i in members]),
            np.array([_proportional(streams[i]) for i in members]),
        )
        if before is None:
            known = np.ix_(np.searchsorted(at, kept.at), np.array(members))
            past.error[known], past.standard[known] = analogs.cross_validate(kept)
        groups.append(Group(streams=tuple(members), scale=scale, kept=kept))
    hours = (~np.isnan(past.actual)).sum(axis=0).astype(np.float64)
    standard = np.where(np.isnan(past.actual), np.nan, past.standard)
    drift = np.array([_drift(column, settings) for column in standard.T])
    if before is not None:
        return Baseline(groups=tuple(groups), limits=before.limits, drift=drift, hours=hours, weekly=before.weekly)
    limits = np.array([_limits(column, count, settings) for column, count in zip(standard.T, hours, strict=True)])
    weekly = np.array([_weekly(column) for column in np.where(np.isnan(past.actual), np.nan, past.error).T])
    return Baseline(
        groups=tuple(groups), limits=Limits(*limits.reshape(-1, 3).T), drift=drift, hours=hours, weekly=weekly
    )


def _groups(streams: Sequence[Stream], actual: Float64) -> list[list[int]]:
    """Streams of one space together, but those apart that are known in much fewer hours."""
    found: dict[tuple[object, ...], list[int]] = defaultdict(list)
    known = (~np.isnan(actual)).sum(axis=0)
    most = known.max(initial=1)
    for i, stream in enumerate(streams):
        apart = i if stream.gate or known[i] < 0.9 * most else None
        found[stream.space, stream.drivers, apart].append(i)
    return list(found.values())


def _floor(stream: Stream, actual: Float64) -> float:
    known = actual[~np.isnan(actual)]
    mean = float(np.abs(known).mean()) if len(known) else 0.0
    return max(
        stream.floor / 4,
        (_CURVE if stream.space == "plant" else _FLOOR.get(stream.unit, 0.0)) * mean,
        0.02 if stream.energy else 0.0,
        0.5 * stream.water,
    )


def _proportional(stream: Stream) -> bool:
    return (stream.energy or stream.water) and stream.space in ("weather", "load", "plant")


def _drift(standard: Float64, settings: Settings) -> float:
    """The mean departure of late, drawn towards nothing where few hours are known."""
    late = standard[-settings.drift_from : -settings.drift_to]
    late = np.clip(late[~np.isnan(late)], -3.0, 3.0)
    mean = float(late.sum()) / (len(late) + 96.0)
    return float(np.clip(mean, -settings.drift_most, settings.drift_most))


def _limits(standard: Float64, hours: float, settings: Settings) -> tuple[float, float, float]:
    """Allowance, and limits up and down: beyond the weeks and sums that the stream's healthy history has shown."""
    if hours < settings.least_history or np.isnan(standard).all():
        return settings.allowance, np.inf, np.inf
    z = np.clip(standard - _drifts(standard, settings), -settings.clip, settings.clip)
    allowance = max(settings.allowance, settings.wander * _wander(z))
    sums = cusum(z, allowance, np.inf)
    short = max(0.0, 1.0 - hours / settings.long_history)
    margin = settings.margin + settings.margin_short * short
    return (
        allowance,
        max(settings.least_limit, margin * _highest(sums.high)),
        max(settings.least_limit, margin * _highest(sums.low)),
    )


def _weeks(column: Float64) -> Float64:
    """Means over all whole weeks that are known by half."""
    known = ~np.isnan(column)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, column, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    weeks, hours = total[_WEEK:] - total[:-_WEEK], count[_WEEK:] - count[:-_WEEK]
    enough = hours >= _WEEK // 2
    return weeks[enough] / hours[enough]  # type: ignore[no-any-return]


def _wander(z: Float64) -> float:
    """By how much whole weeks of healthy history were off: exceeded in one week of fifty."""
    weeks = _weeks(z)
    return float(np.quantile(np.abs(weeks), 0.98)) if len(weeks) else 0.0


def _weekly(error: Float64) -> float:
    weeks = _weeks(error)
    return float(np.sqrt(np.mean(weeks**2))) if len(weeks) else 0.0


def _drifts(standard: Float64, settings: Settings) -> Float64:
    """The drift as it would have been known in each hour."""
    known = np.clip(np.nan_to_num(standard), -3.0, 3.0)
    total = np.concatenate([[0.0], np.cumsum(known)])
    count = np.concatenate([[0], np.cumsum(~np.isnan(standard))])
    here = np.arange(len(standard))
    late, early = np.maximum(here - settings.drift_to, 0), np.maximum(here - settings.drift_from, 0)
    mean = (total[late] - total[early]) / (count[late] - count[early] + 96.0)
    drifts: Float64 = np.clip(mean, -settings.drift_most, settings.drift_most)
    return drifts


def _highest(sums: Float64) -> float:
    """The highest sum of a usual month's worst: the second highest of all months, where there are several."""
    months = [float(sums[i : i + _MONTH].max()) for i in range(0, len(sums), _MONTH)]
    return sorted(months)[-2] if len(months) > 3 else max(months, default=0.0)


def judge(baseline: Baseline, streams: Sequence[Stream], frame: Frame, actual: Float64, settings: Settings) -> Judged:
    """Hours, the values of the streams in them, against what has been learnt."""
    expected, sigma = np.full(actual.shape, np.nan), np.full(actual.shape, np.nan)
    distance = np.zeros(actual.shape)
    for group in baseline.groups:
        drivers = space(streams[group.streams[0]], frame)
        if drivers is None:
            continue
        found = analogs.forecast(group.kept, drivers / group.scale)
        members = list(group.streams)
        expected[:, members], sigma[:, members] = found.expected, found.sigma
        distance[:, members] = found.distance
    standard = (actual - expected) / sigma
    z = np.clip(standard - baseline.drift, -settings.clip, settings.clip)
    reaches = {"load": settings.far_load, "plant": settings.far_plant}
    reach = np.array([reaches.get(stream.space, settings.far) for stream in streams])
    z[(distance > reach) | (baseline.hours < settings.least_history)] = np.nan
    return Judged(expected=expected, sigma=sigma, standard=standard, z=z)
