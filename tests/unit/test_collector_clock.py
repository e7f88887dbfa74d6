"""A machine clock that jumps: what the collector takes, holds and stamps."""

from __future__ import annotations

from dataclasses import replace

from collector.clock import PATIENCE, ClockGuard
from collector.dialects.base import Message
from collector.ingest import Ingestor
from tests.collecting import NOW, MemoryStore, config, message, meter, site
from wattwell.intervals import DAY, HOUR, MINUTE, iso


class Machine:
    """A machine whose clock somebody sets, a collector on it, and a broker that sends again what was not taken."""

    def __init__(self) -> None:
        self.wall, self.passed = NOW, 0
        self.store = MemoryStore()
        self.waited: list[float] = []
        self.start()

    def start(self) -> None:
        self.ingestor = Ingestor(config(site([meter()])), self.store, lambda: self.wall, lambda: self.passed)

    def sends(self, value: float, *, at: int | None) -> Message:
        payload = str(value) if at is None else f'{{"time": "{iso(at)}", "value": {value}}}'
        return replace(message(payload), received_at=self.wall)

    def take(self, *messages: Message, patience: int = 0, then: int = 0) -> bool:
        """Whether the messages were taken; ``patience`` looks are waited for, then the clock is set on by ``then``."""
        left = [patience]

        def wait(seconds: float) -> bool:
            self.waited.append(seconds)
            left[0] -= 1
            if left[0] == 0:
                self.wall += then
            return left[0] < 0

        return self.ingestor.ingest(messages, wait)

    def stored(self) -> list[tuple[int, float]]:
        return sorted((at, value) for (_, at), value in self.store.readings.items())


def test_readings_wait_while_the_clock_is_behind_and_none_is_refused() -> None:
    machine = Machine()
    assert machine.take(machine.sends(1, at=NOW))
    machine.wall -= 3 * HOUR
    late = machine.sends(2, at=NOW + MINUTE)
    assert not machine.take(late)
    assert machine.ingestor.stats().store_error is not None
    assert "set the clock" in str(machine.ingestor.stats().store_error)
    assert machine.take(late, patience=2, then=3 * HOUR + MINUTE)
    assert machine.stored() == [(NOW, 1), (NOW + MINUTE, 2)]
    assert machine.store.rejects == []
    assert machine.ingestor.stats().store_error is None


def test_an_arrival_time_read_off_the_wrong_clock_is_not_kept() -> None:
    machine = Machine()
    assert machine.take(machine.sends(1, at=NOW))
    machine.wall -= 3 * HOUR
    bare = machine.sends(2, at=None)
    assert machine.take(bare, patience=1, then=3 * HOUR + 2 * MINUTE)
    assert machine.stored() == [(NOW, 1), (NOW + 2 * MINUTE, 2)]


def test_a_start_before_the_clock_is_set_refuses_nothing() -> None:
    machine = Machine()
    assert machine.take(machine.sends(1, at=NOW))
    machine.wall = DAY
    machine.start()
    assert machine.take(machine.sends(2, at=NOW + MINUTE), patience=1, then=NOW + MINUTE - DAY)
    assert machine.stored() == [(NOW, 1), (NOW + MINUTE, 2)]
    assert machine.store.rejects == []


def test_a_clock_that_stays_behind_is_believed_in_the_end() -> None:
    machine = Machine()
    assert machine.take(machine.sends(1, at=NOW))
    machine.wall -= 3 * HOUR
    assert not machine.take(machine.sends(2, at=machine.wall))
    machine.passed += PATIENCE
    assert machine.take(machine.sends(2, at=machine.wall))
    assert machine.stored() == [(NOW - 3 * HOUR, 2), (NOW, 1)]
    assert machine.take(machine.sends(3, at=NOW))
    assert [reject.reason for reject in machine.store.rejects] == ["clock.future"]


def test_a_clock_that_jumps_ahead_and_comes_back_loses_nothing_with_device_time() -> None:
    machine = Machine()
    machine.wall += 2 * HOUR
    assert machine.take(machine.sends(1, at=NOW))
    machine.wall -= 2 * HOUR
    message = machine.sends(2, at=NOW + MINUTE)
    assert not machine.take(message)
    machine.passed += PATIENCE
    assert machine.take(message)
    assert machine.stored() == [(NOW, 1), (NOW + MINUTE, 2)]
    assert machine.store.rejects == []


def test_a_clock_that_is_set_back_a_little_is_no_fault() -> None:
    guard = ClockGuard(NOW)
    assert guard.fault(NOW - 5 * MINUTE, 0) is None
    assert guard.fault(NOW - 5 * MINUTE - 1, 0) is not None
