"""A remote store against the local one, reading by reading."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from tests.support import T0, readings_of
from wattwell.intervals import MINUTE, SECOND
from wattwell.model import MeterKey
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.reconcile import Compared, Owed, reconcile
from wattwell.store.remote import RemoteStore, Sample

A, B, C = ("s", "a"), ("s", "b"), ("t", "a")
Told = tuple[MeterKey, int, int, float | None, float | None, str]
ALL = Owed(safe=2**62)


@dataclass
class Shown:
    """What a remote store shows: microseconds after T0, revision and value."""

    rows: dict[MeterKey, list[tuple[int, int, float]]]
    resolution: int = 1000
    exact: float = 1e-12
    asked: list[tuple[Sequence[str], int, int]] = field(default_factory=list)

    def read_sites(self, sites: Sequence[str], start: int, end: int) -> Mapping[MeterKey, Sequence[Sample]]:
        """Samples of these sites in the span."""
        self.asked.append((sites, start - T0, end - T0))
        return {
            key: [Sample(at=T0 + at, revision=n, value=value) for at, n, value in rows if start <= T0 + at < end]
            for key, rows in self.rows.items()
            if key[0] in sites
        }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckdbStore]:
    opened = DuckdbStore.open(tmp_path / "spool.duckdb")
    yield opened
    opened.close()


def put(store: DuckdbStore, *rows: tuple[MeterKey, int, float]) -> None:
    store.commit(readings_of([(key, T0 + at, value) for key, at, value in rows], T0), [])


def compared(
    store: DuckdbStore, shown: Shown, *keys: MeterKey, owed: Owed = ALL, end: int = MINUTE
) -> Iterator[Compared]:
    return reconcile(store, cast(RemoteStore, shown), keys or [A], T0, T0 + end, owed)


def told(*args: object, **options: object) -> list[Told]:
    """(meter, microseconds after T0, revision, here, there, how)."""
    found = compared(*args, **options)  # type: ignore[arg-type] # as it is called
    return [(each.key, each.at - T0, each.revision, each.here, each.there, each.how) for each in found]


def test_each_reading_is_told_by_what_is_wrong_with_it(store: DuckdbStore) -> None:
    put(store, (A, 0, 1.0), (A, SECOND, 2.0), (A, 2 * SECOND, 3.0), (C, 0, 7.0))
    shown = Shown({A: [(0, 0, 1.0), (SECOND, 0, 2.5), (3 * SECOND, 0, 4.0)], B: [(5, 0, 9.0)], C: [(0, 0, 7.0)]})
    assert told(store, shown, C, A) == [
        (A, 0, 0, 1.0, 1.0, "same"),
        (A, SECOND, 0, 2.0, 2.5, "different"),
        (A, 2 * SECOND, 0, 3.0, None, "missing"),
        (A, 3 * SECOND, 0, None, 4.0, "alone"),
        (C, 0, 0, 7.0, 7.0, "same"),
    ]
    assert shown.asked == [(["s", "t"], 0, MINUTE)]


def test_what_a_store_rounds_off_is_no_difference(store: DuckdbStore) -> None:
    put(store, (A, 0, 1e15 / 3), (A, SECOND, 0.0))
    shown = Shown({A: [(0, 0, 1e15 / 3 * (1 + 5e-13)), (SECOND, 0, 0.0)]})
    assert [each.how for each in compared(store, shown)] == ["same", "same"]
    shown.exact = 0.0
    assert [each.how for each in compared(store, shown)] == ["different", "same"]


def test_only_what_counts_is_told_of_several_revisions(store: DuckdbStore) -> None:
    put(store, (A, 0, 1.0), (A, SECOND, 1.0), (A, 2 * SECOND, 1.0))
    put(store, (A, 0, 2.0), (A, SECOND, 2.0))
    older = [(0, 0, 1.0), (SECOND, 0, 1.0), (2 * SECOND, 0, 1.0)]
    shown = Shown({A: [*older, (0, 1, 2.0), (2 * SECOND, 1, 5.0)]})
    assert told(store, shown) == [
        (A, 0, 1, 2.0, 2.0, "same"),
        (A, SECOND, 0, None, 1.0, "replaced"),
        (A, SECOND, 1, 2.0, None, "missing"),
        (A, 2 * SECOND, 0, 1.0, 1.0, "same"),
        (A, 2 * SECOND, 1, None, 5.0, "alone"),
    ]


def test_a_rejected_reading_is_none(store: DuckdbStore) -> None:
    put(store, (A, 0, math.nan), (A, SECOND, math.nan))
    assert told(store, Shown({A: [(0, 0, 1.0)]})) == [(A, 0, 0, None, 1.0, "alone")]


def test_what_waits_or_was_refused_is_not_missing(store: DuckdbStore) -> None:
    put(store, (A, 0, 1.0), (A, SECOND + 7, 2.0))
    safe = int(store.accepted([A], T0, T0 + MINUTE)[A].token.max())
    put(store, (A, 2 * SECOND, 3.0), (A, 3 * SECOND, 4.0))
    owed = Owed(safe=safe, refused={(A, T0 + SECOND + 7, 0), (A, T0, 1), (B, T0, 0)})
    hows = {at: how for _, at, _, _, _, how in told(store, Shown({A: [(3 * SECOND, 0, 4.0)]}), owed=owed)}
    assert hows == {0: "missing", SECOND: "refused", 2 * SECOND: "waiting", 3 * SECOND: "same"}


def test_what_was_pruned_here_cannot_be_compared(store: DuckdbStore) -> None:
    put(store, (A, 0, 1.0), (A, SECOND, 2.0), (A, 3 * SECOND, 3.0))
    assert store.prune(T0 + 2 * SECOND, {A: [T0]}) == 1
    shown = Shown({A: [(0, 0, 1.5), (SECOND, 0, 2.0), (2 * SECOND, 0, 9.0), (3 * SECOND, 0, 3.0)]})
    hows = [how for _, _, _, _, _, how in told(store, shown)]
    assert hows == ["different", "pruned", "alone", "same"], "what was kept is compared"


def test_readings_within_a_millisecond_are_compared_each(store: DuckdbStore) -> None:
    put(store, (A, 400, 1.0), (A, 401, 2.0), (A, 1500, 3.0))
    shown = Shown({A: [(0, 0, 1.0), (401, 0, 2.0), (1000, 0, 3.0)]})
    assert [(at, how) for _, at, _, _, _, how in told(store, shown)] == [(0, "same"), (401, "same"), (1000, "same")]
    assert [at for _, at, *_ in told(store, shown, end=1999)] == [0, 401], "ends are whole milliseconds"
    assert told(store, shown, end=999) == []
    asked = len(shown.asked)
    assert list(reconcile(store, cast(RemoteStore, shown), [], T0, T0 + MINUTE, ALL)) == []
    assert len(shown.asked) == asked, "nothing is asked of no meters"


def test_readings_that_the_remote_store_shows_at_one_time_are_both_found(store: DuckdbStore) -> None:
    """One that comes later, at the whole millisecond, stands apart there by zero microseconds."""
    put(store, (A, 500, 1.0))
    put(store, (A, 0, 2.0))
    hows = [(each.here, each.how, each.repeated) for each in compared(store, Shown({A: [(0, 0, 1.0), (0, 0, 2.0)]}))]
    assert sorted(hows) == [(1.0, "same", 0), (2.0, "same", 0)]
    more = Shown({A: [(0, 0, 1.0), (0, 0, 2.0), (0, 0, 2.0)]})
    assert sum(each.repeated for each in compared(store, more)) == 1


def test_repeated_samples_are_counted_and_must_be_equal(store: DuckdbStore) -> None:
    put(store, (A, 0, 1.0), (A, SECOND, 2.0))
    shown = Shown({A: [(0, 0, 1.0), (0, 0, 1.0), (SECOND, 0, 2.0), (SECOND, 0, 2.5), (2 * SECOND, 0, 1.0)] * 2})
    shown.rows[A].sort()
    found = [(each.how, each.there, each.repeated) for each in compared(store, shown)]
    assert found == [("same", 1.0, 3), ("different", 2.5, 3), ("alone", 1.0, 1)]
