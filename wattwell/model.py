"""The words of the domain: sites, meters, readings, interval values, KPI values, alerts.

All of them are frozen. Times are microseconds since the epoch, UTC (:mod:`wattwell.intervals`). Streams of readings
travel as columns (:class:`Readings`), one array a field; single objects are for edges and results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from wattwell.emissions import Baseline, EmissionEntry
from wattwell.facility import Facility
from wattwell.intervals import Interval
from wattwell.units import QuantityKind

MeterKey = tuple[str, str]
"""(site id, meter id)"""
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


class Accumulation(StrEnum):
    """What one reading is; declared per meter, never guessed from its values."""

    REGISTER = "register"
    """the cumulative dial"""
    DELTA = "delta"
    """the amount since the previous reading"""
    INSTANTANEOUS = "instantaneous"
    """a rate or a state"""


class Interpolation(StrEnum):
    """What an instantaneous meter does between two samples."""

    LINEAR = "linear"
    STEP = "step"
    """each sample holds until the next"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a meter's readings come from on MQTT, and how they are read out of a payload."""

    topic: str
    """MQTT topic filter; ``+`` and ``#`` are allowed."""
    decoder: str = "json"
    """The dialect of the messages (:mod:`wattwell.config.dialects`)."""
    value: str = "value"
    """What names the value in a message: in most dialects a path, keys and list positions joined by dots."""
    time: str | None = "time"
    """Path of the device time where the dialect has paths; None where the device sends none or it does not count."""
    time_unit: str = "s"
    """Unit of a numeric time: s, ms, us or ns."""
    unit: str | None = "unit"
    """Path of a unit that is sent beside the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """One metered point of a site, real or virtual."""

    id: str
    site: str
    quantity: QuantityKind
    accumulation: Accumulation
    """Of a virtual meter: INSTANTANEOUS, without meaning."""
    unit: str
    """The meter's own unit: dials are kept and judged in it."""
    role: str | None = None
    equipment: str | None = None
    parent: str | None = None
    """The meter directly above in the tree."""
    factors: tuple[tuple[int, float], ...] = ((-(2**62), 1.0),)
    """(from instant, multiplier x sign), ascending; each is in force until the next."""
    rollover_at: float | None = None
    """Dial value at which a register starts again at 0, in ``unit``."""
    max_rate: float | None = None
    """Largest plausible real flow after the multiplier: kW for energy and power, L/s for water and flow."""
    resolution: float = 0.0
    """Smallest step of the dial, in ``unit``."""
    accuracy: float = 0.01
    """Share of the amount by which the meter may be off."""
    period: int
    """Expected time between readings, microseconds."""
    max_gap: int
    """Neighbouring readings further apart are a gap, microseconds."""
    interpolation: Interpolation = Interpolation.LINEAR
    range: tuple[float, float] | None = None
    """Values outside are rejected, in ``unit``; None: the accumulation's own rule."""
    sentinels: tuple[float, ...]
    """Values that a device sends for 'no value'."""
    weight: float | None = None
    """Primary-energy-like weight in E_DC of bought cooling and fuels."""
    kg_per_kwh: float | None = None
    """Direct emissions of what this meter counts."""
    factor_source: str | None = None
    """Name and source of ``kg_per_kwh``, for print."""
    in_service: Interval
    """From and until, as instants; open ends lie far away."""
    formula: tuple[tuple[int, str], ...] = ()
    """(+1 or -1, meter id) of a virtual meter; empty for a real one."""
    source: Source | None = None
    """None: the default topics."""

    @property
    def virtual(self) -> bool:
        """Whether its values are a sum of other meters' values."""
        return bool(self.formula)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One row of a site's certificate file: renewable energy by contract or guarantee of origin."""

    id: str
    kind: str
    """onsite, ppa or certificate"""
    interval: Interval
    """Local dates of the file as instants, end exclusive; the energy is an even power over it."""
    kwh: float
    status: str
    """held, retired or sold"""
    retired_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """A grid factor: one number, or one value for each UTC hour."""

    constant: float | None = None
    hours: Int64 = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Starts of the UTC hours that have a value, ascending; empty for a constant."""
    values: Float64 = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What energy and water cost."""

    currency: str
    electricity_per_kwh: float
    water_per_m3: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Somebody works on a site or on a piece of its equipment: what is measured meanwhile is neither norm nor waste."""

    start: int
    """In [start, end), microseconds UTC."""
    end: int
    equipment: str | None
    """None: the whole site."""
    reason: str

    def covers(self, equipment: str | None, at: int) -> bool:
        """Whether it holds for a piece of equipment (None: for something of the whole site) at an instant."""
        return self.start <= at < self.end and self.equipment in (None, equipment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One data centre: its meters, boundaries and targets."""

    id: str
    name: str
    zone: str
    """IANA time zone in which days, months and years are cut."""
    pue_category: int
    """1 UPS output, 2 PDU output, 3 IT equipment input (ISO/IEC 30134-2)."""
    it_power_kw: float | None
    fiscal_year_start: int
    wue_numerator: str
    targets: Mapping[str, float]
    limits: tuple[str, ...]
    prices: Prices | None
    factors: Mapping[str, Factor]
    certificates: tuple[Certificate, ...] | None
    """None where the site names no certificate file."""
    factor_sources: Mapping[str, str] = field(default_factory=dict)
    """Name and source of each factor, for print, by the factor's name."""
    emissions: tuple[EmissionEntry, ...] | None = None
    """None where the site names no emissions file."""
    baseline: Baseline | None = None
    meters: Mapping[str, Meter]
    maintenance: tuple[Maintenance, ...] = ()
    """As configured; what was entered by command comes beside it."""
    facility: Facility | None = None
    """What regulators ask and no meter tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Readings as columns of equal length, in order of arrival; (meter, at) need not be unique or sorted."""

    keys: tuple[MeterKey, ...]
    """The meters that ``meter`` points into."""
    meter: NDArray[np.int32]
    """Position in ``keys``."""
    at: Int64
    """Device time, microseconds UTC."""
    received_at: Int64
    """Arrival time, microseconds UTC."""
    value: Float64
    """In the meter's own unit; NaN marks a reading rejected for its value, which still marks its time."""
    arrival_time: Bool
    """True where ``at`` is the arrival time because the message carried none."""

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """Something that was received and will not become part of any figure."""

    site: str | None
    meter: str | None
    topic: str | None
    at: int | None
    """Device time where it could be read."""
    received_at: int
    reason: str
    """One of REASONS."""
    value: str
    """What was sent, as text, cut to a bounded length."""


