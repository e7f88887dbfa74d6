"""The configuration that a command or a service works with: all of it, or one shard of a fleet."""

from __future__ import annotations

from pathlib import Path

from wattwell.config.build import load
from wattwell.config.settings import Config
from wattwell.config.sharding import index_of, owner, shard_of
from wattwell.errors import UsageError


def load_part(path: str | Path, shard: str | None = None, site: str | None = None) -> Config:
    """The configuration in a file, or of it the shard ``INDEX`` or ``INDEX/COUNT``, by default that of ``site``.

    Raises ConfigError with every fault, UsageError where a file with shards is asked for none of them.
    """
    config = load(path)
    if shard is not None:
        return shard_of(config, index_of(shard, config.shards))
    if config.shards is None:
        return config
    if site is not None and site in config.sites:
        return shard_of(config, owner(site, config.shards))
    wanted = f"write --shard 0 to --shard {config.shards.count - 1}, or --site where one site will do"
    raise UsageError(f"{path} has shards, each with a store of its own; {wanted}")
