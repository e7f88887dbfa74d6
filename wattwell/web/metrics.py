"""The Prometheus exporter: one ``Snapshot`` becomes the text of ``/metrics``, in the names of README.md.

A KPI without a value exports no sample, so that a gap in a graph is a gap and never a zero. Samples are sorted: the
same snapshot is the same bytes. Every exporter has its own registry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from alerts.machine import withheld_of
from wattwell.engine.queries import Snapshot
from wattwell.model import KpiValue

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""The text exposition format that every Prometheus since 0.4 reads."""

_OVERHEAD, _CARBON = "overhead_", "cue_"
_RATIOS = (
    (
        "wue_source_litres_per_kilowatt_hour",
        "wue_source",
        "Water over the window, and the water behind the electricity, by kilowatt-hour of IT energy.",
    ),
    ("energy_reuse_factor_ratio", "erf", "Reused energy over the window by total energy."),
    ("energy_reuse_effectiveness_ratio", "ere", "Total energy less reused energy over the window by IT energy."),
    ("cooling_efficiency_ratio", "cer", "Heat removed over the window by the energy of the cooling."),
    (
        "carbon_free_ratio",
        "cfe",
        "Energy of the window that was carbon-free in the hour it was used, on site or from the grid, by total energy.",
    ),
    ("load_factor_ratio", "load_factor", "Mean power over the window that was taken from the utility, by its peak."),
    ("reclaimed_water_ratio", "water_reclaimed_share", "Reclaimed and recovered water by all water of the window."),
)
"""(metric, KPI, help)"""
_Labels = tuple[str, ...]
_Key = TypeVar("_Key", bound=_Labels)
_Family = GaugeMetricFamily | CounterMetricFamily


def _fill(family: _Family, samples: Mapping[_Key, float]) -> Metric:
    for labels in sorted(samples):
        if math.isfinite(samples[labels]):
            family.add_metric(list(labels), samples[labels])
    return family


def _gauge(name: str, help_text: str, labels: _Labels, samples: Mapping[_Key, float]) -> Metric:
    return _fill(GaugeMetricFamily(name, help_text, labels=labels), samples)


def _counter(name: str, help_text: str, labels: _Labels, samples: Mapping[_Key, float]) -> Metric:
    return _fill(CounterMetricFamily(name, help_text, labels=labels), samples)


def _values(kpis: Iterable[KpiValue], name: str) -> dict[tuple[str, str], float]:
    """(site, window) -> value, of one KPI, where there is one."""
    return {(k.site, k.window): k.value for k in kpis if k.kpi == name and k.window is not None and k.value is not None}


def _kpi_families(kpis: Sequence[KpiValue]) -> Iterable[Metric]:
    categories = {(k.site, k.window): "" if k.category is None else str(k.category) for k in kpis if k.kpi == "pue"}
    pue = {(*key, categories[key]): value for key, value in _values(kpis, "pue").items()}
    rolling = [(k, (k.site, k.kpi, k.window)) for k in kpis if k.window is not None]
    yield _gauge(
        "wattwell_site_pue_ratio",
        "Power usage effectiveness over the window, total energy by IT energy at the given category.",
        ("site", "window", "category"),
        pue,
    )
    yield _gauge(
        "wattwell_site_wue_litres_per_kilowatt_hour",
        "Water usage effectiveness over the window, litres of water by kilowatt-hour of IT energy.",
        ("site", "window"),
        _values(kpis, "wue"),
    )
    yield _gauge(
        "wattwell_site_renewable_energy_factor_ratio",
        "Renewable energy over the window by total energy, at most 1.",
        ("site", "window"),
        _values(kpis, "ref"),
    )
    yield _gauge(
        "wattwell_kpi_coverage_ratio",
        "Share of the window that every meter needed by the KPI has measured.",
        ("site", "kpi", "window"),
        {key: k.coverage for k, key in rolling},
    )
    yield _gauge(
        "wattwell_kpi_estimated_ratio",
        "Share of the window that is known and yet not measured, by interpolation over short gaps.",
        ("site", "kpi", "window"),
        {key: k.estimated for k, key in rolling},
    )
    yield _gauge(
        "wattwell_kpi_withheld",
        "What the KPI would be, in its unit, where it is withheld since its data contradict each other: PUE below 1.",
        ("site", "kpi", "window"),
        {key: value for k, key in rolling if (value := withheld_of(k)) is not None},
    )


