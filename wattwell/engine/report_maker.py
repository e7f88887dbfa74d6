"""Draft reports: a site's month or year gathered from stored interval values, KPIs, findings, alerts and ledgers."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

import wattwell
from analytics.balance import inputs
from analytics.evaluate import Rules, Window
from analytics.kpi import KPIS
from analytics.report.carbon import carbon
from analytics.report.coverage import caveats
from analytics.report.demand import demand
from analytics.report.energy import energy
from analytics.report.figures import checked
from analytics.report.headlines import SPANS, Amount, cost, entered_kg, headlines
from analytics.report.heat import heat
from analytics.report.hourly import hourly
from analytics.report.limits import judge
from analytics.report.limits import spans as limit_spans
from analytics.report.method import method
from analytics.report.metrics import metrics
from analytics.report.model import METHOD, Headline, Inputs, Judged, Period, Report, SiteHead
from analytics.report.renewables import renewables
from analytics.report.rows import rows
from analytics.report.water import water
from analytics.report.weather import weather
from wattwell.config.settings import Config
from wattwell.engine.audit import plain
from wattwell.engine.book import KpiBook
from wattwell.engine.period import IntervalDigest, load_period
from wattwell.engine.queries import Document
from wattwell.engine.report_spans import Spans
from wattwell.engine.shapes import kpi_document
from wattwell.errors import StoreError
from wattwell.intervals import HOUR, SECOND, Interval, iso, local_date, parse_iso
from wattwell.ledger import canonical
from wattwell.model import KpiValue, Site
from wattwell.store.audit import correction_document
from wattwell.store.protocol import ReadingStore

_HEADLINE_KPIS = ("pue", "wue", "ref")
_AMOUNTS = ("e_dc", "water", "carbon_location", "import", "water_total")
_NOT_LOOKED = "Nobody has looked for findings at this site yet."


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told at a site beside its figures; see :class:`~wattwell.engine.queries.Queries`."""

    value: Callable[[str, str, Window], KpiValue]
    """Site, KPI and window: one value with what its reader must know."""
    findings: Callable[[str, str, str], list[Document]]
    """Site, start and end."""
    looked: Callable[[str], bool]
    """Whether a detector has looked at a site."""
    alerts: Callable[[str], list[Document]]
    events: Callable[[str, str, str], list[Document]]
    clock: Callable[[], int]
    """Now, microseconds UTC."""


