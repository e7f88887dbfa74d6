"""Compares reading by reading what the local store has with what the remote one shows: for audits and tests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from wattwell.model import MeterKey
from wattwell.store.outbox import START
from wattwell.store.protocol import ReadingStore
from wattwell.store.remote import RemoteStore

_BATCH = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """Counts of readings; each is known by its meter, time and revision."""

    expected: int
    """Accepted readings in the local store."""
    held: int
    """Of those, the ones the remote store shows, with the same value."""
    different: int
    """Of those, the ones it shows with another value."""
    repeated: int
    """Samples it shows more than once."""
    further: int
    """Samples that the local store does not have: values replaced since, and readings that it has dropped."""

    @property
    def missing(self) -> int:
        """Of those expected, the ones the remote store does not show."""
        return self.expected - self.held - self.different


def reconcile(store: ReadingStore, remote: RemoteStore, start: int, end: int) -> Reconciled:
    """Compares the readings in ``[start, end)``, microseconds UTC; takes memory for all of them."""
    expected = _expected(store, remote.resolution, start, end)
    seen: Counter[str] = Counter()
    for key, readings in expected.items():
        found: dict[tuple[int, int], list[float]] = {}
        for sample in remote.read(*key, start, end):
            found.setdefault((sample.at, sample.revision), []).append(sample.value)
        for identity, value in readings.items():
            values = found.pop(identity, [])
            good = bool(values) and all(abs(each - value) <= remote.exact * abs(value) for each in values)
            seen.update({"held": good, "different": bool(values) and not good, "repeated": max(0, len(values) - 1)})
        seen["further"] += sum(len(values) for values in found.values())
    return Reconciled(
        expected=sum(map(len, expected.values())),
        **{name: seen[name] for name in ("held", "different", "repeated", "further")},
    )


def _expected(
    store: ReadingStore, resolution: int, start: int, end: int
) -> dict[MeterKey, dict[tuple[int, int], float]]:
    """By meter: (time as the remote store knows it, revision) and value."""
    found: dict[MeterKey, dict[tuple[int, int], float]] = {}
    place = START
    while len(batch := store.outgoing(place, _BATCH)):
        place = batch.last
        columns = (batch.meter, batch.at, batch.value, batch.revision, batch.apart)
        for meter, at, value, revision, apart in zip(*(column.tolist() for column in columns), strict=True):
            if start <= at < end:
                known_at = at if apart else at // resolution * resolution
                found.setdefault(batch.keys[meter], {})[known_at, revision] = value
    return found
