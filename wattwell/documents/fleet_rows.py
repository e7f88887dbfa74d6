"""The figures of a fleet as rows of the CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wattwell.documents.words import Document, base_unit

_AMOUNTS = {"e_dc": "kWh", "e_it": "kWh", "water": "L", "carbon_location": "kg", "findings_kwh": "kWh"}
_UNITS = {"wue": "L/kWh", "cue_location": "kg/kWh", "cue_market": "kg/kWh"}


def fleet_rows(document: Document) -> Iterator[dict[str, Any]]:
    """Sites, groups and totals; ``section`` names the site or the group. The period is that of each site's calendar."""
    period = document["period"]["key"]
    for each in document["totals"]:
        unit = base_unit(each["unit"])
        yield _row("totals", each["name"], each["value"], unit, f"{period}; {each['basis']}; {_shown(each)}")
    for group in document["groups"]:
        section = f"category {group['category']}, {group['size'] or 'all sizes'}"
        for each in group["metrics"]:
            yield _row(section, each["name"], each["value"], each["unit"], f"{period}; {each['basis']}; {_shown(each)}")
    for site in document["sites"]:
        yield from _site(site, period)
    for each in document["left_out"]:
        yield _row("left_out", f"{each['site']}.{each['kpi']}", None, "", each["reason"])
    for place, text in enumerate(document["caveats"], start=1):
        yield _row("caveats", str(place), None, "", text)


def _site(site: Document, period: str) -> Iterator[dict[str, Any]]:
    section = f"site {site['id']}"
    yield _row(section, "report", site["revision"], "", f"{period}; {site['status']}; {site['name']}; {site['size']}")
    yield _row(section, "digest", site["digest"], "", "")
    for name, unit in _AMOUNTS.items():
        yield _row(section, name, site[name], unit, "")
    yield _row(section, "cost", site["cost"], site["currency"] or "", "")
    for name, value in site["values"].items():
        more = {"usable": site["usable"], "provisional": site["provisional"]} if name == "pue" else {}
        note = f"category {site['category']}" if name == "pue" else ""
        yield _row(section, name, value, _UNITS.get(name, "1"), note) | more


def _shown(metric: Document) -> str:
    return f"shown as {metric['shown']} {metric['unit']}".strip()


def _row(section: str, name: str, value: Any, unit: str, note: str) -> dict[str, Any]:
    return {"section": section, "name": name, "value": value, "unit": unit, "note": note}
