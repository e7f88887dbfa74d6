"""The table of ``wattwell export``: numbers as they are, and no text that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from typing import Any

from wattwell.cli.exporting import as_csv

FIELD: dict[str, Any] = {
    "code": "a",
    "name": "Energy",
    "unit": "kWh",
    "value": -12.5,
    "basis": None,
    "coverage": 0.5,
    "meters": [{"meter": "grid-a", "amount": 2.5, "unit": "kWh", "factor": -1}],
    "note": "",
    "missing": None,
}


def cells(**more: Any) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(as_csv({"fields": [FIELD | more]}), newline=""))
    return row


def test_numbers_are_numbers_and_what_is_unknown_is_empty() -> None:
    row = cells()
    assert (row["value"], row["coverage"], row["basis"]) == ("-12.5", "0.5", "")
    assert row["meters"] == "grid-a -1 x 2.5 kWh"
    assert cells(value=None, missing="no meter")["note"] == "missing: no meter"
    assert (cells(value=True)["value"], cells(value=["b", "c"])["value"]) == ("yes", "b; c")


def test_no_text_is_a_formula() -> None:
    formula = '=HYPERLINK("http://x")'
    texts = dict.fromkeys(("code", "name", "unit", "value", "basis", "note"), formula)
    row = cells(**texts, meters=[FIELD["meters"][0] | {"meter": "@grid"}])
    assert [row[name] for name in texts] == [f"'{formula}"] * len(texts)
    assert row["meters"].startswith("'@grid")
