"""``wattwell recompute``: all interval values of sites made anew from the raw readings, by one process or by many.

Meters do not depend on one another. Several processes read the store's file at the same time, fold each their share
of the meters, and leave what comes of it in files beside the store; then one process stores it, as it would have made
it alone. Should anything end in between, the store knows what is still to be computed, and the next analysis does it.
"""

from __future__ import annotations

import logging
import pickle
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from uuid import uuid4

from wattwell.app.access import clock, open_engine, store_path
from wattwell.app.workers import Workers
from wattwell.config.fleet import load_part
from wattwell.config.settings import Config
from wattwell.engine.analyse import Changed, analyse, joined_values
from wattwell.engine.fingerprint import forget_changed
from wattwell.errors import UsageError
from wattwell.model import Meter, MeterKey
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.part import Part
from wattwell.store.protocol import DirtySet, MeterUpdate, ReadingStore

_log = logging.getLogger(__name__)
_HELD = 2_000_000
"""Interval values that a worker gathers before it writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What was done."""

    sites: tuple[str, ...]
    meters: int
    seconds: float


def recompute(
    config: Config, sites: Collection[str] = (), workers: Workers | None = None, now: Callable[[], int] = clock
) -> Recomputed:
    """Makes all interval values of sites (none named: all) anew in one store; ``workers``: None for this process alone.

    UsageError for a site that is not configured; StoreLocked while the service runs.
    """
    began = time.monotonic()
    chosen = _chosen(config, sites)
    keys = [key for key in _meters(config) if key[0] in chosen]
    if workers is None:
        with open_engine(config, now) as engine:
            engine.store.forget(keys)
            engine.refresh()
    else:
        _fan_out(config, keys, workers, now)
    return Recomputed(sites=chosen, meters=len(keys), seconds=time.monotonic() - began)


def recompute_shard(path: Path, shard: str, sites: Collection[str]) -> Recomputed:
    """The same of one shard of a configuration file, which has a store of its own, by this process alone."""
    return recompute(load_part(path, shard), sites)


def _chosen(config: Config, sites: Collection[str]) -> tuple[str, ...]:
    if unknown := [site for site in sites if site not in config.sites]:
        raise UsageError(f"site {unknown[0]!r} is not configured; known: {', '.join(config.sites)}")
    return tuple(site for site in config.sites if site in sites or not sites)


def _meters(config: Config) -> Mapping[MeterKey, Meter]:
    sites = config.sites.values()
    return {(site.id, meter.id): meter for site in sites for meter in site.meters.values() if not meter.virtual}


def _fan_out(config: Config, keys: Collection[MeterKey], workers: Workers, now: Callable[[], int]) -> None:
    path, meters = store_path(config), _meters(config)
    with closing(DuckdbStore.open(path, now)) as store:
        forget_changed(store, meters, config.grid)
        waiting = [each.key for each in store.dirty().meters if each.key in meters]
        store.forget(tuple(dict.fromkeys([*keys, *waiting])))
        dirt = store.dirty()
    spans = [each for each in dirt.meters if each.key in meters]
    span = (min((each.low for each in spans), default=0), max((each.high for each in spans), default=0))
    with TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as folder:
        files = [Path(folder) / f"part-{number}" for number in range(workers.count)]
        shares = [_share(dirt, meters, number, workers.count) for number in range(workers.count)]
        pieces = [
            (path, each, span, share, config.grid, file) for (each, share), file in zip(shares, files, strict=True)
        ]
        changed = [each for found in workers.run(fold_part, pieces) for each in found]
        with open_engine(config, now) as engine:
            engine.analyse = _Prepared(files, changed, dirt.token)
            engine.refresh()


