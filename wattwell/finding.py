"""The words of findings: what wastes energy or water, by how much, and what operators say of it.

All of them are frozen. Times are microseconds since the epoch, UTC (:mod:`wattwell.intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FAMILIES = (
    "ups_loss",
    "fan_power",
    "economizer",
    "sensor_bias",
    "chilled_water_setpoint",
    "chiller_efficiency",
    "overcooling",
    "water_use",
    "pump_power",
    "unexpected_load",
    "pue_drift",
    "it_idle",
    "phase_imbalance",
    "metering",
    "other",
)
"""What kind of cause a finding names."""
FINDING_STATES = ("open", "closed", "known", "dismissed")
"""open: the excess goes on. closed: it is gone. known, dismissed: an operator has said so ('not a fault')."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An amount with the bounds that hold in nine cases of ten."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What was drawn and what was expected over time: columns of equal length, for the plot of a finding."""

    label: str
    """What is drawn: a meter, or what several of them add up to."""
    unit: str
    """kW, L/h, degC, 1 ..."""
    step: int
    """Length of one mean, microseconds."""
    start: tuple[int, ...]
    """Starts of the means, ascending."""
    actual: tuple[float | None, ...]
    """None where missing."""
    expected: tuple[float | None, ...]
    """None where nothing can be expected."""
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    """What healthy operation stays within in nine cases of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that wastes energy or water, or makes figures wrong: since when, why, how much, and what to do."""

    id: str
    """Of site, family, equipment and time of detection: it stays the same for good."""
    site: str
    family: str
    """One of FAMILIES."""
    detector: str
    """What saw it first: the name of a model or of a physical rule."""
    equipment: str | None
    meters: tuple[str, ...]
    """What shows it, most telling first."""
    start: int
    end: int | None
    """None while it goes on."""
    detected_at: int
    """The earliest data time at which it was known; nothing later was used to find it."""
    status: str
    """One of FINDING_STATES."""
    confidence: float
    """0-1."""
    excess_kwh: Estimate | None
    """Energy beside the IT load drawn beyond what was expected, from start to end or so far; None where not known."""
    excess_l: Estimate | None
    """Site water, likewise."""
    cost: float | None
    """Of the excess at the site's prices, in its currency; None where it has none."""
    carbon_kg: float | None
    """Of the excess energy at the site's grid factor."""
    watts: float | None
    """Mean excess over the last day of it; None once it is closed."""
    title: str
    """One line: what is wrong, where."""
    cause: str
    """Why we think so, in a sentence or two with numbers."""
    advice: str
    evidence: Mapping[str, float | str | None]
    """Named numbers and verdicts behind it."""
    saving: Estimate | None = None
    """kWh a year saved since it closed, measured against the baseline; None until that can be said."""
    course: tuple[Course, ...] = ()
    note: str | None = None
    """What the operator said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What an operator said of a finding, in force: the same thing is not found anew meanwhile."""

    finding: str
    """Its id."""
    family: str
    equipment: str | None
    status: str
    """known or dismissed."""
    at: int
    """When it was said, microseconds UTC."""
    until: int | None
    """None: for good."""
    author: str
    note: str

    def quiets(self, family: str, equipment: str | None, at: int) -> bool:
        """Whether a finding of this family at this equipment is not to be made at an instant."""
        same = (family, equipment) == (self.family, self.equipment)
        return same and self.at <= at and (self.until is None or at < self.until)
