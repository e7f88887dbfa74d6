"""The page needs no network: no template, script or style sheet names an address elsewhere, or runs inline code."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

WEB = Path(str(files("wattwell.web")))
ASSETS = sorted(path for folder in ("static", "templates") for path in (WEB / folder).rglob("*") if path.is_file())
NAMESPACES = {"http://www.w3.org/2000/svg"}
"""Names, not addresses: nothing fetches them."""


def test_there_are_assets_to_look_at() -> None:
    assert {path.suffix for path in ASSETS} >= {".js", ".css", ".html", ".svg"}
    assert len(ASSETS) >= 12


@pytest.mark.parametrize("path", ASSETS, ids=lambda path: path.name)
def test_no_foreign_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:https?:|wss?:)//[^\s\"'`)<>]*", text)) <= NAMESPACES
    assert not re.search(r"""(?:src|href|url\(|import|from)\s*[=(]?\s*["']//""", text)
    assert "@import" not in text


@pytest.mark.parametrize("path", [path for path in ASSETS if path.suffix == ".html"], ids=lambda path: path.name)
def test_no_inline_code_or_style(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\son\w+\s*=|\sstyle\s*=|<style|javascript:", text)
    for script in re.findall(r"<script\b[^>]*>", text):
        assert 'type="application/json"' in script or 'src="/static/' in script


@pytest.mark.parametrize("path", [path for path in ASSETS if path.suffix == ".js"], ids=lambda path: path.name)
def test_scripts_make_no_markup_from_text(path: Path) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text())
