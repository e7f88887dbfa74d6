"""Which part of a configuration a command works with."""

from __future__ import annotations

from argparse import Namespace

from wattwell.config import Config
from wattwell.config.fleet import load_part


def part_of(args: Namespace) -> Config:
    """The whole configuration, or the shard that ``--shard`` or else ``--site`` names."""
    return load_part(args.config, args.shard, getattr(args, "site", None))
