"""The forwarder's loop: patient, quiet, and honest about what waits."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from tests.forwarding import SAFE, World
from tests.storing import A, put
from tests.support import T0
from wattwell.app import forward
from wattwell.app.forward import STATE, Forwarder
from wattwell.app.remote import compare, judge
from wattwell.intervals import HOUR, MINUTE
from wattwell.store.outbox import Refusal, SetAside
from wattwell.store.victoriametrics import Server


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.store.close()


class Turns(threading.Event):
    """A stop that notes how long the loop would pause, and acts instead."""

    def __init__(self, world: World, *acts: str) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._world, self._acts = world, list(acts)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        act = self._acts.pop(0)
        if act == "up":
            self._world.server.up, self._world.server.full = True, False
        elif act == "stop":
            self.set()
        return self.is_set()


def test_the_loop_is_patient_and_says_once_what_is_in_the_way(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, forward.__name__)
    world.server.up = False
    put(world.store, (A, 0, 1.0))
    turns = Turns(world, *["still away"] * 8, "up", "stop")
    world.forwarder.run(turns)
    assert turns.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 0.25]
    assert [record.message for record in caplog.records] == [
        "Readings are not sent on, they wait in the spool and nothing is lost: away",
        "The remote store takes readings again.",
    ]
    assert list(world.server.held().values()) == [{1.0}]


def test_a_server_that_answers_but_takes_nothing_is_left_in_peace(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, forward.__name__)
    put(world.store, (A, 0, 1.0))
    world.server.full = True
    turns = Turns(world, *["still full"] * 4, "up", "stop")
    world.forwarder.run(turns)
    assert turns.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 0.25]
    assert [record.message for record in caplog.records] == [
        "Readings are not sent on, they wait in the spool and nothing is lost: full",
        "The remote store takes readings again.",
    ]
    assert list(world.server.held().values()) == [{1.0}]


def test_a_fault_with_nothing_left_to_write_ends_with_the_next_answer(world: World) -> None:
    put(world.store, (A, 0, 1.0))
    assert world.send()
    world.server.now += SAFE + 1
    world.server.up = False
    turns = Turns(world, "away", "up", "stop")
    world.forwarder.run(turns)
    assert turns.pauses == [0.5, 1.0, 0.25]
    assert world.forwarder.error is None


def test_the_state_says_what_waits_and_why(world: World) -> None:
    put(world.store, (A, 0, 1.0), (A, 1, 2.0), received=T0 + 5)
    world.server.up = False
    assert world.forwarder.drain() == 2
    state = world.forwarder.state()
    assert (state.waiting, state.since, state.error) == (2, T0 + 5, "away")
    world.server.up = True
    assert world.forwarder.drain() == 0
    assert world.forwarder.state().since is None


def test_nothing_is_sent_twice_by_commands_that_follow_one_another(world: World) -> None:
    for minute in range(5):
        put(world.store, (A, minute, 1.0))
        world.restart()  # each command is a process of its own
        assert world.forwarder.drain() == 0
        world.server.now += SAFE
    assert world.server.written == 5


def test_an_idle_loop_asks_the_server_nothing(world: World) -> None:
    world.server.up = False
    assert world.send()
    put(world.store, (A, 0, 1.0))
    world.server.up = True
    for _ in range(3):
        assert world.send()
        world.server.now += SAFE
    assert world.forwarder.due(T0, T0 + HOUR) == {(A, 0): 1}
    world.server.up = False  # all is safe: nobody looks any more
    assert world.send()


def test_a_server_that_comes_back_as_another_process_gets_at_once_what_it_forgot(world: World) -> None:
    put(world.store, (A, 0, 1.0))
    assert world.send()
    world.server.up = False
    put(world.store, (A, 1, 2.0))
    assert not world.send()
    world.server.kill()
    assert world.server.held() == {}
    assert world.send()
    assert sorted(world.server.held().values()) == [{1.0}, {2.0}]


def test_progress_with_another_store_counts_for_nothing(world: World) -> None:
    put(world.store, (A, 0, 1.0))
    assert world.send()
    world.forwarder.save()
    assert world.store.load_state(STATE) is not None
    world.server.url = "http://another:8428"
    world.restart()
    assert world.forwarder.state().waiting == 1


def test_everything_is_sent_again_when_asked_for(world: World) -> None:
    put(world.store, (A, 0, 1.0), (A, 1, 2.0))
    assert world.send()
    world.server.now += SAFE + 1
    assert world.send()
    assert world.forwarder.due(T0, T0 + HOUR) == {(A, 0): 2}, "safe: nothing of it would be sent again by itself"
    world.server.disk.clear()
    world.server.memory.clear()
    assert world.forwarder.send_again() == 2
    assert world.send()
    assert world.server.held() == {identity: {value} for identity, value in world.expected().items()}


def test_what_is_to_be_sent_again_outlasts_the_process(world: World) -> None:
    put(world.store, (A, 0, 1.0))
    assert world.forwarder.drain() == 0
    world.forwarder.send_again()
    world.forwarder.save()
    world.restart()
    assert world.forwarder.state().waiting == 1
    assert world.forwarder.drain() == 0
    assert world.server.written == 2


def test_a_server_that_has_only_just_started_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    put(world.store, (A, 0, 1.0))
    answers = iter([None, None, "1"])
    monkeypatch.setattr(world.server, "identity", lambda: next(answers, "1"))
    assert not world.forwarder.step()
    assert world.server.written == 0
    assert Forwarder(world.store, world.server, lambda: T0, lambda: 0.0).drain() == 0
    assert world.server.written == 1


def test_what_is_refused_for_good_is_set_aside_and_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    put(world.store, (A, 0, 1.0), (A, 1, 2.0), (A, 2, 3.0), (A, 3, 4.0))
    world.server.poison = frozenset((2.0, 3.0))
    assert world.send()
    assert sorted(world.server.held().values()) == [{1.0}, {4.0}]
    state = world.forwarder.state()
    assert (state.waiting, state.refused) == (0, 2)
    assert state.last_refused == ("s/a at 2026-01-01T00:01:00Z: not that", "s/a at 2026-01-01T00:02:00Z: not that")
    (record,) = caplog.records
    assert record.message == (
        "The remote store refuses 2 readings for good; they stay in the spool for as long as store.raw_retention says,"
        " and figures count them: s/a at 2026-01-01T00:01:00Z: not that"
    )
    world.restart()
    assert world.send()
    assert world.forwarder.state().refused == 2, "known after a restart, and once though they were sent twice"
    world.server.poison = frozenset()
    world.forwarder.send_again()
    assert world.send()
    assert (world.forwarder.state().refused, len(world.server.held())) == (0, 4)


def test_what_is_refused_is_not_missed(world: World) -> None:
    put(world.store, (A, 0, 1.0), (A, 1, 2.0), (A, 2, 3.0))
    put(world.store, (A, 1, 5.0))
    world.server.poison = frozenset((3.0, 5.0))
    assert world.send()
    world.server.now += SAFE + 1
    assert world.send()
    assert world.forwarder.due(T0, T0 + HOUR) == {(A, 0): 1}
    world.restart()
    assert world.forwarder.due(T0, T0 + HOUR) == {(A, 0): 1}, "also after a restart"
    assert world.forwarder.due(T0 + 2 * MINUTE, T0 + HOUR) == {}


def test_while_many_are_refused_few_are_sent_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "_FEWER", 2)
    put(world.store, *((A, minute, float(minute)) for minute in range(9)))
    world.server.poison, world.server.too_many = frozenset((0.0, 1.0, 2.0)), 2
    sizes = []
    take = world.server.write
    monkeypatch.setattr(world.server, "write", lambda readings: (sizes.append(len(readings)), take(readings))[1])
    assert world.send()
    assert sizes == [3, 2, 2, 2, 3]
    assert (world.forwarder.state().refused, world.forwarder.state().waiting, len(world.server.held())) == (3, 0, 6)


def test_of_many_refusals_the_latest_are_known_one_by_one() -> None:
    aside = SetAside()
    aside.add(Refusal(key=A, at=at, why="no") for at in range(1005))
    aside.add([Refusal(key=A, at=1004, why="still no")])
    again = SetAside.of(aside.document("http://remote"), "http://remote")
    assert (again.count, len(again.known), again.known[A, 1004, 0]) == (1005, 1000, "still no")
    assert SetAside.of(aside.document("http://remote"), "http://another").count == 0
    of_040 = '{"remote": "http://remote", "more": 0, "known": [["s", "a", 7, "no"]]}'
    assert SetAside.of(of_040, "http://remote").known == {(A, 7, 0): "no"}


def test_doctor_judges_how_the_server_was_started() -> None:
    well = Server(started=1, uptime=1, flags={"dedup.minScrapeInterval": "1ms", "retentionPeriod": "10y"}, ignored=0)
    assert list(judge(well)) == []
    ill = Server(started=1, uptime=1, flags={"dedup.minScrapeInterval": "0s", "retentionPeriod": "1"}, ignored=3)
    assert [message for _, message, _ in judge(ill)] == [
        "the remote store counts a reading twice that was sent twice",
        "the remote store drops readings older than a month",
        "the remote store has dropped 3 samples as too old or too far ahead since it started",
    ]


def test_doctor_names_the_meters_whose_readings_are_missing() -> None:
    spool = {"due": [["s", "a", 0, 10], ["s", "a", 1, 2], ["s", "b", 0, 5]]}
    status, message, _ = compare(spool, {(A, 0): 12, (A, 1): 2, (("s", "b"), 0): 5})
    assert (status, message.split(";")[0]) == (
        "ok",
        "the remote store holds 17 of the 17 readings of the last day that it must have on its disk",
    )
    status, message, _ = compare(spool, {(A, 0): 9, (("s", "b"), 0): 5})
    assert status == "failed"
    assert "holds 14 of the 17" in message
    assert message.endswith("missing: s/a")
