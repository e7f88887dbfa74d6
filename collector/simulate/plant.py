"""The plant: UPS, air handlers with economizer, chilled water, chiller, cooling tower. Steady-state physics.

Sensible heat only. The two slow things, the heat stored in racks and the water in the tower's basin, are first-order
lags whose state the simulator carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from collector.simulate.faults import Fault, added, kept, stuck
from collector.simulate.spec import AIR_CP, WATER_CP, SiteSpec
from collector.simulate.weather import Weather
from wattwell.model import Float64, Int64

EAST_SHARE = 0.52
"""Share of the air that the eastern air handler moves."""
ZERO_C = 273.15


@dataclass(frozen=True, slots=True)
class AirSide:
    """Air handlers and halls. Powers in kW, temperatures in degC."""

    fan_east_kw: Float64
    fan_west_kw: Float64
    speed_east: Float64
    """Share of design speed."""
    speed_west: Float64
    sensed_c: Float64
    """What the air handlers' own outdoor sensor shows."""
    outdoor_fraction: Float64
    supply_c: Float64
    return_c: Float64
    coil_kw: Float64
    """Heat handed to the chilled water."""


@dataclass(frozen=True, slots=True)
class ChilledWater:
    """The chilled-water loop."""

    heat_kw: Float64
    """Taken up by the chiller, the pump's own heat included."""
    pump_kw: Float64
    flow_l_s: Float64
    supply_c: Float64
    return_c: Float64


@dataclass(frozen=True, slots=True)
class HeatRejection:
    """Chiller, condenser loop and tower; water in L/s."""

    chiller_kw: Float64
    pump_kw: Float64
    tower_kw: Float64
    flow_l_s: Float64
    return_c: Float64
    """Water back to the tower."""
    evaporation_l_s: Float64
    blowdown_l_s: Float64


def lag(state: float | None, target: Float64, share: float) -> Float64:
    """A first-order lag: each step closes ``share`` of the distance to the target; None starts at the target."""
    first = float(target[0]) if state is None else state
    steps = accumulate(target.tolist(), lambda now, aim: now + share * (aim - now), initial=first)
    return np.array(list(steps)[1:], dtype=np.float64)


def ups_loss(spec: SiteSpec, faults: Sequence[Fault], at: Int64, it_kw: Float64) -> Float64:
    """Losses of the double-conversion UPS, kW: no-load + proportional + square-law part.

    Rasmussen, Electrical Efficiency Modeling of Data Centers, APC White Paper 113: rated loss 7.2 % of the rating.
    """
    load = it_kw / spec.it_power_kw
    loss = spec.it_power_kw * (0.018 + 0.028 * load + 0.026 * load * load)
    return loss * (1.0 + added(faults, "ups_loss", at))


def fan_power(design_kw: Float64 | float, speed: Float64) -> Float64:
    """Power at a share of design speed by the affinity (cube) law, ASHRAE Handbook - HVAC Systems, Fans."""
    return design_kw * (speed * speed * speed)


def air_side(spec: SiteSpec, faults: Sequence[Fault], at: Int64, sky: Weather, heat_kw: Float64) -> AirSide:
    """Air handlers that carry ``heat_kw`` off the halls.

    Flow follows the heat. The damper is set by the mixed-air balance T_mix = x T_out + (1 - x) T_return (ASHRAE
    Handbook - Fundamentals, Psychrometrics), under a fixed dry-bulb high limit; what it leaves above the set point
    goes to the coil. Fan heat is in the air stream.
    """
    colder = added(faults, "overcooling", at)
    set_c = spec.supply_air_c - colder
    flow = np.clip(heat_kw / (AIR_CP * spec.air_rise_k), 0.4 * spec.air_flow_kg_s, 1.2 * spec.air_flow_kg_s)
    flow = flow * (1.0 + 0.03 * colder)
    speed_east = flow / spec.air_flow_kg_s * (EAST_SHARE / 0.5)
    speed_west = flow / spec.air_flow_kg_s * ((1.0 - EAST_SHARE) / 0.5)
    east = fan_power(spec.fan_kw / 2.0, speed_east) * (1.0 + added(faults, "fan_power", at))
    west = fan_power(spec.fan_kw / 2.0, speed_west)
    per_k = AIR_CP * flow
    rise, fan_rise = heat_kw / per_k, (east + west) / per_k
    sensed = sky.dry_bulb_c + added(faults, "sensor_bias", at)
    fraction = stuck(faults, "economizer_stuck", at, _damper(spec, set_c + rise - sensed, rise + fan_rise, sensed))
    # Supply temperature without a coil, where the return air is the supply air plus the rise.
    uncooled = sky.dry_bulb_c + ((1.0 - fraction) * rise + fan_rise) / np.maximum(fraction, 1e-6)
    coil = np.where(
        fraction > 0.0,
        per_k * fraction * np.maximum(uncooled - set_c, 0.0),
        heat_kw + east + west,
    )
    supply = np.where(fraction > 0.0, np.minimum(set_c, uncooled), set_c)
    return AirSide(east, west, speed_east, speed_west, sensed, fraction, supply, supply + rise, coil)


