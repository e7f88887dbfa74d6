"""What the rules' numbers are, and cases in which a healthy plant looks like a faulty one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.anomaly.rules import DEFAULT, RULES, Plant, Reference, State, Verdict
from analytics.anomaly.rules.air import dew_point, wet_bulb
from analytics.anomaly.rules.overcooling import rci_low
from analytics.anomaly.rules.reference import AffinityLaw, Span, Usual
from tests.plants import (
    CASES,
    HALF,
    LOAD,
    MISSING,
    SPEED,
    SUN,
    WAVE,
    Case,
    case,
    economizer,
    fan,
    handler,
    inlet,
    loop,
    machine,
    phases,
    plant,
    point,
    room,
    tower,
    ups,
    usual,
)


def only(rule: str, found: Case) -> Verdict:
    """The one thing that a rule says."""
    (verdict,) = {each.name: each for each in RULES}[rule](*found, DEFAULT)
    return verdict


# -- electricity ---------------------------------------------------------------------------------------------------


def test_the_excess_of_a_ups_is_what_it_loses_beyond_its_curve() -> None:
    verdict = only("ups_loss", ups(LOAD, 0.85, HALF))
    assert verdict.excess_kw == pytest.approx(60 / 0.85 - 60 / 0.9)
    assert verdict.equipment == "unit"


def test_without_a_curve_a_ups_is_held_to_a_floor_and_claims_no_excess() -> None:
    assert only("ups_loss", ups(LOAD, 0.9)).state is State.NORMAL
    verdict = only("ups_loss", ups(LOAD, 0.8))
    assert (verdict.state, verdict.excess_kw) == (State.FAULT, None)


def test_the_floor_does_not_hold_below_a_quarter_of_the_rating() -> None:
    built, _ = ups(LOAD, 0.8)
    low = replace(built, ratings={"unit": 400.0})
    assert only("ups_loss", (low, Reference())).state is State.INCONCLUSIVE
    verdict = only("ups_load", (low, Reference()))
    assert (verdict.state, verdict.evidence["rated_kw"]) == (State.FAULT, 400.0)


def test_outputs_on_other_equipment_belong_to_the_only_ups_there_is() -> None:
    found = case(point("ups_input", 100.0, "ups"), point("it_ups", 40.0, "pdu-1"), point("it_ups", 50.0, "pdu-2"))
    assert only("ups_loss", found).evidence["efficiency"] == pytest.approx(0.9)


def test_the_excess_of_a_fan_counts_the_time_it_was_judged() -> None:
    verdict = only("affinity", fan(1.3, SPEED))
    assert verdict.excess_kw == pytest.approx(0.3 * float((10 * SPEED**3).mean()))
    assert verdict.family == "fan_power"


def test_air_flow_is_estimated_from_heat_where_no_speed_is_metered() -> None:
    law = AffinityLaw(1.0, 1.0, Span(3.0, 9.0))  # 60 kW over 8 K are 6.2 m3/s
    points = [point("it_ups", LOAD), point("supply_air", 16.0), point("return_air", 24.0)]
    flow = LOAD / (1.2 * 1.006 * 8)
    for factor, state in ((1.0, State.NORMAL), (1.2, State.NORMAL), (1.4, State.FAULT)):
        found = case(*points, point("ahu", flow * factor), reference=Reference(affinity={"ahu": law}))
        assert only("affinity", found).state is state, factor


@pytest.mark.parametrize(("exponent", "state"), [(3.0, State.NORMAL), (1.5, State.NORMAL), (0.2, State.FAULT)])
def test_before_anything_is_learnt_the_exponent_tells_whether_speed_saves(exponent: float, state: State) -> None:
    verdict = only("affinity", case(point("pump", 5 * SPEED**exponent), point("chw_flow", SPEED)))
    assert verdict.state is state
    assert verdict.evidence["exponent"] == pytest.approx(exponent, abs=0.01)
    assert verdict.family == "pump_power"


def test_at_one_speed_there_is_no_exponent() -> None:
    assert only("affinity", case(point("pump", 5.0), point("chw_flow", 0.6))).state is State.INCONCLUSIVE


def test_an_idle_pump_is_charged_with_what_it_drew_meanwhile() -> None:
    rise = np.where(np.arange(96) < 40, 0.1, 4.0)
    found = case(point("pump", 2.0), point("cw_flow", 5.0), point("cw_supply", 20.0), point("cw_return", 20 + rise))
    verdict = only("idle_flow", found)
    assert (verdict.state, verdict.evidence["idle_hours"]) == (State.FAULT, 10.0)
    assert verdict.excess_kw == pytest.approx(2.0 * 40 / 96)


def test_a_few_idle_hours_are_a_plant_that_starts_and_stops() -> None:
    rise = np.where(np.arange(96) < 28, 0.1, 4.0)
    found = case(point("pump", 2.0), point("cw_flow", 5.0), point("cw_supply", 20.0), point("cw_return", 20 + rise))
    assert only("idle_flow", found).state is State.NORMAL


def test_imbalance_is_measured_as_nema_does() -> None:
    verdict = only("phase_imbalance", phases(10.0, 10.0, 16.0))
    assert verdict.evidence["unbalance"] == pytest.approx(4 / 12, abs=1e-3)
    assert verdict.meters[0] == "pdu-l3"


def test_a_motor_is_allowed_less_imbalance_than_servers() -> None:
    for role, state in (("pump", State.FAULT), ("it_pdu", State.NORMAL)):
        found = case(*(point(role, power, meter=f"m-{n}") for n, power in zip("abc", (10.0, 10.0, 13.0), strict=True)))
        assert only("phase_imbalance", found).state is state


# -- air -----------------------------------------------------------------------------------------------------------


def test_humid_air() -> None:
    at = np.array([20.0, 20.0, 0.0])
    assert dew_point(at, np.array([0.5, 1.0, 0.8])) == pytest.approx([9.3, 20.0, -3.0], abs=0.15)
    assert wet_bulb(at, np.array([0.5, 0.99, 0.8])) == pytest.approx([13.7, 19.9, -1.2], abs=0.5)


def test_free_cooling_that_is_not_used_is_charged_with_the_chiller() -> None:
    chiller = np.where(np.arange(96) < 48, 12.0, 0.0)
    verdict = only("economizer", economizer(5.0, 0.05, chiller))
    assert verdict.excess_kw == pytest.approx(6.0)
    assert verdict.evidence["stuck"] == "yes"
    assert verdict.evidence["needed"] == pytest.approx(10 / 21, abs=1e-3)


def test_a_closed_damper_is_right_where_it_is_warm_or_where_nothing_is_cooled_otherwise() -> None:
    assert only("economizer", economizer(14.0, 0.0, 12.0)).state is State.INCONCLUSIVE
    assert only("economizer", economizer(5.0, 0.05, 0.0)).state is State.NORMAL


def test_an_open_damper_in_the_heat_is_a_fault_beyond_what_ventilation_explains() -> None:
    assert only("economizer", economizer(35.0, 0.4, 12.0)).state is State.NORMAL
    verdict = only("economizer", economizer(35.0, 0.9, 12.0))
    assert (verdict.state, verdict.excess_kw) == (State.FAULT, None)
    assert "warmer than the return air" in verdict.message


def test_air_too_dry_to_be_let_in_is_not_judged() -> None:
    built, _ = economizer(-5.0, 0.05, 12.0)
    dry = replace(built, points=(*built.points, point("outdoor_humidity", 0.3)))
    damp = replace(built, points=(*built.points, point("outdoor_humidity", 0.9)))
    assert only("economizer", (dry, Reference())).state is State.INCONCLUSIVE
    assert only("economizer", (damp, Reference())).state is State.FAULT


def test_without_a_chiller_meter_the_chilled_water_tells() -> None:
    built, _ = economizer(5.0, 0.05, 12.0)
    for flow, state in ((2.0, State.FAULT), (0.0, State.NORMAL)):
        others = tuple(each for each in built.points if each.role != "chiller")
        found = replace(built, points=(*others, point("chw_flow", flow)))
        assert only("economizer", (found, Reference())).state is state


def test_air_that_may_freeze_coils_is_not_judged() -> None:
    assert only("economizer", economizer(-20.0, 0.0, 12.0)).state is State.INCONCLUSIVE


def test_evaporative_water_is_cooling_too() -> None:
    built, _ = economizer(5.0, 0.05, 0.0)
    wet = replace(built, points=(*built.points, point("water_evaporative", 40.0)))
    assert only("economizer", (wet, Reference())).state is State.FAULT


def test_the_sensor_is_blamed_that_disagrees_with_wet_bulb_and_humidity() -> None:
    true, humidity = SUN, np.full(96, 0.6)
    wet = wet_bulb(true, humidity)
    for off in (4.0, -4.0):
        found = case(
            point("outdoor_dry_bulb", true, "weather-station"),
            point("outdoor_humidity", humidity, "weather-station"),
            point("outdoor_wet_bulb", wet, "weather-station"),
            point("outdoor_dry_bulb", true + off, "ahu"),
        )
        verdict = only("outdoor_pair", found)
        assert verdict.meters[0] == "outdoor_dry_bulb-ahu"
        assert (verdict.state, verdict.equipment) == (State.FAULT, "ahu")
        assert verdict.evidence["difference_k"] == pytest.approx(off)


def test_the_odd_one_of_three_is_blamed() -> None:
    built = plant(*(point("outdoor_dry_bulb", SUN + off, name) for name, off in (("a", 0.2), ("b", 5.0), ("c", 0.0))))
    found = {each.name: each for each in RULES}["outdoor_pair"](built, Reference(), DEFAULT)
    assert {v.equipment for v in found if v.state is State.FAULT} == {"b"}


def test_sunshine_on_a_sensor_is_no_bias() -> None:
    sun = np.where(np.arange(96) < 40, 8.0, 0.0)
    found = case(point("outdoor_dry_bulb", SUN, "roof"), point("outdoor_dry_bulb", SUN + sun, "wall"))
    assert only("outdoor_pair", found).state is State.NORMAL


def test_a_still_day_is_not_a_frozen_sensor() -> None:
    fog = case(point("outdoor_dry_bulb", 3.0, "a"), point("outdoor_dry_bulb", 3.0, "b"))
    assert only("frozen", fog).state is State.NORMAL
    saturated = case(point("outdoor_dry_bulb", SUN), point("outdoor_humidity", 1.0), point("outdoor_wet_bulb", SUN))
    assert only("frozen", saturated).state is State.NORMAL


def test_a_controlled_sensor_is_frozen_only_beyond_its_own_past() -> None:
    known = Usual(15.5, 16.0, 16.5, 5.0)
    found = case(point("supply_air", 16.0), reference=Reference(usual={"supply_air": known}))
    assert only("frozen", found).state is State.FAULT
    calm = Reference(usual={"supply_air": replace(known, flat_hours=900.0)})
    assert only("frozen", (found[0], calm)).state is State.INCONCLUSIVE


def test_a_sensor_that_woke_up_is_not_frozen() -> None:
    value = np.where(np.arange(96) < 90, 12.3, 12.8)
    assert only("frozen", case(point("outdoor_dry_bulb", value), point("outdoor_wet_bulb", SUN))).state is State.NORMAL


def test_the_rack_cooling_index_is_that_of_the_book() -> None:
    """Inlets 2, 1, 0 and 0 K below 18 degC: 1 - 3 / (4 x 3)."""
    assert rci_low(np.array([[16.0, 17.0, 18.0, 25.0]]), DEFAULT) == pytest.approx(0.75)
    assert np.isnan(rci_low(np.array([[MISSING]]), DEFAULT))


def test_a_hall_that_always_was_this_cold_gets_advice_but_no_fault() -> None:
    verdict = only("inlet_envelope", case(point("rack_inlet", 16.5), reference=usual(rack_inlet=16.5)))
    assert verdict.state is State.NORMAL
    assert verdict.advice
    assert (
        only("inlet_envelope", case(point("rack_inlet", 16.5), reference=usual(rack_inlet=21.0))).state is State.FAULT
    )


def test_a_hall_that_is_colder_but_still_hot_is_not_overcooled() -> None:
    found = case(point("rack_inlet", 27.5), reference=usual(rack_inlet=30.0))
    assert only("colder_than_usual", found).state is State.NORMAL


# -- air handlers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({"mixed": 15.0, "damper": 0.0}, "damper", "58% outdoor air"),  # (15 - 22) / (10 - 22)
        ({"mixed": 21.5, "damper": 0.7}, "damper", "4% outdoor air"),
        ({"supply": 12.0, "mixed": 18.0, "cooling": 0.0}, "coil_passes", "cooling coil"),
        ({"supply": 17.0, "mixed": 24.0, "cooling": 0.0, "heating": 0.5}, "coil_passes", "cooling coil"),
        ({"supply": 26.0, "mixed": 18.0, "cooling": 0.5}, "coil_passes", "heating coil"),
        ({"supply": 18.5, "mixed": 18.0, "heating": 1.0, "cooling": 0.0}, "coil_does_nothing", "heating coil"),
        ({"supply": 17.0, "mixed": 24.0, "cooling": 1.0, "wanted": 13.0}, "coil_does_nothing", "cooling coil"),
    ],
)
def test_what_is_wrong_with_an_air_handler(changes: dict[str, float], rule: str, words: str) -> None:
    verdict = only(rule, handler(**changes))
    assert verdict.state is State.FAULT
    assert words in verdict.message


@pytest.mark.parametrize(("supply", "state"), [(21.5, State.NORMAL), (22.5, State.FAULT), (15.5, State.FAULT)])
def test_the_warmth_of_the_fan_is_not_taken_for_a_coil(supply: float, state: State) -> None:
    """Mixed air at 18 degC, 1.1 K from the fan, 3.0 K of error."""
    assert only("coil_passes", handler(mixed=18.0, supply=supply, cooling=0.0)).state is state


def test_the_first_half_hour_of_a_fan_is_not_judged() -> None:
    start = np.where(np.arange(96) % 8 < 3, 1.0, 0.0)  # runs of three quarters of an hour
    assert only("mixed_air", handler(mixed=40.0, fan_on=start)).evidence["outside_k"] is not None
    built, reference = handler(mixed=40.0, fan_on=np.where(np.arange(96) % 8 < 2, 1.0, 0.0))
    assert only("mixed_air", (built, reference)).state is not State.FAULT


# -- water ---------------------------------------------------------------------------------------------------------


def test_valves_that_never_open_let_the_set_point_rise() -> None:
    built, _ = loop(6.0, 12.0)
    for opening, state in ((0.4, State.FAULT), (0.9, State.NORMAL)):
        found = replace(built, points=(*built.points, point("cooling_valve", opening + 0.1 * WAVE)))
        assert only("chilled_water_setpoint", (found, Reference())).state is state


def test_one_valve_that_is_open_needs_the_cold_water() -> None:
    built, _ = loop(6.0, 12.0)
    found = replace(built, points=(*built.points, point("cooling_valve", 0.3), point("cooling_valve", 0.95, "other")))
    assert only("chilled_water_setpoint", (found, Reference())).state is State.NORMAL


def test_a_hall_without_load_may_be_colder_than_its_supply() -> None:
    found = case(point("supply_air", 16.0), point("rack_inlet", 12.0), point("it_ups", 0.0))
    assert only("air_order", found).state is State.INCONCLUSIVE


def test_the_difference_is_held_against_what_is_usual() -> None:
    built, _ = loop(7.0, 10.0)
    assert only("low_difference", (built, Reference())).state is State.NORMAL
    assert only("low_difference", (built, Reference(differences={"chw_supply": 6.0}))).state is State.FAULT


def test_more_than_carnot_is_a_meter_not_a_chiller() -> None:
    verdict = only("chiller_efficiency", machine(3.0))
    assert (verdict.state, verdict.family, verdict.excess_kw) == (State.FAULT, "metering", None)


def test_without_a_map_only_a_very_poor_chiller_is_one() -> None:
    assert only("chiller_efficiency", machine(13.0, learnt=False)).state is State.NORMAL
    assert only("chiller_efficiency", machine(40.0, learnt=False)).state is State.FAULT


def test_the_excess_of_a_chiller() -> None:
    expected = 60.0 / (280.15 / 20 * 0.4)
    verdict = only("chiller_efficiency", machine(13.0))
    assert verdict.excess_kw == pytest.approx(13.0 - expected, rel=0.01)


def test_a_chiller_that_ran_half_of_the_day_wastes_half_as_much() -> None:
    """48 means on, of which the two of the first half hour are not judged."""
    on = np.arange(96) >= 48
    verdict = only("chiller_efficiency", machine(np.where(on, 13.0, 0.0), np.where(on, 60.0, 0.0)))
    expected = 60.0 / (280.15 / 20 * 0.4)
    assert verdict.excess_kw == pytest.approx((13.0 - expected) * 46 / 96)
    assert verdict.evidence["carnot_share"] == pytest.approx(60 / (13.0 * 280.15 / 20), abs=1e-3)
    assert verdict.evidence["kw_per_kw"] == pytest.approx(13 / 60, abs=1e-3)


def test_a_chiller_that_only_starts_and_stops_is_not_judged() -> None:
    on = np.arange(96) % 8 < 2
    found = machine(np.where(on, 13.0, 0.0), np.where(on, 60.0, 0.0))
    assert only("chiller_efficiency", found).state is State.INCONCLUSIVE


def test_a_tower_is_held_against_its_own_approach() -> None:
    built, _ = CASES["tower_approach"][State.NORMAL]
    assert only("tower_approach", (built, Reference(approaches={"cw_supply": 1.5}))).state is State.FAULT


def test_a_leak_is_what_nothing_below_explains_at_the_quietest_hour() -> None:
    verdict = only("standing_flow", inlet(100.0 + 30 * WAVE, 28.0 + 28 * WAVE))
    assert verdict.excess_l_h == pytest.approx(70, abs=0.1)
    burst = np.where(np.arange(96) == 50, 500.0, 28.0)
    assert only("standing_flow", inlet(burst, 28.0)).state is State.NORMAL


def test_a_site_with_one_water_meter_is_held_against_its_own_quiet_hours() -> None:
    found = case(point("water_input", 90.0 + 20 * WAVE), reference=Reference(standing={"water_input": 20.0}))
    assert only("standing_flow", found).state is State.FAULT
    quiet = case(point("water_input", 50 + 40 * WAVE), reference=Reference(standing={"water_input": 20.0}))
    assert only("standing_flow", quiet).state is State.NORMAL


def test_cycles_that_are_too_few_waste_water_and_too_many_do_not() -> None:
    few, many = only("cycles", tower(100.0, 80.0)), only("cycles", tower(100.0, 2.0))
    assert few.excess_l_h == pytest.approx(100 - 20 * 4 / 3)
    assert (many.state, many.excess_l_h) == (State.FAULT, None)
    assert only("cycles", (tower(100.0, 40.0)[0], Reference(cycles={"unit": 5.0}))).state is State.FAULT


def test_a_humidifier_is_not_blamed_for_dry_outdoor_air() -> None:
    built, _ = room(0.6, 12.0)
    free = replace(built, points=(*built.points, point("outdoor_air_fraction", 0.8)))
    assert only("wetting_and_drying", (free, Reference())).state is State.INCONCLUSIVE


# -- the plant itself ----------------------------------------------------------------------------------------------


def test_a_point_belongs_to_its_equipment_else_to_the_site_if_it_is_the_only_one() -> None:
    built = plant(point("supply_air", 1.0, "a"), point("supply_air", 2.0, "b"), point("return_air", 3.0, "hall"))
    near, shared = built.near("b", "supply_air"), built.shared(None, "supply_air")
    assert near is not None
    assert near.meter == "supply_air-b"
    assert built.near("c", "supply_air") is None
    back = built.near("c", "return_air")
    assert back is not None
    assert back.equipment == "hall"
    assert shared is not None
    assert shared.value == pytest.approx(1.5)


def test_a_plant_is_cut_at_both_ends() -> None:
    whole = plant(point("supply_air", np.arange(96.0)))
    part = whole.cut(8, 12)
    assert list(part.points[0].value) == [8, 9, 10, 11]
    assert list(part.start) == list(whole.start[8:12])
    assert whole.last(1.0).points[0].value[0] == 92
    assert len(whole.last(48.0).start) == 96
    assert isinstance(part, Plant)
