"""Maintenance windows of a site: when somebody worked on it, or will."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from wattwell.config.places import Faults, Place, nearest
from wattwell.config.reading import read
from wattwell.config.schema import RawMaintenance
from wattwell.intervals import DAY, day_start, iso
from wattwell.model import Maintenance

Windows = tuple[RawMaintenance, ...]


def read_maintenance(listed: Sequence[Any] | None, equipment: Collection[str], place: Place, faults: Faults) -> Windows:
    """The windows as written; ``equipment`` is what meters of the site hang on."""
    found: list[RawMaintenance] = []
    for index, item in enumerate(listed or ()):
        here = place / index
        raw = read(RawMaintenance, item, here, faults)
        if raw is None:
            continue
        if raw.equipment is not None and raw.equipment not in equipment:
            hint = nearest(raw.equipment, equipment)
            faults.add(
                here / "equipment", f"no meter has this equipment{hint}; name one, or leave it out", raw.equipment
            )
        if raw.since is not None and raw.until is not None and _empty(raw.since, raw.until):
            faults.add(here / "until", "write an end that lies after `from`", _shown(raw.until))
        found.append(raw)
    return tuple(found)


def build_maintenance(windows: Windows, zone: str) -> tuple[Maintenance, ...]:
    """The windows as instants, in order; a bare date is the start of that day in the site's zone."""
    made = [
        Maintenance(
            start=_instant(raw.since, zone),
            end=_instant(raw.until, zone),
            equipment=raw.equipment,
            reason=raw.reason or "",
        )
        for raw in windows
        if raw.since is not None and raw.until is not None
    ]
    return tuple(sorted(made, key=lambda each: (each.start, each.end, each.equipment or "")))


def _empty(since: date | int, until: date | int) -> bool:
    """Whether a window holds no time in any zone: a date against an instant may be a day off."""
    slack = 0 if type(since) is type(until) else DAY
    return _instant(until, "UTC") + slack <= _instant(since, "UTC")


def _shown(moment: date | int) -> str:
    return iso(moment) if isinstance(moment, int) else moment.isoformat()


def _instant(moment: date | int, zone: str) -> int:
    return moment if isinstance(moment, int) else day_start(moment, zone)
