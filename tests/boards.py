"""Grafana's boards and provisioning as tests read them."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

GRAFANA = Path(__file__).resolve().parents[1] / "deploy" / "grafana"
Json = dict[str, Any]


def builder() -> ModuleType:
    """The script that makes the boards."""
    sys.path.insert(0, str(GRAFANA))
    try:
        return importlib.import_module("build")
    finally:
        sys.path.remove(str(GRAFANA))


def boards(folder: str = "*") -> dict[str, Json]:
    """Every board that is shipped, by uid."""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(GRAFANA.glob(f"boards/{folder}/*.json"))]
    found = {board["uid"]: board for board in read}
    assert len(found) == len(read) >= 1
    return found


def provisioned(what: str) -> list[Json]:
    """Entries of the provisioning files: ``datasources`` or ``dashboards``."""
    key = {"datasources": "datasources", "dashboards": "providers"}[what]
    paths = sorted(GRAFANA.glob(f"provisioning/{what}/*.yaml"))
    assert len(paths) == 2
    return [entry for path in paths for entry in yaml.safe_load(path.read_text(encoding="utf-8"))[key]]


def panels() -> Iterator[tuple[str, Json]]:
    """(uid, panel) of every board."""
    for uid, board in boards().items():
        for panel in board["panels"]:
            yield uid, panel


def strings(node: object) -> Iterator[str]:
    """Every string within."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def expressions(board: Json) -> Iterator[str]:
    """Every PromQL expression of a board's panels and annotations."""
    for panel in board["panels"]:
        yield from (target["expr"] for target in panel["targets"] if "expr" in target)
    yield from (mark["expr"] for mark in board["annotations"]["list"])


def filled_in(text: str, values: Mapping[str, str]) -> str:
    """A text with its variables replaced, as Grafana writes $name, ${name} and ${name:format}."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return values[name]

    return re.sub(r"\$(?:(\w+)|\{(\w+)(?::\w+)?\})", value, text)
