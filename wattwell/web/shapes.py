"""The JSON shapes and query parameters of the API, as the OpenAPI document shows them.

Answers are documents of the engine and are not checked against these models on the way out; the tests do that.
Fields may be added, never renamed.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from wattwell.finding import FAMILIES, FINDING_STATES

Time = Annotated[str, Field(description="ISO 8601 UTC with Z", examples=["2026-03-29T01:00:00Z"])]
Share = Annotated[float, Field(ge=0, le=1)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow")


class ErrorShape(BaseModel):
    """Every answer that is no success."""

    error: str = Field(description="One sentence naming the value at fault and the remedy")


class StatusShape(BaseModel):
    """Health or readiness."""

    status: str
    reason: str | None = None


class IssueShape(_Shape):
    """Something a reader of a figure must know."""

    code: str
    severity: str
    message: str


class MeterShape(_Shape):
    """One metered point."""

    id: str
    role: str | None
    quantity: str
    accumulation: str | None
    unit: str
    value_unit: str = Field(description="Unit of its interval values")
    equipment: str | None
    parent: str | None
    virtual: bool
    period_seconds: float | None
    last_reading: Time | None


class SiteShape(_Shape):
    """One data centre."""

    id: str
    name: str
    timezone: str
    pue_category: int
    it_power_kw: float | None
    wue_numerator: str
    targets: dict[str, float]
    prices: dict[str, Any] | None
    grid_seconds: float
    meters: list[MeterShape]


class KpiShape(_Shape):
    """One KPI of one site over one window, also without a value."""

    site: str
    kpi: str
    label: str
    window: str | None
    start: Time
    end: Time
    value: float | None
    unit: str
    numerator: float | None
    denominator: float | None
    usable: Share
    coverage: Share
    estimated: Share
    category: int | None
    basis: str | None
    provisional: bool
    issues: list[IssueShape]


class BalanceShape(_Shape):
    """Parent minus children of the meter tree over one window; amounts are null where too little is usable."""

    site: str
    meter: str = Field(description="The parent")
    children: list[dict[str, Any]] = Field(description="meter and amount of each child")
    window: str | None
    start: Time
    end: Time
    parent_amount: float | None
    children_amount: float | None
    residual: float | None
    tolerance: float | None = Field(description="What the meters' accuracy explains")
    share: float | None = Field(description="Residual over the parent's amount")
    unit: str
    usable: Share
    coverage: Share
    provisional: bool
    issue: IssueShape | None


class SeriesShape(_Shape):
    """The value of one meter over one grid interval."""

    site: str
    meter: str
    start: Time
    end: Time
    value: float | None
    unit: str
    measured: Share
    estimated: Share
    missing: Share
    recovered: bool


class PowerShape(_Shape):
    """Interval means of a site for plots, kilowatts; null where unknown."""

    start: Time
    end: Time
    total: float | None
    it: float | None
    cooling: float | None
    power_chain: float | None
    lighting: float | None
    other: float | None
    water_litres: float | None


class ExplanationShape(_Shape):
    """One KPI value taken back to its meters, readings, gaps, events and factors."""

    figure: KpiShape
    local: dict[str, str] = Field(description="Time zone of the site, and start and end in it")
    formula: dict[str, str | None] | None = Field(description="In symbols, and with numbers")
    numerator: dict[str, Any] | None = Field(description="Terms and their parts, which add up to the value")
    denominator: dict[str, Any] | None
    peak: dict[str, Time] | None
    hours: dict[str, int] | None = Field(description="Whole hours in the window, and those that count, where they do")
    intervals: dict[str, float]
    unusable: list[dict[str, Any]] = Field(description="Spans that do not count, and the meters to blame")
    meters: list[dict[str, Any]] = Field(description="Dials, readings, gaps, events, corrections, factors of each")
    pruned_before: Time | None = Field(description="Raw readings before it have been dropped")
    too_many: dict[str, int] | None = Field(description="Readings, where too many to follow, and limit")
    ledger: dict[str, Any] = Field(description="Head of the audit ledger, configuration in force, issued revision")


class AlertShape(_Shape):
    """A rule's present state at a site, or an entry of its history."""

    name: str
    signal: str | None = Field(description="what the rule watches; null for a data alert")
    site: str | None = Field(description="null for a rule that belongs to no site")
    state: str = Field(description="inactive, pending, firing or no_data")
    value: float | None
    since: Time | None
    fired_at: Time | None
    resolved_at: Time | None
    labels: dict[str, str]
    annotations: dict[str, str]
    inhibited_by: str | None = Field(description="the open alert that keeps it from being told")
    silenced_by: SilenceShape | None = Field(description="the silence in force")
    acknowledged_by: dict[str, Any] | None = Field(description="at, author and reason")


