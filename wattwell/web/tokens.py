"""Tokens of the HTTP face: read from a file of several, compared in constant time, never shown.

A file holds one token a line, so that a new one can be given out before the old one is taken away. A line may name
its token, ``grafana: TOKEN``; only the name ever reaches the log. Blank lines and lines that begin with ``#`` count
for nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from wattwell.errors import UsageError

_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*):\s+(\S.*)")
_PAGE = b"wattwell page session"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """One token."""

    name: str
    """Of the log; ``token N`` by its place in the file where it has none of its own."""
    secret: bytes = field(repr=False)


def read_tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a file; UsageError, without any token, where a line holds none or a name stands twice."""
    found: list[Token] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()  # noqa: PLW2901 - the same line
        if not line or line.startswith("#"):
            continue
        named = _NAMED.fullmatch(line)
        name, secret = (named[1], named[2]) if named else (f"token {len(found) + 1}", line)
        if not secret.isprintable() or any(letter.isspace() for letter in secret):
            raise UsageError(f"line {number} of the HTTP token file is no token; write TOKEN or NAME: TOKEN on it")
        if name in {token.name for token in found}:
            raise UsageError(f"the HTTP token file names {name!r} twice; give each token a name of its own")
        found.append(Token(name, secret.encode()))
    if not found:
        raise UsageError("the HTTP token is empty; put at least one character into the token file or name none")
    return tuple(found)


class Tokens:
    """Whether something given is one of the tokens, or the cookie made of one.

    Each is compared, whichever fits, and by its digest: the time tells neither a part of a token nor its length.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tuple(tokens)
        self._digests = [_digest(token.secret) for token in tokens]
        self._cookies = [self.cookie(token) for token in tokens]
        self._seen: set[str] = set()

    def find(self, given: bytes) -> Token | None:
        """The token that is given."""
        return self._fitting(_digest(given), self._digests)

    def find_cookie(self, given: str) -> Token | None:
        """The token of a cookie."""
        return self._fitting(given.encode(), [cookie.encode() for cookie in self._cookies])

    @staticmethod
    def cookie(token: Token) -> str:
        """What the cookie holds: derived from the token, so that a stolen cookie does not tell it."""
        return hmac.new(token.secret, _PAGE, hashlib.sha256).hexdigest()

    def note(self, token: Token, client: str) -> None:
        """Logs the first use of a token since the start, by which one sees when an old one is used no more."""
        if token.name not in self._seen:
            self._seen.add(token.name)
            _log.info("HTTP token %r is used, first by %s", token.name, client)

    def _fitting(self, given: bytes, known: Sequence[bytes]) -> Token | None:
        fits = [hmac.compare_digest(given, each) for each in known]
        return next((token for token, fit in zip(self._tokens, fits, strict=True) if fit), None)


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
