"""What holds of the alert state machine on any series, and an oracle that knows the whole series at once."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from alerts.machine import AlertState, Phase, Sample, Status, Transition, run, step
from wattwell.intervals import MINUTE
from wattwell.model import AlertRule

GRID = 15 * MINUTE
LEVELS = [1.20, 1.27, 1.28, 1.30, 1.31, 1.40]

points = st.tuples(st.one_of(st.none(), st.sampled_from(LEVELS)), st.integers(0, 5).map(lambda n: n == 0))
runs = st.lists(st.tuples(points, st.integers(1, 5)), max_size=25)


@st.composite
def rules(draw: st.DrawFn) -> AlertRule:
    mirrored = draw(st.booleans())
    clear = draw(st.sampled_from([None, 1.30, 1.27, 1.20]))
    return AlertRule(
        name="PueHigh",
        kpi="pue",
        window="24h",
        above=None if mirrored else 1.30,
        below=1.30 if mirrored else None,
        clear=None if clear is None else (2.60 - clear if mirrored else clear),
        hold=draw(st.integers(0, 5)) * 10 * MINUTE,
        keep_firing=draw(st.integers(0, 5)) * 10 * MINUTE,
        severity="warning",
        sites=(),
    )


@st.composite
def watched(draw: st.DrawFn) -> tuple[AlertRule, list[Sample]]:
    """A rule and a series; the series of a `below` rule is mirrored at the threshold, so that it meets its lines."""
    rule = draw(rules())
    samples: list[Sample] = []
    for (level, provisional), times in draw(runs):
        value = level if level is None or rule.above is not None else 2.60 - level
        for _ in range(times):
            samples.append(Sample(len(samples) * GRID, value, provisional and value is not None))
    return rule, samples


def transitions(rule: AlertRule, samples: list[Sample]) -> list[Transition]:
    _, outcomes = run(rule, AlertState(), samples)
    return [turned for _, many in outcomes for turned in many]


def breaches(rule: AlertRule, sample: Sample) -> bool:
    if sample.value is None or sample.provisional:
        return False
    return sample.value > rule.above if rule.above is not None else sample.value < (rule.below or 0.0)


def clears(rule: AlertRule, sample: Sample) -> bool:
    if sample.value is None or sample.provisional or breaches(rule, sample):
        return False
    if rule.clear is None:
        return True
    return sample.value <= rule.clear if rule.above is not None else sample.value >= rule.clear


def oracle(rule: AlertRule, samples: list[Sample]) -> list[tuple[bool, str, int]]:
    """Looks back over the series at each edge, instead of carrying a state."""
    told: list[tuple[bool, str, int]] = []
    firing = False
    for i, sample in enumerate(samples):
        gap = next((j for j in range(i, -1, -1) if samples[j].value is not None), -1) + 1
        before = next((j for j in range(i - 1, -1, -1) if samples[j].value is not None), -1) + 1
        if gap <= i and sample.at - samples[gap].at >= rule.hold > (
            samples[i - 1].at - samples[gap].at if gap < i else -1
        ):
            told.append((True, "firing", sample.at))
        if sample.value is not None and before < i and samples[i - 1].at - samples[before].at >= rule.hold:
            told.append((True, "resolved", sample.at))
        first = next((j for j in range(i, -1, -1) if not breaches(rule, samples[j])), -1) + 1
        if not firing and first <= i and sample.at - samples[first].at >= rule.hold:
            firing = True
            told.append((False, "firing", sample.at))
        elif firing and clears(rule, sample):
            last = max(each.at for each in samples[: i + 1] if breaches(rule, each))
            if sample.at - last >= rule.keep_firing:
                firing = False
                told.append((False, "resolved", sample.at))
    return told


@given(watched())
def test_transitions_are_those_of_the_oracle(case: tuple[AlertRule, list[Sample]]) -> None:
    rule, samples = case
    assert [(t.data, t.status.value, t.at) for t in transitions(rule, samples)] == oracle(rule, samples)


@given(watched(), st.data())
def test_a_restart_at_any_point_changes_nothing(case: tuple[AlertRule, list[Sample]], data: st.DataObject) -> None:
    rule, samples = case
    restarts = data.draw(st.sets(st.integers(0, max(len(samples) - 1, 0))))
    state, found = AlertState(), []
    for i, sample in enumerate(samples):
        if i in restarts:
            state = AlertState.from_json(json.loads(json.dumps(state.to_json())))
            # The edges before the restart are stepped again, as by a caller who is not sure.
            for again in samples[max(i - 3, 0) : i]:
                state, repeated = step(rule, state, again)
                assert repeated == ()
        state, turned = step(rule, state, sample)
        found.extend(turned)
    assert found == transitions(rule, samples)
    assert state == run(rule, AlertState(), samples)[0]


@given(watched())
def test_it_fires_only_after_a_breach_without_a_break(case: tuple[AlertRule, list[Sample]]) -> None:
    rule, samples = case
    for fired in transitions(rule, samples):
        if not fired.data and fired.status is Status.FIRING:
            held = [each for each in samples if fired.at - rule.hold <= each.at <= fired.at]
            assert held[-1].at == fired.at
            assert all(breaches(rule, each) for each in held)


@given(watched())
def test_fired_and_resolved_alternate(case: tuple[AlertRule, list[Sample]]) -> None:
    rule, samples = case
    for data in (False, True):
        statuses = [each.status for each in transitions(rule, samples) if each.data is data]
        assert statuses[:1] in ([], [Status.FIRING])
        assert all(one is not other for one, other in pairwise(statuses))


@given(watched())
def test_neither_a_missing_nor_a_provisional_value_resolves(case: tuple[AlertRule, list[Sample]]) -> None:
    rule, samples = case
    by_edge = {each.at: each for each in samples}
    for each in transitions(rule, samples):
        if each.status is Status.RESOLVED:
            assert by_edge[each.at].value is not None
            assert each.data or clears(rule, by_edge[each.at])


@given(watched())
def test_the_phase_says_what_was_told(case: tuple[AlertRule, list[Sample]]) -> None:
    rule, samples = case
    firing = False
    for state, many in run(rule, AlertState(), samples)[1]:
        for turned in many:
            firing = (turned.status is Status.FIRING) if not turned.data else firing
        assert (state.phase is Phase.FIRING) is firing
        assert state.phase is not Phase.PENDING or rule.hold > 0
        assert (state.phase is Phase.NO_DATA) is (state.value is None and not firing)
