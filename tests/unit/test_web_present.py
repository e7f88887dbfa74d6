"""How figures are written for people, and documents for machines."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from tests.unit.test_web_fake import FakeQueries
from wattwell.documents.words import NARROW
from wattwell.errors import UsageError
from wattwell.web import present
from wattwell.web.jsonio import encode, encode_for_script
from wattwell.web.limits import check_rows, rows_in, windows_apart
from wattwell.web.wording import clock

FIGURES = {figure.kpi: figure for figure in present.FIGURES}
SITE = {"timezone": "Europe/Berlin", "grid_seconds": 900}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (999.4, "energy", f"999{NARROW}kWh"),
        (1500.0, "energy", f"1.50{NARROW}MWh"),
        (12_345_678.0, "energy", f"12.3{NARROW}GWh"),
        (2_500_000_000.0, "energy", f"2,500{NARROW}GWh"),
        (0.0, "energy", f"0.00{NARROW}kWh"),
        (-0.001, "energy", f"0.00{NARROW}kWh"),
        (15_400.0, "water", f"15.4{NARROW}m³"),
        (813.0, "water", f"813{NARROW}L"),
        (2_000.0, "mass", f"2.00{NARROW}t"),
        (1_303.4, "power", f"1.30{NARROW}MW"),
    ],
)
def test_amounts_take_a_unit_of_their_size(value: float, kind: str, text: str) -> None:
    assert present.amount(value, kind) == text


@pytest.mark.parametrize(
    ("kpi", "value", "expected"),
    [
        ("pue", 1.342, ("0.042 above target 1.3", "missed")),
        ("pue", 1.3, ("0.000 below target 1.3", "met")),
        ("ref", 0.092, (f"40.8 pts below target 50{NARROW}%", "missed")),
        ("ref", 0.61, (f"11.0 pts above target 50{NARROW}%", "met")),
        ("pue", None, ("target 1.3", "")),
        ("dcie", 0.7, ("", "")),
    ],
)
def test_targets(kpi: str, value: float | None, expected: tuple[str, str]) -> None:
    assert present.against_target(value, FIGURES[kpi], {"pue": 1.3, "renewable_share": 0.5}) == expected


def card(kpi: str, **changes: Any) -> dict[str, Any]:
    """The card of a KPI of the fake over 24 h, with some fields changed."""
    document = FakeQueries().kpi("berlin", [kpi], "24h")[0]
    return present.card(FIGURES[kpi], document | changes, {})


def test_a_card_without_a_value_says_why_and_never_zero() -> None:
    said = card("ups_efficiency")
    assert (said["value"], said["unit"], said["note"]) == ("no value", "", "No meter has the role ups_input.")
    assert present.card(FIGURES["pue"], None, {})["note"] == "Not computed for this site."
    assert card("pue", value=None, issues=[])["note"] == "No reason was given."


def test_a_card_shows_label_category_coverage_and_provisional_mark() -> None:
    said = card("pue", value=1.25, coverage=0.712, provisional=True)
    assert (said["title"], said["value"], said["provisional"]) == ("iPUE", "1.250", True)
    assert said["meta"] == f"category 1 · coverage 71.2{NARROW}% · estimated 1.2{NARROW}%"
    assert card("pue", label="PUE")["title"] == "PUE"
    assert card("wue")["meta"].endswith("total input")
    assert card("peak_demand_kw")["fraction"] == ""


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("24h", {"window": "24h", "at": "E"}),
        ("ytd", {"window": "ytd", "at": "E"}),
        ("month", {"window": "month", "at": "S"}),
        ("fiscal_year", {"window": "fiscal_year", "at": "S"}),
        (None, {"from": "S", "to": "E"}),
    ],
)
def test_what_to_ask_explain_for(window: str | None, expected: dict[str, str]) -> None:
    assert present.question({"kpi": "pue", "window": window, "start": "S", "end": "E"}) == {"kpi": "pue", **expected}


def test_times_are_those_of_the_zone_unless_the_calendar_ends() -> None:
    assert clock("2026-10-24T22:00:00Z", "Europe/Berlin") == "2026-10-25 00:00+02:00"
    assert clock("2026-10-25T12:00:07.5Z", "Asia/Kolkata") == "2026-10-25 17:30:07.500000+05:30"
    assert clock("2026-10-25T12:00:07.5Z", "UTC", "seconds") == "2026-10-25 12:00:07+00:00"
    assert clock("9999-12-31T23:59:59Z", "Asia/Kolkata") == "9999-12-31T23:59:59Z"


def test_the_boundary_fault_still_shows_numerator_and_denominator() -> None:
    said = card("pue", value=None, numerator=90.0, denominator=100.0)
    assert said["fraction"] == f"90.0{NARROW}kWh ÷ 100{NARROW}kWh"


def test_documents_hold_no_nan_and_no_numpy() -> None:
    document = [{"a": math.nan, "b": np.float64("inf"), "c": (np.int64(3), np.float64(1.5)), "d": "é"}]
    assert encode(document) == '[{"a":null,"b":null,"c":[3,1.5],"d":"é"}]'.encode()
    assert json.loads(encode({"big": 1e308, "small": 5e-324})) == {"big": 1e308, "small": 5e-324}
    with pytest.raises(TypeError, match="set has no JSON form"):
        encode({"a": {1}})


def test_embedded_documents_cannot_close_their_element() -> None:
    text = encode_for_script({"name": "</script><b>"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><b>"}


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T02:45:00Z", False),
        ("2026-01-01", "2026-01-02", False),
        ("2026-01", None, False),
        ("1999", "2100", False),
        (None, "2026-01-02", True),
        ("rubbish", None, True),
        ("2026-02-30", None, True),
        ("2026-01-02", "2026-01-01", True),
    ],
)
def test_spans_are_bounded_before_anything_is_computed(start: str | None, end: str | None, fits: bool) -> None:
    count = rows_in(SITE, start, end, now=1.8e9, each=1, step=900)
    if fits:
        check_rows(count, 10)
        return
    with pytest.raises(UsageError, match=r"rows, more than 10; narrow it with 'from' and 'to'"):
        check_rows(count, 10)


@pytest.mark.parametrize(
    ("window", "start", "end", "windows"),
    [
        ("1h", "2026-01-01", "2026-01-02", 96),
        ("365d", "2026-01-01", "2026-01-02", 96),
        ("day", "2026-01-01", "2027-01-01", 365),
        ("day", "2026-01-01", "2026-07-01", 180),
        ("month", "2026-01-01", "2036-01-01", 117),
        ("year", "2026-01-01", "2036-01-01", 9),
        ("fiscal_year", "2026-01-01", "2036-01-01", 9),
    ],
)
def test_windows_are_counted_before_any_is_computed_and_never_more_of_them_than_there_are(
    window: str, start: str, end: str, windows: int
) -> None:
    step = windows_apart(SITE, window)
    assert step is not None
    assert rows_in(SITE, start, end, now=0.0, each=3, step=step) == 3 * windows


@pytest.mark.parametrize("window", [None, "ytd", "9h"])
def test_a_single_window_is_not_bounded_by_its_span(window: str | None) -> None:
    assert windows_apart(SITE, window) is None
