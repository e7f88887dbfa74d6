"""Brings readings from the remote store into the local one.

They come in through the store's ordinary commit, the replaced values of a time before those that count, so that the
local store gives each the revision that the remote store knows it by. What it has already is left as it is.
VictoriaMetrics knows times to the millisecond, InfluxDB to the microsecond, and so does what is brought in. When a
reading arrived at who collected it is not known here, so it says nothing of a device's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

import numpy as np

from wattwell.intervals import MINUTE
from wattwell.model import Float64, Int64, MeterKey, Readings, Reject, Site
from wattwell.store.marks import Span
from wattwell.store.protocol import Committed
from wattwell.store.remote import RemoteStore, Sample

_BATCH = 20_000
"""Samples that are asked for and committed at once, where meters report as often as their ``period`` says."""
_TOGETHER = 10 * MINUTE
"""Spans that begin and end within so long of one another are asked for at once, of many sites."""
_SITES = 100
"""Sites in one request, at most."""


class Taking(Protocol):
    """Where readings are brought in; see :class:`~wattwell.store.protocol.ReadingStore`."""

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Adds readings durably."""

    def readings(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, tuple[Int64, Float64]]:
        """Times and values that are there."""

    def pruned(self) -> int:
        """The instant before which raw readings have been dropped."""


@dataclass(slots=True, kw_only=True)
class Brought:
    """What came of it."""

    readings: int = 0
    """That were not there, those replaced since among them."""
    known: int = 0
    """Samples of times that were."""
    refused: int = 0
    """Older than raw retention, whose figures are kept."""
    sites: dict[str, int] = field(default_factory=dict)
    """Readings brought in, by site."""
    spans: dict[str, Span] = field(default_factory=dict)
    """The times of the first and the last of them."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one request asks for: readings of some sites in ``[start, end)``, microseconds UTC."""

    sites: tuple[str, ...]
    start: int
    end: int


def pieces(sites: Mapping[str, Site], wanted: Mapping[str, Sequence[Span]]) -> Iterator[Piece]:
    """The requests for spans of sites, which include both ends, by time and each of a bounded number of readings."""
    groups: dict[tuple[int, int], list[tuple[str, Span]]] = {}
    for site, spans in wanted.items():
        for span in spans:
            groups.setdefault((span[0] // _TOGETHER, span[1] // _TOGETHER), []).append((site, span))
    for _, members in sorted(groups.items()):
        for first in range(0, len(members), _SITES):
            yield from _cut(sites, members[first : first + _SITES])


def _cut(sites: Mapping[str, Site], members: Sequence[tuple[str, Span]]) -> Iterator[Piece]:
    """What all of these sites and spans need, by time."""
    names = tuple(dict.fromkeys(site for site, _ in members))
    low, high = min(span[0] for _, span in members), max(span[1] for _, span in members) + 1
    pace = sum(1 / meter.period for name in names for meter in sites[name].meters.values() if not meter.virtual)
    width = max(MINUTE, round(_BATCH / pace)) if pace else high - low
    for start in range(low, high, width):
        yield Piece(names, start, min(start + width, high))


def bring(
    sites: Mapping[str, Site],
    store: Taking,
    remote: RemoteStore,
    wanted: Mapping[str, Sequence[Span]],
    now: Callable[[], int],
    done: Brought,
) -> Iterator[None]:
    """Brings in the readings of spans of sites, a piece at each step, and adds them to ``done``.

    Meters that are not configured are left out. Raises RemoteStoreError or StoreError; what was brought in until then
    stays, and the same may be asked for again.
    """
    for piece in pieces(sites, wanted):
        found = {
            key: samples
            for key, samples in remote.read_sites(piece.sites, piece.start, piece.end).items()
            if key[0] in sites and (meter := sites[key[0]].meters.get(key[1])) is not None and not meter.virtual
        }
        lacking = _lacking(store, remote, found, piece)
        done.known += sum(map(len, found.values())) - sum(map(len, lacking.values()))
        _commit(store, lacking, now(), done)
        yield


def _lacking(
    store: Taking, remote: RemoteStore, found: Mapping[MeterKey, Sequence[Sample]], piece: Piece
) -> dict[MeterKey, list[Sample]]:
    """Samples that are not there. Of a time that is, those that replace the very value that is there."""
    if not found:
        return {}
    step = remote.resolution
    there = store.readings(list(found), piece.start // step * step, piece.end + step)
    lacking = {}
    for key, samples in found.items():
        known: dict[int, float] = {}
        exactly = {sample.at for sample in samples}
        for at, value in zip(*(column.tolist() for column in there.get(key, (np.empty(0),) * 2)), strict=True):
            if value == value:  # noqa: PLR0124 - NaN marks a rejected one, which any accepted one outranks
                known.setdefault(at if at in exactly else at // step * step, value)
        if wanting := list(_beyond(known, samples, remote.exact)):
            lacking[key] = wanting
    return lacking


def _beyond(known: Mapping[int, float], samples: Sequence[Sample], exact: float) -> Iterator[Sample]:
    for at, group in groupby(samples, key=lambda sample: sample.at):
        # A store without deduplication repeats samples, and a value that another replaced stays replaced.
        earliest = {sample.value: sample for sample in sorted(group, key=lambda each: each.revision, reverse=True)}
        revisions = sorted(earliest.values(), key=lambda each: each.revision)
        if (value := known.get(at)) is not None:
            fits = [n for n, each in enumerate(revisions) if abs(each.value - value) <= exact * abs(value)]
            revisions = revisions[fits[-1] + 1 :] if fits else []
        yield from revisions


def _commit(store: Taking, batch: Mapping[MeterKey, Sequence[Sample]], received: int, done: Brought) -> None:
    """Commits a batch, one revision after the other."""
    for revision in sorted({sample.revision for samples in batch.values() for sample in samples}):
        chosen = {key: [each for each in samples if each.revision == revision] for key, samples in batch.items()}
        done.readings += store.commit(_columns(chosen, received), []).added
        _count(done, chosen, store.pruned())


def _count(done: Brought, chosen: Mapping[MeterKey, Sequence[Sample]], pruned: int) -> None:
    for (site, _), offered in chosen.items():
        samples = [each for each in offered if each.at >= pruned]
        done.refused += len(offered) - len(samples)
        if samples:
            done.sites[site] = done.sites.get(site, 0) + len(samples)
            first, last = done.spans.get(site, (samples[0].at, samples[-1].at))
            done.spans[site] = min(first, samples[0].at), max(last, samples[-1].at)


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
        arrival_time=np.ones(count, np.bool_),
    )
