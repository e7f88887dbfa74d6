"""The pure parts of the simulated sites: levers, meters, truth, noise, weather and lots."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.sites import check, draw, levers, noise, sizing, telemetry, truth, weather
from benchmarks.sites.recipes import RECIPES, fault
from wattwell.finding import FAMILIES

DAY = levers.STEPS_PER_DAY
YEAR = 2023


@pytest.fixture(scope="module")
def healthy() -> pd.DataFrame:
    """Without the drift of the chiller, so that its faults come to round figures."""
    return levers.baseline(YEAR, 3, np.full(365 * DAY, 0.4)).assign(chiller=1.0)


def plain(course: pd.DataFrame) -> pd.DataFrame:
    """What the plant model would give, of round figures."""
    site = pd.DataFrame(0.0, index=course.index, columns=[*telemetry.SOURCES, "ahu-oat", "house"])
    given = {"ups-out": 60.0, "ups-in": 66.0, "chiller": 10.0, "cw-pump": 2.0, "cw-flow": 10.0, "chiller-heat": 50.0}
    for name, value in (given | {"fan-east": 1.5, "fan-west": 1.5, "oat": 20.0, "water-tower": 100.0}).items():
        site[name] = value
    site["house"] = course["house"] + course["heater"]
    return site


def finished(course: pd.DataFrame) -> pd.DataFrame:
    return telemetry.finish(plain(course), course, telemetry.Full(chw_kw=0.8, chw_flow=3.0, cw_kw=2.0, cw_flow=10.0))


def test_a_year_is_counted_in_local_standard_time() -> None:
    index = levers.times(YEAR)
    assert (index[0], index[-1]) == (pd.Timestamp("2023-01-01T06:10Z"), pd.Timestamp("2024-01-01T06:00Z"))
    working = pd.Series(levers.office_hours(index), index=index)
    assert working[pd.Timestamp("2023-01-02T16:00Z")] == 1.0  # Monday, ten in the morning
    assert working[pd.Timestamp("2023-01-01T16:00Z")] == 0.0  # Sunday


def test_the_trace_repeats_between_low_and_high() -> None:
    load = levers.it_load(np.arange(48.0).tolist(), YEAR, 0, 0.2, 0.6)
    assert (load.min(), load.max()) == (pytest.approx(0.2, abs=0.01), pytest.approx(0.6, abs=0.01))
    assert load[0] == pytest.approx(load[48 * 6], abs=0.01)


def test_a_change_of_load_scales_the_power_and_stays() -> None:
    cpu = np.full(365 * DAY, 0.4)
    change = levers.Change(day=100, days=2, factor=0.7)
    changed = levers.baseline(YEAR, 3, cpu, (change,))["cpu"] + 0.24
    assert changed[: 100 * DAY].mean() == pytest.approx(0.64, abs=0.001)
    assert changed[102 * DAY :].mean() == pytest.approx(0.64 * 0.7, abs=0.001)


def test_faults_act_inside_their_window_only(healthy: pd.DataFrame) -> None:
    step = fault("ups_loss", 10, 2, "ups", "", ups_loss=0.05)
    creep = fault("fan_power", 20, 4, "ahu-east", "", ramp=True, fan_east=1.5)
    stuck = fault("economizer", 40, 1, "ahu-east", "", oa_high=0.05)
    change = levers.with_faults(healthy, (step, creep, stuck), YEAR) - healthy
    assert change["ups_loss"].to_numpy().nonzero()[0][[0, -1]].tolist() == [10 * DAY, 12 * DAY - 1]
    assert change["ups_loss"].max() == pytest.approx(0.05)
    share = change["fan_east"] / healthy["fan_east"]
    assert share.iloc[20 * DAY] == pytest.approx(0.0)
    assert share.iloc[22 * DAY] == pytest.approx(0.25, abs=0.001)
    assert share.iloc[24 * DAY] == 0.0
    assert (healthy["oa_high"] + change["oa_high"]).iloc[40 * DAY] == pytest.approx(0.05)


def test_the_switchboard_is_the_sum_of_its_meters(healthy: pd.DataFrame) -> None:
    extra = fault("unexpected_load", 10, 5, "", "", unmetered=3.0)
    site = finished(levers.with_faults(healthy, (extra,), YEAR))
    parts = ["ups-in", "chiller", "tower", "chw-pump", "cw-pump", "fan-east", "fan-west", "evap", "lights", "house"]
    rest = site["utility"] - site[parts].sum(axis=1)
    assert rest.iloc[0] == pytest.approx(0.0)
    assert rest.iloc[12 * DAY] == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("lever", "size", "kwh", "litres"),
    [
        ("leak", 30.0, 0.0, 30.0 * 24 * 5),
        ("blowdown", 60.0, 0.0, 60.0 * 24 * 5),
        ("heater", 2.0, 2.0 * 24 * 5, 0.0),
        ("chiller", 1.2, 2.0 * 24 * 5, 2.0 * 24 * 5 * telemetry.MAKE_UP_L_PER_KWH),
        ("cw_pump", 1.3, 0.6 * 24 * 5, 0.6 * 24 * 5 * telemetry.MAKE_UP_L_PER_KWH),
    ],
)
def test_the_truth_is_what_the_lever_cost(
    healthy: pd.DataFrame, lever: str, size: float, kwh: float, litres: float
) -> None:
    one = fault("other", 10, 5, "", "", **{lever: size})
    site = finished(healthy)
    table = truth.labels((one,), YEAR, site, site, finished(levers.with_faults(healthy, (one,), YEAR)))
    row = table.iloc[0]
    assert (row["start"], row["end"], row["scored"]) == ("2023-01-11T06:00:00Z", "2023-01-16T06:00:00Z", 1)
    assert row["overhead_excess_kwh"] == pytest.approx(kwh, rel=0.02, abs=0.1)
    assert row["excess_l"] == pytest.approx(litres, rel=0.02, abs=1)


def test_a_fault_that_changes_the_it_load_is_put_to_the_same_load(healthy: pd.DataFrame) -> None:
    one = fault("overcooling", 10, 5, "halls", "", hall_setpoint=-2.0)
    was, now = finished(healthy), finished(healthy)
    now.loc[:, ["ups-out", "ups-in", "utility"]] -= 1.0  # the servers' fans
    now["utility"] += 2.0
    same = was.copy()
    same.loc[:, "ups-out"] -= 1.0
    same.loc[:, ["ups-in", "utility"]] -= 1.1
    row = truth.labels((one,), YEAR, was, same, now).iloc[0]
    hours = 6 * 24
    assert (row["excess_kwh"], row["it_change_kwh"]) == (pytest.approx(hours), pytest.approx(-hours))
    assert row["overhead_excess_kwh"] == pytest.approx(hours * 2.1, rel=0.01)


def test_the_demand_is_fitted_to_a_load(healthy: pd.DataFrame) -> None:
    load = 20.0 + 90.0 * healthy["cpu"]
    fitted = levers.at_load(healthy, load, load - 1.8)
    assert (fitted["cpu"] - healthy["cpu"]).to_numpy() == pytest.approx(-0.02)
    assert fitted.drop(columns="cpu").equals(healthy.drop(columns="cpu"))


def test_what_no_meter_shows_is_not_scored(healthy: pd.DataFrame) -> None:
    stuck = fault("economizer", 10, 5, "", "", oa_high=0.2)
    biased = fault("sensor_bias", 30, 5, "", "", oat_bias=4.0)  # the weather station shows it
    site = finished(healthy)
    assert truth.labels((stuck, biased), YEAR, site, site, site)["scored"].tolist() == [0, 1]


def test_dials_are_cut_off_and_never_run_back(healthy: pd.DataFrame) -> None:
    site = finished(healthy)
    start = dict.fromkeys((*telemetry.ENERGY, *telemetry.WATER), 1000.0)
    table = telemetry.written(telemetry.dials(telemetry.amounts(site), start), site)
    assert (table[list(start)].diff().iloc[1:] >= -1e-9).all(axis=None)
    cells = telemetry.text(table.iloc[:2])
    assert cells.index[0] == "2023-01-01T06:10:00Z"
    assert cells.iloc[0][["ups-out", "water-tower", "oat", "rh", "cw-flow"]].tolist() == [
        *("1010.00", "1000.016", "20.0", "0", "10.00")
    ]


def test_telemetry_events() -> None:
    index = levers.times(YEAR)[: 10 * DAY]
    table = pd.DataFrame({"chiller": np.arange(len(index)) * 1.0, "house": 1.0}, index=index)
    kinds = [("frozen", 1, 0.0), ("gap", 3, 0.0), ("jump", 5, 400.0), ("replaced", 7, 12.5)]
    events = tuple(noise.Event(kind=k, meter="chiller", day=d, days=1, size=s) for k, d, s in kinds)
    seen = noise.apply(table, events, YEAR)["chiller"]
    assert seen.iloc[DAY - 1 : 2 * DAY - 1].nunique() == 1
    assert seen.iloc[2 * DAY] == table["chiller"].iloc[2 * DAY]
    assert seen.isna().sum() == DAY
    assert seen.iloc[5 * DAY] - seen.iloc[5 * DAY - 2] == pytest.approx(402)
    assert seen.iloc[7 * DAY - 1] == 12.5
    rows = noise.labels(events, YEAR)
    assert set(rows["family"]) == {"metering"}
    assert set(rows["scored"]) == {0}
    with pytest.raises(ValueError, match="'lost'"):
        noise.apply(table, (noise.Event(kind="lost", meter="chiller", day=1, days=1),), YEAR)


def test_noise_is_small_and_fair() -> None:
    rng = np.random.default_rng(1)
    steps = pd.DataFrame({"chiller": np.ones(20_000)})
    noisy = noise.noisy_steps(steps, rng)["chiller"]
    assert noisy.mean() == pytest.approx(1.0, abs=0.001)
    assert noisy.std() == pytest.approx(0.0075, rel=0.05)
    assert 0.985 < len(noise.drop_rows(steps, rng)) / 20_000 < 0.995


def test_a_heat_wave_touches_its_days_only(tmp_path: Path) -> None:
    line = "2000,1,1,1,0,?,20.0,10.0,52,99000,0"
    lines = [*("head",) * 8, *(line,) * 8760]
    hot = weather.hotter(lines, 100, 14, 6.0)
    changed = [i for i, (a, b) in enumerate(zip(lines, hot, strict=True)) if a != b]
    assert (changed[0], changed[-1]) == (8 + 100 * 24, 8 + 114 * 24 - 1)
    assert hot[8 + 107 * 24].split(",")[6:9] == ["26.0", "13.0", "45"]
    (tmp_path / "USA_Here.epw").touch()
    assert weather.find("Here", [tmp_path]).name == "USA_Here.epw"
    with pytest.raises(ValueError, match="'There'"):
        weather.find("There", [tmp_path])


def test_a_year_moves_to_the_place_of_another() -> None:
    here, there = "LOCATION,Boulder,CO,USA,TMY3,1,40,-105,-7,1612.0", "LOCATION,Springs,CO,USA,TMY3,2,39,-105,-7,0.0"
    row = "2000,1,1,1,0,?,20.0,10.0,52,101325,0"
    lines = [there, *("head",) * 7, row, row]
    moved = weather.moved(lines, here)
    assert moved[:8] == [here, *lines[1:8]]
    assert float(moved[8].split(",")[9]) == pytest.approx(83432, rel=0.002)
    assert weather.moved(lines, there) == lines


REPORT = """
! <Component Sizing Information>, Component Type, Component Name, Input Field Description, Value
 Component Sizing Information, Fan:VariableVolume, EAST FAN, Design Size maximum_flow_rate [m3/s], 4.9
 Component Sizing Information, CoolingTower:VariableSpeed, TOWER, Fan Power at Design Air Flow Rate [W], 2.3E+003
 Component Sizing Information, Fan:VariableVolume, EAST FAN, User-Specified maximum_flow_rate [m3/s], 9
 Component Sizing Information, PlantLoop, LOOP, Sizing Option, NonCoincident
