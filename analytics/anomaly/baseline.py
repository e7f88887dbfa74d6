"""What each stream of a site is expected to be, learnt from the hours up to an instant, and how surely it is judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analytics.anomaly import analogs
from analytics.anomaly.analogs import Analogs
from analytics.anomaly.change import cusum
from analytics.anomaly.frame import Frame
from analytics.anomaly.settings import Settings
from analytics.anomaly.streams import Stream, it_terms, values
from wattwell.intervals import HOUR
from wattwell.model import Bool, Float64

LOAD_SCALE = 0.06
"""Share of the usual load that makes two hours unlike."""
DRY_BULB_SCALE, WET_BULB_SCALE = 1.0, 0.7
"""K"""
_CIRCLE = 4.0
"""Radius of the clock in a profile: two neighbouring hours are one scale apart."""
_WEEKEND = 50.0
_SEASON = 40.0
"""Days that make two hours of a profile unlike."""
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
    """Of a stream's CUSUM: what it makes of each hour, and where it alarms."""

    allowance: float
    high: float
    low: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What has been learnt."""

    groups: tuple[Group, ...]
    limits: tuple[Limits, ...]
    """By stream; infinite where it is not judged."""
    drift: Float64
    """By stream: by how many standard errors the plant has been off of late."""
    hours: Float64
    """By stream: hours of history that it is learnt from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Hours beside what was expected of them, (hours, streams)."""

    actual: Float64
    expected: Float64
    sigma: Float64
    z: Float64
    """Departure in standard errors, less the drift, cut at the clip; NaN where an hour is not judged."""


def columns(streams: Sequence[Stream], frame: Frame) -> Float64:
    """The streams' values, (hours, streams)."""
    return np.column_stack([values(stream, frame) for stream in streams]) if streams else np.empty((len(frame), 0))


def space(stream: Stream, frame: Frame) -> Float64 | None:
    """The drivers of a stream, not yet scaled, (hours, drivers); None where the site does not measure them."""
    if stream.space in ("profile", "none"):
        hour, day = frame.local_hours % 24, frame.local_hours // 24
        angle = 2 * np.pi * hour / 24
        weekend = ((day + 3) % 7 >= 5) * _WEEKEND
        return np.column_stack([_CIRCLE * np.cos(angle), _CIRCLE * np.sin(angle), weekend, day / _SEASON])
    if stream.space in ("plant", "load"):
        return np.column_stack([frame.sum(driver) for driver in stream.drivers])
    weather = _weather(frame)
    return None if weather is None else np.column_stack([frame.sum(it_terms(frame.site)), *weather])


def _weather(frame: Frame) -> list[Float64] | None:
    """Outdoor dry bulb and wet bulb; None without the first."""
    found = []
    for role in ("outdoor_dry_bulb", "outdoor_wet_bulb"):
        named = [meter.id for meter in frame.site.meters.values() if meter.role == role]
        if named:
            found.append(frame.value[named[0]])
        elif role == "outdoor_dry_bulb":
            return None
    return found


def _scales(stream: Stream, drivers: Float64) -> Float64:
    """By how much two hours must differ in each driver to be unlike."""
    if stream.space in ("profile", "none"):
        return np.ones(drivers.shape[1])
    known = drivers[:, 0][~np.isnan(drivers[:, 0])]
    usual = float(np.quantile(np.abs(known), 0.9)) if len(known) else 1.0
    rest = (DRY_BULB_SCALE, WET_BULB_SCALE) if stream.space == "weather" else (DRY_BULB_SCALE,) * 2
    return np.array([max(LOAD_SCALE * usual, 1e-6), *rest][: drivers.shape[1]])


