"""What healthy history teaches the rules: curves without outliers, none where the data do not bear one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.anomaly.rules import Plant, Reference, State, judge, learn, plant_of
from analytics.anomaly.rules.reference import (
    last_rest,
    learn_affinity,
    learn_chiller,
    learn_ups_curve,
    learn_usual,
    longest_rest,
)
from analytics.balance import SiteGrid
from tests.plants import BEGIN, MISSING, STEP, point
from tests.sites import a_site
from tests.sites import meter as a_meter
from wattwell.model import Float64
from wattwell.units import QuantityKind

DAYS = 30
COUNT = DAYS * 96
RNG = np.random.default_rng(11)
HOURS = np.arange(COUNT) / 4
LOAD: Float64 = 60 + 12 * np.sin(HOURS / 24 * 2 * np.pi) + 4 * np.sin(HOURS / 168 * 2 * np.pi)


def spoilt(column: Float64, share: float = 0.1, factor: float = 3.0) -> Float64:
    """Some values wrong by a factor, some missing."""
    rng = np.random.default_rng(3)
    wrong = np.where(rng.random(len(column)) < share, column * factor, column)
    return np.where(rng.random(len(column)) < share, np.nan, wrong)


def test_a_ups_curve_survives_outliers() -> None:
    loss = 2.0 + 0.04 * LOAD + 0.0003 * LOAD**2
    curve = learn_ups_curve(LOAD, spoilt(loss))
    assert curve is not None
    assert curve.loss(LOAD) == pytest.approx(loss, rel=0.01)
    assert min(curve.no_load, curve.linear, curve.quadratic) >= 0


def test_a_ups_curve_needs_half_a_day() -> None:
    assert learn_ups_curve(LOAD[:40], LOAD[:40] * 0.1) is None
    assert learn_ups_curve(LOAD, np.full(COUNT, MISSING)) is None


@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
def test_an_affinity_law_finds_its_exponent(exponent: float) -> None:
    law = learn_affinity(LOAD, spoilt(0.01 * LOAD**exponent))
    assert law is not None
    assert law.exponent == pytest.approx(exponent, abs=0.05)
    assert law.power(LOAD) == pytest.approx(0.01 * LOAD**exponent, rel=0.03)


def test_at_one_speed_the_law_is_the_cube() -> None:
    law = learn_affinity(np.full(COUNT, 0.7), np.full(COUNT, 2.0))
    assert law is not None
    assert law.exponent == 3.0
    assert law.power(np.array([0.7])) == pytest.approx(2.0)
    assert np.isnan(law.power(np.array([0.0]))[0])


def test_a_chiller_is_learnt_over_load_and_lift_although_they_go_together() -> None:
    carnot = 18 - 0.08 * LOAD + RNG.normal(0, 1, COUNT)
    share = (0.1 + 0.004 * LOAD) * (carnot / 14) ** 0.3
    learnt = learn_chiller(LOAD, spoilt(share, 0.05, 0.5), carnot)
    assert learnt is not None
    assert learnt.bend == pytest.approx(0.3, abs=0.05)
    inside = learnt.span.holds(LOAD)
    assert np.median(np.abs(learnt.carnot_share(LOAD, carnot) / share - 1)[inside]) < 0.01


def test_a_chiller_beyond_carnot_teaches_nothing() -> None:
    carnot = np.full(COUNT, 14.0)
    for share in (1.2, -0.4):
        assert learn_chiller(LOAD, np.full(COUNT, share), carnot) is None


def test_rests() -> None:
    value = np.array([1.0, 1.0, 1.0, 2.0, MISSING, MISSING, 3.0, 3.0])
    assert (longest_rest(value), last_rest(value)) == (3, 2)
    assert (longest_rest(value[:5]), last_rest(value[:5])) == (3, 0)
    assert (longest_rest(value[:0]), last_rest(value[:0])) == (0, 0)
    assert last_rest(np.ones(7)) == 7


def test_what_is_usual_holds_nine_of_ten_values() -> None:
    known = learn_usual(LOAD, 0.25, LOAD > 0)
    assert known is not None
    assert np.mean((known.low <= LOAD) & (known.high >= LOAD)) == pytest.approx(0.9, abs=0.01)
    assert learn_usual(LOAD, 0.25, LOAD < 0) is None


def a_plant() -> Plant:
    """A month of a healthy plant: UPS, fan, chiller with its water, tower, water meters."""
    heat = LOAD * 1.1
    carnot = 280.15 / 20
    noise = 1 + RNG.normal(0, 0.01, COUNT)
    outdoor = 20 + 5 * np.sin(HOURS / 24 * 2 * np.pi)
    points = (
        point("ups_input", LOAD * 1.1 * noise, "ups"),
        point("it_ups", LOAD, "ups"),
        point("fan", 8 * (LOAD / 76) ** 3, "ahu"),
        point("fan_speed", LOAD / 76, "ahu"),
        point("chiller", heat / (carnot * 0.4) * noise, "chiller"),
        point("heat_removed", heat, "chiller"),
        point("chw_supply", 7.0 + RNG.normal(0, 0.05, COUNT), "chiller"),
        point("chw_return", 13.0 + RNG.normal(0, 0.05, COUNT), "chiller"),
        point("cw_return", 27.0 + RNG.normal(0, 0.05, COUNT), "chiller"),
        point("cw_supply", outdoor - 1 + RNG.normal(0, 0.05, COUNT), "chiller"),
        point("outdoor_wet_bulb", outdoor - 5, "roof"),
        point("hall_air", 24.0 + RNG.normal(0, 0.05, COUNT), "hall"),
        point("water_input", 110 + 20 * np.sin(HOURS), "main", meter="main"),
        point("water_tower_makeup", 100 + 20 * np.sin(HOURS), "tower", parent="main"),
        point("water_blowdown", 25 + 5 * np.sin(HOURS), "tower"),
    )
    return Plant(start=BEGIN + STEP * np.arange(COUNT, dtype=np.int64), step=STEP, points=points)


def test_the_days_that_were_learnt_are_normal() -> None:
    whole = a_plant()
    reference = learn(whole)
    assert set(reference.ups) == {"ups"}
    assert set(reference.affinity) == {"fan-ahu"}
    assert set(reference.chillers) == {"chiller"}
    assert reference.cycles == {"tower": pytest.approx(4.0, rel=0.01)}
    assert reference.standing == {"main": pytest.approx(10.0)}
    assert reference.differences == {"chw_supply-chiller": pytest.approx(6.0, abs=0.05)}
    assert reference.approaches == {"cw_supply-chiller": pytest.approx(4.0, abs=0.05)}
    for day in range(DAYS):
        found = judge(whole.cut(96 * day, 96 * day + 96), reference)
        assert [verdict for verdict in found if verdict.state is State.FAULT] == []


@pytest.mark.parametrize(
    ("meter", "change", "rule"),
    [
        ("ups_input-ups", lambda v: v * 1.03, "ups_loss"),
        ("fan-ahu", lambda v: v * 1.3, "affinity"),
        ("chiller-chiller", lambda v: v * 1.15, "chiller_efficiency"),
        ("chw_supply-chiller", lambda v: v - 2, "chilled_water_setpoint"),
        ("cw_supply-chiller", lambda v: v + 3, "tower_approach"),
        ("hall_air-hall", lambda v: v - 2, "colder_than_usual"),
        ("main", lambda v: v + 60, "standing_flow"),
        ("water_blowdown-tower", lambda v: v * 1.6, "cycles"),
        ("hall_air-hall", lambda v: v * 0 + 24.0, "frozen"),
    ],
)
def test_a_later_day_that_differs_is_a_fault(meter: str, change: object, rule: str) -> None:
    whole = a_plant()
    reference = learn(whole.cut(0, 25 * 96))
    day = whole.cut(25 * 96, 26 * 96)
    assert callable(change)
    points = tuple(replace(each, value=change(each.value)) if each.meter == meter else each for each in day.points)
    said = {verdict.rule for verdict in judge(replace(day, points=points), reference) if verdict.state is State.FAULT}
    assert rule in said
    assert rule not in {v.rule for v in judge(day, reference) if v.state is State.FAULT}


def test_a_plant_without_data_teaches_nothing() -> None:
    whole = a_plant()
    blind = replace(whole, points=tuple(replace(each, value=each.value * MISSING) for each in whole.points))
    assert learn(blind) == Reference()
    assert learn(whole.cut(0, 20)) == Reference()


def test_interval_values_become_powers_flows_and_temperatures() -> None:
    """A quarter of an hour with 5 kWh is 20 kW, with 30 L of town water 120 L/h, with 900 L of chilled water 1 L/s."""
    site = a_site(
        {"town": "water_input", "spare": None},
        a_meter("grid", "utility_import", equipment="board"),
        a_meter("loop", "chw_flow", quantity=QuantityKind.FLOW, unit="L/s"),
        a_meter("hall", "hall_air", quantity=QuantityKind.TEMPERATURE, unit="degC"),
    )
    start = BEGIN + STEP * np.arange(4, dtype=np.int64)
    values = {"grid": 5.0, "town": 30.0, "loop": 900.0, "hall": 24.0, "spare": 1.0}
    columns = {name: np.full(4, value) for name, value in values.items()}
    grid = SiteGrid(start=start, grid=STEP, value=columns, measured={name: np.ones(4) for name in columns})
    built = plant_of(site, grid, first=1)
    assert {each.meter: float(each.value[0]) for each in built.points} == {
        "grid": 20.0,
        "town": 120.0,
        "loop": 1.0,
        "hall": 24.0,
    }
    assert len(built.start) == 3
    assert {each.meter for each in built.points if each.equipment == "board"} == {"grid"}
