"""Cases become findings: how much, how sure, what it costs, and the words and numbers that show it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from analytics.anomaly.advice import WORDS
from analytics.anomaly.causes import CAUSES, METERING
from analytics.anomaly.excess import moved, off_by
from analytics.anomaly.inspection import Inspection, Log, bearing_out
from analytics.anomaly.savings import YEAR, Period, repaired
from analytics.anomaly.statistics import fit_of
from analytics.anomaly.telemetry import Fault
from analytics.anomaly.walk import Case, Walk, equipment_of, healthy
from wattwell.finding import Course, Estimate, Finding
from wattwell.intervals import DAY, HOUR, iso
from wattwell.model import Bool, Factor, Float64, Site

_NINE_OF_TEN = 1.645
"""Standard errors to each side that hold in nine cases of ten."""
_POINTS = 400
"""Means of a course, about."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_M3 = 1000.0
_WEEK, _YEAR = 7 * 24, 365 * 24
_REPORTED = 60 * 24
"""Hours after a case's end, at most, by which its saving is verified."""


def finding(walk: Walk, case: Case, until: int, log: Log | None = None) -> Finding:
    """A case as a finding, as of the hour ``until`` of the walk; rules in ``log`` bear it out."""
    cause, site = CAUSES[case.cause], walk.site
    end = None if case.end is None or case.end >= until else case.end
    stop = until if end is None else min(until, end + walk.settings.settle)
    kwh = _amount(walk, case, stop, [i for i in moved(walk, case, stop) if walk.streams[i].energy])
    litres = _amount(walk, case, stop, [i for i in moved(walk, case, stop) if walk.streams[i].water])
    telling = list(dict.fromkeys(episode.stream for episode in (case.telling or case.episodes)))
    equipment = equipment_of(walk, case)
    at = walk.instant(case.detected + 1)
    last = max(0, until - 24)
    watts = None
    if end is None and kwh is not None:
        recent = _amount(walk, case, until, [i for i in moved(walk, case, stop) if walk.streams[i].energy], last)
        watts = None if recent is None else recent.value / max(until - max(last, case.start), 1) * 1000
    words = WORDS[cause.family]
    return Finding(
        id=identifier(site, walk.streams[case.first].name, at),
        site=site.id,
        family=cause.family,
        detector=walk.streams[case.first].name,
        equipment=equipment,
        meters=tuple(dict.fromkeys(meter for i in telling for meter in walk.streams[i].meters)),
        start=walk.instant(case.start),
        end=None if end is None else walk.instant(end),
        detected_at=at,
        status="open" if end is None else "closed",
        confidence=_confidence(walk, case, until),
        excess_kwh=kwh,
        excess_l=litres,
        cost=_cost(site, kwh, litres),
        carbon_kg=_carbon(site, kwh, walk.instant(case.start), walk.instant(stop)),
        watts=watts,
        title=words.title.format(where=equipment or site.name),
        cause=_cause(walk, case, until),
        advice=words.advice,
        evidence={**_evidence(walk, case, until), **(bearing_out(log, cause.family, case.start, stop) if log else {})},
        saving=None if end is None else verified(walk, case, until),
        course=tuple(course(walk, i, case, until) for i in telling[:2]),
    )


def identifier(site: Site, name: str, at: int) -> str:
    """Of a finding, by what it was first known by and when: readable, safe in a URL, the same whenever it is found."""
    return f"{site.id}.{_UNSAFE.sub('-', name)}.{iso(at)[:13].replace('-', '')}"


def _amount(walk: Walk, case: Case, stop: int, members: Sequence[int], start: int | None = None) -> Estimate | None:
    """The excess of some streams together, with its bounds; None where none of them can be judged."""
    if case.cause == METERING:  # nothing is wasted where a meter is wrong
        return None
    first = case.start if start is None else max(start, case.start)
    totals = [(i, off_by(walk, case, i, slice(first, stop))) for i in members]
    known = [(i, total) for i, total in totals if total is not None]
    if not known:
        return None
    value = sum(total for _, total in known)
    if CAUSES[case.cause].heats and all(walk.streams[i].energy for i, _ in known):
        kinds = {kind for kind, _ in CAUSES[case.cause].shown_by}
        told = {i for i in case.own() if walk.streams[i].kind in kinds}
        source = sum(total for i, total in known if i in told)
        most = walk.settings.heat_costs * abs(source)
        value = source + min(max(value - source, -most), most)
    hours = max(stop - first, 1)
    spread = math.sqrt(sum(_error(walk, i, hours) ** 2 for i, _ in known)) * hours
    return Estimate(value=value, low=value - _NINE_OF_TEN * spread, high=value + _NINE_OF_TEN * spread)


