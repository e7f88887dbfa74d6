"""Faults that can be injected, each with a start, an end and a size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.simulate.spec import SiteSpec
from wattwell.errors import UsageError
from wattwell.intervals import day_start, from_us, iso, parse_duration, parse_iso
from wattwell.model import Bool, Float64, Int64


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fault is and in what its size is given."""

    family: str
    """Name of the finding that should come of it."""
    equipment: str
    size: str
    """Meaning and unit of the size."""
    low: float
    high: float


KINDS: dict[str, Kind] = {
    "economizer_stuck": Kind("economizer", "air-handlers", "position of the outdoor-air damper, 0 to 1", 0.0, 1.0),
    "chiller_efficiency": Kind("chiller_efficiency", "chiller", "lost share of the COP, above 0 to 0.9", 1e-6, 0.9),
    "fan_power": Kind("fan_power", "ahu-east", "extra share of power at the same flow, above 0 to 5", 1e-6, 5.0),
    "chilled_water_setpoint": Kind("chilled_water_setpoint", "chiller", "K too cold, above 0 to 9", 1e-6, 9.0),
    "ups_loss": Kind("ups_loss", "ups", "extra share of the losses, above 0 to 10", 1e-6, 10.0),
    "pump_full_speed": Kind("pump_power", "chw-pump", "speed at which it is stuck, 0.3 to 1", 0.3, 1.0),
    "water_leak": Kind("water_use", "water-main", "L/h, above 0 to 100000", 1e-6, 100_000.0),
    "unexpected_load": Kind("unexpected_load", "house-panel", "kW, above 0 to 20000", 1e-6, 20_000.0),
    "sensor_bias": Kind("sensor_bias", "air-handlers", "K that the outdoor sensor reads high, -20 to 20", -20.0, 20.0),
    "overcooling": Kind("overcooling", "halls", "K too cold, above 0 to 10", 1e-6, 10.0),
}
"""Every fault by name."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong; UsageError when it is no such thing."""

    kind: str
    """A key of ``KINDS``."""
    start: int
    """First faulty instant, microseconds UTC."""
    end: int | None
    """First healthy instant; None: for ever."""
    size: float

    def __post_init__(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise UsageError(f"fault {self.kind!r} is not known; use one of {', '.join(KINDS)}")
        if not kind.low <= self.size <= kind.high:
            raise UsageError(f"size {self.size:g} of fault {self.kind} is out of range; it is {kind.size}")
        if self.end is not None and self.end <= self.start:
            raise UsageError(
                f"fault {self.kind} ends at {iso(self.end)}, not after its start {iso(self.start)}; give a later end"
            )

    def at(self, instants: Int64) -> Bool:
        """Whether it is present at each instant."""
        present = instants >= self.start
        return present if self.end is None else present & (instants < self.end)

    def __str__(self) -> str:
        end = "" if self.end is None else iso(self.end)
        return f"{self.kind}:{iso(self.start)}:{end}:{self.size:g}"


_DATE = r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d))?"
_WHEN = rf"(?:{_DATE}|\+[0-9.a-z]+)"
_FAULT = re.compile(rf"(?P<kind>[A-Za-z_]+):(?P<start>{_WHEN})(?::(?P<end>(?:{_WHEN})?))?:(?P<size>[^:]+)")


def parse_fault(text: str, spec: SiteSpec, origin: int) -> Fault:
    """The fault that ``KIND:START:END:SIZE`` names; END may be empty or left out.

    A time is ISO 8601 with an offset, a bare date (first instant of that day at the site) or ``+2d6h`` after
    ``origin``. UsageError, naming the text and what to write, for anything else.
    """
    found = _FAULT.fullmatch(text.strip())
    if found is None:
        raise UsageError(
            f"fault {text!r} is not KIND:START:END:SIZE; "
            "write for example chiller_efficiency:2026-01-05T00:00Z:2026-01-12T00:00Z:0.25"
        )
    try:
        start = _instant(found["start"], spec, origin)
        end = _instant(found["end"], spec, origin) if found["end"] else None
        size = float(found["size"])
    except ValueError as error:
        raise UsageError(f"fault {text!r}: {error}") from error
    return Fault(found["kind"], start, end, size)


def _instant(text: str, spec: SiteSpec, origin: int) -> int:
    if text.startswith("+"):
        return origin + parse_duration(text[1:])
    if "T" in text:
        return parse_iso(text)
    return day_start(from_us(parse_iso(f"{text}T00:00Z")).date(), spec.timezone)


def demo_fault(spec: SiteSpec, start: int, end: int | None = None) -> tuple[Fault, ...]:
    """Faults that together lift the instantaneous PUE clearly above 1.6 at once, in any weather.

    The damper sticks at its minimum, so the chiller must carry everything just as its condenser is fouled, and a load
    bank is left running on the house panel.
    """
    return (
        Fault("economizer_stuck", start, end, spec.minimum_outdoor_air),
        Fault("chiller_efficiency", start, end, 0.6),
        Fault("unexpected_load", start, end, 0.2 * spec.it_power_kw),
    )


def added(faults: Sequence[Fault], kind: str, at: Int64) -> Float64:
    """Sum of the sizes of the faults of a kind that are present at each instant."""
    total = np.zeros(len(at))
    for fault in faults:
        if fault.kind == kind:
            total = total + np.where(fault.at(at), fault.size, 0.0)
    return total


def kept(faults: Sequence[Fault], kind: str, at: Int64) -> Float64:
    """What is left of 1 after each fault of a kind took its share: the product of 1 - size."""
    left = np.ones(len(at))
    for fault in faults:
        if fault.kind == kind:
            left = left * np.where(fault.at(at), 1.0 - fault.size, 1.0)
    return left


def stuck(faults: Sequence[Fault], kind: str, at: Int64, free: Float64) -> Float64:
    """``free`` where nothing is stuck, else the position of the fault of that kind that is named last."""
    position = free
    for fault in faults:
        if fault.kind == kind:
            position = np.where(fault.at(at), fault.size, position)
    return position
