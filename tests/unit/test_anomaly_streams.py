"""Which streams a site has, and what may be wrong with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.anomaly.advice import WORDS
from analytics.anomaly.causes import CAUSES, explains, shown
from analytics.anomaly.detector import run
from analytics.anomaly.frame import Frame, hourly
from analytics.anomaly.settings import Settings
from analytics.anomaly.streams import KIND_OF_ROLE, POINT_ROLES, inputs, streams, values, weather_meters
from analytics.anomaly.walk import begin
from analytics.balance import SiteGrid
from tests import sites, waste
from wattwell.finding import FAMILIES
from wattwell.intervals import HOUR, MINUTE
from wattwell.model import Site
from wattwell.roles import ROLES

KINDS = {
    *KIND_OF_ROLE.values(), *POINT_ROLES.values(), "ups_loss", "unmetered", "overhead", "water_balance", "site_water",
    "outdoor_sensor", "hall_sensor", "supply_sensor", "chiller_curve",
}  # fmt: skip


def kinds(site: Site) -> dict[str, str]:
    """Kind by name."""
    return {stream.name: stream.kind for stream in streams(site)}


# -- which there are ---------------------------------------------------------------------------------------------------


def test_a_well_metered_site_is_watched_part_by_part() -> None:
    assert kinds(waste.site()) == {
        "ups_loss": "ups_loss",
        "chiller": "chiller",
        "pump": "pump",
        "fan-east": "fan",
        "fan-west": "fan",
        "tower": "tower",
        "evap": "evaporative",
        "house": "other",
        "lights": "lighting",
        "unmetered utility": "unmetered",
        "overhead": "overhead",
        "water-tower": "tower_water",
        "water-evap": "evaporative_water",
        "unmetered water-site": "water_balance",
        "ahu-oat - oat": "outdoor_sensor",
        "hall-air": "hall",
        "supply": "supply",
        "chw-supply": "chw_supply",
        "oa-fraction": "outdoor_air",
        "chiller curve": "chiller_curve",
    }


@pytest.mark.parametrize(
    ("without", "gone"),
    [
        (("ahu-oat",), {"ahu-oat - oat"}),
        (("ups-in",), {"ups_loss"}),
        (("chiller-heat",), {"chiller curve"}),
        (("hall-air", "supply"), {"hall-air", "supply"}),
        (("water-tower", "water-evap"), {"water-tower", "water-evap", "unmetered water-site"}),
    ],
    ids=lambda each: ",".join(sorted(each)) if isinstance(each, tuple) else "",
)
def test_fewer_meters_are_fewer_streams(without: tuple[str, ...], gone: set[str]) -> None:
    here, there = kinds(waste.site()), kinds(waste.site(*without))
    assert set(here) - set(there) == gone


def test_what_enters_is_watched_where_no_water_is_metered_below() -> None:
    assert kinds(waste.site("water-tower", "water-evap"))["water-site"] == "site_water"


def test_two_meters_leave_the_overhead_and_none_leave_nothing() -> None:
    two = sites.a_site({"main": "utility_import", "it": "it_ups"})
    assert kinds(two) == {"overhead": "overhead"}
    assert streams(sites.a_site({})) == ()


def test_each_ups_is_watched_by_itself_where_both_sides_of_each_are_metered() -> None:
    pairs = [
        sites.meter(f"{side}-{name}", role, equipment=name)
        for name in ("a", "b")
        for side, role in (("in", "ups_input"), ("out", "it_ups"))
    ]
    assert kinds(sites.a_site({}, *pairs)) == {"ups_loss in-a": "ups_loss", "ups_loss in-b": "ups_loss"}
    assert kinds(sites.a_site({}, *pairs[:3])) == {"ups_loss": "ups_loss"}


@pytest.mark.parametrize("count", [8, 9])
def test_many_meters_of_a_role_are_watched_as_their_sum(count: int) -> None:
    found = [each for each in streams(sites.a_site({f"f{i}": "fan" for i in range(count)})) if each.kind == "fan"]
    assert len(found) == (8 if count == 8 else 1)
    assert sum(len(each.meters) for each in found) == count


def test_a_site_without_weather_can_be_walked() -> None:
    where = waste.site("oat", "wet-bulb", "ahu-oat")
    assert weather_meters(where) == ()
    frame = waste.plant(where=where, hours=60 * 24)
    walk = run(begin(where, frame, Settings()))
    assert waste.found(walk) == []
    judged = {walk.streams[i].space for i in np.flatnonzero(~np.isnan(walk.z).all(axis=0))}
    assert "profile" in judged
    assert "load" in judged


def test_every_single_meter_removed_leaves_a_site_that_can_be_walked() -> None:
    frame = waste.plant(hours=43 * 24)
    for name in waste.POINTS:
        where = waste.site(name)
        part = replace(frame, site=where, value={key: frame.value[key] for key in where.meters})
        assert waste.found(run(begin(where, part, Settings()))) == [], name


def test_a_judgement_names_every_meter_that_it_goes_by() -> None:
    where = waste.site()
    by_name = {stream.name: inputs(stream, where) for stream in streams(where)}
    assert set(by_name["fan-east"]) == {"fan-east", "ups-out", "oat", "wet-bulb"}
    assert set(by_name["ups_loss"]) == {"ups-in", "ups-out"}
    assert by_name["house"][0] == "house"
    assert "ups-out" not in by_name["house"]
    assert set(by_name["chiller curve"]) == {"chiller", "chiller-heat", "cw-supply", "chw-supply"}


# -- their values ------------------------------------------------------------------------------------------------------


def test_values_are_the_signed_sum_and_missing_where_a_meter_is() -> None:
    frame = waste.blank(waste.plant(hours=48), ["ups-in"], 5, 7)
    loss = next(stream for stream in streams(frame.site) if stream.kind == "ups_loss")
    column = values(loss, frame)
    assert np.isnan(column[5:7]).all()
    assert column[:5] == pytest.approx(frame.value["ups-in"][:5] - frame.value["ups-out"][:5])


def gated(frame: Frame) -> np.ndarray:
    return values(next(stream for stream in streams(frame.site) if stream.kind == "chiller_curve"), frame)


def test_a_machine_is_compared_only_where_it_runs() -> None:
    frame = waste.plant(hours=90 * 24)
    column, heat = gated(frame), frame.value["chiller-heat"]
    assert np.isnan(column[heat == 0]).all()
    assert not np.isnan(column[heat > 0.5 * heat.max()]).any()


def test_what_counts_as_running_does_not_depend_on_later_hours() -> None:
    stop = 60 * 24
    frame = waste.plant(hours=90 * 24, load=np.where(np.arange(90 * 24) < stop, 1.0, 3.0))
    early = gated(frame.part(slice(0, stop)))
    assert np.array_equal(gated(frame)[:stop], early, equal_nan=True)


# -- hours -------------------------------------------------------------------------------------------------------------


def grid_of(value: np.ndarray, measured: np.ndarray, start: int, site: Site) -> SiteGrid:
    at = start + np.arange(len(value), dtype=np.int64) * 15 * MINUTE
    return SiteGrid(start=at, grid=15 * MINUTE, value={"main": value}, measured={"main": measured})


def test_hours_are_whole_and_energy_becomes_power() -> None:
    site = sites.a_site({"main": "utility_import"})
    frame = hourly(site, grid_of(np.arange(12.0), np.ones(12), sites.T0 + 30 * MINUTE, site))
    assert frame.start.tolist() == [sites.T0 + HOUR, sites.T0 + 2 * HOUR]
    assert frame.value["main"].tolist() == [2 + 3 + 4 + 5, 6 + 7 + 8 + 9]


def test_an_hour_needs_half_of_its_intervals_measured() -> None:
    site = sites.a_site({"main": "utility_import"})
    value = np.array([1.0, np.nan, 1.0, np.nan, 1.0, np.nan, np.nan, np.nan, 1.0, 1.0, 1.0, 1.0])
    measured = np.array([1.0] * 8 + [0.49, 0.49, 0.49, 1.0])
    power = hourly(site, grid_of(value, measured, sites.T0, site)).value["main"]
    assert power[0] == pytest.approx(4.0)
    assert np.isnan(power[1:]).all()


def test_an_empty_grid_is_an_empty_frame() -> None:
    site = sites.a_site({"main": "utility_import"})
    assert len(hourly(site, grid_of(np.empty(0), np.empty(0), sites.T0, site))) == 0


def test_local_hours_follow_the_sites_clocks() -> None:
    frame = waste.plant(hours=365 * 24)
    steps = np.diff(frame.local_hours)
    assert sorted(set(steps.tolist())) == [0, 1, 2]
    assert (steps == 0).sum() == (steps == 2).sum() == 1


# -- causes ------------------------------------------------------------------------------------------------------------


def test_every_family_has_words() -> None:
    assert set(WORDS) == set(FAMILIES)
    for family, words in WORDS.items():
        assert "{" not in words.title.format(where="x"), family
        assert words.advice.endswith(".")


def test_causes_name_families_and_kinds_of_streams_that_exist() -> None:
    for cause in CAUSES:
        assert cause.family in FAMILIES
        assert {kind for kind, _ in cause.shown_by} <= KINDS, cause.family
        assert set(cause.moves) <= KINDS, cause.family
        assert {cause.counts, cause.unless} - {None} <= KINDS, cause.family
        assert {way for _, way in cause.shown_by} <= {-1, 0, 1}


def test_every_kind_of_stream_shows_some_cause() -> None:
    shows = {kind for cause in CAUSES for kind, _ in cause.shown_by}
    assert shows == KINDS


def test_every_watched_role_is_one_that_meters_may_have() -> None:
    assert set(KIND_OF_ROLE) | set(POINT_ROLES) <= set(ROLES)


def test_causes_run_from_upstream_down() -> None:
    """A cause never follows from one that is tried after it, but where both follow from each other's kinds."""
    place = {cause.family: number for number, cause in reversed(list(enumerate(CAUSES)))}
    order = ["sensor_bias", "overcooling", "economizer", "chilled_water_setpoint", "chiller_efficiency"]
    order += ["pump_power", "fan_power", "water_use", "pue_drift"]
    assert [place[family] for family in order] == sorted(place[family] for family in order)


def test_a_departure_the_other_way_shows_no_cause() -> None:
    shown_by = {(cause.family, sign) for cause in CAUSES for sign in (-1, 1) if shown(cause, "hall", sign)}
    assert shown_by == {("overcooling", -1)}
    ups = next(cause for cause in CAUSES if cause.family == "ups_loss")
    assert explains(ups, "ups_loss")
    assert explains(ups, "chiller")
    assert not explains(ups, "lighting")