def _error(walk: Walk, stream: int, hours: int) -> float:
    """Standard error of the mean of a stream's expectation over so many hours.

    From what whole weeks of history were off when forecast from others. Longer means are a little better, shorter ones
    a little worse: the errors of a plant go up and down slowly.
    """
    weekly = 0.0 if walk.baseline is None else float(np.nan_to_num(walk.baseline.weekly[stream]))
    return float(weekly * (_WEEK / hours) ** 0.25)


def _confidence(walk: Walk, case: Case, until: int) -> float:
    """How sure: by how far the leading stream is off, and by how many others say the same."""
    episode = (case.telling or case.episodes)[0]
    stop = until if episode.end is None else episode.end
    z = walk.z[episode.onset : stop, episode.stream]
    known = z[~np.isnan(z)]
    strength = float(np.abs(known.mean())) if len(known) else 0.0
    others = len({each.stream for each in case.episodes}) - 1
    return round(min(0.99, 0.6 + 0.3 * min(strength / walk.settings.clip, 1.0) + 0.03 * min(others, 3)), 2)


def _cause(walk: Walk, case: Case, until: int) -> str:
    """Why we think so: the telling streams with numbers, then what moved with them."""
    telling = list({e.stream: e for e in reversed(case.telling or case.episodes)}.values())[::-1][:3]
    parts = [_departure(walk, e.stream, e.onset, until if e.end is None else e.end) for e in telling]
    others = [walk.streams[e.stream].name for e in case.episodes if e not in case.telling]
    along = list(dict.fromkeys(others))
    return "; ".join(parts) + (f". With it moved {', '.join(along[:5])}." if along else ".")


def _departure(walk: Walk, i: int, start: int, stop: int) -> str:
    stream = walk.streams[i]
    actual, expected = walk.actual[start:stop, i], walk.expected[start:stop, i]
    known = ~np.isnan(actual) & ~np.isnan(expected)
    if not known.any():
        return stream.name
    unit = "" if stream.unit == "1" else f" {stream.unit}"
    return (
        f"{stream.name} is at {actual[known].mean():.3g}{unit} where like hours had {expected[known].mean():.3g}{unit} "
        f"(since {iso(walk.instant(start))})"
    )


def _evidence(walk: Walk, case: Case, until: int) -> dict[str, float | str | None]:
    """Named numbers: by stream the mean, what was expected, and by how many standard errors it is off."""
    found: dict[str, float | str | None] = {}
    ordered = [*case.telling, *(e for e in case.episodes if e not in case.telling)]
    for episode in list({e.stream: e for e in reversed(ordered)}.values())[::-1]:
        stream, stop = walk.streams[episode.stream], until if episode.end is None else episode.end
        rows = slice(episode.onset, stop)
        actual, expected = walk.actual[rows, episode.stream], walk.expected[rows, episode.stream]
        z = walk.z[rows, episode.stream]
        known = ~np.isnan(actual) & ~np.isnan(expected) & ~np.isnan(z)
        if known.any():
            found[f"{stream.name} [{stream.unit}]"] = _rounded(actual[known].mean())
            found[f"{stream.name} expected [{stream.unit}]"] = _rounded(expected[known].mean())
            found[f"{stream.name} off by [standard errors]"] = _rounded(z[known].mean())
    return found | _quality(walk, case)