def _plant_families(kpis: Sequence[KpiValue]) -> Iterable[Metric]:
    overhead = {
        (site, window, name.removeprefix(_OVERHEAD)): value
        for name in sorted({k.kpi for k in kpis if k.kpi.startswith(_OVERHEAD)})
        for (site, window), value in _values(kpis, name).items()
    }
    yield _gauge(
        "wattwell_site_overhead_ratio",
        "Energy of the subsystem over the window by IT energy; over all subsystems they sum to PUE less 1.",
        ("site", "window", "subsystem"),
        overhead,
    )
    yield _gauge(
        "wattwell_site_ups_efficiency_ratio",
        "UPS output over the window by UPS input.",
        ("site", "window"),
        _values(kpis, "ups_efficiency"),
    )
    yield _gauge(
        "wattwell_site_peak_demand_watts",
        "Highest mean power of a grid interval in the window that was taken from the utility.",
        ("site", "window"),
        {key: kilowatts * 1000 for key, kilowatts in _values(kpis, "peak_demand_kw").items()},
    )
    for name, kpi, help_text in _RATIOS:
        yield _gauge(f"wattwell_site_{name}", help_text, ("site", "window"), _values(kpis, kpi))
    carbon = [k for k in kpis if k.kpi.startswith(_CARBON) and k.window is not None and k.value is not None]
    yield _gauge(
        "wattwell_site_cue_grams_per_kilowatt_hour",
        "Carbon usage effectiveness over the window, grams of CO2 equivalent by kilowatt-hour of IT energy.",
        ("site", "window", "basis"),
        {(k.site, k.window or "", k.basis or ""): k.value * 1000 for k in carbon if k.value is not None},
    )
    yield _gauge(
        "wattwell_site_carbon_grams",
        "CO2 equivalent over the window, the numerator of CUE.",
        ("site", "window", "basis"),
        {(k.site, k.window or "", k.basis or ""): k.numerator * 1000 for k in carbon if k.numerator is not None},
    )
    litres = {(k.site, k.window): k.numerator for k in kpis if k.kpi == "wue" and k.numerator is not None}
    yield _gauge(
        "wattwell_site_water_litres",
        "Water over the window, the numerator of WUE.",
        ("site", "window"),
        {key: litres[key] for key, value in _values(kpis, "wue").items() if key in litres and math.isfinite(value)},
    )


def _site_families(snapshot: Snapshot) -> Iterable[Metric]:
    yield _gauge(
        "wattwell_site_target",
        "The target that the site is configured with, in the unit of the KPI.",
        ("site", "kpi"),
        snapshot.targets,
    )
    yield _gauge(
        "wattwell_site_role_power_watts",
        "Mean power of the last complete grid interval by role of the meters.",
        ("site", "role"),
        snapshot.role_power_watts,
    )
    yield _gauge(
        "wattwell_outdoor_temperature_celsius",
        "Mean of the outdoor sensor in the last complete grid interval.",
        ("site", "meter", "role"),
        snapshot.outdoor_celsius,
    )
    yield _gauge(
        "wattwell_balance_residual_ratio",
        "What the parent meter counted less its children over the last 24 hours, by what the parent counted.",
        ("site", "parent"),
        snapshot.balance_residuals,
    )
    yield _gauge(
        "wattwell_balance_tolerance_ratio",
        "What the accuracy of the parent meter and its children explains of the residual, likewise.",
        ("site", "parent"),
        snapshot.balance_tolerances,
    )


def _finding_families(snapshot: Snapshot) -> Iterable[Metric]:
    yield _gauge(
        "wattwell_findings",
        "Open findings by family, 0 where one was open before; those called known or no fault are left out.",
        ("site", "family"),
        {labels: float(count) for labels, count in snapshot.findings.items()},
    )
    yield _gauge(
        "wattwell_finding_excess_watts",
        "Power that the open findings draw beyond what is expected, over their last day; water alone counts nothing.",
        ("site", "family"),
        snapshot.finding_watts,
    )


