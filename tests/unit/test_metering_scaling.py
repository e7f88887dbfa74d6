"""METERING: units, multipliers and signs after the dial; the bound of ``max_rate`` in real flow, equal is plausible."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics.fold import MeterFold
from analytics.resample import resample
from analytics.segments import FoldState, segments_of
from tests.support import T0, a_meter, folded, series
from wattwell.intervals import HOUR, MINUTE, SECOND
from wattwell.model import Accumulation, Correction, Meter
from wattwell.units import QuantityKind

EVER = -(2**62)
WATER = {"quantity": QuantityKind.WATER}


def total(meter: Meter, text: str) -> float:
    return float(folded(meter, text)[0].value.sum())


# (rule, meter, a step equal to the bound of one minute in the meter's own unit, what it books in kWh or L)
BOUNDS: list[tuple[str, dict[str, Any], float, float]] = [
    ("kWh dial, kW", {"max_rate": 6000.0}, 100.0, 100.0),
    ("MWh dial, kW", {"unit": "MWh", "max_rate": 6000.0}, 0.1, 100.0),
    ("Wh dial, kW", {"unit": "Wh", "max_rate": 6.0}, 100.0, 0.1),
    ("GJ dial, kW", {"unit": "GJ", "max_rate": 6000.0}, 0.36, 100.0),
    ("m3 dial, L/s", WATER | {"unit": "m3", "max_rate": 10.0}, 0.6, 600.0),
    ("L dial, L/s", WATER | {"unit": "L", "max_rate": 10.0}, 600.0, 600.0),
    ("ft3 dial, L/s", WATER | {"unit": "ft3", "max_rate": 28.316846592}, 60.0, 60 * 28.316846592),
    ("gal dial, L/s", WATER | {"unit": "gal", "max_rate": 3.785411784}, 60.0, 60 * 3.785411784),
    ("multiplier 40", {"max_rate": 6000.0, "factors": ((EVER, 40.0),)}, 2.5, 100.0),
    ("multiplier 0.1", {"max_rate": 6000.0, "factors": ((EVER, 0.1),)}, 1000.0, 100.0),
    ("multiplier 40 on MWh", {"unit": "MWh", "max_rate": 6000.0, "factors": ((EVER, 40.0),)}, 0.0025, 100.0),
    ("sign -1", {"max_rate": 6000.0, "factors": ((EVER, -1.0),)}, 100.0, -100.0),
    ("resolution in the dial's unit", {"unit": "MWh", "max_rate": 6000.0, "resolution": 0.5}, 0.6, 600.0),
    ("third of a kW", {"max_rate": 1.0}, 1 / 60, 1 / 60),
]


@pytest.mark.parametrize(("rule", "changes", "step", "books"), BOUNDS, ids=[row[0] for row in BOUNDS])
@pytest.mark.parametrize("level", [0.0, 1000.0, 123456.7])
def test_a_step_equal_to_the_bound_is_plausible_and_a_millionth_more_is_not(
    rule: str, changes: dict[str, Any], step: float, books: float, level: float
) -> None:
    meter = a_meter(**changes)
    values, events = folded(meter, f"{level!r} {level + step!r}")
    assert values.value.sum() == pytest.approx(books, rel=1e-7)
    assert not events
    above = step * (1 + 1e-6)
    assert not len(folded(meter, f"{level!r} {level + above!r}")[0])


@pytest.mark.parametrize(("rule", "changes", "step", "books"), BOUNDS, ids=[row[0] for row in BOUNDS])
def test_a_delta_equal_to_the_bound_is_plausible_and_without_resolution(
    rule: str, changes: dict[str, Any], step: float, books: float
) -> None:
    changes = {key: value for key, value in changes.items() if key != "resolution"}
    if rule.startswith("resolution"):
        step, books = 0.1, 100.0
    meter = a_meter(accumulation=Accumulation.DELTA, **changes)
    assert total(meter, f"0 {step!r}") == pytest.approx(books, rel=1e-9)
    values, (event,) = folded(meter, f"0 {step * (1 + 1e-6)!r}")
    assert not len(values)
    assert (event.event, event.state, event.booked) == ("transient", "booked", 0.0)


@pytest.mark.parametrize(
    ("changes", "booked", "unit"),
    [
        ({}, 3.0, "kWh"),
        ({"unit": "MWh", "max_rate": 1e6}, 3000.0, "kWh"),
        ({"factors": ((EVER, 40.0),), "max_rate": 1e6}, 120.0, "kWh"),
        ({"factors": ((EVER, -1.0),)}, 3.0, "kWh"),
        (WATER | {"unit": "m3", "max_rate": 1e6}, 3000.0, "L"),
        (WATER | {"unit": "gal", "max_rate": 1e6, "factors": ((EVER, 10.0),)}, 113.56235352, "L"),
    ],
)
def test_an_event_books_kwh_or_litres_after_the_multiplier_and_shows_dials_in_the_meters_unit(
    changes: dict[str, Any], booked: float, unit: str
) -> None:
    (event,) = folded(a_meter(**changes), "500 3 3")[1]
    assert (event.site, event.meter, event.event, event.at, event.state) == ("s", "m", "reset", T0 + MINUTE, "booked")
    assert (event.before, event.after, event.unit) == (500.0, 3.0, unit)
    assert event.booked == pytest.approx(booked, rel=1e-12)


def test_a_sign_turns_what_flows_and_not_the_dial() -> None:
    values, events = folded(a_meter(factors=((EVER, -1.0),)), "500 0 501 502 3 4")
    assert values.value.sum() == pytest.approx(-(2 + 4))
    assert [event.booked for event in events] == [0.0, 3.0]


def test_a_dated_multiplier_splits_the_pair_across_its_date_by_time() -> None:
    meter = a_meter(factors=((EVER, 1.0), (T0 + 90 * SECOND, 40.0)), max_rate=1e5)
    values, _ = folded(meter, "10 12 16 17")
    np.testing.assert_allclose(values.value, [2, 4 * (0.5 + 0.5 * 40), 40], rtol=1e-12)
    coarse, _ = folded(meter, "10 12 16 17", grid=15 * MINUTE)
    assert not len(coarse)  # 3 of 15 minutes known


def test_the_sign_may_be_dated_too() -> None:
    meter = a_meter(factors=((EVER, 1.0), (T0 + 60 * SECOND, -1.0), (T0 + 150 * SECOND, 2.0)))
    values, _ = folded(meter, "0 1 3 7")
    np.testing.assert_allclose(values.value, [1, -2, -4 * 0.5 + 4 * 0.5 * 2], rtol=1e-12)


def test_a_dated_multiplier_bounds_each_side_with_its_own() -> None:
    meter = a_meter(factors=((EVER, 1.0), (T0 + 30 * SECOND, 4.0)), max_rate=6000.0)
    assert folded(meter, "0 62.5")[0].value.sum() == pytest.approx(62.5 * (0.5 + 0.5 * 4))
    assert not len(folded(meter, "0 62.6")[0])


def test_events_across_a_dated_multiplier_book_what_the_intervals_show() -> None:
    meter = a_meter(factors=((EVER, 1.0), (T0 + HOUR, 3.0)))
    for text, name, changes in (
        ("500 @120m 700", "catch-up", {}),
        ("990 @120m 40", "rollover", {"rollover_at": 1000.0}),
        ("900 @120m 40 41", "reset", {}),
    ):
        values, (event,) = folded(a_meter(factors=meter.factors, **changes), text)
        assert event.event == name
        assert event.booked == pytest.approx(values.value[values.recovered].sum(), rel=1e-12)


def test_a_replacement_with_a_multiplier_books_both_parts_after_it() -> None:
    entered = Correction(
        site="s", meter="m", at=T0 + MINUTE, event="replacement", final=502.0, first=0.0, author="a", reason="r"
    )
    meter = a_meter(factors=((EVER, 10.0),), unit="MWh", max_rate=1e9)
    values, (event,) = folded(meter, "500 _ 3", corrections=[entered])
    assert event.booked == pytest.approx(50_000)
    assert values.value.tolist() == pytest.approx([20_000, 30_000])


def test_the_dial_is_read_in_the_meters_unit_before_any_rounding() -> None:
    """A 2^32 Wh rollover is exact in Wh; it would not be in MWh."""
    meter = a_meter(unit="Wh", rollover_at=2.0**32)
    values, (event,) = folded(meter, "4294967290 12")
    assert values.value.tolist() == [0.018]
    assert event.booked == 0.018


def test_segments_are_shared_out_by_time_and_add_up() -> None:
    segments = segments_of(
        [(T0 + 20 * SECOND, T0 + 100 * SECOND, 8.0, 8.0, 0), (T0 + 100 * SECOND, T0 + 180 * SECOND, 1.0, 1.0, 0)]
    )
    values = resample(a_meter(), segments, T0, T0 + 3 * MINUTE, MINUTE)
    assert ((values.start - T0) // MINUTE).tolist() == [1, 2]
    assert values.value.tolist() == pytest.approx([4 + 0.25, 0.75])


def test_a_fold_in_two_parts_goes_on_as_if_it_had_never_stopped() -> None:
    at, dial = series("500 0 501 502 900000 900001 3 4")
    whole = MeterFold(a_meter(), MINUTE)
    whole.feed(at, dial)
    values, events = whole.take_rest(), whole.take_events()
    for cut in range(len(at) + 1):
        parts = MeterFold(a_meter(), MINUTE, (), FoldState())
        parts.feed(at[:cut], dial[:cut])
        parts.feed(at[cut:], dial[cut:])
        assert parts.take_rest().value.tolist() == values.value.tolist()
        assert parts.take_events() == events
