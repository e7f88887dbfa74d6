"""The control socket: how commands reach the service that holds the store's file.

A call is ``POST /control/NAME``; its body is the length of a JSON document (8 bytes, big-endian), the document, and
optional binary data (columns as npz). The answer is ``{"result": ...}`` or ``{"error": {"class", "message", ...}}``,
and the client raises the same class of :mod:`wattwell.errors` that the service did. The socket file has mode 0600:
who may open it is decided by the file system, so there is no token.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from wattwell import errors
from wattwell.errors import ConfigError, Fault, ServiceUnavailable, UsageError, WattwellError
from wattwell.web.jsonio import encode

Handler = Callable[[dict[str, Any], bytes], Any]
"""(arguments, binary body) -> a JSON document; may raise any WattwellError."""

MAX_BODY = 512 * 2**20
"""Bytes of one call; larger loads are sent in several."""
_CONNECT_SECONDS = 2.0
_LENGTH = struct.Struct(">Q")
_log = logging.getLogger(__name__)


def pack(args: Mapping[str, Any], body: bytes) -> bytes:
    """The wire form of a call."""
    header = encode(args)
    return _LENGTH.pack(len(header)) + header + body


def unpack(payload: bytes) -> tuple[dict[str, Any], bytes]:
    """The arguments and the binary body of a call; UsageError when it is not in wire form."""
    if len(payload) >= _LENGTH.size:
        end = _LENGTH.size + _LENGTH.unpack_from(payload)[0]
        if end <= len(payload):
            try:
                args = json.loads(payload[_LENGTH.size : end])
            except ValueError:
                args = None
            if isinstance(args, dict):
                return args, payload[end:]
    raise UsageError("the control call is not in wire form; use the wattwell command of the same version")


def describe(error: WattwellError) -> dict[str, Any]:
    """An error as a document, from which :func:`restore` makes its twin."""
    document: dict[str, Any] = {"class": type(error).__name__, "message": str(error)}
    if isinstance(error, ConfigError):
        document["faults"] = [asdict(fault) for fault in error.faults]
    return document


def restore(document: Mapping[str, Any]) -> WattwellError:
    """The error of a document; a class that this version does not know becomes a WattwellError."""
    if document.get("class") == "ConfigError":
        return ConfigError([Fault(**fault) for fault in document["faults"]])
    found = getattr(errors, str(document.get("class")), WattwellError)
    kind = found if isinstance(found, type) and issubclass(found, WattwellError) else WattwellError
    return kind(str(document.get("message")))


def _answer(document: Any, status: int = 200) -> Response:
    return Response(encode(document), status_code=status, media_type="application/json")


async def _body_of(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise UsageError(f"the control call is larger than {MAX_BODY >> 20} MiB; send it in smaller parts")
        chunks.append(chunk)
    return b"".join(chunks)


def create_control_app(handlers: Mapping[str, Handler]) -> Starlette:
    """The application behind the control socket: one ``POST /control/NAME`` for each handler."""
    known = dict(handlers)

    def run(name: str, payload: bytes) -> Any:
        args, body = unpack(payload)
        if name not in known:
            raise UsageError(f"the service knows no call {name!r}; restart it with the version of this command")
        return known[name](args, body)

    async def control(request: Request) -> Response:
        try:
            payload = await _body_of(request)
            return _answer({"result": await run_in_threadpool(run, request.path_params["name"], payload)})
        except ClientDisconnect:
            return _answer({}, status=400)
        except WattwellError as error:
            status = 400 if isinstance(error, UsageError | ConfigError) else 503
            return _answer({"error": describe(error)}, status)

    async def broken(request: Request, error: Exception) -> Response:
        _log.error("control call %s failed", request.path_params.get("name"), exc_info=error)
        message = f"the service failed on this call ({type(error).__name__}); its log has the details"
        return _answer({"error": {"class": "WattwellError", "message": message}}, 500)

    routes = [Route("/control/{name}", control, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers={Exception: broken})


class ControlClient:
    """Calls the service behind a control socket."""

    def __init__(self, path: Path, *, timeout: float = 600.0) -> None:
        """``timeout``: seconds that one call may take; connecting may take two."""
        self._path = path
        self._timeout = httpx.Timeout(timeout, connect=_CONNECT_SECONDS)

    def _knock(self) -> None:
        # Raises OSError when nobody listens; the client library would leave its socket open after that.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            probe.connect(str(self._path))

    def call(self, name: str, args: Mapping[str, Any], body: bytes = b"") -> Any:
        """The result of a call.

        Raises the WattwellError that the service raised, or ServiceUnavailable when nothing answers.
        """
        transport = httpx.HTTPTransport(uds=str(self._path))
        try:
            self._knock()
            with httpx.Client(transport=transport, timeout=self._timeout) as client:
                response = client.post(f"http://wattwell/control/{name}", content=pack(args, body))
            document = response.json()
        except (httpx.TransportError, OSError) as error:
            raise ServiceUnavailable(
                f"no service answers on {self._path} ({type(error).__name__}); start it with 'wattwell run'"
            ) from error
        except ValueError as error:
            raise ServiceUnavailable(f"what answers on {self._path} is no wattwell service; stop it") from error
        if not isinstance(document, dict) or not ("result" in document or "error" in document):
            raise ServiceUnavailable(f"what answers on {self._path} is no wattwell service; stop it")
        if "error" in document:
            raise restore(document["error"])
        return document["result"]
