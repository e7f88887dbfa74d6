"""A follower brings in everything that is marked, whatever shows late, whoever is killed, and nothing twice."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from tests.storing import A, B, C, dial
from tests.support import T0, readings_of
from wattwell.app import bring, follow
from wattwell.app.bring import Brought, Piece, pieces
from wattwell.app.follow import STATE, Follower
from wattwell.app.remote import sent_lately
from wattwell.config import parse
from wattwell.errors import RemoteStoreError, StoreError
from wattwell.intervals import DAY, HOUR, SECOND
from wattwell.model import MeterKey, Readings, Reject, Site
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.marks import Mark
from wattwell.store.protocol import Committed
from wattwell.store.remote import Sample

NOW = T0 + 30 * DAY


@pytest.fixture
def sites(tmp_path: Path) -> Mapping[str, Site]:
    """``s`` with the meters a and b; ``other`` is somebody else's."""
    meters = [{"id": name, "quantity": "power", "accumulation": "instantaneous"} for name in ("a", "b")]
    site: dict[str, Any] = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": meters}
    return parse({"sites": [site]}, tmp_path).sites


@dataclass
class Remote:
    """A remote store that shows things as late as it is told to."""

    url: str = "http://remote:8428"
    resolution: int = 1000
    exact: float = 1e-12
    now: float = 0.0
    """Seconds after NOW."""
    up: bool = True
    shown_marks: list[tuple[float, Mark]] = field(default_factory=list)
    """From when on each shows."""
    shown: list[tuple[float, MeterKey, Sample]] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)
    """Spans of readings that were asked for, seconds after T0."""

    def wall(self) -> int:
        return NOW + round(self.now * SECOND)

    def put(self, key: MeterKey, at: int, value: float, revision: int = 0, delay: float = 0.0) -> None:
        """A reading at seconds after T0."""
        sample = Sample(at=T0 + at * SECOND, revision=revision, value=value)
        self.shown.append((self.now + delay, key, sample))

    def mark(
        self, first: int, last: int, site: str = "s", by: str = "c", slow: float = 0.0, delay: float = 0.0
    ) -> None:
        """A mark of seconds after T0, by a clock that is ``slow``, which shows after a ``delay``."""
        at = self.wall() - round(slow * SECOND)
        self.shown_marks.append((self.now + delay, Mark(site, by, at, T0 + first * SECOND, T0 + last * SECOND)))

    def first_mark(self, start: int, end: int) -> int | None:
        return min((mark.at for mark in self.marks(start, end)), default=None)

    def marks(self, start: int, end: int) -> Sequence[Mark]:
        if not self.up:
            raise RemoteStoreError("away")
        return [mark for since, mark in self.shown_marks if since <= self.now and start <= mark.at < end]

    def read_sites(self, sites: Sequence[str], start: int, end: int) -> Mapping[MeterKey, Sequence[Sample]]:
        self.asked.append(((start - T0) // SECOND, (end - T0) // SECOND))
        found: dict[MeterKey, list[Sample]] = {}
        for since, key, sample in self.shown:
            if since <= self.now and key[0] in sites and start <= sample.at < end:
                found.setdefault(key, []).append(sample)
        return {key: sorted(each, key=lambda sample: (sample.at, sample.revision)) for key, each in found.items()}


@dataclass
class World:
    """A remote store, a follower's own one, and the follower, which may be lost at any time."""

    sites: Mapping[str, Site]
    store: DuckdbStore
    remote: Remote = field(default_factory=Remote)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.follower = self.followed_by(self.store)

    def followed_by(self, store: Any) -> Follower:
        remote: Any = self.remote
        return Follower(self.sites, store, remote, 10 * SECOND, self.remote.wall, lambda: self.remote.now)

    def look(self, seconds: float = 0.0) -> None:
        """Looks once, and catches up first, after some seconds."""
        self.remote.now += seconds
        self.look_with(self.follower)

    def look_with(self, follower: Follower) -> None:
        while follower.step():
            pass

    def dials(self, key: MeterKey = A) -> list[tuple[int, float | None]]:
        """(minutes after T0, value)."""
        return dial(self.store, key)


@pytest.fixture
def world(sites: Mapping[str, Site]) -> Iterator[World]:
    store = DuckdbStore(Path("spool"), duckdb.connect(":memory:"))
    yield World(sites, store)
    store.close()


def test_what_is_marked_comes_in_and_nothing_else(world: World) -> None:
    for at in (0, 60, 120, 180):
        world.remote.put(A, at, float(at))
        world.remote.put(B, at, 1.0)
        world.remote.put(C, at, 1.0)
        world.remote.put(("s", "stranger"), at, 1.0)
    world.remote.mark(60, 120)
    world.remote.mark(0, 180, "other")
    world.look()
    assert world.dials() == [(1, 60.0), (2, 120.0)]
    assert world.dials(B) == [(1, 1.0), (2, 1.0)]
    assert set(world.store.last_readings()) == {A, B}


def test_a_later_value_replaces_the_one_that_it_replaced_there(world: World) -> None:
    world.remote.put(A, 0, 5.0)
    world.remote.mark(0, 0)
    world.look()
    world.remote.put(A, 0, 4.0, revision=1)
    world.look(10)
    world.remote.mark(0, 0)
    world.look(10)
    assert world.dials() == [(0, 4.0)]
    assert [reject.reason for reject, _ in world.store.rejects("s", 9)] == ["conflict"]


def test_each_mark_is_read_three_times_and_spans_that_meet_at_once(world: World) -> None:
    world.look()
    for first, last in ((0, 60), (30, 90), (300, 310)):
        world.remote.mark(first, last, by=f"c{first}")
    asked = []
    for _ in range(30):
        world.look(10)
        asked.append(len(world.remote.asked))
    assert world.remote.asked[:2] == [(0, 310), (0, 310)]
    assert asked == [1] + [2] * 11 + [3] * 18


def test_readings_that_show_later_than_their_mark_are_not_missed(world: World) -> None:
    world.look()
    world.remote.put(A, 0, 1.0)
    world.remote.put(A, 60, 2.0, delay=9)
    world.remote.put(A, 120, 3.0, delay=119)
    world.remote.mark(0, 120)
    world.look(1)
    assert world.dials() == [(0, 1.0)]
    world.look(10)
    assert world.dials() == [(0, 1.0), (1, 2.0)]
    for _ in range(12):
        world.look(10)
    assert world.dials() == [(0, 1.0), (1, 2.0), (2, 3.0)]


@pytest.mark.parametrize(("slow", "delay"), [(119.0, 0.0), (0.0, 119.0), (60.0, 59.0), (-3600.0, 0.0)])
def test_a_mark_that_shows_after_later_ones_is_not_missed(world: World, slow: float, delay: float) -> None:
    world.look()
    for turn in range(60):
        world.remote.mark(9000, 9000, by="busy")
        if turn == 20:
            world.remote.put(A, 60, 7.0)
            world.remote.mark(60, 60, slow=slow, delay=delay)
        world.look(5)
        world.restart()  # only what the store keeps is known
    assert world.dials() == [(1, 7.0)]


def test_the_first_start_brings_in_all_that_was_ever_marked(world: World) -> None:
    for hours in (-700, -699, -2, 0):
        world.remote.now = hours * 3600.0
        world.remote.put(A, hours * 3600, 1.0)
        world.remote.mark(hours * 3600, hours * 3600)
    world.look()
    assert [at for at, _ in world.dials()] == [hours * 60 for hours in (-700, -699, -2, 0)]
    assert world.follower.until == NOW


def test_who_is_started_anew_goes_on_where_it_was(world: World) -> None:
    for turn in range(60):
        world.remote.put(A, turn * 60, 1.0)
        world.remote.mark(turn * 60, turn * 60)
        world.look(10)
    world.remote.asked.clear()
    world.restart()
    assert world.follower.until is not None
    world.look(10)
    assert 0 < len(world.dials()) == 60
    assert world.remote.asked
    assert min(low for low, _ in world.remote.asked) >= 40 * 60
    world.remote.url = "http://another:8428"
    world.restart()
    world.look()
    assert min(low for low, _ in world.remote.asked) == 0


def test_a_site_that_is_new_here_is_followed_from_its_first_mark(world: World) -> None:
    for key, at in ((A, 0), (C, 60)):
        world.remote.put(key, at, 1.0)
        world.remote.mark(at, at, key[0])
    world.look()
    world.look(1000)
    world.sites = {**world.sites, "other": replace(world.sites["s"], id="other")}
    world.remote.asked.clear()
    world.restart()
    world.look()
    assert (world.dials(), world.dials(C)) == ([(0, 1.0)], [(1, 1.0)])
    assert world.remote.asked
    world.remote.asked.clear()
    world.look(1000)
    world.restart()
    world.look()
    assert world.remote.asked == []


class Breaking:
    """A store that is killed amid what is brought in."""

    def __init__(self, store: DuckdbStore, after: int) -> None:
        self._store, self._left = store, after
        self.readings, self.load_state, self.pruned = store.readings, store.load_state, store.pruned

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        self._left -= 1
        if self._left < 0:
            raise StoreError("killed")
        return self._store.commit(readings, rejects)

    def save_states(self, documents: Mapping[str, str]) -> None:
        if self._left <= 0:
            raise StoreError("killed")
        self._store.save_states(documents)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("old", [False, True])
def test_who_is_killed_amid_it_brings_in_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch, after: int, old: bool
) -> None:
    monkeypatch.setattr(bring, "_BATCH", 4)  # pieces of two minutes
    for at in range(6):
        world.remote.put(A, at * 60, 1.0)
    world.remote.mark(0, 300)
    if old:
        world.remote.now += 1000
    dying = world.followed_by(Breaking(world.store, after))
    with pytest.raises(StoreError, match="killed"):
        world.look_with(dying)
    assert len(world.dials()) == min(2 * after, 6)
    assert world.store.load_state(STATE) is None
    world.restart()
    world.look()
    assert len(world.dials()) == 6


def test_a_stop_breaks_it_off_and_nothing_counts_as_followed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bring, "_BATCH", 4)  # pieces of two minutes
    for at in range(6):
        world.remote.put(A, at * 60, 1.0)
    world.remote.mark(0, 300)
    stop = threading.Event()
    stop.set()
    assert not world.follower.step(stop)
    assert (len(world.dials()), world.store.load_state(STATE)) == (2, None)
    world.look()
    assert len(world.dials()) == 6


