"""The collector's connection to the broker: paho-mqtt speaks MQTT, and what comes by the thousand passes it by.

paho reads each packet by several calls to the socket, waits anew after every one, makes objects of a message that
nobody here looks at, and writes each acknowledgement by itself. So between paho and the socket stands a
:class:`Wire`: it reads whatever has arrived at once, cuts out the PUBLISH packets (:mod:`collector.packets`) and gives
paho the rest to read; acknowledgements go out many at a time, between paho's own packets. Connecting, sessions,
subscriptions, signs of life, QoS 2 and every fault remain paho's.
"""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

from collector.packets import Publication, pubacks, split

_PIECE = 65_536
"""Bytes of one read: above a TLS record (16 KiB), or TLS would keep some of it, and no wait is told of those."""
_MOST_AT_ONCE = 4 * _PIECE
"""Bytes read before the other side of the connection has its turn."""
_MOST_UNSENT = 1_048_576
"""Bytes that may wait to be sent before paho must wait."""
_LEAVE_SECONDS = 1.0
_NOTHING_YET = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """A connected socket as paho uses one. One thread reads and flushes; any thread may send and acknowledge."""

    def __init__(self, sock: socket.socket, waking: tuple[socket.socket, socket.socket], *, v5: bool) -> None:
        """Takes over a connected socket, and a connected pair to be woken by; ``v5``: MQTT 5 is spoken."""
        self._sock = sock
        self._v5 = v5
        self._pieces: list[bytes] = []
        """The beginning of a packet that is not all there."""
        self._held = self._wanted = 0
        self._others = b""
        self._ended: OSError | bool = False
        """Why nothing more will come: an error, or True where the broker closed."""
        self._broken: OSError | None = None
        """Why nothing more can be sent; what the broker still said is read first."""
        self._lock = threading.Lock()
        self._unsent = bytearray()
        self._closed = False
        self._wakes, self._waker = waking

    # -- what paho calls -----------------------------------------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """Bytes of packets that are not cut out; BlockingIOError where there are none, as from a socket."""
        if self._others:
            data, self._others = self._others[:size], self._others[size:]
            return data
        if isinstance(self._ended, OSError):
            raise self._ended
        if self._ended:
            return b""
        raise BlockingIOError

    def send(self, data: bytes | bytearray) -> int:
        """Takes a whole packet to be sent by :meth:`flush`; BlockingIOError while too much waits already."""
        with self._lock:
            if len(self._unsent) > _MOST_UNSENT:
                raise BlockingIOError
            self._unsent += data
        return len(data)

    def fileno(self) -> int:
        """The socket's own number."""
        return self._sock.fileno()

    def setblocking(self, flag: bool) -> None:
        """As of a socket; paho sets False."""
        for each in (self._sock, self._wakes, self._waker):
            each.setblocking(flag)

    def close(self) -> None:
        """Sends what there is, and closes."""
        if not self._closed:
            with suppress(OSError):
                self._take_leave()
            with self._lock:
                self._closed = True
                for each in (self._sock, self._wakes, self._waker):
                    each.close()

    def _take_leave(self) -> None:
        """Waits until the broker has closed too, at most a moment.

        What it sends to a socket that is closed already would be answered with a reset, and that makes it forget the
        last acknowledgements where it has not read them yet.
        """
        deadline = time.monotonic() + _LEAVE_SECONDS
        told = False
        while not self._ended and not self._broken and (left := deadline - time.monotonic()) > 0:
            self.flush()
            if not self._unsent and not told:
                self._sock.shutdown(socket.SHUT_WR)
                told = True
            select.select([self._sock], [self._sock] if self._unsent else [], [], left)
            with suppress(*_NOTHING_YET):
                self._ended = not self._sock.recv(_PIECE)

    # -- what the collector calls --------------------------------------------------------------------------------

    @property
    def owes_paho(self) -> bool:
        """Whether paho has something to read: packets, or the end of the connection."""
        return bool(self._others or self._ended)

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Has QoS 1 messages acknowledged, in this order; of a lost connection that goes nowhere, as it must."""
        with self._lock:
            if not self._closed:
                self._unsent += pubacks(mids)
        self.wake()

    def wake(self) -> None:
        """Ends a :meth:`wait`."""
        with self._lock:
            if not self._closed:
                with suppress(BlockingIOError):  # it is awake already, many times over
                    self._waker.send(b"\0")

    def wait(self, seconds: float, *, to_write: bool) -> bool:
        """Waits until there is something to do, at most so long; whether there is something to read.

        ``to_write``: whether paho has packets to hand over.
        """
        if self.owes_paho or self._broken or (to_write and not self._unsent):
            seconds = 0.0
        writers = [self._sock] if self._unsent else []
        readable, _, _ = select.select([self._sock, self._wakes], writers, [], seconds)
        if self._wakes in readable:
            self._wakes.recv(_PIECE)
        return self._sock in readable or self._broken is not None

    def read(self) -> list[Publication]:
        """What has arrived, as far as it is whole."""
        size = 0
        while size < _MOST_AT_ONCE and not self._ended:
            try:
                piece = self._sock.recv(_PIECE)
            except _NOTHING_YET:
                self._ended = self._broken or False
                break
            except OSError as error:
                self._ended = error
                break
            if not piece:
                self._ended = True
            size += len(piece)
            self._pieces.append(piece)
        self._held += size
        if not size or self._held < self._wanted:
            return []
        data = b"".join(self._pieces)
        found = split(data, v5=self._v5)
        self._others += found.others
        self._pieces, self._held, self._wanted = [data[found.used :]], len(data) - found.used, found.wanted
        return found.publications

    def flush(self) -> None:
        """Sends what the connection takes now."""
        with self._lock:
            while self._unsent and not self._closed:
                try:
                    sent = self._sock.send(self._unsent[:_PIECE])
                except _NOTHING_YET:
                    return
                except OSError as error:
                    self._broken = error
                    self._unsent.clear()
                    return
                del self._unsent[:sent]


class WiredClient(Client):
    """paho's client on a :class:`Wire`, driven by :meth:`turn`."""

    wire: Wire | None = None
    """Of the latest connection."""

    def _create_socket(self) -> Wire:
        sock = cast(socket.socket, super()._create_socket())
        self.wire = Wire(sock, socket.socketpair(), v5=self.protocol == MQTTProtocolVersion.MQTTv5)
        return self.wire

    def wake(self) -> None:
        """Ends the wait of a turn; any thread may call it."""
        if self.wire is not None:
            self.wire.wake()

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Has QoS 1 messages of this client's connection acknowledged, in this order; any thread may call it."""
        if self.wire is not None:
            self.wire.acknowledge(mids)

    def turn(self, seconds: float, deliver: Callable[[Sequence[Publication]], None]) -> bool:
        """Reads, delivers and writes what there is, and waits for it at most so long; False at the connection's end.

        paho's own callbacks are called from here.
        """
        wire = self.wire
        if wire is None or self.socket() is None:
            return False
        if wire.wait(seconds, to_write=self.want_write()) and (found := wire.read()):
            deliver(found)
        while wire.owes_paho:
            if not self._stands(self.loop_read()):
                return False
        if self.want_write() and not self._stands(self.loop_write()):
            return False
        wire.flush()
        return self._stands(self.loop_misc())

    def _stands(self, code: MQTTErrorCode) -> bool:
        return code == MQTTErrorCode.MQTT_ERR_SUCCESS and self.socket() is not None
