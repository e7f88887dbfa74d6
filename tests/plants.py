"""Small plants for the physical rules, and one case for each answer of each rule."""

from __future__ import annotations

import numpy as np

from analytics.anomaly.rules import Plant, Point, Reference, State
from analytics.anomaly.rules.reference import AffinityLaw, ChillerMap, Span, UpsCurve, Usual
from wattwell.intervals import MINUTE, parse_iso
from wattwell.model import Float64
from wattwell.units import QuantityKind

BEGIN = parse_iso("2026-03-01T00:00:00Z")
STEP = 15 * MINUTE
DAY_MEANS = 96
MISSING = float("nan")
Value = float | Float64

WAVE: Float64 = np.sin(np.arange(DAY_MEANS) / DAY_MEANS * 2 * np.pi)
"""A day's swing, -1 to 1."""


def point(
    role: str, value: Value, equipment: str | None = "unit", *, meter: str | None = None, **more: object
) -> Point:
    """A column; a single number stands still. The meter is named after its role and equipment."""
    column = np.full(DAY_MEANS, value, dtype=np.float64) if np.isscalar(value) else np.asarray(value, dtype=np.float64)
    name = meter or (role if equipment == "unit" else f"{role}-{equipment}")
    return Point(meter=name, role=role, equipment=equipment, value=column, **more)  # type: ignore[arg-type]


def plant(*points: Point, hours: float = 24, ratings: dict[str, float] | None = None) -> Plant:
    """The last hours of a day."""
    whole = Plant(
        start=BEGIN + STEP * np.arange(DAY_MEANS, dtype=np.int64), step=STEP, points=points, ratings=ratings or {}
    )
    return whole.last(hours)


Case = tuple[Plant, Reference]
NOTHING = Reference()
EMPTY = plant(point("utility_import", 100.0))


def case(*points: Point, reference: Reference = NOTHING, hours: float = 24) -> Case:
    """A plant and what was learnt of it."""
    return plant(*points, hours=hours), reference


def usual(**middles: float) -> Reference:
    """What is usual at some meters, within half a kelvin."""
    known = {name.replace("_AT_", "-"): Usual(m - 0.5, m, m + 0.5, 2.0) for name, m in middles.items()}
    return Reference(usual=known)


def ups(load: Value, efficiency: float = 0.9, curve: UpsCurve | None = None) -> Case:
    """A UPS at some load and efficiency."""
    known = Reference(ups={"unit": curve}) if curve else NOTHING
    return case(point("ups_input", np.asarray(load) / efficiency), point("it_ups", load), reference=known)


def fan(factor: float, speed: Value) -> Case:
    """A fan on the cube law, times a factor."""
    law = AffinityLaw(10.0, 3.0, Span(0.3, 1.0))
    power = 10.0 * np.asarray(speed) ** 3 * factor
    return case(point("fan", power), point("fan_speed", speed), reference=Reference(affinity={"fan": law}))


def economizer(outdoor: Value, opening: Value, chiller: Value) -> Case:
    """A free-cooled hall."""
    return case(
        point("outdoor_dry_bulb", outdoor),
        point("supply_air", 16.0),
        point("return_air", 26.0),
        point("outdoor_air_fraction", opening),
        point("chiller", chiller),
    )


def loop(supply: Value, back: Value, chiller: Value = 20.0, reference: Reference = NOTHING) -> Case:
    """A chilled-water loop."""
    return case(point("chiller", chiller), point("chw_supply", supply), point("chw_return", back), reference=reference)


def machine(power: Value, heat: Value = 60.0, back: Value = 11.77, *, learnt: bool = True) -> Case:
    """A chiller with everything that is metered there; 3 L/s carry 60 kW at 4.77 K."""
    known = ChillerMap((30.0, 100.0), (0.4, 0.4), Span(20.0, 100.0), 14.0, 0.0)
    return case(
        point("chiller", power),
        point("heat_removed", heat),
        point("chw_supply", 7.0),
        point("chw_return", back),
        point("chw_flow", 3.0),
        point("cw_return", 27.0),
        reference=Reference(chillers={"unit": known}) if learnt else NOTHING,
    )


def handler(
    mixed: Value = 18.0,
    supply: Value = 14.0,
    outdoor: Value = 10.0,
    *,
    damper: Value = 0.3,
    cooling: Value = 0.5,
    heating: Value = 0.0,
    fan_on: Value = 1.0,
    wanted: Value | None = None,
) -> Case:
    """An air handler; its return air is at 22 degC."""
    points = [
        point("mixed_air", mixed),
        point("supply_air", supply),
        point("return_air", 22.0),
        point("outdoor_dry_bulb", outdoor),
        point("damper", damper),
        point("cooling_valve", cooling),
        point("heating_valve", heating),
        point("status", fan_on),
    ]
    if wanted is not None:
        points.append(point("setpoint", wanted, quantity=QuantityKind.TEMPERATURE))
    return case(*points)


