"""Moist air: dew point, and a check of three outdoor sensors against one another. Pure."""

from __future__ import annotations

import numpy as np

from wattwell.model import Float64

_A = 17.625
_B = 243.04


def dew_point(temperature: Float64, humidity: Float64) -> Float64:
    """degC, from degC and relative humidity 0-1 (Magnus form of Alduchov and Eskridge, 1996)."""
    gamma = np.log(np.clip(humidity, 0.01, 1.0)) + _A * temperature / (_B + temperature)
    return _B * gamma / (_A - gamma)


def wet_bulb(temperature: Float64, humidity: Float64) -> Float64:
    """degC at sea level, from degC and relative humidity 0-1 (Stull 2011, within 1 K)."""
    rh = np.clip(humidity, 0.05, 0.99) * 100
    return (
        temperature * np.arctan(0.151977 * np.sqrt(rh + 8.313659))
        + np.arctan(temperature + rh)
        - np.arctan(rh - 1.676331)
        + 0.00391838 * rh**1.5 * np.arctan(0.023101 * rh)
        - 4.686035
    )
