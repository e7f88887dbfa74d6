"""``wattwell export`` as a user runs it: files, blanks, breaches, either order, and through a service."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.commands import CONFIG, called, service
from wattwell.intervals import HOUR, iso, parse_iso

FIRST, LAST = parse_iso("2024-12-31T23:00:00Z"), parse_iso("2025-12-31T23:00:00Z")
"""2025 in the north's zone."""
HOURS = 8760
WRITTEN = (
    CONFIG.replace("store:", "grid: 60m\nstore:", 1)
    .replace("period: 5m", "period: 1h")
    .replace("targets:", "it_power_kw: 600\n    facility: {operator: '=ACME', declared_year: 2025}\n    targets:", 1)
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 kW, 100 kW of it for IT, and 50 L/h all through 2025."""
    folder = tmp_path_factory.mktemp("exported")
    (folder / "w.yaml").write_text(WRITTEN)
    rows = ((iso(at), 120 * n, 100 * n, 0.05 * n) for n, at in enumerate(range(FIRST, LAST + 1, HOUR)))
    with (folder / "north.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("time", "grid-a", "ups-a", "water"), *rows])
    done = called("backfill", "w.yaml", "north.csv", "--site", "north", folder=folder)
    assert done.code == 0, done.err
    return folder


def test_files_and_blanks(folder: Path) -> None:
    done = called("export", "eu-2024-1364", "w.yaml", "--site", "north", "--year", "2025", "--out", "eu", folder=folder)
    assert done.code == 0, done.err
    assert done.out.splitlines() == ["eu/eu-2024-1364.json", "eu/eu-2024-1364.csv"]
    document = json.loads((folder / "eu/eu-2024-1364.json").read_text())
    by_code = {field["code"]: field for field in document["fields"]}
    for code, value in {"E_DC": 120.0 * HOURS, "E_IT": 100.0 * HOURS, "W_IN": 0.05 * HOURS, "PUE": 1.2}.items():
        assert by_code[code]["value"] == pytest.approx(value)
    assert by_code["WUE"]["value"] == pytest.approx(0.5)
    with (folder / "eu/eu-2024-1364.csv").open(newline="") as file:
        rows = {row["code"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(by_code)
    assert list(rows["E_IT"]) == ["code", "name", "unit", "value", "basis", "coverage", "meters", "note"]
    assert float(rows["E_IT"]["value"]) == by_code["E_IT"]["value"]
    assert rows["E_IT"]["meters"].startswith("ups-a ")
    assert (rows["OPERATOR"]["value"], rows["OWNER"]["value"]) == ("'=ACME", "")
    blank = [line for line in done.err.splitlines() if line.startswith("missing: ")]
    assert len(blank) == len(document["missing"]) > 20
    assert any("T_WH" in line for line in blank)
    assert "due by 2026-05-15" in done.err


def test_either_order_and_one_document(folder: Path) -> None:
    asked = ("--site", "north", "--year", "2025", "--json")
    one = called("export", "w.yaml", "enefg", *asked, folder=folder)
    other = called("export", "enefg", "w.yaml", *asked, folder=folder)
    assert one.json == other.json
    assert one.json["regulation"] == "enefg"
    table = called("export", "enefg", "w.yaml", *asked[:-1], folder=folder)
    assert table.out.startswith("code,name,unit,value")


def test_a_breach_is_told_and_fails(folder: Path, tmp_path: Path) -> None:
    for file in folder.glob("wattwell.duckdb*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "w.yaml").write_text(WRITTEN.replace("it_power_kw: 600", "it_power_kw: 90"))
    done = called(
        "export", "eu-2024-1364", "w.yaml", "--site", "north", "--year", "2025", "--out", ".", folder=tmp_path
    )
    assert done.code == 1
    (told,) = [line for line in done.err.splitlines() if line.startswith("breach: ")]
    assert told == "breach: E_IT 876000 kWh must not be above PD_IT x 8760 h 788400 kWh."
    assert json.loads((tmp_path / "eu-2024-1364.json").read_text())["breaches"] == [told.removeprefix("breach: ")]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("w.yaml", "eu-2024", "--site", "north", "--year", "2025"), "eu-2024-1364 enefg"),
        (("w.yaml", "enefg", "--site", "nort", "--year", "2025"), "known: north, south"),
        (("w.yaml", "enefg", "--site", "north", "--year", "FY2025"), "a calendar year, such as 2026"),
        (("w.yaml", "enefg", "--site", "north", "--year", "2150"), "choose a year that has begun"),
        (("w.yaml", "enefg", "--site", "north", "--year", "2025", "--out", "w.yaml"), "name a folder"),
    ],
)
def test_wrong_usage(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    done = called("export", *arguments, folder=folder)
    assert done.code == 2
    assert says in done.err


def test_through_a_service(folder: Path) -> None:
    asked = ("export", "eu-2024-1364", "w.yaml", "--site", "north", "--year", "2025", "--json")
    alone = called(*asked, folder=folder).json
    with service(folder) as running:
        assert called(*asked, folder=folder).json == alone
        assert running.process.poll() is None
