"""``wattwell audit compare`` as an auditor meets it: a bucket that lost, changed and gained readings since."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.commands import CONFIG, START, Result, called, dials, service, write_wide
from tests.remotes import Influx, answering
from wattwell.app import compare
from wattwell.app.forward import REFUSED, STATE
from wattwell.config import load
from wattwell.intervals import DAY, MINUTE, SECOND, iso
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.outbox import SetAside
from wattwell.store.reconcile import Compared

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

    def point(self, tags: str, at: int) -> str:
        """Its name in the bucket."""
        (name,) = (each for each in self.server.readings if f"meter={tags}" in each and each.endswith(f" {at}"))
        return name

    def fill(self, name: str, rows: Iterator[tuple[int, dict[str, float]]]) -> None:
        data = write_wide(self.folder / name, rows)
        assert called("backfill", "w.yaml", data, "--site", "north", folder=self.folder).code == 0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(compare, "SAFE_AFTER", 0.0)  # what was sent just now counts as on the server's disk
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
        f"{site.url}/plant/wattwell against the spool, 2026-03-01T00:00:00Z to 2026-04-01T00:00:00Z:",
        f"{COUNT:>12} the same in both",
        "           0 missing there",
        "           0 with another value there",
        "           0 there alone",
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
        f"{COUNT - 2:>12} the same in both",
        "           1 missing there",
        "           1 with another value there",
        "           1 there alone",
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


def test_the_table_has_every_reading_that_counts(site: Site) -> None:
    late = ((at, {"grid-a": 1.0 + row["grid-a"]}) for at, row in dials() if at < START + 10 * MINUTE)
    site.fill("late.csv", late)
    del site.server.points[site.point("grid-a,unit=kWh,revision=1", START)]
    done = site.compare(*SPAN, "--csv", "audit.csv")
    assert done.code == 1
    with (site.folder / "audit.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT + 1
    units = {"grid-a": "kWh", "ups-a": "kWh", "water": "m3", "hall": "degC"}
    assert {row["meter"]: row["unit"] for row in rows} == units
    assert {row["site"] for row in rows} == {"north"}
    grid = [tuple(row.values())[3:] for row in rows if row["meter"] == "grid-a"]
    assert grid[:4] == [
        ("2026-03-01T00:00:00Z", "0", "", "1000.0", "replaced"),
        ("2026-03-01T00:00:00Z", "1", "1001.0", "", "missing"),
        ("2026-03-01T00:05:00Z", "1", "1011.0", "1011.0", "same"),
        ("2026-03-01T00:10:00Z", "0", "1020.0", "1020.0", "same"),
    ]
    assert sorted(each.name for each in site.folder.glob("audit*")) == ["audit.csv"]


def test_virtual_meters_are_left_out(site: Site) -> None:
    text = (site.folder / "w.yaml").read_text()
    hall = next(line for line in text.splitlines(keepends=True) if "id: hall" in line)
    both = '      - {id: both, role: other, quantity: energy, formula: "grid-a - ups-a"}\n'
    (site.folder / "w.yaml").write_text(text.replace(hall, hall + both))
    site.server.points[f"wattwell_reading,site=north,meter=both {START}"] = "value=1.0"
    assert called("check", "w.yaml", folder=site.folder).code == 0
    assert (site.compare().code, site.compare(*SPAN, "--json").json["same"]) == (0, COUNT)


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
        "           2 waiting in the spool, or not on its disk for sure",
        "           1 refused for good",
    ]


def test_repeated_samples_and_refusals_that_are_no_longer_known_are_told(site: Site) -> None:
    name = site.point("water", START)
    site.server.points[name.replace("unit=m3", "unit=L")] = site.server.points[name]
    store = DuckdbStore.open(site.folder / "wattwell.spool.duckdb")
    store.save_states({REFUSED: SetAside(more=3).document(f"{site.url}/plant/wattwell")})
    store.close()
    told = site.compare()
    assert (told.code, len(told.out.splitlines())) == (0, 6)
    assert told.out.splitlines()[5].startswith("           1 samples repeated there")
    del site.server.points[site.point("grid-a", START)]
    told = site.compare()
    assert told.out.splitlines()[2] == (
        "           1 missing there; up to 3 of these it may have refused for good, before the thousand that are known"
    )
    document = site.compare(*SPAN, "--json").json
    assert (document["repeated"], document["unlisted_refused"]) == (1, 3)


def test_what_was_sent_just_now_may_not_be_there_yet(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "SAFE_AFTER", 60.0)
    del site.server.points[site.point("grid-a", START)]
    told = site.compare(*SPAN, "--json")
    assert (told.code, told.json["same"], told.json["waiting"]) == (0, COUNT - 1, 1)


def test_what_raw_retention_has_dropped_cannot_be_compared(site: Site) -> None:
    store = DuckdbStore.open(site.folder / "wattwell.spool.duckdb")
    dropped = store.prune(START + 60 * MINUTE, {})
    store.close()
    done = site.compare()
    assert (done.code, dropped) == (0, 12 * 4)
    assert done.out.splitlines()[5:] == [
        "          48 not to be compared: the spool has dropped its readings from before 2026-03-01T01:00:00Z"
    ]


def test_a_store_that_follows_owes_nothing(site: Site) -> None:
    """What came from the remote store must still be there: none of it waits to be sent."""
    config = load(site.folder / "w.yaml")
    assert config.store.remote is not None
    remote = replace(config.store.remote, follow=10 * SECOND)
    follower = replace(config, store=replace(config.store, remote=remote))
    del site.server.points[site.point("grid-a", START)]
    with_state = DuckdbStore.open(site.folder / "wattwell.spool.duckdb")
    with_state.save_states({STATE: "{}"})
    with_state.close()
    found: list[Compared] = []
    done = compare.compare(follower, ["north"], START - DAY, START + DAY, found.append)
    assert (done.counts["missing"], done.counts["waiting"], done.first) == (1, 0, found[:1])


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
