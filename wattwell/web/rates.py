"""How often a client may ask: a token bucket for each, in bounded memory."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable

BURST = 4
"""Seconds of the rate that a client may ask at once: a page with all that it loads is some twenty requests."""
_CLIENTS = 4096


def client_of(address: str) -> str | None:
    """Whose bucket an address draws from, None for this machine's own, which is not limited.

    An IPv6 network of 64 bits is one client: whoever has one address of it has them all. A text that is no address
    is a client of its own.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(ip) >> 64 << 64, 64)))
    return str(ip)


class Rates:
    """Buckets of requests: each fills at ``rate`` a second up to BURST seconds' worth, and a request takes one.

    The clients heard last are remembered, at most ``clients``; one that is forgotten begins with a full bucket.
    """

    def __init__(self, rate: float, clock: Callable[[], float], clients: int = _CLIENTS) -> None:
        """``clock``: seconds, monotonic."""
        self._rate = rate
        self._most = max(BURST * rate, 1.0)
        self._clock = clock
        self._clients = clients
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, client: str) -> float:
        """0 when a client may ask now, and the request is counted; else the seconds after which it may."""
        now = self._clock()
        with self._lock:
            level, since = self._buckets.pop(client, (self._most, now))
            level = min(self._most, level + (now - since) * self._rate)
            allowed = level >= 1.0
            self._buckets[client] = (level - 1.0 if allowed else level, now)
            if len(self._buckets) > self._clients:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1.0 - level) / self._rate

    def __len__(self) -> int:
        """Clients that are remembered."""
        return len(self._buckets)
