"""METERING, Late, repeated, wrong: two readings at one (meter, time), in any split into batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wattwell.store.merge import Merged, Row, Rows, equal, merge
from wattwell.units import QuantityKind, convert, units_of

NAN = float("nan")
Sent = tuple[int, int, float]
"""(series, time, value)"""


def rows_of(sent: Sequence[Sent], first: int = 0) -> Rows:
    return Rows(
        series=np.array([each[0] for each in sent], dtype=np.int64),
        at=np.array([each[1] for each in sent], dtype=np.int64),
        received=np.arange(first, first + len(sent), dtype=np.int64),
        value=np.array([each[2] for each in sent], dtype=np.float64),
        arrival=np.zeros(len(sent), dtype=np.bool_),
    )


class Memory:
    """A store of readings in a dictionary, which holds merge to its contract."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, int], Row] = {}
        self.conflicts: list[tuple[int, int, float]] = []
        self.repeated = 0
        self.sent = 0

    def commit(self, sent: Sequence[Sent]) -> Merged:
        latest = np.full(3, -(2**62), dtype=np.int64)
        for series, at in self.rows:
            latest[series] = max(latest[series], at)
        merged = merge(rows_of(sent, self.sent), latest, self._stored, self._overruled)
        self.sent += len(sent)
        for row in merged.replaced.rows():
            del self.rows[row.series, row.at]  # a KeyError: it was not stored
        for row in merged.added.rows():
            assert (row.series, row.at) not in self.rows
            self.rows[row.series, row.at] = row
        self.conflicts += [(row.series, row.at, row.value) for row in merged.conflicts]
        self.repeated += merged.repeated
        return merged

    def _stored(self, keys: Mapping[str, NDArray[Any]]) -> Mapping[tuple[int, int], Row]:
        wanted = zip(keys["series"].tolist(), keys["t"].tolist(), strict=True)
        return {key: self.rows[key] for key in wanted if key in self.rows}

    @property
    def values(self) -> dict[tuple[int, int], float]:
        return {key: row.value for key, row in self.rows.items()}

    def _overruled(self, series: int, at: int, value: float) -> bool:
        return any((s, t) == (series, at) and equal(lost, value) for s, t, lost in self.conflicts)


def one_by_one(sent: Sequence[Sent]) -> tuple[dict[tuple[int, int], float], list[tuple[int, int, float]]]:
    """The rule, a reading at a time."""
    values: dict[tuple[int, int], float] = {}
    lost: list[tuple[int, int, float]] = []
    for series, at, value in sent:
        key = (series, at)
        if key not in values or (np.isnan(values[key]) and not np.isnan(value)):
            values[key] = value
        elif not np.isnan(value) and not any(
            equal(value, known) for known in [values[key], *(v for s, t, v in lost if (s, t) == key)]
        ):
            lost.append((*key, values[key]))
            values[key] = value
    return values, lost


def after(*batches: Sequence[float]) -> tuple[float, list[float], int]:
    """The value that counts, the conflicts and the repetitions of values sent for one time."""
    memory = Memory()
    for batch in batches:
        memory.commit([(0, 7, value) for value in batch])
    return memory.values[0, 7], [value for *_, value in memory.conflicts], memory.repeated