class SilenceShape(_Shape):
    """Alerts that are not told for a while, by whose word."""

    id: int = Field(description="number of its entry in the audit ledger")
    kind: str = Field(description="silence, or maintenance where it is a whole site's")
    state: str = Field(description="pending, active or ended")
    matchers: dict[str, str] = Field(description="label -> value; all of them must be there")
    since: Time = Field(alias="from")
    until: Time
    author: str
    reason: str
    expired: str | None = Field(description="who ended it early, and why")


class EventShape(_Shape):
    """An entry of the meter-event ledger."""

    site: str
    meter: str
    event: str
    at: Time
    before: float | None
    after: float | None
    booked: float
    unit: str
    state: str


class RejectShape(_Shape):
    """Rejected readings of one kind."""

    site: str | None
    meter: str | None
    topic: str | None
    at: Time | None
    received_at: Time | None
    reason: str
    value: float | str | None
    count: int


class UnmappedShape(_Shape):
    """A topic that was seen and is bound to no meter."""

    topic: str
    first_seen: Time
    last_seen: Time
    count: int
    example: str | None
    proposals: list[dict[str, Any]]
    """Meter entries, with null for what a person must decide."""


class ProblemShape(_Shape):
    """Something an operator should look at."""

    meter: str | None
    code: str
    severity: str
    message: str
    since: Time | None
    evidence: dict[str, float | str] = Field(description="The numbers behind the message")
    remedy: str | None


class EstimateShape(_Shape):
    """An amount with the bounds that hold in nine cases of ten."""

    value: float
    low: float
    high: float


class CostShape(_Shape):
    """Money."""

    value: float
    currency: str


class FindingShape(_Shape):
    """Something that wastes energy or water, or makes figures wrong."""

    id: str
    site: str
    family: str = Field(description=" ".join(FAMILIES))
    detector: str = Field(description="What saw it first")
    equipment: str | None
    meters: list[str] = Field(description="What shows it, most telling first")
    start: Time
    end: Time | None = Field(description="null while it goes on")
    detected_at: Time = Field(description="The earliest data time at which it was known")
    status: str = Field(description=" ".join(FINDING_STATES))
    confidence: Share
    excess_kwh: EstimateShape | None = Field(description="Beyond what was expected, from start to end or so far")
    excess_l: EstimateShape | None
    cost: CostShape | None
    advice: str
    evidence: dict[str, float | str | None]
    title: str
    cause: str
    carbon_kg: float | None
    watts: float | None = Field(description="Mean excess over its last day")
    per_year: dict[str, Any] | None = Field(description="excess_kwh, excess_l and cost if it goes on")
    saving: EstimateShape | None = Field(description="kWh a year saved since it closed")
    note: str | None = Field(description="What the operator said of it")


class CourseShape(_Shape):
    """What was drawn and what was expected: columns of equal length, null where not known."""

    label: str
    unit: str
    step_seconds: float
    start: list[Time]
    actual: list[float | None]
    expected: list[float | None]
    low: list[float | None]
    high: list[float | None]


class FindingDetailShape(FindingShape):
    """A finding with its course and its history."""

    course: list[CourseShape]
    history: list[dict[str, Any]] = Field(description="at, verdict, until, author and note")


