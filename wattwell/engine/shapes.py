"""Results as the JSON objects of README: times UTC with Z, null where unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from analytics.closure import Closure
from wattwell.engine.queries import Document
from wattwell.intervals import iso
from wattwell.model import Float64, Int64, Issue, KpiValue, Meter, MeterEvent, Reject, Site
from wattwell.units import AMOUNT_OF, CANONICAL


def value_unit(meter: Meter) -> str:
    """The unit of a meter's interval values: kWh, L, or its quantity's canonical unit."""
    return CANONICAL[AMOUNT_OF.get(meter.quantity, meter.quantity)]


def kpi_document(value: KpiValue) -> Document:
    """One KPI value."""
    return {
        "site": value.site,
        "kpi": value.kpi,
        "label": value.label,
        "window": value.window,
        "start": iso(value.interval.start),
        "end": iso(value.interval.end),
        "value": value.value,
        "unit": value.unit,
        "numerator": value.numerator,
        "denominator": value.denominator,
        "usable": value.usable,
        "coverage": value.coverage,
        "estimated": value.estimated,
        "category": value.category,
        "basis": value.basis,
        "provisional": value.provisional,
        "issues": [_issue(issue) for issue in value.issues],
        "parts": dict(value.parts),
    }


def _issue(issue: Issue) -> Document:
    return {"code": issue.code, "severity": issue.severity, "message": issue.message}


def balance_document(found: Closure) -> Document:
    """One balance of the meter tree over one window."""
    return {
        "site": found.site,
        "meter": found.parent,
        "children": [{"meter": meter, "amount": amount} for meter, amount in found.amounts],
        "window": found.window,
        "start": iso(found.interval.start),
        "end": iso(found.interval.end),
        "parent_amount": found.parent_amount,
        "children_amount": found.children_amount,
        "residual": found.residual,
        "tolerance": found.tolerance,
        "share": found.share,
        "unit": found.unit,
        "usable": found.usable,
        "coverage": found.coverage,
        "provisional": found.provisional,
        "issue": None if found.issue is None else _issue(found.issue),
    }


def site_document(site: Site, grid: int, last: Mapping[tuple[str, str], int]) -> Document:
    """One site with its meters."""
    prices = site.prices
    return {
        "id": site.id,
        "name": site.name,
        "timezone": site.zone,
        "pue_category": site.pue_category,
        "it_power_kw": site.it_power_kw,
        "wue_numerator": site.wue_numerator,
        "targets": dict(site.targets),
        "prices": None
        if prices is None
        else {
            "currency": prices.currency,
            "electricity_per_kwh": prices.electricity_per_kwh,
            "water_per_m3": prices.water_per_m3,
        },
        "grid_seconds": grid / 1e6,
        "meters": [_meter_document(meter, last.get((site.id, meter.id))) for meter in site.meters.values()],
    }


def _meter_document(meter: Meter, last: int | None) -> Document:
    return {
        "id": meter.id,
        "role": meter.role,
        "quantity": meter.quantity.value,
        "accumulation": None if meter.virtual else meter.accumulation.value,
        "unit": meter.unit,
        "value_unit": value_unit(meter),
        "equipment": meter.equipment,
        "parent": meter.parent,
        "virtual": meter.virtual,
        "period_seconds": None if meter.virtual else meter.period / 1e6,
        "last_reading": None if last is None else iso(last),
    }


def series_documents(
    meter: Meter, start: Int64, value: Float64, measured: Float64, recovered: Iterable[bool], grid: int
) -> Iterator[Document]:
    """Interval values of one meter; an interval without a value is missing as a whole."""
    unit = value_unit(meter)
    columns = zip(start.tolist(), value.tolist(), measured.tolist(), recovered, strict=True)
    for at, amount, share, again in columns:
        missing = math.isnan(amount)
        yield {
            "site": meter.site,
            "meter": meter.id,
            "start": iso(at),
            "end": iso(at + grid),
            "value": None if missing else amount,
            "unit": unit,
            "measured": 0.0 if missing else share,
            "estimated": 0.0 if missing else 1.0 - share,
            "missing": 1.0 if missing else 0.0,
            "recovered": bool(again),
        }


def event_document(event: MeterEvent) -> Document:
    """One entry of the meter-event ledger."""
    return {
        "site": event.site,
        "meter": event.meter,
        "event": event.event,
        "at": iso(event.at),
        "before": event.before,
        "after": event.after,
        "booked": event.booked,
        "unit": event.unit,
        "state": event.state,
    }


def reject_documents(
    rows: Sequence[tuple[Reject, int]], counts: Mapping[tuple[str | None, str | None, str | None, str], int]
) -> list[Document]:
    """Rejected readings that are kept one by one, and one object for the others of the same kind.

    Of very many topics the counts of some are kept without the topic.
    """
    left = dict(counts)
    documents: list[Document] = []
    for reject, count in rows:
        kind = (reject.site, reject.meter, reject.topic, reject.reason)
        counted = kind if kind in left else (reject.site, reject.meter, None, reject.reason)
        left[counted] = left.get(counted, 0) - count
        documents.append(_reject(kind, reject.at, reject.received_at, _number(reject.value), count))
    documents += [_reject(kind, None, None, None, count) for kind, count in left.items() if count > 0]
    return documents


def _reject(
    kind: tuple[str | None, str | None, str | None, str], at: int | None, received: int | None, value: Any, count: int
) -> Document:
    site, meter, topic, reason = kind
    return {
        "site": site,
        "meter": meter,
        "topic": topic,
        "at": None if at is None else iso(at),
        "received_at": None if received is None else iso(received),
        "reason": reason,
        "value": value,
        "count": count,
    }


def _number(text: str) -> float | str:
    """The number that was sent, or the text where it was none."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