def room(humidity: Value, supply: Value, humidifier: Value = 2.0) -> Case:
    """A hall at 24 degC with a humidifier."""
    return case(
        point("humidifier", humidifier),
        point("hall_air", 24.0),
        point("hall_humidity", humidity),
        point("supply_air", supply),
    )


def phases(*powers: Value) -> Case:
    """Three phases of a PDU."""
    return case(*(point("pdu_input", power, meter=f"pdu-l{n}") for n, power in enumerate(powers, 1)))


def inlet(flow: Value, below: Value, hours: float = 24) -> Case:
    """A water main and the tower below it."""
    return case(
        point("water_input", flow),
        point("water_tower_makeup", below, parent="water_input"),
        hours=hours,
    )


def tower(makeup: Value, blowdown: Value) -> Case:
    """A cooling tower's water."""
    return case(point("water_tower_makeup", makeup), point("water_blowdown", blowdown))


LOAD = 60 + 10 * WAVE
HALF = UpsCurve(0.0, 1 / 9, 0.0, Span(40.0, 90.0))
IDLE = UpsCurve(5.0, 0.03, 0.0002, Span(10.0, 80.0))
SPEED = 0.6 + 0.2 * WAVE
SUN = 12 + 5 * WAVE
USUAL_LOOP = usual(chw_supply=7.0)
FAULT, NORMAL, UNSURE, NONE = State.FAULT, State.NORMAL, State.INCONCLUSIVE, State.NOT_APPLICABLE

