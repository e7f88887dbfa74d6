"""Marks and what is remembered of sent readings: never the one without the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.forwarding import SAFE, Server, outgoing
from tests.storing import A, C, put
from tests.support import T0
from wattwell.app.forward import STATE, Forwarder
from wattwell.app.marking import EVERY, Marker
from wattwell.errors import RemoteStoreError
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.marks import Mark


@dataclass
class Desk:
    """A spool, a server, and a forwarder that marks what it sends."""

    store: DuckdbStore
    server: Server = field(default_factory=Server)
    marks: list[Mark] = field(default_factory=list)
    away: bool = False
    """Whether the server takes no marks."""
    slow: float = 0.0
    """Seconds that it takes for them."""
    known: list[int] = field(default_factory=list)
    """Readings that it had when it got marks."""
    remembered: list[int] = field(default_factory=list)
    """Commits that were remembered as sent then."""

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        marker = Marker("c-1", self.take, self.wall)
        self.forwarder = Forwarder(self.store, self.server, self.wall, lambda: self.server.now, SAFE, marker=marker)

    def wall(self) -> int:
        return T0 + round(self.server.now * SECOND)

    def take(self, marks: Sequence[Mark]) -> Sequence[str]:
        self.server.now += self.slow
        if self.away:
            raise RemoteStoreError("away")
        self.known.append(len(self.server.held()))
        self.remembered.append(self.sent())
        self.marks += marks
        return ()

    def sent(self) -> int:
        document = self.store.load_state(STATE)
        return 0 if document is None else int(json.loads(document)["sent"])

    def send(self) -> None:
        while self.forwarder.step():
            pass

    def spans(self) -> list[tuple[str, int, int]]:
        """(site, earliest, latest) in minutes after T0 of what was marked since the last call."""
        found = [(m.site, (m.earliest - T0) // MINUTE, (m.latest - T0) // MINUTE) for m in self.marks]
        self.marks.clear()
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    store = DuckdbStore.open(tmp_path / "spool.duckdb")
    yield Desk(store)
    store.close()


def test_marks_are_gathered_by_site(desk: Desk) -> None:
    for minute in range(10):
        put(desk.store, (A, minute, 1.0), (C, 3 * minute, 1.0))
        desk.send()
        desk.server.now += 0.1
    assert desk.marks == []
    desk.server.now += EVERY
    desk.send()
    assert desk.spans() == [("other", 0, 27), ("s", 0, 9)]
    desk.server.now += 10 * EVERY
    desk.send()
    assert desk.spans() == []


def test_a_late_reading_does_not_widen_the_span_of_live_ones(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0), (A, 30 * 1440, 1.0), (A, 30 * 1440 + 5, 1.0))
    desk.send()
    desk.forwarder.save()
    (late, live) = desk.marks
    assert desk.spans() == [("s", 0, 0), ("s", 30 * 1440, 30 * 1440 + 5)]
    assert late.at != live.at


def test_a_mark_comes_after_its_readings_and_before_they_are_remembered_as_sent(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0))
    desk.send()
    desk.forwarder.save()
    assert (desk.known, desk.remembered, desk.sent()) == ([1], [0], 1)
    put(desk.store, (A, 1, 1.0))
    assert desk.forwarder.drain() == 0
    assert (desk.known, desk.remembered, desk.sent()) == ([1, 2], [0, 1], 2)


def test_who_is_killed_before_the_mark_sends_and_marks_again(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0))
    desk.send()
    desk.restart()
    desk.send()
    assert desk.marks == []
    desk.forwarder.save()
    assert desk.spans() == [("s", 0, 0)]
    desk.restart()
    assert desk.forwarder.drain() == 0
    assert desk.spans() == []
    assert desk.server.written == 2


def test_what_cannot_be_marked_counts_as_not_sent(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0))
    desk.away = True
    assert desk.forwarder.drain() == 1
    assert (desk.forwarder.error, desk.sent()) == ("away", 0)
    desk.away = False
    assert desk.forwarder.drain() == 0
    assert (desk.spans(), desk.sent(), desk.server.written) == ([("s", 0, 0)] * 2, 1, 2)


def test_nothing_is_sent_while_marks_are_refused(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0))
    desk.send()
    desk.away = True
    desk.server.now += EVERY
    put(desk.store, (A, 1, 1.0))
    for _ in range(5):
        with pytest.raises(RemoteStoreError, match="away"):
            desk.forwarder.step()
    assert (desk.server.written, desk.sent()) == (1, 0)
    desk.away = False
    desk.send()
    desk.forwarder.save()
    assert desk.spans() == [("s", 0, 0), ("s", 0, 1)]
    assert (desk.server.written, desk.sent()) == (3, 2)


def test_a_mark_that_took_long_is_written_anew_at_a_later_time(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0))
    desk.slow = 61.0
    assert desk.forwarder.drain() == 1
    assert "took too long" in (desk.forwarder.error or "")
    desk.slow = 0.0
    assert desk.forwarder.drain() == 0
    assert [mark.at for mark in desk.marks] == [T0, T0 + 61 * SECOND, T0 + 61 * SECOND + 1000]


def test_what_a_server_forgot_is_marked_again(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0))
    assert desk.forwarder.drain() == 0
    desk.server.kill()
    desk.server.now += 11
    put(desk.store, (A, 7, 1.0))
    assert desk.forwarder.drain() == 0
    assert desk.spans() == [("s", 0, 0), ("s", 0, 7)]


def test_all_is_marked_again_that_is_sent_again(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0))
    assert desk.forwarder.drain() == 0
    put(desk.store, (A, 5, 1.0))
    desk.send()
    assert desk.forwarder.send_again() == 2
    desk.send()
    desk.forwarder.save()
    assert desk.spans() == [("s", 0, 0), ("s", 0, 5)]


def test_what_came_from_the_remote_store_is_neither_sent_nor_marked(desk: Desk) -> None:
    put(desk.store, (A, 0, 1.0), (A, 9, 2.0))
    desk.forwarder.skip()
    for _ in range(2):
        assert desk.forwarder.drain() == 0
        desk.restart()
    assert (desk.marks, desk.server.written, desk.sent()) == ([], 0, 1)


def test_marks_of_one_site_have_times_of_their_own() -> None:
    marks: list[Mark] = []

    def take(told: Sequence[Mark]) -> Sequence[str]:
        marks.extend(told)
        return ()

    marker = Marker("c", take, lambda: T0 + 999)
    for _ in range(3):
        marker.wrote(outgoing((A, 0), (A, DAY), (A, DAY + 2 * HOUR), (C, 0)), 0.0)
        marker.tell()
    at = [mark.at for mark in marks if mark.site == "s"]
    assert len(set(at)) == len(at) == 9
    assert all(each % 1000 == 0 for each in at)
