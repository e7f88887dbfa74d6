"""Compares reading by reading what the local store has with what a remote one shows. Pure.

A reading is known by its meter, time and revision. Of several revisions at one time the highest counts: the local store
keeps that one alone, the remote one all that it was ever sent.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from wattwell.model import MeterKey
from wattwell.store.outbox import Accepted
from wattwell.store.protocol import ReadingStore
from wattwell.store.remote import RemoteStore, Sample

How = Literal["same", "different", "missing", "waiting", "refused", "alone", "replaced", "pruned"]
"""same, different: both have it, with this value or another. missing: the remote store must have it and has not.

waiting, refused: the remote store has not got it, since it was not sent for sure, or refused for good. alone: only the
remote store has it. replaced: the local one has a later value instead. pruned: the local one has dropped readings of
that time, so nothing can be said.
"""
DIFFERING: tuple[How, ...] = ("missing", "different", "alone")
"""What must not be where both stores are sound."""
_MILLISECOND = 1000
_Identity = tuple[int, int]
"""Time as the remote store knows it, and revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One reading of either store."""

    key: MeterKey
    at: int
    """Microseconds UTC, as precisely as the remote store knows it."""
    revision: int
    here: float | None
    """In the meter's own unit; None where the local store has no such reading."""
    there: float | None
    """None where the remote store has none."""
    how: How
    repeated: int = 0
    """How often the remote store shows it besides once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What the remote store must have."""

    safe: int
    """The last commit that is on its disk for sure."""
    refused: Container[tuple[MeterKey, int, int]] = ()
    """Meter, time and revision of readings that it will not have."""


@dataclass(frozen=True, slots=True)
class _Here:
    """A reading of the local store."""

    at: int
    value: float
    token: int


def reconcile(
    store: ReadingStore, remote: RemoteStore, keys: Sequence[MeterKey], start: int, end: int, owed: Owed
) -> Iterator[Compared]:
    """Every reading of these meters that counts in either store, by meter and time; raises RemoteStoreError.

    ``[start, end)`` is microseconds UTC, taken down to whole milliseconds; takes memory for all of its readings.
    """
    start, end = (at // _MILLISECOND * _MILLISECOND for at in (start, end))
    if start >= end or not keys:
        return
    shown = remote.read_sites(sorted({site for site, _ in keys}), start, end)
    local = store.accepted(keys, start, end)
    pruned = store.pruned()
    for key in sorted(keys):
        here = _by_identity(local[key], remote.resolution) if key in local else {}
        yield from _of_meter(key, here, shown.get(key, ()), remote.exact, owed, pruned)


def _by_identity(readings: Accepted, resolution: int) -> dict[_Identity, list[_Here]]:
    found: dict[_Identity, list[_Here]] = {}
    columns = (readings.at, readings.value, readings.revision, readings.apart, readings.token)
    for at, value, revision, apart, token in zip(*(column.tolist() for column in columns), strict=True):
        known_at = at if apart else at // resolution * resolution
        found.setdefault((known_at, revision), []).append(_Here(at, value, token))
    return found


def _of_meter(
    key: MeterKey,
    here: dict[_Identity, list[_Here]],
    samples: Sequence[Sample],
    exact: float,
    owed: Owed,
    pruned: int,
) -> Iterator[Compared]:
    there: dict[_Identity, list[float]] = {}
    for sample in samples:
        there.setdefault((sample.at, sample.revision), []).append(sample.value)
    counts_there, counts_here = dict(sorted(there)), dict(sorted(here))  # of one time the highest revision stays
    for identity in sorted(here.keys() | there.keys()):
        at, revision = identity
        values = there.get(identity, [])
        if readings := here.get(identity):
            yield from _both(key, identity, readings, values, exact, owed)
        elif counts_there[at] == revision:
            replaced = counts_here.get(at, -1) > revision
            how: How = "replaced" if replaced else "pruned" if at < pruned else "alone"
            yield _compared(key, identity, None, values[0], how, len(values) - 1)


def _both(
    key: MeterKey, identity: _Identity, readings: Sequence[_Here], values: Sequence[float], exact: float, owed: Owed
) -> Iterator[Compared]:
    """What the local store has; several readings only where the remote store cannot tell them apart by their times."""
    strange = [value for value in values if not any(_equal(value, each.value, exact) for each in readings)]
    repeated = max(0, len(values) - len(readings))
    for each in readings:
        how: How
        if not values:
            refused = (key, each.at, identity[1]) in owed.refused
            how = "refused" if refused else "missing" if each.token <= owed.safe else "waiting"
            yield _compared(key, identity, each.value, None, how)
            continue
        equal = next((value for value in values if _equal(value, each.value, exact)), None)
        if strange or equal is None:
            yield _compared(key, identity, each.value, (strange or values)[0], "different", repeated)
        else:
            yield _compared(key, identity, each.value, equal, "same", repeated)
        repeated = 0


def _equal(there: float, here: float, exact: float) -> bool:
    return abs(there - here) <= exact * abs(here)


def _compared(
    key: MeterKey, identity: _Identity, here: float | None, there: float | None, how: How, repeated: int = 0
) -> Compared:
    at, revision = identity
    return Compared(key=key, at=at, revision=revision, here=here, there=there, how=how, repeated=repeated)
