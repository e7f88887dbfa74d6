"""How the page of a month or year tells its report. Pure; texts named ``shown`` are the report's own."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from analytics.report.rounding import adding_up, scale_of
from wattwell.engine.queries import Document
from wattwell.intervals import from_us, parse_iso, zone_of
from wattwell.web.present import NARROW, amount, number

NONE = "\u2013"
"""In place of what is not known."""
MOST = 50
"""Meters, alerts and events that the page lists; the report's files have them all."""
_UNITS = {"1": "", "m3": "m³", "degC": "°C"}
_COMPARED = {
    "month": (("previous", "Last month"), ("year_ago", "Same month last year"), ("ytd", "Year to date")),
    "year": (("previous", "Last year"),),
    "fiscal_year": (("previous", "Last fiscal year"),),
}
_STEPS = (1, 2, 5, 10)
"""Widths of a band of temperature, kelvin."""
_MOST_BANDS = 16


def unit(name: str) -> str:
    """A unit as people write it; a ratio has none."""
    return _UNITS.get(name, name)


def with_unit(text: str, name: str) -> str:
    """A figure and its unit."""
    written = unit(name)
    return f"{text}{NARROW}{written}" if written and text != NONE else text


def fixed(value: float | None, digits: int) -> str:
    """A number with so many digits."""
    return NONE if value is None else number(value, digits)


def column(rows: Sequence[Document], name: str, kind: str) -> Document:
    """A column of kWh or L in a unit that suits its rows, and what it adds up to: unit, texts, total."""
    known = [row[name] for row in rows if row[name] is not None]
    scale = scale_of(kind, max(map(abs, known), default=0.0))
    texts, total = adding_up(known, scale)
    left = iter(texts)
    shown = [NONE if row[name] is None else next(left) for row in rows]
    return {"unit": unit(scale.unit), "texts": shown, "total": total if known else NONE}


def advice(found: Document) -> str:
    """What is said to do about a finding; of one that ended, if it comes back."""
    again = "" if found["end"] is None and found["status"] != "closed" else "If it comes back: "
    return f"{again}{found['advice']}"


def resolved(alert: Document, report: Document) -> str | None:
    """When an alert ended; None where that was not in the period."""
    at: str | None = alert["resolved_at"]
    return None if at is None or parse_iso(at) > parse_iso(report["period"]["end"]) else at


def threshold(alert: Document) -> str:
    """``above 1.3``, where the rule has one."""
    found = next((side for side in ("above", "below") if alert.get(side) is not None), None)
    return "" if found is None else f"{found} {alert[found]:.4g}"


def percent(share: float | None) -> str:
    """A share in per cent and tenths."""
    return NONE if share is None else f"{number(100 * share, 1)}{NARROW}%"


def sized(value: float | None, name: str) -> str:
    """kWh or L in a unit that suits the size; other units as they are."""
    if value is None:
        return NONE
    kind = {"kWh": "energy", "L": "water"}.get(name)
    return with_unit(number(value, 1), name) if kind is None else amount(value, kind)


def compared(period: Document, fiscal: bool) -> tuple[tuple[str, str], ...]:
    """The spans that a report's first table compares: field of a headline, and what it is called."""
    found = _COMPARED[period["window"]]
    return (*found, ("fiscal", "Fiscal year to date")) if fiscal and period["window"] == "month" else found


def fiscal_key(report: Document) -> str | None:
    """The key of the fiscal year that a period ends in, where it is not the calendar year."""
    for line in report["headlines"][:1]:
        if line["fiscal"]["start"] is not None:
            start = from_us(parse_iso(line["fiscal"]["start"])).astimezone(zone_of(report["site"]["timezone"]))
            return None if start.month == 1 else f"FY{start.year:04}"
    return None


def verdict(line: Document) -> str:
    """met, missed, or nothing where a figure has no target or no value; it is as provisional as the figure."""
    said = "" if line["met"] is None else "met" if line["met"] else "missed"
    return f"{said}, provisional" if said and line["current"]["provisional"] else said


def why(report: Document) -> str:
    """Why the period has no PUE."""
    return next((each["current"]["note"] for each in report["headlines"] if each["name"] == "pue"), None) or "No PUE."


def bands(weather: Document | None) -> list[Document]:
    """PUE by bands of outdoor temperature: how many points, their median, the lowest and the highest."""
    if weather is None or not weather["pue"]:
        return []
    least, most = min(weather["temperature"]), max(weather["temperature"])
    step = next((size for size in _STEPS if (most - least) / size < _MOST_BANDS - 1), _STEPS[-1])
    found: dict[int, list[float]] = {}
    for degrees, pue in zip(weather["temperature"], weather["pue"], strict=True):
        found.setdefault(int(degrees // step), []).append(pue)
    return [
        {
            "low": place * step,
            "high": (place + 1) * step,
            "count": len(points),
            "median": statistics.median(points),
            "least": min(points),
            "most": max(points),
        }
        for place, points in sorted(found.items())
    ]


def worst_first(meters: Sequence[Document]) -> list[Document]:
    """Meters by what is missing of their time in service, then by what is estimated."""
    return sorted(meters, key=lambda each: (-each["missing"], -each["estimated"], str(each["meter"])))


def flows(report: Document) -> Iterator[tuple[str, Document]]:
    """The breakdowns of a report, by the name under which its page shows them."""
    for name, found in (
        ("sources", report["energy"]["sources"]),
        ("uses", report["energy"]["uses"]),
        ("cooling", report["energy"]["cooling"]),
        ("water_sources", report["water"]["sources"]),
        ("water_uses", report["water"]["uses"]),
    ):
        if found is not None:
            yield name, found


def drawn(report: Document) -> dict[str, Any]:
    """What the page's script draws."""
    fields = ("key", "start", "end", "pue", "temperature", "usable", "provisional")
    line = next((each for each in report["headlines"] if each["name"] == "pue"), None)
    weather = report["weather"]
    return {
        "timezone": report["site"]["timezone"],
        "period": report["period"],
        "target": None if line is None else line["target"],
        "why": why(report),
        "rows": [{name: row[name] for name in fields} for row in report["rows"]],
        "weather": None if weather is None else {name: weather[name] for name in ("step", "temperature", "pue")},
        "bands": bands(weather),
        "flows": dict(flows(report)),
    }
