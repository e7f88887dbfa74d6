"""METERING, Register events: reset, jump, catch-up and replacement, as written traces (:mod:`tests.metering`)."""

from __future__ import annotations

import pytest

from tests.metering import FINE, SMALL, Trace, accept, hold, swap

TRACES = [
    # -- reset
    Trace("reset of an implausible dial books nothing", "5000 150 151", 1, [("reset", 1, 5000, 150, 0)], [0]),
    Trace("reset to half of the old level books nothing", "100 50 51", 1, [("reset", 1, 100, 50, 0)], [0]),
    Trace(
        "reset to just below half books what the dial shows",
        "100 49.9 50.9",
        50.9,
        [("reset", 1, 100, 49.9, 49.9)],
        estimated=[0],
    ),
    Trace("reset to zero books an estimated zero", "500 0 0 1", 1, [("reset", 1, 500, 0, 0)], estimated=[0]),
    Trace("reset, then still", "500 3 3", 3, [("reset", 1, 500, 3, 3)], estimated=[0]),
    Trace("two resets", "500 3 60 1 2", 62, [("reset", 1, 500, 3, 3), ("reset", 3, 60, 1, 1)], estimated=[0, 2]),
    Trace(
        "reset across a gap keeps its name and is recovered",
        "500 @120m 40 41",
        41,
        [("reset", 120, 500, 40, 40)],
        estimated=range(120),
        recovered=range(120),
    ),
    Trace(
        "reset across a gap above half: missing",
        "500 @120m 400 401",
        1,
        [("reset", 120, 500, 400, 0)],
        list(range(120)),
    ),
    Trace(
        "reset confirmed across a gap",
        "500 3 @120m 40",
        40,
        [("reset", 1, 500, 3, 3), ("catch-up", 120, 3, 40, 37)],
        estimated=range(120),
        recovered=range(1, 120),
    ),
    Trace(
        "a negative dial books nothing", "500 -3 -2", 1, [("reset", 1, 500, -3, 0)], [0], meter={"range": (-10.0, 1e6)}
    ),
    Trace(
        "a suspect that nothing follows is a transient",
        "500 3 900 4 5",
        5,
        [("transient", 1, 500, 3, 0), ("transient", 2, 500, 900, 0), ("reset", 3, 500, 4, 4)],
        estimated=[0, 1, 2],
    ),
    # -- jump
    Trace(
        "jump accepted",
        "500 900000 900001",
        899501,
        [("jump", 1, 500, 900000, 899500, "accepted")],
        estimated=[0],
        corrections=[accept(1)],
    ),
    Trace(
        "an accept at another time does nothing",
        "500 900000 900001",
        1,
        [("jump", 1, 500, 900000, 0, "pending")],
        [0],
        corrections=[accept(2)],
    ),
    Trace(
        "an accept of what is no jump does nothing",
        "500 3 4",
        4,
        [("reset", 1, 500, 3, 3)],
        estimated=[0],
        corrections=[accept(1)],
    ),
    Trace("a jump confirmed by a still dial", "500 900000 900000", 0, [("jump", 1, 500, 900000, 0, "pending")], [0]),
    Trace(
        "a jump across a gap keeps its name",
        "500 @120m 900000 900001",
        1,
        [("jump", 120, 500, 900000, 0, "pending")],
        list(range(120)),
    ),
    Trace(
        "a jump across a gap, accepted, is recovered",
        "500 @120m 900000 900001",
        899501,
        [("jump", 120, 500, 900000, 899500, "accepted")],
        estimated=range(120),
        recovered=range(120),
        corrections=[accept(120)],
    ),
    # -- gaps
    Trace("exactly max_gap is no gap", "500 @5m 510", 10),
    Trace(
        "a microsecond more is one",
        "500 @5.0000000167m 510 @7m 511",
        11,
        [("catch-up", 5.0000000167, 500, 510, 10)],
        estimated=range(5),
        recovered=range(6),
    ),
    Trace(
        "catch-up of zero", "500 @6m 500 501", 1, [("catch-up", 6, 500, 500, 0)], estimated=range(6), recovered=range(6)
    ),
    Trace(
        "rejected readings do not fill a gap",
        "500 nan nan nan nan nan 506",
        6,
        [("catch-up", 6, 500, 506, 6)],
        estimated=range(6),
        recovered=range(6),
    ),
    # -- replacement
    Trace(
        "replacement between two readings",
        "500 501 @2m 10 11",
        6,
        [("replacement", 1.5, 503, 8, 4)],
        corrections=[swap(1.5, 503, 8)],
    ),
    Trace(
        "replacement at a reading's own time: that reading is the new dial's",
        "500 501 0 1",
        3,
        [("replacement", 2, 502, 0, 1)],
        corrections=[swap(2, 502, 0)],
    ),
    Trace(
        "replacement before the stream: the new dial starts there",
        "_ 5 6",
        6,
        [("replacement", 0, 700, 0, 5)],
        corrections=[swap(0, 700, 0)],
    ),
    Trace(
        "replacement after the stream: the final part is booked",
        "500 501",
        3,
        [("replacement", 2, 503, 0, 2)],
        corrections=[swap(2, 503, 0)],
    ),
    Trace(
        "both parts exactly, though the first is implausible",
        "500 @1m 3 4",
        1504,
        [("replacement", 0.5, 2000, 0, 1503)],
        corrections=[swap(0.5, 2000, 0)],
    ),
    Trace(
        "a final dial below the last books nothing",
        "500 501 @3m 4",
        2,
        [("replacement", 2, 400, 3, 1)],
        [1],
        corrections=[swap(2, 400, 3)],
    ),
    Trace(
        "a final dial that has turned over",
        "990 @2m 4",
        19,
        [("replacement", 1, 5, 0, 19)],
        meter=SMALL,
        corrections=[swap(1, 5, 0)],
    ),
    Trace(
        "a final dial within jitter",
        "500 501 @3m 4",
        5,
        [("replacement", 2, 500.9, 0, 4)],
        meter=FINE,
        corrections=[swap(2, 500.9, 0)],
    ),
    Trace(
        "replacement over a gap keeps its name and is recovered, on both sides",
        "500 @120m 50 51",
        111,
        [("replacement", 60, 560, 0, 110)],
        estimated=range(120),
        recovered=range(120),
        corrections=[swap(60, 560, 0)],
    ),
    Trace(
        "a gap on the old dial's side only",
        "500 @62m 2 3",
        63,
        [("replacement", 60, 560, 0, 62)],
        estimated=range(60),
        recovered=range(60),
        corrections=[swap(60, 560, 0)],
    ),
    Trace(
        "a held suspect that the final dial follows not",
        "500 900000 @3m 1",
        4,
        [("transient", 1, 500, 900000, 0), ("replacement", 2, 503, 0, 4)],
        corrections=[swap(2, 503, 0)],
    ),
    Trace(
        "a held suspect that the final dial follows",
        "500 3 @3m 1",
        5,
        [("reset", 1, 500, 3, 3), ("replacement", 2, 4, 0, 2)],
        estimated=[0],
        corrections=[swap(2, 4, 0)],
    ),
    Trace(
        "a rollover, then a replacement",
        "990 5 @3m 1",
        18,
        [("rollover", 1, 990, 5, 15), ("replacement", 2, 7, 0, 3)],
        meter=SMALL,
        corrections=[swap(2, 7, 0)],
    ),
    Trace(
        "the new dial's first reading is a transient",
        "500 @2m 900000 3 4",
        7,
        [("replacement", 1, 503, 0, 6), ("transient", 2, 0, 900000, 0)],
        corrections=[swap(1, 503, 0)],
    ),
    Trace(
        "the new dial jumps: the replacement has its final part alone",
        "500 @2m 900000 900001",
        4,
        [("replacement", 1, 503, 0, 3), ("jump", 2, 0, 900000, 0, "pending")],
        [1],
        corrections=[swap(1, 503, 0)],
    ),
    Trace(
        "the new dial seems to turn over, then is back: the replacement books what it shows then",
        "900 @2m 3 991",
        2,
        [("replacement", 1, 901, 990, 2), ("transient", 2, 990, 3, 0)],
        meter=SMALL,
        corrections=[swap(1, 901, 990)],
    ),
    Trace(
        "two replacements",
        "500 @2m 2 @4m 3 4",
        8,
        [("replacement", 1, 501, 0, 3), ("replacement", 3, 3, 0, 4)],
        corrections=[swap(1, 501, 0), swap(3, 3, 0)],
    ),
]


@pytest.mark.parametrize("trace", TRACES, ids=[trace.rule for trace in TRACES])
def test_trace(trace: Trace) -> None:
    hold(trace)


def test_there_are_enough_traces_and_each_names_its_own_rule() -> None:
    assert len(TRACES) >= 38
    assert len({trace.rule for trace in TRACES}) == len(TRACES)
