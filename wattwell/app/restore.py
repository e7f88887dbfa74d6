"""``wattwell restore``: readings back from the remote store into a spool that has lost them.

They come in through the store's ordinary commit, the replaced values of a time before those that count, so that the
new spool gives each the revision that the remote store knows it by. What the spool has already is left as it is.
VictoriaMetrics knows times to the millisecond, InfluxDB to the microsecond, and so does the restored spool.

What the remote store never had does not come back: rejected readings, corrections, findings, the audit ledger. For
those there is ``wattwell backup``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from wattwell.app.access import clock, open_engine
from wattwell.app.forward import open_remote
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.errors import UsageError
from wattwell.intervals import DAY, iso
from wattwell.model import MeterKey, Readings
from wattwell.store.protocol import ReadingStore
from wattwell.store.remote import RemoteStore, Sample

_SPAN = 10 * DAY
"""Asked of one meter at once."""
_BATCH = 100_000
"""Samples committed at once, about."""


@dataclass(slots=True, kw_only=True)
class Restored:
    """What came of it."""

    readings: int = 0
    """That the spool did not have, those replaced since among them."""
    known: int = 0
    """Samples of times that it has."""
    refused: int = 0
    """Older than the spool's raw retention, whose figures are kept."""
    first: int | None = None
    last: int | None = None
    sites: dict[str, int] = field(default_factory=dict)
    """Readings restored, by site."""


def restore(config: Config, start: int, end: int, now: Callable[[], int] = clock) -> Restored:
    """Brings back what the remote store holds of ``[start, end)``, microseconds UTC, and makes the figures of it.

    UsageError without a remote store; StoreLocked while the service runs.
    """
    if config.store.remote is None:
        raise UsageError("the store is embedded: there is no remote store to restore from; name one in store.url")
    with open_engine(config, now) as engine, closing(open_remote(config, config.store.remote)) as remote:
        done = Restored()
        try:
            _bring_back(config, engine.store, remote, start, end, now, done)
        finally:
            _enter(engine, remote.url, done)
        engine.refresh()
        return done


def _bring_back(
    config: Config,
    store: ReadingStore,
    remote: RemoteStore,
    start: int,
    end: int,
    now: Callable[[], int],
    done: Restored,
) -> None:
    keys = [(site.id, m.id) for site in config.sites.values() for m in site.meters.values() if not m.virtual]
    batch: dict[MeterKey, list[Sample]] = {}
    for low in range(start, end, _SPAN):
        high = min(low + _SPAN, end)
        for key in keys:
            samples = remote.read(*key, low, high)
            lacking = list(_lacking(store, remote, key, samples))
            done.known += len(samples) - len(lacking)
            if lacking:
                batch.setdefault(key, []).extend(lacking)
            if sum(map(len, batch.values())) >= _BATCH:
                _commit(store, batch, now(), done)
    _commit(store, batch, now(), done)


def _lacking(store: ReadingStore, remote: RemoteStore, key: MeterKey, samples: Sequence[Sample]) -> Iterator[Sample]:
    """Samples that the spool does not have. Of a time that it has, those that replace the very value it has there."""
    if not samples:
        return
    known: dict[int, float] = {}
    resolution = remote.resolution
    found = store.readings([key], samples[0].at // resolution * resolution, samples[-1].at + resolution)
    for at, value in zip(*(column.tolist() for column in found.get(key, (np.empty(0), np.empty(0)))), strict=True):
        if value == value:  # noqa: PLR0124 - NaN marks a rejected one, which any accepted one outranks
            known.setdefault(at // resolution * resolution, value)
            known[at] = value
    for at, group in groupby(samples, key=lambda sample: sample.at):
        same = {sample.revision: sample for sample in group}  # a store without deduplication repeats samples
        revisions = [same[number] for number in sorted(same)]
        if (value := known.get(at)) is not None:
            fits = [n for n, each in enumerate(revisions) if abs(each.value - value) <= remote.exact * abs(value)]
            revisions = revisions[fits[-1] + 1 :] if fits else []
        yield from revisions


def _commit(store: ReadingStore, batch: dict[MeterKey, list[Sample]], received: int, done: Restored) -> None:
    """Commits and empties a batch, one revision after the other."""
    for revision in sorted({sample.revision for samples in batch.values() for sample in samples}):
        chosen = {key: [each for each in samples if each.revision == revision] for key, samples in batch.items()}
        readings = _columns(chosen, received)
        committed = store.commit(readings, [])
        done.refused += sum(reject.reason == "clock.past" for reject in committed.rejects)
        done.readings += committed.added
        _count(done, chosen)
    batch.clear()


def _count(done: Restored, chosen: Mapping[MeterKey, Sequence[Sample]]) -> None:
    for (site, _), samples in chosen.items():
        if samples:
            done.sites[site] = done.sites.get(site, 0) + len(samples)
            done.first = min(samples[0].at, samples[0].at if done.first is None else done.first)
            done.last = max(samples[-1].at, samples[-1].at if done.last is None else done.last)


def _columns(chosen: Mapping[MeterKey, Sequence[Sample]], received: int) -> Readings:
    keys = tuple(key for key, samples in chosen.items() if samples)
    rows = [(number, each) for number, key in enumerate(keys) for each in chosen[key]]
    count = len(rows)
    return Readings(
        keys=keys,
        meter=np.fromiter((number for number, _ in rows), np.int32, count),
        at=np.fromiter((each.at for _, each in rows), np.int64, count),
        received_at=np.full(count, received, np.int64),
        value=np.fromiter((each.value for _, each in rows), np.float64, count),
        arrival_time=np.zeros(count, np.bool_),
    )


def _enter(engine: Engine, url: str, done: Restored) -> None:
    """The audit ledger says where the readings of a site came from, as of back-filled files."""
    for site, count in done.sites.items():
        engine.enter_readings(
            {
                "site": site,
                "files": [{"name": url, "sha256": None}],
                "rows": count,
                "readings": count,
                "rejected": {},
                "first": None if done.first is None else iso(done.first),
                "last": None if done.last is None else iso(done.last),
                "author": None,
                "reason": "restored from the remote store",
                "complete": True,
            }
        )
