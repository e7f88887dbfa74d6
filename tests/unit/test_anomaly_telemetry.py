"""Telemetry that cannot be believed is named as such, and is no ground for a finding about the plant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analytics.anomaly.frame import Frame
from analytics.anomaly.telemetry import LEARNT, SILENT, STILL, STILL_SENSOR, faults
from tests import waste
from tests.waste import HOURS, YEAR, blank, found, having, hours, plant, walked
from wattwell.finding import Finding
from wattwell.intervals import HOUR
from wattwell.model import MeterEvent

AT = YEAR + 10 * 24
EVENTS = ("reset", "jump", "replacement")


def event_of(what: str, meter: str, at: int) -> MeterEvent:
    """An entry of the meter ledger."""
    return MeterEvent(
        site="s", meter=meter, event=what, at=at, before=1000.0, after=1.0, booked=0.0, unit="kWh", state="booked"
    )


def metering(findings: list[Finding]) -> Finding:
    """The one finding, of metering."""
    assert [each.family for each in findings] == ["metering"], [each.cause for each in findings]
    return findings[0]


def still(frame: Frame, name: str, start: int, end: int, at: float | None = None) -> Frame:
    """A meter that shows one value for some hours."""
    column = frame.value[name].copy()
    column[start:end] = column[start] if at is None else at
    return having(frame, **{name: column})


def test_a_meter_that_falls_silent_is_one_finding_from_its_first_missing_hour() -> None:
    finding = metering(found(walked(blank(plant(), ["fan-east"], AT, AT + 48))))
    assert (finding.detector, finding.meters, finding.equipment) == ("silent", ("fan-east",), "ahu-east")
    assert hours(finding) == (AT, AT + SILENT, AT + 48)
    assert finding.status == "closed"
    assert (finding.excess_kwh, finding.excess_l, finding.cost) == (None, None, None)


def test_a_short_silence_is_none() -> None:
    assert found(walked(blank(plant(), ["fan-east"], AT, AT + SILENT - 1))) == []


def test_a_silence_that_goes_on_is_open() -> None:
    finding = metering(found(walked(blank(plant(), ["fan-east"], HOURS - 20, HOURS))))
    assert (finding.status, finding.end) == ("open", None)


def test_meters_that_fall_silent_together_are_one_finding() -> None:
    some = metering(found(walked(blank(plant(), ["oat", "wet-bulb"], AT, AT + 48))))
    assert some.meters == ("oat", "wet-bulb")
    every = metering(found(walked(blank(plant(), waste.POINTS, AT, AT + 48))))
    assert set(every.meters) == set(waste.POINTS)
    assert "all meters" in every.title


def test_a_meter_never_heard_of_is_not_silent() -> None:
    frame = having(plant(hours=90 * 24), house=np.full(90 * 24, np.nan))
    assert faults(frame, ())[0] == []


@pytest.mark.parametrize(("name", "at"), [("hall-air", None), ("house", 0.0)], ids=["sensor", "dial"])
def test_a_meter_that_stands_still_is_frozen(name: str, at: float | None) -> None:
    finding = metering(found(walked(still(plant(), name, AT, AT + 48, at))))
    assert (finding.detector, finding.meters) == ("frozen", (name,))
    start, known, end = hours(finding)
    assert abs(start - AT) <= 1
    assert start < known <= start + 2 * STILL_SENSOR
    assert end == AT + 48


def test_standing_still_for_a_moment_is_nothing() -> None:
    assert found(walked(still(plant(), "house", AT, AT + STILL - 1, 0.0))) == []


def test_what_stands_still_in_health_is_not_frozen() -> None:
    """The chiller's heat stands at zero for weeks in winter."""
    heat = plant().value["chiller-heat"]
    assert (heat == 0).mean() > 0.3
    assert not [fault for fault in faults(plant(), ())[0] if "chiller-heat" in fault.meters]


def test_standing_still_means_nothing_before_a_meter_is_known() -> None:
    frame = still(plant(hours=LEARNT + 48), "house", LEARNT - 96, LEARNT - 48, 0.0)
    assert faults(frame, ())[0] == []


@pytest.mark.parametrize("what", EVENTS)
def test_a_dial_that_changes_is_named_and_moves_no_plant(what: str) -> None:
    fan = plant().value["fan-east"].copy()
    fan[AT] = 500.0 if what == "jump" else 0.0
    frame = having(plant(), fan_east=fan)
    finding = metering(found(walked(frame, [event_of(what, "fan-east", waste.T0 + AT * HOUR + HOUR // 2)])))
    assert (finding.detector, finding.meters) == (what, ("fan-east",))
    assert hours(finding) == (AT, AT + 2, AT + 1)


def test_an_event_withdrawn_or_outside_or_of_another_kind_is_none() -> None:
    inside = event_of("jump", "fan-east", waste.T0 + AT * HOUR)
    others = [
        replace(inside, state="withdrawn"),
        replace(inside, event="rollover"),
        replace(inside, at=waste.T0 - HOUR),
        replace(inside, at=waste.T0 + HOURS * HOUR),
        replace(inside, meter="nobody"),
    ]
    assert faults(plant(), others)[0] == []
    assert [fault.what for fault in faults(plant(), [inside])[0]] == ["jump"]


def test_suspicious_hours_are_set_aside_from_the_first_not_from_the_proof() -> None:
    _, aside = faults(still(plant(), "house", AT, AT + 48, 0.0), ())
    assert aside["house"][AT : AT + 48].all()
    assert not aside["house"][AT - 24 : AT].any()
    assert not aside["house"][AT + 48 :].any()


@pytest.mark.parametrize("name", ["house", "fan-east", "water-tower", "hall-air", "ups-in", "oat", "ups-out"])
def test_a_frozen_meter_never_speaks_of_the_plant(name: str) -> None:
    """Neither what stands still nor what is made of it, whether it stands at zero or at its last value."""
    kind = waste.POINTS[name][1]
    at = 0.0 if kind in (waste.ENERGY, waste.WATER) else None
    findings = found(walked(still(plant(), name, AT, AT + 72, at)))
    assert {each.family for each in findings} <= {"metering"}


def test_an_empty_frame_has_none() -> None:
    assert faults(plant(hours=24).part(slice(0, 0)), [event_of("jump", "house", waste.T0)])[0] == []
