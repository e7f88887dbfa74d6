"""Months and years as the pages lead from one to another. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from wattwell.engine.queries import Document
from wattwell.engine.report_spans import MONTHS
from wattwell.intervals import from_us, parse_iso, zone_of

_SHOWN = 13
"""Months that are offered, so that the same month of last year is among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A place to go to."""

    path: str
    name: str


def is_month(key: str) -> bool:
    """Whether 2026-10, rather than 2026 or FY2026."""
    return "-" in key


def link(site: str, key: str) -> Link:
    """The page of a month or year."""
    path = f"/sites/{quote(site, safe='')}/{'month' if is_month(key) else 'year'}/{quote(key, safe='')}"
    return Link(path=path, name=_name(key))


def shifted(key: str, steps: int) -> str:
    """The key so many months or years later."""
    if not is_month(key):
        return f"{key[:-4]}{int(key[-4:]) + steps:04}"
    year, month = map(int, key.split("-"))
    count = year * 12 + month - 1 + steps
    return f"{count // 12:04}-{count % 12 + 1:02}"


def current_month(site: Document, now: int) -> str:
    """The local month of a site's last reading; before any, that of ``now``, microseconds UTC."""
    last = [parse_iso(meter["last_reading"]) for meter in site["meters"] if meter["last_reading"]]
    local = from_us(max(last, default=now)).astimezone(zone_of(site["timezone"]))
    return f"{local.year:04}-{local.month:02}"


def offered(site: str, month: str) -> Iterator[tuple[Link, list[Link]]]:
    """The last months up to one by their year, latest first."""
    keys = [shifted(month, -back) for back in range(_SHOWN)]
    for year in sorted({key[:4] for key in keys}, reverse=True):
        months = [Link(path=link(site, key).path, name=MONTHS[int(key[5:]) - 1]) for key in keys if key[:4] == year]
        yield link(site, year), months


def _name(key: str) -> str:
    if is_month(key):
        year, month = map(int, key.split("-"))
        return f"{MONTHS[month - 1]} {year}"
    return f"fiscal year {key[2:]}" if key.startswith("FY") else key
