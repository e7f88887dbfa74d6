"""Payloads made into others that still parse, JSON as trees and protobuf as fields: byte by byte few would."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

Field = tuple[int, int, int | bytes]
"""Number, wire type and value of a protobuf field."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EDGES = (0, 1, 127, 128, 2**31, 2**32 - 1, 2**53, 2**63, 2**64 - 1, 1_774_746_000_000)
_SCALARS: Sequence[object] = (
    *(None, True, False, 0, -1, 5, 65535, 0.1, 1e308, -1e308, 2**63, 1_774_746_000, 1_774_746_000_000, -60),
    *("1", "x", "", "kWh", [], {}),
)


class JsonShapes:
    """JSON documents like given ones, with nodes that are others."""

    def __init__(self, rng: random.Random, documents: Sequence[object], pieces: Sequence[bytes]) -> None:
        self._random = rng
        self._pieces = pieces
        self._keys = [*dict.fromkeys(key for document in documents for key in keys_of(document)), "", "a.b", "x_"]

    def reshaped(self, document: object) -> bytes:
        """Still JSON, unless a piece that was put in is none."""
        pieces: list[bytes] = []
        text = json.dumps(self._node(document, self._random.choice((0.03, 0.1, 0.4)), pieces)).encode()
        for number, piece in enumerate(pieces):
            text = text.replace(f'"@{number}@"'.encode(), piece, 1)
        return text

    def _node(self, node: object, odds: float, pieces: list[bytes]) -> object:
        if self._random.random() < odds:
            return self._other(node, pieces)
        if isinstance(node, list):
            entries = node * 2 if self._random.random() < odds else node
            return [self._node(entry, odds, pieces) for entry in entries]
        if not isinstance(node, dict):
            return node
        kept = {key: each for key, each in node.items() if self._random.random() > odds / 4}
        changed = {key: self._node(each, odds, pieces) for key, each in kept.items()}
        if self._random.random() < odds:
            changed[self._random.choice(self._keys)] = self._other(None, pieces)
        return changed

    def _other(self, node: object, pieces: list[bytes]) -> object:
        way = self._random.randrange(8)
        if way == 0:
            pieces.append(self._random.choice(self._pieces))
            return f"@{len(pieces) - 1}@"
        if way == 1:
            for _ in range(self._random.choice((1, 3, 200))):
                node = [node]
            return node
        if way == 2:
            return self._random.choice(([node, node], {"value": node}, dict.fromkeys(self._keys[:3], node), str(node)))
        return self._random.choice(_SCALARS)


def keys_of(document: object) -> Iterator[str]:
    """Every key of a JSON document, the outer ones first."""
    if isinstance(document, dict):
        yield from document
        for child in document.values():
            yield from keys_of(child)
    elif isinstance(document, list):
        for child in document:
            yield from keys_of(child)


def fields_of(data: bytes) -> list[Field] | None:
    """The fields of a protobuf message; None where the bytes are none."""
    found: list[Field] = []
    place = 0
    try:
        while place < len(data):
            tag, place = _varint(data, place)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                value, place = _varint(data, place)
                found.append((number, kind, value))
                continue
            size = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
            if kind == _BYTES:
                size, place = _varint(data, place)
            elif not size:
                return None
            if number == 0 or place + size > len(data):
                return None
            found.append((number, kind, data[place : place + size]))
            place += size
    except IndexError:
        return None
    return found


def written(fields: Sequence[Field]) -> bytes:
    """Fields as a protobuf message."""
    out = bytearray()
    for number, kind, value in fields:
        out += _groups(number << 3 | kind)
        if isinstance(value, int):
            out += _groups(value)
        else:
            out += (_groups(len(value)) if kind == _BYTES else b"") + value
    return bytes(out)


def reshaped_fields(rng: random.Random, data: bytes, pieces: Sequence[bytes], depth: int = 0) -> bytes:
    """A protobuf message with fields that are others, left out or repeated."""
    fields = fields_of(data)
    if fields is None or depth > 3:
        return rng.choice(pieces) if rng.random() < 0.2 else data
    odds = rng.choice((0.02, 0.1, 0.3))
    changed: list[Field] = []
    for number, kind, sent in fields:
        value = sent
        chance = rng.random()
        if chance < odds / 3:
            continue
        if isinstance(value, int):
            value = rng.choice(_EDGES) if rng.random() < odds else value
        elif kind == _BYTES:
            value = reshaped_fields(rng, value, pieces, depth + 1)
        elif rng.random() < odds:
            value = rng.choice((bytes(8), b"\xff" * 8, b"\x00" * 6 + b"\xf0\x7f", rng.randbytes(8)))[-len(value) :]
        other = rng.randint(1, 20) if rng.random() < odds / 2 else number
        changed += [(other, kind, value)] * (3 if rng.random() < odds / 3 else 1)
    return written(changed)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (2**64 - 1), place
        shift += 7


def _groups(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])