def _share(
    dirt: DirtySet, meters: Mapping[MeterKey, Meter], number: int, count: int
) -> tuple[DirtySet, Mapping[MeterKey, Meter]]:
    """What one of so many computes: meters of each kind and period are dealt out in turn, so that all have as much."""
    spans = [each for each in dirt.meters if each.key in meters]
    spans.sort(key=lambda each: (meters[each.key].period, meters[each.key].accumulation, each.key))
    keys = list(dict.fromkeys(each.key for each in spans))[number::count]
    mine = {key: meters[key] for key in keys}
    return DirtySet(dirt.token, tuple(each for each in dirt.meters if each.key in mine)), mine


def fold_part(
    path: Path, dirt: DirtySet, span: tuple[int, int], meters: Mapping[MeterKey, Meter], grid: int, file: Path
) -> list[Changed]:
    """The work of one worker: computes ``dirt`` from the store at ``path``, and leaves what to store in ``file``.

    ``span``: earliest and latest time of the work of all.
    """
    own = file.with_name(f"{file.name}.{uuid4().hex}")  # whoever is thought lost, and replaced, may still be at work
    with own.open("wb") as out:
        gathered = _Gathered(out)
        with closing(Part(path, dirt, span, gathered.add)) as store:
            changed = analyse(store, meters, grid)
        gathered.flush()
    own.replace(file)
    return changed


class _Gathered:
    """Writes analyses, those of a meter that follow each other as one: whoever stores them has less to do."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._updates: dict[MeterKey, list[MeterUpdate]] = {}

    def add(self, updates: Sequence[MeterUpdate]) -> None:
        """Takes one of each meter at most."""
        if any(not _follows(each, self._updates[each.key][-1]) for each in updates if each.key in self._updates):
            self.flush()
        for each in updates:
            self._updates.setdefault(each.key, []).append(each)
        if sum(len(each.values) for parts in self._updates.values() for each in parts) >= _HELD:
            self.flush()

    def flush(self) -> None:
        """Writes what it has."""
        pickle.dump([_joined(each) for each in self._updates.values()], self._out)
        self._updates.clear()


def _follows(later: MeterUpdate, earlier: MeterUpdate) -> bool:
    return (
        later.start == earlier.end
        and later.events_from == earlier.events_to
        and earlier.forget_from <= later.forget_from <= earlier.forget_to
    )


def _joined(updates: Sequence[MeterUpdate]) -> MeterUpdate:
    """Analyses of a meter, each of the time after the one before, as one that has the effect of all in turn."""
    last = updates[-1]
    kept = (
        point
        for place, each in enumerate(updates)
        for point in each.checkpoints
        if not any(later.forget_from <= point.edge < later.forget_to for later in updates[place + 1 :])
    )
    return replace(
        updates[0],
        end=last.end,
        values=joined_values([each.values for each in updates]),
        events=tuple(event for each in updates for event in each.events),
        events_to=last.events_to,
        checkpoints=tuple(kept),
        forget_to=last.forget_to,
    )


def _left(path: Path) -> Iterator[Sequence[MeterUpdate]]:
    """What a worker has left in its file, one stretch of time after the other."""
    with path.open("rb") as file:
        while file.peek(1):
            yield pickle.load(file)  # noqa: S301 - from our own workers, in a folder that is ours alone


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An analysis that others have made."""

    files: Sequence[Path]
    changed: Sequence[Changed]
    token: int
    """Of the dirt that it is of."""

    def __call__(
        self, store: ReadingStore, meters: Mapping[MeterKey, Meter], grid: int, *, dirt: DirtySet | None = None
    ) -> list[Changed]:
        """Stores it; where readings have come since it was made, all is computed here."""
        dirt = store.dirty() if dirt is None else dirt
        if dirt.token != self.token:
            _log.warning("the store has been written meanwhile; everything is computed once more, by one process")
            return analyse(store, meters, grid, dirt=dirt)
        for parts in zip_longest(*map(_left, self.files), fillvalue=()):
            store.save([update for part in parts for update in part])
        store.clear(dirt.token)
        return list(self.changed)
