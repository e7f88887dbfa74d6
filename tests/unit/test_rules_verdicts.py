"""Every physical rule gives each of its four answers, and keeps its word when data are missing or few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analytics.anomaly import rules
from analytics.anomaly.rules import DEFAULT, RULES, Reference, State, Verdict, judge
from tests.plants import CASES, EMPTY, MISSING, WAVE, Case, plant, point
from wattwell.finding import FAMILIES
from wattwell.roles import ROLES

TABLE = [(rule, state) for rule, states in CASES.items() for state in states]


def asked(rule: str, case: Case) -> tuple[Verdict, ...]:
    """What one rule says."""
    found = {each.name: each for each in RULES}[rule](*case, DEFAULT)
    assert found
    return found


def test_every_rule_has_a_fixture_for_each_of_its_answers() -> None:
    assert {name: set(states) for name, states in CASES.items()} == {rule.name: set(State) for rule in RULES}


@pytest.mark.parametrize(("rule", "state"), TABLE)
def test_the_answer(rule: str, state: State) -> None:
    found = asked(rule, CASES[rule][state])
    assert {verdict.state for verdict in found} == {state}, found


@pytest.mark.parametrize("rule", CASES)
def test_a_fault_names_what_shows_it_why_and_what_to_do(rule: str) -> None:
    case = CASES[rule][State.FAULT]
    meters = {each.meter for each in case[0].points}
    for verdict in asked(rule, case):
        assert verdict.rule == rule
        assert verdict.family in FAMILIES
        assert verdict.meters
        assert set(verdict.meters) <= meters
        assert verdict.message.endswith(".")
        assert "nan" not in verdict.message
        assert verdict.advice
        assert any(isinstance(value, float) for value in verdict.evidence.values())
        assert verdict.excess_kw is None or verdict.excess_kw > 0
        assert verdict.excess_l_h is None or verdict.excess_l_h > 0


@pytest.mark.parametrize(("rule", "state"), TABLE)
def test_what_is_no_fault_claims_no_excess(rule: str, state: State) -> None:
    if state is not State.FAULT:
        for verdict in asked(rule, CASES[rule][state]):
            assert verdict.excess_kw is None
            assert verdict.excess_l_h is None
            assert "nan" not in verdict.message, verdict


@pytest.mark.parametrize("rule", CASES)
def test_the_cases_use_roles_that_exist(rule: str) -> None:
    for built, _ in CASES[rule].values():
        assert {each.role for each in built.points} <= ROLES.keys()


@pytest.mark.parametrize("rule", CASES)
def test_without_any_value_nothing_is_a_fault_and_nothing_is_called_normal(rule: str) -> None:
    """No rule takes a missing value for a zero."""
    built, reference = CASES[rule][State.FAULT]
    blind = replace(built, points=tuple(replace(each, value=each.value * MISSING) for each in built.points))
    assert {verdict.state for verdict in asked(rule, (blind, reference))} <= {State.INCONCLUSIVE, State.NOT_APPLICABLE}


@pytest.mark.parametrize("rule", CASES)
def test_a_span_of_a_quarter_of_an_hour_is_too_short(rule: str) -> None:
    built, reference = CASES[rule][State.FAULT]
    states = {verdict.state for verdict in asked(rule, (built.last(0.25), reference))}
    assert State.FAULT not in states


@pytest.mark.parametrize("rule", [name for name in CASES if name not in {"frozen", "inlet_envelope", "cycles"}])
def test_half_an_hour_of_a_fault_in_a_normal_day_is_none(rule: str) -> None:
    """Where the healthy plant has the same points; what is judged by the whole day's sum is left out."""
    faulty, reference = CASES[rule][State.FAULT]
    healthy, _ = CASES[rule][State.NORMAL]
    values = {each.meter: each.value for each in faulty.points}
    mixed = tuple(
        replace(each, value=np.concatenate((each.value[:-2], values[each.meter][-2:]))) for each in healthy.points
    )
    assert {v.state for v in asked(rule, (replace(healthy, points=mixed), reference))} == {State.NORMAL}


@pytest.mark.parametrize("rule", CASES)
def test_the_order_of_points_does_not_matter(rule: str) -> None:
    for state in (State.FAULT, State.NORMAL):
        built, reference = CASES[rule][state]
        turned = replace(built, points=built.points[::-1])
        assert {verdict.state for verdict in asked(rule, (turned, reference))} == {state}


def test_all_rules_together_say_what_each_says_alone() -> None:
    built, reference = CASES["chiller_efficiency"][State.FAULT]
    together = judge(built, reference)
    assert [verdict.rule for verdict in together] == sorted(
        (verdict.rule for verdict in together), key=[rule.name for rule in RULES].index
    )
    assert {verdict.rule for verdict in together} == {rule.name for rule in RULES}
    assert [v for v in together if v.rule == "chiller_efficiency"] == list(
        asked("chiller_efficiency", (built, reference))
    )


def test_a_plant_without_equipment_is_not_judged() -> None:
    found = judge(EMPTY)
    assert {verdict.state for verdict in found} == {State.NOT_APPLICABLE}
    assert all(" needs " in verdict.message for verdict in found)


def test_names_are_told_apart() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert all(rule.family in FAMILIES for rule in RULES)


def test_no_rule_stumbles_over_a_plant_in_which_values_come_and_go() -> None:
    """Every case with a tenth, a half and nine tenths of its values missing at random."""
    rng = np.random.default_rng(5)
    for rule, states in CASES.items():
        for state, (built, reference) in states.items():
            for share in (0.1, 0.5, 0.9):
                holes = tuple(
                    replace(each, value=np.where(rng.random(len(each.value)) < share, np.nan, each.value))
                    for each in built.points
                )
                said = {verdict.state for verdict in asked(rule, (replace(built, points=holes), reference))}
                if state is State.NORMAL:
                    assert State.FAULT not in said, (rule, share)


def test_a_dead_plant_raises_no_alarm() -> None:
    """Everything off at zero: nothing to divide by, nothing to blame."""
    for rule, states in CASES.items():
        built, reference = states[State.NORMAL]
        dead = tuple(replace(each, value=np.zeros_like(each.value)) for each in built.points)
        asked(rule, (replace(built, points=dead), reference))
    assert judge(plant(point("ups_input", 0.0), point("it_ups", 0.0)), Reference())


def test_two_chillers_are_judged_apart() -> None:
    bad, reference = CASES["chiller_efficiency"][State.FAULT]
    good, _ = CASES["chiller_efficiency"][State.NORMAL]
    second = tuple(replace(each, meter=f"{each.meter}-2", equipment="second") for each in good.points)
    both = replace(bad, points=bad.points + second)
    known = replace(reference, chillers={**reference.chillers, "second": reference.chillers["unit"]})
    assert {v.equipment: v.state for v in asked("chiller_efficiency", (both, known))} == {
        "unit": State.FAULT,
        "second": State.NORMAL,
    }


def test_a_wave_is_a_day() -> None:
    """What the cases stand on."""
    assert len(WAVE) == 96
    assert abs(WAVE.mean()) < 1e-12


def test_the_readme_lists_every_rule() -> None:
    text = (Path(rules.__file__).parent / "README.md").read_text(encoding="utf-8")
    assert [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")] == [r.name for r in RULES]
