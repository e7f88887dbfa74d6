"""Every claim of the threat model names a test that backs it, and that test exists; the page stays one screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.test_what_happens import defined_in

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "THREATS.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of the table, row by row."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_the_page_has_every_part_and_is_short() -> None:
    for part in ("What is worth protecting", "Who may attack", "Where they come in", "Left to the operator"):
        assert f"**{part}" in PAGE
    assert len(rows()) >= 12
    assert len(PAGE.splitlines()) <= 60


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_each_claim_names_a_test_that_exists(row: list[str]) -> None:
    threat, done, tests = row
    assert threat
    assert done
    named = re.findall(r"`(\w+/test_\w+)::(test_\w+)`", tests)
    assert named, f"no test named against: {threat}"
    assert len(named) == tests.count("::")
    for file, name in named:
        assert name in defined_in(ROOT / "tests" / f"{file}.py"), f"{file} has no {name}"
