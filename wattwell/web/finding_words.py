"""The words in which a finding is told, for the command line and the page alike. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wattwell.documents.words import NARROW, NONE, Document, amount, bounded, money, number, share
from wattwell.web.wording import clock

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
_SAID = {"known": "called known", "dismissed": "called no fault", "open": "opened again"}


def wasted(found: Document) -> str:
    """Energy and water so far, as far as they are known."""
    parts = [
        amount(found[name]["value"], base)
        for name, base in (("excess_kwh", "kWh"), ("excess_l", "L"))
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
    amounts = (("excess_kwh", "kWh"), ("excess_l", "L"))
    return " and ".join(amount(year[name], base) for name, base in amounts if year[name] is not None) or NONE


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
    yield "Excess energy", "not known" if found["excess_kwh"] is None else bounded(found["excess_kwh"], "kWh")
    if found["excess_l"] is not None:
        yield "Excess water", bounded(found["excess_l"], "L")
    if found["cost"] is not None:
        yield "Cost so far" if found["end"] is None else "Cost", money(found["cost"])
    if found["carbon_kg"] is not None:
        yield "Carbon", amount(found["carbon_kg"], "kg")
    if found["watts"] is not None:
        yield "Power of the last day", f"{number(found['watts'] / 1000, 1)}{NARROW}kW"
    if found["per_year"] is not None:
        yield "In a year if it goes on", a_year(found)
    if found["saving"] is not None:
        yield "Saved in a year since it closed", bounded(found["saving"], "kWh")
    yield "Confidence", share(found["confidence"], 0)


def judged(model: Document) -> str:
    """Whether Guideline 14 accepts what is expected of something that is watched."""
    return NONE if model["accepted"] is None else "yes" if model["accepted"] else "no"


def measured(value: float | None, unit: str) -> str:
    """A number of three digits in its unit; a ratio has none."""
    return NONE if value is None else f"{value:,.3g}" + ("" if unit == "1" else f"{NARROW}{unit}")


def happened(entry: Document, zone: str) -> str:
    """An entry of a finding's history."""
    what = entry["verdict"] if entry["author"] is None else _SAID[entry["verdict"]]
    until = "" if entry["until"] is None else f" until {clock(entry['until'], zone)}"
    by = "" if entry["author"] is None else f" by {entry['author']}: {entry['note']}"
    return f"{what}{until}{by}"
