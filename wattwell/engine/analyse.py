"""Brings interval values up to date with the readings: finds what is dirty, folds it, stops where nothing differs.

One pass takes the dirty spans of all meters together and walks through time in slabs, so that memory is bounded and
each block of readings is read once, however many meters there are. A meter's fold starts at the checkpoint from
which the first interval that its dirt can touch is wholly known, and ends where its state meets the stored one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np

from analytics.fold import FOREVER, MeterFold, origin
from analytics.segments import FoldState
from wattwell.intervals import DAY, floor_to
from wattwell.model import Correction, Float64, Int64, IntervalValues, Meter, MeterKey
from wattwell.store.protocol import Checkpoint, Dirty, DirtySet, MeterUpdate, ReadingStore

_EVER = -FOREVER
_SLAB = 4_000_000
"""Readings held at once, about; 16 bytes each."""
_SPACING = 2000
"""Readings between two stored checkpoints of a long run, at least."""
_NONE: tuple[Int64, Float64] = (np.empty(0, dtype=np.int64), np.empty(0))


@dataclass(frozen=True, slots=True)
class Changed:
    """Interval values of a site that may have changed: those that start in ``[start, end)``."""

    site: str
    start: int
    end: int


class Analyse(Protocol):
    """:func:`analyse`, or what has the same effect."""

    def __call__(
        self, store: ReadingStore, meters: Mapping[MeterKey, Meter], grid: int, *, dirt: DirtySet | None = None
    ) -> list[Changed]:
        """Computes ``dirt``, stores what comes of it, and clears it; what interval values may have changed."""


def analyse(
    store: ReadingStore, meters: Mapping[MeterKey, Meter], grid: int, slab: int = _SLAB, dirt: DirtySet | None = None
) -> list[Changed]:
    """Computes what is dirty and clears the dirt; crash-safe, since an unfinished pass leaves it dirty.

    ``dirt`` is the store's, where somebody has asked for it already.
    """
    dirt = store.dirty() if dirt is None else dirt
    changed: list[Changed] = []
    folded: dict[MeterKey, int] = {}
    corrections = _by_meter(store.corrections())
    for spans in _ranks([span for span in dirt.meters if span.key in meters]):
        # A fold that met nothing stored before the end of a later span has gone through that span too.
        left = [span for span in spans if span.high >= folded.get(span.key, _EVER)]
        runs = _start(store, meters, corrections, left, grid)
        _walk(store, runs, slab)
        changed += [Changed(run.meter.site, run.first, run.upto) for run in runs]
        folded |= {run.key: FOREVER if run.met is None else run.met for run in runs}
    if dirt.token:
        store.clear(dirt.token)
    return _joined_spans(changed)


def _joined_spans(changed: Sequence[Changed]) -> list[Changed]:
    """The same spans, those of a site that meet as one: meters mostly change together."""
    found: list[Changed] = []
    for each in sorted(changed, key=lambda each: (each.site, each.start)):
        if found and found[-1].site == each.site and each.start <= found[-1].end:
            found[-1] = Changed(each.site, found[-1].start, max(found[-1].end, each.end))
        else:
            found.append(each)
    return found


def _ranks(spans: Sequence[Dirty]) -> Iterator[list[Dirty]]:
    """The first dirty span of every meter, then the second, and so on."""
    ranked: dict[MeterKey, int] = {}
    ranks: list[list[Dirty]] = []
    for span in spans:
        rank = ranked[span.key] = ranked.get(span.key, -1) + 1
        if rank == len(ranks):
            ranks.append([])
        ranks[rank].append(span)
    return iter(ranks)


def _by_meter(corrections: Iterable[Correction]) -> Mapping[MeterKey, list[Correction]]:
    found: dict[MeterKey, list[Correction]] = {}
    for correction in corrections:
        found.setdefault((correction.site, correction.meter), []).append(correction)
    return found


@dataclass(slots=True)
class _Run:
    """One meter's fold through time."""

    key: MeterKey
    meter: Meter
    fold: MeterFold
    position: int
    """All readings before it are folded."""
    replaced: int
    """Stored checkpoints up to this edge are replaced, or stand as they were before the run."""
    stored: list[Checkpoint]
    """Stored checkpoints after it, ascending: where the fold may meet what was stored."""
    high: int
    """Latest dirty time."""
    first: int
    """First interval to replace."""
    events_from: int
    upto: int = FOREVER
    done: bool = False
    met: int | None = None
    """Edge at which the state met the stored one; from there on nothing differs, but for what a later span says."""
    since_kept: int = 0
    """Readings folded since the last midnight that was kept."""
    midnights: int = 0
    checkpoints: list[Checkpoint] = field(default_factory=list)


