"""Flux, the language that InfluxDB 2 is asked in. Pure text; whatever is put in is quoted.

InfluxDB has no parameters of queries (its cloud has), so each value becomes a literal. Range and filters on
measurement, field and tags come first and one after the other, where InfluxDB hands them down to its storage; so do
``count`` and ``last`` of whole series, which therefore come before any grouping.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from wattwell.store import marks
from wattwell.store.remote import MEASUREMENT

_UNSAFE = re.compile(r"[^ !#%-\[\]-z|~]")
"""Beyond plain ASCII, quotes, backslashes, and the dollar and braces of an expression inside a text."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: str) -> str:
    """A text literal of exactly this value."""

    def escaped(found: re.Match[str]) -> str:
        return "".join(f"\\x{byte:02x}" for byte in found[0].encode())

    return f'"{_UNSAFE.sub(escaped, value)}"'


def time(at: int) -> str:
    """A time literal of microseconds UTC."""
    return f"{_EPOCH + timedelta(microseconds=at):%Y-%m-%dT%H:%M:%S.%f}Z"


def _series(bucket: str, start: int, end: int, conditions: str = "") -> str:
    return (
        f"from(bucket: {text(bucket)})"
        f" |> range(start: {time(start)}, stop: {time(end)})"
        f' |> filter(fn: (r) => r._measurement == {text(MEASUREMENT)} and r._field == "value"{conditions})'
    )


def samples(bucket: str, site: str, meter: str, start: int, end: int) -> str:
    """Time, value and revision of a meter's samples in ``[start, end)``."""
    chosen = f" and r.site == {text(site)} and r.meter == {text(meter)}"
    return f'{_series(bucket, start, end, chosen)} |> keep(columns: ["_time", "_value", "revision"])'


def samples_of_sites(bucket: str, sites: Sequence[str], start: int, end: int) -> str:
    """Site, meter, time, value and revision of all samples of some sites in ``[start, end)``."""
    chosen = " or ".join(f"r.site == {text(site)}" for site in sites)
    columns = '["site", "meter", "_time", "_value", "revision"]'
    return f"{_series(bucket, start, end, f' and ({chosen})')} |> keep(columns: {columns})"


def forwarded(bucket: str, start: int, end: int) -> str:
    """Site, spool, field, time and value of the fields of marks that were written in ``[start, end)``."""
    return f'{_marks(bucket, start, end)} |> keep(columns: ["site", "by", "_field", "_time", "_value"])'


def first_forwarded(bucket: str, start: int, end: int) -> str:
    """The first of them of each site and spool."""
    first = f" and r._field == {text(marks.FIELDS[0])}"
    return f'{_marks(bucket, start, end, first)} |> first() |> keep(columns: ["_time"])'


def _marks(bucket: str, start: int, end: int, conditions: str = "") -> str:
    return (
        f"from(bucket: {text(bucket)})"
        f" |> range(start: {time(start)}, stop: {time(end)})"
        f" |> filter(fn: (r) => r._measurement == {text(marks.MEASUREMENT)}{conditions})"
    )


def counts(bucket: str, start: int, end: int) -> str:
    """How many samples each series has in ``[start, end)``."""
    return f'{_series(bucket, start, end)} |> count() |> keep(columns: ["site", "meter", "revision", "_value"])'


def latest(bucket: str, start: int, end: int) -> str:
    """The last sample of each series in ``[start, end)``."""
    return f'{_series(bucket, start, end)} |> last() |> keep(columns: ["site", "meter", "_time"])'
