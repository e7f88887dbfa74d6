"""Weather and sun of the simulated site: temperatures, humidity and photovoltaic power."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from collector.simulate.noise import drift, each
from collector.simulate.spec import SiteSpec
from wattwell.intervals import DAY, HOUR
from wattwell.model import Float64, Int64

_YEAR = 365.2425 * DAY
_WARMEST = 199 * DAY
"""19 July 1970: thirty days after the solstice; the epoch began with a year."""


@dataclass(frozen=True, slots=True)
class Weather:
    """The state of the outdoors at each instant."""

    dry_bulb_c: Float64
    wet_bulb_c: Float64
    humidity: Float64
    """Relative, 0-1."""
    cloud: Float64
    """Covered share of the sky, 0-1."""


def vapour_pressure(celsius: Float64) -> Float64:
    """Saturation vapour pressure over water, hPa, of a temperature in degC.

    Magnus form of Alduchov and Eskridge, J. Appl. Meteor. 35 (1996), eq. 21: 6.1094 exp(17.625 T / (243.04 + T)).
    """
    return each(lambda t: 6.1094 * math.exp(17.625 * t / (243.04 + t)), celsius)


def wet_bulb(dry_bulb_c: Float64, humidity: Float64) -> Float64:
    """Wet-bulb temperature, degC, of a dry bulb in degC and a relative humidity of 0.05-0.99.

    Stull, J. Appl. Meteor. Climatol. 50 (2011), eq. 1; within about 0.3 K at 1013 hPa. 20 degC and 50 % give 13.7.
    """
    percent: Float64 = humidity * 100.0
    root, wide = each(math.sqrt, percent), each(math.sqrt, percent + 8.313659)
    first = dry_bulb_c * each(math.atan, 0.151977 * wide)
    second = each(math.atan, dry_bulb_c + percent) - each(math.atan, percent - 1.676331)
    third = 0.00391838 * (percent * root) * each(math.atan, 0.023101 * percent)
    return np.minimum(first + second + third - 4.686035, dry_bulb_c)


def weather(spec: SiteSpec, seed: int, at: Int64) -> Weather:
    """The weather at instants: year and day as cosines, fronts of days, gusts of hours, an air mass with its dew point.

    The dew point belongs to the air mass, so relative humidity falls as the day warms, as it does outdoors.
    """
    phase: Float64 = 2 * math.pi / _YEAR * np.remainder((at - _WARMEST).astype(np.float64), _YEAR)
    season = each(math.cos, phase)
    cloud = np.clip(0.62 + 0.33 * drift(seed, "cloud", at, 30 * HOUR), 0.0, 1.0)
    solar_day = (at + round(spec.longitude / 15 * HOUR)) % DAY
    day = each(math.cos, 2 * math.pi * (solar_day - 15 * HOUR) / DAY)
    mass = spec.mean_c + spec.season_k * season + spec.front_k * drift(seed, "front", at, 60 * HOUR)
    gust = 0.5 * drift(seed, "gust", at, 3 * HOUR)
    dry = mass + spec.day_k * (1.25 - 0.5 * cloud) * day + gust
    dew = mass - 4.5 + 1.5 * drift(seed, "dew", at, 40 * HOUR)
    humidity = np.clip(vapour_pressure(np.minimum(dew, dry)) / vapour_pressure(dry), 0.15, 0.98)
    return Weather(dry, wet_bulb(dry, humidity), humidity, cloud)


def solar_elevation_sine(spec: SiteSpec, at: Int64) -> Float64:
    """Sine of the sun's elevation: declination after Cooper (Solar Energy 12, 1969), hour angle from mean solar time.

    Duffie and Beckman, Solar Engineering of Thermal Processes, eqs. 1.6.1a and 1.6.5.
    """
    day_of_year = (at % _YEAR) / DAY + 1.0
    declination = math.radians(23.45) * each(math.sin, 2 * math.pi * (284.0 + day_of_year) / 365.0)
    hour_angle = 2 * math.pi * ((at + round(spec.longitude / 15 * HOUR)) % DAY - 12 * HOUR) / DAY
    latitude = math.radians(spec.latitude)
    across = math.cos(latitude) * each(math.cos, declination) * each(math.cos, hour_angle)
    return math.sin(latitude) * each(math.sin, declination) + across


def pv_power(spec: SiteSpec, sky: Weather, at: Int64) -> Float64:
    """AC power of the flat-roof PV plant, kW.

    Clear-sky irradiance after Haurwitz (J. Meteor. 2, 1945), clouds after Kasten and Czeplak (Solar Energy 24, 1980),
    cell temperature by NOCT, power and 14 % system losses as in PVWatts version 5 (Dobos, NREL/TP-6A20-62641, 2014).
    """
    sine = np.maximum(solar_elevation_sine(spec, at), 1e-3)
    clear = 1098.0 * sine * each(math.exp, -0.057 / sine)
    irradiance = clear * (1.0 - 0.75 * each(lambda covered: math.pow(covered, 3.4), sky.cloud))
    cell_c = sky.dry_bulb_c + irradiance * (45.0 - 20.0) / 800.0
    power = spec.pv_kw * irradiance / 1000.0 * (1.0 - 0.0035 * (cell_c - 25.0)) * 0.86
    return np.where(irradiance < 1.0, 0.0, np.minimum(power, spec.pv_kw))
