"""The alert state machine, told in a small language for series.

``1.31`` a value, ``1.31x4`` four edges of it, ``1.28p`` a provisional value, ``_`` no value, ``_x3`` three of those.
One edge each 15 minutes. Expected transitions: ``3+`` fired at edge 3, ``7-`` resolved; ``d`` before it: data alert.
"""

from __future__ import annotations

import json

import pytest

from alerts.machine import (
    AlertState,
    Context,
    Phase,
    Sample,
    Status,
    Transition,
    run,
    sample_of,
    step,
    threshold_of,
)
from wattwell.errors import UsageError
from wattwell.intervals import MINUTE, Interval
from wattwell.model import AlertRule, KpiValue

GRID = 15 * MINUTE
START = 1_774_746_000_000_000  # 2026-03-29T01:00Z


def rule(**changes: object) -> AlertRule:
    fields: dict[str, object] = {
        "name": "PueHigh",
        "kpi": "pue",
        "window": "24h",
        "above": 1.30,
        "below": None,
        "clear": None,
        "hold": 0,
        "keep_firing": 0,
        "severity": "warning",
        "sites": (),
    }
    return AlertRule(**{**fields, **changes})  # type: ignore[arg-type]


def series(text: str, start: int = START) -> list[Sample]:
    samples: list[Sample] = []
    for word in text.split():
        each, _, times = word.partition("x")
        for _ in range(int(times or 1)):
            at = start + len(samples) * GRID
            value = None if each == "_" else float(each.rstrip("p"))
            samples.append(Sample(at, value, each.endswith("p")))
    return samples


def told(transitions: list[Transition]) -> str:
    marks = {Status.FIRING: "+", Status.RESOLVED: "-"}
    return " ".join(f"{'d' if t.data else ''}{(t.at - START) // GRID}{marks[t.status]}" for t in transitions)


def play(watched: AlertRule, text: str) -> tuple[str, str, AlertState]:
    """The transitions, the phase at each edge as one letter (i p f n), and the last state."""
    state, outcomes = run(watched, AlertState(), series(text))
    phases = "".join(each.phase.value[0] for each, _ in outcomes)
    return told([turned for _, many in outcomes for turned in many]), phases, state


HOLD30 = rule(hold=30 * MINUTE)
STRICT = rule(hold=30 * MINUTE, clear=1.27, keep_firing=60 * MINUTE)

CASES = [
    # what it shows, rule, series, transitions, phases
    ("a threshold is strict", rule(), "1.29 1.30 1.3000001 1.30", "2+ 3-", "iifi"),
    ("below is strict too", rule(above=None, below=0.5), "0.6 0.5 0.49 0.5", "2+ 3-", "iifi"),
    ("no hold fires at once", rule(), "1.31", "0+", "f"),
    ("a hold is waited for", HOLD30, "1.29x2 1.31x4", "4+", "iippff"),
    ("one edge short of the hold", HOLD30, "1.29 1.31x2 1.29 1.31x2", "", "ippipp"),
    ("a hold between two edges is rounded up", rule(hold=20 * MINUTE), "1.31x3", "2+", "ppf"),
    ("a break starts the hold anew", HOLD30, "1.31x2 1.30 1.31x3", "5+", "ppippf"),
    ("a provisional value starts the hold anew", HOLD30, "1.31x2 1.31p 1.31x3", "5+", "ppippf"),
    ("a missing value starts the hold anew", HOLD30, "1.31x2 _ 1.31x3", "5+", "ppnppf"),
    ("a provisional value never fires", rule(), "1.9px5", "", "iiiii"),
    ("without clear it resolves once there is no breach", rule(), "1.31 1.30", "0+ 1-", "fi"),
    (
        "between clear and threshold it keeps firing",
        rule(clear=1.27),
        "1.31 1.30 1.28 1.2700001 1.27",
        "0+ 4-",
        "ffffi",
    ),
    ("clear of below lies above it", rule(above=None, below=0.5, clear=0.6), "0.4 0.5 0.59 0.6", "0+ 3-", "fffi"),
    (
        "keep_firing counts from the last breach",
        rule(keep_firing=30 * MINUTE),
        "1.31 1.2 1.31 1.2 1.31 1.2x3",
        "0+ 6-",
        "ffffffii",
    ),
    (
        "keep_firing over, but not clear",
        rule(clear=1.27, keep_firing=30 * MINUTE),
        "1.31 1.29x5 1.27",
        "0+ 6-",
        "ffffffi",
    ),
    (
        "clear, but keep_firing not over",
        rule(clear=1.27, keep_firing=30 * MINUTE),
        "1.31 1.27 1.28 1.27",
        "0+ 3-",
        "fffi",
    ),
    ("a provisional value does not clear", rule(), "1.31 1.1p 1.1p 1.1", "0+ 3-", "fffi"),
    (
        "a provisional breach does not prolong keep_firing",
        rule(keep_firing=30 * MINUTE),
        "1.31 1.4p 1.2",
        "0+ 2-",
        "ffi",
    ),
    (
        "a step fires after its hold and clears below the line",
        STRICT,
        "1.25x3 1.35x8 1.28x6 1.26x2",
        "5+ 17-",
        "iiippffffffffffffii",
    ),
    ("a saw-tooth is one alert", STRICT, "1.31x3 " + "1.29 1.31 " * 40, "2+", "pp" + "f" * 81),
    (
        "a saw-tooth with keep_firing alone is one alert",
        rule(keep_firing=60 * MINUTE),
        "1.29 1.31 " * 40,
        "1+",
        "i" + "f" * 79,
    ),
    ("a saw-tooth that never holds is no alert", STRICT, "1.29 1.31 " * 40, "", "ip" * 40),
    ("a saw-tooth without either is what it looks like", rule(), "1.29 1.31 " * 3, "1+ 2- 3+ 4- 5+", "ififif"),
    ("no data, then data", HOLD30, "_x4 1.2 1.2", "d2+ d4-", "nnnnii"),
    ("a short outage is no data alert", HOLD30, "1.2 _x2 1.2 _x2 1.2", "", "inninni"),
    ("without hold every outage is one", rule(), "1.2 _ 1.2 _ _ 1.2", "d1+ d2- d3+ d5-", "ininni"),
    ("an outage is told once", HOLD30, "1.2 _x50", "d3+", "i" + "n" * 50),
    ("a provisional value ends an outage", HOLD30, "_x3 1.4p _x2 1.4p", "d2+ d3-", "nnninni"),
    (
        "the meter cut while firing: it stays, with one data alert",
        STRICT,
        "1.35x3 1.35px3 _x20 1.35p 1.2px9 1.2",
        "2+ d8+ d26- 36-",
        "pp" + "f" * 34 + "i",
    ),
    ("a breach ends the outage and fires", rule(), "_ 1.31 _", "d0+ d1- 1+ d2+", "nff"),
    ("back from no data the hold starts", HOLD30, "_x3 1.31x3", "d2+ d3- 5+", "nnnppf"),
]


