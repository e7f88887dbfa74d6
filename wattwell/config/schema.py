"""The raw shape of the configuration: keys and kinds of values, key by key (README, Configuration).

Every field of the larger parts may be None: a part with faults is read as far as it is right, so that the checks
across parts still run and all faults come at once. ``required`` names the keys that must be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from wattwell.config import values
from wattwell.config.values import (
    Duration,
    Flag,
    Hold,
    Identifier,
    LocalDate,
    Moment,
    MonthKey,
    MqttVersion,
    NotNegative,
    Number,
    NumberOrFile,
    Positive,
    PositiveShare,
    RequiredDate,
    Share,
    Subscription,
    Text,
    Threshold,
    Topic,
    UnitName,
    ValuePath,
)
from wattwell.limits import LIMITS
from wattwell.model import Accumulation, Interpolation
from wattwell.roles import ROLES
from wattwell.units import QuantityKind

DECODERS = ("json", "plain", "influx", "senml", "sparkplug", "shelly", "tasmota")
WUE_NUMERATORS = ("total_input", "potable", "fresh", "consumed")
ROLLING_WINDOWS = ("1h", "24h", "7d", "30d", "365d")

Role = Annotated[str, values.one_of("role", tuple(ROLES))]
Quantity = Annotated[QuantityKind, values.one_of("quantity", tuple(QuantityKind), turn=QuantityKind)]
AccumulationName = Annotated[Accumulation, values.one_of("accumulation", tuple(Accumulation), turn=Accumulation)]
InterpolationName = Annotated[Interpolation, values.one_of("interpolation", tuple(Interpolation), turn=Interpolation)]


class Raw(BaseModel):
    """A mapping of the configuration as written."""

    model_config = ConfigDict(extra="forbid", strict=True)
    required: ClassVar[tuple[str, ...]] = ()
    """Keys that must be there."""
    _broken: set[str] = PrivateAttr(default_factory=set)

    def mark_broken(self, keys: Iterable[str]) -> Self:
        """Notes keys that were written with a fault and are None here because of it."""
        self._broken.update(keys)
        return self

    def broken(self, key: str) -> bool:
        """Whether this key was written, with a fault."""
        return key in self._broken

    def lacks(self, key: str) -> bool:
        """Whether a key was not written at all."""
        return getattr(self, key) is None and key not in self._broken


class RawStore(Raw):
    url: Text | None = None
    read_url: Text | None = None
    nodes: list[Text] | None = None
    token_file: Text | None = None
    ca_file: Text | None = None
    spool: Text | None = None
    bucket_retention: Duration | None = None
    kpi_series: Flag | None = None
    follow: Duration | None = None
    raw_retention: Duration | None = None


class RawTls(Raw):
    ca_file: Text | None = None
    cert_file: Text | None = None
    key_file: Text | None = None


class RawMqtt(Raw):
    required = ("url",)
    url: Text | None = None
    client_id: Text | None = None
    username: Text | None = None
    password_file: Text | None = None
    tls: RawTls | None = None
    subscribe: list[Subscription] | None = None
    version: MqttVersion | None = None
    session_expiry: Hold | None = None
    rebirth: Flag | None = None
    max_payload: Annotated[int, values.integer("a number of bytes from 1 to 268435455", 1, 268_435_455)] | None = None


class RawHttp(Raw):
    listen: Text | None = None
    token_file: Text | None = None
    rate: Positive | None = None
    public_url: Text | None = None
    grafana_url: Text | None = None


class RawCoverage(Raw):
    full: Share | None = None
    provisional: Share | None = None


class RawPrices(Raw):
    currency: Annotated[str, values.currency()]
    electricity_per_kwh: NotNegative
    water_per_m3: NotNegative


class RawFactors(Raw):
    grid_kg_per_kwh: NumberOrFile | None = None
    market_kg_per_kwh: NumberOrFile | None = None
    grid_carbon_free_share: NumberOrFile | None = None
    ewif_l_per_kwh: NumberOrFile | None = None


class RawFactorSources(Raw):
    """Name and source of each factor."""

    grid_kg_per_kwh: Text | None = None
    market_kg_per_kwh: Text | None = None
    grid_carbon_free_share: Text | None = None
    ewif_l_per_kwh: Text | None = None


class RawBaseline(Raw):
    name: Text
    pue: Annotated[float, values.number("a PUE of 1 or more", lambda x: x >= 1)]
    grid_kg_per_kwh: NotNegative | None = None


class RawTargets(Raw):
    """Targets by KPI; shares at most 1, PUE and ERE no better than physics allows."""

    pue: Annotated[float, values.number("a PUE of 1 or more", lambda x: x >= 1)] | None = None
    wue: Positive | None = None
    wue_source: Positive | None = None
    ere: Positive | None = None
    cer: Positive | None = None
    cue_location: Positive | None = None
    cue_market: Positive | None = None
    peak_demand_kw: Positive | None = None
    renewable_share: PositiveShare | None = None
    ref: PositiveShare | None = None
    erf: PositiveShare | None = None
    cfe: PositiveShare | None = None
    dcie: PositiveShare | None = None
    ups_efficiency: PositiveShare | None = None
    water_reclaimed_share: PositiveShare | None = None
    load_factor: PositiveShare | None = None


class RawSource(Raw):
    topic: Topic
    decoder: Annotated[str, values.one_of("decoder", DECODERS)] | None = None
    value: Text | None = None
    time: ValuePath | None = None
    time_unit: Annotated[str, values.one_of("time unit", ("s", "ms", "us", "ns"))] | None = None
    unit: ValuePath | None = None
    device: Text | None = None
    id: Text | None = None
    point: Text | None = None


class RawDated(Raw):
    """A number in force from a local date on; no date: always."""

    since: RequiredDate | None = Field(alias="from")
    value: float | None


class RawMultiplier(RawDated):
    value: Annotated[float, values.number("a multiplier above 0; turn a direction with `sign: -1`", lambda x: x > 0)]


class RawSign(RawDated):
    value: Annotated[float, values.number("1 or -1", lambda x: x in (1, -1))]


def _multiplier(value: Any) -> Any:
    if value is None or isinstance(value, list):
        return value
    if values.as_number(value) <= 0:
        raise ValueError("write a multiplier above 0; turn a direction with `sign: -1`")
    return [RawMultiplier.model_construct(since=None, value=float(value))]


def _sign(value: Any) -> Any:
    if value is None or isinstance(value, list):
        return value
    if isinstance(value, bool) or value not in (1, -1):
        raise ValueError("write 1 or -1, or a dated list such as [{from: 2026-01-01, value: -1}]")
    return [RawSign.model_construct(since=None, value=float(value))]


def _range(value: Any) -> Any:
    if value is None:
        return None
    says = "write two numbers in the meter's unit, the lower one first, such as [0, 100]"
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(says)
    try:
        low, high = (values.as_number(edge) for edge in value)
    except ValueError as error:
        raise ValueError(says) from error
    if low >= high:
        raise ValueError(says)
    return (low, high)


class RawMeter(Raw):
    required = ("id", "quantity")
    id: Identifier | None = None
    role: Role | None = None
    quantity: Quantity | None = None
    accumulation: AccumulationName | None = None
    unit: UnitName | None = None
    equipment: Text | None = None
    parent: Text | None = None
    sign: Annotated[list[RawSign], BeforeValidator(_sign)] | None = None
    multiplier: Annotated[list[RawMultiplier], BeforeValidator(_multiplier)] | None = None
    rollover_at: Positive | None = None
    max_rate: Positive | None = None
    resolution: NotNegative | None = None
    accuracy: Share | None = None
    period: Duration | None = None
    max_gap: Duration | None = None
    interpolation: InterpolationName | None = None
    range: Annotated[tuple[float, float], BeforeValidator(_range)] | None = None
    sentinels: list[Number] | None = None
    weight: NotNegative | None = None
    kg_per_kwh: NotNegative | None = None
    factor_source: Text | None = None
    since: LocalDate | None = Field(default=None, alias="from")
    until: LocalDate | None = None
    source: RawSource | None = None
    formula: Text | None = None

    def dates(self) -> tuple[date, date]:
        """First day in service and first day no more; far away where open."""
        return self.since or date.min, self.until or date.max


TEXT_COLUMNS = (
    *("id", "role", "quantity", "accumulation", "unit", "equipment", "parent", "period", "max_gap"),
    "factor_source",
)
"""Columns of a meters file that are texts as they stand; the others are YAML values. So are formula and source.*."""


class RawMaintenance(Raw):
    required = ("from", "until", "reason")
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None
    equipment: Text | None = None
    reason: Text | None = None

    def lacks(self, key: str) -> bool:
        """Whether a key was not written at all; ``from`` is a word of Python."""
        return super().lacks("since" if key == "from" else key) and not self.broken(key)


class RawSite(Raw):
    required = ("id", "timezone", "pue_category")
    id: Identifier | None = None
    name: Text | None = None
    timezone: Text | None = None
    pue_category: Annotated[int, values.integer("1 (UPS), 2 (PDU) or 3 (IT equipment)", 1, 3)] | None = None
    it_power_kw: Positive | None = None
    fiscal_year_start: Annotated[int, values.integer("a month from 1 to 12", 1, 12)] | None = None
    wue_numerator: Annotated[str, values.one_of("WUE numerator", WUE_NUMERATORS)] | None = None
    targets: RawTargets | None = None
    limits: list[Annotated[str, values.one_of("limit", LIMITS)]] | None = None
    prices: RawPrices | None = None
    factors: RawFactors | None = None
    factor_sources: RawFactorSources | None = None
    certificates: Text | None = None
    emissions: Text | None = None
    baseline: RawBaseline | None = None
    meters_file: Text | None = None
    meters: list[Any] | None = None
    maintenance: list[Any] | None = None
    facility: Any = None


class RawRule(Raw):
    required = ("name",)
    name: Identifier | None = None
    kpi: Text | None = None
    coverage: Text | None = None
    power: Text | None = None
    stale: Text | None = None
    balance: Text | None = None
    spool: Text | None = None
    course: Text | None = None
    finding: Text | None = None
    expected: Text | None = None
    window: Annotated[str, values.one_of("rolling window", ROLLING_WINDOWS)] | None = None
    above: Threshold | None = None
    below: Threshold | None = None
    clear: Threshold | None = None
    hold: Hold | None = Field(default=None, alias="for")
    keep_firing: Hold | None = None
    severity: Identifier | None = None
    sites: list[Text] | None = None
    labels: dict[str, Text] | None = None
    annotations: dict[str, Text] | None = None
    runbook: Text | None = None


class RawNotifier(Raw):
    url: Text | None = None
    url_file: Text | None = None
    token_file: Text | None = None


class RawReports(Raw):
    issue: Flag | None = None
    delay: Hold | None = None
    deliver: Flag | None = None
    since: MonthKey | None = Field(default=None, alias="from")
    fonts: Text | None = None


class RawConfig(Raw):
    required = ("sites",)
    store: Any = None
    mqtt: Any = None
    http: Any = None
    grid: Duration | None = None
    late: Duration | None = None
    coverage: Any = None
    sites: list[Any] | None = None
    alerts: list[Any] | None = None
    notify: list[Any] | None = None
    reports: Any = None
    shards: Any = None
