"""``wattwell report`` as a user runs it: issued, drafted, restated, of a year and of a fleet, and through a service."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import CONFIG, ask, called, service, wattwell
from wattwell.intervals import HOUR, iso, parse_iso

FIRST, LAST = parse_iso("2026-01-31T22:00:00Z"), parse_iso("2026-03-01T02:00:00Z")
"""A month in both zones, and a few hours."""
FORMATS = ("html", "pdf", "csv", "json")
HOURLY = CONFIG.replace("period: 5m", "period: 1h").replace(
    "targets:",
    "fiscal_year_start: 4\n    prices: {currency: EUR, electricity_per_kwh: 0.2, water_per_m3: 2}\n    targets:",
    1,
)


def readings(site: str, extra: float = 0.0) -> Iterator[tuple[str, str, float]]:
    """120 kW (150 in the south), 100 kW of it for IT; ``extra`` kWh more on the import's dial from mid-month on."""
    power = 120.0 if site == "north" else 150.0
    for at in range(FIRST, LAST + 1, HOUR):
        hours = (at - FIRST) / HOUR
        yield iso(at), "grid-a", 1000 + power * hours + (extra if hours >= 336 else 0.0)
        yield iso(at), "ups-a", 500 + 100 * hours
        if site == "north":
            yield iso(at), "water", 10 + 0.1 * hours
            yield iso(at), "hall", 24.0


def write(path: Path, site: str, extra: float = 0.0) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("time", "meter", "value"), *readings(site, extra)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reported")
    (folder / "w.yaml").write_text(HOURLY)
    for site in ("north", "south"):
        write(folder / f"{site}.csv", site)
        done = called("backfill", "w.yaml", f"{site}.csv", "--site", site, folder=folder)
        assert done.code == 0, done.err
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def document(folder: Path, out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / out / "report.json").read_text())
    return found


def pue(found: dict[str, Any]) -> float:
    return float(found["headlines"][0]["current"]["value"])


def test_a_month_in_four_formats(folder: Path) -> None:
    asked = ("report", "w.yaml", "--site", "north", "--month", "2026-02", "--out", "out")
    done = called(*asked, folder=folder)
    assert (done.code, done.err) == (0, "north 2026-02: revision 1, issued now\n")
    assert done.out.split() == [f"out/report.{name}" for name in FORMATS]
    found = document(folder, "out")
    assert (found["status"], found["revision"], found["period"]["hours"]) == ("issued", 1, 672)
    assert pue(found) == pytest.approx(1.2)
    head = {name: (folder / "out" / f"report.{name}").read_bytes()[:15] for name in FORMATS}
    assert head["html"].lower() == b"<!doctype html>"
    assert head["pdf"].startswith(b"%PDF-")
    assert called("audit", "verify", "w.yaml", folder=folder).code == 0


