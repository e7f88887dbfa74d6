"""What a new revision of a report says otherwise than the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics.report.model import Change

_COLUMNS = (("e_dc", "E_DC", "kWh"), ("e_it", "E_IT", "kWh"), ("water", "Water", "L"))
_SPANS = {
    "current": "",
    "previous": ", period before",
    "year_ago": ", year before",
    "ytd": ", year to date",
    "fiscal": ", fiscal year to date",
}
_TOLD = {"electricity", "water"}
"""Key metrics that the first page tells already."""
_TOTALS = {"total_location_kg": "Carbon in all, location-based", "total_market_kg": "Carbon in all, market-based"}
_BASE = {"energy": "kWh", "water": "L", "carbon": "kg", "ref": "1"}
"""Units of the values of the first page, whose texts are in units that suit their size."""


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """The figures that differ between two documents of a report, each once: of the first page, KPIs, key metrics,
    carbon and the days or months; one that is in one of them alone is unknown in the other."""
    before, after = dict(_figures(old)), dict(_figures(new))
    names = dict.fromkeys((*after, *before))
    nothing = ("", "", None)
    return tuple(
        Change(
            name=name,
            label=(after.get(name) or before[name])[0],
            unit=(after.get(name) or before[name])[1],
            old=before.get(name, nothing)[2],
            new=after.get(name, nothing)[2],
        )
        for name in names
        if before.get(name, nothing)[2] != after.get(name, nothing)[2]
    )


def _figures(document: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, str, float | None]]]:
    for line in document["headlines"]:
        for span, words in _SPANS.items():
            unit = _BASE.get(line["name"], line["unit"])
            yield f"{line['name']}.{span}", (f"{line['label']}{words}", unit, line[span]["value"])
    told = {line["name"] for line in document["headlines"]}
    for value in document["kpis"]:
        if value["kpi"] not in told:
            yield f"kpi.{value['kpi']}", (value["label"], value["unit"], value["value"])
    told |= {value["kpi"] for value in document["kpis"]} | _TOLD
    for metric in document["metrics"]:
        if metric["name"] not in told:
            yield f"metric.{metric['name']}", (metric["label"], metric["unit"], metric["value"])
    for name, label in _TOTALS.items():
        yield f"carbon.{name}", (label, "kg", document["carbon"][name])
    for row in document["rows"]:
        for name, label, unit in _COLUMNS:
            yield f"{row['key']}.{name}", (f"{label} of {row['key']}", unit, row[name])
