"""METERING's register events as written traces: a series of dials, what it books, what it lists and what is missing.

Dials stand a minute apart, from minute 0, unless ``@`` says otherwise; ``max_rate`` of 6000 kW lets 100 kWh a minute
pass. A trace names the rule that it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from analytics.fold import MeterFold
from tests.support import T0, a_meter, series
from wattwell.intervals import MINUTE
from wattwell.model import Correction

DIAL32 = {"rollover_at": 2.0**32}
SMALL = {"rollover_at": 1000.0}
FINE = {"resolution": 0.1}


def swap(minute: float, final: float, first: float) -> Correction:
    at = T0 + round(minute * MINUTE)
    return Correction(
        site="s", meter="m", at=at, event="replacement", final=final, first=first, author="ann", reason="worn"
    )


def accept(minute: float) -> Correction:
    at = T0 + round(minute * MINUTE)
    return Correction(site="s", meter="m", at=at, event="accept", final=None, first=None, author="ann", reason="real")


@dataclass(frozen=True)
class Trace:
    """A series and what becomes of it; minutes count from the first dial's."""

    rule: str
    text: str
    books: float
    events: Sequence[tuple[Any, ...]] = ()
    """(event, minute, before, after, booked[, state])"""
    missing: Sequence[int] = ()
    """Whole minutes without a value, up to the last reading or replacement."""
    estimated: Sequence[int] = ()
    """Minutes with a value of which nothing was measured."""
    recovered: Sequence[int] = ()
    meter: Mapping[str, Any] = field(default_factory=dict)
    corrections: Sequence[Correction] = ()


def outcome(trace: Trace) -> tuple[float, list[tuple[Any, ...]], list[int], list[int], list[int]]:
    """Booked, events, and the minutes missing, estimated and recovered."""
    at, dial = series(trace.text)
    fold = MeterFold(a_meter(**trace.meter), MINUTE, trace.corrections)
    fold.feed(at, dial)
    end = max([int(at[-1]), *(c.at for c in trace.corrections if c.event == "replacement")])
    begin = min([int(at[0]), *(c.at for c in trace.corrections if c.event == "replacement")])
    values = fold.take_rest()
    minute = ((values.start - T0) // MINUTE).tolist()
    whole = range((begin - T0) // MINUTE, (end - T0) // MINUTE)
    return (
        float(values.value.sum()),
        [(e.event, round((e.at - T0) / MINUTE, 10), e.before, e.after, e.booked, e.state) for e in fold.take_events()],
        [m for m in whole if m not in minute],
        [m for m, share in zip(minute, values.measured, strict=True) if share == 0],
        [m for m, yes in zip(minute, values.recovered, strict=True) if yes],
    )


def hold(trace: Trace) -> None:
    """Asserts that a trace becomes what it says, to 1e-9."""
    books, events, missing, estimated, recovered = outcome(trace)
    assert books == pytest.approx(trace.books, abs=1e-9)
    expected = [(e if len(e) == 6 else (*e, "booked")) for e in trace.events]
    assert [e[:1] + e[5:] for e in events] == [e[:1] + e[5:] for e in expected]
    for found, wanted in zip(events, expected, strict=True):
        assert found[1:5] == pytest.approx(wanted[1:5], abs=1e-9), found
    assert missing == list(trace.missing)
    assert estimated == list(trace.estimated)
    assert recovered == list(trace.recovered)
