"""The engine: one store, its analysis, and the answers to every question. Used alike by commands and the service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial

import numpy as np

from alerts.listing import counts, listing, places
from alerts.notify import Notifier
from analytics.balance import lay_out, members
from analytics.evaluate import Window
from analytics.kpi import KPIS
from analytics.rollup import roll_up
from collector.ingest import UNMAPPED_STATE, read_unmapped
from wattwell.config.settings import Config
from wattwell.engine import shapes
from wattwell.engine.analyse import Analyse, analyse
from wattwell.engine.auditor import Auditor
from wattwell.engine.book import KpiBook
from wattwell.engine.commission import Commissioning, document
from wattwell.engine.corrections import contradictions
from wattwell.engine.desk import AlertDesk
from wattwell.engine.exported import silence, with_the_rest
from wattwell.engine.exporting import Exports
from wattwell.engine.figures import Asked
from wattwell.engine.findings import Detector, Expectations, FindingsDesk
from wattwell.engine.fingerprint import forget_changed
from wattwell.engine.kpi_series import kpi_series
from wattwell.engine.power import power_columns
from wattwell.engine.queries import Document, Snapshot
from wattwell.engine.report_maker import ReportMaker, Told
from wattwell.engine.report_schedule import ReportSchedule
from wattwell.engine.reports import Reports
from wattwell.engine.retention import horizon, month_starts
from wattwell.engine.signals import powers_of
from wattwell.engine.spans import ROLLING, in_turn, parse_time, windows
from wattwell.engine.suggest import suggestions
from wattwell.engine.watch import AlertWatch
from wattwell.errors import UsageError
from wattwell.intervals import CALENDAR, SECOND, Interval, floor_to, iso, local_date, starts
from wattwell.model import AlertRule, Correction, KpiValue, Maintenance, Meter, MeterKey, Site
from wattwell.store.protocol import ReadingStore

_REJECTS_SHOWN = 1000


class Engine:
    """Keeps figures up to date with a store (``refresh``) and answers :class:`~wattwell.engine.queries.Queries`."""

    def __init__(
        self,
        config: Config,
        rules: Sequence[AlertRule],
        store: ReadingStore,
        clock: Callable[[], int],
        notifiers: Mapping[str, Notifier] | None = None,
        detector: Detector | None = None,
        expectations: Expectations | None = None,
    ) -> None:
        """``clock`` gives microseconds UTC; ``notifiers`` by id, None where nobody is to be told of alerts.

        ``detector``: None where nobody looks for findings; those on record are shown all the same. ``expectations``:
        None where nothing can be expected of any site.
        """
        self.config, self.store = config, store
        self.analyse: Analyse = analyse
        self._clock = clock
        self._meters = {
            (site.id, meter.id): meter
            for site in config.sites.values()
            for meter in site.meters.values()
            if not meter.virtual
        }
        self._analysing = threading.Lock()
        self._book = KpiBook(config, store, powers_of(rules))
        self._commissioning = Commissioning(config.sites, config.grid, store, clock)
        forget_changed(store, self._meters, config.grid)
        self.rules = tuple(rules)
        self.kpi_series = kpi_series(config, store, self._book)
        self._auditor = Auditor(config, self.rules, store, self._book, self, self._analysing, clock)
        self.issue, self.explain = self._auditor.issue, self._auditor.explain
        self.audit, self.verify = self._auditor.audit, self._auditor.verify
        self.enter_readings = self._auditor.enter_readings
        self._found = FindingsDesk(config, store, detector, self._maintenance, clock)
        self.findings, self.finding, self.judge = self._found.findings, self._found.finding, self._found.judge
        self.finding_counts, self.models = self._found.counts, self._found.models
        made = self._reports = Reports(config, store, self._maker().make, self._live, self._analysing)
        self.report, self.draft, self.reports = made.report, made.draft, made.reports
        self.export = Exports(config, store, self._book, self._live, self._analysing).export
        self.watch = AlertWatch(config, self.rules, store, self._book, notifiers, self._found.excess, expectations)
        self.schedule = ReportSchedule(config, store, self._reports, self._live, self.watch.tell)
        self.overdue = lambda: self.schedule.overdue(clock())
        desk = AlertDesk(config, store, self.watch, clock)
        self.silence, self.silences, self.maintenance = desk.silence, desk.silences, desk.maintenance
        self.expire, self.acknowledge, self.receivers = desk.expire, desk.acknowledge, desk.receivers

    def _maker(self) -> ReportMaker:
        told = Told(
            value=self.value,
            findings=self.findings,
            looked=lambda site: bool(self.models(site)),
            alerts=self.alerts,
            events=lambda site, start, end: self.events(site, None, start, end),
            clock=self._clock,
        )
        return ReportMaker(self.config, self.store, self._book, told)

    # -- keeping up -------------------------------------------------------------------------------------------

    def refresh(self, *, cold: bool = True) -> bool:
        """Analyses what is dirty and steps the alert rules; whether any interval value may have changed.

        ``cold``: whether it takes the seconds that findings may take at a site; else :meth:`catch_up` does.
        """
        with self._analysing:
            dirt = self.store.dirty()
            self._auditor.before(dirt)
            self.kpi_series.before(dirt, self._clock())
            self.schedule.touched.before(dirt)
            self._found.expect(dirt)
            changed = self._book.follow(lambda: self.analyse(self.store, self._meters, self.config.grid, dirt=dirt))
            if changed:
                self._commissioning.changed()
            self._auditor.after(changed)
            self.kpi_series.after(changed, self._clock())
            self.schedule.touched.after(changed)
            self._found.step(changed, cold=cold)
            self.watch.step(self._clock(), changed)
            self._book.keep(self._clock())
        return bool(changed)

    def catch_up(self) -> None:
        """Looks for findings at one of the sites where that takes seconds, if any waits."""
        if self._found.waiting:
            with self._analysing:
                self._found.catch_up()

    def finding_faults(self) -> Mapping[str, str]:
        """By site: why nobody looks for findings there just now."""
        return self._found.faults

    def _maintenance(self, site: str) -> tuple[Maintenance, ...]:
        return self.watch.silences.maintenance(site)

    def correct(self, corrections: Sequence[Correction]) -> None:
        """Stores what an operator entered; UsageError, and nothing stored, when one contradicts the readings."""
        faults = contradictions(corrections, self._meters, self.store, self.config.grid, self._clock)
        if faults:
            raise UsageError("\n".join(faults))
        with self._analysing:
            self.store.add_corrections(corrections)

    def issue_report(self, site: str, key: str, author: str | None = None, reason: str | None = None) -> Document:
        """Issues a month (2026-10), year (2026) or fiscal year (FY2026): document, new, refused (why not)."""
        return asdict(self._reports.issue(site, key, author, reason))

    def _live(self, site: str) -> int:
        return self._book.live_edge(site, "pue", self._clock())

    def prune(self, before: int) -> int:
        """Drops raw readings older than ``before``, a grid edge, that no figure will need again; how many.

        The register readings around each local month's start are kept (see :mod:`wattwell.engine.retention`).
        """
        self.refresh()
        with self._analysing:
            if before <= self.store.pruned():
                return 0
            meters = self._meters.values()
            updates = [
                update
                for meter in meters
                if (update := horizon(self.store, meter, self._corrections(meter), self.config.grid, before))
            ]
            self.store.save(updates)
            keep = month_starts(self.store, self.config.sites, meters, before)
            return self.store.prune(before, keep, {update.key: update.start for update in updates})

    def _corrections(self, meter: Meter) -> Sequence[Correction]:
        return self.store.corrections((meter.site, meter.id))

    # -- sites ------------------------------------------------------------------------------------------------

    def _site(self, site: str) -> Site:
        if site not in self.config.sites:
            raise UsageError(f"site {site!r} is not configured; known: {', '.join(self.config.sites)}")
        return self.config.sites[site]

    def check(self, site: str | None, kpis: Sequence[str]) -> None:
        """UsageError for a site or a KPI that is not known."""
        self._chosen(site)
        for name in kpis:
            if name not in KPIS:
                raise UsageError(f"kpi {name!r} is not known; use one of {', '.join(KPIS)}")

    def _chosen(self, site: str | None) -> list[Site]:
        return list(self.config.sites.values()) if site is None else [self._site(site)]

    def sites(self) -> list[Document]:
        """See :class:`~wattwell.engine.queries.Queries`."""
        last = self.store.last_readings()
        return [shapes.site_document(site, self.config.grid, last) for site in self.config.sites.values()]

    # -- KPIs -------------------------------------------------------------------------------------------------

    def kpi(
        self,
        site: str | None = None,
        kpis: Sequence[str] | None = None,
        window: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> list[Document]:
        """KPI values by site, KPI and window; without ``site``, the roll-up too."""
        values = self.kpi_values(site, kpis, window, start, end)
        return [shapes.kpi_document(value) for value in values]

    def kpi_values(
        self,
        site: str | None,
        kpis: Sequence[str] | None,
        window: str | None,
        start: str | None,
        end: str | None,
    ) -> list[KpiValue]:
        """KPI values as objects; see :meth:`kpi`."""
        return [each.value for each in self.asked(site, kpis, window, start, end)]

    def asked(
        self, site: str | None, kpis: Sequence[str] | None, window: str | None, start: str | None, end: str | None
    ) -> list[Asked]:
        """KPI values, each with those that it is made of."""
        names = list(KPIS) if kpis is None else list(kpis)
        self.check(site, names)
        now = self._clock()
        found: list[KpiValue] = []
        for chosen in self._chosen(site):
            since = None if start is None else parse_time(start, chosen.zone)
            until = None if end is None else parse_time(end, chosen.zone)
            lives = [self._book.live_edge(chosen.id, name, now) for name in names]
            spans = [list(windows(chosen, window, since, until, live, self.config.grid)) for live in lives]
            found += in_turn(names, spans, partial(self.value, chosen.id))
            self._book.keep_meanwhile(self._analysing, now)
        asked = [Asked(value, (value,)) for value in found]
        return asked if site is not None else [*asked, *self._rolled_up(found, window, many=start is not None)]

    def value(self, site: str, kpi: str, window: Window) -> KpiValue:
        """One KPI value with what its reader must know of the meter tree: ``balance.open``."""
        value = self._book.value(site, kpi, window)
        closures = self._book.closures(site, window, kpi) if value.usable else ()
        told = tuple(c.issue for c in closures if c.issue is not None and c.issue.code == "balance.open")
        return replace(value, issues=(*value.issues, *told)) if told else value

    def balance(
        self, site: str | None = None, window: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        """Residuals of the meter tree by site, window and parent; the last 24 hours unless said otherwise."""
        name = "24h" if window is None and start is None else window
        documents: list[Document] = []
        for chosen in self._chosen(site):
            since = None if start is None else parse_time(start, chosen.zone)
            until = None if end is None else parse_time(end, chosen.zone)
            live = self._book.balance_edge(chosen.id, self._clock())
            for span in windows(chosen, name, since, until, live, self.config.grid):
                documents += map(shapes.balance_document, self._book.closures(chosen.id, span))
        return documents

    def _rolled_up(self, values: Sequence[KpiValue], window: str | None, *, many: bool) -> list[Asked]:
        """The roll-up over all sites of each KPI and window that every site has; ``many``: windows, not one a site.

        Sites in other zones, or with slower meters, have their window at another time: the roll-up spans them all.
        """
        groups: dict[tuple[str, object], list[KpiValue]] = {}
        for value in values:
            place: object = None
            if many and window in ROLLING:
                place = value.interval.end
            elif many and window in CALENDAR:
                first = local_date(value.interval.start, self.config.sites[value.site].zone)
                place = first.year if window == "fiscal_year" else first
            groups.setdefault((value.kpi, place), []).append(value)
        whole = (group for group in groups.values() if len(group) == len(self.config.sites))
        return [Asked(roll_up(group), tuple(group)) for group in whole]

    # -- interval values --------------------------------------------------------------------------------------

    def _span(self, site: Site, start: str | None, end: str | None) -> Interval:
        """A span on the grid; by default all that is stored, so that its end does not depend on when one asks."""
        grid = self.config.grid
        extent = self.store.extent(site.id) or (0, -grid)
        low = extent[0] if start is None else floor_to(parse_time(start, site.zone), grid)
        high = extent[1] + grid if end is None else floor_to(parse_time(end, site.zone), grid)
        if start is not None and end is not None and high < low:
            raise UsageError(f"the span is empty: --from {start} must be before --to {end}")
        return Interval(low, max(low, high))

    def series(
        self, site: str, meter: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        """Interval values of one or all meters, virtual ones too; an interval without a value is missing."""
        chosen = self._site(site)
        if meter is not None and meter not in chosen.meters:
            raise UsageError(f"meter {meter!r} is not configured at {site}; known: {', '.join(chosen.meters)}")
        names = list(chosen.meters) if meter is None else [meter]
        span, grid = self._span(chosen, start, end), self.config.grid
        at = starts(span.start, span.end, grid)
        real = [name for name, each in chosen.meters.items() if not each.virtual]
        found = self.store.intervals(site, real, span.start, span.end)
        if not len(at):
            return []
        laid = lay_out(chosen, found, names, at, grid)
        cell = (found.values.start - span.start) // grid
        bounds = np.searchsorted(found.meter, np.arange(len(found.meters) + 1)).tolist()
        rows = dict(zip(found.meters, map(slice, bounds, bounds[1:]), strict=False))
        documents: list[Document] = []
        for name in names:
            recovered = np.zeros(len(at), dtype=np.bool_)
            for mine in (rows[member] for member in members(chosen, name) if member in rows):
                recovered[cell[mine]] |= found.values.recovered[mine]
            recovered &= ~np.isnan(laid.value[name])
            documents += shapes.series_documents(
                chosen.meters[name], at, laid.value[name], laid.measured[name], recovered.tolist(), grid
            )
        return documents

    def power(self, site: str, start: str | None = None, end: str | None = None) -> list[Document]:
        """Mean power of the site and its subsystems, and water, by grid interval."""
        span = self._span(self._site(site), start, end)
        if not span.width:
            return []
        found = self._book.quantities(site, span.start, span.end)
        columns = power_columns(found, self.config.grid)
        at = starts(span.start, span.end, self.config.grid).tolist()
        return [
            {"start": iso(begin), "end": iso(begin + self.config.grid)}
            | {name: _number(column[place]) for name, column in columns.items()}
            for place, begin in enumerate(at)
        ]

    # -- alerts and ledgers -----------------------------------------------------------------------------------

    def alerts(self, site: str | None = None) -> list[Document]:
        """Current states, then history."""
        chosen = [each.id for each in self._chosen(site)]
        shown = places(chosen, self.rules) if site is None else chosen
        return listing(self.watch.board, self.rules, shown, self.watch.silences, self._clock())

    def suggest(self, site: str | None = None) -> list[Document]:
        """What thresholds would have done over the last year, by rule on a KPI."""
        grid = self.config.grid
        chosen = [each.id for each in self._chosen(site)]
        return [
            found
            for each in chosen
            for found in suggestions(self._book, self.rules, each, self.store.extent(each), grid)
        ]

    def events(
        self, site: str | None = None, meter: str | None = None, start: str | None = None, end: str | None = None
    ) -> list[Document]:
        """The meter-event ledger."""
        documents: list[Document] = []
        if meter is not None and not any(meter in chosen.meters for chosen in self._chosen(site)):
            raise UsageError(f"meter {meter!r} is not configured{'' if site is None else f' at {site}'}")
        for chosen in self._chosen(site):
            low = None if start is None else parse_time(start, chosen.zone)
            high = None if end is None else parse_time(end, chosen.zone)
            documents += [shapes.event_document(e) for e in self.store.events(chosen.id, meter, low, high)]
        return documents

    def rejects(self, site: str | None = None) -> list[Document]:
        """Rejected readings, latest first."""
        chosen = None if site is None else self._site(site).id
        kinds = {kind: n for kind, n in self.store.reject_counts().items() if chosen is None or kind[0] == chosen}
        return shapes.reject_documents(self.store.rejects(chosen, _REJECTS_SHOWN), kinds)

    def unmapped(self) -> list[Document]:
        """Topics seen but bound to no meter."""
        return [entry.as_json() for entry in read_unmapped(self.store.load_state(UNMAPPED_STATE))]

    def problems(self, site: str) -> list[Document]:
        """Meters that have never reported or have stopped, rejects, and what is set up wrongly."""
        chosen, last, now = self._site(site), self.store.last_readings(), self._clock()
        found: list[Document] = []
        for meter in chosen.meters.values():
            at = last.get((site, meter.id))
            if meter.virtual or not meter.in_service.start <= now < meter.in_service.end:
                continue
            if at is None:
                found.append(_problem(meter.id, "meter.silent", "error", "has never reported", None))
            elif now - at > silence(meter):
                found.append(_problem(meter.id, "meter.stale", "warning", f"last reported at {iso(at)}", at))
        for (of, name, topic, reason), count in sorted(self.store.reject_counts().items(), key=lambda item: -item[1]):
            if of == site:
                what = f"{count} rejected as {reason}"
                found.append(_problem(name or topic, f"rejects.{reason}", "warning", what, None))
        if (fault := self._found.faults.get(site)) is not None:
            found.append(_problem(None, "findings.failed", "error", fault, None))
        if (unjudged := self._found.unjudged(site)) is not None:
            found.append(_problem(None, "findings.unjudged", "info", unjudged, None))
        return found + [document(finding) for finding in self._commissioning.findings(site)]

    # -- metrics ----------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The state for /metrics, but for what only the collector knows."""
        now = self._clock()
        values: list[KpiValue] = []
        for site in self.config.sites:
            for name in KPIS:
                edge = self._book.live_edge(site, name, now)
                spans = (Window(name=w, interval=Interval(edge - span, edge)) for w, span in ROLLING.items())
                values += [self._book.value(site, name, span) for span in spans]
        findings, watts = self._found.counts()
        snapshot = Snapshot(
            kpis=tuple(values),
            last_readings=self.latest(),
            alerts=counts(self.watch.board, self.rules, places(self.config.sites, self.rules)),
            findings=findings,
            finding_watts=watts,
        )
        return with_the_rest(snapshot, self.config, self.store, self._book, now)

    def latest(self) -> dict[MeterKey, float]:
        """Seconds since the epoch of each configured meter's last accepted reading."""
        return {key: at / SECOND for key, at in self.store.last_readings().items() if key in self._meters}

    def close(self) -> None:
        """Releases the store."""
        self.store.close()


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _problem(meter: str | None, code: str, severity: str, message: str, since: int | None) -> Document:
    return {
        "meter": meter,
        "code": code,
        "severity": severity,
        "message": message,
        "since": None if since is None else iso(since),
        "evidence": {},
        "remedy": None,
    }
