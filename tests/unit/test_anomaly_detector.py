"""The detector on a small plant of simple physics: each fault once, by its name and by its size, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.anomaly.detector import run
from analytics.anomaly.frame import Frame
from analytics.anomaly.marks import extended
from analytics.anomaly.settings import Settings
from analytics.anomaly.walk import begin
from tests import waste
from tests.waste import HOURS, YEAR, Waste, found, hours, plant, walked
from wattwell.finding import Estimate, Feedback, Finding
from wattwell.intervals import HOUR
from wattwell.model import Float64, Maintenance

START, END = YEAR + 10 * 24, YEAR + 31 * 24
WASTES = {
    "ups_loss": Waste("ups", START, END, 0.05),
    "fan_power": Waste("fan", START, END, 0.5, ramp=72),
    "economizer": Waste("damper", START, END, 0.1),
    "sensor_bias": Waste("sensor", START, END, 4.0),
    "chilled_water_setpoint": Waste("chw", START, END, 2.0),
    "chiller_efficiency": Waste("chiller", START, END, 0.25, ramp=72),
    "overcooling": Waste("hall", START, END, 2.0),
    "water_use": Waste("leak", START, END, 60.0),
    "pump_power": Waste("pump", START, END, 2.6),
    "unexpected_load": Waste("heater", START, END, 5.0),
}
"""By the family that it is."""
EQUIPMENT = {
    "ups_loss": "ups",
    "fan_power": "ahu-east",
    "economizer": "ahu-east",
    "sensor_bias": "ahu-east",
    "chilled_water_setpoint": "chiller",
    "chiller_efficiency": "chiller",
    "overcooling": "hall",
    "water_use": "main",
    "pump_power": "pump",
    "unexpected_load": "house",
}


def only(findings: list[Finding]) -> Finding:
    """The one finding."""
    assert len(findings) == 1, [(each.family, each.cause) for each in findings]
    return findings[0]


def families(findings: list[Finding]) -> list[str]:
    return sorted(each.family for each in findings)


def near(estimate: Estimate | None, true: float, share: float = 0.15) -> bool:
    return estimate is not None and abs(estimate.value - true) <= share * true


@pytest.mark.parametrize("family", WASTES)
def test_each_waste_is_one_finding_of_its_family_soon_and_of_its_size(family: str) -> None:
    wasted = WASTES[family]
    finding = only(found(walked(plant(wasted))))
    assert finding.family == family
    assert finding.equipment == EQUIPMENT[family]
    start, known, end = hours(finding)
    assert abs(start - START) <= 24
    assert START < known <= START + 48
    assert end is not None
    assert abs(end - END) <= 24
    kwh, litres = waste.truth(wasted)
    if kwh > 50:
        assert near(finding.excess_kwh, kwh)
    if litres > 5000:
        assert near(finding.excess_l, litres)
    assert finding.status == "closed"
    assert finding.watts is None


def test_a_waste_that_goes_on_is_open_and_tells_what_it_draws_now() -> None:
    finding = only(found(walked(plant(Waste("heater", START, HOURS, 5.0)))))
    assert (finding.status, finding.end) == ("open", None)
    assert finding.watts == pytest.approx(5000, rel=0.1)
    assert near(finding.excess_kwh, 5.0 * (HOURS - START))


def test_a_healthy_year_has_none() -> None:
    assert found(walked(plant())) == []


def test_a_short_waste_ends_when_it_ends_and_the_next_one_is_another_finding() -> None:
    first, second = (
        Waste("leak", START, START + 4 * 24, 60.0),
        Waste("leak", START + 14 * 24, START + 18 * 24, 60.0),
    )
    one, other = found(walked(plant(first, second)))
    assert one.id != other.id
    assert [hours(one)[0], hours(one)[2]] == pytest.approx([first.start, first.end], abs=6)
    assert [hours(other)[0], hours(other)[2]] == pytest.approx([second.start, second.end], abs=6)


def test_two_wastes_at_once_are_two_findings_each_of_its_own_size() -> None:
    ups, leak = WASTES["ups_loss"], WASTES["water_use"]
    findings = {each.family: each for each in found(walked(plant(ups, leak)))}
    assert set(findings) == {"ups_loss", "water_use"}
    assert near(findings["ups_loss"].excess_kwh, waste.truth(ups)[0])
    assert near(findings["water_use"].excess_l, waste.truth(leak)[1])


def test_a_waste_that_begins_within_another_is_found_on_its_own_and_closes() -> None:
    fan, heater = WASTES["fan_power"], Waste("heater", START + 7 * 24, END, 5.0)
    findings = {each.family: each for each in found(walked(plant(fan, heater)))}
    assert set(findings) == {"fan_power", "unexpected_load"}
    assert near(findings["fan_power"].excess_kwh, waste.truth(fan)[0])
    assert near(findings["unexpected_load"].excess_kwh, waste.truth(heater)[0])
    assert {each.status for each in findings.values()} == {"closed"}


# -- what is no waste --------------------------------------------------------------------------------------------------


def doubled(at: int) -> Float64:
    """An IT load that doubles within a day."""
    return np.interp(np.arange(HOURS), [at, at + 24], [1.0, 2.0])


@pytest.mark.parametrize("load", [doubled(START), np.where(np.arange(HOURS) < START, 1.0, 0.7)], ids=["twice", "less"])
def test_another_it_load_is_no_waste(load: Float64) -> None:
    assert found(walked(plant(load=load))) == []


def as_on_sundays(frame: Frame, start: int, days: int) -> Frame:
    """Nobody works for some days: the house panel and the lights draw what they draw on Sundays."""
    at = np.arange(len(frame))
    away = (at >= start) & (at < start + days * 24)
    column = {name: np.where(away, np.minimum(frame.value[name], most), frame.value[name])
              for name, most in (("house", 3.1), ("lights", 0.52))}  # fmt: skip
    less = sum(frame.value[name] - column[name] for name in column)
    return waste.having(frame, utility=frame.value["utility"] - less, **column)


@pytest.mark.parametrize("days", [4, 14], ids=["long weekend", "fortnight"])
def test_a_holiday_is_no_waste_and_neither_is_the_return_from_it(days: int) -> None:
    assert found(walked(as_on_sundays(plant(), START, days))) == []


def test_without_weather_the_plant_is_not_judged() -> None:
    findings = found(walked(waste.blank(plant(), ["oat", "wet-bulb"], START, END)))
    assert [(each.family, each.detector) for each in findings] == [("metering", "silent")]


def test_without_weather_what_does_not_depend_on_it_is_still_found() -> None:
    frame = waste.blank(plant(WASTES["ups_loss"], WASTES["fan_power"]), ["oat", "wet-bulb"], START - 24, END + 24)
    assert families(found(walked(frame))) == ["metering", "ups_loss"]


def test_a_short_history_is_judged_less_surely_but_never_wrongly() -> None:
    short = 90 * 24
    assert found(run(begin(waste.site(), plant(hours=short), Settings()))) == []
    sick = plant(Waste("heater", 75 * 24, short, 5.0), hours=short)
    finding = only(found(run(begin(waste.site(), sick, Settings()))))
    assert finding.family == "unexpected_load"
    assert near(finding.excess_kwh, 5.0 * 15 * 24)


def test_less_than_four_weeks_are_not_judged() -> None:
    sick = plant(Waste("heater", 20 * 24, 28 * 24, 5.0), hours=28 * 24)
    walk = run(begin(waste.site(), sick, Settings()))
    assert found(walk) == []
    assert np.isnan(walk.z).all()


def test_noise_and_lost_hours_are_no_waste() -> None:
    draw = np.random.default_rng(7)
    value = {}
    for name, column in plant().value.items():
        kelvin = waste.POINTS[name][1] is waste.KELVIN
        spoilt = column + draw.standard_normal(HOURS) * (0.2 if kelvin else 0.0075 * column)
        spoilt[draw.random(HOURS) < 0.05] = np.nan
        value[name] = spoilt
    assert found(run(begin(waste.site(), replace(plant(), value=value), Settings()))) == []


# -- why ---------------------------------------------------------------------------------------------------------------


def test_what_follows_from_a_cause_is_part_of_its_finding() -> None:
    finding = only(found(walked(plant(WASTES["sensor_bias"]))))
    assert finding.meters == ("ahu-oat", "oat")
    moved = {key.split(" [")[0] for key in finding.evidence}
    assert {"tower", "water-evap"} <= moved


def test_without_a_heat_meter_the_chiller_is_told_by_what_it_draws() -> None:
    where = waste.site("chiller-heat", "cw-supply")
    frame = plant(Waste("chiller", START, END, 0.4), where=where, hours=YEAR + 40 * 24)
    finding = only(found(run(begin(where, frame, Settings()))))
    assert (finding.family, finding.equipment) == ("chiller_efficiency", "chiller")


def test_a_case_becomes_the_cause_upstream_that_shows_later_and_keeps_its_id() -> None:
    """The sensor that moves the damper is seen to be off only thirty hours after the damper is."""
    frame = plant(WASTES["sensor_bias"])
    late = frame.value["ahu-oat"].copy()
    late[START : START + 30] -= 4.0
    walks = [walked(waste.having(frame, ahu_oat=late).part(slice(0, stop))) for stop in (START + 28, END)]
    early, final = (found(walk) for walk in walks)
    assert families(early) != ["sensor_bias"]
    assert only(final).family == "sensor_bias"
    assert [each.id for each in early] == [each.id for each in final]


# -- what operators say ------------------------------------------------------------------------------------------------


def said(status: str, until: int | None = None) -> Feedback:
    at = waste.T0 + START * HOUR
    return Feedback(finding="x", family="unexpected_load", equipment="house", status=status, at=at, until=until,
                    author="ann", note="")  # fmt: skip


@pytest.mark.parametrize("status", ["known", "dismissed"])
def test_what_operators_call_no_news_is_not_found_and_becomes_the_norm(status: str) -> None:
    frame = plant(Waste("heater", START, HOURS, 5.0))
    walk = walked(frame, feedback=[said(status)])
    assert found(walk) == []
    house = [stream.name for stream in walk.streams].index("house")
    assert walk.expected[-24:, house].mean() == pytest.approx(walk.actual[-24:, house].mean(), abs=1.0)


def test_feedback_on_one_thing_does_not_silence_another() -> None:
    frame = plant(Waste("heater", START, HOURS, 5.0), WASTES["ups_loss"])
    assert families(found(walked(frame, feedback=[said("known")]))) == ["ups_loss"]


def test_in_maintenance_nothing_is_judged_or_learnt() -> None:
    sick = Waste("heater", START, START + 5 * 24, 5.0)
    window = Maintenance(
        start=waste.T0 + (START - 2) * HOUR, end=waste.T0 + sick.end * HOUR, equipment="house", reason="tests"
    )
    frame = plant(sick)
    assert families(found(walked(frame))) == ["unexpected_load"]
    walk = walked(frame, maintenance=[replace(window, equipment=None)])
    assert found(walk) == []
    assert np.isnan(walk.z[START : sick.end]).all()
    walk = walked(frame, maintenance=[window])
    house = [stream.name for stream in walk.streams].index("house")
    assert np.isnan(walk.z[START : sick.end, house]).all()
    assert not np.isnan(walk.z[START : sick.end]).all()
    assert "house" not in {each.equipment for each in found(walk)}


# -- walking on --------------------------------------------------------------------------------------------------------


def test_a_walk_that_is_extended_tells_what_one_from_the_start_tells() -> None:
    frame = plant(WASTES["ups_loss"], WASTES["water_use"])
    assert found(walked(frame)) == found(run(begin(waste.site(), frame, Settings())))


def test_hours_at_both_ends_and_no_hours_at_all_are_taken() -> None:
    frame = plant(hours=48)
    for stop in (0, 1, 48):
        part = frame.part(slice(0, stop))
        walk = run(begin(waste.site(), part, Settings()))
        assert (found(walk), run(extended(walk, part)).cases) == ([], [])


def test_a_gap_of_all_meters_within_a_waste_neither_ends_nor_enlarges_it() -> None:
    wasted = WASTES["unexpected_load"]
    frame = waste.blank(plant(wasted), waste.POINTS, START + 5 * 24, START + 7 * 24)
    findings = {each.family: each for each in found(walked(frame))}
    assert set(findings) == {"metering", "unexpected_load"}
    assert near(findings["unexpected_load"].excess_kwh, waste.truth(wasted)[0])
    assert abs((hours(findings["unexpected_load"])[2] or 0) - END) <= 24
