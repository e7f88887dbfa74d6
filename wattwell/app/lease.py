"""One process for each site: a service claims its sites when it starts, and the system gives them back when it ends.

A store's own lock keeps a second process from the same shard. It does not see one that was started with other
``shards``, or without, and has some of the same sites in a store of another name: this does, on one machine.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from wattwell.app.access import store_path
from wattwell.config.settings import Config
from wattwell.errors import StoreError, StoreLocked


@contextmanager
def owning(config: Config, refused: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Claims the sites of a service.

    StoreLocked where another process has one of them; ``refused`` is called before.
    """
    own = store_path(config)
    path = own.with_name(own.name.replace(f".shard-{config.shard}", "") + ".owners")
    try:
        file = path.open("ab")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}; let this user write its folder") from error
    with file:
        for site in config.sites:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(site))
            except OSError as error:
                refused()
                remedy = "stop the one with other `shards` before this one starts"
                raise StoreLocked(f"site {site} has a process already, by {path}; {remedy}") from error
        yield


def _place(site: str) -> int:
    """The byte of the file that stands for a site; nothing is ever written there."""
    return int.from_bytes(blake2b(site.encode(), digest_size=7).digest())