def test_the_same_bytes_again_in_another_place_zone_and_locale(
    folder: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("report", "w.yaml", "--site", "north", "--month", "2026-02")
    assert called(*asked, "--out", "one", folder=folder).code == 0
    for name, value in (("TZ", "Asia/Tokyo"), ("LC_ALL", "de_DE.UTF-8"), ("PYTHONHASHSEED", "7")):
        monkeypatch.setenv(name, value)
    other = Path(shutil.copytree(made, folder / "elsewhere"))
    assert wattwell(*asked, "--out", folder / "two", folder=other).code == 0
    for name in FORMATS:
        assert (folder / "one" / f"report.{name}").read_bytes() == (folder / "two" / f"report.{name}").read_bytes()


def test_late_data_make_a_second_revision_and_the_first_can_be_had_again(folder: Path) -> None:
    asked = ("report", "w.yaml", "--site", "north", "--month", "2026-02")
    called(*asked, "--out", "first", folder=folder)
    write(folder / "late.csv", "north", extra=672)
    assert called("backfill", "w.yaml", "late.csv", "--site", "north", folder=folder).code == 0
    second = called(*asked, "--out", "second", "--author", "ann", "--reason", "meter read late", folder=folder)
    assert second.err == "north 2026-02: revision 2, issued now\n"
    found = document(folder, "second")
    assert pue(found) == pytest.approx(1.21)
    last = found["revisions"][-1]
    assert (last["author"], last["reason"]) == ("ann", "meter read late")
    (change,) = [each for each in last["changes"] if each["name"] == "pue.current"]
    assert (change["old"], change["new"]) == (pytest.approx(1.2), pytest.approx(1.21))
    called(*asked, "--out", "again", "--revision", "1", folder=folder)
    for name in FORMATS:
        assert (folder / "first" / f"report.{name}").read_bytes() == (folder / "again" / f"report.{name}").read_bytes()
    rows = ask(folder, "report", "w.yaml", "--list").json
    assert [(row["site"], row["key"], row["revision"], row["reason"]) for row in rows] == [
        ("north", "2026-02", 2, "meter read late"),
        ("north", "2026-02", 1, "period over"),
    ]


def test_what_is_not_plausible_is_written_as_a_draft_and_said(folder: Path) -> None:
    text = (folder / "w.yaml").read_text().replace("targets:", "it_power_kw: 90\n    targets:", 1)
    (folder / "w.yaml").write_text(text)
    done = called("report", "w.yaml", "--site", "north", "--month", "2026-02", "--out", "out", folder=folder)
    assert done.code == 1
    assert "a draft, not issued" in done.err
    assert "E_IT 67200 kWh must not be above PD_IT x 672 h 60480 kWh." in done.err
    assert document(folder, "out")["status"] == "draft"


def test_a_year_that_mostly_is_missing_says_so(folder: Path) -> None:
    year = ("--fiscal-year", "2025", "--draft")
    done = called("report", "w.yaml", "--site", "north", *year, "--out", "out", folder=folder)
    assert done.code == 0
    found = document(folder, "out")
    assert (found["kind"], found["status"], len(found["rows"])) == ("year", "draft", 12)
    assert found["headlines"][0]["current"]["value"] is None
    assert "usable" in found["headlines"][0]["current"]["note"]
    assert [row["pue"] for row in found["rows"]][9:] == [None, pytest.approx(1.2), None]


def test_all_sites_and_the_fleet(folder: Path) -> None:
    done = called("report", "w.yaml", "--month", "2026-02", "--out", "out", "--format", "json,html", folder=folder)
    assert done.code == 0
    assert done.out.split() == [
        f"out/{place}report.{name}" for place in ("north/", "south/", "") for name in ("json", "html")
    ]
    fleet = document(folder, "out")
    (group,) = [each for each in fleet["groups"] if each["size"] is None]
    assert group["metrics"][0]["value"] == pytest.approx((120 + 150) / 200)
    assert [site["revision"] for site in fleet["sites"]] == [1, 1]


def test_a_fleet_is_made_of_the_reports_beside_it(folder: Path) -> None:
    asked = ("report", "w.yaml", "--month", "2026-02", "--format", "json")
    assert called(*asked, "--site", "north", "--out", "first", folder=folder).code == 0
    write(folder / "late.csv", "north", extra=672)
    assert called("backfill", "w.yaml", "late.csv", "--site", "north", folder=folder).code == 0
    draft = called(*asked, "--out", "draft", "--draft", folder=folder)
    assert draft.err.splitlines() == ["north 2026-02: draft", "south 2026-02: draft", "all 2026-02: compiled"]
    (group,) = [each for each in document(folder, "draft")["groups"] if each["size"] is None]
    assert group["metrics"][0]["value"] == pytest.approx((121 + 150) / 200)
    assert [site["status"] for site in document(folder, "draft")["sites"]] == ["draft", "draft"]
    text = (folder / "w.yaml").read_text().replace("targets:", "it_power_kw: 90\n    targets:", 1)
    (folder / "w.yaml").write_text(text)
    assert called(*asked, "--out", "out", folder=folder).code == 1
    assert [site["revision"] for site in document(folder, "out")["sites"]] == [None, 1]


def test_what_was_made_is_written_though_the_next_site_fails(folder: Path) -> None:
    asked = ("report", "w.yaml", "--month", "2026-02", "--format", "json")
    assert called(*asked, "--site", "north", "--out", "first", folder=folder).code == 0
    done = called(*asked, "--revision", "1", "--out", "out", folder=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("north 2026-02: revision 1\n")
    assert "report 2026-02 of south has no revision 1; issued: none" in done.err
    assert sorted(each.relative_to(folder) for each in folder.glob("out/**/*.json")) == [Path("out/north/report.json")]


def test_nothing_is_issued_that_cannot_be_written(folder: Path) -> None:
    done = called("report", "w.yaml", "--month", "2026-02", "--out", "/proc/nowhere/out", folder=folder)
    assert done.code == 2
    assert "--out /proc/nowhere/out cannot be written" in done.err
    assert ask(folder, "report", "w.yaml", "--list").json == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--site", "north", "--out", "o"), "write --month 2026-10, --year 2026 or --fiscal-year 2026"),
        (("--site", "north", "--month", "2026-02", "--year", "2026", "--out", "o"), "a report is of one period"),
        (("--site", "north", "--month", "2026-02"), "--out is needed"),
        (("--site", "east", "--month", "2026-02", "--out", "o"), "site 'east' is not configured; known: north, south"),
        (("--site", "north", "--month", "Feb", "--out", "o"), "report 'Feb' is not understood"),
        (("--site", "north", "--month", "2026-02", "--out", "o", "--format", "docx"), "use some of html,pdf,csv,json"),
        (("--site", "north", "--month", "2026-02", "--out", "w.yaml"), "--out w.yaml is a file; name a folder"),
        (("--site", "north", "--month", "2026-02", "--out", "o", "--revision", "9"), "has no revision 9; issued: none"),
        (("--month", "2026-02", "--out", "o", "--draft", "--revision", "1"), "--draft and --revision are two reports"),
        (
            ("--month", "2026-02", "--out", "o", "--draft", "--author", "me"),
            "--author is said of a report that is issued",
        ),
        (("--month", "2026-02", "--out", "o", "--revision", "1", "--reason", "x"), "--reason is said of a report"),
        (("--list", "--month", "2026-02"), "--list lists what was issued"),
        (("--list", "--draft"), "--list lists what was issued"),
    ],
)
def test_wrong_usage_is_one_sentence(folder: Path, asked: tuple[str, ...], said: str) -> None:
    done = called("report", "w.yaml", *asked, folder=folder)
    assert done.code in (1, 2)
    assert said in done.err
    assert not list(folder.glob("o/*"))


def test_through_a_running_service(folder: Path) -> None:
    with service(folder):
        done = called("report", "w.yaml", "--site", "north", "--month", "2026-02", "--out", "out", folder=folder)
        assert done.code == 0, done.err
        assert document(folder, "out")["revision"] == 1
        assert len(ask(folder, "report", "w.yaml", "--list").json) == 1
