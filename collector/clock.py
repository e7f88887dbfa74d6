"""A machine clock that has gone back: whether to wait for it before readings are judged by it. Pure.

A reading ahead of its arrival is refused (METERING, ``clock.future``). When the machine's own clock falls back, as at
a start before the time is set from the network, every reading would be; so collecting pauses, with nothing
acknowledged, until the clock is back or the pause has lasted so long that it must be believed.
"""

from __future__ import annotations

from collector.normalise import FUTURE
from wattwell.intervals import MINUTE, iso

PATIENCE = 10 * MINUTE
"""How long to wait for a clock that went back, microseconds."""


class ClockGuard:
    """Knows the latest time there has been, and whether the clock stands before it."""

    def __init__(self, latest: int) -> None:
        """``latest`` is a time that has certainly been, microseconds UTC."""
        self._latest = latest
        self._since: int | None = None
        self.stale_before = latest - 2**62
        """Arrival times before this one were read off a clock that had gone back."""

    def fault(self, now: int, passed: int) -> str | None:
        """Why to wait; None where the clock may be believed.

        ``now`` is the machine's clock, microseconds UTC; ``passed`` counts microseconds whatever that clock does.
        """
        if now < self._latest - FUTURE:
            self._since = passed if self._since is None else self._since
            if passed - self._since < PATIENCE:
                return (
                    f"the machine's clock says {iso(now)}, but it was {iso(self._latest)} before; readings wait "
                    f"for {PATIENCE // MINUTE} minutes at most: set the clock, and keep it with NTP"
                )
            self._latest = now  # the clock is believed from here on
        elif self._since is not None:
            self.stale_before = self._latest - FUTURE
        self._latest = max(self._latest, now)
        self._since = None
        return None
