"""Findings as documents: of the store, exactly as they are, and of the API, as people and scripts read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from wattwell.engine.queries import Document
from wattwell.finding import Course, Estimate, Finding
from wattwell.intervals import HOUR, SECOND, iso
from wattwell.model import Prices, Site

_YEAR_HOURS = 8760.0
_M3 = 1000.0
"""Litres."""
_COLUMNS = ("start", "actual", "expected", "low", "high")


# -- the store ------------------------------------------------------------------------------------------------------


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """A finding as a JSON object that :func:`finding_from_json` reads back to an equal one; times in microseconds."""
    return dataclasses.asdict(finding) | {"evidence": dict(finding.evidence)}


def finding_from_json(document: Mapping[str, Any]) -> Finding:
    """The finding of a document of :func:`finding_to_json`; KeyError, TypeError or ValueError when it is none."""
    fields = dict(document)
    for name in ("excess_kwh", "excess_l", "saving"):
        fields[name] = None if fields[name] is None else Estimate(**fields[name])
    course = tuple(Course(**{**each, **{name: tuple(each[name]) for name in _COLUMNS}}) for each in fields["course"])
    return Finding(**{**fields, "meters": tuple(fields["meters"]), "course": course})


# -- the API --------------------------------------------------------------------------------------------------------


def finding_document(finding: Finding, site: Site, at: int) -> Document:
    """A finding without its course; ``at``: what it holds is known up to this instant."""
    prices = site.prices
    return {
        "id": finding.id,
        "site": finding.site,
        "family": finding.family,
        "detector": finding.detector,
        "equipment": finding.equipment,
        "meters": list(finding.meters),
        "start": iso(finding.start),
        "end": None if finding.end is None else iso(finding.end),
        "detected_at": iso(finding.detected_at),
        "status": finding.status,
        "confidence": finding.confidence,
        "excess_kwh": _estimate(finding.excess_kwh),
        "excess_l": _estimate(finding.excess_l),
        "cost": _cost(finding.cost, prices),
        "advice": finding.advice,
        "evidence": dict(finding.evidence),
        "title": finding.title,
        "cause": finding.cause,
        "carbon_kg": finding.carbon_kg,
        "watts": finding.watts,
        "per_year": _per_year(finding, prices, at),
        "saving": _estimate(finding.saving),
        "note": finding.note,
    }


def _estimate(found: Estimate | None) -> Document | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}


def _cost(value: float | None, prices: Prices | None) -> Document | None:
    return None if value is None or prices is None else {"value": value, "currency": prices.currency}


def watts_of(finding: Finding, at: int) -> float | None:
    """The power drawn beyond what was expected: of its last day, else the mean over all of it up to ``at``."""
    if finding.watts is not None or finding.excess_kwh is None:
        return finding.watts
    hours = _hours(finding, at)
    return finding.excess_kwh.value * 1000 / hours if hours > 0 else None


def _hours(finding: Finding, at: int) -> float:
    return ((at if finding.end is None else finding.end) - finding.start) / HOUR


def _per_year(finding: Finding, prices: Prices | None, at: int) -> Document | None:
    """What an open finding comes to in 365 days if it goes on: power as of its last day, water as on average."""
    if finding.end is not None:
        return None
    watts, hours = watts_of(finding, at), _hours(finding, at)
    kwh = None if watts is None else watts / 1000 * _YEAR_HOURS
    litres = None if finding.excess_l is None or hours <= 0 else finding.excess_l.value / hours * _YEAR_HOURS
    cost = None
    if prices is not None and (kwh is not None or litres is not None):
        cost = (kwh or 0.0) * prices.electricity_per_kwh + (litres or 0.0) / _M3 * prices.water_per_m3
    return {"excess_kwh": kwh, "excess_l": litres, "cost": _cost(cost, prices)}


def course_document(course: Course) -> Document:
    """A course: columns of equal length."""
    return {
        "label": course.label,
        "unit": course.unit,
        "step_seconds": course.step / SECOND,
        "start": [iso(at) for at in course.start],
        "actual": list(course.actual),
        "expected": list(course.expected),
        "low": list(course.low),
        "high": list(course.high),
    }
