"""How a case is told: an id that stays, bounds, money, carbon, words with numbers, and a course."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pytest

from analytics.anomaly.compose import finding, identifier
from analytics.anomaly.walk import Walk
from tests import waste
from tests.waste import HOURS, T0, YEAR, Waste, found, plant, truth, walked
from wattwell.engine.finding_shapes import course_document, finding_document
from wattwell.finding import FAMILIES, FINDING_STATES, Estimate, Finding
from wattwell.intervals import HOUR
from wattwell.model import Factor

START, END = YEAR + 10 * 24, YEAR + 31 * 24
HEATER = Waste("heater", START, END, 5.0)
LEAK = Waste("leak", START, END, 60.0)


@pytest.fixture(scope="module")
def walk() -> Walk:
    """With a heater and a leak."""
    return walked(plant(HEATER, LEAK))


@pytest.fixture(scope="module")
def told(walk: Walk) -> dict[str, Finding]:
    """By family."""
    return {each.family: each for each in found(walk)}


def priced(walk: Walk, **changes: object) -> dict[str, Finding]:
    """What would be told at other prices and factors."""
    other = replace(walk.site, **changes)  # type: ignore[arg-type]
    walk = replace(walk, site=other)
    return {each.family: each for each in found(walk)}


def amount(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


# -- who ---------------------------------------------------------------------------------------------------------------


def test_ids_are_safe_in_a_url_and_say_what_and_when(walk: Walk) -> None:
    for each in found(walk):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", each.id)
        assert quote(each.id) == each.id
        assert each.id.startswith("s.")
    assert identifier(walk.site, "ahu-oat - oat %/ü", T0) == "s.ahu-oat---oat-.20240501T00"


def test_ids_and_detection_stay_while_a_finding_goes_on_and_after(walk: Walk) -> None:
    case = walk.cases[0]
    tellings = [finding(walk, case, until) for until in range(case.detected + 1, HOURS, 200)]
    assert len({(each.id, each.family, each.detected_at, each.start) for each in tellings}) == 1
    assert {each.status for each in tellings} == {"open", "closed"}


def test_a_finding_has_the_shape_that_is_published(told: dict[str, Finding], walk: Walk) -> None:
    assert set(told) == {"unexpected_load", "water_use"}
    for each in told.values():
        assert each.family in FAMILIES
        assert each.status in FINDING_STATES
        assert each.start < each.detected_at
        assert each.end is None or each.start < each.end
        assert each.note is None
        assert each.start % HOUR == each.detected_at % HOUR == 0
        json.dumps(finding_document(each, walk.site, each.detected_at), allow_nan=False)
        json.dumps([course_document(course) for course in each.course], allow_nan=False)


# -- how much ----------------------------------------------------------------------------------------------------------


def test_the_bounds_hold_the_truth_and_the_value(told: dict[str, Finding]) -> None:
    heater, leak = told["unexpected_load"].excess_kwh, told["water_use"].excess_l
    assert heater is not None
    assert leak is not None
    assert heater.low < heater.value < heater.high
    assert leak.low <= truth(LEAK)[1] <= leak.high
    assert abs(heater.value - truth(HEATER)[0]) < 0.1 * truth(HEATER)[0]
    assert heater.value - heater.low == pytest.approx(heater.high - heater.value)


def test_what_uses_no_water_tells_none_and_the_other_way_round(told: dict[str, Finding]) -> None:
    assert told["water_use"].excess_kwh is None


def test_confidence_is_between_a_half_and_one_and_grows_with_the_departure(told: dict[str, Finding]) -> None:
    assert all(0.5 < each.confidence < 1 for each in told.values())
    small = found(walked(plant(Waste("heater", START, END, 0.6))))
    assert small[0].confidence < told["unexpected_load"].confidence


def test_an_excess_that_goes_on_grows_and_tells_its_power(walk: Walk) -> None:
    case = next(each for each in walk.cases if walk.streams[each.first].name == "house")
    early, late = (finding(walk, case, START + 24 * days) for days in (5, 10))
    assert amount(late.excess_kwh) == pytest.approx(2 * amount(early.excess_kwh), rel=0.1)
    assert early.watts == pytest.approx(5000, rel=0.15)


def test_what_was_mended_saves_what_it_drew_for_a_year_and_what_goes_on_saves_nothing(walk: Walk) -> None:
    case = next(each for each in walk.cases if walk.streams[each.first].name == "house")
    saving = finding(walk, case, HOURS).saving
    assert saving is not None
    assert saving.low <= 5.0 * 8760 <= saving.high
    assert finding(walk, case, END - 24).saving is None


# -- money and carbon --------------------------------------------------------------------------------------------------


def test_cost_is_the_excess_at_the_sites_prices(told: dict[str, Finding], walk: Walk) -> None:
    heater, leak = told["unexpected_load"], told["water_use"]
    assert leak.cost == pytest.approx(amount(leak.excess_l) / 1000 * 3.0)
    energy = amount(heater.excess_kwh) * 0.2
    water = 0.0 if heater.excess_l is None else heater.excess_l.value / 1000 * 3.0
    assert heater.cost == pytest.approx(energy + water)
    assert {each.cost for each in priced(walk, prices=None).values()} == {None}


def test_carbon_is_the_excess_at_a_constant_factor(told: dict[str, Finding], walk: Walk) -> None:
    assert told["unexpected_load"].carbon_kg is None
    found = priced(walk, factors={"grid_kg_per_kwh": Factor(constant=0.4)})
    assert found["unexpected_load"].carbon_kg == pytest.approx(0.4 * amount(found["unexpected_load"].excess_kwh))
    assert found["water_use"].carbon_kg is None


def hourly(values: np.ndarray, first: int = 0) -> dict[str, Factor]:
    at = T0 + (first + np.arange(len(values), dtype=np.int64)) * HOUR
    return {"grid_kg_per_kwh": Factor(hours=at, values=values)}


def test_carbon_by_the_hour_takes_the_factor_of_the_time(walk: Walk) -> None:
    values = np.full(HOURS, 0.1)
    values[START:] = 0.5
    found = priced(walk, factors=hourly(values))["unexpected_load"]
    assert found.carbon_kg == pytest.approx(0.5 * amount(found.excess_kwh), rel=0.02)
    nothing = priced(walk, factors=hourly(np.full(24, 0.1)))["unexpected_load"]
    assert nothing.carbon_kg is None


# -- words and pictures ------------------------------------------------------------------------------------------------


def test_the_text_says_where_and_how_much_with_numbers(told: dict[str, Finding]) -> None:
    heater = told["unexpected_load"]
    assert "house" in heater.title
    assert re.search(r"house is at 8\.\d+ kW where like hours had 3\.\d+ kW", heater.cause)
    assert "2025-05-1" in heater.cause
    assert heater.cause.endswith(".")
    assert heater.advice.endswith(".")
    assert not {"{", "}"} & set(heater.title + heater.cause + heater.advice)


def test_the_evidence_is_finite_numbers_with_units(told: dict[str, Finding]) -> None:
    evidence = told["unexpected_load"].evidence
    assert evidence["house [kW]"] == pytest.approx(8.2, abs=0.3)
    assert evidence["house expected [kW]"] == pytest.approx(3.2, abs=0.3)
    assert all(isinstance(each, str) or (each is not None and math.isfinite(each)) for each in evidence.values())


def test_a_course_runs_from_a_week_before_to_two_days_after_in_at_most_some_hundred_steps(
    told: dict[str, Finding],
) -> None:
    for each in told.values():
        assert each.end is not None
        assert 1 <= len(each.course) <= 2
        for course in each.course:
            begin, end = course.start[0], course.start[-1] + course.step
            assert each.start - 7 * 24 * HOUR <= begin < each.start - 7 * 24 * HOUR + course.step
            assert end == each.end + 48 * HOUR
            assert len(course.start) <= 400
            assert set(np.diff(course.start)) == {course.step}
            columns = (course.actual, course.expected, course.low, course.high)
            assert {len(column) for column in columns} == {len(course.start)}
            for low, expected, high in zip(course.low, course.expected, course.high, strict=True):
                assert low is None or expected is None or high is None or low <= expected <= high


def test_a_course_of_months_has_longer_steps() -> None:
    told = found(walked(plant(Waste("heater", START, HOURS, 5.0))))[0]
    assert told.course[0].step > HOUR
    assert len(told.course[0].start) <= 400
    assert told.course[0].start[-1] + told.course[0].step == HOURS * HOUR + T0


def test_hours_without_values_are_gaps_in_the_course() -> None:
    frame = waste.blank(plant(HEATER), ["house"], START + 48, START + 54)
    course = found(walked(frame))[0].course[0]
    assert None in course.actual
    assert all(each is None or math.isfinite(each) for each in course.actual)