def _start(
    store: ReadingStore,
    meters: Mapping[MeterKey, Meter],
    corrections: Mapping[MeterKey, Sequence[Correction]],
    spans: Sequence[Dirty],
    grid: int,
) -> list[_Run]:
    if not spans:
        return []
    known = dict(store.checkpoints([span.key for span in spans], min(span.low for span in spans) - 2 * DAY))
    far = [span.key for span in spans if _resume(known.get(span.key, ()), span.low, grid) is None]
    if far:
        known |= store.checkpoints(far, _EVER)
    runs = []
    for span in spans:
        points = known.get(span.key, ())
        resume = _resume(points, span.low, grid)
        edge, state, first = (None, FoldState(), None) if resume is None else resume
        meter = meters[span.key]
        runs.append(
            _Run(
                key=span.key,
                meter=meter,
                fold=MeterFold(meter, grid, corrections.get(span.key, ()), state, first),
                position=_EVER if edge is None else edge,
                replaced=_EVER if edge is None else edge,
                stored=[point for point in points if edge is None or point.edge > edge],
                high=span.high,
                first=_EVER if first is None else first,
                events_from=_EVER if edge is None else edge,
            )
        )
    return runs


def _resume(points: Sequence[Checkpoint], low: int, grid: int) -> tuple[int, FoldState, int] | None:
    """Edge and state to resume from, and the first interval to replace, for readings from ``low`` on."""
    known = [point for point in points if point.edge <= low]
    if not known:
        return None
    latest = known[-1]
    first = origin(FoldState.from_columns(latest.state), latest.edge, grid)
    before = [point for point in known if point.edge <= first]
    return (before[-1].edge, FoldState.from_columns(before[-1].state), first) if before else None


