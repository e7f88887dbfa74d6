"""Readings poured into a broker at QoS 1, faster than a client library can: packets are made here. Prints nothing.

    python benchmarks/pour.py PORT COUNT VALUES RATE METERS [FIRST [EACH]]

``COUNT`` messages of ``VALUES`` readings, ``RATE`` a second (0: as fast as the broker acknowledges), over the meters
m0, m1, ... of the sites s0, s1, ... in turn, ``EACH`` (500) of a site (of s0 alone where ``VALUES`` is not 1), from
reading number ``FIRST`` on.
The device time of a message is that of its sending; it ends when the broker has acknowledged every one.
"""

from __future__ import annotations

import select
import socket
import sys
import time

from wattwell.intervals import iso

_MOST_OPEN = 2000
"""Messages on their way at once."""
_CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04pour"
_KEPT = 4096
SITE_METERS = 500
"""Meters of one site."""


def _length(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (128 if number else 0))
        if not number:
            return bytes(out)


def _packet(topic: str, payload: str, mid: int) -> bytes:
    """A PUBLISH packet of QoS 1 (MQTT 3.1.1, 3.3)."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big") + payload.encode()
    return b"\x32" + _length(len(body)) + body


def message(number: int, values: int, meters: int, at: str, each: int = SITE_METERS) -> tuple[str, str]:
    """Topic and payload of a message; its readings are dials that rise."""
    if values == 1:
        site, meter = divmod(number % meters, each)
        return f"wattwell/s{site}/m{meter}", f'{{"time": "{at}", "value": {number}.5}}'
    first = number * values % meters
    entries = ", ".join(f'"m{(first + offset) % meters}": {number}.5' for offset in range(values))
    return "wattwell/s0", f'{{"time": "{at}", "values": {{{entries}}}}}'


def pour(port: int, count: int, values: int, rate: float, meters: int, first: int = 0, each: int = SITE_METERS) -> None:
    """Sends all and waits for the acknowledgements."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(_CONNECT)
        if sock.recv(4) != b"\x20\x02\x00\x00":
            sys.exit("the broker refuses the connection")
        sock.settimeout(0)
        began = time.monotonic()
        sent = acknowledged = 0
        waiting = b""
        while acknowledged < 4 * count:
            due = min(count, int((time.monotonic() - began) * rate) if rate else count, acknowledged // 4 + _MOST_OPEN)
            while sent < due and len(waiting) < _KEPT:
                number = first + sent
                waiting += _packet(
                    *message(number, values, meters, iso(time.time_ns() // 1000), each), sent % 65535 + 1
                )
                sent += 1
            readable, writable, _ = select.select([sock], [sock] if waiting else [], [], 0.001)
            if writable:
                waiting = waiting[sock.send(waiting) :]
            if readable:
                acknowledged += len(sock.recv(65536))


if __name__ == "__main__":
    port, count, values, rate, meters, *rest = sys.argv[1:]
    pour(int(port), int(count), int(values), float(rate), int(meters), *map(int, rest))
