"""Sparkplug edge nodes between the decoder, the store and the log: births kept across restarts, rebirths asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from collector.dialects.sparkplug_host import Request, SparkplugHost
from collector.topics import Binding, EdgeTopic
from wattwell.store.protocol import ReadingStore

log = logging.getLogger(__name__)
_UNANSWERED = 3
"""The request with which it is worth saying that those before had no answer."""


class EdgeNodes:
    """The edge nodes that meters belong to; the ingest thread uses it."""

    def __init__(self, devices: Mapping[EdgeTopic, Sequence[Binding]], store: ReadingStore) -> None:
        """``devices`` are the meters of each Sparkplug source."""
        self.host = SparkplugHost(devices)
        self._store = store
        self._restored = False

    def restore(self) -> bool:
        """Takes up what an earlier run stored, at the first call; StoreError when the store refuses.

        True when the store was asked.
        """
        if self._restored:
            return False
        names = self.host.names()
        self.host.restore({name: self._store.load_state(name) for name in names})
        self._restored = True
        return bool(names)

    def save(self, *, final: bool = False) -> bool:
        """Stores what births and deaths have told, durably; StoreError when the store refuses.

        True when there was something to store.
        """
        documents = self.host.documents(final=final)
        if documents:
            self._store.save_states(documents)
            self.host.saved(documents)
        return bool(documents)

    def commands(self, passed: int, now: int) -> list[tuple[str, bytes]]:
        """Topic and payload of each rebirth command that is due; each counts as sent.

        ``passed`` counts microseconds whatever the clock does; ``now`` is the time of day, microseconds UTC.
        """
        requests = self.host.requests(passed, now)
        for request in requests:
            _note(request)
        return [(request.topic, request.payload) for request in requests]


def _note(request: Request) -> None:
    if request.count == 1:
        log.info("Asked the edge node %s for its births: %s.", request.node, request.reason)
    elif request.count == _UNANSWERED:
        log.warning(
            "The edge node %s has not answered %d requests for its births (%s); allow us to publish to %s in the "
            "broker's ACL, or start the node.",
            request.node,
            _UNANSWERED - 1,
            request.reason,
            request.topic,
        )
