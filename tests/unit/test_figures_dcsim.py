"""The published figures of known sites, through the tool's own road from files to KPIs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks.figures import Figure
from tests.support import DATA

needs_data = pytest.mark.skipif(
    not (DATA / "dcsim").is_dir() or not (DATA / "esif").is_dir(),
    reason="the public telemetry is not beside this checkout",
)


@needs_data
@pytest.mark.parametrize(("source", "count"), [(figures.dcsim, 4 + 2 * 24), (figures.esif, 2)])
def test_every_figure_comes_out(source: Callable[[Path, Path], Sequence[Figure]], count: int, tmp_path: Path) -> None:
    found = source(DATA, tmp_path)
    assert len(found) == count
    assert [figure for figure in found if not figure.right] == []


@pytest.mark.parametrize(("value", "right"), [(1.2345, True), (1.2347, False), (1.2339, False), (None, False)])
def test_a_figure_is_right_within_its_tolerance(value: float | None, right: bool) -> None:
    assert Figure(name="pue", value=value, expected=1.2343, tolerance=0.0003).right is right


def test_a_weekly_table_becomes_readings_and_its_gaps_stay(tmp_path: Path) -> None:
    table = tmp_path / "weeks.csv"
    head = "week,n_days,it_kw,cooling_kw,hvac_kw,pump_kw,plug_kw,pue_mean\n"
    rows = ["2025-03-03,7,100,1,2,3,4,1.1", "2025-03-10,7,200,1,2,3,4,1.1", "2025-03-24,5,300,1,2,3,4,9"]
    table.write_text(head + "\n".join(rows) + "\n")
    readings = figures.esif_readings(table, tmp_path / "readings.csv")
    with figures.filled(figures.esif_config(tmp_path), "esif", [readings], tmp_path) as engine:
        weeks = ["2025-03-03", "2025-03-10", "2025-03-17", "2025-03-24", "2025-03-31"]
        found = [engine.kpi("esif", ["pue"], None, *pair)[0] for pair in pairwise(weeks)]
    assert [each["usable"] for each in found] == [1, 1, 0, 1]
    assert [each["denominator"] for each in found] == [167 * 100, 168 * 200, None, 168 * 300]  # clocks go forward
    values = [each["value"] and round(each["value"], 9) for each in found]
    assert values == [1.1, 1.05, None, round(310 / 300, 9)]


def test_the_script_says_what_to_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv(figures.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "argv", ["figures.py"])
    with pytest.raises(SystemExit) as stopped:
        figures.main()
    assert stopped.value.code == 2
    assert figures.VARIABLE in capsys.readouterr().err


def test_the_script_prints_every_figure_and_counts_what_is_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [
        Figure(name="a", value=1.0, expected=1.0, tolerance=0.0),
        Figure(name="b", value=2.0, expected=1.0, tolerance=0.5),
    ]
    monkeypatch.setattr(sys, "argv", ["figures.py", "--data", "somewhere"])
    monkeypatch.setattr(figures, "dcsim", lambda *_: made)
    monkeypatch.setattr(figures, "esif", lambda *_: made[:1])
    assert figures.main() == 1
    document = json.loads(capsys.readouterr().out)
    assert [each["right"] for each in document["figures"]] == [True, False, True]
    assert document["wrong"] == ["b"]
    monkeypatch.setattr(figures, "dcsim", lambda *_: made[:1])
    assert figures.main() == 0
