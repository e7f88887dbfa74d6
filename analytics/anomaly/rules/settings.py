"""The thresholds of the rules, with their sources. Absolute physics wherever that can be.

``G36`` is ASHRAE Guideline 36 (fault detection of air handlers, default errors), ``APAR`` NISTIR 7365, ``TC9.9`` the
ASHRAE thermal guidelines for data processing environments, 5th edition 2021.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every threshold; hours, K, kW, L/h and shares (0-1)."""

    # what makes a verdict
    fewest_hours: float = 1.0
    """Less than this that can be judged is inconclusive."""
    lasting_hours: float = 1.0
    """A fault must show for this long in the span (two alarm delays of G36, 30 min each)."""
    share: float = 0.5
    """... and in this share of what can be judged."""
    settling_hours: float = 0.5
    """After a start nothing is judged (mode delay of G36: 30 min)."""
    running_kw: float = 0.2
    """Below it equipment is off or in stand-by ..."""
    running_share: float = 0.05
    """... as it is below this share of what it draws at most."""

    # errors of sensors
    air_error: float = 1.1
    """Supply and return air, local outdoor air: 2 degF (G36)."""
    mixed_error: float = 2.8
    """Mixed air, which stratifies: 5 degF (G36)."""
    outdoor_error: float = 2.8
    """A weather station for the site: 5 degF (G36)."""
    fan_rise: float = 1.1
    """Supply fan: 2 degF (G36)."""
    least_difference: float = 5.6
    """Between return and outdoor air, for a fraction of outdoor air to be told: 10 degF (G36)."""
    fraction_error: float = 0.3
    """Of the fraction of outdoor air: 30 % (G36, air flow error)."""
    pair_difference: float = 2.0
    """Two outdoor sensors of one site: root sum of squares of two local sensors (G36) and of 0.25 K siting at night."""
    flat_hours: float = 6.0
    """Outdoor readings that stay equal for this long while another one moves are frozen."""
    flat_moved: float = 3.0
    """K that the other one moves by: a dry bulb may rest in fog while the wet bulb creeps after it."""
    flat_alone_hours: float = 24.0
    """Where no other one exists: a whole day swings by several K, but not under a thick cloud."""
    flat_factor: float = 2.0
    """A sensor is frozen when it rests for this many times the longest rest of its healthy past ..."""
    flat_least_hours: float = 12.0
    """... and for this long."""

    # electricity
    ups_excess_of_loss: float = 0.15
    """UPS loss beyond its curve: twice what two class 0.5 meters may be off at 90 % efficiency (0.007 / 0.1)."""
    ups_excess_of_load: float = 0.007
    """The same two meters: root sum of squares of 0.5 % each, of the load."""
    ups_points: float = 0.02
    """Efficiency that would be won at a better load, for the load to be called wrong."""
    ups_low_load: float = 0.25
    """Share of the rating: the lowest of the four loads that ENERGY STAR weighs (25, 50, 75, 100 %)."""
    ups_floor: float = 0.85
    """Below it no double conversion UPS is healthy from a quarter of its rating on (ENERGY STAR UPS 2.0 asks 0.95)."""
    motor_imbalance: float = 0.10
    """Largest deviation from the mean over the mean (NEMA MG-1): 1 % of voltage makes 6-10 % of current."""
    phase_imbalance: float = 0.20
    """Of what is fed single-phase, IT above all: the neutral of a UPS or PDU is laid out for as much."""
    phase_least_kw: float = 0.5
    """Mean per phase below which imbalance is no matter."""

    # fans and pumps
    affinity_excess: float = 0.15
    """Power beyond that learnt for the same flow or speed."""
    affinity_estimated: float = 0.25
    """The same where the flow of air is estimated from heat and temperatures (0.1 K of 8 K are 4 % of power)."""
    affinity_slope: float = 1.0
    """Exponent of power over flow or speed below which control does not save: 3 is ideal, 1-2 with a set pressure."""
    affinity_range: float = 1.25
    """Highest over lowest flow or speed for an exponent to be told."""
    idle_difference: float = 0.3
    """K of water that flows and carries no heat."""
    idle_hours: float = 8.0
    """In a day; pumps of a plant that starts and stops idle for some hours."""

    # air side
    economizer_margin: float = 3.3
    """K by which outdoor air must be colder than the supply air, to do all the cooling alone: the fan's rise and the
    errors of both sensors together."""
    freezing: float = -15.0
    """degC: colder air may be kept out to save coils from freezing."""
    evaporating_l_h: float = 10.0
    """Water of evaporative coolers that cools: 0.63 kWh a litre, so 6 kW; less may humidify."""
    economizer_share: float = 0.3
    heat_margin: float = 2.0
    """K by which outdoor air must be warmer than return air, to be a load."""
    opened: float = 0.6
    """Opening that no minimum for ventilation explains (30 %, and the error of G36)."""
    damper_leak: float = 0.2
    """Fraction of outdoor air through a damper that is shut; good blades pass 3-10 %."""
    damper_half: float = 0.5
    damper_least: float = 0.1
    """Fraction that a damper which is half open must pass."""
    valve_shut: float = 0.02
    valve_open: float = 0.05
    valve_full: float = 0.99
    """Full command (G36)."""
    handler_share: float = 0.3
    """Share of what can be judged, in an air handler's day of several modes."""
    coil_mixed_error: float = 2.8
    """Mixed air, against supply air of the same unit (G36)."""
    coil_least: float = 1.0
    """K that a coil must change the air by when its valve is wide open."""
    fighting_share: float = 0.25
    """Units may cross for a while when the load changes."""
    recommended_low: float = 18.0
    recommended_high: float = 27.0
    """Inlets of class A1 (TC9.9)."""
    allowable_low: float = 15.0
    rci_poor: float = 0.90
    """Rack cooling index at or below which a room is poor (Herrlin 2005)."""
    usual_margin: float = 1.0
    """K by which a controlled temperature must leave what is usual at the site."""
    dew_margin: float = 1.0
    """K by which air must be colder than the hall's dew point to be dehumidifying for sure."""

    # chilled and condenser water
    plant_hours: float = 3.0
    """Of settled operation that a verdict on a UPS, a fan, a pump or a chiller takes: starts and stops tell nothing."""
    water_error: float = 0.7
    """Difference that two unmatched sensors of 0.5 K each may be wrong by, K."""
    balance_share: float = 0.15
    """Of the heat: two class 2 heat meters (EN 1434: 2-5 %) and the flow meter."""
    low_difference: float = 2.0
    """Chilled-water difference below which flow is wasted whatever the design, K; 5-8 K are designed for."""
    low_difference_of_usual: float = 0.6
    setpoint_margin: float = 1.0
    valve_lazy: float = 0.7
    """Cooling valves that never open further let the set point rise (G36 asks until 85-95 %)."""
    cold_enough: float = 12.0
    """Chilled water at or above it needs no reset, degC."""
    chiller_excess: float = 0.07
    """Input beyond that learnt for the same lift and part load: twice what heat (3 %) and power (0.5 %) may be off."""
    chiller_least_load: float = 0.4
    """Share of the highest load learnt below which a chiller cycles and is not judged."""
    carnot_floor: float = 0.15
    """Share of Carnot efficiency below which a chiller is poor at more than half its load; 0.4-0.6 are usual."""
    approach_margin: float = 2.0
    """K beyond the usual approach of a tower."""
    least_wet_bulb: float = 12.0
    """degC: in colder weather towers are held at the least condenser temperature, 16-18 degC."""
    approach_high: float = 8.0
    """K that is poor for any tower at its design load; 3-5 are designed for."""

    # water
    leak_l_h: float = 15.0
    """Standing flow that matters."""
    leak_share: float = 0.05
    """Of the flow through the meters below in that hour: class 2 meters at low flow (ISO 4064: 5 %)."""
    cycles_low: float = 2.0
    """Cycles of concentration below which a tower wastes make-up; 3-5 are usual (US DOE FEMP)."""
    cycles_high: float = 10.0
    """... and above which blow-down is likely shut and scale grows."""
    cycles_of_usual: float = 0.7


DEFAULT = Settings()
"""What is used where nothing else is asked for."""
