"""How figures are written for people: names, digits, units, targets. Pure; ``static/cards.js`` follows the same rules.

The page is drawn once here, so that it can be read without scripts, and kept up to date there; a test in a browser
compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wattwell.documents import words
from wattwell.documents.words import NARROW, number
from wattwell.engine.queries import Document

WINDOWS = (
    ("1h", "1 h"),
    ("24h", "24 h"),
    ("7d", "7 d"),
    ("30d", "30 d"),
    ("365d", "365 d"),
    ("month", "month"),
    ("year", "year"),
    ("fiscal_year", "fiscal year"),
)
DEFAULT_WINDOW = "24h"
BALANCE = "balance.open"
"""The issue that the page shows by meter, in a table of its own, rather than on every card."""

_BASES = {"energy": "kWh", "water": "L", "mass": "kg", "power": "kW"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One KPI card."""

    kpi: str
    short: str
    name: str
    form: str = "ratio"
    """ratio, percent or power"""
    digits: int = 3
    unit: str = ""
    target: str | None = None
    """Key in the site's targets."""
    better: str | None = None
    """lower or higher"""
    amounts: tuple[str, str] | None = ("energy", "energy")
    """What numerator and denominator are: energy (kWh), water (L), mass (kg) or power (kW)."""
    always: bool = False
    """Shown also where the engine does not answer it."""


FIGURES = (
    Figure(kpi="pue", short="PUE", name="Power usage effectiveness", target="pue", better="lower", always=True),
    Figure(
        kpi="wue",
        short="WUE",
        name="Water usage effectiveness",
        unit="L/kWh",
        target="wue",
        better="lower",
        amounts=("water", "energy"),
        always=True,
    ),
    Figure(
        kpi="ref",
        short="Renewables",
        name="Renewable energy factor (REF)",
        form="percent",
        digits=1,
        target="renewable_share",
        better="higher",
        always=True,
    ),
    Figure(kpi="ups_efficiency", short="UPS efficiency", name="UPS efficiency", form="percent", digits=1, always=True),
    Figure(
        kpi="peak_demand_kw",
        short="Peak demand",
        name="Peak demand of the utility import",
        form="power",
        digits=0,
        unit="kW",
        amounts=None,
        always=True,
    ),
    Figure(
        kpi="dcie", short="DCiE", name="Data centre infrastructure efficiency", form="percent", digits=1, always=True
    ),
    Figure(
        kpi="load_factor",
        short="Load factor",
        name="Load factor of the utility import",
        form="percent",
        digits=1,
        target="load_factor",
        better="higher",
        amounts=("power", "power"),
    ),
    Figure(kpi="wue_source", short="WUE at source", name="WUE at source", unit="L/kWh", amounts=("water", "energy")),
    Figure(
        kpi="cue_location",
        short="CUE (location)",
        name="Carbon usage effectiveness, grid factor",
        unit="kg/kWh",
        amounts=("mass", "energy"),
    ),
    Figure(
        kpi="cue_market",
        short="CUE (market)",
        name="Carbon usage effectiveness, market factor",
        unit="kg/kWh",
        amounts=("mass", "energy"),
    ),
    Figure(
        kpi="cfe",
        short="24/7 carbon-free",
        name="Hourly carbon-free share",
        form="percent",
        digits=1,
        target="cfe",
        better="higher",
    ),
    Figure(kpi="erf", short="Energy reuse", name="Energy reuse factor (ERF)", form="percent", digits=1),
    Figure(kpi="ere", short="ERE", name="Energy reuse effectiveness"),
    Figure(kpi="cer", short="CER", name="Cooling efficiency ratio"),
    Figure(
        kpi="water_reclaimed_share",
        short="Reclaimed water",
        name="Reclaimed water share",
        form="percent",
        digits=1,
        amounts=("water", "water"),
    ),
)


def amount(value: float, kind: str) -> str:
    """An amount in a unit that suits its size: kWh MWh GWh, L m3, kg t, kW MW."""
    return words.amount(value, _BASES[kind])


