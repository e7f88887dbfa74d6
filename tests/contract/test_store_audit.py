"""The audit ledger of every store: append-only, in the transaction of what it tells of, the same after a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.storing import A, B, event, put, reject, update
from tests.support import T0, readings_of
from wattwell.errors import StoreError
from wattwell.intervals import MINUTE, iso
from wattwell.ledger import Entry, first_break
from wattwell.model import Correction
from wattwell.store.protocol import ReadingStore


def said(store: ReadingStore, kind: str = "event") -> list[tuple[str, str, str]]:
    """Meter, event and state of each entry."""
    found = [entry.content for entry in store.audit(kind)]
    return [(each["meter"], each["event"], each.get("state", each.get("author"))) for each in found]


def test_entries_are_numbered_chained_and_kept(opener: Callable[[], ReadingStore]) -> None:
    store = opener()
    assert store.audit() == []
    first = store.append_audit([("figure", {"value": 1.25}), ("readings", {"rows": 3})])
    assert [(e.seq, e.kind, e.content) for e in first] == [
        (1, "figure", {"value": 1.25}),
        (2, "readings", {"rows": 3}),
    ]
    assert store.append_audit([]) == []
    store.close()
    again = opener()
    (third,) = again.append_audit([("figure", {"value": 0.1 + 0.2, "name": "Zürich"})])
    assert (third.seq, third.document) == (3, '{"name":"Zürich","value":0.30000000000000004}')
    assert list(again.audit()) == [*first, third]
    assert first_break(again.audit()) is None
    assert [e.seq for e in again.audit("figure")] == [1, 3]
    assert [e.seq for e in again.audit("figure", 1)] == [3]
    assert [e.seq for e in again.audit(None, 2)] == [2, 3]
    again.close()


def test_what_cannot_be_entered_leaves_nothing(store: ReadingStore) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.append_audit([("figure", {"value": 1.0}), ("figure", {"value": float("inf")})])
    assert store.audit() == []


def test_an_event_is_entered_when_it_is_new_and_when_it_changes(store: ReadingStore) -> None:
    jump, reset = event(5, "jump", "pending"), event(9)
    store.save([update(events=[jump, reset], judged=(0, 20))])
    assert said(store) == [("a", "jump", "pending"), ("a", "reset", "booked")]
    assert store.audit()[0].content == {
        "site": "s",
        "meter": "a",
        "event": "jump",
        "at": iso(T0 + 5 * MINUTE),
        "before": 1.0,
        "after": None,
        "booked": 2.0,
        "unit": "kWh",
        "state": "pending",
    }
    store.save([update(events=[jump, reset], judged=(0, 20))])
    assert len(store.audit()) == 2, "the same analysis again says nothing new"
    accepted = replace(jump, state="accepted", booked=7.5)
    store.save([update(events=[accepted], judged=(0, 20)), update(key=B, events=[event(1, key=B)], judged=(0, 9))])
    assert said(store)[2:] == [("a", "jump", "accepted"), ("a", "reset", "withdrawn"), ("b", "reset", "booked")]
    store.save([update(judged=(0, 20))])
    assert said(store)[5:] == [("a", "jump", "withdrawn")], "what was withdrawn before is not said again"
    assert first_break(store.audit()) is None


def test_an_event_that_makes_place_for_another_is_said_to_be_replaced(store: ReadingStore) -> None:
    store.save([update(events=[event(5, "rollover")], judged=(0, 20))])
    store.save([update(events=[event(5, "transient")], judged=(0, 20))])
    assert said(store)[1:] == [("a", "rollover", "replaced"), ("a", "transient", "booked")]
    assert [e.event for e in store.events(None, None, None, None)] == ["transient"]


def test_a_save_that_fails_enters_nothing(store: ReadingStore) -> None:
    wrong = replace(update(key=B, judged=(0, 9)), checkpoints=(1,))  # type: ignore[arg-type]
    with pytest.raises((StoreError, AttributeError)):
        store.save([update(events=[event(5)], judged=(0, 20)), wrong])
    assert store.audit() == []
    assert store.events(None, None, None, None) == []
    store.save([update(events=[event(5)], judged=(0, 20))])
    assert [entry.seq for entry in store.audit()] == [1]


def test_corrections_are_entered_once(store: ReadingStore) -> None:
    swap = Correction(
        site="s", meter="a", at=T0, event="replacement", final=9.5, first=0.0, author="ann", reason="worn out"
    )
    store.add_corrections([swap, swap])
    store.add_corrections([swap])
    assert said(store, "correction") == [("a", "replacement", "ann")]
    store.add_corrections([replace(swap, final=9.75, author="bob")])
    assert said(store, "correction")[1:] == [("a", "replacement", "bob")]
    assert store.audit()[-1].content["final"] == 9.75


def test_entries_from_many_threads_are_one_chain(store: ReadingStore) -> None:
    def enter(name: int) -> None:
        for turn in range(5):
            store.append_audit([("figure", {"thread": name, "turn": turn})])
            store.save(
                [update(key=("s", f"m{name}"), events=[event(turn, key=("s", f"m{name}"))], judged=(turn, turn))]
            )

    threads = [threading.Thread(target=enter, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries: list[Entry] = list(store.audit())
    assert len(entries) == 40
    assert first_break(entries) is None


def test_arrivals_and_rejects_of_a_span(store: ReadingStore) -> None:
    put(store, (A, 1, 10.0), (A, 2, 11.0), (B, 1, 5.0), received=T0 + 77)
    pairs = [(A, T0 + MINUTE), (B, T0 + MINUTE), (B, T0 + 2 * MINUTE), (("s", "unknown"), T0)]
    assert store.arrivals(pairs) == {(A, T0 + MINUTE): T0 + 77, (B, T0 + MINUTE): T0 + 77}
    assert store.arrivals([]) == {}
    inside, outside = reject(at=T0 + MINUTE), reject(at=T0 + 9 * MINUTE)
    store.commit(readings_of([]), [outside, inside, reject(at=None), replace(inside, site="other")])
    assert store.rejects_within("s", T0, T0 + 9 * MINUTE) == [inside]