def _walk(store: ReadingStore, runs: Sequence[_Run], slab: int) -> None:
    if not runs:
        return
    begin = min(run.position for run in runs)
    last = max(store.last_readings().values(), default=_EVER) + 1
    horizon = max([last, *(run.high + 1 for run in runs)])
    if begin == _EVER:
        sites = {run.meter.site for run in runs}
        firsts = [at for site in sites if (at := store.first_reading(site)) is not None]
        begin = floor_to(min([*firsts, *(run.high for run in runs)]), DAY)
    slabs = max(1, -(-store.count_readings(begin, horizon) // slab))
    bounds = [begin + (horizon - begin) * part // slabs for part in range(slabs)] + [horizon]
    for low, high in pairwise(bounds):
        active = [run for run in runs if not run.done and run.position < high]
        if not active:
            continue
        final = high == horizon
        readings = store.readings([run.key for run in active], low, high)
        store.save([_advance(run, *readings.get(run.key, _NONE), high, final) for run in active])


def _advance(run: _Run, at: Int64, value: Float64, until: int, final: bool) -> MeterUpdate:
    """Folds one slab of a run's readings and says what to store of it."""
    begin = int(np.searchsorted(at, run.position))
    at, value = at[begin:], value[begin:]
    tail = _tail_edges(run, at) if final else ()
    asked = {point.edge for point in run.stored} | set(tail)
    edges = sorted(edge for edge in asked | _midnights(at) if run.position < edge < until)
    index = 0
    for edge, stop in zip(edges, np.searchsorted(at, edges).tolist(), strict=True):
        due = edge % DAY == 0 and (run.since_kept + stop - index >= _SPACING or not run.midnights)
        if not due and edge not in asked and run.met is None:
            continue
        run.fold.feed(at[index:stop], value[index:stop], edge)
        run.since_kept += stop - index
        run.position, index = edge, stop
        if due or edge in asked:
            run.checkpoints.append(Checkpoint(edge, run.fold.state.columns()))
        if due:
            run.midnights += 1
            run.since_kept = 0
        if _has_met(run, edge):
            break
    else:
        run.fold.feed(at[index:], value[index:], FOREVER if final else until)
        run.since_kept += len(at) - index
        run.position = until
    return _update(run, tail, ended=final and not run.done)


def _tail_edges(run: _Run, at: Int64) -> tuple[int, ...]:
    """The last two grid edges worth resuming from: what comes next goes on from one of them."""
    if not len(at):
        return ()
    last = floor_to(int(at[-1]), run.fold.grid)
    earlier = int(np.searchsorted(at, last))
    edges = {last, floor_to(int(at[earlier - 1]), run.fold.grid)} if earlier else {last}
    return tuple(sorted(edge for edge in edges if edge > run.position))


def _midnights(at: Int64) -> set[int]:
    """The UTC midnights of the days that have readings."""
    days = at // DAY
    return {day * DAY for day in (*days[:1].tolist(), *days[1:][np.diff(days) > 0].tolist())}


def _has_met(run: _Run, edge: int) -> bool:
    """Whether nothing after this edge differs, and everything before it is known."""
    settled = run.fold.settled
    if run.met is None:
        state = run.fold.state.columns()
        if edge > run.high and any(point.edge == edge and point.state == state for point in run.stored):
            run.met = edge
    elif settled is not None and settled >= run.met:
        run.done = True
    return run.done


def _update(run: _Run, tail: Sequence[int], ended: bool) -> MeterUpdate:
    """What to store of the slab that a run has just been folded through."""
    start = _EVER if run.fold.since is None else run.fold.since
    values = run.fold.take_settled()
    if ended:
        values = joined_values([values, run.fold.take_rest()])
    since = start if run.fold.since is None else run.fold.since
    events_from = run.events_from
    open_at = run.fold.state.open_at
    events_to = FOREVER if ended else max(events_from, run.position if open_at is None else open_at)
    run.events_from = events_to
    run.upto = FOREVER if ended else since
    forget_from, run.replaced = run.replaced + 1, _replaced(run, ended)
    kept = [point for point in run.checkpoints if point.edge <= run.replaced]
    run.checkpoints = [point for point in run.checkpoints if point.edge > run.replaced]
    if ended:  # the tail has new edges to resume from; older ones that are no midnights have had their day
        kept = [point for point in kept if point.edge % DAY == 0 or point.edge in tail]
        if len(tail) == 2 and (forget_from - 1) % DAY and run.met is None:
            forget_from -= 1
    return MeterUpdate(
        key=run.key,
        start=start,
        end=FOREVER if ended else since,
        values=values,
        events=run.fold.take_events(events_to),
        events_from=events_from,
        events_to=events_to,
        checkpoints=tuple(kept),
        forget_from=forget_from,
        forget_to=min(FOREVER, run.replaced + 1),
    )


def _replaced(run: _Run, ended: bool) -> int:
    """Up to which edge a run's checkpoints take the place of the stored ones.

    Behind a meeting the stored ones are right, or what a later span has to be held against.
    """
    if run.met is not None:
        return run.met
    return FOREVER if ended else run.position


def joined_values(parts: Sequence[IntervalValues]) -> IntervalValues:
    """Interval values that follow each other, as one."""
    full = [part for part in parts if len(part)] or parts[:1]
    if len(full) == 1:
        return full[0]
    return IntervalValues(
        start=np.concatenate([part.start for part in full]),
        value=np.concatenate([part.value for part in full]),
        measured=np.concatenate([part.measured for part in full]),
        recovered=np.concatenate([part.recovered for part in full]),
    )
