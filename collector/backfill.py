"""Data files into the store, by the same rules as live messages but for the late limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from collector.files import Chunk, read_csv
from collector.normalise import MeterTable, Normalised, normalise
from collector.parquet import read_parquet
from collector.scalars import clean
from wattwell.config.settings import Config
from wattwell.errors import UsageError, WattwellError
from wattwell.model import Readings, Reject

UNKNOWN_LISTED = 100_000
"""Rejects for unknown points that one file may put into the store; the summary counts all of them."""

Sink = Callable[[Readings, Sequence[Reject]], object]
"""Commits durably, or raises; the store's ``commit``, or a call to the service that holds the store."""
Progress = Callable[[Path, float, int], None]
"""Is told the file, the share of it that is done (0-1) and the rows read so far."""


@dataclass(slots=True)
class Summary:
    """What a back-fill did."""

    files: int = 0
    rows: int = 0
    readings: int = 0
    """Accepted readings, repeats among them."""
    rejected: Counter[str] = field(default_factory=Counter)
    """By reason."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Values under names that are no meter of the site."""
    first: int | None = None
    """Earliest accepted time, microseconds UTC."""
    last: int | None = None
    """Latest accepted time, microseconds UTC."""


def read(path: Path, meters: Mapping[str, int], site: str, received_at: int) -> Iterator[Chunk]:
    """The points of a CSV, CSV.gz or Parquet file, chunk by chunk; WattwellError when it cannot be read."""
    if not path.is_file():
        raise WattwellError(f"{path}: no such file; name a CSV, CSV.gz or Parquet file.")
    reader = read_parquet if path.suffix in {".parquet", ".pq"} else read_csv
    try:
        yield from reader(path, meters, site, received_at)
    except OSError as error:
        raise WattwellError(
            f"{path}: cannot be read ({error.strerror}); check the file and its permissions."
        ) from error


def backfill(
    paths: Sequence[Path],
    site: str,
    config: Config,
    sink: Sink,
    received_at: int,
    progress: Progress | None = None,
    summary: Summary | None = None,
) -> Summary:
    """Commits the readings of files of one site in file order, chunk by chunk.

    ``summary``, where one is given, is filled in as it goes: it tells what was done also when a file breaks off.
    ``received_at`` is the time of the run. What a sink raises ends the run; the chunks before it are safe, and the same
    files can be given again. UsageError for an unknown site, WattwellError for a file that cannot be read.
    """
    if site not in config.sites:
        raise UsageError(f"There is no site {site!r}; the configuration has {', '.join(sorted(config.sites))}.")
    table = MeterTable.of([config.sites[site]])
    meters = {meter.id: position for position, meter in enumerate(table.meters)}
    summary = summary or Summary()
    for path in paths:
        summary.files += 1
        listed, rows = 0, 0
        for chunk in read(path, meters, site, received_at):
            judged = normalise(chunk.points, table, None)
            broken = [_broken(site, line, received_at) for line in chunk.broken]
            _count(summary, chunk, judged, broken)
            rejects, listed = _bounded(judged.rejects, listed)
            sink(judged.readings, broken + rejects)
            rows += chunk.rows
            if progress is not None:
                progress(path, chunk.share, rows)
    return summary


def _broken(site: str, line: str, received_at: int) -> Reject:
    return Reject(
        site=site,
        meter=None,
        topic=None,
        at=None,
        received_at=received_at,
        reason="payload.invalid",
        value=clean(line),
    )


def _count(summary: Summary, chunk: Chunk, judged: Normalised, broken: Sequence[Reject]) -> None:
    accepted = judged.readings.at[~np.isnan(judged.readings.value)]
    summary.rows += chunk.rows + len(broken)
    summary.readings += len(accepted)
    summary.rejected.update(reject.reason for reject in (*judged.rejects, *broken))
    summary.unknown.update(reject.meter or "" for reject in judged.rejects if reject.reason == "point.unknown")
    if len(accepted):
        low, high = int(accepted.min()), int(accepted.max())
        summary.first = low if summary.first is None else min(summary.first, low)
        summary.last = high if summary.last is None else max(summary.last, high)


def _bounded(rejects: list[Reject], listed: int) -> tuple[list[Reject], int]:
    kept: list[Reject] = []
    for reject in rejects:
        if reject.reason == "point.unknown":
            listed += 1
            if listed > UNKNOWN_LISTED:
                continue
        kept.append(reject)
    return kept, listed
