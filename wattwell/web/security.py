"""The gate in front of every page: bearer token, security headers, HEAD as GET without a body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wattwell.errors import UsageError
from wattwell.web.jsonio import encode

COOKIE = "wattwell_session"
OPEN_PATHS = frozenset({"/healthz"})
"""Answered without a token: a load balancer has none."""
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class TokenRule:
    """Whether a request carries the token: as bearer, as Basic password, or as the cookie that ``?token=`` sets."""

    def __init__(self, token: str) -> None:
        if not token.strip():
            raise UsageError("the HTTP token is empty; put at least one character into the token file or name none")
        self._token = token.strip().encode()

    def matches(self, given: bytes) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(given, self._token)

    def cookie(self) -> str:
        """What the cookie holds: derived from the token, so that a stolen cookie does not tell it."""
        return hmac.new(self._token, b"wattwell page session", hashlib.sha256).hexdigest()

    def permits(self, headers: Headers) -> bool:
        """Whether the headers of a request carry the token."""
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.matches(rest.strip().encode("latin-1"))  # the bytes as sent
        if scheme.lower() == "basic":
            return self.matches(_basic_password(rest.strip()))
        given = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return hmac.compare_digest(given.encode(), self.cookie().encode())


def _basic_password(credentials: str) -> bytes:
    try:
        return base64.b64decode(credentials.encode("latin-1"), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _refusal() -> Response:
    message = "a valid token is required; send it as 'Authorization: Bearer ...' or as the password of HTTP Basic"
    refused = Response(encode({"error": message}), status_code=401, media_type="application/json")
    refused.headers.append("WWW-Authenticate", 'Bearer realm="wattwell"')
    refused.headers.append("WWW-Authenticate", 'Basic realm="wattwell", charset="UTF-8"')
    return refused


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, rule: TokenRule | None = None) -> None:
        self._app = app
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds the headers, checks the token, passes the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}  # the server drops the body, it remembers the method itself
        answer = self._intercept(scope)
        await (answer or self._app)(scope, receive, guarded)

    def _intercept(self, scope: Scope) -> Response | None:
        if self._rule is None or scope["path"] in OPEN_PATHS:
            return None
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in pairs if name == "token"]
        if given and scope["method"] == "GET":
            return self._login(scope, given, [pair for pair in pairs if pair[0] != "token"])
        return None if self._rule.permits(Headers(scope=scope)) else _refusal()

    def _login(self, scope: Scope, given: list[str], rest: list[tuple[str, str]]) -> Response:
        rule = self._rule
        if rule is None or len(given) != 1 or not rule.matches(given[0].encode()):
            return _refusal()
        # Collapsed to one leading slash: "//host" would send the browser elsewhere.
        target = "/" + scope["path"].lstrip("/\\") + (f"?{urlencode(rest)}" if rest else "")
        response = RedirectResponse(target, status_code=303)
        secure = scope.get("scheme") == "https"
        response.set_cookie(COOKIE, rule.cookie(), httponly=True, samesite="lax", secure=secure, path="/")
        return response
