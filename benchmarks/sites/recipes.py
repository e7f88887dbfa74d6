"""The sites to be simulated: climate of both years, load, changes that are no faults, and faults."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.sites.levers import Change, Fault

AHUS = "ahu-east, ahu-west"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One site. `weather` names part of the file names of the two typical years; `load` is the CPU's low and high."""

    weather: tuple[str, str]
    seed: int
    trace: str = "Google"
    shift_h: int = 0
    load: tuple[float, float] = (0.25, 0.70)
    faults: tuple[Fault, ...] = ()
    changes: tuple[Change, ...] = ()
    heat_wave: tuple[int, int, float] | None = None
    """First day, days and kelvins of hotter weather in the second year."""
    noisy: bool = False


def fault(
    family: str,
    day: float,
    days: float,
    equipment: str,
    description: str,
    /,
    *,
    ramp: bool = False,
    also: str = "",
    **levers: float,
) -> Fault:
    """A fault with its levers as keywords."""
    return Fault(
        family=family,
        day=day,
        days=days,
        equipment=equipment,
        description=description,
        levers=levers,
        ramp=ramp,
        also=also,
    )


_DENVER = (
    fault("pump_power", 12, 7, "cw-pump", "condenser-water pump held at full flow day and night", cw_pump=1.3),
    fault("overcooling", 40, 10, "halls", "hall set point 2.5 K lower", hall_setpoint=-2.5),
    fault("unexpected_load", 65, 9, "house-panel", "2 kW electric heater left on in the halls", heater=2.0),
    fault("water_use", 88, 21, "water-main", "make-up water leak of 30 L/h", leak=30.0),
    fault("ups_loss", 125, 12, "ups", "UPS efficiency 2.5 % lower than normal", ups_loss=0.025),
    fault(
        "sensor_bias",
        150,
        14,
        AHUS,
        "outdoor-air sensor of both air handlers reads 6 K high",
        also="economizer",
        oat_bias=6.0,
    ),
    fault("fan_power", 180, 6, AHUS, "supply-fan pressure rise 35 % higher", fan_east=1.35, fan_west=1.35),
    fault(
        "chilled_water_setpoint", 195, 14, "chiller", "chilled water at 4.5 degC instead of 7 degC", chw_setpoint=4.5
    ),
    fault("chiller_efficiency", 220, 21, "chiller", "chiller input ratio ramps to +35 %", ramp=True, chiller=1.35),
    fault("economizer", 262, 12, AHUS, "outdoor-air dampers stuck at 20 %", oa_high=0.2),
    fault("ups_loss", 300, 5, "ups", "UPS efficiency 10 % lower than normal", ups_loss=0.10),
    fault(
        "fan_power",
        325,
        18,
        AHUS,
        "filters fouling: pressure rise ramps to +80 %",
        ramp=True,
        fan_east=1.8,
        fan_west=1.8,
    ),
)

_TAMPA = (
    fault("economizer", 8, 14, AHUS, "outdoor-air dampers stuck at 5 %", oa_high=0.05),
    fault(
        "fan_power",
        30,
        21,
        AHUS,
        "filters fouling: pressure rise ramps to +70 %",
        ramp=True,
        fan_east=1.7,
        fan_west=1.7,
    ),
    fault(
        "sensor_bias",
        58,
        12,
        AHUS,
        "outdoor-air sensor of both air handlers reads 5 K high",
        also="economizer",
        oat_bias=5.0,
    ),
    fault("pump_power", 84, 10, "cw-pump", "condenser-water pump held at 130 % of its flow", cw_pump=1.3),
    fault("overcooling", 110, 14, "halls", "hall set point 1.5 K lower", hall_setpoint=-1.5),
    fault("chiller_efficiency", 140, 9, "chiller", "chiller input ratio 12 % higher at once", chiller=1.12),
    fault("ups_loss", 168, 10, "ups", "UPS efficiency 3 % lower than normal", ups_loss=0.03),
    fault(
        "chilled_water_setpoint", 195, 16, "chiller", "chilled water at 5.5 degC instead of 7 degC", chw_setpoint=5.5
    ),
    fault("economizer", 225, 8, AHUS, "outdoor-air dampers stuck 25 % open", oa_low=0.25),
    fault("water_use", 246, 7, "water-main", "make-up water leak of 100 L/h", leak=100.0),
    fault("chiller_efficiency", 270, 21, "chiller", "chiller input ratio ramps to +20 %", ramp=True, chiller=1.2),
    fault("unexpected_load", 312, 14, "house-panel", "3 kW electric heater left on in the halls", heater=3.0),
)

_NEW = (
    fault(
        "unexpected_load",
        15,
        14,
        "main-switchboard",
        "3 kW that no submeter sees",
        also="metering other",
        unmetered=3.0,
    ),
    fault("fan_power", 42, 12, "ahu-west", "slipping fan belt: the west fan draws 30 % more", fan_west=1.3),
    fault("unexpected_load", 68, 14, "lighting", "lights left on day and night", lights=1.0),
    fault("ups_loss", 96, 14, "ups", "UPS efficiency 2.5 % lower than normal", ups_loss=0.025),
    fault(
        "overcooling",
        124,
        12,
        AHUS,
        "supply air at 14 degC instead of 16 degC",
        also="chilled_water_setpoint other",
        supply_setpoint=-2.0,
    ),
    fault(
        "sensor_bias",
        150,
        14,
        AHUS,
        "supply-air sensors read 1.5 K high, so the air is cooled more",
        also="overcooling",
        supply_setpoint=-1.5,
        show_supply=1.5,
    ),
    fault(
        "fan_power",
        178,
        10,
        "cooling-tower",
        "tower fan stuck at full speed",
        also="unexpected_load other",
        tower_override=1.0,
    ),
    fault("water_use", 202, 12, "cooling-tower", "blow-down valve stuck open: 60 L/h", blowdown=60.0),
    fault("pump_power", 228, 12, "chw-pump", "chilled-water pump at full speed day and night", chw_pump=1.2),
    fault(
        "sensor_bias",
        254,
        14,
        "halls",
        "hall-air sensors read 1.5 K high, so the halls are kept too cold",
        also="overcooling",
        hall_setpoint=-1.5,
        show_hall=1.5,
    ),
    fault(
        "unexpected_load",
        284,
        10,
        "evaporative-coolers",
        "evaporative coolers never stop",
        also="water_use economizer",
        evap=1.0,
    ),
)

_DENVER_WEATHER = ("Denver-Aurora", "Golden-NREL")

RECIPES = {
    "denver": Recipe(weather=_DENVER_WEATHER, seed=11, shift_h=100, faults=_DENVER),
    "benign": Recipe(
        weather=("Chicago-OHare", "Willard"),
        seed=13,
        shift_h=250,
        load=(0.12, 0.50),
        changes=(Change(day=95, days=0.6, factor=1.4), Change(day=270, days=7, factor=0.7)),
        heat_wave=(195, 14, 6.0),
    ),
    "tampa": Recipe(weather=("Tampa", "Orlando"), seed=12, trace="Alibaba", shift_h=0, faults=_TAMPA),
    "noisy": Recipe(weather=_DENVER_WEATHER, seed=11, shift_h=100, faults=_DENVER, noisy=True),
    "newfaults": Recipe(weather=("Chicago-OHare", "Newark"), seed=14, shift_h=400, faults=_NEW),
}
"""By name. `noisy` is `denver` seen through worse meters."""
