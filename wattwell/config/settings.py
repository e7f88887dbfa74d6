"""The configuration as the program uses it: frozen, complete, already checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wattwell.intervals import DAY, SECOND
from wattwell.model import AlertRule, Site

FOLLOWS_AFTER = 15 * SECOND
"""How long after a reading came to a collector a follower may see it: marks are gathered, and a store shows late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSettings:
    """A remote store, to which the local one's readings are sent on."""

    url: str
    """``http(s)://HOST:PORT``, perhaps with a path, without a slash at the end; where it is written to."""
    kind: str = "victoriametrics"
    """Or ``influxdb``."""
    token_file: Path | None = None
    """Holds a bearer token, or InfluxDB's own."""
    ca_file: Path | None = None
    """The CA that its certificate must be of; None: the system's."""
    read_url: str | None = None
    """Where a cluster of VictoriaMetrics is read, likewise; None: at ``url``."""
    nodes: tuple[str, ...] = ()
    """Addresses of a cluster's nodes, which say on /metrics since when they run."""
    org: str = "-"
    """Of InfluxDB."""
    bucket: str = "-"
    """Of InfluxDB."""
    retention: int | None = None
    """Microseconds that a bucket of InfluxDB keeps, where it is to be created; None: for ever."""
    kpi_series: bool = False
    """Whether KPI values are written there too."""
    follow: int | None = None
    """Microseconds between two looks at what collectors have sent there; None: it is not followed but sent to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where readings are kept."""

    url: str
    """As written; relative DuckDB paths are resolved by ``base``."""
    path: Path | None
    """The absolute file of the embedded store, or of the spool before a remote one."""
    remote: RemoteSettings | None = None
    raw_retention: int | None = None
    """Microseconds that raw readings are kept; None: for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Certificates for mqtts://; absent files mean the system's trust store and no client certificate."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """How to reach the broker."""

    host: str
    port: int
    tls: Tls | None
    """None for mqtt://."""
    client_id: str
    username: str | None
    password_file: Path | None
    subscribe: tuple[str, ...]
    version: str = "5"
    """``5`` or ``3.1.1``."""
    session_expiry: int = 7 * 86400
    """Seconds the broker keeps our session while we are away."""
    max_payload: int = 1_048_576
    """Bytes; larger messages are rejected as ``payload.invalid``."""
    rebirth: bool = True
    """Whether to ask Sparkplug edge nodes for their births, the only messages that are ever published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where the page, the API and /metrics listen."""

    host: str
    port: int
    token_file: Path | None
    rate: float = 50.0
    """Requests a second that each client beyond this machine may make."""
    public_url: str = ""
    """Where people find the page, without a slash at the end; links in alerts start with it."""
    grafana_url: str | None = None
    """Where people find Grafana with Wattwell's boards, without a slash at the end; None where they have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifier:
    """One place that is told of alerts."""

    url: str = field(repr=False)
    """May hold a secret, where it comes from a file."""
    token_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSettings:
    """How `run` issues reports by itself."""

    issue: bool = True
    """Whether it does."""
    delay: int = 3 * DAY
    """How long after the local end of a month or year it waits for late data, microseconds."""
    deliver: bool = True
    """Whether those of ``notify`` are told."""
    since: str | None = None
    """The first local month that it issues; None: at each site that in which `run` first had it."""
    fonts: Path | None = None
    """Folder of font files for names in scripts that the reports' own fonts lack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardSettings:
    """How sites are shared out among processes (:mod:`wattwell.config.sharding`)."""

    count: int
    """How many shards there are, numbered from 0."""
    pinned: Mapping[str, int] = field(default_factory=dict)
    """Sites that belong to a shard of their own choice."""
    same_port: bool = False
    """Whether all listen at the same port, each on its own machine; else each at the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything one installation is told."""

    base: Path
    """Folder that relative paths start from: that of the configuration file."""
    store: StoreSettings
    mqtt: MqttSettings | None
    http: HttpSettings
    grid: int
    """Grid interval, microseconds."""
    late: int
    """How old a reading may be on the live path, microseconds."""
    full: float
    """Usable share from which a value stands."""
    provisional: float
    """Usable share from which a value is shown as provisional."""
    sites: Mapping[str, Site]
    rules: tuple[AlertRule, ...]
    """The declared ones; the shipped ones take their place where the file has no ``alerts``."""
    notify: tuple[Notifier, ...]
    notes: tuple[str, ...] = field(default=())
    """Things worth saying that are no faults, for ``check``."""
    alerts_declared: bool = True
    """False where the file has no ``alerts``, so that the shipped rules hold."""
    reports: ReportSettings = field(default_factory=ReportSettings)
    shards: ShardSettings | None = None
    """None: one process has all sites."""
    shard: int | None = None
    """The shard whose part of the configuration this is; None: it is whole."""

    @property
    def behind(self) -> int:
        """How much later than from a broker readings come, microseconds: by following, else not at all."""
        remote = self.store.remote
        return 0 if remote is None or remote.follow is None else remote.follow + FOLLOWS_AFTER
