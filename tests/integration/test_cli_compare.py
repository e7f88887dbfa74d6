"""``wattwell audit compare`` as an auditor meets it: a bucket that lost, changed and gained readings since."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.commands import CONFIG, START, Result, called, dials, service, write_wide
from tests.remotes import Influx, answering
from wattwell.intervals import DAY, MINUTE, iso

SPAN = ("--from", "2026-03", "--to", "2026-04")
COUNT = sum(len(row) for _, row in dials())


@dataclass
class Site:
    """The small installation, its north back-filled, with a bucket behind it."""

    folder: Path
    url: str
    server: Influx = field(default_factory=Influx)

    def compare(self, *arguments: object) -> Result:
        return called("audit", "compare", "w.yaml", *(arguments or SPAN), folder=self.folder)

    def point(self, meter: str, at: int) -> str:
        """Its name in the bucket."""
        (name,) = (each for each in self.server.readings if f"meter={meter}," in each and each.endswith(f" {at}"))
        return name

    def fill(self, name: str, rows: Iterator[tuple[int, dict[str, float]]]) -> None:
        data = write_wide(self.folder / name, rows)
        assert called("backfill", "w.yaml", data, "--site", "north", folder=self.folder).code == 0


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    server = Influx(buckets={"wattwell": 0})
    with answering(server) as url:
        section = {"url": f"influxdb://{url.removeprefix('http://')}/plant/wattwell", "token_file": "token"}
        (tmp_path / "token").write_text("secret-token\n")
        (tmp_path / "w.yaml").write_text(CONFIG.replace('{url: "duckdb:wattwell.duckdb"}', json.dumps(section)))
        made = Site(tmp_path, url, server)
        made.fill("north.csv", dials())
        yield made


def test_two_stores_that_are_sound_do_not_differ(site: Site) -> None:
    done = site.compare()
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"{site.url} against the spool, 2026-03-01T00:00:00Z to 2026-04-01T00:00:00Z:",
        f"{COUNT:>12} are the same in both",
        "           0 are missing there",
        "           0 have another value there",
        "           0 are there alone",
    ]
    south = site.compare("--site", "south", *SPAN, "--json")
    assert (south.code, south.json["same"], south.json["differing"]) == (0, 0, 0)
    early = site.compare("--from", iso(START), "--to", iso(START + 5 * MINUTE), "--json").json
    assert (early["same"], early["start"], early["end"]) == (4, iso(START), iso(START + 5 * MINUTE))


def test_what_differs_is_named_and_fails(site: Site) -> None:
    points = site.server.points
    del points[site.point("grid-a", START)]
    points[site.point("ups-a", START + 5 * MINUTE)] = "value=1.5"
    points[f"wattwell_reading,site=north,meter=water,unit=m3 {START + MINUTE}"] = "value=7.0"
    points[f"wattwell_reading,site=north,meter=unknown {START}"] = "value=7.0"
    done = site.compare()
    assert done.code == 1
    assert done.out.splitlines()[1:] == [
        f"{COUNT - 2:>12} are the same in both",
        "           1 are missing there",
        "           1 have another value there",
        "           1 are there alone",
        "missing: north/grid-a at 2026-03-01T00:00:00Z, revision 0: here 1000.0, there none",
        "different: north/ups-a at 2026-03-01T00:05:00Z, revision 0: here 508.33, there 1.5",
        "alone: north/water at 2026-03-01T00:01:00Z, revision 0: here none, there 7.0",
    ]
    told = site.compare(*SPAN, "--json")
    assert (told.code, told.json["differing"]) == (1, 3)
    assert told.json["first"][0] == {
        "site": "north",
        "meter": "grid-a",
        "time": iso(START),
        "revision": 0,
        "here": 1000.0,
        "there": None,
        "compares": "missing",
    }


def test_the_table_has_every_reading_that_counts_and_texts_are_no_formulas(site: Site) -> None:
    text = (site.folder / "w.yaml").read_text()
    (site.folder / "w.yaml").write_text(text.replace("unit: degC", 'unit: "degC"').replace("id: hall,", "id: -hall,"))
    (site.folder / "wattwell.spool.duckdb").unlink()
    site.server.points.clear()
    site.fill("again.csv", ((at, {"-hall": row["hall"], "grid-a": row["grid-a"]}) for at, row in dials()))
    late = ((at, {"grid-a": 1.0 + row["grid-a"]}) for at, row in dials() if at < START + 10 * MINUTE)
    site.fill("late.csv", late)
    del site.server.points[site.point("grid-a,unit=kWh,revision=1", START)]
    done = site.compare(*SPAN, "--csv", "audit.csv")
    assert done.code == 1
    with (site.folder / "audit.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT // 2 + 1
    assert {row["meter"]: row["unit"] for row in rows} == {"'-hall": "degC", "grid-a": "kWh"}
    grid = [tuple(row.values())[3:] for row in rows if row["meter"] == "grid-a"]
    assert grid[:4] == [
        ("2026-03-01T00:00:00Z", "0", "", "1000.0", "replaced"),
        ("2026-03-01T00:00:00Z", "1", "1001.0", "", "missing"),
        ("2026-03-01T00:05:00Z", "1", "1011.0", "1011.0", "same"),
        ("2026-03-01T00:10:00Z", "0", "1020.0", "1020.0", "same"),
    ]
    assert sorted(each.name for each in site.folder.glob("audit*")) == ["audit.csv"]


def test_only_the_first_that_differ_are_printed(site: Site) -> None:
    site.server.points.clear()
    done = site.compare()
    assert (done.code, done.out.count("missing: ")) == (1, 20)
    assert done.out.splitlines()[-1] == f"and {COUNT - 20} more; write them all with --csv FILE"
    assert site.compare(*SPAN, "--csv", "a.csv").out.splitlines()[-1] == f"and {COUNT - 20} more; all are in a.csv"


def test_what_waits_or_was_refused_is_told_and_does_not_fail(site: Site) -> None:
    site.server.poison = (" value=1.25 ",)
    site.fill("refused.csv", iter([(START + 2 * DAY, {"grid-a": 1.25})]))
    site.server.refuse = (503, {}, b"busy")
    site.fill("waiting.csv", iter([(START + 3 * DAY, {"grid-a": 2000.0, "ups-a": 900.0})]))
    site.server.refuse = None
    done = site.compare()
    assert done.code == 0
    assert done.out.splitlines()[5:] == [
        "           2 wait in the spool, or are not on its disk for sure",
        "           1 it refuses for good",
    ]


def test_it_says_what_it_needs(site: Site, tmp_path: Path) -> None:
    def refused(*arguments: object) -> str:
        done = site.compare(*arguments)
        assert (done.code, done.out) == (2, "")
        return done.err

    assert "site 'west' is not configured; known: north, south" in refused("--site", "west", *SPAN)
    assert "--from 2026-04 must be before --to 2026-03" in refused("--from", "2026-04", "--to", "2026-03")
    assert "'soon'" in refused("--from", "soon", "--to", "2026-03")
    assert "--csv none/a.csv cannot be written: No such file or directory" in refused(*SPAN, "--csv", "none/a.csv")
    assert "required: --to" in refused("--from", "2026-03")
    (site.folder / "w.yaml").write_text(CONFIG)
    assert "there is no remote store to compare with; name one in store.url" in refused(*SPAN, "--csv", "a.csv")
    assert not list(tmp_path.glob("a.csv*"))


def test_a_remote_store_that_is_away_leaves_no_table(site: Site) -> None:
    site.server.refuse = (503, {}, b"busy")
    done = site.compare(*SPAN, "--csv", "a.csv")
    assert (done.code, "HTTP 503" in done.err) == (1, True)
    assert not list(site.folder.glob("a.csv*"))


def test_a_backup_is_compared_while_the_service_runs(site: Site) -> None:
    with service(site.folder):
        locked = site.compare()
        assert (locked.code, "is in use by" in locked.err) == (1, True)
        assert called("backup", "w.yaml", "copy.duckdb", folder=site.folder).code == 0
        text = (site.folder / "w.yaml").read_text()
        copy = text.replace('"token_file"', '"spool": "copy.duckdb", "token_file"')
        (site.folder / "copy.yaml").write_text(copy)
        done = called("audit", "compare", "copy.yaml", *SPAN, "--json", folder=site.folder)
        assert (done.code, done.json["same"]) == (0, COUNT)
