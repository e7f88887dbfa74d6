"""What is told at an hour goes by nothing later: hours to come change neither that something was found nor what."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.anomaly.compose import finding
from analytics.anomaly.detector import run
from analytics.anomaly.frame import Frame
from analytics.anomaly.marks import extended, rewind
from analytics.anomaly.settings import Settings
from analytics.anomaly.walk import Walk, begin
from tests import waste
from tests.waste import HOURS, T0, YEAR, Waste, blank, found, plant, walked
from wattwell.intervals import HOUR
from wattwell.model import Float64

A, B = YEAR + 5 * 24, HOURS
WASTES = (
    Waste("fan", A + 24, A + 20 * 24, 0.5, ramp=72),
    Waste("leak", A + 6 * 24, A + 9 * 24, 60.0),
    Waste("heater", A + 12 * 24, A + 16 * 24, 5.0),
    Waste("sensor", A + 30 * 24, A + 40 * 24, 4.0),
    Waste("ups", A + 44 * 24, HOURS, 0.05),
)
FEW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
times = st.integers(YEAR + 1, HOURS - 1)


@cache
def sick() -> Frame:
    """Five wastes, a silence and a gap of everything."""
    frame = blank(plant(*WASTES), ["pump"], A + 22 * 24, A + 24 * 24)
    return blank(frame, waste.POINTS, A + 26 * 24, A + 27 * 24)


@cache
def whole() -> Walk:
    return walked(sick())


def known(walk: Walk, by: int) -> list[object]:
    """What was said by an hour: not how it went on, which none could know."""
    told = [finding(walk, case, by) for case in walk.cases if case.detected < by]
    return [(each.id, each.family, each.detector, each.start, each.detected_at) for each in told]


@FEW
@given(times)
def test_a_frame_cut_at_any_hour_gives_what_was_known_by_then(stop: int) -> None:
    cut = walked(sick().part(slice(0, stop)))
    assert known(cut, stop) == known(whole(), stop)
    assert [fault for fault in cut.telemetry if fault.detected < stop and fault.end is not None] == [
        fault for fault in whole().telemetry if fault.end is not None and fault.end < stop
    ]
    for name in ("expected", "sigma", "z"):
        assert np.array_equal(getattr(cut, name)[:stop], getattr(whole(), name)[:stop], equal_nan=True), name


@FEW
@given(times, st.integers(0, 2**31))
def test_whatever_comes_later_changes_nothing_known_before(stop: int, seed: int) -> None:
    """Any future: noise, doubled loads, silence, or a plant that is well again."""
    draw = np.random.default_rng(seed)
    ahead = np.arange(HOURS) >= stop
    value: dict[str, Float64] = {}
    for name, column in sick().value.items():
        future = column * draw.choice([0.0, 0.5, 1.0, 3.0]) + draw.standard_normal(HOURS)
        future[draw.random(HOURS) < 0.2] = np.nan
        value[name] = np.where(ahead, future, column)
    other = walked(replace(sick(), value=value))
    assert known(other, stop) == known(whole(), stop)
    for name in ("actual", "expected", "sigma", "z"):
        assert np.array_equal(getattr(other, name)[:stop], getattr(whole(), name)[:stop], equal_nan=True), name


@FEW
@given(st.lists(times, max_size=4))
def test_a_walk_in_pieces_is_the_walk_in_one_go(stops: list[int]) -> None:
    walk = walked(sick().part(slice(0, YEAR)))
    for stop in [*sorted(stops), HOURS]:
        walk = run(extended(walk, sick().part(slice(0, stop))))
    assert found(walk) == found(whole())


@FEW
@given(st.integers(HOURS - 80, HOURS - 1))
def test_after_a_change_of_late_hours_a_walk_is_what_it_would_have_been(changed: int) -> None:
    walk = walked(waste.having(sick(), house=np.where(np.arange(HOURS) >= changed, 40.0, sick().value["house"])))
    assert rewind(walk, changed)
    assert walk.hour <= changed
    assert found(run(extended(walk, sick()))) == found(whole())


def test_what_is_found_is_known_after_it_began_and_not_before() -> None:
    told = found(whole())
    assert {each.family for each in told} == {
        "fan_power", "water_use", "unexpected_load", "sensor_bias", "ups_loss", "metering",
    }  # fmt: skip
    begins = {"fan_power": 0, "water_use": 1, "unexpected_load": 2, "sensor_bias": 3, "ups_loss": 4}
    for each in told:
        assert each.start < each.detected_at
        if each.family in begins:
            assert each.detected_at > T0 + WASTES[begins[each.family]].start * HOUR


def test_a_short_frame_is_judged_as_the_beginning_of_a_long_one() -> None:
    """Where learning begins, too: the first learnings go by what there was."""
    long = plant(Waste("heater", 50 * 24, 60 * 24, 5.0), hours=80 * 24)
    walks = [run(begin(waste.site(), long.part(slice(0, stop)), Settings())) for stop in (51 * 24, 80 * 24)]
    assert known(walks[0], 51 * 24) == known(walks[1], 51 * 24) != []
    assert np.array_equal(walks[0].z, walks[1].z[: 51 * 24], equal_nan=True)
