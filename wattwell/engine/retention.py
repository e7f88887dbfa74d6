"""Dropping old raw readings without losing a figure.

Before readings go, each meter's fold state is stored at the horizon and at the first interval that readings after it
can still change, and the raw readings from there on are kept: so what comes later goes on as if nothing had been
dropped, and no interval value is ever computed from a part of its readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analytics.fold import FOREVER, MeterFold, origin
from analytics.resample import EMPTY
from analytics.segments import FoldState
from wattwell.intervals import DAY, calendar_windows
from wattwell.model import Accumulation, Correction, Meter, MeterKey, Site
from wattwell.store.protocol import Checkpoint, MeterUpdate, ReadingStore


def horizon(
    store: ReadingStore, meter: Meter, corrections: Sequence[Correction], grid: int, before: int
) -> MeterUpdate | None:
    """What to store of a meter before its readings older than ``before``, a grid edge, go; None: it has none.

    The update's ``start`` is the instant from which its raw readings must stay.
    """
    key = (meter.site, meter.id)
    points = store.checkpoints([key], -FOREVER).get(key, ())
    state = _state_at(store, meter, corrections, grid, points, before)
    if state.settled_at is None:
        return None
    cut = origin(state, before, grid)
    kept = {before: state, cut: _state_at(store, meter, corrections, grid, points, cut)}
    return MeterUpdate(
        key=key,
        start=cut,
        end=cut,
        values=EMPTY,
        events=(),
        events_from=cut,
        events_to=cut,
        checkpoints=tuple(Checkpoint(edge, kept[edge].columns()) for edge in sorted(kept)),
        forget_from=-FOREVER,
        forget_to=before + 1,
    )


def _state_at(
    store: ReadingStore,
    meter: Meter,
    corrections: Sequence[Correction],
    grid: int,
    points: Sequence[Checkpoint],
    edge: int,
) -> FoldState:
    """The fold's state after every reading before ``edge``."""
    known = [point for point in points if point.edge <= edge]
    since, state = (known[-1].edge, FoldState.from_columns(known[-1].state)) if known else (-FOREVER, FoldState())
    fold = MeterFold(meter, grid, corrections, state)
    found = store.readings([(meter.site, meter.id)], since, edge).get((meter.site, meter.id))
    if found is not None:
        fold.feed(*found, edge)
    return fold.state


def month_starts(
    store: ReadingStore, sites: Mapping[str, Site], meters: Iterable[Meter], before: int
) -> dict[MeterKey, list[int]]:
    """The local month starts up to ``before`` around which each register's readings are kept."""
    starts: dict[str, list[int]] = {}
    for site in sites.values():
        first = store.first_reading(site.id)
        months = () if first is None else calendar_windows("month", first - 31 * DAY, before, site.zone)
        starts[site.id] = [month.start for month in months]
    registers = (meter for meter in meters if meter.accumulation is Accumulation.REGISTER)
    return {(meter.site, meter.id): starts[meter.site] for meter in registers}
