"""One suite for every ReadingStore: what the protocol's docstrings promise, tried on each store there is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.storing import (
    EVER,
    STORES,
    A,
    B,
    C,
    Opener,
    amounts,
    dial,
    edges,
    event,
    ledger,
    put,
    reject,
    spans,
    update,
)
from tests.support import T0, readings_of
from wattwell.engine.shapes import reject_documents
from wattwell.intervals import DAY, HOUR, MINUTE, SECOND
from wattwell.model import Correction, Reject
from wattwell.store.protocol import ReadingStore


def test_some_store_is_tried() -> None:
    assert len(STORES) >= 1


# -- readings -------------------------------------------------------------------------------------------------


def test_the_same_reading_twice_is_one(store: ReadingStore) -> None:
    assert put(store, (A, 0, 1.0), (A, 1, 2.0), (B, 0, 1.0)) == (3, 0, [])
    assert put(store, (A, 0, 1.0), (A, 1, 2.0), (A, 2, 3.0)) == (1, 2, [])
    assert put(store, (A, 5, 6.0), (A, 5, 6.0)) == (1, 1, [])
    assert dial(store) == [(0, 1.0), (1, 2.0), (2, 3.0), (5, 6.0)]
    assert dial(store, B) == [(0, 1.0)]


def test_readings_come_sorted_whatever_the_order_of_arrival(store: ReadingStore) -> None:
    put(store, (A, 7, 7.0), (A, 3, 3.0))
    put(store, (A, 5, 5.0), (A, 1, float("nan")))
    assert dial(store) == [(1, None), (3, 3.0), (5, 5.0), (7, 7.0)]
    assert dial(store, A, T0 + 3 * MINUTE, T0 + 7 * MINUTE) == [(3, 3.0), (5, 5.0)], "half-open"
    assert store.readings([("s", "nobody")], -EVER, EVER) == {}
    assert store.readings([], -EVER, EVER) == {}


def test_of_two_amounts_the_later_arrival_counts(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0))
    assert put(store, (A, 0, 2.0)) == (1, 0, ["conflict"])
    assert dial(store) == [(0, 2.0)]
    assert put(store, (A, 0, 1.0)) == (0, 1, []), "it has lost before: a repetition"
    assert put(store, (A, 0, 2.0)) == (0, 1, [])
    assert dial(store) == [(0, 2.0)]
    assert [(r.reason, r.value, r.meter, r.at, n) for r, n in store.rejects(None, 9)] == [
        ("conflict", "1.0", "a", T0, 1)
    ]


def test_a_conflict_is_listed_with_its_own_arrival(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0), received=T0 + MINUTE)
    put(store, (A, 0, 2.0), received=T0 + 5 * MINUTE)
    assert [(r.reason, r.value, r.received_at) for r, _ in store.rejects(None, 9)] == [("conflict", "1.0", T0 + MINUTE)]


def test_later_rows_of_one_call_arrive_later(store: ReadingStore) -> None:
    assert put(store, (A, 0, 1.0), (A, 0, 2.0), (A, 0, 1.0)) == (1, 1, ["conflict"])
    assert dial(store) == [(0, 2.0)]


def test_an_accepted_reading_outranks_a_rejected_one(store: ReadingStore) -> None:
    nan = float("nan")
    put(store, (A, 0, nan), (A, 1, 5.0))
    assert put(store, (A, 0, 4.0), (A, 1, nan))[2] == []
    assert dial(store) == [(0, 4.0), (1, 5.0)]


def test_equal_in_another_unit_is_equal(store: ReadingStore) -> None:
    put(store, (A, 0, 0.3))
    assert put(store, (A, 0, 0.1 + 0.2)) == (0, 1, [])


def test_count_first_and_last(store: ReadingStore) -> None:
    assert (store.first_reading("s"), store.last_readings(), store.count_readings(-EVER, EVER)) == (None, {}, 0)
    put(store, (A, 1, 1.0), (A, 3, float("nan")), (B, 2, 1.0), (C, 9, 1.0))
    assert store.first_reading("s") == T0 + MINUTE
    assert store.last_readings() == {A: T0 + MINUTE, B: T0 + 2 * MINUTE, C: T0 + 9 * MINUTE}, "accepted ones only"
    assert store.count_readings(T0 + MINUTE, T0 + 9 * MINUTE) == 3


def test_transits_are_device_and_arrival_times(store: ReadingStore) -> None:
    put(store, (A, 5, 1.0), (B, 5, 2.0), received=T0 + 6 * MINUTE)
    put(store, (A, 3, 4.0), (A, 4, float("nan")), (A, 9, 7.0), received=T0 + 10 * MINUTE)
    bare = replace(readings_of([(A, T0 + 6 * MINUTE, 1.0)], T0 + 6 * MINUTE), arrival_time=np.array([True]))
    store.commit(bare, [])
    found = store.transits([A, B, C], T0 + 4 * MINUTE, T0 + 9 * MINUTE)
    minutes = {key: [(column - T0) // MINUTE for column in columns] for key, columns in found.items()}
    assert {key: [column.tolist() for column in columns] for key, columns in minutes.items()} == {
        A: [[4, 5], [10, 6]],
        B: [[5], [6]],
    }
    assert store.transits([C], T0, T0 + HOUR) == {}


def test_an_empty_commit_does_nothing(store: ReadingStore) -> None:
    assert put(store) == (0, 0, [])
    assert store.dirty().meters == ()


def test_a_failed_commit_leaves_nothing(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0))
    token = store.dirty().token
    store.clear(token)
    broken = reject(value=None)  # type: ignore[arg-type] # provokes a failure after the readings were written
    object.__setattr__(broken, "received_at", "not a number")
    with pytest.raises(Exception, match="not a number"):
        store.commit(readings_of([(A, T0 + MINUTE, 2.0), (("s", "new"), T0, 1.0)]), [broken])
    assert dial(store) == [(0, 1.0)]
    assert store.dirty().meters == ()
    assert store.last_readings() == {A: T0}
    assert put(store, (A, 1, 2.0), (("s", "newer"), 0, 7.0), (B, 0, 3.0)) == (3, 0, [])
    assert dial(store, ("s", "newer")) == [(0, 7.0)]
    assert dial(store, ("s", "new")) == []


# -- dirt -----------------------------------------------------------------------------------------------------


def test_what_is_committed_is_dirty_until_cleared(store: ReadingStore) -> None:
    assert (store.dirty().token, spans(store)) == (0, [])
    put(store, (A, 5, 1.0), (A, 9, 2.0), (B, 7, 1.0))
    put(store, (A, 12, 3.0))
    seen = store.dirty()
    assert spans(store) == [(A, 5, 12), (B, 7, 7)]
    put(store, (B, 8, 2.0))
    store.clear(seen.token)
    assert spans(store) == [(B, 8, 8)], "what came after the token stays dirty"
    store.clear(store.dirty().token)
    assert spans(store) == []
    store.clear(seen.token)
    put(store, (B, 8, 2.0), (B, 9, 3.0))
    assert spans(store) == [(B, 9, 9)], "a repetition touches nothing"


def test_a_replaced_reading_is_dirty(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0), (A, 1, 2.0), (A, 2, 3.0))
    store.clear(store.dirty().token)
    put(store, (A, 1, 2.5))
    assert spans(store) == [(A, 1, 1)]


def test_spans_more_than_a_day_apart_stay_apart(store: ReadingStore) -> None:
    day = DAY // MINUTE
    put(store, (A, 0, 1.0), (A, day, 2.0), (A, 3 * day, 3.0))
    put(store, (A, 30, 1.5))
    assert spans(store) == [(A, 0, day), (A, 3 * day, 3 * day)]


def test_forget_drops_analyses_and_marks_all_readings_dirty(store: ReadingStore) -> None:
    put(store, (A, 0, 1.0), (A, 90, 2.0), (B, 5, 1.0))
    store.save([update((0, 2), [1.0, 2.0], points=[(1, None)]), update((0, 1), [3.0], key=B)])
    store.clear(store.dirty().token)
    store.forget([A, ("s", "nobody")])
    assert (amounts(store), edges(store), amounts(store, B)) == ([], [], [(0, 3.0)])
    assert spans(store) == [(A, 0, 90)]
    store.forget([])


# -- rejects --------------------------------------------------------------------------------------------------


def test_rejects_are_listed_once_and_counted(store: ReadingStore) -> None:
    later = Reject(site="s", meter="b", topic="t", at=None, received_at=T0 + 1, reason="point.unknown", value="5")
    done = store.commit(readings_of([]), [reject(), later])
    assert list(done.rejects) == [reject(), later]
    assert store.rejects(None, 9) == [(later, 1), (reject(), 1)], "latest first"
    assert list(store.commit(readings_of([]), [reject()]).rejects) == [], "the same again"
    assert list(store.commit(readings_of([]), [later]).rejects) == [later], "without a time it is another"
    store.commit(readings_of([]), [reject(key=C)])
    assert [r.meter for r, _ in store.rejects("s", 9)] == ["b", "b", "a"]
    assert len(store.rejects(None, 2)) == 2
    assert store.reject_counts() == {
        ("s", "a", None, "value.type"): 1,
        ("s", "b", "t", "point.unknown"): 2,
        ("other", "a", None, "value.type"): 1,
    }


def test_rejects_are_bounded_and_the_count_goes_on(store: ReadingStore) -> None:
    for start in range(0, 2500, 500):
        store.commit(readings_of([]), [reject(at=T0 + n, value=str(n)) for n in range(start, start + 500)])
    store.commit(readings_of([]), [reject("value.range")])
    kept = store.rejects(None, 10_000)
    assert len(kept) == 1001
    assert {r.value for r, _ in kept} == {"x", *(str(n) for n in range(1500, 2500))}, "the latest stay"
    assert store.reject_counts()["s", "a", None, "value.type"] == 2500


def test_a_flood_of_topics_is_counted_within_bounds(store: ReadingStore) -> None:
    def stray(topic: str) -> Reject:
        return Reject(site=None, meter=None, topic=topic, at=None, received_at=T0, reason="point.unknown", value="x")

    store.commit(readings_of([]), [stray("often")] * 3)
    for start in range(0, 12_000, 3000):
        store.commit(readings_of([]), [stray(f"flood/{n}") for n in range(start, start + 3000)])
    counts = store.reject_counts()
    assert counts[None, None, "often", "point.unknown"] == 3
    assert len(counts) <= 10_001
    assert sum(counts.values()) == 12_003
    shown = reject_documents(store.rejects(None, 1000), counts)
    assert sum(document["count"] for document in shown) == 12_003


# -- corrections and documents ----------------------------------------------------------------------------------


def correction(at: int, event: str = "accept", reason: str = "checked") -> Correction:
    return Correction(site="s", meter="a", at=T0 + at, event=event, final=None, first=None, author="ann", reason=reason)


def test_corrections_are_kept_by_time_and_mark_dirt(store: ReadingStore) -> None:
    store.add_corrections([correction(7 * MINUTE), correction(0)])
    assert store.corrections() == [correction(0), correction(7 * MINUTE)]
    assert spans(store) == [(A, 0, 7)]
    store.add_corrections([correction(0)])
    store.add_corrections([correction(0, reason="checked again"), correction(0, "replacement")])
    assert [(c.event, c.reason) for c in store.corrections(A) if c.at == T0] == [
        ("accept", "checked again"),
        ("replacement", "checked"),
    ]
    assert store.corrections(B) == []


def test_documents(store: ReadingStore) -> None:
    assert store.load_state("alerts") is None
    store.save_states({"alerts": "one", "other": ""})
    store.save_states({"alerts": "two"})
    assert (store.load_state("alerts"), store.load_state("other")) == ("two", "")


# -- retention ------------------------------------------------------------------------------------------------


def test_prune_keeps_the_readings_around_the_instants_asked_for(store: ReadingStore) -> None:
    put(store, *((A, n, float(n)) for n in range(20)), *((B, n, float(n)) for n in range(20)), (A, 25, 9.0))
    put(store, (("s", "c"), 3, 1.0), (("s", "c"), 5, float("nan")), (("s", "c"), 8, 2.0))
    store.save([update((0, 2), [1.0, 2.0], events=[event(1)], judged=(0, 2))])
    c = ("s", "c")
    keep = {A: [T0 + 5 * MINUTE, T0 + 7 * MINUTE + SECOND], c: [T0 + 5 * MINUTE], ("s", "nobody"): [T0]}
    assert store.prune(T0 + 15 * MINUTE, keep) == (15 - 3) + 15 + (3 - 2)
    assert dial(store) == [(5, 5.0), (7, 7.0), (8, 8.0), *((n, float(n)) for n in range(15, 20)), (25, 9.0)]
    assert dial(store, B) == [(n, float(n)) for n in range(15, 20)]
    assert dial(store, c) == [(3, 1.0), (8, 2.0)], "the nearest that counted"
    assert amounts(store) == [(0, 1.0), (1, 2.0)]
    assert ledger(store) == [(1, "reset", "booked")]
    assert store.prune(T0 + 15 * MINUTE, keep) == 0
    assert store.prune(T0 + 16 * MINUTE, {}) == 3 + 2 + 2, "without instants nothing is kept"


def test_commits_older_than_what_was_pruned_are_clock_past(store: ReadingStore, opener: Opener) -> None:
    put(store, *((A, n, float(n)) for n in range(9)))
    store.prune(T0 + 5 * MINUTE, {})
    store.prune(T0 + 3 * MINUTE, {})
    assert put(store, (A, 4, 4.0), (A, 5, 5.0), (B, 6, 6.0)) == (1, 1, ["clock.past"])
    assert [(r.meter, r.at, r.value) for r, _ in store.rejects("s", 9)] == [("a", T0 + 4 * MINUTE, "4.0")]
    store.close()
    again = opener()  # type: ignore[call-arg] # the fixture's opener knows its folder
    assert put(again, (A, 4, 4.5)) == (0, 0, ["clock.past"])
    again.close()


# -- as a whole -----------------------------------------------------------------------------------------------


def everything(store: ReadingStore) -> list[object]:
    return [
        {key: [column.tolist() for column in columns] for key, columns in store.readings([A, B], -EVER, EVER).items()},
        store.last_readings(),
        [store.first_reading(site) for site in ("s", "other")],
        store.dirty(),
        store.checkpoints([A, B], -EVER),
        amounts(store),
        amounts(store, B),
        store.extent("s"),
        ledger(store),
        store.rejects(None, 99),
        store.reject_counts(),
        store.corrections(),
        store.load_state("alerts"),
    ]


def test_reopening_gives_the_same(opener: Callable[[], ReadingStore]) -> None:
    store = opener()
    put(store, (A, 0, 1.0), (B, 3, 2.0))
    store.clear(store.dirty().token)
    put(store, (A, 5, 2.0), (A, 0, 1.5))
    store.save([update((0, 2), [1.0, 2.0], events=[event(1)], judged=(0, 2), points=[(1, None), (2, 0.1)])])
    store.commit(readings_of([]), [reject()])
    store.add_corrections([correction(3)])
    store.save_states({"alerts": "firing"})
    before = everything(store)
    store.close()
    store.close()
    again = opener()
    assert everything(again) == before
    assert put(again, (A, 6, 3.0)) == (1, 0, [])
    assert again.dirty().token > store_token(before), "numbers go on"
    again.close()


def store_token(state: Sequence[object]) -> int:
    found = state[3]
    token: int = found.token  # type: ignore[attr-defined] # the DirtySet of everything()
    return token


def test_readers_see_whole_commits_while_another_thread_writes(store: ReadingStore) -> None:
    pairs, rounds = 7, 60
    seen: list[int] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def look() -> None:
        try:
            while not done.is_set():
                found = len(dial(store))
                seen.append(found)
                store.dirty()
                store.last_readings()
        except BaseException as error:
            failures.append(error)
            raise

    readers = [threading.Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(rounds):
        put(store, *((A, turn * pairs + n, float(turn * pairs + n)) for n in range(pairs)))
        if turn % 10 == 5:
            store.save([update((turn, turn + 1), [1.0])])
            store.clear(store.dirty().token)
    done.set()
    for reader in readers:
        reader.join()
    assert not failures
    assert seen
    assert all(count % pairs == 0 for count in seen), "never half a commit"
    assert len(dial(store)) == pairs * rounds
