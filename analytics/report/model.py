"""The value that every format of a report is made of: ``dataclasses.asdict`` of it is the JSON document.

Amounts are kWh, litres and kilograms unless a unit stands beside them. Times are ISO 8601 in UTC, days and months are
local. A text named ``shown`` is the value as every format prints it: parts printed beside a total sum to it to the last
digit. None is unknown, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analytics.report.carbon import Carbon
from analytics.report.gate import Check
from analytics.report.limits import AppliedLimit, Judgement
from analytics.report.period import MeterTotal
from analytics.report.renewables import Renewables

SCHEMA = "wattwell.report/1"
METHOD = 2
"""Rises when the same inputs give other figures."""
Document = dict[str, Any]
"""A JSON object in the shape of the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteHead:
    """Whose report it is."""

    id: str
    name: str
    timezone: str
    pue_category: int
    it_power_kw: float | None
    wue_numerator: str
    currency: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What it covers."""

    window: str
    """month, year or fiscal_year"""
    key: str
    """2026-10; 2026; FY2026 (named by the calendar year in which it begins)"""
    name: str
    """October 2026; 2026; 1 April 2026 to 31 March 2027"""
    start: str
    end: str
    hours: float
    grid_seconds: float
    over: bool
    """False where it is cut at the last data and not over yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One figure over one span."""

    value: float | None
    shown: str
    """With its digits, without its unit; a dash where there is none."""
    provisional: bool
    usable: float | None
    """Share of the span's intervals that it stands on."""
    start: str | None
    end: str | None
    note: str | None
    """Why there is no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One line of the first page."""

    name: str
    """KPI, or energy, water, carbon, cost"""
    label: str
    unit: str
    better: str | None
    """lower or higher"""
    current: Cell
    target: float | None
    target_shown: str | None
    met: bool | None
    previous: Cell
    """The month or year before."""
    year_ago: Cell
    """The same month of the year before; of a year the same as ``previous``."""
    ytd: Cell
    """From 1 January to the end of the period."""
    fiscal: Cell
    """From the start of the fiscal year to the end of the period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a total."""

    name: str
    label: str
    value: float
    shown: str
    share: float | None
    """Of the total."""
    share_shown: str | None
    """In per cent, without the sign; the printed shares of all parts sum to 100.0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """A total and its parts, over the intervals in which all of them are known."""

    label: str
    unit: str
    """In which ``shown`` is written: MWh or kWh, m3 or L, t or kg."""
    total: float
    """kWh, L or kg."""
    total_shown: str
    parts: tuple[Part, ...]
    usable: float
    """Share of the period's intervals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One day of a month, or one month of a year."""

    key: str
    """2026-10-31, or 2026-10"""
    start: str
    end: str
    e_dc: float | None
    """kWh over its usable intervals."""
    e_it: float | None
    water: float | None
    """L, by the declared WUE numerator."""
    pue: float | None
    wue: float | None
    ref: float | None
    carbon_location: float | None
    """kg"""
    carbon_market: float | None
    cost: float | None
    temperature: float | None
    """Mean outdoor dry bulb, degC."""
    usable: float
    """Share of its intervals that its PUE stands on."""
    provisional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A load-duration curve: for what share of the known time the load is at least so much."""

    label: str
    share: tuple[float, ...]
    """From 0 to 1, ascending."""
    kw: tuple[float, ...]
    """Descending."""
    usable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The load of the utility import, or of E_DC where nothing is imported."""

    label: str
    peak_kw: float | None
    peak_at: str | None
    mean_kw: float | None
    load_factor: float | None
    curves: tuple[Curve, ...]
    """Of the demand, and of the IT load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """PUE by outdoor temperature: one point an hour in a month, a day in a year."""

    step: str
    """hour or day"""
    temperature: tuple[float, ...]
    """degC"""
    pue: tuple[float, ...]
    mean: float | None
    """Over the period, degC."""
    lowest: float | None
    highest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of the power chain, from the inlet to the IT equipment."""

    role: str
    label: str
    kwh: float
    efficiency: float | None
    """By the stage before, over the intervals that both are known; None for the first, and after a transformer, which
    feeds more than the next stage."""
    loss_kwh: float | None
    usable: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Where the energy came from and where it went; sources and uses both sum to E_DC of the same intervals."""

    sources: Breakdown | None
    uses: Breakdown | None
    cooling: Breakdown | None
    """Cooling energy by kind of plant, over the intervals of ``uses``."""
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Water:
    """The water balance; None where it is not metered."""

    numerator: str
    """What WUE counts: total_input, potable, fresh or consumed."""
    sources: Breakdown | None
    """Sums to all that came in, and recovered water."""
    uses: Breakdown | None
    """Where it went, over the same intervals; ``other`` is what no meter shows, negative where meters show more."""
    blowdown: float | None
    """L"""
    returned: float | None
    cycles: float | None
    """Cycles of concentration: tower make-up / blow-down."""
    reclaimed_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Heat that was used again, and removed."""

    reused_kwh: float | None
    erf: float | None
    removed_kwh: float | None
    cer: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hourly:
    """The hourly carbon-free share by hour of the local day."""

    hour: tuple[int, ...]
    share: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One line of the key-metrics table."""

    name: str
    label: str
    unit: str
    value: float | None
    shown: str
    basis: str
    """How it is bounded: category, numerator, basis of the factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A legal limit, and how the PUE of the last 365 days stands to it."""

    limit: AppliedLimit
    value: float | None
    span: str
    """Over which the PUE is: the year, or the 365 days to the end of the period; and that it is provisional."""
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A figure that a revision changed."""

    name: str
    label: str
    unit: str
    old: float | None
    new: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One issue of the report."""

    number: int
    digest: str
    """Of its inputs."""
    author: str
    reason: str
    changes: tuple[Change, ...]
    """Against the revision before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """SHA-256, in hex, of what the figures are made from; equal digests give equal figures."""

    digest: str
    """Of all the others."""
    intervals: str
    """Interval values of every meter in the period."""
    comparisons: str
    """The first page's figures of other spans."""
    configuration: str
    """The site's configuration, factors, certificates and entries among it."""
    corrections: str
    told: str
    """Findings, alerts and meter events as they were known."""
    program: str
    """wattwell and its version"""
    method: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One site's figures of a month or a year, with all that a reader needs to trust or to doubt them."""

    schema: str = SCHEMA
    kind: str
    """month or year"""
    site: SiteHead
    period: Period
    status: str
    """issued, or draft"""
    revision: int | None
    """None of a draft."""
    inputs: Inputs
    headlines: tuple[Headline, ...]
    kpis: tuple[Document, ...]
    """Every KPI that the site has the inputs for, in the shape of ``wattwell kpi``."""
    metrics: tuple[Metric, ...]
    rows: tuple[Row, ...]
    """Days of a month, months of a year."""
    demand: Demand
    weather: Weather | None
    energy: Energy
    water: Water
    heat: Heat
    renewables: Renewables
    carbon: Carbon
    carbon_free: Hourly | None
    limits: tuple[Judged, ...]
    findings: tuple[Document, ...]
    """Those that overlap the period, in the shape of ``wattwell findings``, worth most first."""
    findings_note: str | None
    """Why findings are not available."""
    alerts: tuple[Document, ...]
    events: tuple[Document, ...]
    """Meter events that stand; those that late data disproved are left out."""
    corrections: tuple[Document, ...]
    """What operators entered about meters in the period: meter, at, event, final, first, author, reason."""
    meters: tuple[MeterTotal, ...]
    gate: tuple[Check, ...]
    """What was checked before issue."""
    caveats: tuple[str, ...]
    """What a reader must know: gaps, estimates, open balances, missing inputs."""
    method: tuple[str, ...]
    """How figures are made, in sentences."""
    revisions: tuple[Revision, ...] = field(default=())
    """All up to this one."""
