"""What /metrics shows beside KPIs and subsystems: targets, roles, weather, the meter tree, meter events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from analytics.balance import SiteGrid, lay_out, quantities, served_by
from analytics.evaluate import Window
from wattwell.config.settings import Config
from wattwell.engine.book import KpiBook
from wattwell.engine.power import power_columns
from wattwell.engine.queries import Snapshot
from wattwell.engine.spans import ROLLING
from wattwell.intervals import HOUR, SECOND, Interval, starts
from wattwell.model import Meter, Site
from wattwell.roles import ENERGY_KINDS
from wattwell.store.protocol import ReadingStore

KPI_OF_TARGET = {"renewable_share": "ref"}
"""The KPI that a target of a site is for, where it has another name."""
EVENTS = ("reset", "rollover", "transient", "jump", "catch-up", "replacement")
"""Every kind of meter event (METERING, Register events)."""
_OUTDOOR = ("outdoor_dry_bulb", "outdoor_wet_bulb")
_WATER = "water_litres"
"""The one column of the subsystems' that is no power."""
_TREE_WINDOW = "24h"
"""The window over which the page shows the balance of the meter tree."""


def silence(meter: Meter) -> int:
    """How long a meter may be silent until it counts as stale, microseconds."""
    return max(meter.max_gap, 3 * meter.period)


def with_the_rest(snapshot: Snapshot, config: Config, store: ReadingStore, book: KpiBook, now: int) -> Snapshot:
    """The snapshot with what is told beside its KPIs; interval values are those of the last complete interval."""
    power: dict[tuple[str, str], float] = {}
    roles: dict[tuple[str, str], float] = {}
    outdoor: dict[tuple[str, str, str], float] = {}
    residual: dict[tuple[str, str], float] = {}
    tolerance: dict[tuple[str, str], float] = {}
    last = _last_intervals(config, store, {name: book.live_edge(name, "pue", now) for name in config.sites})
    for site in config.sites.values():
        grid = last[site.id]
        power |= {(site.id, subsystem): watts for subsystem, watts in _subsystems(site, grid)}
        roles |= {(site.id, role): watts for role, watts in _watts(site, grid)}
        outdoor |= {(site.id, meter.id, meter.role or ""): celsius for meter, celsius in _outdoor(site, grid)}
        edge = book.balance_edge(site.id, now)
        window = Window(name=_TREE_WINDOW, interval=Interval(edge - ROLLING[_TREE_WINDOW], edge))
        for closure in book.closures(site.id, window):
            if closure.share is not None and closure.tolerance is not None and closure.parent_amount:
                residual[site.id, closure.parent] = closure.share
                tolerance[site.id, closure.parent] = closure.tolerance / abs(closure.parent_amount)
    return replace(
        snapshot,
        targets={
            (s.id, KPI_OF_TARGET.get(name, name)): value
            for s in config.sites.values()
            for name, value in s.targets.items()
        },
        power_watts=power,
        role_power_watts=roles,
        outdoor_celsius=outdoor,
        balance_residuals=residual,
        balance_tolerances=tolerance,
        meter_events=_none_yet(config)
        | {key: count for key, count in store.event_counts().items() if key[0] in config.sites},
        reporting_limits={
            (meter.site, meter.id): silence(meter) / SECOND
            for site in config.sites.values()
            for meter in site.meters.values()
            if not meter.virtual and meter.in_service.start <= now < meter.in_service.end
        },
    )


def _none_yet(config: Config) -> dict[tuple[str, str, str], int]:
    """A zero for each kind of event, so that the first one of a kind is a change that can be seen."""
    return {(site, event, "booked"): 0 for site in config.sites for event in EVENTS}


def _last_intervals(config: Config, store: ReadingStore, edges: Mapping[str, int]) -> dict[str, SiteGrid]:
    """Each site's interval that ends at its edge; those that end together are read together."""
    grid, found = config.grid, dict[str, SiteGrid]()
    for edge in set(edges.values()):
        sites = [config.sites[name] for name, each in edges.items() if each == edge]
        real = {site.id: [meter.id for meter in site.meters.values() if not meter.virtual] for site in sites}
        values = store.intervals_of(real, edge - grid, edge)
        at = starts(edge - grid, edge, grid)
        found |= {site.id: lay_out(site, values[site.id], list(site.meters), at, grid) for site in sites}
    return found


def _subsystems(site: Site, grid: SiteGrid) -> Iterator[tuple[str, float]]:
    """Mean power by subsystem; nothing where it is not known."""
    for name, kilowatts in power_columns(quantities(site, grid), grid.grid).items():
        if name != _WATER and len(kilowatts) and np.isfinite(kilowatts[0]):
            yield name, float(kilowatts[0]) * 1000


def _watts(site: Site, grid: SiteGrid) -> Iterator[tuple[str, float]]:
    """Mean power by role; nothing where a meter in service lacks a value."""
    serving: dict[str, list[Meter]] = {}
    for meter in site.meters.values():
        if meter.role and meter.quantity in ENERGY_KINDS and served_by(meter, grid.start)[0]:
            serving.setdefault(meter.role, []).append(meter)
    for role, meters in serving.items():
        kwh = sum(float(grid.value[meter.id][0]) for meter in meters)
        if np.isfinite(kwh):
            yield role, kwh / (grid.grid / HOUR) * 1000


def _outdoor(site: Site, grid: SiteGrid) -> Iterator[tuple[Meter, float]]:
    for meter in site.meters.values():
        if meter.role in _OUTDOOR and np.isfinite(celsius := float(grid.value[meter.id][0])):
            yield meter, celsius
