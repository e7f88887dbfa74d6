"""What one can ask a Wattwell: the same questions from the command line, HTTP and the page, in the same JSON shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wattwell.model import KpiValue

Document = dict[str, Any]
"""A JSON object; times are ISO 8601 UTC with Z, unknown is null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the Prometheus exporter shows: the state of things at the last analysis."""

    kpis: tuple[KpiValue, ...] = ()
    """Every KPI of every site and rolling window at the live edge."""
    power_watts: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, subsystem) mean power of the last complete interval; subsystem total, it, cooling, lighting, ..."""
    last_readings: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, meter) seconds since the epoch of the last accepted reading."""
    readings: Mapping[str, int] = field(default_factory=dict)
    """site, readings in the store."""
    rejected: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(site or "", reason) how many."""
    alerts: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """(site, rule name, state) 1 for the state it is in, 0 for the others."""
    targets: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, KPI) the target that the site is configured with."""
    role_power_watts: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, role) mean power of the last complete interval, where every meter of the role has a value."""
    outdoor_celsius: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    """(site, meter, role) mean of an outdoor sensor in the last complete interval."""
    balance_residuals: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, parent) parent minus children over the last 24 hours, by what the parent counted."""
    balance_tolerances: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, parent) what the meters' accuracy explains of it, likewise."""
    meter_events: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    """(site, event, state) how many the ledger holds."""
    reporting_limits: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, meter) seconds without a reading after which the meter counts as stale; meters in service."""
    findings: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(site, family) how many findings are open; families that were ever found at the site."""
    finding_watts: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, family) the power that they draw beyond what is expected, as far as it is known."""
    reports_issued: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """(site, window) seconds since the epoch of the latest issue of a report; month, year or fiscal_year."""
    reports_refused: Mapping[tuple[str], int] = field(default_factory=dict)
    """(site) how many reports that are due could not be issued as their figures are."""
    notifications_waiting: Mapping[tuple[str], int] = field(default_factory=dict)
    """(receiver) how many notifications it has still to be told."""
    notifications_delivered: Mapping[tuple[str], int] = field(default_factory=dict)
    """(receiver) how many it has taken, ever."""
    notifications_lost: Mapping[tuple[str], int] = field(default_factory=dict)
    """(receiver) how many it will never get, since its queue was full or since it refused them, ever."""
    spool_readings: int = 0
    ingest_lag_seconds: float = 0.0
    followed_until: float | None = None
    """Seconds since the epoch until when what collectors sent has been brought in; None where none are followed."""


class Queries(Protocol):
    """Read access to sites, figures, alerts and ledgers; None means every one."""

    def sites(self) -> list[Document]:
        """id, name, timezone, pue_category, it_power_kw, wue_numerator, targets, prices, grid_seconds and meters[].

        Each meter: id, role, quantity, accumulation, unit, value_unit (of its interval values), equipment, parent,
        virtual, period_seconds, last_reading.
        """

    def kpi(
        self,
        site: str | None = None,
        kpis: Sequence[str] | None = None,
        window: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> list[Document]:
        """KPI values; ``start`` and ``end`` are ISO 8601 or a bare local date or month. UsageError for bad input."""

    def balance(
        self, site: str | None = None, window: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        """Parent minus children of the meter tree, by window and parent; without window and start, the last 24 h."""

    def series(
        self, site: str, meter: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        """Interval values of one or all meters of a site."""

    def power(self, site: str, start: str | None = None, end: str | None = None) -> list[Document]:
        """Interval means for plots: start, end and kilowatts (null where unknown) total, it, cooling, power_chain,
        lighting, other; water_litres; pue and its rolling window are asked with :meth:`kpi`."""

    def explain(
        self,
        site: str,
        kpi: str,
        window: str | None = None,
        at: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> Document:
        """One KPI value taken back to its meters: the calendar window that holds ``at``, or the rolling one that ends
        there (None: the latest), or [start, end). UsageError for bad input."""

    def alerts(self, site: str | None = None) -> list[Document]:
        """Current state of every rule on every site, then its history; open alerts say why they are not told."""

    def silences(self) -> list[Document]:
        """Silences and maintenance windows in force and to come, then the latest that are over.

        Each: id, kind (silence or maintenance), state (pending, active or ended), matchers, from, until, author,
        reason, expired (who ended it early).
        """

    def findings(
        self,
        site: str | None = None,
        start: str | None = None,
        end: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> list[Document]:
        """Findings that overlap [start, end), open ones first, then by money: cost, else energy, then water.

        Each: id, site, family, detector, equipment, meters[], start, end, detected_at, status, confidence, excess_kwh
        and excess_l {value, low, high}, cost {value, currency}, advice, evidence, title, cause, carbon_kg, watts,
        per_year {excess_kwh, excess_l, cost} if it goes on, saving, note. UsageError for bad input.
        """

    def finding(self, id: str) -> Document:
        """One finding, with course[] (label, unit, step_seconds and the columns start, actual, expected, low, high) and
        history[] (at, verdict, until, author, note); UnknownError for one that is not known."""

    def models(self, site: str | None = None) -> list[Document]:
        """What is watched, and how well it is expected in its own healthy history; nothing before a detector looked.

        Each: site, name, kind, unit, space, hours (of that history), cv_rmse and nmbe (shares; of energy and water),
        rmse and weekly (in the unit), accepted (by ASHRAE Guideline 14) and unjudged (why it was not judged of late).
        """

    def report(self, site: str, key: str, revision: int | None = None) -> Document:
        """The report of a month (2026-10), a year (2026) or a fiscal year (FY2026): the issued revision in force, or
        the one asked for; where none was issued, a draft as the figures are now.

        The fields of :class:`analytics.report.model.Report`. UsageError for bad input, UnknownError for a revision that
        was never issued.
        """

    def reports(self, site: str | None = None) -> list[Document]:
        """Issued revisions, the latest first: site, window, key, name, revision, issued_at, author, reason, digest,
        provisional and changes (how many figures differ from the revision before)."""

    def export(self, site: str, regulation: str, year: str) -> Document:
        """What a regulator (eu-2024-1364, enefg) asks of a site for a calendar year; UsageError for bad input.

        regulation, title, source, threshold, obliged, due, over, fields[] (part, code, name, unit, value, missing,
        basis, usable, coverage, provisional, meters[], formula, note), missing[], checks[], breaches[] and limits[].
        """

    def events(
        self, site: str | None = None, meter: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        """The meter-event ledger."""

    def rejects(self, site: str | None = None) -> list[Document]:
        """Rejected readings by reason."""

    def audit(self, kind: str | None = None, last: int | None = None) -> list[Document]:
        """Entries of the audit ledger, by number: seq, at, kind, hash, document; the ``last`` so many of a kind."""

    def unmapped(self) -> list[Document]:
        """Topics seen but bound to no meter: topic, first_seen, last_seen, count, example."""

    def problems(self, site: str) -> list[Document]:
        """What an operator should look at: stale and silent meters, rejects, meters that are set up wrongly.

        Each: meter (None: the site), code, severity, message, since, evidence (numbers by name) and remedy.
        """

    def snapshot(self) -> Snapshot:
        """The state for /metrics."""
