"""What people and software do at the site: IT load, lights and the house panel."""

from __future__ import annotations

import math

import numpy as np

from collector.simulate.noise import drift, each
from collector.simulate.spec import SiteSpec
from wattwell.intervals import DAY, HOUR, MINUTE, from_us, zone_of
from wattwell.model import Bool, Float64, Int64

_QUARTER = 15 * MINUTE


def civil_time(at: Int64, zone: str) -> Int64:
    """Instants as microseconds of local wall-clock time; every zone's offset changes on a quarter hour."""
    tz = zone_of(zone)
    quarters, place = np.unique(at // _QUARTER, return_inverse=True)
    offsets = [_offset(int(quarter) * _QUARTER, tz) for quarter in quarters]
    return at + np.array(offsets, dtype=np.int64)[place]


def _offset(instant: int, tz: object) -> int:
    shift = from_us(instant).astimezone(tz).utcoffset()  # type: ignore[arg-type]
    return 0 if shift is None else int(shift.total_seconds()) * 1_000_000


def working_day(civil: Int64) -> Bool:
    """Monday to Friday; day 0 of the epoch was a Thursday."""
    return (civil // DAY + 3) % 7 < 5


def it_load(spec: SiteSpec, seed: int, at: Int64, civil: Int64) -> Float64:
    """IT power at the UPS output, kW: an afternoon hump (smaller at weekends), a drift of weeks and jobs of minutes."""
    cosine = each(math.cos, 2 * math.pi * (civil % DAY - 14 * HOUR) / DAY)
    hump = ((1.0 + cosine) / 2.0) * ((1.0 + cosine) / 2.0)
    share = spec.utilisation + np.where(working_day(civil), 0.07, 0.03) * hump
    share = share + 0.018 * drift(seed, "it-weeks", at, 6 * DAY) + 0.006 * drift(seed, "it-jobs", at, 20 * MINUTE)
    return spec.it_power_kw * np.clip(share, 0.05, 1.0)


def lighting(spec: SiteSpec, seed: int, at: Int64, civil: Int64) -> Float64:
    """Lighting power, kW, in whole watts: 6 W per kW of IT for safety, more while people are in."""
    hour = civil % DAY
    staffed = working_day(civil) & (hour >= 7 * HOUR) & (hour < 19 * HOUR)
    share = np.where(staffed, 0.009 + 0.001 * drift(seed, "people", at, 45 * MINUTE), 0.006)
    return np.rint(1000.0 * spec.it_power_kw * share) / 1000.0


def house(spec: SiteSpec, seed: int, at: Int64, civil: Int64, dry_bulb_c: Float64) -> Float64:
    """House panel, kW: security, controls and offices, with electric heating below 15 degC outdoors."""
    hour = civil % DAY
    staffed = working_day(civil) & (hour >= 7 * HOUR) & (hour < 19 * HOUR)
    base = np.where(staffed, 0.029, 0.025) + 0.0007 * drift(seed, "house", at, 2 * HOUR)
    heating = 0.0011 * np.clip(15.0 - dry_bulb_c, 0.0, 25.0)
    return spec.it_power_kw * (base + heating)


def domestic_water(spec: SiteSpec, civil: Int64) -> Float64:
    """Taps and toilets, L/s."""
    hour = civil % DAY
    staffed = working_day(civil) & (hour >= 7 * HOUR) & (hour < 19 * HOUR)
    return np.where(staffed, 2e-5, 2e-6) * spec.it_power_kw
