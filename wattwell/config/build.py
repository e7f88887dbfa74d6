"""The whole configuration: every part is read, every fault said at once, then the result is built."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wattwell.config.connect import is_loopback, read_http, read_mqtt, read_store
from wattwell.config.document import compose
from wattwell.config.files import unreadable
from wattwell.config.notifiers import read_notifiers
from wattwell.config.places import Faults, Place
from wattwell.config.reading import read
from wattwell.config.reporting import read_reports
from wattwell.config.rules import read_rules
from wattwell.config.schema import RawConfig, RawCoverage
from wattwell.config.settings import Config, MqttSettings, RemoteSettings
from wattwell.config.sharding import read_shards
from wattwell.config.sites import Draft, Surroundings, build_site, read_sites
from wattwell.config.topics import check_shared, check_sources, subscriptions, unheard
from wattwell.errors import ConfigError, Fault
from wattwell.intervals import DAY, GRIDS, MINUTE, format_duration

DEFAULT_GRID = 15 * MINUTE
DEFAULT_LATE = 31 * DAY
DEFAULT_FULL = 0.90
DEFAULT_PROVISIONAL = 0.50


def load(path: str | Path) -> Config:
    """The configuration in a YAML file. Raises ConfigError with every fault.

    Relative paths in it start at its own folder.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        fault = Fault(str(path), "", f"{unreadable(error)}; name a YAML configuration file")
        raise ConfigError([fault]) from error
    faults = Faults()
    document = compose(text, file.name, faults)
    return _whole(document, file.absolute().parent, faults, datetime.now(UTC).date())


def parse(document: dict[str, Any], base: Path, today: date | None = None) -> Config:
    """The configuration in a document that is already read. Raises ConfigError with every fault.

    ``base`` is the folder that relative paths start from; ``today`` is for notes about days to come.
    """
    return _whole(document, base.absolute(), Faults(), today)


def _whole(document: Any, base: Path, faults: Faults, today: date | None) -> Config:
    top = Place()
    raw = read(RawConfig, document, top, faults)
    if raw is None:
        raise ConfigError(faults.in_order(document))
    grid = _grid(raw, faults)
    late = raw.late or DEFAULT_LATE
    full, provisional = _coverage(raw.coverage, faults)
    around = Surroundings(base=base, grid=grid, faults=faults, today=today)
    drafts = read_sites(raw.sites, top / "sites", around)
    check_sources(drafts, faults)
    store = read_store(raw.store, base, late, faults)
    mqtt = read_mqtt(raw.mqtt, base, subscriptions(drafts), faults)
    if mqtt is not None and store.remote is not None and store.remote.follow is not None:
        remedy = "a collector sends, and does not follow; leave out `mqtt` here, or this key"
        faults.add(top / "store" / "follow", remedy, format_duration(store.remote.follow))
    check_shared(drafts, () if mqtt is None else mqtt.subscribe, faults)
    http = read_http(raw.http, base, faults)
    known = {draft.raw.id: draft.meters for draft in drafts if draft.raw.id is not None}
    rules = read_rules(raw.alerts, known, faults)
    notify = read_notifiers(raw.notify, base, faults)
    reports = read_reports(raw.reports, base, faults)
    shards = read_shards(raw.shards, raw.mqtt, known, faults)
    if faults or grid is None:
        raise ConfigError(faults.in_order(document))
    sites = [build_site(draft) for draft in drafts]
    return Config(
        base=base,
        store=store,
        mqtt=mqtt,
        http=http,
        grid=grid,
        late=late,
        full=full,
        provisional=provisional,
        sites={site.id: site for site in sites},
        rules=rules,
        notify=notify,
        notes=(*around.notes, *_store_notes(store.remote), *_broker_notes(raw, mqtt, store.remote, drafts)),
        alerts_declared=raw.alerts is not None,
        reports=reports,
        shards=shards,
    )


def _store_notes(remote: RemoteSettings | None) -> list[str]:
    if remote is None or remote.token_file is None:
        return []
    parts = urlsplit(remote.url)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        return []
    return [f"store.token_file: the token goes to {parts.hostname} unencrypted; write the URL with {remote.kind}s://"]


def _broker_notes(
    raw: RawConfig, mqtt: MqttSettings | None, remote: RemoteSettings | None, drafts: Sequence[Draft]
) -> list[str]:
    if mqtt is None and remote is not None and remote.follow is not None:
        return []
    if mqtt is None:
        return ["mqtt: no broker is named, so `run` receives nothing; `backfill` works"]
    notes = unheard(drafts, mqtt.subscribe)
    if mqtt.tls is None and raw.mqtt.get("tls"):
        notes.insert(0, "mqtt.tls: not used with mqtt://, which is not encrypted; write the URL with mqtts://")
    return notes


def _grid(raw: RawConfig, faults: Faults) -> int | None:
    if raw.broken("grid"):
        return None
    grid = raw.grid or DEFAULT_GRID
    if grid not in tuple(minutes * MINUTE for minutes in GRIDS):
        names = " ".join(f"{minutes}m" for minutes in GRIDS)
        faults.add(Place() / "grid", f"write one of: {names}", format_duration(grid))
        return None
    return grid


def _coverage(raw: Any, faults: Faults) -> tuple[float, float]:
    place = Place() / "coverage"
    coverage = read(RawCoverage, {} if raw is None else raw, place, faults) or RawCoverage()
    full = DEFAULT_FULL if coverage.full is None else coverage.full
    provisional = DEFAULT_PROVISIONAL if coverage.provisional is None else coverage.provisional
    if coverage.broken("full") or coverage.broken("provisional"):
        return full, provisional
    if provisional <= 0:
        faults.add(place / "provisional", "must be above 0; a figure without data is none", provisional)
    elif provisional > full:
        key = "full" if coverage.provisional is None else "provisional"
        remedy = f"provisional ({provisional:g}) must not be above full ({full:g})"
        faults.add(place / key, f"{remedy}; lower it or raise full", provisional if key == "provisional" else full)
    return full, provisional