REASONS = (
    "point.unknown",
    "time.invalid",
    "clock.future",
    "clock.past",
    "quality.bad",
    "value.type",
    "unit.wrong",
    "value.sentinel",
    "value.range",
    "conflict",
    "retained",
    "payload.invalid",
)
"""Why a reading is rejected, in the order in which the rules are tried.

Beyond METERING's: quality.bad, the device itself says that the value is not good; payload.invalid, a message that no
decoder reads.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalValues:
    """Values of one meter on consecutive grid intervals, as columns of equal length.

    The three shares sum to 1. An interval with a missing share has none of the others and the value NaN: partial
    ones have been scaled up, or are missing as a whole (METERING, Quality).
    """

    start: Int64
    """Interval starts, microseconds UTC."""
    value: Float64
    """kWh, L, or the mean of the quantity in its canonical unit; NaN where missing."""
    measured: Float64
    """Share of the interval that was measured, 0-1 (0 where missing); estimated is the rest where there is a value."""
    recovered: Bool
    """Some of the amount was known, its spread in time was not."""

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteIntervals:
    """Interval values of several meters as long columns."""

    meters: tuple[str, ...]
    meter: Int64
    """Position in ``meters``."""
    values: IntervalValues = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterEvent:
    """An entry of the meter-event ledger (METERING, Register events)."""

    site: str
    meter: str
    event: str
    at: int
    """Time of the reading judged."""
    before: float | None
    """Dial before, in the meter's own unit."""
    after: float | None
    booked: float
    """kWh or L after the multiplier."""
    unit: str
    state: str
    """booked, pending, accepted or withdrawn"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What an operator entered about a meter: a replacement, or that a jump was real."""

    site: str
    meter: str
    at: int
    event: str
    """replacement or accept"""
    final: float | None
    first: float | None
    author: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Something a reader of a figure must know: data, not prose."""

    code: str
    """Dotted, for example ``coverage.insufficient``."""
    severity: str
    """info, warning or error"""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiValue:
    """One KPI of one site over one window."""

    site: str
    kpi: str
    label: str
    window: str | None
    interval: Interval
    value: float | None
    unit: str
    numerator: float | None
    """Over the usable intervals; kWh or L."""
    denominator: float | None
    usable: float
    """Share of the window's intervals in which every meter needed has a value."""
    coverage: float
    """Share of the window that every meter needed measured."""
    estimated: float
    """usable - coverage"""
    category: int | None
    """PUE category where the KPI uses E_IT."""
    basis: str | None
    """What the numerator is made of, where a site may choose."""
    provisional: bool
    issues: tuple[Issue, ...]
    parts: Mapping[str, float] = field(default_factory=dict)
    """Shares that make up the numerator, by source."""


SIGNALS = ("kpi", "coverage", "power", "stale", "balance", "spool", "course", "finding", "findings", "expected")
"""What an alert rule may watch.

kpi: a KPI over a rolling window, in the KPI's unit. coverage: the measured share of a KPI's rolling window, 0-1. power:
mean kilowatts of a subsystem over the last complete interval, or over a rolling window. stale: seconds since a meter's
last reading. balance: by how much the children of a meter count more than the meter itself over a rolling window, as a
multiple of what accuracy explains; negative where they count less. spool: readings that wait for the store. course: the
KPI that the calendar year will end with, at the end of its interval that is kinder to the rule. finding: kilowatts that
the open findings of a family draw beyond what is expected; findings: how many are open. expected: by how much a KPI
over a rolling window is above what the site's own history lets expect of the same weather and load.
"""
PER_METER = ("stale", "balance")
"""Signals of a meter: a rule on them has one alert a meter."""
OF_FINDINGS = ("finding", "findings")
"""Signals of a family of findings: a rule on them has one alert a family, in the place of the meter."""
PER_PART = (*PER_METER, *OF_FINDINGS)
ANY_METER = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """A threshold on one signal."""

    name: str
    signal: str = "kpi"
    """One of SIGNALS."""
    kpi: str
    """KPI of the signals kpi, coverage, course and expected; else empty."""
    of: str = ""
    """Subsystem of power; meter, or family of findings, or ANY_METER; ``readings`` of spool; else empty."""
    window: str
    """Rolling window; empty for stale, spool and course, and for power of the last interval."""
    above: float | None
    """In the signal's unit."""
    below: float | None
    clear: float | None
    hold: int
    """Microseconds a breach lasts without a break before it fires (``for``)."""
    keep_firing: int
    """Microseconds since the last breach before it may resolve."""
    severity: str
    sites: tuple[str, ...]
    """Empty: every site. A rule on spool has none: it belongs to no site."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    runbook: str | None = None
    """URL of what to do; the annotation ``runbook_url``."""
    boards: str | None = None
    """Where Grafana shows Wattwell's boards, without a slash at the end; the annotation ``dashboard_url``."""