class ReportMaker:
    """Makes drafts; for who holds the engine's lock."""

    def __init__(self, config: Config, store: ReadingStore, book: KpiBook, told: Told) -> None:
        self._store = store
        self._book = book
        self._told = told
        self._grid = config.grid
        self._rules = Rules(grid=config.grid, full=config.full, provisional=config.provisional)

    def make(self, site: Site, asked: Spans) -> Report:
        """The report of a month or a year as its figures are now."""
        span, digest = asked.current.interval, IntervalDigest()
        data = load_period(self._store, site, span, self._grid, digest)
        values = {name: self._told.value(site.id, name, asked.current) for name in KPIS}
        compared = {name: self._compared(site, window) for name, window in _windows(asked).items()}
        amounts = {name: self._amounts(site, window.interval) for name, window in _windows(asked).items()}
        with contextlib.suppress(StoreError):  # no fault of the figures: the next analysis tries again, and says so
            self._book.keep(self._told.clock())
        first_page = headlines(site, compared, amounts, self._rules)
        least = self._rules.provisional
        emitted, used = carbon(data, least), energy(data)
        renewed, balance = renewables(data, least), water(data, least, values["water_reclaimed_share"].value)
        step = "day" if asked.kind == "month" else "month"
        told, corrections = self._told_of(site, span), self._corrections(site, span)
        return Report(
            kind=asked.kind,
            site=_head(site),
            period=_period(asked, self._grid),
            status="draft",
            revision=None,
            inputs=self._inputs(site, digest.hex, first_page, corrections, told),
            headlines=first_page,
            kpis=tuple(kpi_document(value) for value in values.values() if not _lacks(value)),
            metrics=metrics(data, values, emitted, least),
            rows=rows(data, step, self._rules),
            demand=demand(data, least),
            weather=weather(data, "hour" if asked.kind == "month" else "day", self._rules),
            energy=used,
            water=balance,
            heat=heat(data, values, least),
            renewables=renewed,
            carbon=emitted,
            carbon_free=hourly(data),
            limits=self._limits(site, asked),
            findings=tuple(told["findings"]),
            findings_note=None if self._told.looked(site.id) else _NOT_LOOKED,
            alerts=tuple(told["alerts"]),
            events=tuple(told["events"]),
            corrections=tuple(corrections),
            meters=data.meters,
            gate=checked(data, values, used, balance),
            caveats=caveats(data, values),
            method=method(site, values),
        )

    def _compared(self, site: Site, window: Window) -> dict[str, KpiValue]:
        return {name: self._told.value(site.id, name, window) for name in _HEADLINE_KPIS}

    def _amounts(self, site: Site, span: Interval) -> dict[str, Amount]:
        """Energy, water, carbon and cost of a span."""
        has = inputs(site)
        found = {name: Amount(*self._book.amount(site.id, name, span), span) for name in _AMOUNTS}
        money = cost(site.prices, *(found[name] if name in has else None for name in ("import", "water_total")))
        made = {
            "energy": found["e_dc"],
            "water": found["water"],
            "carbon": found["carbon_location"].plus(entered_kg(site.emissions or (), span)),
        }
        return made if money is None else made | {"cost": money}

    def _told_of(self, site: Site, span: Interval) -> dict[str, list[Document]]:
        """Findings and alerts that touch the span, and the meter events in it that stand."""
        ends = (iso(span.start), iso(span.end))
        findings, alerts = self._told.findings(site.id, *ends), self._told.alerts(site.id)
        return {
            "findings": [each for each in findings if _within(each, "start", "end", span)],
            "alerts": [each for each in alerts if _within(each, "fired_at", "resolved_at", span)],
            "events": [each for each in self._told.events(site.id, *ends) if each["state"] != "withdrawn"],
        }

    def _corrections(self, site: Site, span: Interval) -> list[Document]:
        entered = (each for each in self._store.corrections() if each.site == site.id)
        return [correction_document(each) for each in entered if span.start <= each.at < span.end]

    def _limits(self, site: Site, asked: Spans) -> tuple[Judged, ...]:
        """Of a year that is over its own PUE is judged, else that of the 365 days up to the end of the data."""
        whole = asked.kind == "year" and asked.over
        window = asked.current if whole else asked.trailing
        pue = self._told.value(site.id, "pue", window)
        zone, full = site.zone, asked.full
        days = (local_date(full.start, zone), local_date(full.end - 1, zone) + timedelta(days=1))
        last = local_date(max(window.interval.end - 1, window.interval.start), zone)
        span = asked.name if whole else f"the 365 days to {last}"
        if pue.provisional:
            span += f"; provisional, {pue.usable:.1%} is usable"
        return tuple(
            Judged(
                limit=limit,
                value=pue.value,
                span=span,
                judgement=judge(limit, pue.value, provisional=pue.provisional),
            )
            for limit in limit_spans(site, *days)
        )

    def _inputs(
        self,
        site: Site,
        intervals: str,
        first_page: Sequence[Headline],
        corrections: list[Document],
        told: Mapping[str, list[Document]],
    ) -> Inputs:
        made = Inputs(
            digest="",
            intervals=intervals,
            comparisons=_sha({"headlines": [asdict(each) for each in first_page]}),
            configuration=_sha({"site": plain(site), "grid": self._grid, "coverage": plain(self._rules)}),
            corrections=_sha({"corrections": corrections}),
            told=_sha(told),
            program=f"wattwell {wattwell.__version__}",
            method=METHOD,
        )
        return replace(made, digest=_sha(asdict(made)))


def _windows(asked: Spans) -> dict[str, Window]:
    return {name: getattr(asked, name) for name in SPANS}


def _lacks(value: KpiValue) -> bool:
    return any(issue.code == "input.missing" for issue in value.issues)


def _within(document: Document, low: str, high: str, span: Interval) -> bool:
    """Whether something that lasted from ``low`` to ``high`` (None: it goes on) touches a span."""
    began, ended = document[low], document[high]
    return began is not None and parse_iso(began) < span.end and (ended is None or parse_iso(ended) > span.start)


def _sha(document: Mapping[str, object]) -> str:
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def _head(site: Site) -> SiteHead:
    return SiteHead(
        id=site.id,
        name=site.name,
        timezone=site.zone,
        pue_category=site.pue_category,
        it_power_kw=site.it_power_kw,
        wue_numerator=site.wue_numerator,
        currency=None if site.prices is None else site.prices.currency,
    )


def _period(asked: Spans, grid: int) -> Period:
    span = asked.current.interval
    return Period(
        window=asked.window,
        key=asked.key,
        name=asked.name,
        start=iso(span.start),
        end=iso(span.end),
        hours=span.width / HOUR,
        grid_seconds=grid / SECOND,
        over=asked.over,
    )
