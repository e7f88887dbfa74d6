"""How reports and pages write figures and times, the same on every machine: English, no locale, clocks of the site."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from wattwell.intervals import from_us, parse_iso, zone_of

Document = Mapping[str, Any]
"""A report's document, or an object within it."""
NARROW = "\u202f"
"""The narrow no-break space between a number and its unit."""
NONE = "\u2013"
"""In place of what is not known."""
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_UNAVAILABLE = "not available"
_STEPS = {
    "kWh": ((1e6, "GWh"), (1e3, "MWh"), (1.0, "kWh")),
    "L": ((1e3, "m³"), (1.0, "L")),
    "kg": ((1e3, "t"), (1.0, "kg")),
    "kW": ((1e3, "MW"), (1.0, "kW")),
}
_BASE = {"GWh": "kWh", "MWh": "kWh", "m3": "L", "m³": "L", "t": "kg", "%": "1", "": "1"}
_WRITTEN = {"m3": "m³", "degC": "°C", "1": "", "t CO2e": "t CO₂e", "kg CO2e": "kg CO₂e", "K.d": "K·d"}


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separators ."""
    return NONE if value is None else f"{value:z,.{digits}f}"


def significant(value: float | None, digits: int = 6) -> str:
    """A number with so many digits and no more."""
    return NONE if value is None else f"{value:z,.{digits}g}"


def share(value: float | None, digits: int = 1) -> str:
    """A share in per cent."""
    return NONE if value is None else f"{number(100 * value, digits)}{NARROW}%"


def unit(name: str) -> str:
    """A unit as it is printed; a ratio has none."""
    return _WRITTEN.get(name, name)


def base_unit(name: str) -> str:
    """The unit of a value whose ``shown`` text is in this one: kWh of MWh, L of m3, kg of t."""
    return _BASE.get(name, name)


def with_unit(text: str, name: str) -> str:
    """A figure and its unit."""
    written = unit(name)
    return f"{text}{NARROW}{written}" if written and text != NONE else text


def amount(value: float | None, base: str) -> str:
    """kWh, L, kg or kW in a unit that suits the size."""
    if value is None:
        return NONE
    size, name = next((step for step in _STEPS[base] if abs(value) >= step[0]), _STEPS[base][-1])
    scaled = value / size
    digits = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2
    return f"{number(scaled, digits)}{NARROW}{name}"


def bounded(estimate: Document | None, base: str) -> str:
    """An amount with its bounds."""
    if estimate is None:
        return NONE
    low, high = (amount(estimate[end], base) for end in ("low", "high"))
    return f"{amount(estimate['value'], base)} ({low} to {high})"


def money(cost: Document | None) -> str:
    """A cost with its currency."""
    if cost is None:
        return NONE
    value = float(cost["value"])
    return f"{number(value, 0 if abs(value) >= 100 else 2)}{NARROW}{cost['currency']}"


def plural(many: int, what: str) -> str:
    """``1 meter``, ``2 meters``."""
    return f"{number(many)} {what}{'' if many == 1 else 's'}"


def clock(text: str | None, zone: str) -> str:
    """A UTC time as the site's clocks show it, with the offset where that hour comes twice."""
    if text is None:
        return NONE
    local = from_us(parse_iso(text)).astimezone(zone_of(zone))
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return local.isoformat(" ", "minutes") if twice else local.replace(tzinfo=None).isoformat(" ", "minutes")


def day_name(key: str) -> str:
    """``31 October 2026`` of 2026-10-31, ``October 2026`` of 2026-10."""
    parts = key.split("-")
    name = f"{MONTHS[int(parts[1]) - 1]} {parts[0]}"
    return name if len(parts) == 2 else f"{int(parts[2])} {name}"


def day_short(key: str) -> str:
    """``Thu 1`` of 2026-10-01, ``Oct`` of 2026-10."""
    parts = key.split("-")
    if len(parts) == 2:
        return MONTHS[int(parts[1]) - 1][:3]
    weekday = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[date.fromisoformat(key).weekday()]
    return f"{weekday} {int(parts[2])}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop; the first word stays as it is where it is a name in code."""
    first = text.split(" ", 1)[0]
    begun = text if not text or "_" in first else text[0].upper() + text[1:]
    return begun if not begun or begun.endswith((".", "!", "?")) else f"{begun}."


def unavailable(why: str) -> str:
    """What stands in place of figures that do not exist, said once."""
    if why.lower().startswith(_UNAVAILABLE):
        why = why[len(_UNAVAILABLE) :].lstrip(" :.,")
    elif _UNAVAILABLE in why:
        return sentence(why)
    return f"Not available. {sentence(why)}".strip()


def title_case(name: str) -> str:
    """``Utility import`` of utility_import."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]
