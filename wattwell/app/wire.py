"""Readings and rejects as bytes, for the control socket."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wattwell.model import Readings, Reject

_COLUMNS = ("meter", "at", "received_at", "value", "arrival_time")
_REJECT = ("site", "meter", "topic", "at", "received_at", "reason", "value")


def pack_readings(readings: Readings) -> bytes:
    """Columns as npz, bit for bit."""
    buffer = io.BytesIO()
    keys = np.array(readings.keys, dtype=np.str_).reshape(-1, 2)
    np.savez(buffer, keys=keys, **{name: getattr(readings, name) for name in _COLUMNS})
    return buffer.getvalue()


def unpack_readings(body: bytes) -> Readings:
    """The readings that :func:`pack_readings` packed."""
    with np.load(io.BytesIO(body), allow_pickle=False) as columns:
        keys = tuple((str(site), str(meter)) for site, meter in columns["keys"])
        return Readings(keys=keys, **{name: columns[name] for name in _COLUMNS})


def pack_rejects(rejects: Sequence[Reject]) -> list[dict[str, Any]]:
    """Rejects as JSON objects."""
    return [{name: getattr(reject, name) for name in _REJECT} for reject in rejects]


def unpack_rejects(documents: Sequence[Mapping[str, Any]]) -> list[Reject]:
    """The rejects that :func:`pack_rejects` packed."""
    return [Reject(**document) for document in documents]
