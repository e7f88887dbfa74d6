"""How the figures of a report are made, in the sentences that it prints."""

from __future__ import annotations

from collections.abc import Mapping

from wattwell.model import KpiValue, Site

_CATEGORY = {1: "the UPS output", 2: "the PDU output", 3: "the input of the IT equipment"}
_WATER = {
    "total_input": "all water that comes in",
    "potable": "potable water",
    "fresh": "all water that comes in less reclaimed water",
    "consumed": "all water that comes in less what is returned",
}
_ALWAYS = (
    (
        "Every figure is a ratio of sums, or a sum, over the intervals in which every meter that it needs has a value; "
        "nothing is put in the place of what is missing."
    ),
    (
        "An amount across a gap of a register is measured, its spread in time is estimated. A gap of an instantaneous "
        "meter stays missing."
    ),
    (
        "A figure that stands on less than the full share of the period is marked provisional; below the least share "
        "it has no value. Of a day or a month within the period what was counted is told, beside its share of the time."
    ),
)


def method(site: Site, values: Mapping[str, KpiValue]) -> tuple[str, ...]:
    """Boundaries first, then what holds for all figures."""
    said = [
        (
            f"PUE is E_DC / E_IT (ISO/IEC 30134-2, EN 50600-4-2), category {site.pue_category}: the IT load is "
            f"measured at {_CATEGORY[site.pue_category]}. Over a span other than a year it is interim, iPUE."
        ),
        (
            "E_DC is grid import, generators, on-site generation, and bought cooling and fuels by their weights, "
            "less export."
        ),
    ]
    if _has(values, "wue"):
        said.append(f"WUE is water / E_IT in L/kWh (ISO/IEC 30134-9); it counts {_WATER[site.wue_numerator]}.")
    if _has(values, "ref"):
        said.append(
            "REF is renewable energy / E_DC, at most 1 (ISO/IEC 30134-3): on-site generation that stayed on the site, "
            "and contracts and certificates once they are retired."
        )
    if _has(values, "erf"):
        said.append("ERF is reused heat / E_DC (ISO/IEC 30134-6); reused heat is never taken off E_DC.")
    if _has(values, "cue_location") or _has(values, "cue_market"):
        said.append(
            "Carbon is import times the factor of its hour, by location and by market, and direct emissions by their "
            "own factors (ISO/IEC 30134-8; GHG Protocol Scope 2 Guidance); export is not credited."
        )
    if _has(values, "cfe"):
        said.append(
            "The 24x7 carbon-free share matches on-site generation and the grid's share with the load hour by hour."
        )
    return (*said, *_ALWAYS)


def _has(values: Mapping[str, KpiValue], name: str) -> bool:
    """Whether the site has the inputs of a KPI."""
    found = values.get(name)
    return found is not None and not any(issue.code == "input.missing" for issue in found.issues)
