"""Bounds on what is computed at once: a few at work, a few waiting a moment, everybody else is told to come later."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wattwell.errors import WattwellError

_PATIENCE = 2.0
"""Seconds to wait for one's turn; longer would take the threads that answer others."""


class Busy(WattwellError):
    """Too much is being asked at once; HTTP 503."""


class Turns:
    """At most ``at_once`` at work and twice as many waiting; the others, and who waited in vain, get :class:`Busy`."""

    def __init__(self, at_once: int, what: str) -> None:
        """``what`` completes the sentence "N ... already"."""
        self._at_once, self._what = at_once, what
        self._working = threading.Semaphore(at_once)
        self._present = threading.Semaphore(3 * at_once)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Works inside."""
        if not self._present.acquire(blocking=False):
            raise self._busy()
        try:
            if not self._working.acquire(timeout=_PATIENCE):
                raise self._busy()
            try:
                yield
            finally:
                self._working.release()
        finally:
            self._present.release()

    def _busy(self) -> Busy:
        return Busy(f"{self._at_once} {self._what} already; ask again in a few seconds")
