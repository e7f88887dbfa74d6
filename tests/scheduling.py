"""A store whose reports are made by hand, and a schedule that issues them, in logical time."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from alerts import outbox
from alerts.notification import Notification
from alerts.outbox import Outbox
from analytics.report.gate import Check
from analytics.report.model import Period, Report, SiteHead
from tests import reporting
from tests.collecting import config as bare_config
from tests.collecting import site as bare_site
from tests.storing import update
from wattwell.config.settings import Config, ReportSettings
from wattwell.engine.report_schedule import ReportSchedule
from wattwell.engine.report_spans import Spans
from wattwell.engine.reports import Reports
from wattwell.intervals import MINUTE, iso, parse_iso
from wattwell.model import Site
from wattwell.store.duckdb import DuckdbStore

GRID = 15 * MINUTE
BREACH = Check(code="energy.it_above_dc", ok=False, message="E_IT 5 kWh must not be above E_DC 4 kWh.", values=())


def told_of(box: Outbox) -> list[str]:
    """Status and name of everything that waits."""
    return [f"{each.status.value}: {each.name}" for queue in box.queues.values() for each in queue.waiting]


@dataclass(kw_only=True)
class Scheduled:
    """One site ``s``, its reports, and a clock that somebody sets."""

    folder: Path
    settings: ReportSettings = field(default_factory=ReportSettings)
    now: int = parse_iso("2026-10-20T00:00:00Z")
    pue: float = 1.3
    """Of every report that is made."""
    refusing: bool = False
    crash: bool = False
    """Whether the process dies after the next issue, before anybody is told."""
    broken: bool = False
    """Whether reports cannot be made at all."""
    made: list[str] = field(default_factory=list)
    """Keys of the reports that were made."""
    site: Site = field(default_factory=lambda: bare_site([], zone="Europe/Berlin"))

    def __post_init__(self) -> None:
        self.store = DuckdbStore.open(self.folder / "wattwell.duckdb", lambda: self.now)
        self.store.save([update((0, 2), (1.0, 2.0))])
        self.restart()

    @property
    def config(self) -> Config:
        return replace(bare_config(self.site), reports=self.settings)

    def restart(self) -> None:
        """Another process on the same store."""
        self.box = outbox.read(self.store.load_state(outbox.DOCUMENT))
        self.box, _ = outbox.retarget(self.box, ["mailto-1", "alertmanager-2"], ["alertmanager-2"])
        self.reports = Reports(self.config, self.store, self._make, lambda _site: self.now, threading.Lock())
        self.schedule = ReportSchedule(self.config, self.store, self.reports, lambda _site: self.now, self._tell)

    def _tell(self, told: Sequence[Notification], documents: Mapping[str, str]) -> None:
        if self.crash:
            raise SystemExit
        self.box = outbox.enqueue(self.box, told)
        self.store.save_states({**documents, outbox.DOCUMENT: outbox.write(self.box)})

    def _make(self, site: Site, asked: Spans) -> Report:
        if self.broken:
            raise ZeroDivisionError
        self.made.append(asked.key)
        drawn = reporting.month()
        span = asked.current.interval
        period = Period(
            window=asked.window,
            key=asked.key,
            name=asked.name,
            start=iso(span.start),
            end=iso(span.end),
            hours=1.0,
            grid_seconds=900.0,
            over=asked.over,
        )
        head: SiteHead = replace(drawn.site, id=site.id, name=site.name)
        pue = reporting.headline("pue", "iPUE", "", [self.pue] * 5, 3)
        return replace(
            drawn,
            kind=asked.kind,
            site=head,
            period=period,
            status="draft",
            revision=None,
            revisions=(),
            headlines=(pue, *drawn.headlines[1:]),
            inputs=replace(drawn.inputs, digest=f"{self.pue:.6f}", intervals=f"{self.pue:.6f}"),
            gate=(BREACH,) if self.refusing else (),
        )

    def run(self, until: str) -> None:
        """The service's loop at one instant, until there is nothing more to do."""
        self.now = parse_iso(until)
        for _ in range(100):
            if not self.schedule.step(self.now):
                return
        raise AssertionError("the schedule never rests")

    def started(self, at: str) -> None:
        """A start at an instant, and the grid interval after it."""
        self.restart()
        self.run(at)
        self.now += GRID
        self.run(iso(self.now))

    def listed(self) -> list[tuple[str, int]]:
        """Key and number of every revision, in order of issue."""
        return [(each.content["key"], each.content["revision"]) for each in self.store.audit("report")]

    @property
    def waiting(self) -> list[str]:
        return told_of(self.box)
