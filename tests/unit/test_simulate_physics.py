"""The simulated plant obeys the textbook: balances, cube law, lift, evaporation, psychrometrics."""

import math

import numpy as np
import pytest

from collector.simulate import plant
from collector.simulate.faults import Fault
from collector.simulate.load import civil_time, working_day
from collector.simulate.noise import drift, uniform
from collector.simulate.simulator import Simulator
from collector.simulate.spec import SiteSpec
from collector.simulate.truth import Truth
from collector.simulate.weather import Weather, pv_power, solar_elevation_sine, vapour_pressure, weather, wet_bulb
from wattwell.errors import UsageError
from wattwell.intervals import DAY, HOUR, MINUTE, parse_iso

SPEC = SiteSpec()
WINTER, SUMMER = parse_iso("2026-01-12T00:00Z"), parse_iso("2026-07-13T00:00Z")


def run(start: int = WINTER, steps: int = 288, spec: SiteSpec = SPEC, faults: tuple[Fault, ...] = ()) -> Truth:
    return Simulator(spec, seed=7, start_us=start, step_us=5 * MINUTE, faults=faults).advance(steps)[1]


def sky(dry_bulb: float, humid: float = 0.6) -> Weather:
    dry, humidity = np.array([dry_bulb]), np.array([humid])
    return Weather(dry, wet_bulb(dry, humidity), humidity, np.zeros(1))


AT = np.array([WINTER], dtype=np.int64)


def test_stull_gives_his_own_example() -> None:
    assert wet_bulb(np.array([20.0]), np.array([0.5]))[0] == pytest.approx(13.7, abs=0.05)


def test_wet_bulb_never_exceeds_dry_bulb_and_meets_it_near_saturation() -> None:
    dry = np.linspace(-15.0, 40.0, 56)
    for humidity in (0.15, 0.5, 0.98):
        assert (wet_bulb(dry, np.full(56, humidity)) <= dry).all()
    assert wet_bulb(np.array([15.0]), np.array([0.98]))[0] == pytest.approx(15.0, abs=0.35)


def test_vapour_pressure_at_freezing_and_at_20() -> None:
    assert vapour_pressure(np.array([0.0, 20.0])) == pytest.approx([6.11, 23.37], abs=0.04)


def test_the_sun_is_highest_near_noon_and_higher_in_summer() -> None:
    hours = np.arange(24, dtype=np.int64) * HOUR
    summer, winter = solar_elevation_sine(SPEC, SUMMER + hours), solar_elevation_sine(SPEC, WINTER + hours)
    assert int(np.argmax(summer)) in (11, 12)
    assert math.degrees(math.asin(summer.max())) == pytest.approx(61.5, abs=1.5)  # 90 - 50.1 + 21.7 on 13 July
    assert summer.max() > winter.max() > 0 > winter.min()


def test_pv_rests_at_night_and_stays_below_its_rating() -> None:
    at = SUMMER + np.arange(0, 3 * DAY, 10 * MINUTE, dtype=np.int64)
    power = pv_power(SPEC, weather(SPEC, 3, at), at)
    dark = solar_elevation_sine(SPEC, at) < 0
    assert (power[dark] == 0).all()
    assert 0.4 * SPEC.pv_kw < power.max() <= SPEC.pv_kw


def test_fan_power_follows_the_cube_of_speed() -> None:
    full, half = plant.fan_power(40.0, np.array([1.0, 0.5]))
    assert full == 40.0
    assert half == 5.0


@pytest.mark.parametrize("heat", [80.0, 250.0, 450.0])
def test_a_hotter_wet_bulb_costs_more_chiller_power_by_cooling(heat: float) -> None:
    per_kw = []
    for wet in (16.0, 19.0, 22.0, 25.0):
        basin = plant.tower_target(SPEC, np.array([wet]))
        water = plant.chilled_water(SPEC, (), AT, np.array([heat]))
        reject = plant.heat_rejection(SPEC, (), AT, water, np.array([wet]), basin)
        per_kw.append(reject.chiller_kw[0] / water.heat_kw[0])
    assert per_kw == sorted(per_kw)
    assert per_kw[-1] > 1.2 * per_kw[0]
    assert 0.05 < per_kw[0] < per_kw[-1] < 0.35