"""


def test_sizes_of_one_run_go_into_the_model() -> None:
    fan: dict[str, object] = {"maximum_flow_rate": "Autosize", "pressure_rise": 300.0}
    tower: dict[str, object] = {"design_fan_power": "Autosize"}
    model = {
        "SimulationControl": {"one": {"do_zone_sizing_calculation": "Yes"}},
        "Sizing:System": {"air": {"design_outdoor_air_flow_rate": "Autosize"}},
        "Fan:VariableVolume": {"East Fan": fan},
        "CoolingTower:VariableSpeed": {"Tower": tower},
    }
    sizing.fix(model, sizing.read(REPORT))
    assert fan == {"maximum_flow_rate": 4.9, "pressure_rise": 300.0}
    assert tower == {"design_fan_power": 2300.0}
    assert set(model["SimulationControl"]["one"].values()) == {"No"}
    fan["maximum_flow_rate"] = "Autosize"
    with pytest.raises(ValueError, match="no maximum_flow_rate of Fan:VariableVolume East Fan"):
        sizing.fix(model, {})


def varied(healthy: pd.DataFrame) -> pd.DataFrame:
    """Two weeks of some weather."""
    site = finished(healthy).iloc[: 14 * DAY]
    rng = np.random.default_rng(5)
    return site.assign(
        **{"hall-air": 24.0, "oat": rng.uniform(0, 30, len(site)), "wet-bulb": rng.uniform(0, 20, len(site))}
    )


@pytest.mark.parametrize(("factor", "kelvin", "same"), [(1.01, 0.05, True), (1.04, 0.0, False), (1.0, 0.3, False)])
def test_another_plant_in_year_two_is_seen(healthy: pd.DataFrame, factor: float, kelvin: float, same: bool) -> None:
    was = varied(healthy)
    now = was.assign(**{"fan-east": was["fan-east"] * factor, "fan-west": was["fan-west"] * factor})
    now["hall-air"] += kelvin
    rows = check.like_conditions(was, now.assign(chiller=was["chiller"]))
    assert all(x["same"] for x in rows.values()) is same
    assert rows["fans"]["off"] == pytest.approx(factor - 1, abs=0.001)
    assert rows["hall-air"]["off"] == pytest.approx(kelvin, abs=0.001)


def test_only_like_conditions_are_compared(healthy: pd.DataFrame) -> None:
    was = varied(healthy)
    busier = was.assign(**{"ups-out": was["ups-out"] + 40.0, "fan-east": 9.0})
    now = busier.copy()
    now.iloc[::2] = was.iloc[::2]
    assert check.like_conditions(was, now)["fans"]["off"] == 0.0
    with pytest.raises(ValueError, match="nothing to compare"):
        check.like_conditions(was, busier)


def test_the_share_of_a_year_with_halls_at_their_set_point(healthy: pd.DataFrame) -> None:
    halls = np.tile([24.0, 24.4, 22.0], len(healthy) // 3)
    assert check.hall_held(pd.DataFrame({"hall-air": halls})) == pytest.approx(2 / 3, abs=0.001)


@pytest.mark.parametrize("name", [*RECIPES, *(f"drawn-{seed}" for seed in range(20))])
def test_every_site_has_faults_apart_and_of_known_families(name: str) -> None:
    recipe = RECIPES.get(name) or draw.draw(int(name.removeprefix("drawn-")))
    known = set(levers.SCHEDULES) | set(levers.POST)
    spans = sorted((x.day, x.day + x.days) for x in recipe.faults)
    assert all(a[1] + 1.5 <= b[0] for a, b in itertools.pairwise(spans))
    assert all(0 < a < b < 364 for a, b in spans)
    assert {x.family for x in recipe.faults} | {y for x in recipe.faults for y in x.also.split()} <= set(FAMILIES)
    assert all(x.levers and set(x.levers) <= known for x in recipe.faults)


def test_a_lot_is_the_same_each_time_and_others_differ() -> None:
    assert draw.draw(4) == draw.draw(4)
    assert draw.draw(4) != draw.draw(5)
    assert len(draw.draw(4).faults) == 12
