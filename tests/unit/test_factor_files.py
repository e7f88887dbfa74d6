"""``wattwell factors``: a made table by hand, faults of tables, and the published figures of six grids."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from analytics.factors import hourly
from analytics.report.grid_mix import GridMix, grid_mix
from tests.support import DATA, T0
from wattwell.cli import main
from wattwell.config import parse
from wattwell.engine.factor_files import read_generation, write_factors
from wattwell.errors import UsageError, WattwellError
from wattwell.intervals import HOUR, iso

HEAD = "timestamp,WND,SUN,WAT,NG,NUC,avg_CI"
ROWS = [
    "2026-01-01 00:00:00+00:00,10,0,10,60,20,300",
    "2026-01-01T01:00:00Z,,,,,,",
    "2026-01-01T02:00:00Z,30,20,10,0,40,100",
    "2026-01-01T04:00:00Z,40,-5,0,160,0,500",
    "2026-01-01T05:00:00Z,0,0,0,0,0,400",
]


def table(folder: Path, *rows: str, head: str = HEAD) -> Path:
    path = folder / "mix.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def mix_of(path: Path) -> GridMix:
    return grid_mix(read_generation(path))[0]


def test_a_made_table(tmp_path: Path) -> None:
    """Renewable 20 + 60 + 40 of 100 + 100 + 200 MWh; intensities 300, 100, 500: mean 300, weighted 350."""
    mix, factors = grid_mix(read_generation(table(tmp_path, *ROWS)))
    assert (mix.start, mix.end, mix.hours, mix.used) == ("2026-01-01T00:00:00Z", "2026-01-01T06:00:00Z", 6, 3)
    assert [mix.renewable_share, mix.carbon_free_share] == pytest.approx([120 / 400, 180 / 400])
    assert [mix.mean_g_per_kwh, mix.weighted_g_per_kwh, mix.generation_mwh] == pytest.approx([300, 350, 400])
    assert (mix.empty_cells, mix.negative_cells, mix.missing_rows) == (6, 1, 1)
    assert [(hole.start, hole.end, hole.hours) for hole in mix.holes] == [
        ("2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", 1),
        ("2026-01-01T03:00:00Z", "2026-01-01T04:00:00Z", 1),
        ("2026-01-01T05:00:00Z", "2026-01-01T06:00:00Z", 1),
    ]
    assert factors.hours.tolist() == [T0, T0 + 2 * HOUR, T0 + 4 * HOUR]
    assert {name: values.tolist() for name, values in factors.values.items()} == {
        "grid_carbon_free_share": [0.4, 1.0, 0.2],
        "grid_renewable_share": [0.2, 0.6, 0.2],
        "grid_kg_per_kwh": [0.3, 0.1, 0.5],
    }
    assert "plain mean" in mix.basis
    json.dumps(asdict(mix), allow_nan=False)


def test_an_intensity_below_zero_is_a_gap(tmp_path: Path) -> None:
    mix = mix_of(table(tmp_path, ROWS[0], ROWS[2].replace(",100", ",-1")))
    assert (mix.used, mix.mean_g_per_kwh, mix.holes[0].start) == (1, 300, "2026-01-01T01:00:00Z")


def test_the_files_are_the_factors_of_a_site(tmp_path: Path) -> None:
    _, factors = grid_mix(read_generation(table(tmp_path, *ROWS)))
    files = write_factors(factors, tmp_path / "new" / "folder")
    assert sorted(file.name for file in files) == [
        "grid_carbon_free_share.csv",
        "grid_kg_per_kwh.csv",
        "grid_renewable_share.csv",
    ]
    meter = {"id": "air", "quantity": "temperature", "accumulation": "instantaneous"}
    site: dict[str, Any] = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": [meter]}
    site["factors"] = {name: f"folder/{name}.csv" for name in ("grid_kg_per_kwh", "grid_carbon_free_share")}
    read = parse({"sites": [site]}, tmp_path / "new").sites["s"].factors
    for name in site["factors"]:
        assert hourly(read[name], factors.hours).tolist() == factors.values[name].tolist()


def test_gzip_and_a_table_without_intensity(tmp_path: Path) -> None:
    path = tmp_path / "mix.csv.gz"
    path.write_bytes(gzip.compress(b"time,GEO,BIO,COL\n2026-01-01T00:00:00Z,1,1,2\n\n2026-01-01T01:00:00Z,1,,2\n"))
    mix, factors = grid_mix(read_generation(path))
    assert (mix.renewable_share, mix.mean_g_per_kwh, mix.weighted_g_per_kwh, mix.used) == (0.5, None, None, 1)
    assert sorted(factors.values) == ["grid_carbon_free_share", "grid_renewable_share"]


@pytest.mark.parametrize(
    ("rows", "head", "fault"),
    [
        ([], HEAD, "has no rows"),
        (ROWS, HEAD.replace("WND", "WIND"), "the column 'WIND' is unknown"),
        (ROWS, HEAD.replace("SUN", "WND"), "the column 'WND' stands twice"),
        (ROWS, HEAD.replace("avg_CI", "time"), "write one column timestamp"),
        (["2026-01-01T00:00:00Z,1"], "time,avg_CI", "at least one of WND SUN"),
        ([*ROWS, "2026-01-01T06:00:00Z,1,2"], HEAD, "line 7: cells in this row: 3, columns in the header: 7"),
        ([*ROWS, ROWS[-1]], HEAD, "line 7: '2026-01-01T05:00:00Z' does not come after 2026-01-01T05:00:00Z"),
        ([ROWS[0].replace("00:00:00+00", "00:30:00+00")], HEAD, "is not the start of a UTC hour"),
        ([ROWS[0].replace("+00:00", "")], HEAD, "has no"),
        ([ROWS[0].replace(",60,", ",much,")], HEAD, "line 2, NG: 'much' is no number"),
        ([ROWS[0].replace(",60,", ",inf,")], HEAD, "line 2, NG: 'inf' is not finite"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(rows: list[str], head: str, fault: str, tmp_path: Path) -> None:
    path = table(tmp_path, *rows, head=head)
    with pytest.raises(UsageError) as caught:
        read_generation(path)
    assert str(path) in str(caught.value)
    assert (fault if fault != "has no" else "is no time; write an hour in UTC") in str(caught.value)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"no gzip")
    for path in (broken, tmp_path / "none.csv", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_generation(path)
    _, factors = grid_mix(read_generation(table(tmp_path, *ROWS)))
    with pytest.raises(WattwellError, match="cannot be written"):
        write_factors(factors, tmp_path / "mix.csv")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = table(tmp_path, *ROWS), tmp_path / "out"
    assert main(["factors", str(path), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "renewable share 30.0%, carbon-free share 45.0%" in told
    assert "mean carbon intensity 300.0 g/kWh (plain mean of the hours; weighted by generation 350.0)" in told
    assert "gaps: 3 (3 hours; empty cells: 6, negative cells: 1, hours without a row: 1)" in told
    assert "2026-01-01T03:00:00Z to 2026-01-01T04:00:00Z" in told
    assert main(["factors", str(path), "--out", str(out), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["used"], len(document["holes"]), len(document["files"])) == (3, 3, 3)
    assert (out / "grid_kg_per_kwh.csv").read_text(encoding="utf-8").splitlines()[:2] == [
        "time,value",
        "2026-01-01T00:00:00Z,0.3",
    ]


def test_a_long_list_of_gaps_is_cut_for_people_and_whole_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{iso(T0 + 2 * n * HOUR)},1,1,2" for n in range(30)]
    path = table(tmp_path, *rows, head="time,WND,SUN,NG")
    assert main(["factors", str(path), "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "gaps: 29" in told
    assert "and 9 more" in told
    assert "there is no column avg_CI" in told
    assert main(["factors", str(path), "--out", str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["holes"]) == 29


def test_a_table_of_gaps_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["factors", str(table(tmp_path, ROWS[1])), "--out", str(tmp_path / "out")]) == 2
    assert "no hour that can be used" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not (DATA / "grid").is_dir(), reason="the generation tables are not beside this checkout")
@pytest.mark.parametrize(
    ("grid", "renewable", "mean", "empty", "hours", "holes"),
    [
        ("CISO", 39.6, 256, 27, 3, 3),
        ("PJM", 6.6, 363, 207, 23, 2),
        ("ERCO", 30.6, 347, 0, 0, 0),
        ("BPAT", 82.7, 54.7, 0, 0, 0),
        ("NYIS", 24.9, 273, 0, 0, 0),
        ("MISO", 18.0, 441, 24, 3, 2),
    ],
)
def test_the_published_figures_of_2022(
    grid: str, renewable: float, mean: float, empty: int, hours: int, holes: int
) -> None:
    mix = mix_of(DATA / "grid" / f"{grid}_2022_generation_and_ci.csv.gz")
    assert mix.renewable_share is not None
    assert mix.mean_g_per_kwh is not None
    assert round(100 * mix.renewable_share, 1) == renewable
    assert round(mix.mean_g_per_kwh, 1 if isinstance(mean, float) else 0) == mean
    assert (mix.hours, mix.hours - mix.used, mix.empty_cells, len(mix.holes)) == (8760, hours, empty, holes)
