"""``wattwell recompute``: all interval values anew from the raw readings."""

from __future__ import annotations

import dataclasses
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from wattwell.app.recompute import Recomputed, recompute, recompute_shard
from wattwell.app.workers import Workers, joined, local
from wattwell.cli.show import emit
from wattwell.config import Config, load
from wattwell.config.sharding import index_of, owner, shard_of
from wattwell.errors import UsageError


def recomputing(args: Namespace) -> int:
    """Recomputes what ``--shard`` and ``--site`` name, or everything, and says how much it was."""
    config = load(args.config)
    if unknown := [site for site in args.site if site not in config.sites]:
        raise UsageError(f"site {unknown[0]!r} is not configured; known: {', '.join(config.sites)}")
    began = time.monotonic()
    with _workers(args) as workers:
        done = _recomputed(args, config, workers)
        count = 1 if workers is None else workers.count
    sites = [site for each in done for site in each.sites]
    meters, seconds = sum(each.meters for each in done), round(time.monotonic() - began, 3)
    if args.json:
        stores = [dataclasses.asdict(each) for each in done]
        emit({"sites": sites, "meters": meters, "workers": count, "seconds": seconds, "stores": stores})
    else:
        print(f"{meters} meters of {len(sites)} site{'s' if len(sites) != 1 else ''} recomputed in {seconds} s")
    return 0


def _workers(args: Namespace) -> AbstractContextManager[Workers | None]:
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers {args.workers} is no number of processes; write 1 or more")
    if args.scheduler is not None:
        return joined(args.scheduler)
    return nullcontext() if args.workers is None else local(args.workers)


def _recomputed(args: Namespace, config: Config, workers: Workers | None) -> Sequence[Recomputed]:
    """One store after the other by all workers; where there are as many stores as workers, each by one."""
    if config.shards is None and args.shard is None:
        return [recompute(config, args.site, workers)]
    if args.shard is not None:
        return [recompute(shard_of(config, index_of(args.shard, config.shards)), args.site, workers)]
    shards = config.shards
    assert shards is not None  # noqa: S101 - the two cases above
    wanted: dict[int, list[str]] = {}
    for site in args.site or config.sites:
        wanted.setdefault(owner(site, shards), []).append(site)
    path = Path(args.config).absolute()
    pieces = [(path, str(index), sites) for index, sites in sorted(wanted.items())]
    if workers is not None and len(pieces) >= workers.count:
        return workers.run(recompute_shard, pieces)
    return [recompute(shard_of(config, index), sites, workers) for index, sites in sorted(wanted.items())]
