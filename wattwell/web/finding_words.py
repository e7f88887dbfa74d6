"""The words in which a finding is told, for the command line and the page alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wattwell.web.present import NARROW, amount, number
from wattwell.web.wording import clock

Document = Mapping[str, Any]

FAMILIES = {
    "ups_loss": "UPS losses",
    "fan_power": "Fan power",
    "economizer": "Economizer",
    "sensor_bias": "Sensor bias",
    "chilled_water_setpoint": "Chilled-water set-point",
    "chiller_efficiency": "Chiller efficiency",
    "overcooling": "Over-cooling",
    "water_use": "Water use",
    "pump_power": "Pump power",
    "unexpected_load": "Unexpected load",
    "pue_drift": "PUE drift",
    "it_idle": "Idle IT",
    "phase_imbalance": "Phase imbalance",
    "metering": "Metering",
    "other": "Other",
}
"""What each family is called."""
NONE = "\u2013"
"""In place of what is not known."""
_SAID = {"known": "called known", "dismissed": "called no fault", "open": "opened again"}


def money(cost: Document | None) -> str:
    """A cost with its currency."""
    if cost is None:
        return NONE
    value = float(cost["value"])
    return f"{number(value, 0 if abs(value) >= 100 else 2)}{NARROW}{cost['currency']}"


def share(value: float) -> str:
    """A confidence in whole per cent."""
    return f"{number(100 * value, 0)}{NARROW}%"


def bounded(estimate: Document | None, kind: str) -> str:
    """An estimate with its bounds; ``kind`` is energy or water."""
    if estimate is None:
        return "not known"
    low, high = (amount(estimate[end], kind) for end in ("low", "high"))
    return f"{amount(estimate['value'], kind)} ({low} to {high})"


def wasted(found: Document) -> str:
    """Energy and water so far, as far as they are known."""
    parts = [
        amount(found[name]["value"], kind)
        for name, kind in (("excess_kwh", "energy"), ("excess_l", "water"))
        if found[name] is not None
    ]
    return " and ".join(parts) or "not known"


def a_year(found: Document) -> str:
    """What an open finding comes to in a year if it goes on."""
    year = found["per_year"]
    if year is None:
        return NONE
    if year["cost"] is not None:
        return money(year["cost"])
    amounts = (("excess_kwh", "energy"), ("excess_l", "water"))
    return " and ".join(amount(year[name], kind) for name, kind in amounts if year[name] is not None) or NONE


def evidence(value: float | str | None) -> str:
    """A piece of evidence: five digits of a number, words as they are."""
    if value is None:
        return NONE
    return f"{value:,.5g}" if isinstance(value, float | int) and not isinstance(value, bool) else str(value)


def label(name: str) -> str:
    """The name of a piece of evidence for people; a ratio has no unit."""
    return name.replace("_", " ").removesuffix(" [1]")


def pieces(found: Mapping[str, float | str | None]) -> Iterator[tuple[str, str]]:
    """Evidence by name; what was, what was expected and how far that is off become one."""
    told: set[str] = set()
    for name, value in found.items():
        stream, _, unit = name.removesuffix("]").rpartition(" [")
        wanted, off = f"{stream} expected [{unit}]", f"{stream} off by [standard errors]"
        if name in told:
            continue
        if wanted not in found or off not in found:
            yield label(name), evidence(value)
            continue
        told |= {wanted, off}
        after = "" if unit == "1" else f" {unit}"
        far = f"{found[off]:.1f}" if isinstance(found[off], float) else evidence(found[off])
        yield (
            label(stream),
            f"{evidence(value)}{after}, expected {evidence(found[wanted])}{after}, {far} standard errors off",
        )


def seen(found: Document) -> str:
    """Which detector it comes from, and by which meters."""
    return f"Told by the detector {found['detector']} on {', '.join(found['meters']) or 'no meter'}"


def spells(found: Document, zone: str) -> str:
    """From when until when, and when it was known."""
    ended = "and goes on" if found["end"] is None else f"until {clock(found['end'], zone)}"
    return f"since {clock(found['start'], zone)} {ended}; known at {clock(found['detected_at'], zone)}"


def sums(found: Document) -> Iterator[tuple[str, str]]:
    """What a finding comes to, by name."""
    yield "Excess energy", bounded(found["excess_kwh"], "energy")
    if found["excess_l"] is not None:
        yield "Excess water", bounded(found["excess_l"], "water")
    if found["cost"] is not None:
        yield "Cost so far" if found["end"] is None else "Cost", money(found["cost"])
    if found["carbon_kg"] is not None:
        yield "Carbon", amount(found["carbon_kg"], "mass")
    if found["watts"] is not None:
        yield "Power of the last day", f"{number(found['watts'] / 1000, 1)}{NARROW}kW"
    if found["per_year"] is not None:
        yield "In a year if it goes on", a_year(found)
    if found["saving"] is not None:
        yield "Saved in a year since it closed", bounded(found["saving"], "energy")
    yield "Confidence", share(found["confidence"])


def judged(model: Document) -> str:
    """Whether Guideline 14 accepts what is expected of something that is watched."""
    return NONE if model["accepted"] is None else "yes" if model["accepted"] else "no"


def tenths(value: float | None) -> str:
    """A share in per cent and tenths."""
    return NONE if value is None else f"{100 * value:z,.1f}{NARROW}%"


def measured(value: float | None, unit: str) -> str:
    """A number of three digits in its unit; a ratio has none."""
    return NONE if value is None else f"{value:,.3g}" + ("" if unit == "1" else f"{NARROW}{unit}")


def happened(entry: Document, zone: str) -> str:
    """An entry of a finding's history."""
    what = entry["verdict"] if entry["author"] is None else _SAID[entry["verdict"]]
    until = "" if entry["until"] is None else f" until {clock(entry['until'], zone)}"
    by = "" if entry["author"] is None else f" by {entry['author']}: {entry['note']}"
    return f"{what}{until}{by}"