TWIN = convert(812412.3, QuantityKind.ENERGY, "Wh", "MWh")
TWIN_TOO = convert(812.4123, QuantityKind.ENERGY, "kWh", "MWh")
# (rule, values in order of arrival, the one that counts, those that lost)
RULES = [
    ("one", [1.0], 1.0, []),
    ("an equal one is ignored", [1.0, 1.0], 1.0, []),
    ("an equal amount in another unit is ignored", [TWIN, TWIN_TOO, 0.8124123], TWIN, []),
    ("the later of two counts", [1.0, 2.0], 2.0, [1.0]),
    ("the latest of three counts", [1.0, 2.0, 3.0], 3.0, [1.0, 2.0]),
    ("what lost once and comes again is a repetition", [1.0, 2.0, 1.0], 2.0, [1.0]),
    ("also in another unit", [TWIN, 2.0, TWIN_TOO, np.nextafter(TWIN, 9)], 2.0, [TWIN]),
    ("both again, and again", [1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 2.0, [1.0]),
    ("a rejected one never replaces an accepted one", [1.0, NAN], 1.0, []),
    ("an accepted one replaces a rejected one, without a conflict", [NAN, 1.0], 1.0, []),
    ("rejected ones between", [NAN, 1.0, NAN, 2.0, NAN], 2.0, [1.0]),
    ("a rejected one twice", [NAN, NAN], NAN, []),
    ("zero and next to nothing", [0.0, 1e-15, -0.0], 0.0, []),
    ("a small difference is one", [0.0, 1e-9], 1e-9, [0.0]),
    ("a small share of a large dial is a difference", [4294967290.0, 4294967290.1], 4294967290.1, [4294967290.0]),
]


@pytest.mark.parametrize(("rule", "values", "counts", "lost"), RULES, ids=[row[0] for row in RULES])
def test_rule_in_every_split(rule: str, values: list[float], counts: float, lost: list[float]) -> None:
    for pattern in range(2 ** (len(values) - 1)):
        batches: list[list[float]] = [[values[0]]]
        for place, value in enumerate(values[1:]):
            if pattern >> place & 1:
                batches.append([])
            batches[-1].append(value)
        found, conflicts, _ = after(*batches)
        assert found == counts or (np.isnan(found) and np.isnan(counts)), (batches, found)
        assert conflicts == lost, batches


def test_repetitions_are_counted() -> None:
    assert after([1.0, 1.0, NAN, 2.0, 1.0])[2] == 3
    assert after([1.0], [1.0], [NAN], [2.0], [1.0])[2] == 3


def test_a_batch_of_new_times_is_taken_as_it_is() -> None:
    memory = Memory()
    merged = memory.commit([(0, 3, 1.0), (1, 3, 2.0), (0, 1, 3.0)])
    assert list(merged.added.rows()) == [
        Row(0, 3, 0, 1.0, arrival=False),
        Row(1, 3, 1, 2.0, arrival=False),
        Row(0, 1, 2, 3.0, arrival=False),
    ]
    assert not len(merged.replaced)
    assert (merged.conflicts, merged.repeated) == ((), 0)


@pytest.mark.parametrize("batches", [[[1.0, 2.0]], [[1.0], [2.0]]], ids=["in one batch", "against the store"])
def test_a_conflict_keeps_the_losers_own_arrival(batches: list[list[float]]) -> None:
    memory = Memory()
    found = [memory.commit([(0, 3, value) for value in batch]).conflicts for batch in batches]
    assert found[-1] == (Row(0, 3, 0, 1.0, arrival=False),)


def test_the_same_time_of_two_meters_is_no_conflict() -> None:
    memory = Memory()
    memory.commit([(0, 3, 1.0), (1, 3, 2.0)])
    memory.commit([(1, 3, 2.0), (2, 3, 3.0)])
    assert memory.values == {(0, 3): 1.0, (1, 3): 2.0, (2, 3): 3.0}
    assert (memory.conflicts, memory.repeated) == ([], 1)


@settings(max_examples=300)
@given(
    sent=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from([1.0, 1.0 + 2e-16, 2.0, 3.0, NAN])), max_size=25
    ),
    cuts=st.lists(st.integers(0, 25), max_size=6),
)
def test_any_split_ends_alike(sent: list[Sent], cuts: list[int]) -> None:
    memory = Memory()
    edges = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    for low, high in pairwise(edges):
        if low < high:
            memory.commit(sent[low:high])
    values, lost = one_by_one(sent)
    assert repr(sorted(memory.values.items())) == repr(sorted(values.items()))
    assert sorted(memory.conflicts) == sorted(lost)


@given(value=st.floats(1e-6, 1e10), data=st.data())
def test_an_amount_is_equal_in_whatever_unit_it_was_sent(value: float, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from([QuantityKind.ENERGY, QuantityKind.WATER, QuantityKind.FLOW, QuantityKind.POWER]))
    own, sent, other = (data.draw(st.sampled_from(units_of(kind))) for _ in range(3))
    one = convert(convert(value, kind, own, sent), kind, sent, own)
    two = convert(convert(value, kind, own, other), kind, other, own)
    assert equal(one, two)
    assert not equal(one, two * (1 + 1e-9) + 1e-9)
