"""The document itself."""

from __future__ import annotations

import json

from wattwell.documents.words import Document


def json_(document: Document) -> bytes:
    """Keys in order, one space of indent, UTF-8, a newline at the end; ValueError for a number that is not finite."""
    text = json.dumps(document, allow_nan=False, ensure_ascii=False, indent=1, sort_keys=True)
    return f"{text}\n".encode()