@pytest.mark.parametrize(
    ("watched", "text", "transitions", "phases"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_series(watched: AlertRule, text: str, transitions: str, phases: str) -> None:
    found, seen, _ = play(watched, text)
    assert (found, seen) == (transitions, phases)


def test_since_is_where_the_phase_began() -> None:
    _, _, pending = play(HOLD30, "1.29 1.31x2")
    assert (pending.phase, pending.since) == (Phase.PENDING, START + GRID)
    _, _, firing = play(HOLD30, "1.29 1.31x5")
    assert (firing.phase, firing.since) == (Phase.FIRING, START + 3 * GRID)
    _, _, quiet = play(HOLD30, "1.31 1.2x4")
    assert (quiet.phase, quiet.since) == (Phase.INACTIVE, START + GRID)
    _, _, silent = play(HOLD30, "1.2 _x4")
    assert (silent.phase, silent.since, silent.missing_since) == (Phase.NO_DATA, START + GRID, START + GRID)


@pytest.mark.parametrize(
    ("watched", "text", "peak"),
    [
        (HOLD30, "1.29 1.50 1.31 1.32 1.9p 1.33", 1.50),
        (rule(above=None, below=0.5), "0.4 0.2 0.3", 0.2),
        (HOLD30, "1.31 1.32 1.29", None),
    ],
)
def test_the_peak_is_the_worst_value_judged(watched: AlertRule, text: str, peak: float | None) -> None:
    assert play(watched, text)[2].peak == peak


def test_the_end_of_an_alert_tells_its_peak() -> None:
    _, outcomes = run(rule(), AlertState(), series("1.31 1.45 1.2 1.31 1.2"))
    ends = [turned.peak for _, many in outcomes for turned in many if turned.status is Status.RESOLVED]
    assert ends == [1.45, 1.31]


def test_an_edge_stepped_before_changes_nothing() -> None:
    state, _ = run(STRICT, AlertState(), series("1.2 1.35x4"))
    for offset in (0, -GRID, -100 * GRID):
        assert state.at is not None
        again, turned = step(STRICT, state, Sample(state.at + offset, 1.0))
        assert again is state
        assert turned == ()


def test_edges_out_of_order_are_refused() -> None:
    early, late = series("1.2 1.3")
    with pytest.raises(ValueError, match=r"edge 2026-03-29T01:00:00Z follows 2026-03-29T01:15:00Z; give edges"):
        run(STRICT, AlertState(), [late, early])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_sample_is_a_number_or_none(value: float) -> None:
    with pytest.raises(ValueError, match="is no number"):
        Sample(START, value)


@pytest.mark.parametrize(
    ("above", "below", "named"), [(None, None, "not none"), (1.3, 0.5, "not above 1.3 and below 0.5")]
)
def test_a_rule_has_one_threshold(above: float | None, below: float | None, named: str) -> None:
    with pytest.raises(UsageError, match=f"PueHigh: declare exactly one of above and below, {named}"):
        threshold_of(rule(above=above, below=below))


@pytest.mark.parametrize("text", ["", "1.2", "1.31", "1.31x5", "1.31x5 _x9", "_x9", "1.4p", "1.31x5 1.2p"])
def test_a_state_survives_json(text: str) -> None:
    _, _, state = play(STRICT, text)
    assert AlertState.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_a_changed_threshold_is_judged_by_the_next_step_alone() -> None:
    state, _ = run(rule(), AlertState(), series("1.31"))
    stricter = rule(above=1.4)
    assert AlertState.from_json(state.to_json()).phase is Phase.FIRING
    after, turned = step(stricter, state, series("1.31 1.35")[1])
    assert after.phase is Phase.INACTIVE
    assert [each.status for each in turned] == [Status.RESOLVED]


@pytest.mark.parametrize(("value", "seen"), [(1.31, 1.31), (None, None), (float("nan"), None)])
def test_a_sample_of_a_kpi_stands_at_the_end_of_its_window(value: float | None, seen: float | None) -> None:
    kpi = KpiValue(
        site="a", kpi="pue", label="iPUE", window="24h", interval=Interval(START - 96 * GRID, START), value=value,
        unit="1", numerator=None, denominator=None, usable=0.7, coverage=0.6, estimated=0.1, category=2, basis=None,
        provisional=True, issues=(),
    )  # fmt: skip
    context = Context(label="iPUE", unit="1", coverage=0.6, category=2)
    assert sample_of(kpi) == Sample(START, seen, provisional=True, context=context)