def test_doctor_says_who_has_sent_something_and_whose_clock_is_ahead() -> None:
    marks = [Mark("s", by, NOW + at * SECOND, T0, T0) for by, at in (("c-1", -70), ("c-2", 125), ("c-1", -10))]
    assert list(sent_lately(marks[::2], NOW)) == [
        ("ok", "1 collector has sent something there within the last hour, the latest at 2026-01-30T23:59:50Z", None)
    ]
    (ok, ahead) = sent_lately(marks, NOW)
    assert ok[1].startswith("2 collectors have sent")
    assert ahead[:2] == ("warning", "the clock of c-2 is ahead of the one here by 125s")
    ((status, message, _),) = sent_lately([], NOW)
    assert (status, message) == ("warning", "no collector has sent anything there within the last hour")


class Turns(threading.Event):
    """A stop that notes how long the loop would pause, and acts instead."""

    def __init__(self, remote: Remote, *acts: str) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._remote, self._acts = remote, list(acts)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        act = self._acts.pop(0)
        if act == "up":
            self._remote.up = True
        elif act == "stop":
            self.set()
        return self.is_set()


def test_the_loop_is_patient_and_says_once_what_is_in_the_way(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, follow.__name__)
    world.remote.put(A, 0, 1.0)
    world.remote.mark(0, 0)
    world.remote.up = False
    turns = Turns(world.remote, *["still away"] * 7, "up", "stop")
    world.follower.run(turns)
    assert turns.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 10.0]
    assert [record.message for record in caplog.records] == [
        "Nothing new is brought in from the remote store, and nothing is lost: away",
        "The remote store is followed again.",
    ]
    assert (world.dials(), world.follower.error) == ([(0, 1.0)], None)


