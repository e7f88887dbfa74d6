"""A simulated site whose meters somebody mounted, set or declared wrongly: what commissioning must name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from analytics.commissioning import judge
from analytics.commissioning.seen import Finding
from collector.normalise import MeterTable, normalise
from collector.points import Points
from collector.scalars import DEVICE
from collector.simulate.meters import site_document
from collector.simulate.simulator import Simulator, Telemetry
from collector.simulate.spec import SiteSpec
from wattwell.config import parse
from wattwell.engine.analyse import analyse
from wattwell.engine.commission import look
from wattwell.intervals import DAY, MINUTE, SECOND, parse_iso
from wattwell.model import Float64, Int64, Site
from wattwell.store.duckdb import DuckdbStore

STEP, GRID = 10 * MINUTE, 15 * MINUTE
BEGIN = parse_iso("2026-05-04T00:00:00Z")
Distort = Callable[[Float64], Float64]


@lru_cache(maxsize=8)
def telemetry(days: float = 8.0, seed: int = 1, begin: int = BEGIN) -> Telemetry:
    """What the healthy meters of the simulated site send."""
    simulator = Simulator(SiteSpec(), seed=seed, start_us=begin, step_us=STEP)
    return simulator.advance(round(days * DAY / STEP))[0]


def sent(table: MeterTable, meter: str, at: Int64, value: Float64, received: Int64) -> Points:
    """One meter's readings as they come out of a decoder."""
    rows = len(at)
    return Points(
        meter=np.full(rows, table.position[table.meters[0].site, meter], dtype=np.int64),
        at=at,
        clock=np.full(rows, DEVICE, dtype=np.int8),
        received_at=received,
        retained=np.zeros(rows, dtype=np.bool_),
        value=value,
        form=np.zeros(rows, dtype=np.int8),
        unit=np.zeros(rows, dtype=np.int64),
        units=("",),
        raw=value.tolist(),
    )


def findings(
    folder: Path,
    site: Site,
    columns: Mapping[str, tuple[Int64, Float64]],
    *,
    clocks: Mapping[str, int] | None = None,
    bulk: bool = False,
    late: int | None = 31 * DAY,
) -> list[Finding]:
    """What is found on a site after these times and values by meter went through the rules into a store.

    They arrive a second after they were read; ``clocks`` sets a device's clock ahead, microseconds; with ``bulk`` all
    of them arrive together a month later, as from a file.
    """
    table = MeterTable.of([site])
    store = DuckdbStore.open(folder / f"faulty-{len(list(folder.glob('faulty-*')))}.duckdb")
    try:
        for meter, (at, value) in columns.items():
            received = np.full(len(at), at.max() + 30 * DAY) if bulk else at + SECOND
            shown = at + (clocks or {}).get(meter, 0)
            judged = normalise(sent(table, meter, shown, value, received), table, None if bulk else late)
            store.commit(judged.readings, judged.rejects)
        analyse(store, {(site.id, m.id): m for m in table.meters}, GRID)
        seen = look(site, store, GRID)
        return [] if seen is None else judge(seen)
    finally:
        store.close()


def simulated(folder: Path, *without: str, **changes: Mapping[str, Any]) -> Site:
    """The simulated site, with other keys for some meters (``_`` for ``-``) and without some keys of the site."""
    document = site_document(SiteSpec(), period="10m")
    for name in without:
        del document[name]
    for meter in document["meters"]:
        meter.update(changes.get(meter["id"].replace("-", "_"), {}))
    return parse({"sites": [document]}, folder).sites["sim"]


def distorted(
    folder: Path, data: Telemetry, distort: Mapping[str, Distort] | None = None, site: Site | None = None, **how: Any
) -> list[Finding]:
    """Findings on the simulated site, some of whose meters send something else."""
    chosen = distort or {}
    changed = {meter: chosen.get(meter, _as_it_is)(value) for meter, value in data.values.items()}
    return findings(folder, site or simulated(folder), {m: (data.at, v) for m, v in changed.items()}, **how)


def _as_it_is(value: Float64) -> Float64:
    return value


def told(found: Sequence[Finding]) -> list[tuple[str, str | None]]:
    """Code and meter of each finding."""
    return [(finding.code, finding.meter) for finding in found]
