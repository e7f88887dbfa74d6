"""How a remote store compares with all that a local one has, in counts."""

from __future__ import annotations

from collections import Counter

from wattwell.store.protocol import ReadingStore
from wattwell.store.reconcile import Owed, reconcile
from wattwell.store.remote import RemoteStore

ALL_SENT = Owed(safe=2**62)


def tally(store: ReadingStore, remote: RemoteStore, start: int, end: int) -> Counter[str]:
    """Readings by how they compare, and samples that are repeated; everything should be there."""
    found: Counter[str] = Counter()
    for each in reconcile(store, remote, list(store.last_readings()), start, end, ALL_SENT):
        found.update({each.how: 1, "repeated": each.repeated})
    return +found
