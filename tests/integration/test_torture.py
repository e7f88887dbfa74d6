"""The torture test in short; ``make torture`` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import program
from tests.torture.__main__ import torture


@pytest.mark.parametrize(("store", "kills"), [("duckdb", 4), ("victoriametrics", 3)])
def test_each_reading_is_stored_once_whatever_is_killed(tmp_path: Path, store: str, kills: int) -> None:
    for server in ("mosquitto", "victoria-metrics"):
        program(server)
    report = torture(seed=7, kills=kills, store=store, folder=tmp_path)
    assert report["passed"], report
    assert report["store_rows"]["stored"] == report["store_rows"]["expected"] > 5000
    assert report["intervals"]["intervals"] >= 6