def written(value: float, figure: Figure) -> str:
    """The figure's value without its unit."""
    return number(value * 100 if figure.form == "percent" else value, figure.digits)


def unit_of(figure: Figure) -> str:
    """The unit shown beside the value."""
    return "%" if figure.form == "percent" else figure.unit


def _goal(target: float, figure: Figure) -> str:
    """A target as someone would type it; the card shows the unit."""
    return f"{target * 100:.6g}{NARROW}%" if figure.form == "percent" else f"{target:.6g}"


def against_target(value: float | None, figure: Figure, targets: Mapping[str, float]) -> tuple[str, str]:
    """(sentence, state) of the comparison with the operator's target; state is met, missed or empty."""
    target = targets.get(figure.target) if figure.target else None
    if target is None or figure.better is None:
        return "", ""
    if value is None:
        return f"target {_goal(target, figure)}", ""
    met = value <= target if figure.better == "lower" else value >= target
    side = "above" if value > target else "below"
    gap = abs(value - target)
    if figure.form == "percent":
        return f"{number(gap * 100, 1)} pts {side} target {_goal(target, figure)}", "met" if met else "missed"
    return f"{written(gap, figure)} {side} target {_goal(target, figure)}", "met" if met else "missed"


def _meta(document: Document) -> str:
    parts = [f"coverage {number(document['coverage'] * 100, 1)}{NARROW}%"]
    if document["estimated"] >= 0.0005:
        parts.append(f"estimated {number(document['estimated'] * 100, 1)}{NARROW}%")
    if document["category"] is not None:
        parts.insert(0, f"category {document['category']}")
    if document["basis"]:
        parts.append(str(document["basis"]).replace("_", " "))
    return " · ".join(parts)


def _fraction(document: Document, figure: Figure) -> str:
    above, below = document["numerator"], document["denominator"]
    if figure.amounts is None or above is None or below is None:
        return ""
    return f"{amount(above, figure.amounts[0])} ÷ {amount(below, figure.amounts[1])}"


def card(figure: Figure, document: Document | None, targets: Mapping[str, float]) -> dict[str, Any]:
    """What a card says; a KPI without a value says why, and never 0."""
    value = None if document is None else document["value"]
    target, state = against_target(value, figure, targets)
    said: dict[str, Any] = {
        "title": figure.short,
        "value": "no value" if value is None else written(value, figure),
        "unit": "" if value is None else unit_of(figure),
        "has_value": value is not None,
        "provisional": False,
        "target": target,
        "state": state,
        "meta": "",
        "fraction": "",
        "note": "",
        "measured": 0.0,
        "estimated": 0.0,
    }
    if document is None:
        return said | {"note": "Not computed for this site."}
    issues = " ".join(issue["message"] for issue in document["issues"] if issue["code"] != BALANCE)
    return said | {
        "title": document["label"] if figure.kpi == "pue" else figure.short,
        "provisional": bool(document["provisional"]) and value is not None,
        "meta": _meta(document),
        "fraction": _fraction(document, figure),
        "note": issues or ("" if value is not None else "No reason was given."),
        "measured": round(document["coverage"] * 100, 2),
        "estimated": round(document["estimated"] * 100, 2),
    }


def question(document: Document) -> dict[str, str]:
    """What to ask ``explain`` for a figure: a calendar window by its start, for its end is that of the next one too."""
    window = document["window"]
    if window is None:
        return {"kpi": document["kpi"], "from": document["start"], "to": document["end"]}
    rolling = window == "ytd" or window[0].isdigit()
    return {"kpi": document["kpi"], "window": window, "at": document["end" if rolling else "start"]}


def shown_figures(documents: Sequence[Document]) -> list[Figure]:
    """The cards of a site: the usual ones, and the others that it has the meters and factors for."""
    answered = {
        document["kpi"]
        for document in documents
        if not any(issue["code"] == "input.missing" for issue in document["issues"])
    }
    return [figure for figure in FIGURES if figure.always or figure.kpi in answered]
