"""Registers against an oracle written from METERING alone: exact fractions, one reading at a time, no arrays, no state.

The oracle looks ahead where the program remembers: it holds the whole stream and asks what the next reading says. It
shares no code with the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.fold import MeterFold
from tests.support import T0, a_meter
from wattwell.intervals import HOUR, MINUTE, SECOND
from wattwell.model import Correction

F = Fraction
Reading = tuple[int, F]
Event = tuple[str, int, F, F, F, str]
MEASURED, ESTIMATED, RECOVERED = "measured", "estimated", "recovered"


@dataclass
class Oracle:
    """The rules of METERING for one kWh dial."""

    max_rate: F
    factors: Sequence[tuple[int, F]]
    resolution: F
    rollover_at: F | None = None
    max_gap: int = 5 * MINUTE
    accepted_jumps: frozenset[int] = frozenset()
    spans: list[tuple[int, int, F, str]] = field(default_factory=list)
    """(start, end, dial amount, kind)"""
    events: dict[tuple[int, bool], Event] = field(default_factory=dict)

    # -- words ----------------------------------------------------------------------------------------------------

    def pieces(self, start: int, end: int) -> list[tuple[int, F]]:
        """(microseconds, factor) of the parts of a span."""
        edges = [since for since, _ in self.factors] + [2**63]
        found = []
        for (since, factor), until in zip(self.factors, edges[1:], strict=True):
            width = min(end, until) - max(start, since)
            if width > 0:
                found.append((width, factor))
        return found

    def plausible(self, one: Reading, other: Reading, step: F) -> bool:
        bound = sum((self.max_rate * width / HOUR / abs(f) for width, f in self.pieces(one[0], other[0])), F(0))
        return 0 <= step <= bound + self.resolution

    def follows(self, one: Reading, other: Reading) -> tuple[str, F] | None:
        step = other[1] - one[1]
        if step < 0 and -step <= self.resolution:
            return "jitter", F(0)
        if step >= 0 and self.plausible(one, other, step):
            return "up", step
        if step < 0 and self.rollover_at is not None and self.plausible(one, other, step + self.rollover_at):
            return "rollover", step + self.rollover_at
        return None

    def real(self, start: int, end: int, amount: F) -> F:
        """kWh after the multiplier of an amount spread evenly."""
        return sum((amount * width / (end - start) * abs(f) for width, f in self.pieces(start, end)), F(0))

    def book(self, one: Reading, other: Reading, amount: F, kind: str) -> F:
        start, end = one[0], other[0]
        if start == end:
            return F(0)
        self.spans.append((start, end, amount, RECOVERED if end - start > self.max_gap else kind))
        return self.real(start, end, amount)

    def tell(self, name: str, at: int, before: F, after: F, booked: F, state: str = "booked") -> None:
        self.events[at, name == "replacement"] = (name, at, before, after, booked, state)

    # -- the stream -----------------------------------------------------------------------------------------------

    def judge(self, readings: Sequence[Reading], swaps: Sequence[tuple[int, F, F]]) -> None:
        """Splits the stream into dials: each starts with a first reading and may end with a final one."""
        rest, first, swapped = list(readings), None, None
        for at, final, new in swaps:
            mine = [reading for reading in rest if reading[0] < at]
            rest = [reading for reading in rest if reading[0] >= at]
            dial = ([first] if first else []) + mine
            booked = self.one_dial(dial, (at, final), swapped)
            self.tell("replacement", at, final, new, booked)
            first, swapped = (at, new), at
        self.one_dial(([first] if first else []) + rest, None, swapped)

    def one_dial(self, dial: Sequence[Reading], final: Reading | None, swapped: int | None) -> F:
        """Judges the readings of one dial; what its final reading, entered by an operator, books."""
        if not dial:
            return F(0)
        level, seen = dial[0], [*dial[1:], *([final] if final else [])]
        for index, reading in enumerate(seen):
            following = seen[index + 1] if index + 1 < len(seen) else None
            if reading is final:
                step = self.follows(level, final)
                amount = step[1] if step else final[1] - level[1]
                return self.book(level, final, amount, MEASURED) if amount >= 0 else F(0)
            found = self.follows(level, reading)
            if found is None:
                moved = self.suspect(level, reading, following)
                swapped = swapped if moved is level else None
                level = moved
            elif found[0] == "rollover" and self.was_transient(level, reading, following):
                self.tell("transient", reading[0], level[1], reading[1], F(0))
            else:
                self.follow(level, reading, found, swapped)
                swapped = None
                level = reading if found[0] != "jitter" else (reading[0], level[1])
        return F(0)

    def was_transient(self, level: Reading, rolled: Reading, following: Reading | None) -> bool:
        if following is None or self.follows(rolled, following) is not None:
            return False
        back = self.follows(level, following)
        return back is not None and back[0] != "rollover"

    def follow(self, level: Reading, reading: Reading, found: tuple[str, F], swapped: int | None) -> None:
        name, amount = found
        booked = self.book(level, reading, amount, MEASURED)
        if swapped is not None:
            told = self.events[swapped, True]
            self.events[swapped, True] = (*told[:4], told[4] + booked, told[5])
        elif name == "rollover":
            self.tell("rollover", reading[0], level[1], reading[1], booked)
        elif reading[0] - level[0] > self.max_gap:
            self.tell("catch-up", reading[0], level[1], reading[1], booked)

    def suspect(self, level: Reading, reading: Reading, following: Reading | None) -> Reading:
        """The level after a reading that does not follow it."""
        if following is None:
            return level
        if self.follows(level, following) is not None or self.follows(reading, following) is None:
            self.tell("transient", reading[0], level[1], reading[1], F(0))
            return level
        amount, name, state = None, "jump", "pending"
        if reading[1] < level[1]:
            name, state = "reset", "booked"
            if self.plausible(level, reading, reading[1]) and reading[1] < level[1] / 2:
                amount = reading[1]
        elif reading[0] in self.accepted_jumps:
            amount, state = reading[1] - level[1], "accepted"
        booked = F(0) if amount is None else self.book(level, reading, amount, ESTIMATED)
        self.tell(name, reading[0], level[1], reading[1], booked, state)
        return reading

    # -- intervals ------------------------------------------------------------------------------------------------

    def intervals(self, grid: int) -> dict[int, tuple[F, F, bool]]:
        """start -> (kWh, measured share, recovered) of the intervals that have a value."""
        cells: dict[int, list[tuple[int, F, str]]] = {}
        for start, end, amount, kind in self.spans:
            for cell in range(start - start % grid, end, grid):
                low, high = max(start, cell), min(end, cell + grid)
                real = sum((amount * width / (end - start) * f for width, f in self.pieces(low, high)), F(0))
                cells.setdefault(cell, []).append((high - low, real, kind))
        found = {}
        for cell, parts in cells.items():
            missing = F(grid - sum(width for width, _, _ in parts), grid)
            if missing <= F(1, 10):
                value = sum((real for _, real, _ in parts), F(0)) / (1 - missing)
                measured = F(sum(width for width, _, kind in parts if kind == MEASURED), grid)
                found[cell] = (value, measured, any(kind == RECOVERED for _, _, kind in parts))
        return found


# -- random streams -----------------------------------------------------------------------------------------------

FACTORS = [
    [(-(2**62), F(1))],
    [(-(2**62), F(40))],
    [(-(2**62), F(-1))],
    [(-(2**62), F(1)), (T0 + 3 * MINUTE + 30 * SECOND, F(3)), (T0 + 20 * MINUTE, F(-2))],
    [(-(2**62), F(2)), (T0 + 10 * MINUTE + 1, F(1, 2))],
]
STEPS = [MINUTE, MINUTE, MINUTE, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 5 * MINUTE + 1, 47 * MINUTE]


@st.composite
def streams(draw: st.DrawFn) -> list[Reading]:
    """A dial in quarters that mostly rises by up to its bound of 10 a minute, with all that can befall it."""
    now, level = T0 + draw(st.integers(0, 3)) * 20 * SECOND, F(draw(st.sampled_from([0, 40, 960, 3900])), 4)
    rows = []
    for kind, quarters in draw(st.lists(st.tuples(st.integers(0, 13), st.integers(0, 48)), min_size=1, max_size=30)):
        value = level
        if kind <= 5:
            value = level = (level + F(quarters, 4)) % 1000
        elif kind == 6:
            value = level = level + F(quarters, 4)
        elif kind == 7:
            value = max(F(0), level - F(quarters % 6, 4))
        elif kind == 8:
            value = F(0)
        elif kind == 9:
            value = F(quarters * 20)
        elif kind == 10:
            value = level = F(quarters * 20 % 1000)
        elif kind == 11:
            value = level = F(quarters, 4)
        elif kind == 12:
            value = level = level + 200 + quarters
        rows.append((now, value))
        now += draw(st.sampled_from(STEPS))
    return rows


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    rows = draw(streams())
    at = [row[0] for row in rows]
    instants = st.one_of(st.sampled_from(at), st.integers(at[0], at[-1] + MINUTE), st.just(at[0] - MINUTE))
    swaps = sorted(dict.fromkeys(draw(st.lists(instants, max_size=2))))
    dials = st.integers(0, 4000).map(lambda quarters: F(quarters, 4))
    return {
        "rows": rows,
        "swaps": [
            (instant, draw(st.one_of(dials, st.sampled_from([row[1] for row in rows]))), draw(dials))
            for instant in swaps
        ],
        "accepted": frozenset(draw(st.lists(st.sampled_from(at), max_size=4))),
        "factors": draw(st.sampled_from(FACTORS)),
        "resolution": draw(st.sampled_from([F(0), F(1, 4), F(1)])),
        "rollover_at": draw(st.sampled_from([None, F(1000), F(1000)])),
        "cuts": draw(st.lists(st.integers(at[0] - 1, at[-1] + 1), max_size=3)),
    }


def entered(case: dict[str, Any]) -> list[Correction]:
    plain = {"site": "s", "meter": "m", "author": "a", "reason": "r"}
    return [
        *(Correction(at=t, event="replacement", final=float(f), first=float(n), **plain) for t, f, n in case["swaps"]),
        *(Correction(at=t, event="accept", final=None, first=None, **plain) for t in case["accepted"]),
    ]


def program(case: dict[str, Any], grid: int) -> MeterFold:
    meter = a_meter(
        max_rate=600.0,
        resolution=float(case["resolution"]),
        rollover_at=None if case["rollover_at"] is None else float(case["rollover_at"]),
        factors=tuple((since, float(factor)) for since, factor in case["factors"]),
    )
    fold = MeterFold(meter, grid, entered(case))
    at = np.array([row[0] for row in case["rows"]], dtype=np.int64)
    dial = np.array([float(row[1]) for row in case["rows"]])
    begin = 0
    for cut in sorted(case["cuts"]):
        end = int(np.searchsorted(at, cut))
        fold.feed(at[begin:end], dial[begin:end], cut)
        begin = end
    fold.feed(at[begin:], dial[begin:])
    return fold


@pytest.mark.parametrize("grid", [MINUTE, 15 * MINUTE])
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_the_program_and_the_oracle_agree(grid: int, case: dict[str, Any]) -> None:
    oracle = Oracle(
        max_rate=F(600),
        factors=case["factors"],
        resolution=case["resolution"],
        rollover_at=case["rollover_at"],
        accepted_jumps=case["accepted"],
    )
    oracle.judge(case["rows"], case["swaps"])
    fold = program(case, grid)
    values, expected = fold.take_rest(), oracle.intervals(grid)
    assert values.start.tolist() == sorted(expected)
    for start, value, measured, recovered in zip(
        values.start.tolist(), values.value.tolist(), values.measured.tolist(), values.recovered.tolist(), strict=True
    ):
        assert value == pytest.approx(float(expected[start][0]), abs=1e-9)
        assert measured == pytest.approx(float(expected[start][1]), abs=1e-15)
        assert recovered == expected[start][2]
    found = [(e.event, e.at, e.before, e.after, e.booked, e.state) for e in fold.take_events()]
    wanted = [oracle.events[at] for at in sorted(oracle.events)]
    assert [each[:4] + each[5:] for each in found] == [each[:4] + each[5:] for each in wanted]
    assert [each[4] for each in found] == pytest.approx([float(each[4]) for each in wanted], abs=1e-9)