def learn(streams: Sequence[Stream], frame: Frame, healthy: Bool, settings: Settings) -> Baseline:
    """From every hour of ``frame`` that is ``healthy``, (hours, streams)."""
    actual = np.where(healthy, columns(streams, frame), np.nan)
    at = frame.start // HOUR
    standard = np.full(actual.shape, np.nan)
    groups = []
    for members in _groups(streams, actual):
        drivers = space(streams[members[0]], frame)
        if drivers is None:
            continue
        scale = _scales(streams[members[0]], drivers)
        kept, off = analogs.learn(
            drivers / scale,
            actual[:, members],
            at,
            np.array([_floor(streams[i], actual[:, i]) for i in members]),
            np.array([_proportional(streams[i]) for i in members]),
        )
        standard[:, members] = off
        groups.append(Group(streams=tuple(members), scale=scale, kept=kept))
    hours = (~np.isnan(actual)).sum(axis=0).astype(np.float64)
    drift = np.array([_drift(column, settings) for column in standard.T])
    limits = tuple(_limits(column, count, settings) for column, count in zip(standard.T, hours, strict=True))
    return Baseline(groups=tuple(groups), limits=limits, drift=drift, hours=hours)


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
    return max(stream.floor / 4, _FLOOR.get(stream.unit, 0.0) * mean, 0.02 if stream.energy else 0.0, 0.5 * stream.water)


def _proportional(stream: Stream) -> bool:
    return (stream.energy or stream.water) and stream.space in ("weather", "load", "plant")


def _drift(standard: Float64, settings: Settings) -> float:
    """The mean departure of late, drawn towards nothing where few hours are known."""
    late = standard[-settings.drift_from : -settings.drift_to]
    late = np.clip(late[~np.isnan(late)], -3.0, 3.0)
    mean = float(late.sum()) / (len(late) + 96.0)
    return float(np.clip(mean, -settings.drift_most, settings.drift_most))


def _limits(standard: Float64, hours: float, settings: Settings) -> Limits:
    """Beyond what the stream's own healthy history has shown: weeks that were off, and sums that were reached."""
    if hours < settings.least_history or np.isnan(standard).all():
        return Limits(settings.allowance, np.inf, np.inf)
    z = np.clip(standard - _drifts(standard, settings), -settings.clip, settings.clip)
    allowance = max(settings.allowance, settings.wander * _wander(z))
    sums = cusum(z, allowance, np.inf)
    short = max(0.0, 1.0 - hours / settings.long_history)
    margin = settings.margin + settings.margin_short * short
    return Limits(
        allowance,
        max(settings.least_limit, margin * _highest(sums.high)),
        max(settings.least_limit, margin * _highest(sums.low)),
    )


def _wander(z: Float64) -> float:
    """By how much whole weeks of healthy history were off: exceeded in one week of fifty."""
    known = ~np.isnan(z)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, z, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    weeks, hours = total[_WEEK:] - total[:-_WEEK], count[_WEEK:] - count[:-_WEEK]
    enough = hours >= _WEEK // 2
    return float(np.quantile(np.abs(weeks[enough] / hours[enough]), 0.98)) if enough.any() else 0.0


def _drifts(standard: Float64, settings: Settings) -> Float64:
    """The drift as it would have been known in each hour."""
    known = np.clip(np.nan_to_num(standard), -3.0, 3.0)
    total = np.concatenate([[0.0], np.cumsum(known)])
    count = np.concatenate([[0], np.cumsum(~np.isnan(standard))])
    here = np.arange(len(standard))
    late, early = np.maximum(here - settings.drift_to, 0), np.maximum(here - settings.drift_from, 0)
    mean = (total[late] - total[early]) / (count[late] - count[early] + 96.0)
    return np.clip(mean, -settings.drift_most, settings.drift_most)


def _highest(sums: Float64) -> float:
    """The highest sum of a usual month's worst: the second highest of all months, where there are several."""
    months = [float(sums[i : i + _MONTH].max()) for i in range(0, len(sums), _MONTH)]
    return sorted(months)[-2] if len(months) > 3 else max(months, default=0.0)


def judge(baseline: Baseline, streams: Sequence[Stream], frame: Frame, settings: Settings) -> Judged:
    """Hours against what has been learnt."""
    actual = columns(streams, frame)
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
    z = np.clip((actual - expected) / sigma - baseline.drift, -settings.clip, settings.clip)
    z[(distance > settings.far) | (baseline.hours < settings.least_history)] = np.nan
    return Judged(actual=actual, expected=expected, sigma=sigma, z=z)


def by_name(streams: Sequence[Stream]) -> Mapping[str, int]:
    """Where each stream stands."""
    return {stream.name: i for i, stream in enumerate(streams)}
