"""METERING, Accumulation and Quality: delta and instantaneous meters, gaps, and the 10 % rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analytics.resample import resample
from analytics.segments import ESTIMATED, MEASURED, RECOVERED, segments_of
from tests.support import T0, a_meter, folded
from wattwell.intervals import MINUTE, SECOND
from wattwell.model import Accumulation, Interpolation, IntervalValues, Meter
from wattwell.units import QuantityKind

DELTA = a_meter(accumulation=Accumulation.DELTA)


def rate(quantity: QuantityKind = QuantityKind.POWER, unit: str = "kW", **changes: Any) -> Meter:
    return a_meter(quantity=quantity, unit=unit, accumulation=Accumulation.INSTANTANEOUS, max_rate=None, **changes)


def minutes(values: IntervalValues) -> dict[int, float]:
    return {int(m): v for m, v in zip((values.start - T0) // MINUTE, values.value, strict=True)}


# (rule, series, minute -> kWh, transients as (minute, amount))
DELTAS: list[tuple[str, str, dict[int, float], list[tuple[int, float]]]] = [
    ("the first of a stream books nothing", "7", {}, []),
    ("amounts since the previous reading", "7 1 2", {0: 1, 1: 2}, []),
    ("spread evenly over the time since it", "7 _ _ 6", {0: 2, 1: 2, 2: 2}, []),
    ("a zero is an amount", "7 0 2", {0: 0, 1: 2}, []),
    ("above max_rate x time: transient, its time missing", "7 1 101 3", {0: 1, 2: 3}, [(2, 101)]),
    ("more time allows more", "7 _ 150", {0: 75, 1: 75}, []),
    ("two transients", "7 101 102 3", {2: 3}, [(1, 101), (2, 102)]),
    ("a rejected one ends the time before it; its own time is missing", "7 1 nan 3", {0: 1, 2: 3}, []),
    ("two rejected ones", "7 1 nan nan 3", {0: 1, 3: 3}, []),
    ("a rejected one at the end", "7 1 nan", {0: 1}, []),
    ("nothing is known before the first accepted one", "nan 7 1", {1: 1}, []),
    ("however many were rejected before it", "nan nan 7 1", {2: 1}, []),
    ("exactly max_gap is no gap", "7 @5m 5", {0: 1, 1: 1, 2: 1, 3: 1, 4: 1}, []),
    ("across a gap: missing, not bridged", "7 @6m 5 1", {6: 1}, []),
    ("a rejected one parts a gap in two", "7 _ _ _ nan _ _ _ 4", {4: 1, 5: 1, 6: 1, 7: 1}, []),
]


@pytest.mark.parametrize(("rule", "text", "books", "transients"), DELTAS, ids=[row[0] for row in DELTAS])
def test_delta(rule: str, text: str, books: dict[int, float], transients: list[tuple[int, float]]) -> None:
    values, events = folded(DELTA, text)
    assert minutes(values) == pytest.approx(books, abs=1e-9)
    assert values.measured.tolist() == [1.0] * len(books)
    assert not values.recovered.any()
    found = [(e.event, (e.at - T0) // MINUTE, e.before, e.after, e.booked, e.unit, e.state) for e in events]
    assert found == [("transient", minute, None, amount, 0.0, "kWh", "booked") for minute, amount in transients]


def test_delta_of_water_in_cubic_metres_with_a_multiplier() -> None:
    meter = a_meter(
        accumulation=Accumulation.DELTA,
        quantity=QuantityKind.WATER,
        unit="m3",
        max_rate=100.0,
        factors=((-(2**62), 10.0),),
    )
    assert minutes(folded(meter, "0 0.5 0.6")[0]) == pytest.approx({0: 5000, 1: 6000})
    assert len(folded(meter, "0 0.5 0.6001")[1]) == 1


# (rule, meter, series, minute -> value)
RATES: list[tuple[str, Meter, str, dict[int, float]]] = [
    ("one sample says nothing", rate(), "60", {}),
    ("linear between neighbours", rate(), "60 120 120", {0: 1.5, 1: 2.0}),
    ("step holds until the next", rate(interpolation=Interpolation.STEP), "60 120 120", {0: 1.0, 1: 2.0}),
    ("linear is cut at the grid's edges", rate(), "60 _ 180", {0: 1.5, 1: 2.5}),
    ("step is cut too", rate(interpolation=Interpolation.STEP), "60 _ 180", {0: 1.0, 1: 1.0}),
    ("a gap is missing", rate(), "60 60 @7m 60 60", {0: 1.0, 7: 1.0}),
    ("a gap is missing for a step too", rate(interpolation=Interpolation.STEP), "60 60 @7m 60 60", {0: 1.0, 7: 1.0}),
    ("exactly max_gap is no gap", rate(), "60 @5m 60", dict.fromkeys(range(5), 1.0)),
    ("a rejected sample is none", rate(), "60 nan 180", {0: 1.5, 1: 2.5}),
    ("rejected samples make a gap", rate(), "60 nan nan nan nan nan 60", {}),
    ("negative power is power", rate(), "-60 60 60", {0: 0.0, 1: 1.0}),
    ("sign -1", rate(factors=((-(2**62), -1.0),)), "60 60", {0: -1.0}),
    ("power in W to kWh", rate(unit="W"), "60000 60000", {0: 1.0}),
    ("power in MW to kWh", rate(unit="MW"), "0.06 0.06", {0: 1.0}),
    ("flow in L/s to litres", rate(QuantityKind.FLOW, "L/s"), "2 2", {0: 120.0}),
    ("flow in L/min to litres", rate(QuantityKind.FLOW, "L/min"), "2 4", {0: 3.0}),
    ("flow in m3/h to litres", rate(QuantityKind.FLOW, "m3/h"), "6 6", {0: 100.0}),
    ("flow in gal/min to litres", rate(QuantityKind.FLOW, "gal/min"), "10 10", {0: 37.85411784}),
    ("temperature: the mean", rate(QuantityKind.TEMPERATURE, "degC"), "20 22 24", {0: 21.0, 1: 23.0}),
    ("temperature in degF: the mean", rate(QuantityKind.TEMPERATURE, "degF"), "68 86", {0: 25.0}),
    ("temperature in K", rate(QuantityKind.TEMPERATURE, "K"), "273.15 275.15", {0: 1.0}),
    ("difference in degF", rate(QuantityKind.TEMPERATURE_DIFFERENCE, "degF"), "9 9", {0: 5.0}),
    ("humidity in %", rate(QuantityKind.HUMIDITY, "%"), "40 60", {0: 0.5}),
    ("pressure in mbar", rate(QuantityKind.PRESSURE, "mbar"), "1 3", {0: 200.0}),
    ("ratio", rate(QuantityKind.RATIO, "1"), "0 1", {0: 0.5}),
    ("a state: step", rate(QuantityKind.RATIO, "1", interpolation=Interpolation.STEP), "0 1 1", {0: 0.0, 1: 1.0}),
    ("dated multiplier on a rate", rate(factors=((-(2**62), 1.0), (T0 + 30 * SECOND, 3.0))), "60 60", {0: 2.0}),
]


@pytest.mark.parametrize(("rule", "meter", "text", "expected"), RATES, ids=[row[0] for row in RATES])
def test_instantaneous(rule: str, meter: Meter, text: str, expected: dict[int, float]) -> None:
    values, events = folded(meter, text)
    assert minutes(values) == pytest.approx(expected, abs=1e-9)
    assert values.measured.tolist() == [1.0] * len(expected)
    assert not values.recovered.any()
    assert not events


def test_a_mean_is_weighted_by_time_and_not_by_samples() -> None:
    meter = rate(QuantityKind.TEMPERATURE, "degC", interpolation=Interpolation.STEP, max_gap=60 * MINUTE)
    values, _ = folded(meter, "10 40 @15m 40", grid=15 * MINUTE)
    assert values.value.tolist() == pytest.approx([(10 * 1 + 40 * 14) / 15])


# -- the 10 % rule --------------------------------------------------------------------------------------------------

SPAN = 10 * MINUTE


def one_interval(meter: Meter, *rows: tuple[int, int, float, int]) -> IntervalValues:
    """The interval of 10 minutes at T0 of segments in microseconds after it."""
    return resample(
        meter, segments_of([(T0 + a, T0 + b, amount, amount, kind) for a, b, amount, kind in rows]), T0, T0 + SPAN, SPAN
    )


@pytest.mark.parametrize("missing_at", ["start", "end", "middle"])
def test_a_missing_tenth_is_scaled_up_and_counts_as_estimated(missing_at: str) -> None:
    known = {
        "start": [(MINUTE, SPAN, 9.0, MEASURED)],
        "end": [(0, 9 * MINUTE, 9.0, MEASURED)],
        "middle": [(0, 4 * MINUTE, 4.0, MEASURED), (5 * MINUTE, SPAN, 5.0, MEASURED)],
    }[missing_at]
    values = one_interval(a_meter(), *known)
    assert values.value.tolist() == pytest.approx([10.0], abs=1e-12)
    assert values.measured.tolist() == pytest.approx([0.9])


def test_a_microsecond_more_than_a_tenth_is_missing_as_a_whole() -> None:
    assert not len(one_interval(a_meter(), (MINUTE + 1, SPAN, 9.0, MEASURED)))
    assert len(one_interval(a_meter(), (MINUTE, SPAN, 9.0, MEASURED))) == 1


def test_a_mean_is_of_the_known_time() -> None:
    meter = rate(QuantityKind.TEMPERATURE, "degC")
    assert one_interval(meter, (MINUTE, SPAN, 21.0, MEASURED)).value.tolist() == pytest.approx([21.0], abs=1e-12)


def test_a_negative_amount_is_scaled_up_too() -> None:
    meter = a_meter(factors=((-(2**62), -1.0),))
    assert one_interval(meter, (MINUTE, SPAN, 9.0, MEASURED)).value.tolist() == pytest.approx([-10.0], abs=1e-12)


def test_shares_are_of_the_whole_interval() -> None:
    values = one_interval(
        a_meter(),
        (0, 5 * MINUTE, 5.0, MEASURED),
        (5 * MINUTE, 8 * MINUTE, 3.0, ESTIMATED),
        (8 * MINUTE, 9 * MINUTE + 30 * SECOND, 1.5, RECOVERED),
    )
    assert values.measured.tolist() == [0.5]
    assert values.recovered.tolist() == [True]
    assert values.value.tolist() == pytest.approx([10.0])


def test_estimated_alone_is_not_recovered() -> None:
    values = one_interval(a_meter(), (0, SPAN, 5.0, ESTIMATED))
    assert (values.measured.tolist(), values.recovered.tolist()) == ([0.0], [False])


def test_nothing_known_has_no_row() -> None:
    assert not len(one_interval(a_meter()))
    assert not len(one_interval(a_meter(), (2 * SPAN, 3 * SPAN, 5.0, MEASURED)))


def test_the_ends_of_a_stream_are_missing_and_scaled_like_any_other_time() -> None:
    """A stream from 00:01:30 to 00:28:30 covers nine tenths of both quarters; one from 00:01:31 does not."""
    at = "@1.5m 0 @4m 10 @8m 20 @12m 30 @16m 40 @20m 50 @24m 60 @28.5m 70"
    assert len(folded(a_meter(), at, grid=15 * MINUTE)[0]) == 2
    late = at.replace("@1.5m", "@1.6m")
    values, _ = folded(a_meter(), late, grid=15 * MINUTE)
    assert ((values.start - T0) // MINUTE).tolist() == [15]
    assert values.measured.tolist() == pytest.approx([0.9])


def test_microseconds_are_kept() -> None:
    meter = rate(interpolation=Interpolation.STEP)
    shifted = T0 + 7
    segments = segments_of([(shifted, shifted + MINUTE, 3600.0, 3600.0, MEASURED)])
    values = resample(meter, segments, T0, T0 + 2 * MINUTE, MINUTE)
    assert len(values) == 1
    assert values.measured[0] == (MINUTE - 7) / MINUTE
    np.testing.assert_allclose(values.value, [60.0], rtol=1e-12)
