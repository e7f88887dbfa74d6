"""What operators enter about meters, checked against the readings before it is stored."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analytics.fold import MeterFold
from analytics.segments import FoldState
from wattwell.engine.spans import parse_time
from wattwell.errors import UsageError, WattwellError
from wattwell.intervals import iso
from wattwell.model import Correction, Meter, MeterKey, Site
from wattwell.store.protocol import ReadingStore

HEADER = ("meter", "at", "event", "final", "first", "author", "reason")


def read_corrections(path: Path, site: Site) -> list[Correction]:
    """The corrections of a CSV file with the columns of HEADER; WattwellError lists every faulty line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != HEADER:
                raise WattwellError(f"{path}: the first line must be {','.join(HEADER)}")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise WattwellError(f"{path}: cannot be read ({why}); give a CSV file with {','.join(HEADER)}") from error
    found: list[Correction] = []
    faults: list[str] = []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(_correction(row, site))
        except UsageError as error:
            faults.append(f"{path} line {number}: {error}")
    if faults:
        raise WattwellError("\n".join(faults))
    return found


def _correction(row: Mapping[str, str], site: Site) -> Correction:
    event = row["event"]
    if event not in {"replacement", "accept"}:
        raise UsageError(f"event {event!r} is not known; write replacement or accept")
    for name in ("author", "reason"):
        if not row[name]:
            raise UsageError(f"{name} is empty; a correction carries its author and reason")
    swap = event == "replacement"
    return Correction(
        site=site.id,
        meter=row["meter"],
        at=parse_time(row["at"], site.zone),
        event=event,
        final=_dial(row, "final") if swap else None,
        first=_dial(row, "first") if swap else None,
        author=row["author"],
        reason=row["reason"],
    )


def _dial(row: Mapping[str, str], name: str) -> float:
    try:
        return float(row[name])
    except ValueError:
        raise UsageError(f"{name} {row[name]!r} is no number; a replacement needs the {name} dial") from None


def contradictions(
    corrections: Sequence[Correction],
    meters: Mapping[MeterKey, Meter],
    store: ReadingStore,
    grid: int,
    clock: Callable[[], int],
) -> list[str]:
    """What stands against corrections, a sentence each."""
    faults = []
    for each in corrections:
        key = (each.site, each.meter)
        if key not in meters:
            faults.append(f"meter {each.meter!r} is not a real meter of {each.site}; name one of its meters")
        elif each.at > clock():
            faults.append(f"{each.meter} at {iso(each.at)}: the time lies ahead; enter it when it has happened")
        elif each.at < store.pruned():
            faults.append(
                f"{each.meter} at {iso(each.at)}: raw readings are kept from {iso(store.pruned())} on only; "
                "what was made of older ones stands"
            )
        elif each.final is not None:
            level = _level(meters[key], store, grid, each.at)
            if level is not None and each.final < level:
                faults.append(
                    f"{each.meter} at {iso(each.at)}: the final dial {each.final:.12g} is below the last reading "
                    f"{level:.12g}; enter the dial that the old meter showed when it was replaced"
                )
    return faults


def _level(meter: Meter, store: ReadingStore, grid: int, at: int) -> float | None:
    """The last accepted dial before an instant."""
    key = (meter.site, meter.id)
    points = [point for point in store.checkpoints([key], -(2**62)).get(key, ()) if point.edge <= at]
    since, state = (points[-1].edge, FoldState.from_columns(points[-1].state)) if points else (-(2**62), FoldState())
    fold = MeterFold(meter, grid, store.corrections(key), state)
    found = store.readings([key], since, at).get(key)
    if found is not None:
        fold.feed(*found, at)
    return None if fold.state.last is None else fold.state.last.value
