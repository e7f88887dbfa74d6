"""The audit ledger's chain: an auditor's own ten lines agree, and no change to what was entered goes unseen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import T0
from wattwell.ledger import GENESIS, KINDS, Entry, canonical, extend, first_break

TEXTS = st.text(max_size=8) | st.sampled_from(["\n", "1\n2", "Zürich", '"', "a,b"])
DOCUMENTS = st.dictionaries(TEXTS, st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | TEXTS)
ITEMS = st.lists(st.tuples(st.sampled_from(KINDS), DOCUMENTS), min_size=1, max_size=8)


def chain(items: list[tuple[str, dict[str, object]]]) -> list[Entry]:
    """Entries made one by one, a second apart."""
    made: list[Entry] = []
    for place, item in enumerate(items):
        made += extend(made[-1] if made else None, T0 + place * 1_000_000, [item])
    return made


def by_hand(entries: list[Entry]) -> list[str]:
    """The hashes as the module's text says, with nothing of the module."""
    before, found = "0" * 64, []
    for entry in entries:
        text = f"{before}\n{entry.seq}\n{entry.at}\n{entry.kind}\n{entry.document}"
        before = hashlib.sha256(text.encode()).hexdigest()
        found.append(before)
    return found


@given(ITEMS)
def test_the_hashes_are_those_that_the_text_describes(items: list[tuple[str, dict[str, object]]]) -> None:
    entries = chain(items)
    assert [entry.hash for entry in entries] == by_hand(entries)
    assert [entry.seq for entry in entries] == list(range(1, len(items) + 1))
    assert all("\n" not in entry.document for entry in entries), "what makes the lines unambiguous"
    assert first_break(entries) is None
    assert first_break([]) is None
    assert extend(None, T0, items) == extend(None, T0, items)


def test_a_chain_that_was_once_made_stays_the_same() -> None:
    """The numbers of a ledger already written: a change of the encoding would fail every auditor's check."""
    entries = extend(None, T0, [("figure", {"b": 0.1, "a": [1, None, "ä"]}), ("event", {"x": 1e300})])
    assert entries[0].document == '{"a":[1,null,"ä"],"b":0.1}'
    assert entries[0].hash == "6cc1f007cd853d2b790d346e8c5715c9f41c3cd476f9fff1df59208e928b40c7"
    assert GENESIS == "0" * 64


@given(DOCUMENTS)
def test_documents_have_one_text(document: dict[str, object]) -> None:
    again = dict(reversed(list(document.items())))
    assert canonical(document) == canonical(again)
    assert json.loads(canonical(document)) == document


def test_what_has_no_text_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})
    with pytest.raises(ValueError, match="kind 'gossip' is not one of configuration, event"):
        extend(None, T0, [("gossip", {})])


@given(ITEMS, st.data())
def test_the_first_changed_entry_is_named(items: list[tuple[str, dict[str, object]]], data: st.DataObject) -> None:
    entries = chain(items)
    place = data.draw(st.integers(0, len(entries) - 1))
    old = entries[place]
    field = data.draw(st.sampled_from(["at", "kind", "document", "hash"]))
    changes = {
        "at": old.at + data.draw(st.sampled_from([-1, 1, 10**12])),
        "kind": data.draw(st.sampled_from([*KINDS, old.kind + "\n", ""]).filter(lambda kind: kind != old.kind)),
        "document": data.draw(st.sampled_from([old.document + " ", old.document[:-1], old.document.swapcase() + "x"])),
        "hash": old.hash[::-1] if old.hash != old.hash[::-1] else "0" * 64,
    }
    changed = [*entries[:place], replace(old, **{field: changes[field]}), *entries[place + 1 :]]
    broken = first_break(changed)
    assert broken is not None
    assert broken.seq == old.seq
    assert "its hash does not match" in broken.problem


@given(ITEMS.filter(lambda items: len(items) > 1), st.data())
def test_entries_that_are_moved_are_seen(items: list[tuple[str, dict[str, object]]], data: st.DataObject) -> None:
    entries = chain(items)
    place = data.draw(st.integers(0, len(entries) - 2))
    gone = first_break([*entries[:place], *entries[place + 1 :]])
    assert gone is not None
    assert gone.seq == place + 2
    assert gone.problem.startswith(f"number {place + 2} stands where number {place + 1} is due")
    renumbered = [replace(e, seq=n) for n, e in enumerate([*entries[:place], *entries[place + 1 :]], start=1)]
    found = first_break(renumbered)
    assert found is not None
    assert found.seq == place + 1
    twice = first_break([*entries[: place + 1], *entries[place:]])
    assert twice is not None
    assert twice.problem.startswith(f"number {place + 1} comes twice")
    swapped = [*entries]
    swapped[place], swapped[place + 1] = (
        replace(swapped[place + 1], seq=place + 1),
        replace(swapped[place], seq=place + 2),
    )
    moved = first_break(swapped)
    assert moved is not None
    assert moved.seq == place + 1


@given(ITEMS, DOCUMENTS, st.data())
def test_a_change_with_its_hash_made_anew_is_seen_one_entry_later(
    items: list[tuple[str, dict[str, object]]], other: dict[str, object], data: st.DataObject
) -> None:
    """Only making all that follows anew hides a change from the chain itself; the head noted elsewhere tells it."""
    entries = chain(items)
    place = data.draw(st.integers(0, len(entries) - 1))
    (forged,) = extend(entries[place - 1] if place else None, entries[place].at, [(entries[place].kind, other)])
    broken = first_break([*entries[:place], forged, *entries[place + 1 :]])
    if forged == entries[place] or place == len(entries) - 1:
        assert broken is None
        assert (forged.hash == entries[-1].hash) == (forged == entries[-1])
    else:
        assert broken is not None
        assert broken.seq == place + 2
