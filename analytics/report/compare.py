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
_BASE = {"energy": "kWh", "water": "L", "carbon": "kg", "ref": "1"}
"""Units of the values of the first page, whose texts are in units that suit their size."""


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """The figures that differ between two documents of a report: of the first page, the KPIs, the key metrics and the
    days or months; one that is in one of them alone is unknown in the other."""
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
    for value in document["kpis"]:
        yield f"kpi.{value['kpi']}", (value["label"], value["unit"], value["value"])
    for metric in document["metrics"]:
        yield f"metric.{metric['name']}", (metric["label"], metric["unit"], metric["value"])
    for row in document["rows"]:
        for name, label, unit in _COLUMNS:
            yield f"{row['key']}.{name}", (f"{label} of {row['key']}", unit, row[name])