class ModelShape(_Shape):
    """What a detector expects of one thing that it watches, and how well, by the hour (ASHRAE Guideline 14).

    Each hour of healthy history is forecast without the ten days about it. Unknown is null.
    """

    site: str
    name: str
    kind: str
    unit: str
    space: str = Field(description="What it goes with: load, weather, plant, or profile, the clock")
    hours: int = Field(description="Healthy hours that it is learnt from")
    cv_rmse: float | None = Field(description="CV(RMSE), a share; of energy and water")
    nmbe: float | None = Field(description="Likewise; positive where too little is expected")
    rmse: float | None = Field(description="Root mean square error of an hour, in its unit")
    weekly: float | None = Field(description="Standard error of the mean of a week, in its unit")
    accepted: bool | None = Field(description="Whether both shares are within the guideline's limits for hours")
    unjudged: str | None = Field(description="Why it was not judged in the last day; null where it was, or rests")


class IssuedReportShape(_Shape):
    """A revision of a report that was issued."""

    site: str
    window: str = Field(description="month, year or fiscal_year")
    key: str = Field(description="2026-10, 2026 or FY2026", examples=["2026-10"])
    name: str
    revision: int
    issued_at: Time
    author: str
    reason: str
    digest: str = Field(description="SHA-256 of its inputs")
    provisional: bool
    changes: int = Field(description="Figures that differ from the revision before")


_SITE = Field(None, description="Site id; without it every site", min_length=1)
_ONE_SITE = Field(None, description="Site id; may be left out where there is one site", min_length=1)
_METER = Field(None, description="Meter id; without it every meter", min_length=1)
_FROM = Field(None, alias="from", description="Start, ISO 8601 or a bare site-local date or month", min_length=1)
_TO = Field(None, description="End, exclusive; now where left out", min_length=1)


class _Query(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoQuery(_Query):
    """No parameters."""


class SiteQuery(_Query):
    """One site or all."""

    site: str | None = _SITE


class OneSiteQuery(_Query):
    """Exactly one site."""

    site: str | None = _ONE_SITE


class SpanQuery(OneSiteQuery):
    """One site over a span of time."""

    from_: str | None = _FROM
    to: str | None = _TO


class SeriesQuery(SpanQuery):
    """One or all meters of a site over a span of time."""

    meter: str | None = _METER


class EventQuery(SiteQuery):
    """Ledger entries over a span of time."""

    meter: str | None = _METER
    from_: str | None = _FROM
    to: str | None = _TO


class FindingsQuery(SiteQuery):
    """Findings that overlap a span of time."""

    from_: str | None = _FROM
    to: str | None = _TO
    status: str | None = Field(None, description=f"One of {' '.join(FINDING_STATES)}", min_length=1)
    limit: int | None = Field(None, description="The first so many", ge=1)


class BalanceQuery(SiteQuery):
    """Balances of the meter tree."""

    window: str | None = Field(None, description="As for kpi; the last 24h without window and from", min_length=1)
    from_: str | None = _FROM
    to: str | None = _TO


class ReportQuery(_Query):
    """One report, named in the path."""

    revision: int | None = Field(
        None, description="An issued revision; without it the one in force, else a draft", ge=1
    )


class KpiQuery(SiteQuery):
    """KPI values."""

    kpi: str | None = Field(None, description="KPI names, separated by commas", examples=["pue,wue"], min_length=1)
    window: str | None = Field(
        None,
        description="1h 24h 7d 30d 365d day month year fiscal_year ytd; without it one value over [from, to)",
        min_length=1,
    )
    from_: str | None = _FROM
    to: str | None = _TO


class FigureQuery(_Query):
    """One KPI value of a site that is named elsewhere."""

    kpi: str = Field(description="One KPI name", examples=["pue"], min_length=1)
    window: str | None = Field(None, description="As for kpi; without it the value of [from, to)", min_length=1)
    at: str | None = Field(
        None, description="A time in the calendar window, or the end of the rolling one; the latest", min_length=1
    )
    from_: str | None = _FROM
    to: str | None = _TO


class ExplainQuery(FigureQuery, OneSiteQuery):
    """One KPI value."""
