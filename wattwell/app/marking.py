"""Tells followers, by marks in the remote store, which readings have been sent; see :mod:`wattwell.store.marks`.

Marks are gathered for some seconds, so that a site costs at most one each time however many messages come. They are
written after the readings that they speak of, and before it is remembered durably that those were sent: who is killed
in between sends the readings again, and marks them anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from wattwell.errors import RemoteStoreError
from wattwell.intervals import SECOND
from wattwell.store.marks import MARGIN, MILLISECOND, Mark, Span, merged, outwards, spans_of, told
from wattwell.store.outbox import Outgoing

_log = logging.getLogger(__name__)
EVERY = 5.0
"""Seconds for which marks are gathered."""


class Marker:
    """Gathers what one forwarder has sent, and writes marks of it."""

    def __init__(
        self, by: str, write: Callable[[Sequence[Mark]], Sequence[str]], wall: Callable[[], int], every: float = EVERY
    ) -> None:
        """``by`` names the spool, always the same; ``wall`` is microseconds UTC."""
        self._by = by
        self._write = write
        self._wall = wall
        self._every = every
        self._spans: dict[str, list[Span]] = {}
        self._since = 0.0
        self._last = -(2**62)

    def wrote(self, readings: Outgoing, now: float) -> None:
        """The remote store has acknowledged readings; ``now`` is seconds of a clock that never steps."""
        if not self._spans:
            self._since = now
        for site, spans in spans_of(readings).items():
            self._spans[site] = merged([*self._spans.get(site, ()), *spans])

    def due(self, now: float) -> bool:
        """Whether marks have been gathered for long enough."""
        return bool(self._spans) and now >= self._since + self._every

    def forget(self) -> None:
        """What was gathered is sent again."""
        self._spans.clear()

    def tell(self) -> None:
        """Writes what was gathered; RemoteStoreError where that fails, or took so long that a follower may miss it."""
        marks = self._marks()
        if not marks:
            return
        refused = self._write(marks)
        if refused:
            _log.error("The remote store refuses %d of %d marks for good: %s", len(refused), len(marks), refused[0])
        if abs(self._wall() - marks[0].at) > MARGIN // 2:
            raise RemoteStoreError("marks took too long to be written, or the clock was set; they are written again")
        self._spans.clear()

    def _marks(self) -> list[Mark]:
        """Of what was gathered, at times that no earlier mark has."""
        now = self._wall() // MILLISECOND * MILLISECOND
        at = self._last + MILLISECOND if now <= self._last <= now + SECOND else now
        marks = []
        for site, spans in self._spans.items():
            for number, span in enumerate(told(spans)):
                marks.append(Mark(site, self._by, at + number * MILLISECOND, *outwards(span)))
        self._last = max((mark.at for mark in marks), default=self._last)
        return marks