def _quality(walk: Walk, case: Case) -> dict[str, float | str | None]:
    """How good the leading expectation was in the hours before: CV(RMSE) and NMBE of ASHRAE Guideline 14, hourly."""
    i, rows = (case.telling or case.episodes)[0].stream, slice(max(0, case.start - _YEAR), case.start)
    actual = np.where(healthy(walk, case.start)[rows, i], walk.actual[rows, i], np.nan)
    fit = fit_of(actual, actual - walk.error[rows, i])
    if fit is None or not (walk.streams[i].energy or walk.streams[i].water):
        return {}
    name = walk.streams[i].name
    return {f"{name} model CV(RMSE)": _rounded(fit.cv_rmse), f"{name} model NMBE": _rounded(fit.nmbe)}


def verified(walk: Walk, case: Case, until: int) -> Estimate | None:
    """kWh a year that the end of a case has saved, by the days since; None until they suffice, or where it is too
    unsure to be told (IPMVP, Option B; Guideline 14)."""
    end = case.end
    members = [i for i in moved(walk, case, until) if walk.streams[i].energy]
    if end is None or not members:
        return None
    first = end + walk.settings.settle
    last = min(until, first + _REPORTED)
    year = _daily(walk, members, slice(max(0, case.start - _YEAR), case.start), healthy(walk, case.start))
    fit = fit_of(*year)
    usual = year[1][np.isfinite(year[1])]
    if fit is None or last - first < 14 * 24 or not len(usual):
        return None
    during, after = (_daily(walk, members, rows) for rows in (slice(case.start, end), slice(first, last)))
    year_kwh = float(usual.mean()) * YEAR
    told = repaired(fit, DAY, Period(during[1], during[0]), Period(after[1], after[0]), year=year_kwh)
    return told.per_year if told.accepted else None


def _daily(walk: Walk, members: Sequence[int], rows: slice, fit: Bool | None = None) -> tuple[Float64, Float64]:
    """kWh of some streams by whole days: actual, and expected from other hours; NaN where one is missing or unfit."""
    count = (rows.stop - rows.start) // 24
    last = slice(rows.stop - 24 * count, rows.stop)
    actual = walk.actual[last, :][:, members]
    if fit is not None:
        actual = np.where(fit[last, :][:, members], actual, np.nan)
    expected = actual - walk.error[last, :][:, members]
    drawn, asked = (column.sum(axis=1).reshape(count, 24).sum(axis=1) for column in (actual, expected))
    return drawn, asked


def _rounded(value: float) -> float:
    return float(f"{float(value):.4g}")


def course(walk: Walk, i: int, case: Case, until: int) -> Course:
    """What a stream drew beside what was expected, from a week before the case to two days after it."""
    first = max(0, case.start - _WEEK)
    last = until if case.end is None else min(until, case.end + 48)
    step = next(each for each in (1, 3, 6, 12, 24, 168) if (last - first) / each <= _POINTS or each == 168)
    count = (last - first) // step
    stream = walk.streams[i]
    rows = slice(last - count * step, last)
    actual, expected = _means(walk.actual[rows, i], step), _means(walk.expected[rows, i], step)
    band = _NINE_OF_TEN * _means(walk.sigma[rows, i], step)
    return Course(
        label=stream.name,
        unit=stream.unit,
        step=step * HOUR,
        start=tuple(walk.instant(rows.start + n * step) for n in range(count)),
        actual=_shown(actual),
        expected=_shown(expected),
        low=_shown(expected - band),
        high=_shown(expected + band),
    )


