"""A simulated site: healthy it says nothing, and each fault that is injected is named at its meter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.faulty import STEP, Distort, distorted, simulated, telemetry, told
from wattwell.intervals import DAY, HOUR, MINUTE, parse_iso
from wattwell.model import Float64

WINTER = parse_iso("2026-01-12T00:00:00Z")
SUMMER = parse_iso("2026-08-03T00:00:00Z")


def times(factor: float) -> Distort:
    return lambda value: value * factor


def backwards(value: Float64) -> Float64:
    turned: Float64 = np.round(2 * value[0] - value, 6)
    return turned


def negative(value: Float64) -> Float64:
    return -value


def stands_from(days: float) -> Distort:
    place = round(days * DAY / STEP)
    return lambda value: np.where(np.arange(len(value)) < place, value, value[place])


@pytest.mark.parametrize(("days", "seed", "begin"), [(30, 1, SUMMER), (8, 2, WINTER), (8, 3, SUMMER)])
def test_a_healthy_site_has_no_finding(tmp_path: Path, days: float, seed: int, begin: int) -> None:
    assert distorted(tmp_path, telemetry(days, seed, begin)) == []


def test_nor_has_its_history_from_a_file(tmp_path: Path) -> None:
    assert distorted(tmp_path, telemetry(), bulk=True) == []


def test_nor_has_a_site_of_which_little_is_known(tmp_path: Path) -> None:
    few = telemetry(19 * STEP / DAY)
    spoilt = {"ups-out": times(1000), "lights": negative, "main": backwards, "chiller": stands_from(0)}
    assert distorted(tmp_path, few, spoilt, clocks={"ups-in": -2 * HOUR}) == []


@pytest.mark.parametrize(
    ("meter", "distort", "code", "words"),
    [
        # a current transformer the wrong way round
        ("ups-out", backwards, "meter.reversed", "its dial counts down: 288 of 288 steps"),
        ("ahu-east", backwards, "meter.reversed", "its dial counts down"),
        ("lights", negative, "meter.reversed", "though its role is lighting"),
        ("house", negative, "meter.reversed", "readings were rejected because they are below zero"),
        ("ahu-east", stands_from(0), "meter.reversed", "as much as its siblings count (ahu-west"),
        # another unit
        ("ups-out", times(1000), "meter.unit", "above its max_rate of 1,000 kW; it is declared in kWh, and with Wh"),
        ("main", times(1000), "meter.unit", "with Wh (1/1,000 of it)"),
        ("utility", times(1000), "meter.unit", "it is declared in MWh, and with kWh (1/1,000 of it)"),
        ("lights", times(1000), "meter.unit", "it is declared in kW, and with W"),
        ("house", times(1000), "meter.unit", "and with 0.001 Wh (1/1,000 of it)"),
        ("water-main", times(1000), "meter.unit", "it is declared in m3, and with L"),
        ("ups-out", times(0.001), "meter.unit", "in the balance of ups-in; it is declared in kWh, and with MWh"),
        ("ups-in", times(0.001), "meter.unit", "it is declared in kWh, and with MWh (1,000 of it)"),
        ("main", times(0.001), "meter.unit", "it is declared in kWh, and with MWh (1,000 of it)"),
        ("water-main", times(0.001), "meter.unit", "and with 1000 m3 (1,000 of it)"),
        ("chiller", times(3.6), "meter.unit", "it is declared in MWh, and with GJ (1/3.6 of it)"),
        # never moves
        ("ups-out", stands_from(0), "meter.frozen", "has shown 921000 kWh since"),
        (
            "ups-out",
            stands_from(5),
            "meter.frozen",
            "3.0 d, 289 readings looked at); utility, pv, main moved meanwhile",
        ),
        ("main", stands_from(5), "meter.frozen", "the meters below it counted"),
        ("chiller", stands_from(5), "meter.frozen", "of main are unaccounted for since, and the balance closed before"),
        ("water-main", stands_from(5), "meter.frozen", "the meters below it counted"),
        ("oat", stands_from(5), "meter.frozen", "the weather does not stand still"),
        # sums
        ("main", lambda value: value[0] + 0.6 * (value - value[0]), "balance.children", "the largest are ups-in"),
    ],
)
def test_a_fault_is_named_at_its_meter(tmp_path: Path, meter: str, distort: Distort, code: str, words: str) -> None:
    found = distorted(tmp_path, telemetry(), {meter: distort})
    assert told(found) == [(code, meter)]
    assert words in found[0].message
    assert found[0].remedy
    assert found[0].evidence


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (2 * HOUR, "2 h ahead of arrival (median of 1000 readings, rejected as clock.future, spread 0 s), like local"),
        (-2 * HOUR, "2 h behind arrival (median of 289 readings, spread 0 s), like UTC sent as local time; its last"),
        (
            -37 * MINUTE,
            "37 min behind arrival (median of 289 readings, spread 0 s); its last one says 2026-05-11T23:13",
        ),
        (-19_000 * DAY, "19,000.0 d behind arrival (median of 1000 readings, rejected as clock.past"),
    ],
)
def test_a_clock_that_is_off(tmp_path: Path, ahead: int, words: str) -> None:
    found = distorted(tmp_path, telemetry(), clocks={"ups-out": ahead})
    assert told(found) == [("meter.clock", "ups-out")]
    assert words in found[0].message


@pytest.mark.parametrize("ahead", [-9 * MINUTE, 4 * MINUTE])
def test_a_clock_that_is_near_enough(tmp_path: Path, ahead: int) -> None:
    assert distorted(tmp_path, telemetry(), clocks={"ups-out": ahead}) == []


def test_several_faults_at_once(tmp_path: Path) -> None:
    spoilt = {"ups-out": times(0.001), "lights": negative, "oat": stands_from(0), "tower-makeup": backwards}
    found = distorted(tmp_path, telemetry(), spoilt, clocks={"cw-pump": -HOUR})
    assert set(told(found)) == {
        ("meter.unit", "ups-out"),
        ("meter.reversed", "lights"),
        ("meter.reversed", "tower-makeup"),
        ("meter.clock", "cw-pump"),
        ("meter.frozen", "oat"),
    }


def test_a_site_that_draws_less_than_its_it(tmp_path: Path) -> None:
    found = distorted(tmp_path, telemetry(), {"utility": times(0.001)})
    assert told(found) == [("pue.below_one", None), ("meter.unit", "utility")]
    below = found[0]
    assert below.severity == "error"
    assert below.message.startswith("PUE of the last day is 0.297: the IT load of 8,707.36 kWh (ups-out 8,707.36 kWh)")
    assert "(pv 2,575.01 kWh, utility 8.2006 kWh" in below.message
    assert below.evidence["e_it"] == pytest.approx(8707.36)


def test_declaring_the_right_unit_ends_it(tmp_path: Path) -> None:
    watt_hours = simulated(tmp_path, ups_out={"unit": "Wh", "rollover_at": 10**9, "resolution": 10})
    assert distorted(tmp_path, telemetry(), {"ups-out": times(1000)}, watt_hours) == []


def test_a_sign_that_is_meant_is_no_fault(tmp_path: Path) -> None:
    assert distorted(tmp_path, telemetry(), {"lights": negative}, simulated(tmp_path, lights={"sign": -1})) == []
