"""Those who are told of alerts, for tests: HTTP receivers that answer as they are bidden, and a mail server."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller

from alerts.machine import Status
from alerts.notification import Notification
from tests.servers import free_port
from wattwell.intervals import SECOND


def note(name: str, at: int, status: Status = Status.FIRING, *, site: str = "a", **labels: str) -> Notification:
    """A notification of an alert that began then; one that ends lasted a second."""
    return Notification(
        site=site,
        name=name,
        status=status,
        starts_at=at,
        ends_at=None if status is Status.FIRING else at + SECOND,
        labels={"alertname": name, "site": site, "severity": "warning", **labels},
        annotations={"summary": f"{name} at 20 °C"},
    )


@dataclass
class Receiver:
    """What an HTTP receiver has seen, and the answers that it still has to give before it says 200."""

    port: int = 0
    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    seen: list[tuple[str, Mapping[str, str], Any]] = field(default_factory=list)
    """Path, headers and document of each request."""
    taken: list[Any] = field(default_factory=list)
    """Documents that were answered with success."""

    def url(self, path: str = "/alerts", scheme: str = "json") -> str:
        """Its address as a notifier URL."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: some clients here break off on purpose."""


Stall = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def receiver(stall: Stall | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A running receiver; ``stall`` answers in its place."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.seen.append((self.path, dict(self.headers), body))
            if stall is not None:
                stall(self)
                return
            status, headers = state.answers.pop(0) if state.answers else (200, {})
            if 200 <= status < 300:
                state.taken.append(body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        # The handshake is left to the handler's thread: a client that breaks it off must not stop the server.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Mailbox:
    """A mail server and what it was given."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 (aiosmtpd calls it so)
        """Takes a mail."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mail server that takes everything from anybody."""
    box = Mailbox(free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