CASES: dict[str, dict[State, Case]] = {
    "ups_loss": {
        FAULT: ups(LOAD, 0.85, HALF),
        NORMAL: ups(LOAD, 0.9, HALF),
        UNSURE: ups(20.0, 0.5, HALF),
        NONE: case(point("it_ups", LOAD)),
    },
    "ups_load": {
        FAULT: ups(20.0, IDLE.efficiency(20.0), IDLE),
        NORMAL: ups(80.0, IDLE.efficiency(80.0), IDLE),
        UNSURE: ups(MISSING, 0.9, IDLE),
        NONE: ups(LOAD),
    },
    "affinity": {
        FAULT: fan(1.3, SPEED),
        NORMAL: fan(1.0, SPEED),
        UNSURE: fan(1.3, 0.25),
        NONE: case(point("fan", 5.0)),
    },
    "idle_flow": {
        state: case(
            point("pump", 2.0),
            point("cw_flow", flow),
            point("cw_supply", 20.0),
            point("cw_return", 20.0 + rise),
        )
        for state, flow, rise in ((FAULT, 5.0, 0.1), (NORMAL, 5.0, 4.0), (UNSURE, MISSING, 0.1))
    }
    | {NONE: case(point("pump", 2.0))},
    "economizer": {
        FAULT: economizer(5.0, 0.05, 12.0),
        NORMAL: economizer(5.0, 0.48, 0.0),
        UNSURE: economizer(20.0, 0.0, 12.0),
        NONE: case(point("outdoor_dry_bulb", 5.0), point("chiller", 12.0)),
    },
    "outdoor_pair": {
        FAULT: case(point("outdoor_dry_bulb", SUN, "roof"), point("outdoor_dry_bulb", SUN + 4, "ahu")),
        NORMAL: case(point("outdoor_dry_bulb", SUN, "roof"), point("outdoor_dry_bulb", SUN + 1, "ahu")),
        UNSURE: case(point("outdoor_dry_bulb", SUN, "roof"), point("outdoor_dry_bulb", MISSING, "ahu")),
        NONE: case(point("outdoor_dry_bulb", SUN)),
    },
    "frozen": {
        FAULT: case(point("outdoor_dry_bulb", 12.3), point("outdoor_wet_bulb", SUN)),
        NORMAL: case(point("outdoor_dry_bulb", SUN), point("outdoor_wet_bulb", SUN - 2)),
        UNSURE: case(point("outdoor_dry_bulb", 12.3), point("outdoor_wet_bulb", SUN), hours=3),
        NONE: case(point("supply_air", 16.0)),
    },
    "water_balance": {
        FAULT: machine(15.0, back=14.0),
        NORMAL: machine(15.0),
        UNSURE: machine(0.0),
        NONE: loop(7.0, 12.0),
    },
    "air_order": {
        state: case(point("supply_air", 16.0), point("rack_inlet", value))
        for state, value in ((FAULT, 12.0), (NORMAL, 18.0), (UNSURE, MISSING))
    }
    | {NONE: case(point("rack_inlet", 12.0))},
    "mixed_air": {
        FAULT: handler(mixed=30.0),
        NORMAL: handler(mixed=18.0),
        UNSURE: handler(mixed=30.0, fan_on=0.0),
        NONE: case(point("supply_air", 14.0), point("return_air", 22.0)),
    },
    "damper": {
        FAULT: handler(mixed=21.0, damper=1.0),
        NORMAL: handler(mixed=10.5, damper=1.0),
        UNSURE: handler(mixed=21.0, outdoor=21.0, damper=1.0),
        NONE: case(point("mixed_air", 21.0), point("return_air", 22.0), point("outdoor_dry_bulb", 10.0)),
    },
    "coil_passes": {
        FAULT: handler(mixed=18.0, supply=25.0, cooling=0.0),
        NORMAL: handler(mixed=18.0, supply=19.0, cooling=0.0),
        UNSURE: handler(mixed=18.0, supply=25.0, cooling=0.0, fan_on=0.0),
        NONE: case(point("mixed_air", 18.0), point("supply_air", 25.0)),
    },
    "coil_does_nothing": {
        FAULT: handler(mixed=24.0, supply=24.0, cooling=1.0),
        NORMAL: handler(mixed=24.0, supply=14.0, cooling=0.6),
        UNSURE: handler(mixed=24.0, supply=24.0, cooling=1.0, fan_on=0.0),
        NONE: case(point("mixed_air", 18.0), point("supply_air", 18.0)),
    },
    "low_difference": {
        FAULT: loop(7.0, 8.0),
        NORMAL: loop(7.0, 13.0),
        UNSURE: loop(7.0, 8.0, chiller=0.0),
        NONE: case(point("chw_supply", 7.0), point("chw_return", 8.0)),
    },
    "chilled_water_setpoint": {
        FAULT: loop(5.0, 11.0, reference=USUAL_LOOP),
        NORMAL: loop(7.2, 13.0, reference=USUAL_LOOP),
        UNSURE: loop(5.0, 11.0, chiller=0.0, reference=USUAL_LOOP),
        NONE: loop(5.0, 11.0),
    },
    "chiller_efficiency": {
        FAULT: machine(13.0),  # 60 kW at 280 K over 20 K: 14 at best, 10.7 kW at the 0.4 learnt
        NORMAL: machine(10.8),
        UNSURE: machine(10.8, heat=15.0),
        NONE: loop(7.0, 12.0),
    },
    "tower_approach": {
        state: case(point("cw_supply", water), point("outdoor_wet_bulb", wet), point("cooling_tower", 3.0))
        for state, water, wet in ((FAULT, 30.0, 18.0), (NORMAL, 22.0, 18.0), (UNSURE, 22.0, 5.0))
    }
    | {NONE: case(point("cw_supply", 30.0), point("cooling_tower", 3.0))},
    "inlet_envelope": {
        state: case(point("rack_inlet", at)) for state, at in ((FAULT, 16.0), (NORMAL, 22.0), (UNSURE, MISSING))
    }
    | {NONE: case(point("hall_air", 16.0))},
    "colder_than_usual": {
        state: case(point("hall_air", at), reference=usual(hall_air=24.0))
        for state, at in ((FAULT, 22.0), (NORMAL, 23.8), (UNSURE, MISSING))
    }
    | {NONE: case(point("hall_air", 22.0))},
    "heating_and_cooling": {
        state: case(point("heating_valve", hot, "ahu-1"), point("cooling_valve", 0.4, "ahu-2"))
        for state, hot in ((FAULT, 0.3), (NORMAL, 0.0), (UNSURE, MISSING))
    }
    | {NONE: case(point("cooling_valve", 0.4))},
    "wetting_and_drying": {
        FAULT: room(0.6, 12.0),  # dew point 15.8 degC
        NORMAL: room(0.6, 18.0),
        UNSURE: room(MISSING, 12.0),
        NONE: case(point("humidifier", 2.0), point("hall_air", 24.0)),
    },
    "phase_imbalance": {
        FAULT: phases(10.0, 10.0, 16.0),
        NORMAL: phases(10.0, 10.5, 11.0),
        UNSURE: phases(0.01, 0.01, 0.4),
        NONE: case(point("pdu_input", 10.0, meter="pdu-x"), point("pdu_input", 16.0, meter="pdu-y")),
    },
    "standing_flow": {
        FAULT: inlet(100.0 + 30 * WAVE, 28.0 + 30 * WAVE),
        NORMAL: inlet(80 + 30 * WAVE, 75.0 + 30 * WAVE),
        UNSURE: inlet(100.0, 28.0, hours=6),
        NONE: case(point("water_input", 100.0)),
    },
    "cycles": {
        FAULT: tower(100.0, 80.0),
        NORMAL: tower(100.0, 25.0),
        UNSURE: tower(3.0, 2.5),
        NONE: case(point("water_tower_makeup", 100.0)),
    },
}
"""By rule and answer."""
