"""Shards: every site has one, a change of their number moves few, and each tells of its own sites alone."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.running import RULE, STEP, Listener
from tests.support import T0, readings_of
from wattwell.app.access import rules_of
from wattwell.config import Config, parse
from wattwell.config.fleet import load_part
from wattwell.config.settings import ShardSettings
from wattwell.config.sharding import index_of, owner, shard_of
from wattwell.engine.engine import Engine
from wattwell.errors import ConfigError, UsageError
from wattwell.intervals import HOUR, MINUTE
from wattwell.store.duckdb import DuckdbStore

NAMES = st.lists(st.text("abcdefgh-0123456789", min_size=1, max_size=12), unique=True, max_size=60)
SITES = tuple(f"site-{number}" for number in range(12))
METERS = [{"id": "grid", "role": "utility_import", **STEP}, {"id": "it", "role": "it_ups", **STEP}]
SPOOL = {"name": "SpoolGrowing", "spool": "readings", "above": 10, "for": "0s"}


def fleet(folder: Path, count: int | None = 3, **sections: Any) -> Config:
    listed = [{"id": site, "timezone": "UTC", "pue_category": 1, "meters": METERS} for site in SITES]
    shards = {} if count is None else {"shards": {"count": count}}
    return parse({"sites": listed, "alerts": [RULE, SPOOL], **shards, **sections}, folder)


# -- who has which site ---------------------------------------------------------------------------------------------


@given(NAMES, st.integers(1, 40))
def test_every_site_has_one_shard(sites: list[str], count: int) -> None:
    shards = ShardSettings(count=count)
    assert all(0 <= owner(site, shards) < count for site in sites)


@given(NAMES, st.integers(1, 40))
def test_with_one_shard_more_only_the_sites_move_that_it_takes(sites: list[str], count: int) -> None:
    before, after = ShardSettings(count=count), ShardSettings(count=count + 1)
    for site in sites:
        assert owner(site, after) in (owner(site, before), count)


def test_sites_are_shared_out_evenly_and_always_alike() -> None:
    found = Counter(owner(f"site-{number}", ShardSettings(count=8)) for number in range(4000))
    assert min(found.values()) > 400
    assert max(found.values()) < 600
    assert [owner(site, ShardSettings(count=4)) for site in SITES] == [0, 3, 0, 1, 2, 1, 0, 0, 1, 2, 3, 0]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shards_of_a_configuration_have_each_site_once(tmp_path: Path, count: int) -> None:
    config = fleet(tmp_path, count)
    used = {owner(site, ShardSettings(count=count)) for site in SITES}
    assert sorted(site for index in used for site in shard_of(config, index).sites) == sorted(SITES)


def test_a_pinned_site_stays_where_it_is(tmp_path: Path) -> None:
    at = owner("site-0", ShardSettings(count=3))
    config = fleet(tmp_path, shards={"count": 3, "pinned": {"site-0": (at + 1) % 3}})
    assert "site-0" in shard_of(config, (at + 1) % 3).sites
    assert "site-0" not in shard_of(config, at).sites


# -- what is its own ------------------------------------------------------------------------------------------------


def test_a_shard_has_store_session_topics_and_address_of_its_own(tmp_path: Path) -> None:
    mapped = {"id": "far", "quantity": "power", "accumulation": "instantaneous", "source": {"topic": "plant/+/far"}}
    edge = {"decoder": "sparkplug", "topic": "spBv1.0/g/+/edge/dev", "value": "p"}
    born = {"id": "born", "quantity": "power", "accumulation": "instantaneous", "source": edge}
    sites = [
        {"id": "a", "timezone": "UTC", "pue_category": 1, "meters": [*METERS, mapped, born]},
        {"id": "b", "timezone": "UTC", "pue_category": 1, "meters": METERS},
    ]
    document = {"sites": sites, "mqtt": {"url": "mqtt://h", "client_id": "w"}, "http": {"listen": "127.0.0.1:9000"}}
    config = parse(document | {"shards": {"count": 2, "pinned": {"a": 1, "b": 0}}}, tmp_path)
    first, second = shard_of(config, 0), shard_of(config, 1)
    assert (first.mqtt is not None and first.mqtt.subscribe) == ("wattwell/b/#",)
    assert second.mqtt is not None
    assert second.mqtt.subscribe == ("wattwell/a/#", "plant/+/far", "spBv1.0/g/+/edge/#")
    assert second.mqtt.client_id == "w-shard-1"
    assert (second.store.path, second.http.port) == (tmp_path / "wattwell.shard-1.duckdb", 9001)
    assert second.http.public_url == "http://127.0.0.1:9001"
    together = parse(document | {"shards": {"count": 2, "pinned": {"a": 1, "b": 0}, "same_port": True}}, tmp_path)
    assert shard_of(together, 1).http == together.http


def test_a_rule_names_the_sites_that_the_shard_has(tmp_path: Path) -> None:
    here, there = (next(s for s in SITES if owner(s, ShardSettings(count=2)) == index) for index in (0, 1))
    rules = [RULE | {"name": name, "sites": of} for name, of in (("Both", [here, there]), ("There", [there]))]
    found = shard_of(fleet(tmp_path, 2, alerts=[*rules, SPOOL]), 0).rules
    assert [(rule.name, rule.sites) for rule in found] == [("Both", (here,)), ("SpoolGrowing", ())]


# -- who is told ----------------------------------------------------------------------------------------------------


def told_by(config: Config) -> Counter[str]:
    """Who hears what, when the PUE of every site rises and falls again and 20 readings wait."""
    listener = Listener()
    now = T0
    store = DuckdbStore(Path("memory"), duckdb.connect())
    engine = Engine(config, rules_of(config), store, lambda: now, {"listener": listener})
    engine.watch.spool = lambda: 20
    sites = [site for site in SITES if site in config.sites]
    for now in range(T0, T0 + 6 * HOUR, 15 * MINUTE):
        power = 150.0 if 2 * HOUR <= now - T0 < 4 * HOUR else 110.0
        at = range(now - 15 * MINUTE, now, 5 * MINUTE)
        rows = [((site, meter), t, kw) for t in at for site in sites for meter, kw in (("grid", power), ("it", 100.0))]
        store.commit(readings_of(rows, received_at=now), [])
        engine.refresh()
        engine.watch.deliver(now)
    return Counter(f"{each.key} {each.labels.get('shard', '')}" for each in listener.told)


def test_nobody_is_told_twice_and_nothing_is_left_out(tmp_path: Path) -> None:
    whole = told_by(fleet(tmp_path, None))
    config = fleet(tmp_path, 3)
    parts = [told_by(shard_of(config, index)) for index in range(3)]
    together = sum(parts, Counter())
    of_sites = {key: count for key, count in whole.items() if not key.startswith("/SpoolGrowing")}
    assert len(of_sites) == 2 * len(SITES), "each site's alert begins and ends"
    assert {key: count for key, count in together.items() if not key.startswith("/")} == of_sites
    assert set(of_sites.values()) == {1}
    spools = sorted(key.rpartition(" ")[2] for key in together if key.startswith("/"))
    assert spools == ["0", "1", "2"], "each shard has a spool of its own"


# -- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ({}, "shards.count: this key is required and absent; add it"),
        ({"count": 0}, "shards.count = 0: write how many shards there are, from 1 to 1000"),
        ({"count": 2, "pinned": {"site-0": 2}}, "shards.pinned.site-0 = 2: write the number of a shard, from 0 to 1"),
        ({"count": 2, "pinned": {"site-99": 1}}, "shards.pinned.site-99: no such site (did you mean site-9?)"),
        ({"count": 2, "index": 1}, "shards.index = 1: unknown key"),
    ],
)
def test_a_fault_names_its_place(tmp_path: Path, written: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        fleet(tmp_path, shards=written)
    assert fault in str(caught.value)


def test_shards_subscribe_to_their_own_topics_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mqtt.subscribe.* each shard subscribes to the topics of its own sites"):
        fleet(tmp_path, mqtt={"url": "mqtt://h", "subscribe": ["$share/w/dc/#"]})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("4", "write a number from 0 to 3"),
        ("x", "write a number from 0 to 3"),
        ("0/5", "the configuration says `shards: {count: 4}`; make them agree"),
    ],
)
def test_an_index_fits_the_configuration(text: str, says: str) -> None:
    assert index_of("3/4", ShardSettings(count=4)) == index_of("3", ShardSettings(count=4)) == 3
    with pytest.raises(UsageError, match=says):
        index_of(text, ShardSettings(count=4))


def test_a_command_takes_the_shard_of_its_site(tmp_path: Path) -> None:
    meters = "[{id: it, role: it_ups, quantity: power, accumulation: instantaneous}]"
    sites = "".join(f"  - {{id: {s}, timezone: UTC, pue_category: 1, meters: {meters}}}\n" for s in ("a", "b"))
    file = tmp_path / "w.yaml"
    file.write_text(f"shards: {{count: 3, pinned: {{a: 0, b: 1}}}}\nsites:\n{sites}")
    assert load_part(file, site="b").shard == load_part(file, "1").shard == 1
    with pytest.raises(UsageError, match="write --shard 0 to --shard 2, or --site"):
        load_part(file)
    with pytest.raises(UsageError, match="no site belongs to shard 2 of 3"):
        load_part(file, "2/3")
    file.write_text(f"sites:\n{sites}")
    assert load_part(file).shard is None
    with pytest.raises(UsageError, match="the configuration has no shards"):
        load_part(file, "0/2")
