"""What the simulated site is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wattwell.errors import UsageError
from wattwell.intervals import zone_of

AIR_CP = 1.006
"""Specific heat of dry air, kJ/(kg K) (ASHRAE Handbook - Fundamentals, Psychrometrics)."""
AIR_DENSITY = 1.2
"""Standard air, kg/m3 (same source)."""
WATER_CP = 4.186
"""Specific heat of water near 20 degC, kJ/(kg K); one litre is taken as one kilogram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSpec:
    """A data centre of one hall block: sizes follow ``it_power_kw``, so a larger site is the same site scaled.

    The defaults describe a site of 500 kW rated IT power in a mild climate at 50 degrees north. Healthy, its daily
    PUE stays between about 1.22 and 1.27 in every season, its annual WUE is about 0.75 L/kWh and PV gives an eighth of
    its energy.
    """

    id: str = "sim"
    """Site id; letters, digits, hyphen and underscore."""
    name: str = "Simulated data centre"
    timezone: str = "Europe/Berlin"
    """IANA zone whose civil time the load and the lights follow."""
    latitude: float = 50.1
    """Degrees north."""
    longitude: float = 8.7
    """Degrees east."""
    it_power_kw: float = 500.0
    """Rated IT power, kW."""
    utilisation: float = 0.68
    """IT load on a quiet night as a share of the rated power."""

    mean_c: float = 10.5
    """Annual mean dry bulb, degC."""
    season_k: float = 7.0
    """Amplitude of the year, K."""
    day_k: float = 2.8
    """Amplitude of the day, K."""
    front_k: float = 2.3
    """Standard deviation of passing weather, K."""

    water_cooled_share: float = 0.34
    """Share of the IT heat that rear-door coils hand straight to the chilled water, all year."""
    supply_air_c: float = 21.0
    """Supply-air set point, degC (ASHRAE TC 9.9 recommends 18-27)."""
    air_rise_k: float = 12.0
    """Design temperature rise of the air across the IT, K."""
    economizer_limit_c: float = 27.0
    """Fixed dry-bulb high limit of the economizer, degC."""
    minimum_outdoor_air: float = 0.03
    """Smallest outdoor-air fraction."""
    fan_pressure_pa: float = 1250.0
    """Total pressure of a supply fan at design flow."""
    fan_efficiency: float = 0.62
    chilled_water_c: float = 9.0
    """Chilled-water supply set point, degC."""
    condenser_minimum_c: float = 18.0
    """Lowest condenser water the tower control allows, degC."""
    carnot_share: float = 0.45
    """Chiller COP at full load as a share of Carnot's."""
    tower_approach_k: float = 4.0
    """Design approach: leaving water minus wet bulb, K."""
    latent_share: float = 0.9
    """Share of the rejected heat that leaves as evaporated water; the rest warms the air."""
    cycles_of_concentration: float = 4.0
    pv_kw_per_it_kw: float = 0.85
    """Rated PV power by rated IT power."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", self.id):
            raise UsageError(f"site id {self.id!r} may hold letters, digits, hyphens and underscores only; rename it")
        try:
            zone_of(self.timezone)
        except (KeyError, ValueError) as error:
            raise UsageError(f"time zone {self.timezone!r} is not an IANA zone; write one such as UTC") from error
        if not 1 <= self.it_power_kw <= 20_000:
            raise UsageError(f"it_power_kw {self.it_power_kw} is out of range; choose 1 to 20000 kW")
        if not 0.1 <= self.utilisation <= 0.9:
            raise UsageError(f"utilisation {self.utilisation} is out of range; choose 0.1 to 0.9")
        if self.cycles_of_concentration <= 1:
            raise UsageError(f"cycles_of_concentration {self.cycles_of_concentration} must be above 1; 3 to 6 is usual")

    @property
    def air_flow_kg_s(self) -> float:
        """Design air flow of both air handlers together, kg/s: sensible heat balance with 10 % to spare."""
        return 1.1 * self.it_power_kw * (1 - self.water_cooled_share) / (AIR_CP * self.air_rise_k)

    @property
    def fan_kw(self) -> float:
        """Design power of both supply fans together: volume flow x pressure / efficiency."""
        return self.air_flow_kg_s / AIR_DENSITY * self.fan_pressure_pa / self.fan_efficiency / 1000

    @property
    def chiller_kw(self) -> float:
        """Cooling capacity, kW thermal."""
        return 0.95 * self.it_power_kw

    @property
    def chw_flow_l_s(self) -> float:
        """Design chilled-water flow at a difference of 6 K, L/s."""
        return self.chiller_kw / (WATER_CP * 6.0)

    @property
    def cw_flow_l_s(self) -> float:
        """Design condenser-water flow at a range of 5.5 K, L/s."""
        return 1.15 * self.chiller_kw / (WATER_CP * 5.5)

    @property
    def chw_pump_kw(self) -> float:
        """Design power of the chilled-water pump: flow x 300 kPa / 0.6."""
        return self.chw_flow_l_s * 300 / 0.6 / 1000

    @property
    def cw_pump_kw(self) -> float:
        """Design power of the condenser-water pump: flow x 260 kPa / 0.6."""
        return self.cw_flow_l_s * 260 / 0.6 / 1000

    @property
    def tower_fan_kw(self) -> float:
        """Design power of the tower fan, about 2 % of the heat that the chiller takes up."""
        return 0.02 * self.chiller_kw

    @property
    def pv_kw(self) -> float:
        """Rated PV power, kW."""
        return self.pv_kw_per_it_kw * self.it_power_kw
