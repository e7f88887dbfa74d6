"""Processes that share a piece of work, by Dask: some on this machine, or those of a cluster that is there already."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from wattwell.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client

_T = TypeVar("_T")
_QUICK = {
    # Dask's own has the memory of each large array given back at once, and asked for anew.
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MALLOC_ARENA_MAX": 1},
    "distributed.worker.profile.enabled": False,  # looks a hundred times a second at what the work does
}
"""Settings of our own workers; together they take a quarter off what a worker does (``benchmarks/fanout.py``)."""


class Workers:
    """Workers that wait for work."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.count = sum(client.nthreads().values())
        """How many pieces of work are done at the same time."""

    def run(self, work: Callable[..., _T], pieces: Sequence[tuple[Any, ...]]) -> list[_T]:
        """What ``work`` returns for the arguments of each piece; the error of one that fails is raised here."""
        futures = [self._client.submit(work, *piece, pure=False) for piece in pieces]
        found: list[_T] = self._client.gather(futures)
        return found


@contextmanager
def local(count: int) -> Iterator[Workers]:
    """So many processes of this machine, one core each, which talk by TLS with certificates of this one occasion."""
    _installed()
    import dask.config  # noqa: PLC0415 - an extra, and slow to load
    from distributed import Client, LocalCluster  # noqa: PLC0415 - as above

    with dask.config.set(_QUICK):
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            memory_limit=None,
            dashboard_address="127.0.0.1:0",
            security=True,
            silence_logs=logging.ERROR,
        )
    with cluster, Client(cluster) as client:
        yield Workers(client)


@contextmanager
def joined(address: str) -> Iterator[Workers]:
    """The workers of a Dask scheduler; certificates are those of Dask's own configuration."""
    _installed()
    from distributed import Client  # noqa: PLC0415 - as above

    try:
        client = Client(address)
    except (OSError, ValueError) as error:
        raise UsageError(f"no Dask scheduler answers at {address} ({error}); start it, or use --workers") from error
    with client:
        workers = Workers(client)
        if not workers.count:
            raise UsageError(f"the Dask scheduler at {address} has no workers; start `dask worker {address}`")
        yield workers


def _installed() -> None:
    try:
        import distributed  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        remedy = "install it beside Wattwell: pip install 'wattwell[dask]'"
        raise UsageError(f"more than one worker needs Dask, which is not there; {remedy}") from error
