"""How the page of a month or year tells its report. Pure; what it tells as the report's files do stands in
``wattwell.documents``."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from wattwell.documents.words import amount, number, with_unit
from wattwell.engine.queries import Document
from wattwell.intervals import from_us, parse_iso, zone_of

MOST = 50
"""Meters, alerts and events that the page lists; the report's files have them all."""
_COMPARED = {
    "month": (("previous", "Last month"), ("year_ago", "Same month last year"), ("ytd", "Year to date")),
    "year": (("previous", "Last year"),),
    "fiscal_year": (("previous", "Last fiscal year"),),
}
_STEPS = (1, 2, 5, 10)
"""Widths of a band of temperature, kelvin."""
_MOST_BANDS = 16


def sized(value: float | None, name: str) -> str:
    """kWh or L in a unit that suits the size; other units as they are."""
    return amount(value, name) if name in ("kWh", "L") else with_unit(number(value, 1), name)


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