def test_condenser_water_does_not_fall_below_the_minimum() -> None:
    assert plant.tower_target(SPEC, np.array([-5.0, 14.0, 20.0])).tolist() == [18.0, 18.0, 24.0]


def test_part_load_curve_is_one_at_full_load_and_worse_below() -> None:
    def per_kw(share: float) -> float:
        heat = np.array([share * SPEC.chiller_kw])
        power = plant.chiller_power(SPEC, heat, np.array([7.0]), np.array([27.0]), np.ones(1))
        return float(power[0] / heat[0])

    assert per_kw(1.0) == pytest.approx(20.0 / (SPEC.carnot_share * 280.15))
    assert per_kw(0.15) > per_kw(0.5)


def test_damper_holds_the_supply_air_by_the_mixed_air_balance() -> None:
    air = plant.air_side(SPEC, (), AT, sky(5.0), np.array([250.0]))
    mixed = air.outdoor_fraction * 5.0 + (1 - air.outdoor_fraction) * air.return_c
    flow = SPEC.air_flow_kg_s * (air.speed_east + air.speed_west) / 2
    fan_rise = (air.fan_east_kw + air.fan_west_kw) / (1.006 * flow)
    assert mixed[0] + fan_rise[0] == pytest.approx(SPEC.supply_air_c)
    assert air.coil_kw[0] == pytest.approx(0.0, abs=1e-9)
    assert 0.3 < air.outdoor_fraction[0] < 0.6


@pytest.mark.parametrize("outdoor", [-10.0, 5.0, 20.0, 24.0, 26.9, 27.1, 35.0])
def test_the_air_side_conserves_heat(outdoor: float) -> None:
    heat = 300.0
    air = plant.air_side(SPEC, (), AT, sky(outdoor), np.array([heat]))
    flow = SPEC.air_flow_kg_s * (air.speed_east[0] + air.speed_west[0]) / 2
    exchanged = 1.006 * flow * air.outdoor_fraction[0] * (air.return_c[0] - outdoor)
    assert air.coil_kw[0] + exchanged == pytest.approx(heat + air.fan_east_kw[0] + air.fan_west_kw[0])


def test_outdoor_air_falls_to_the_minimum_above_the_high_limit() -> None:
    below = plant.air_side(SPEC, (), AT, sky(26.9), np.array([300.0]))
    above = plant.air_side(SPEC, (), AT, sky(27.1), np.array([300.0]))
    assert below.outdoor_fraction[0] == 1.0
    assert above.outdoor_fraction[0] == SPEC.minimum_outdoor_air
    assert above.coil_kw[0] > below.coil_kw[0]


def test_stuck_open_in_the_cold_chills_the_halls_without_a_coil() -> None:
    fault = Fault("economizer_stuck", 0, None, 0.9)
    air = plant.air_side(SPEC, (fault,), AT, sky(5.0), np.array([250.0]))
    assert air.supply_c[0] < 10.0
    assert air.coil_kw[0] == 0.0


def test_stuck_shut_hands_all_heat_to_the_coil() -> None:
    fault = Fault("economizer_stuck", 0, None, 0.0)
    air = plant.air_side(SPEC, (fault,), AT, sky(5.0), np.array([250.0]))
    assert air.coil_kw[0] == pytest.approx(250.0 + air.fan_east_kw[0] + air.fan_west_kw[0])
    assert air.supply_c[0] == SPEC.supply_air_c


def test_evaporation_is_latent_heat_and_blow_down_keeps_the_cycles() -> None:
    assert plant.evaporation(SPEC, np.array([1000.0]), np.array([25.0]))[0] == pytest.approx(
        0.9 * 1000 / 2442, rel=1e-3
    )
    truth = run(SUMMER)
    assert truth.makeup.sum() / truth.blowdown.sum() == pytest.approx(SPEC.cycles_of_concentration, rel=1e-6)
    assert (truth.makeup == truth.evaporation + truth.blowdown).all()


def test_ups_loss_is_a_curve_with_a_no_load_part() -> None:
    loss = plant.ups_loss(SPEC, (), np.repeat(AT, 3), np.array([0.0, 250.0, 500.0]))
    assert loss == pytest.approx([9.0, 19.25, 36.0])


def test_tower_water_balance_closes_with_the_main() -> None:
    truth = run(faults=(Fault("water_leak", WINTER, None, 90.0),))
    assert (truth.water_input == truth.evaporation + truth.blowdown + truth.domestic + truth.leak).all()
    assert truth.leak.sum() == pytest.approx(90.0 * 24)


