"""``wattwell audit compare``: readings of the remote store against those of the spool, and as a CSV for an auditor."""

from __future__ import annotations

import csv
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wattwell.app.compare import Comparison, compare
from wattwell.cli.part import part_of
from wattwell.cli.show import emit
from wattwell.config import Config
from wattwell.documents.csv_ import no_formula
from wattwell.engine.spans import parse_time
from wattwell.errors import UsageError
from wattwell.intervals import iso
from wattwell.store.reconcile import DIFFERING, Compared, How

_COLUMNS = ("site", "meter", "unit", "time", "revision", "here", "there", "compares")
_WORDS: Mapping[How, str] = {
    "same": "the same in both",
    "missing": "missing there",
    "different": "with another value there",
    "alone": "there alone",
    "waiting": "waiting in the spool, or not on its disk for sure",
    "refused": "refused for good",
    "replaced": "there with a value that has been replaced here since",
    "pruned": "not to be compared",
}


def comparing(args: Namespace) -> int:
    """Compares, prints what differs, and returns 1 where something does."""
    config = part_of(args)
    start, end = parse_time(args.start, "UTC"), parse_time(args.end, "UTC")
    if start >= end:
        raise UsageError(f"the span is empty: --from {args.start} must be before --to {args.end}")
    sites = list(config.sites) if args.site is None else [args.site]
    with _exported(None if args.csv is None else Path(args.csv), config) as take:
        done = compare(config, sites, start, end, take)
    if args.json:
        emit(_document(done, start, end))
    else:
        print("\n".join(_said(done, start, end, args.csv)))
    return 1 if done.differing else 0


@contextmanager
def _exported(path: Path | None, config: Config) -> Iterator[Callable[[Compared], None]]:
    """Writes each reading to a file, which is there when it is whole."""
    if path is None:
        yield lambda _: None
        return
    part = path.with_name(f"{path.name}.part")
    try:
        file = part.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"--csv {path} cannot be written: {error.strerror}; choose another file") from error
    try:
        with file:
            rows = csv.writer(file)
            rows.writerow(_COLUMNS)
            yield lambda reading: rows.writerow(_row(reading, config))
        part.replace(path)
    except OSError as error:
        raise UsageError(f"--csv {path} cannot be written: {error.strerror}; choose another file") from error
    finally:
        part.unlink(missing_ok=True)


def _row(reading: Compared, config: Config) -> list[str]:
    site, meter = reading.key
    texts = [no_formula(text) for text in (site, meter, config.sites[site].meters[meter].unit)]
    values = ["" if value is None else repr(value) for value in (reading.here, reading.there)]
    return [*texts, iso(reading.at), str(reading.revision), *values, reading.how]


def _document(done: Comparison, start: int, end: int) -> dict[str, Any]:
    """Counts by :data:`~wattwell.store.reconcile.How`, and the first readings that differ."""
    counts = {how: done.counts[how] for how in _WORDS}
    first = [
        {
            "site": each.key[0],
            "meter": each.key[1],
            "time": iso(each.at),
            "revision": each.revision,
            "here": each.here,
            "there": each.there,
            "compares": each.how,
        }
        for each in done.first
    ]
    span = {"remote": done.remote, "start": iso(start), "end": iso(end)}
    more = {"repeated": done.repeated, "unlisted_refused": done.unlisted, "differing": done.differing, "first": first}
    return span | counts | more


def _said(done: Comparison, start: int, end: int, csv_file: str | None) -> Iterator[str]:
    yield f"{done.remote} against the spool, {iso(start)} to {iso(end)}:"
    for how, words in _WORDS.items():
        if done.counts[how] or how in ("same", *DIFFERING):
            yield f"{done.counts[how]:>12} {words}{_why(how, done)}"
    if done.repeated:
        yield f"{done.repeated:>12} samples repeated there; they count once where it removes repeated ones"
    for each in done.first:
        site, meter = each.key
        values = f"here {_value(each.here)}, there {_value(each.there)}"
        yield f"{each.how}: {site}/{meter} at {iso(each.at)}, revision {each.revision}: {values}"
    if done.differing > len(done.first):
        where = "write them all with --csv FILE" if csv_file is None else f"all are in {csv_file}"
        yield f"and {done.differing - len(done.first)} more; {where}"


def _why(how: How, done: Comparison) -> str:
    if how == "pruned":
        return f": the spool has dropped its readings from before {iso(done.pruned)}"
    if how == "missing" and done.unlisted and done.counts[how]:
        return f"; up to {done.unlisted} of these it may have refused for good, before the thousand that are known"
    return ""


def _value(value: float | None) -> str:
    return "none" if value is None else repr(value)
