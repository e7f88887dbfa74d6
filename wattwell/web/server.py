"""uvicorn in a thread: bound before it starts, so that a refused address is an error at once, and stopped by us."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from wattwell.errors import UsageError, WattwellError

_BACKLOG = 128
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_HEAD_SECONDS = 10.0
"""After one to two of these a connection without a new request is closed."""
_ANSWER_SECONDS = 300.0
"""What is not taken by then is given up: an answer that nobody reads keeps its memory."""
_LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel takes 107, and a temporary suffix must fit."""


class _Impatient(H11Protocol):
    """Closes connections on which nothing gets on; uvicorn by itself waits for ever for the rest of a request."""

    _before: RequestResponseCycle | None = None
    _since: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begins to look, now and then, whether it gets on."""
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Looks no more."""
        self._next.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        now = self.loop.time()
        if self._since and self.cycle is self._before:
            if _answered(self._before) or now - self._since >= _ANSWER_SECONDS:
                self.transport.abort()
        else:
            self._before, self._since = self.cycle, now
        self._next = self.loop.call_later(_HEAD_SECONDS, self._look)


def _answered(cycle: RequestResponseCycle | None) -> bool:
    return cycle is None or cycle.response_complete


@dataclass(slots=True)
class _Running:
    server: uvicorn.Server
    thread: threading.Thread
    listener: socket.socket


class Server:
    """Serves one app on host:port and, where given, a second one on a unix socket of mode 0600.

    Nothing happens before :meth:`start`. Port 0 takes a free port; :attr:`port` tells which. No signal handlers are
    installed and no request is logged, so that no token ever reaches a log.
    """

    def __init__(
        self,
        app: ASGIApp | None,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        control: ASGIApp | None = None,
        control_path: Path | None = None,
    ) -> None:
        self._app, self._host, self._port = app, host, port
        self._control, self._control_path = control, control_path
        self._running: list[_Running] = []
        self._inode: int | None = None

    @property
    def port(self) -> int:
        """The TCP port, also the one chosen for 0."""
        return self._port

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the page."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)  # noqa: S104 - shown
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def start(self) -> None:
        """Binds and serves; returns once requests are answered. UsageError when an address cannot be had."""
        if self._running:
            raise WattwellError(f"the server at {self.url} runs already; stop it before starting it again")
        try:
            if self._app is not None:
                listener = bind_tcp(self._host, self._port)
                self._port = listener.getsockname()[1]
                self._running.append(_launch(self._app, listener, "wattwell-http", _Impatient))
            if self._control is not None and self._control_path is not None:
                listener = bind_unix(self._control_path)
                self._inode = self._control_path.lstat().st_ino
                self._running.append(_launch(self._control, listener, "wattwell-control"))
            self._await_started()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends both servers after the requests under way, and removes our socket file; a second call does nothing."""
        for running in self._running:
            running.server.should_exit = True
        for running in self._running:
            running.thread.join(_STOP_SECONDS)
            running.listener.close()
        self._running.clear()
        path = self._control_path
        if path is not None and self._inode is not None and path.exists() and path.lstat().st_ino == self._inode:
            path.unlink()
        self._inode = None

    def _await_started(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not all(running.server.started for running in self._running):
            dead = [running for running in self._running if not running.thread.is_alive()]
            if dead or time.monotonic() > deadline:
                raise WattwellError("the web server did not start; see the log above for its reason")
            time.sleep(0.005)


def _launch(app: ASGIApp, listener: socket.socket, name: str, protocol: type[H11Protocol] = H11Protocol) -> _Running:
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",  # below it uvicorn logs query strings, in which a token may stand
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        limit_concurrency=256,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name=name, daemon=True)
    thread.start()
    return _Running(server, thread, listener)


def bind_tcp(host: str, port: int) -> socket.socket:
    """A listening TCP socket; UsageError naming the address when it is taken, foreign or forbidden."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(f"cannot resolve {host!r}: {error.strerror}; correct http.listen") from error
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.settimeout(0.0)  # asyncio wants it non-blocking
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}; stop what listens there or change http.listen"
        ) from error
    return listener


def bind_unix(path: Path) -> socket.socket:
    """A listening unix socket of mode 0600 at ``path``.

    A socket file that nobody answers on is replaced in one step; one that answers, or a file of another kind, is
    left alone and a UsageError.
    """
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise UsageError(f"the socket path {path} is longer than {_LONGEST_SOCKET_PATH} bytes; use a shorter folder")
    _refuse_living(path)
    staging = path.with_name(f"{path.name}.{os.getpid() % 10**6}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        staging.unlink(missing_ok=True)
        listener.bind(os.fspath(staging))
        staging.chmod(stat.S_IRUSR | stat.S_IWUSR)  # before listen(): nobody can connect until then
        listener.listen(_BACKLOG)
        listener.settimeout(0.0)  # asyncio wants it non-blocking
        staging.replace(path)
    except OSError as error:
        listener.close()
        staging.unlink(missing_ok=True)
        raise UsageError(
            f"cannot open the control socket {path}: {error.strerror}; make its folder writable"
        ) from error
    return listener


def _refuse_living(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise UsageError(f"{path} is in the way of the control socket and is no socket; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(os.fspath(path))
        except OSError as error:
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                return
            raise UsageError(f"cannot tell who serves {path}: {error}; stop that service or remove it") from error
    raise UsageError(f"another service answers on {path}; stop it first")
