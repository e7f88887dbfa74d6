"""The gate in front of every page: how often, how large, what for, by whom; security headers; HEAD as GET.

It is passed in this order, so that what costs least is asked first: the rate of the client (429), the size of the
request (413, 414, 431), the method (405), the name by which we were called (421), the token (401). ``/healthz`` asks
for size and method alone: a load balancer looks often, calls by any name and has no token.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wattwell.web.jsonio import encode
from wattwell.web.rates import Rates, client_of
from wattwell.web.tokens import Token, Tokens

COOKIE = "wattwell_session"
OPEN_PATHS = frozenset({"/healthz"})
"""Answered without a token: a load balancer has none."""
LONGEST_TARGET = 8_192
"""Bytes of path and query."""
MOST_HEADERS = 100
LARGEST_HEADERS = 16_384
"""Bytes of all header lines."""
_YEAR = 31_536_000
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def security_headers(public_url: str = "") -> Mapping[str, str]:
    """What every answer carries; where people come by https, browsers are told to use nothing else for a year."""
    strict = {"Strict-Transport-Security": f"max-age={_YEAR}"} if _is_https(public_url) else {}
    return _HEADERS | strict


def _is_https(public_url: str) -> bool:
    return public_url.lower().startswith("https://")


def _basic_password(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials.encode("latin-1"), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _refuse(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode({"error": message}), status, headers, media_type="application/json")


def _no_token() -> Response:
    message = "a valid token is required; send it as 'Authorization: Bearer ...' or as the password of HTTP Basic"
    refused = _refuse(401, message)
    refused.headers.append("WWW-Authenticate", 'Bearer realm="wattwell"')
    refused.headers.append("WWW-Authenticate", 'Basic realm="wattwell", charset="UTF-8"')
    return refused


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, tokens: Tokens | None = None, rates: Rates | None = None, public_url: str = ""
    ) -> None:
        """Without ``tokens`` everybody is let in who calls us by an address, as localhost, or as ``public_url`` does:
        a page elsewhere whose name was made to lead here calls us by its own. Without ``public_url`` any name will do.
        """
        self._app = app
        self._tokens = tokens
        self._rates = rates
        self._headers = security_headers(public_url)
        self._secure = _is_https(public_url)
        self._name = urlsplit(public_url).hostname

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the headers, asks, passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._intercept(scope)
        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server drops the body, it remembers the method itself
        await (answer or self._app)(scope, receive, guarded)

    def _intercept(self, scope: Scope) -> Response | None:
        is_open, headers = scope["path"] in OPEN_PATHS, Headers(scope=scope)
        if not is_open and (late := self._too_often(scope)):
            return late
        if wrong := _too_large(scope, headers):
            return wrong
        if scope["method"] not in ("GET", "HEAD"):
            return _refuse(405, "this service is read-only", {"Allow": "GET, HEAD"})
        if is_open:
            return None
        return self._misnamed(headers) if self._tokens is None else self._admit(scope, headers, self._tokens)

    def _too_often(self, scope: Scope) -> Response | None:
        client = client_of(_address(scope))
        seconds = 0.0 if self._rates is None or client is None else self._rates.wait(client)
        if not seconds:
            return None
        return _refuse(429, "too many requests; ask less often", {"Retry-After": str(math.ceil(seconds))})

    def _misnamed(self, headers: Headers) -> Response | None:
        if self._name is None or (name := _host(headers.get("host", ""))) in ("localhost", self._name):
            return None
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return _refuse(421, "this service is called otherwise; set http.public_url to the address that people use")
        return None

    def _admit(self, scope: Scope, headers: Headers, tokens: Tokens) -> Response | None:
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in pairs if name == "token"]
        token = _written(given, tokens) if given else _carried(headers, tokens)
        if token is None:
            return _no_token()
        tokens.note(token, _address(scope))
        return self._login(scope, token, [pair for pair in pairs if pair[0] != "token"]) if given else None

    def _login(self, scope: Scope, token: Token, rest: list[tuple[str, str]]) -> Response:
        # Collapsed to one leading slash: "//host" would send the browser elsewhere.
        target = "/" + scope["path"].lstrip("/\\") + (f"?{urlencode(rest)}" if rest else "")
        response = RedirectResponse(target, status_code=303)
        secure = self._secure or scope.get("scheme") == "https"
        response.set_cookie(COOKIE, Tokens.cookie(token), httponly=True, samesite="lax", secure=secure, path="/")
        return response


def _written(given: list[str], tokens: Tokens) -> Token | None:
    """The token in the address; it may stand there once."""
    return tokens.find(given[0].encode()) if len(given) == 1 else None


def _carried(headers: Headers, tokens: Tokens) -> Token | None:
    """The token that a request carries: as bearer, as Basic password, or as the cookie that ``?token=`` sets."""
    scheme, _, rest = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return tokens.find(rest.strip().encode("latin-1"))  # the bytes as sent
    if scheme.lower() == "basic":
        return tokens.find(_basic_password(rest.strip()))
    return tokens.find_cookie(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))


def _too_large(scope: Scope, headers: Headers) -> Response | None:
    raw = scope.get("raw_path") or scope["path"].encode()
    if len(raw) + len(scope["query_string"]) > LONGEST_TARGET:
        return _refuse(414, f"the address is longer than {LONGEST_TARGET:,} bytes; ask for less at once")
    lines = scope["headers"]
    if len(lines) > MOST_HEADERS or sum(len(name) + len(value) for name, value in lines) > LARGEST_HEADERS:
        return _refuse(431, f"there are more than {MOST_HEADERS} headers, or {LARGEST_HEADERS:,} bytes of them")
    if scope["method"] in ("GET", "HEAD") and (
        headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    ):
        return _refuse(413, "a question has no body; put its parameters into the address", {"Connection": "close"})
    return None


def _address(scope: Scope) -> str:
    """Of whoever asks; one behind a reverse proxy has the proxy's."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _host(header: str) -> str:
    """The name or address in a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0].lower()
