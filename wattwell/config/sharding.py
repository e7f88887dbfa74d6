"""Shards: which process of a fleet has which sites, and what of the configuration is its own (README, Shards).

A site belongs to one shard, always the same one, by rendezvous hashing: with a shard more, only the sites move that
the new one takes; with one less, only those that it had.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Annotated, Any

from wattwell.config import values
from wattwell.config.filters import covers
from wattwell.config.places import Faults, Place, nearest
from wattwell.config.reading import read
from wattwell.config.schema import Raw
from wattwell.config.settings import Config, HttpSettings, MqttSettings, ShardSettings, StoreSettings
from wattwell.config.topics import heard
from wattwell.config.values import Flag
from wattwell.errors import UsageError
from wattwell.model import AlertRule, Site

MOST = 1000


class RawShards(Raw):
    """The shards section as written."""

    required = ("count",)
    count: Annotated[int, values.integer(f"how many shards there are, from 1 to {MOST}", 1, MOST)] | None = None
    pinned: dict[str, Annotated[int, values.integer("the number of a shard, from 0", 0, MOST - 1)]] | None = None
    same_port: Flag | None = None


def read_shards(raw: Any, mqtt: Any, sites: Collection[str], faults: Faults) -> ShardSettings | None:
    """The shards section, or None where there is none; ``mqtt`` as written, ``sites`` the known ones."""
    place = Place() / "shards"
    shards = None if raw is None else read(RawShards, raw, place, faults)
    if shards is None:
        return None
    count = shards.count or 1
    for site, index in (shards.pinned or {}).items():
        if site not in sites:
            faults.add(place / "pinned" / site, f"no such site{nearest(site, sites)}; name one of `sites`")
        elif index >= count and not shards.broken("count"):
            faults.add(place / "pinned" / site, f"write the number of a shard, from 0 to {count - 1}", index)
    if isinstance(mqtt, dict) and mqtt.get("subscribe") is not None:
        remedy = "each shard subscribes to the topics of its own sites; leave the key out"
        faults.add(Place() / "mqtt" / "subscribe", remedy, mqtt["subscribe"])
    return ShardSettings(count=count, pinned=dict(shards.pinned or {}), same_port=shards.same_port is True)


def owner(site: str, shards: ShardSettings) -> int:
    """The number of the shard that a site belongs to."""
    pinned = shards.pinned.get(site)
    return max(range(shards.count), key=lambda index: _weight(site, index)) if pinned is None else pinned


def _weight(site: str, index: int) -> bytes:
    return blake2b(f"{index}/{site}".encode(), digest_size=16).digest()


def index_of(text: str, shards: ShardSettings | None) -> int:
    """The number in ``INDEX`` or ``INDEX/COUNT``; UsageError where it does not fit the configuration."""
    if shards is None:
        raise UsageError(f"--shard {text}: the configuration has no shards; add `shards: {{count: N}}` to it")
    found = re.fullmatch(r"([0-9]{1,4})(?:/([0-9]{1,4}))?", text)
    if not found or int(found[1]) >= shards.count:
        raise UsageError(f"--shard {text!r} is not understood; write a number from 0 to {shards.count - 1}")
    if found[2] is not None and int(found[2]) != shards.count:
        raise UsageError(f"--shard {text}: the configuration says `shards: {{count: {shards.count}}}`; make them agree")
    return int(found[1])


def shard_of(config: Config, index: int) -> Config:
    """The configuration of one shard: its sites, with a store, a session at the broker and an address of its own.

    UsageError where no site belongs to it.
    """
    shards = config.shards
    if shards is None:
        raise UsageError("the configuration has no shards; add `shards: {count: N}` to it")
    sites = {name: site for name, site in config.sites.items() if owner(name, shards) == index}
    if not sites:
        raise UsageError(f"no site belongs to shard {index} of {shards.count}; lower shards.count, or pin one to it")
    return replace(
        config,
        shard=index,
        sites=sites,
        store=_store(config.store, index),
        mqtt=None if config.mqtt is None else _mqtt(config.mqtt, index, sites.values()),
        http=config.http if shards.same_port else _http(config.http, index),
        rules=tuple(_rules(config.rules, sites)),
    )


def _store(store: StoreSettings, index: int) -> StoreSettings:
    path = store.path
    return store if path is None else replace(store, path=path.with_name(f"{path.stem}.shard-{index}{path.suffix}"))


def _mqtt(mqtt: MqttSettings, index: int, sites: Iterable[Site]) -> MqttSettings:
    return replace(mqtt, client_id=f"{mqtt.client_id}-shard-{index}", subscribe=_topics(sites))


def _topics(sites: Iterable[Site]) -> tuple[str, ...]:
    """The default topics of each site, and its meters' own."""
    topics: dict[str, None] = {}
    for site in sites:
        default = f"wattwell/{site.id}/#"
        topics[default] = None
        sources = [meter.source for meter in site.meters.values() if meter.source is not None]
        own = (heard(source.topic, source.decoder) for source in sources)
        topics |= dict.fromkeys(topic for topic in own if not covers(default, topic))
    return tuple(topics)


def _http(http: HttpSettings, index: int) -> HttpSettings:
    """One address beside the other; who names no public address finds the page at the shard's own."""
    port = http.port + index
    if port > 65535:
        raise UsageError(f"http.listen: shard {index} would listen at port {port}; choose a lower port")
    own = http.public_url.endswith(f":{http.port}") and http.public_url.startswith("http://")
    public = http.public_url.removesuffix(str(http.port)) + str(port) if own else http.public_url
    return replace(http, port=port, public_url=public)


def _rules(rules: Iterable[AlertRule], sites: Mapping[str, Site]) -> Iterable[AlertRule]:
    """The rules that concern the shard; one that names sites names those that the shard has."""
    for rule in rules:
        here = tuple(site for site in rule.sites if site in sites)
        if here or not rule.sites:
            yield replace(rule, sites=here)
