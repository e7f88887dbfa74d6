"""Every answer of the README's table "What happens when ..." names a test that backs it, and that test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """The cells of the table, row by row."""
    section = README.split("## What happens when ...", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def defined_in(path: Path) -> set[str]:
    """Names of the test functions of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_table_is_there() -> None:
    assert len(rows()) >= 15


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_each_answer_names_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == 3, row
    named = re.findall(r"`(\w+/test_\w+)::(test_\w+)`", row[2])
    assert named, f"no test named for: {row[0]}"
    for file, name in named:
        assert name in defined_in(ROOT / "tests" / f"{file}.py"), f"{file} has no {name}"
