"""Documents as JSON bytes: no NaN, no infinity, numbers of NumPy as plain numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

MAX_ROWS = 50_000
"""The most objects that one answer may hold; more is a request for a shorter span of time."""


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return finite(value.item())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def finite(value: Any) -> Any:
    """The same document with null for NaN and infinities."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def encode(document: Any) -> bytes:
    """The document in UTF-8 JSON; walks it a second time only when a number is not finite."""
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain)
    except ValueError:
        text = json.dumps(finite(document), allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return text.encode()


def encode_for_script(document: Any) -> str:
    """JSON that may stand inside a ``<script type="application/json">`` element."""
    text = encode(document).decode()
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