def _means(column: Float64, step: int) -> Float64:
    blocks = column.reshape(-1, step)
    known = ~np.isnan(blocks)
    count = known.sum(axis=1)
    total = np.where(known, blocks, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _shown(column: Float64) -> tuple[float | None, ...]:
    return tuple(None if math.isnan(value) else _rounded(value) for value in column.tolist())


# -- money and carbon -------------------------------------------------------------------------------------------------


def _cost(site: Site, kwh: Estimate | None, litres: Estimate | None) -> float | None:
    """Of the excess at the site's prices; savings of one do not make the other free."""
    if site.prices is None or (kwh is None and litres is None):
        return None
    energy = 0.0 if kwh is None else kwh.value * site.prices.electricity_per_kwh
    water = 0.0 if litres is None else litres.value / _M3 * site.prices.water_per_m3
    return energy + water


def _carbon(site: Site, kwh: Estimate | None, start: int, end: int) -> float | None:
    """kg of the excess energy at the mean grid factor of its time."""
    factor = site.factors.get("grid_kg_per_kwh")
    if kwh is None or factor is None:
        return None
    mean = _factor(factor, start, end)
    return None if mean is None else kwh.value * mean


def _factor(factor: Factor, start: int, end: int) -> float | None:
    if factor.constant is not None:
        return factor.constant
    first, last = np.searchsorted(factor.hours, [start - start % HOUR, end])
    return float(factor.values[first:last].mean()) if last > first else None


# -- telemetry --------------------------------------------------------------------------------------------------------

_WHAT = {
    "silent": "no value was received",
    "frozen": "the value stands still, as it never did in health",
    "reset": "the dial began again at another value",
    "jump": "the dial jumped further than the meter can count",
    "replacement": "the meter was exchanged",
}


def telemetry(walk: Walk, fault: Fault, until: int) -> Finding:
    """A telemetry fault as a finding."""
    site, words = walk.site, WORDS["metering"]
    every = fault.meters[0] == "*"
    meters = fault.meters[1:] if every else fault.meters
    where = (
        "all meters" if every else ", ".join(meters[:3]) + (f" and {len(meters) - 3} more" if len(meters) > 3 else "")
    )
    end = None if fault.end is None or fault.end >= until else fault.end
    at = walk.instant(fault.detected + 1)
    since = iso(walk.instant(fault.start))
    return Finding(
        id=identifier(site, f"{fault.what}-{'all' if every else meters[0]}", at),
        site=site.id,
        family="metering",
        detector=fault.what,
        equipment=site.meters[meters[0]].equipment if len(meters) == 1 else None,
        meters=meters,
        start=walk.instant(fault.start),
        end=None if end is None else walk.instant(end),
        detected_at=at,
        status="open" if end is None else "closed",
        confidence=0.95,
        excess_kwh=None,
        excess_l=None,
        cost=None,
        carbon_kg=None,
        watts=None,
        title=words.title.format(where=where),
        cause=f"Of {where} {_WHAT[fault.what]} since {since}.",
        advice=words.advice,
        evidence={"what": fault.what, "hours": float((until if end is None else end) - fault.start)},
    )


# -- rules ------------------------------------------------------------------------------------------------------------


def inspection(walk: Walk, found: Inspection, until: int) -> Finding:
    """A verdict that stands, as a finding; its excess is what the rule itself can tell."""
    site, last = walk.site, found.verdicts[-1]
    end = None if found.end is None or found.end > until else found.end
    days = len(found.verdicts)
    kwh = _told(found, "excess_kw")
    litres = _told(found, "excess_l_h")
    at = walk.instant(found.detected + 1)
    return Finding(
        id=identifier(site, f"{last.rule}-{last.equipment or 'site'}", at),
        site=site.id,
        family=last.family,
        detector=last.rule,
        equipment=last.equipment,
        meters=last.meters,
        start=walk.instant(found.start),
        end=None if end is None else walk.instant(end),
        detected_at=at,
        status="open" if end is None else "closed",
        confidence=round(min(0.9, 0.6 + 0.05 * days), 2),
        excess_kwh=kwh,
        excess_l=litres,
        cost=_cost(site, kwh, litres),
        carbon_kg=_carbon(site, kwh, walk.instant(found.start), walk.instant(until if end is None else end)),
        watts=None if kwh is None or end is not None else kwh.value / (24 * days) * 1000,
        title=WORDS[last.family].title.format(where=last.equipment or site.name),
        cause=last.message,
        advice=last.advice or WORDS[last.family].advice,
        evidence={**last.evidence, "days": float(days)},
    )


def _told(found: Inspection, name: str) -> Estimate | None:
    """kWh or litres over the days of a verdict, where the rule tells; with half and double as bounds."""
    rates = [rate for verdict in found.verdicts if (rate := getattr(verdict, name)) is not None]
    if not rates:
        return None
    value = 24.0 * sum(rates)
    return Estimate(value=value, low=0.5 * value, high=2.0 * value)
