"""The JSON shapes and query parameters of the API, as the OpenAPI document shows them.

Answers are documents of the engine and are not checked against these models on the way out; the tests do that.
Fields may be added, never renamed.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

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


class AlertShape(_Shape):
    """A rule's present state at a site, or an entry of its history."""

    name: str
    site: str
    state: str = Field(description="inactive, pending, firing or no_data")
    value: float | None
    since: Time | None
    fired_at: Time | None
    resolved_at: Time | None
    labels: dict[str, str]
    annotations: dict[str, str]


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


class ProblemShape(_Shape):
    """Something an operator should look at."""

    meter: str | None
    code: str
    severity: str
    message: str
    since: Time | None


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