@pytest.mark.parametrize("pv", [0.85, 3.5])
def test_import_less_export_is_load_less_pv_at_every_step(pv: float) -> None:
    truth = run(SUMMER, spec=SiteSpec(pv_kw_per_it_kw=pv))
    parts = truth.it + truth.ups_loss + truth.chiller + truth.tower + truth.chw_pump + truth.cw_pump
    parts = parts + truth.ahu_east + truth.ahu_west + truth.lighting + truth.house
    assert (truth.grid_import - truth.grid_export + truth.pv == parts).all()
    assert (truth.grid_import * truth.grid_export == 0).all()
    assert (truth.grid_export.sum() > 0) == (pv > 1)


def test_onsite_renewable_is_the_same_on_any_grid() -> None:
    truth = run(SUMMER, spec=SiteSpec(pv_kw_per_it_kw=3.5))
    pv, out = truth.pv.reshape(-1, 12).sum(axis=1), truth.grid_export.reshape(-1, 12).sum(axis=1)
    assert float((pv - np.minimum(pv, out)).sum()) == float(truth.onsite_used.sum())


def test_heat_of_the_chiller_goes_to_the_tower() -> None:
    truth = run(SUMMER)
    litres = SPEC.latent_share * (truth.heat_removed + truth.chiller + truth.cw_pump).sum() * 3600 / 2450
    assert truth.evaporation.sum() == pytest.approx(litres, rel=0.01)


def test_kpis_are_ratios_of_sums_and_overheads_sum_to_pue_less_one() -> None:
    truth = run()
    kpis = truth.kpis(WINTER + HOUR, WINTER + 5 * HOUR)
    assert kpis.e_it == float(truth.it[12:60].sum())
    assert kpis.pue == kpis.e_dc / kpis.e_it
    assert sum(kpis.overheads.values()) == pytest.approx(kpis.pue - 1, abs=1e-12)
    assert kpis.wue == float(truth.water_input[12:60].sum()) / kpis.e_it
    assert 0 <= kpis.ref <= 1


def test_a_span_that_is_not_made_of_steps_is_refused() -> None:
    truth = run()
    for start, end in ((WINTER + MINUTE, WINTER + HOUR), (WINTER - HOUR, WINTER), (WINTER, WINTER + 3 * DAY)):
        with pytest.raises(ValueError, match="choose multiples of 300 s"):
            truth.kpis(start, end)
    with pytest.raises(ValueError, match="is empty"):
        truth.kpis(WINTER, WINTER)


def test_civil_time_follows_summer_time() -> None:
    before, after = parse_iso("2026-03-29T00:30Z"), parse_iso("2026-03-29T01:30Z")
    shift = civil_time(np.array([before, after]), "Europe/Berlin") - np.array([before, after])
    assert shift.tolist() == [HOUR, 2 * HOUR]
    days = np.array([parse_iso(f"2026-01-{day:02d}T12:00Z") for day in range(5, 12)])  # Monday to Sunday
    assert working_day(days).tolist() == [True] * 5 + [False] * 2


def test_noise_depends_on_seed_and_channel_only() -> None:
    at = WINTER + np.arange(0, 40 * DAY, HOUR, dtype=np.int64)
    assert (drift(1, "a", at, DAY) == drift(1, "a", at, DAY)).all()
    assert (drift(1, "a", at, DAY) != drift(2, "a", at, DAY)).any()
    assert (drift(1, "a", at, DAY) != drift(1, "b", at, DAY)).any()
    numbers = uniform(1, "a", np.arange(20_000, dtype=np.int64))
    assert numbers.mean() == pytest.approx(0.5, abs=0.01)
    assert numbers.var() == pytest.approx(1 / 12, abs=0.002)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"id": "a/b"}, "'a/b'"),
        ({"timezone": "Mars/Base"}, "Mars/Base"),
        ({"it_power_kw": 0.0}, "1 to 20000 kW"),
        ({"utilisation": 2.0}, "0.1 to 0.9"),
        ({"cycles_of_concentration": 1.0}, "above 1"),
    ],
)
def test_a_wrong_specification_names_value_and_remedy(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        SiteSpec(**wrong)  # type: ignore[arg-type]
