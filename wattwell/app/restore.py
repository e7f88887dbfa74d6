"""``wattwell restore``: readings back from the remote store into a spool that lost them; see :mod:`wattwell.app.bring`.

What the remote store never had does not come back: rejected readings, corrections, findings, the audit ledger. For
those there is ``wattwell backup``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from wattwell.app.access import clock, open_engine
from wattwell.app.bring import Brought, bring
from wattwell.app.forward import forwarding, open_remote
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.errors import UsageError
from wattwell.intervals import iso


def restore(config: Config, start: int, end: int, now: Callable[[], int] = clock) -> Brought:
    """Brings back what the remote store holds of ``[start, end)``, microseconds UTC, and makes the figures of it.

    Where nothing waited in the spool, what came back is not sent again. UsageError without a remote store; StoreLocked
    while the service runs.
    """
    if config.store.remote is None:
        raise UsageError("the store is embedded: there is no remote store to restore from; name one in store.url")
    with (
        open_engine(config, now) as engine,
        forwarding(config, engine.store, now) as forwarder,
        closing(open_remote(config, config.store.remote)) as remote,
    ):
        done = Brought()
        wanted = {site: [(start, end - 1)] for site in config.sites}
        alone = forwarder is not None and not forwarder.state().waiting
        try:
            for _ in bring(config.sites, engine.store, remote, wanted, now, done):
                pass
        finally:
            _enter(engine, remote.url, done)
        if forwarder is not None and alone:
            forwarder.skip()
        engine.refresh()
        return done


def _enter(engine: Engine, url: str, done: Brought) -> None:
    """The audit ledger says where the readings of a site came from, as of back-filled files."""
    for site, count in done.sites.items():
        engine.enter_readings(
            {
                "site": site,
                "files": [{"name": url, "sha256": None}],
                "rows": count,
                "readings": count,
                "rejected": {},
                "first": iso(done.spans[site][0]),
                "last": iso(done.spans[site][1]),
                "author": None,
                "reason": "restored from the remote store",
                "complete": True,
            }
        )
