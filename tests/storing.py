"""What the contract suite of stores shares: every store there is, and short ways to fill it and to look into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.support import T0, readings_of
from wattwell.intervals import MINUTE
from wattwell.model import IntervalValues, MeterEvent, MeterKey, Reject
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import Checkpoint, MeterUpdate, ReadingStore

Opener = Callable[[Path], ReadingStore]
STORES: dict[str, Opener] = {"duckdb": lambda folder: DuckdbStore.open(folder / "wattwell.duckdb")}
A, B, C = ("s", "a"), ("s", "b"), ("other", "a")
EVER = 2**62


def put(store: ReadingStore, *rows: tuple[MeterKey, int, float], received: int = T0) -> tuple[int, int, list[str]]:
    """Commits rows at minutes after T0: (added, repeated, reasons of new rejects)."""
    done = store.commit(readings_of([(key, T0 + at * MINUTE, value) for key, at, value in rows], received), [])
    return done.added, done.repeated, [reject.reason for reject in done.rejects]


def dial(store: ReadingStore, key: MeterKey = A, low: int = -EVER, high: int = EVER) -> list[tuple[int, float | None]]:
    """Minutes after T0 and values, None for a rejected one."""
    at, value = store.readings([key], low, high).get(key, (np.empty(0, np.int64), np.empty(0)))
    return [((t - T0) // MINUTE, None if np.isnan(v) else v) for t, v in zip(at.tolist(), value.tolist(), strict=True)]


def spans(store: ReadingStore) -> list[tuple[MeterKey, int, int]]:
    return [(d.key, (d.low - T0) // MINUTE, (d.high - T0) // MINUTE) for d in store.dirty().meters]


def reject(reason: str = "value.type", at: int | None = T0, value: str = "x", key: MeterKey = A) -> Reject:
    site, meter = key
    return Reject(site=site, meter=meter, topic=None, at=at, received_at=T0, reason=reason, value=value)


def event(at: int, name: str = "reset", state: str = "booked", key: MeterKey = A) -> MeterEvent:
    return MeterEvent(
        site=key[0],
        meter=key[1],
        event=name,
        at=T0 + at * MINUTE,
        before=1.0,
        after=None,
        booked=2.0,
        unit="kWh",
        state=state,
    )


def values(first: int, *amounts: float) -> IntervalValues:
    """Values of minute intervals from ``first`` minutes after T0 on."""
    count = len(amounts)
    return IntervalValues(
        start=T0 + (first + np.arange(count, dtype=np.int64)) * MINUTE,
        value=np.array(amounts, dtype=np.float64),
        measured=np.where(np.isnan(amounts), 0.0, 0.75),
        recovered=np.arange(count) % 2 == 1,
    )


def update(
    span: tuple[int, int] = (0, 0),
    amounts: Sequence[float] = (),
    *,
    key: MeterKey = A,
    events: Sequence[MeterEvent] = (),
    judged: tuple[int, int] = (0, 0),
    points: Sequence[tuple[int, float | None]] = (),
    forget: tuple[int, int] = (0, 0),
) -> MeterUpdate:
    """An analysis; all times are minutes after T0."""
    first, end = span
    state: tuple[float | int | None, ...] = (T0, 1.5, None, None, None, None)
    return MeterUpdate(
        key=key,
        start=T0 + first * MINUTE,
        end=T0 + end * MINUTE,
        values=values(first, *amounts),
        events=tuple(events),
        events_from=T0 + judged[0] * MINUTE,
        events_to=T0 + judged[1] * MINUTE,
        checkpoints=tuple(Checkpoint(T0 + edge * MINUTE, (*state, swap)) for edge, swap in points),
        forget_from=T0 + forget[0] * MINUTE,
        forget_to=T0 + forget[1] * MINUTE,
    )


def amounts(store: ReadingStore, key: MeterKey = A) -> list[tuple[int, float]]:
    found = store.intervals(key[0], [key[1]], -EVER, EVER).values
    return [((t - T0) // MINUTE, v) for t, v in zip(found.start.tolist(), found.value.tolist(), strict=True)]


def edges(store: ReadingStore, key: MeterKey = A, since: int = -EVER) -> list[tuple[int, float | int | None]]:
    found = store.checkpoints([key], since).get(key, ())
    return [((point.edge - T0) // MINUTE, point.state[-1]) for point in found]


def ledger(store: ReadingStore) -> list[tuple[int, str, str]]:
    return [((e.at - T0) // MINUTE, e.event, e.state) for e in store.events(None, None, None, None)]
