"""What a new revision of a report says otherwise than the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics.report.model import Change

_COLUMNS = (
    *(("e_dc", "E_DC", "kWh"), ("e_it", "E_IT", "kWh"), ("water", "Water", "L")),
    *(("pue", "PUE", "1"), ("wue", "WUE", "L/kWh"), ("ref", "REF", "1")),
    *(("carbon_location", "Carbon, location-based,", "kg"), ("carbon_market", "Carbon, market-based,", "kg")),
    *(("cost", "Cost", ""), ("temperature", "Outdoor temperature", "degC")),
)
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
_DETAILS = {
    "water": (
        *(("blowdown", "Blow-down", "L"), ("returned", "Returned water", "L")),
        ("cycles", "Cycles of concentration", "1"),
    ),
    "heat": (("reused_kwh", "Reused heat", "kWh"), ("removed_kwh", "Removed heat", "kWh")),
    "demand": (("peak_kw", "Peak demand", "kW"), ("mean_kw", "Mean demand", "kW")),
    "renewables": (("uncapped_kwh", "Renewable energy, uncapped", "kWh"), ("sold_kwh", "Sold on-site energy", "kWh")),
}
"""Figures of sections that no other part of the report tells."""
_BREAKDOWNS = {"energy": (("sources", "uses", "cooling"), "kWh"), "water": (("sources", "uses"), "L")}
_BASE = {"energy": "kWh", "water": "L", "carbon": "kg", "ref": "1"}
"""Units of the values of the first page, whose texts are in units that suit their size."""
_Figure = tuple[str, str, float | None]
"""Label, unit and value."""


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """The figures that differ between two documents of a report, each once: of the first page, KPIs, key metrics,
    carbon, the sections, the days or months, and the meters; one that is in one of them alone is unknown in the
    other."""
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


def _figures(document: Mapping[str, Any]) -> Iterator[tuple[str, _Figure]]:
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
    yield from _sections(document)
    yield from _rows(document)
    for meter in document["meters"]:
        yield f"meter.{meter['meter']}", (f"Meter {meter['meter']}", meter["unit"], meter["value"])


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, _Figure]]:
    """Days or months."""
    for row in document["rows"]:
        for name, label, unit in _COLUMNS:
            written = unit or document["site"]["currency"] or ""
            yield f"{row['key']}.{name}", (f"{label} of {row['key']}", written, row[name])


def _sections(document: Mapping[str, Any]) -> Iterator[tuple[str, _Figure]]:
    """Figures that stand in their sections alone; the first part of a name is none of the first page's."""
    for section, listed in _DETAILS.items():
        for name, label, unit in listed:
            yield f"section.{section}.{name}", (label, unit, document[section][name])
    for section, (names, unit) in _BREAKDOWNS.items():
        for name in names:
            found = document[section][name]
            for part in () if found is None else found["parts"]:
                said = f"{found['label']}: {part['label']}"
                yield f"section.{section}.{name}.{part['name']}", (said, unit, part["value"])
    for stage in document["energy"]["stages"]:
        yield f"section.stage.{stage['role']}", (stage["label"], "kWh", stage["kwh"])
        yield f"section.stage.{stage['role']}.loss", (f"{stage['label']}, loss before it", "kWh", stage["loss_kwh"])
