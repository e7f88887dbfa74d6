"""``wattwell audit compare``: what the remote store has against what is in the spool, reading by reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from wattwell.app.access import clock, open_engine
from wattwell.app.bring import pieces
from wattwell.app.forward import REFUSED, SAFE_AFTER, STATE, open_remote
from wattwell.config.settings import Config
from wattwell.errors import UsageError
from wattwell.store.outbox import Progress, SetAside
from wattwell.store.protocol import ReadingStore
from wattwell.store.reconcile import DIFFERING, Compared, How, Owed, reconcile
from wattwell.store.remote import RemoteStore

_NONE_WAITS = 2**62
_SHOWN = 20


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What came of it."""

    remote: str
    """URL of the remote store."""
    unlisted: int
    """Readings that it refuses for good, at most, of which is no longer known which they are."""
    pruned: int
    """The instant before which the spool has dropped readings."""
    counts: Counter[How] = field(default_factory=Counter)
    """Readings."""
    repeated: int = 0
    """Samples that the remote store shows once more."""
    first: list[Compared] = field(default_factory=list)
    """The first readings that differ."""

    @property
    def differing(self) -> int:
        """Readings that are missing there, have another value there, or are there alone."""
        return sum(self.counts[how] for how in DIFFERING)

    def add(self, reading: Compared) -> None:
        """Takes in a reading."""
        self.counts[reading.how] += 1
        self.repeated += reading.repeated
        if reading.how in DIFFERING and len(self.first) < _SHOWN:
            self.first.append(reading)


def compare(
    config: Config,
    sites: Sequence[str],
    start: int,
    end: int,
    take: Callable[[Compared], None],
    now: Callable[[], int] = clock,
) -> Comparison:
    """Compares the readings of the real meters of these sites in ``[start, end)``, microseconds UTC.

    ``take`` is given each reading that counts in either store, by stretches of time. Nothing is changed. UsageError
    without a remote store or for a site that is not configured; StoreLocked while the service runs; RemoteStoreError.
    """
    if config.store.remote is None:
        raise UsageError("the store is embedded: there is no remote store to compare with; name one in store.url")
    if unknown := [site for site in sites if site not in config.sites]:
        raise UsageError(f"site {unknown[0]!r} is not configured; known: {', '.join(config.sites)}")
    with open_engine(config, now) as engine, closing(open_remote(config, config.store.remote)) as remote:
        store = engine.store
        follows = config.store.remote.follow is not None
        refused = SetAside.of(store.load_state(REFUSED), remote.url)
        safe = _NONE_WAITS if follows else _safe(store, remote, now())
        owed = Owed(safe=safe, refused=refused.known.keys())
        done = Comparison(remote=remote.url, unlisted=refused.more, pruned=store.pruned())
        for piece in pieces(config.sites, {site: [(start, end - 1)] for site in sites}):
            meters = [meter for site in piece.sites for meter in config.sites[site].meters.values()]
            keys = [(meter.site, meter.id) for meter in meters if not meter.virtual]
            for reading in reconcile(store, remote, keys, piece.start, piece.end, owed):
                done.add(reading)
                take(reading)
        return done


def _safe(store: ReadingStore, remote: RemoteStore, now: int) -> int:
    """The last commit that is on the remote store's disk for sure, as whoever sends would judge it now."""
    progress = Progress.of(store.load_state(STATE), remote.url, now, 0.0)
    if (identity := remote.identity()) is not None:
        progress.met(identity, 0.0, SAFE_AFTER)
    return progress.settled
