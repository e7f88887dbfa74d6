"""What people are told of each family of findings: what is wrong, and what to do about it, in an engineer's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Words:
    """Of one family."""

    title: str
    """``{where}`` stands for the equipment."""
    advice: str


WORDS: Mapping[str, Words] = {
    "ups_loss": Words(
        "UPS losses at {where} are higher than at the same load before",
        "Read the UPS's mode and alarms: eco mode left, a module on battery or in bypass, a failing fan or capacitor. "
        "Compare input and output by module, and take modules out of service where the load is far below their rating.",
    ),
    "fan_power": Words(
        "Fans of {where} draw more than at the same load and weather before",
        "Read the filters' pressure drop and change those above their limit; look for a closed damper, a slipping belt "
        "or a speed that was set by hand. Fan power goes with the cube of the flow: a little less speed saves much.",
    ),
    "economizer": Words(
        "Outdoor air is not used at {where} as the weather allows",
        "Command the outdoor-air damper through its range and watch it move; check the actuator, the linkage, the "
        "minimum position and the change-over temperature.",
    ),
    "sensor_bias": Words(
        "A sensor of {where} disagrees with what it should show",
        "Compare the sensor with a calibrated one on the spot, at two temperatures; recalibrate or replace it. Until "
        "then use the other sensor for control.",
    ),
    "chilled_water_setpoint": Words(
        "Chilled water of {where} is colder than it used to be",
        "Find out who lowered the set point and why, and put it back. Each kelvin warmer saves two to three per cent "
        "of the chiller's power, and lengthens the hours of free cooling.",
    ),
    "chiller_efficiency": Words(
        "Cooling by {where} takes more power than the same cooling did before",
        "Read the condenser's approach and the refrigerant charge: fouled tubes, air in the condenser or lost "
        "refrigerant show there. Clean the tubes, check the condenser water flow.",
    ),
    "overcooling": Words(
        "Air at {where} is colder than it used to be, and colder than it must be",
        "Put the set point back. ASHRAE TC9.9 recommends 18 to 27 degC at the servers' inlets; raise it step by step "
        "while the hottest inlet stays below.",
    ),
    "water_use": Words(
        "More water is used at {where} than explained",
        "Read the meters at night with everything closed: what still flows is a leak. Look at make-up float valves, "
        "blow-down valves and overflow; compare the cycles of concentration with their set point.",
    ),
    "pump_power": Words(
        "Pumping by {where} takes more power than at the same load and weather before",
        "Look for a drive in manual or at full speed, a by-pass that is open, or a pressure set point that was raised; "
        "let the pump follow the load again.",
    ),
    "unexpected_load": Words(
        "Something at {where} draws power that was not there before",
        "Walk along what hangs on this panel: heaters, lights, tools and test equipment left on. What is there for "
        "good belongs on a meter of its own.",
    ),
    "pue_drift": Words(
        "The site draws more beside its IT load than weather and load explain",
        "No meter below the supply tells which plant it is. Compare the plant's own displays with last month's, and "
        "put meters on the largest consumers.",
    ),
    "it_idle": Words(
        "IT equipment draws power without work",
        "List servers by utilisation and power, and switch off or consolidate those that do nothing.",
    ),
    "phase_imbalance": Words(
        "The phases of {where} are loaded unevenly",
        "Move loads between phases at the next maintenance; unevenness costs losses in cables and UPS and trips early.",
    ),
    "metering": Words(
        "The telemetry of {where} cannot be believed",
        "Look at the meter, its wiring and its gateway. If exchanged or reset, enter it with `wattwell correct`, "
        "so that no energy is lost or invented.",
    ),
    "other": Words(
        "Plant at {where} draws more than at the same load and weather before",
        "Look for equipment in manual or at full output, and for a set point that was changed.",
    ),
}
