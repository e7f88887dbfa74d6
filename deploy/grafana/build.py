"""Writes Wattwell's Grafana boards as JSON beside it: python deploy/grafana/build.py

The same definitions give the same bytes; a test compares the committed files with what this makes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import by_flux  # noqa: E402 - beside this script, which is run as a file
import by_prometheus  # noqa: E402


def files() -> Iterator[tuple[str, str]]:
    """Path from this folder and text of every board."""
    for folder, boards in (("prometheus", by_prometheus.boards()), ("influxdb", by_flux.boards())):
        for board in boards:
            text = json.dumps(board, indent=2, sort_keys=True, ensure_ascii=False)
            yield f"boards/{folder}/{board['uid']}.json", f"{text}\n"


def main() -> None:
    """Writes every file."""
    for name, text in files():
        path = HERE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