def _state_families(snapshot: Snapshot) -> Iterable[Metric]:
    yield _gauge(
        "wattwell_site_power_watts",
        "Mean power of the last complete grid interval by subsystem.",
        ("site", "subsystem"),
        snapshot.power_watts,
    )
    yield _gauge(
        "wattwell_meter_last_reading_timestamp_seconds",
        "Device time of the last accepted reading of the meter, seconds since the epoch.",
        ("site", "meter"),
        snapshot.last_readings,
    )
    yield _gauge(
        "wattwell_meter_reporting_limit_seconds",
        "Time without a reading after which the meter counts as stale; meters in service.",
        ("site", "meter"),
        snapshot.reporting_limits,
    )
    yield _gauge(
        "wattwell_meter_events",
        "Meter events in the ledger by kind and state.",
        ("site", "event", "state"),
        {labels: float(count) for labels, count in snapshot.meter_events.items()},
    )
    yield _counter(
        "wattwell_readings_total",
        "Readings accepted.",
        ("site",),
        {(site,): float(count) for site, count in snapshot.readings.items()},
    )
    yield _counter(
        "wattwell_readings_rejected_total",
        "Readings rejected by the first reason that applied; the site is empty where none is known.",
        ("site", "reason"),
        {labels: float(count) for labels, count in snapshot.rejected.items()},
    )


def _report_families(snapshot: Snapshot) -> Iterable[Metric]:
    yield _gauge(
        "wattwell_report_issued_timestamp_seconds",
        "When a report of the site was last issued or restated, seconds since the epoch; by month, year, fiscal_year.",
        ("site", "window"),
        snapshot.reports_issued,
    )
    yield _gauge(
        "wattwell_reports_refused",
        "Reports that are due and could not be issued as their figures are.",
        ("site",),
        {labels: float(count) for labels, count in snapshot.reports_refused.items()},
    )


def _service_families(snapshot: Snapshot) -> Iterable[Metric]:
    yield _gauge(
        "wattwell_spool_readings",
        "Readings that wait on disk for the store.",
        (),
        {(): float(snapshot.spool_readings)},
    )
    yield _gauge(
        "wattwell_ingest_lag_seconds",
        "Time from the arrival of the latest batch of readings to its durable commit.",
        (),
        {(): snapshot.ingest_lag_seconds},
    )
    yield _gauge(
        "wattwell_followed_timestamp_seconds",
        "Until when what collectors sent to the remote store has been brought in, seconds since the epoch.",
        (),
        {} if snapshot.followed_until is None else {(): snapshot.followed_until},
    )
    yield _gauge(
        "wattwell_alerts",
        "1 for the state that the alert rule is in at the site, 0 for its other states.",
        ("site", "name", "state"),
        {labels: float(count) for labels, count in snapshot.alerts.items()},
    )
    yield _gauge(
        "wattwell_notifications_waiting",
        "Notifications that the receiver, named by its scheme and its place under notify, has still to be told.",
        ("receiver",),
        {labels: float(count) for labels, count in snapshot.notifications_waiting.items()},
    )
    yield _counter(
        "wattwell_notifications_delivered_total",
        "Notifications that the receiver has taken.",
        ("receiver",),
        {labels: float(count) for labels, count in snapshot.notifications_delivered.items()},
    )
    yield _counter(
        "wattwell_notifications_lost_total",
        "Notifications that the receiver will not get, since too many waited or since it refused them again and again.",
        ("receiver",),
        {labels: float(count) for labels, count in snapshot.notifications_lost.items()},
    )


class SnapshotCollector(Collector):
    """Asks for a snapshot at each scrape and turns it into metric families."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        """The families without samples, so that registering asks nothing of the engine."""
        return families(Snapshot())

    def collect(self) -> Iterable[Metric]:
        """The families of the present snapshot."""
        return families(self._snapshot())


def families(snapshot: Snapshot) -> list[Metric]:
    """Every metric family of a snapshot, in a fixed order."""
    figures = (*_kpi_families(snapshot.kpis), *_plant_families(snapshot.kpis))
    site = (*_site_families(snapshot), *_finding_families(snapshot), *_state_families(snapshot))
    return [*figures, *site, *_report_families(snapshot), *_service_families(snapshot)]


class Exporter:
    """``/metrics`` with a registry of its own."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(SnapshotCollector(snapshot))

    def render(self) -> bytes:
        """The exposition text; raises what the snapshot raises (StoreError)."""
        return generate_latest(self._registry)
