"""What every dialect is made of: a message, the points it adds, and the one way to say that it cannot be read. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from collector.points import PointsBuilder
from collector.scalars import ABSENT, parse_constant, parse_integer
from collector.topics import Bindings

_BOM = "\ufeff"
NO_TIME = (0, ABSENT)
"""The time of a point whose message carries none."""
_JSON = json.JSONDecoder(parse_int=parse_integer, parse_constant=parse_constant)


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message."""

    topic: str
    payload: bytes
    retained: bool
    """The broker had kept it when we subscribed."""
    received_at: int
    """Arrival, microseconds UTC."""
    size: int = -1
    """Bytes of the payload as sent, where it was cut because it is too large; else -1."""


class PayloadError(ValueError):
    """The payload is not what its decoder reads; ``part`` is the piece at fault where the rest of it was read."""

    def __init__(self, text: str, part: str | None = None) -> None:
        super().__init__(text)
        self.part = part


def text_of(payload: bytes) -> str:
    """The payload as text, without a byte order mark; PayloadError where it is no UTF-8."""
    try:
        return payload.decode("utf-8").removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise PayloadError(str(error)) from None


def document_of(payload: bytes) -> object:
    """The JSON document; nesting too deep to read is as invalid as broken syntax."""
    try:
        document: object = _JSON.decode(text_of(payload))
    except (ValueError, RecursionError) as error:
        raise PayloadError(str(error)) from None
    return document


Decoder = Callable[[Message, Bindings, PointsBuilder], None]
"""Adds the points of a message for each binding; raises PayloadError where it cannot be read."""