def _damper(spec: SiteSpec, above_outdoor_k: Float64, needed_k: Float64, sensed_c: Float64) -> Float64:
    """Outdoor-air fraction that brings the mixed air ``needed_k`` below return air, by the sensed temperature."""
    wanted = np.where(above_outdoor_k > needed_k, needed_k / np.maximum(above_outdoor_k, 1e-6), 1.0)
    useful = (above_outdoor_k > 0.0) & (sensed_c < spec.economizer_limit_c)
    return np.where(useful, np.clip(wanted, spec.minimum_outdoor_air, 1.0), spec.minimum_outdoor_air)


def chilled_water(spec: SiteSpec, faults: Sequence[Fault], at: Int64, demand_kw: Float64) -> ChilledWater:
    """The loop between coils and chiller: flow for a difference of 6 K, cube-law pump whose heat enters the water."""
    design = spec.chw_flow_l_s
    speed = np.clip(demand_kw / (WATER_CP * 6.0) / design, 0.5, 1.0)
    speed = stuck(faults, "pump_full_speed", at, speed)
    pump = fan_power(spec.chw_pump_kw, speed)
    heat, flow = demand_kw + pump, speed * design
    supply = spec.chilled_water_c - added(faults, "chilled_water_setpoint", at)
    return ChilledWater(heat, pump, flow, supply, supply + heat / (WATER_CP * flow))


def tower_target(spec: SiteSpec, wet_bulb_c: Float64) -> Float64:
    """Leaving-water temperature the tower control aims at, degC: wet bulb + approach, not below the minimum."""
    return np.maximum(wet_bulb_c + spec.tower_approach_k, spec.condenser_minimum_c)


def chiller_power(
    spec: SiteSpec, heat_kw: Float64, evaporator_c: Float64, condenser_c: Float64, kept_cop: Float64
) -> Float64:
    """Electric power of the chiller, kW, from heat taken up and refrigerant temperatures, degC.

    Full-load COP is a share of Carnot's, T_e / (T_c - T_e), the lift not below 8 K; part load follows a quadratic
    curve of the DOE-2 form (Hydeman and Gillespie, ASHRAE Trans. 108(1), 2002). ``kept_cop`` is the share that
    fouling leaves.
    """
    lift = np.maximum(condenser_c - evaporator_c, 8.0)
    cop = spec.carnot_share * (evaporator_c + ZERO_C) / lift * kept_cop
    load = heat_kw / spec.chiller_kw
    return spec.chiller_kw / cop * (0.10 + 0.62 * load + 0.28 * load * load)


def evaporation(spec: SiteSpec, rejected_kw: Float64, water_c: Float64) -> Float64:
    """Evaporated water, L/s: latent share of the rejected heat by the latent heat 2501 - 2.361 T kJ/kg.

    Rogers and Yau, A Short Course in Cloud Physics (linear part of their fit).
    """
    return spec.latent_share * rejected_kw / (2501.0 - 2.361 * water_c)


def heat_rejection(
    spec: SiteSpec, faults: Sequence[Fault], at: Int64, water: ChilledWater, wet_bulb_c: Float64, basin_c: Float64
) -> HeatRejection:
    """Chiller, condenser pump and tower.

    The condensing temperature is taken from 1.15 times the heat taken up, which spares an iteration. The tower fan's
    speed is the load ratio by the ratio of approaches (heat per kelvin of approach goes with air flow; ASHRAE
    Handbook - HVAC Systems, Cooling Towers). Blow-down = evaporation / (cycles - 1), the tower's salt balance.
    """
    load = water.heat_kw / spec.chiller_kw
    speed = np.clip(load, 0.6, 1.0)
    flow = speed * spec.cw_flow_l_s
    pump = fan_power(spec.cw_pump_kw, speed)
    condenser = basin_c + 1.15 * water.heat_kw / (WATER_CP * flow) + 1.5
    left = kept(faults, "chiller_efficiency", at)
    chiller = chiller_power(spec, water.heat_kw, water.supply_c - 2.0, condenser, left)
    rejected = water.heat_kw + chiller + pump
    aim = tower_target(spec, wet_bulb_c) - wet_bulb_c
    fan = fan_power(spec.tower_fan_kw, np.clip(spec.tower_approach_k * load / aim, 0.2, 1.0))
    lost = evaporation(spec, rejected, basin_c)
    blowdown = lost / (spec.cycles_of_concentration - 1.0)
    return HeatRejection(chiller, pump, fan, flow, basin_c + rejected / (WATER_CP * flow), lost, blowdown)
