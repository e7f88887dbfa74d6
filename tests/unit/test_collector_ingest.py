"""Batches into a store: counts, unmapped topics, and a store that refuses."""

from __future__ import annotations

import logging

import pytest

from collector.buffer import Buffer
from collector.dialects.base import Message
from collector.ingest import UNMAPPED_STATE, UNMAPPED_TOPICS, Ingestor, read_unmapped
from tests.collecting import NOW, MemoryStore, config, message, meter, site, take
from wattwell.intervals import MINUTE, SECOND


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def ingestor(store: MemoryStore, clock: Clock | None = None) -> Ingestor:
    clock = clock or Clock()
    return Ingestor(config(site([meter("grid-a"), meter("ups-a")])), store, clock, clock)


def test_a_batch_is_one_commit_and_is_counted() -> None:
    store, clock = MemoryStore(), Clock()
    one = ingestor(store, clock)
    clock.now = NOW + 2 * SECOND
    take(one, [message("5"), message('"x"'), message("{", "wattwell/s/ups-a"), message("6", "nowhere")])
    assert store.commits == 1
    stats = one.stats()
    assert stats.messages == 4
    assert stats.readings == {"s": 1}
    assert stats.rejected == {("s", "value.type"): 1, ("s", "payload.invalid"): 1, ("", "point.unknown"): 1}
    assert stats.lag_seconds == 2.0


def test_a_store_that_refuses_is_tried_again_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    store.refusals = ["disk full", "disk full", "locked"]
    one = ingestor(store)
    pauses: list[float] = []
    caplog.set_level(logging.INFO)
    assert one.ingest([message("5")], lambda seconds: bool(pauses.append(seconds)))
    assert pauses == [0.5, 1.0, 2.0]
    assert store.attempts == 4
    assert store.values("grid-a") == [5.0]
    assert one.stats().messages == 1
    assert one.stats().store_error is None
    said = [record.getMessage() for record in caplog.records]
    assert [text.rsplit(" ", 2)[-1] for text in said[:2]] == ["full", "locked"]
    assert len(said) == 3


def test_a_stopping_service_gives_up_and_says_what_the_store_said() -> None:
    store, clock = MemoryStore(), Clock()
    store.refusals = ["disk full"]
    one = ingestor(store, clock)
    assert not one.ingest([message("5")], lambda _: True)
    clock.now = NOW + MINUTE
    assert one.stats().store_error == "disk full"
    assert one.stats().lag_seconds == 60.0
    assert one.stats().messages == 0


def test_unmapped_topics_are_listed_kept_and_rejected() -> None:
    store, clock = MemoryStore(), Clock()
    one = ingestor(store, clock)
    take(one, [message("6", "a/b"), message("7", "wattwell/s/ghost"), message("8", "a/b")])
    one.housekeeping()
    assert [(reject.site, reject.meter, reject.topic, reject.reason) for reject in store.rejects] == [
        (None, None, "a/b", "point.unknown"),
        ("s", "ghost", "wattwell/s/ghost", "point.unknown"),
        (None, None, "a/b", "point.unknown"),
    ]
    again = ingestor(store, clock)
    take(again, [Message("a/b", b"9", retained=False, received_at=NOW + SECOND)])
    listed = {entry.topic: entry for entry in again.unmapped()}
    assert (listed["a/b"].count, listed["a/b"].example) == (3, "9")
    assert (listed["a/b"].first_seen, listed["a/b"].last_seen) == (NOW, NOW + SECOND)
    assert listed["wattwell/s/ghost"].as_json() == {
        "topic": "wattwell/s/ghost",
        "first_seen": "2026-03-29T01:00:00Z",
        "last_seen": "2026-03-29T01:00:00Z",
        "count": 1,
        "example": "7",
        "proposals": [{"id": "ghost", "quantity": None, "accumulation": None, "unit": None, "max_rate": None}],
    }


def test_counts_of_unmapped_topics_are_saved_every_ten_seconds_and_at_the_end() -> None:
    store, clock = MemoryStore(), Clock()
    one = ingestor(store, clock)

    def saved() -> int:
        one.housekeeping()
        return sum(entry.count for entry in read_unmapped(store.states.get(UNMAPPED_STATE)))

    assert saved() == 0
    take(one, [message("6", "a/b")])
    assert saved() == 1
    take(one, [message("6", "a/b")])
    assert saved() == 1
    clock.now = NOW + 10 * SECOND
    assert saved() == 2
    take(one, [message("6", "a/b")])
    one.housekeeping(final=True)
    assert saved() == 3


def test_the_list_of_unmapped_topics_is_bounded() -> None:
    one = ingestor(MemoryStore())
    take(one, [message("6", f"a/{number}") for number in range(UNMAPPED_TOPICS + 5)])
    listed = one.unmapped()
    assert len(listed) == UNMAPPED_TOPICS
    assert listed[0].topic == "a/5"


def test_a_buffer_gives_all_there_is_in_order_and_within_limits() -> None:
    buffer: Buffer[int] = Buffer(10, 100)
    for number in range(5):
        assert buffer.put(number, 10)
    assert buffer.drain(3, 1000, 0.0) == [0, 1, 2]
    assert buffer.drain(3, 10, 0.0) == [3]
    assert buffer.drain(3, 10, 0.0) == [4]
    assert buffer.drain(3, 10, 0.0) == []
    assert buffer.put(9, 10_000)
    buffer.close()
    assert not buffer.put(10, 1)
    assert buffer.drain(3, 10, 0.0) == [9]


def test_a_flood_of_new_topics_is_saved_once_a_second() -> None:
    store, clock = MemoryStore(), Clock()
    one = ingestor(store, clock)
    saved = []
    for step in range(25):
        clock.now = NOW + step * SECOND // 10
        take(one, [message("6", f"a/{step}")])
        one.housekeeping()
        saved.append(len(read_unmapped(store.states[UNMAPPED_STATE])))
    assert saved == [1] * 10 + [11] * 10 + [21] * 5


def test_what_is_listed_of_a_topic_and_a_payload_is_bounded_and_harms_no_terminal() -> None:
    store = MemoryStore()
    one = ingestor(store)
    hostile = "a/\x1b[2J" + "x" * 60_000
    take(one, [message("\x1b]0;gone\x07\n\t5", hostile)])
    (entry,) = one.unmapped()
    assert (entry.topic[:8], len(entry.topic)) == ("a/\ufffd[2Jxx", 500)
    assert entry.example == "\ufffd]0;gone\ufffd\n\t5"
    assert (store.rejects[0].topic, store.rejects[0].value) == (entry.topic, entry.example)