def test_requests_are_of_many_sites_or_of_a_bounded_time(
    sites: Mapping[str, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = {f"s{n}": sites["s"] for n in range(150)}
    low = T0 + 3 * SECOND
    asked = list(pieces(many, {site: [(low, low + n)] for n, site in enumerate(many)}))
    assert [(len(piece.sites), piece.start, piece.end) for piece in asked] == [
        (100, low, low + 100),
        (50, low, low + 150),
    ]
    monkeypatch.setattr(bring, "_BATCH", 240)
    assert list(pieces(many, {"s1": [(T0, T0 + 5 * HOUR)], "s2": [(T0, T0)]})) == [
        Piece(("s2",), T0, T0 + 1),
        *(Piece(("s1",), T0 + n * 2 * HOUR, min(T0 + (n + 1) * 2 * HOUR, T0 + 5 * HOUR + 1)) for n in range(3)),
    ]


def test_what_is_counted_is_what_came_in(world: World) -> None:
    world.store.prune(T0 + 60 * SECOND, {})
    for at, value, revision in ((0, 1.0, 0), (60, 2.0, 0), (60, 3.0, 1), (60, 2.0, 2), (120, 4.0, 0)):
        world.remote.put(A, at, value, revision)
    world.remote.put(B, 30, 1.0)
    done = brought(world)
    assert (done.readings, done.known, done.refused) == (3, 1, 2)
    assert (done.sites, done.spans) == ({"s": 3}, {"s": (T0 + 60 * SECOND, T0 + 120 * SECOND)})
    assert world.dials() == [(1, 3.0), (2, 4.0)]
    again = brought(world)
    assert (again.readings, again.refused, again.sites) == (0, 2, {})


def test_two_readings_of_one_millisecond_are_told_apart(world: World) -> None:
    """What the spool still has of them need not be the one that it would send as the whole millisecond."""
    world.store.commit(readings_of([(A, T0 + 123, 2.0)], NOW), [])
    world.remote.put(A, 0, 1.0)
    world.remote.shown.append((0.0, A, Sample(at=T0 + 123, revision=0, value=2.0)))
    assert brought(world).readings == 1
    at, value = world.store.readings([A], T0, T0 + SECOND)[A]
    assert (at.tolist(), value.tolist()) == ([T0, T0 + 123], [1.0, 2.0])
    assert brought(world).readings == 0


def brought(world: World) -> Brought:
    """All of the first hour."""
    done, remote = Brought(), cast(Any, world.remote)
    for _ in bring.bring(world.sites, world.store, remote, {"s": [(T0, T0 + HOUR)]}, world.remote.wall, done):
        pass
    return done
