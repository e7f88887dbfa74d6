"""METERING, Register events: jitter, rollover and transient, as written traces (:mod:`tests.metering`)."""

from __future__ import annotations

import pytest

from tests.metering import DIAL32, FINE, SMALL, Trace, hold

TRACES = [
    # -- the worked traces of METERING
    Trace("worked: plain", "100 101 102", 2),
    Trace("worked: rollover", "4294967290 12", 18, [("rollover", 1, 4294967290, 12, 18)], meter=DIAL32),
    Trace("worked: transient zero", "500 0 501 502", 2, [("transient", 1, 500, 0, 0)]),
    Trace("worked: jitter", "500 499.9 500.1", 0.1, meter=FINE),
    Trace("worked: reset", "500 3 4", 4, [("reset", 1, 500, 3, 3)], estimated=[0]),
    Trace(
        "worked: catch-up",
        "500 @120m 700 701",
        201,
        [("catch-up", 120, 500, 700, 200)],
        estimated=range(120),
        recovered=range(120),
    ),
    Trace("worked: transient spike", "500 900000 501", 1, [("transient", 1, 500, 900000, 0)]),
    Trace("worked: jump", "500 900000 900001", 1, [("jump", 1, 500, 900000, 0, "pending")], missing=[0]),
    # -- plain
    Trace("one reading says nothing", "500", 0),
    Trace("a still dial is measured zero", "500 500 500", 0),
    Trace("equal to the bound is plausible", "500 600 700", 200),
    Trace("a hair above the bound is a suspect", "500 600.001", 0, missing=[0]),
    Trace(
        "a suspect that more time makes plausible was a transient",
        "500 600.001 600.002",
        100.002,
        [("transient", 1, 500, 600.001, 0)],
    ),
    Trace("one resolution is to spare", "500 600.1 600.2", 100.2, meter=FINE),
    Trace(
        "more than one resolution is not",
        "500 600.1001",
        0,
        missing=[0],
        meter=FINE,
    ),
    Trace("the bound grows with time", "0 _ _ 300 400", 400),
    Trace("a rejected reading is no neighbour", "500 nan 502", 2),
    # -- jitter
    Trace("jitter is measured against the level, again and again", "500 499.9 499.95 499.9 500.2", 0.2, meter=FINE),
    Trace("jitter passes binary fractions", "0.3 0.2 0.3", 0, meter=FINE),
    Trace("jitter passes binary fractions at a large dial", "70000.3 70000.2 70000.4", 0.1, meter=FINE),
    Trace(
        "jitter below the level, not below the last dial",
        "500 499.9 499.8 500",
        0,
        [("transient", 2, 500, 499.8, 0)],
        meter=FINE,
    ),
    Trace(
        "a step down of more than a resolution is no jitter",
        "500 499.8 500.1",
        0.1,
        [("transient", 1, 500, 499.8, 0)],
        meter=FINE,
    ),
    Trace("without resolution every step down is a suspect", "500 499.9 500.1", 0.1, [("transient", 1, 500, 499.9, 0)]),
    Trace(
        "jitter across a gap: a catch-up of zero",
        "500 @120m 499.9 500.4",
        0.4,
        [("catch-up", 120, 500, 499.9, 0)],
        estimated=range(120),
        recovered=range(120),
        meter=FINE,
    ),
    Trace(
        "a reading back within jitter makes the suspect a transient",
        "500 0 499.9 500.2",
        0.2,
        [("transient", 1, 500, 0, 0)],
        meter=FINE,
    ),
    Trace("jitter also follows a suspect", "500 3 2.9 4", 4, [("reset", 1, 500, 3, 3)], estimated=[0], meter=FINE),
    # -- rollover
    Trace(
        "rollover: booked at once, though nothing follows", "990 995 3", 13, [("rollover", 2, 995, 3, 8)], meter=SMALL
    ),
    Trace("rollover confirmed", "990 5 6 7", 17, [("rollover", 1, 990, 5, 15)], meter=SMALL),
    Trace("rollover to exactly zero", "990 0 1", 11, [("rollover", 1, 990, 0, 10)], meter=SMALL),
    Trace("an implausible wrap is a reset", "800 5 6", 6, [("reset", 1, 800, 5, 5)], estimated=[0], meter=SMALL),
    Trace("an equal wrap is plausible", "900 0 0", 100, [("rollover", 1, 900, 0, 100)], meter=SMALL),
    Trace(
        "one turn at most",
        "990 @120m 985 986",
        996,
        [("rollover", 120, 990, 985, 995)],
        estimated=range(120),
        recovered=range(120),
        meter=SMALL,
    ),
    Trace("a transient that looks like a rollover", "990 0 991", 1, [("transient", 1, 990, 0, 0)], meter=SMALL),
    Trace("such a transient at the very level", "990 0 990 992", 2, [("transient", 1, 990, 0, 0)], meter=SMALL),
    Trace("rollover, then jitter, is confirmed", "990 5 4.9 6", 16, [("rollover", 1, 990, 5, 15)], meter=SMALL | FINE),
    Trace(
        "two rollovers are two",
        "950 20 90 150 240 300 390 450 540 620 700 790 880 960 30",
        1080,
        [("rollover", 1, 950, 20, 70), ("rollover", 14, 960, 30, 70)],
        meter=SMALL,
    ),
    Trace(
        "neither following nor back: the rollover stands, the next is a suspect",
        "990 5 500 6",
        16,
        [("rollover", 1, 990, 5, 15), ("transient", 2, 5, 500, 0)],
        meter=SMALL,
    ),
    Trace(
        "a lower dial after a rollover is not back at the old level",
        "990 5 3 7",
        17,
        [("rollover", 1, 990, 5, 15), ("transient", 2, 5, 3, 0)],
        meter=SMALL,
    ),
    Trace(
        "rollover across a gap keeps its name and is recovered",
        "990 @120m 40 41",
        51,
        [("rollover", 120, 990, 40, 50)],
        estimated=range(120),
        recovered=range(120),
        meter=SMALL,
    ),
    Trace(
        "rollover from a suspect",
        "500 950 10 11",
        61,
        [("jump", 1, 500, 950, 0, "pending"), ("rollover", 2, 950, 10, 60)],
        [0],
        meter=SMALL,
    ),
    Trace(
        "rollover after a suspect that was a transient",
        "990 500 10 11",
        21,
        [("transient", 1, 990, 500, 0), ("rollover", 2, 990, 10, 20)],
        meter=SMALL,
    ),
    # -- transient
    Trace(
        "two different spikes in a row",
        "500 900000 3 501",
        1,
        [("transient", 1, 500, 900000, 0), ("transient", 2, 500, 3, 0)],
    ),
    Trace(
        "a spike down, then one up",
        "500 0 900000 502",
        2,
        [("transient", 1, 500, 0, 0), ("transient", 2, 500, 900000, 0)],
    ),
    Trace("a suspect at the very end is no event yet", "500 501 900000", 1, missing=[1]),
    Trace("a zero at the very end is no event yet", "500 501 0", 1, missing=[1]),
    Trace(
        "a spike before a gap",
        "500 900000 @120m 600",
        100,
        [("transient", 1, 500, 900000, 0), ("catch-up", 120, 500, 600, 100)],
        estimated=range(120),
        recovered=range(120),
    ),
    Trace(
        "held readings are no neighbours: the accepted ones lie a gap apart",
        "500 _ _ 0 _ _ 501",
        1,
        [("transient", 3, 500, 0, 0), ("catch-up", 6, 500, 501, 1)],
        estimated=range(6),
        recovered=range(6),
    ),
    Trace(
        "a spike twice alike is a jump",
        "500 900000 900000 501 502",
        1,
        [("jump", 1, 500, 900000, 0, "pending"), ("reset", 3, 900000, 501, 0)],
        [0, 2],
    ),
]


@pytest.mark.parametrize("trace", TRACES, ids=[trace.rule for trace in TRACES])
def test_trace(trace: Trace) -> None:
    hold(trace)


def test_there_are_enough_traces_and_each_names_its_own_rule() -> None:
    assert len(TRACES) >= 48
    assert len({trace.rule for trace in TRACES}) == len(TRACES)
