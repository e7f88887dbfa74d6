"""The service: collector, analysis, alerts and web in one process, each in its own thread, stopped together."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from collector.ingest import Ingestor
from collector.mqtt import MqttCollector
from collector.normalise import MeterTable
from collector.subscriptions import reserve
from collector.topics import Router
from wattwell.app.access import clock, control_path, handlers, notifiers_of, open_engine, send_again, spool_document
from wattwell.app.follow import Follower, followed
from wattwell.app.forward import Forwarder, forwarding
from wattwell.app.lease import owning
from wattwell.app.report_files import ReportFiles
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.engine.queries import Document, Snapshot
from wattwell.errors import StoreError, UsageError, WattwellError
from wattwell.intervals import DAY, HOUR, SECOND, floor_to
from wattwell.model import Readings, Reject
from wattwell.store.protocol import Committed, ReadingStore
from wattwell.store.remote import RemoteStore
from wattwell.web.api import create_app
from wattwell.web.control import create_control_app
from wattwell.web.rates import Rates
from wattwell.web.server import Server

_log = logging.getLogger(__name__)
ROLES = ("collector", "analytics", "alerts", "web")
_TICK = 0.25
"""Seconds between two looks at whether the figures are due."""
_GRACE = SECOND // 2
"""How long after a live edge the figures are made."""
_LOOK = 60.0
"""Seconds between two looks at which reports are due."""
_REST = 4
"""Late data waits this many times as long as the last analysis took; a live edge does not wait."""


class Service:
    """Everything that runs, around one engine."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        roles: Collection[str],
        now: Callable[[], int] = clock,
        forwarder: Forwarder | None = None,
        source: RemoteStore | None = None,
    ) -> None:
        """``forwarder`` sends readings on to a remote store, where there is one; they are followed from ``source``."""
        self._config = config
        self._forwarder = forwarder
        self._engine = engine
        self._now = now
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._store = _Noting(engine)
        self._follower: Follower | None = None
        if source is not None and config.store.remote is not None and config.store.remote.follow is not None:
            self._follower = Follower(config.sites, self._store, source, config.store.remote.follow, now)
        self._ingestor = Ingestor(config, self._store, now)
        self._collector: MqttCollector | None = None
        if "collector" in roles and config.mqtt is not None:
            self._collector = MqttCollector(config.mqtt, self._ingestor, now)
        self._roles = frozenset(roles)
        self._figures = Snapshot()
        self._failures: dict[str, str] = {}
        self._analysed = False
        self._more_reports = False
        engine.watch.spool = self._waiting
        self.server = self._make_server()

    # -- starting and stopping --------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts what the roles ask for; UsageError when an address cannot be had."""
        self.server.start()
        if "analytics" in self._roles:
            self._spawn(self._analyse, "wattwell-analysis")
            self._spawn(self._issue_reports, "wattwell-reports")
        if "alerts" in self._roles:
            for name in self._engine.watch.notifiers:
                self._spawn(partial(self._notify, name), f"wattwell-notify-{name}")
        if (forwarder := self._forwarder) is not None:
            self._spawn(lambda: forwarder.run(self._stop), "wattwell-forward")
        if (follower := self._follower) is not None:
            self._spawn(lambda: follower.run(self._stop), "wattwell-follow")
        if self._collector is not None:
            self._collector.start()

    def stop(self) -> None:
        """Commits what has arrived, then stops every thread."""
        if self._collector is not None:
            self._collector.stop()
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        self.server.stop()

    def _spawn(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _make_server(self) -> Server:
        config = self._config
        token = None
        if config.http.token_file is not None:
            token = config.http.token_file.read_text(encoding="utf-8", errors="replace")
            if not token.strip():
                raise UsageError(f"http.token_file {config.http.token_file} is empty; write a token into it")
        app = None
        if "web" in self._roles:
            app = create_app(
                _Answers(self._engine, self.snapshot),
                token=token,
                ready=self.ready,
                clock=self._seconds,
                rates=Rates(config.http.rate, time.monotonic),
                public_url=config.http.public_url,
                fonts=config.reports.fonts,
            )
            app.openapi()  # builds the routes, which FastAPI else does at the first request, amid our threads
        return Server(
            app,
            config.http.host,
            config.http.port,
            control=create_control_app(handlers(self._engine, self)),
            control_path=control_path(config),
        )

    def _seconds(self) -> float:
        return self._now() / SECOND

    # -- loops ------------------------------------------------------------------------------------------------

    def _analyse(self) -> None:
        """Refreshes when a live edge moves on, and when readings touch what was shown already."""
        shown: Mapping[int, int] = {}
        pruned = 0
        rested = time.monotonic()
        while not self._stop.is_set():
            edges = self._edges()
            began = time.monotonic()
            # A reading within a period after an edge still says something about the interval that ends there.
            seen = max((edge + period for period, edge in edges.items()), default=0)
            late = self._store.earliest < seen and began >= rested
            if edges != shown or late:
                if self._guard(self._show):
                    shown = edges
                rested = time.monotonic() + _REST * (time.monotonic() - began)
            else:
                self._guard(self._engine.catch_up)
            if (today := floor_to(self._now(), HOUR)) != pruned:
                pruned = today
                self._guard(self._prune)
            self._stop.wait(_TICK)

    def _edges(self) -> Mapping[int, int]:
        """The live edge by period of the meters: it moves on when the readings of an interval must have come.

        A moment's grace lets those pass that are on their way, so that the first figure shown is complete.
        """
        now, grid = self._now() - _GRACE, self._config.grid
        periods = {m.period + self._config.behind for site in self._config.sites.values() for m in site.meters.values()}
        return {period: floor_to(now - period, grid) for period in sorted(periods)}

    def _show(self) -> None:
        self._store.take_earliest()
        self._engine.refresh(cold=False)
        self._figures = self._engine.snapshot()
        self._analysed = True

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Stores what a command brings."""
        return self._store.commit(readings, rejects)

    def refresh(self) -> None:
        """Brings all figures up to date, those on /metrics too."""
        if self._engine.refresh(cold=False):
            self._figures = self._engine.snapshot()

    def spool(self, start: int, end: int) -> Document | None:
        """What waits for the remote store, and what it must hold of ``[start, end)``."""
        return None if self._follower is not None else spool_document(self._forwarder, start, end)

    def resend(self) -> int:
        """Has everything sent to the remote store once more."""
        return send_again(self._forwarder)

    def _prune(self) -> None:
        kept = self._config.store.raw_retention
        if kept is not None:
            self._engine.prune(floor_to(self._now() - kept, DAY))

    def _issue_reports(self) -> None:
        """Issues what is due, one report after the other, once the readings at hand are analysed."""
        while not self._stop.is_set():
            if not self._analysed:
                self._stop.wait(_TICK)
            elif not (self._guard(self._step_reports) and self._more_reports):
                self._stop.wait(_LOOK)

    def _step_reports(self) -> None:
        self._more_reports = self._engine.schedule.step(self._now())

    def _notify(self, name: str) -> None:
        while not self._stop.is_set():
            self._guard(lambda: self._engine.watch.deliver_to(name, self._now()))
            self._stop.wait(_TICK)

    def _guard(self, work: Callable[[], object]) -> bool:
        """Works, or says once what is in the way and lets the loop try again."""
        loop = threading.current_thread().name
        try:
            work()
        except StoreError as error:
            if self._failures.get(loop) != str(error):
                _log.error("%s", error)
            self._failures[loop] = str(error)
            self._stop.wait(1.0)
            return False
        self._failures.pop(loop, None)
        return True

    # -- state ------------------------------------------------------------------------------------------------

    def ready(self) -> tuple[bool, str]:
        """Whether the service does its work, and why not."""
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        if dead and not self._stop.is_set():
            return False, f"{dead[0]} has stopped; see the log and restart the service"
        if (failure := next(iter(self._failures.copy().values()), None)) is not None:
            return False, failure
        if (error := self._ingestor.stats().store_error) is not None:
            return False, error
        if self._collector is not None and not self._collector.status.connected:
            return False, self._collector.status.last_error or "not connected to the MQTT broker yet"
        if "analytics" in self._roles and not self._analysed:
            return False, "the first analysis is under way"
        note = self._note()
        return True, "ready" if note is None else f"ready; {note}"

    def _note(self) -> str | None:
        """What does not work, while the service goes on without it."""
        if self._forwarder is not None and self._forwarder.error is not None:
            return f"readings wait in the spool, since {self._forwarder.error}"
        if self._follower is not None and self._follower.error is not None:
            return f"what collectors send does not come in, since {self._follower.error}"
        return next(iter(self._engine.finding_faults().values()), None)

    def now(self) -> int:
        """By the service's own clock, microseconds UTC."""
        return self._now()

    def alerts(self) -> list[Document]:
        """Current alert states, then history."""
        return self._engine.alerts()

    def findings(self) -> list[Document]:
        """What wastes energy or water, open ones first."""
        return self._engine.findings()

    def snapshot(self) -> Snapshot:
        """Figures of the last analysis with the collector's counts and the latest readings."""
        stats = self._ingestor.stats()
        live = self._engine.latest()
        rejected: dict[tuple[str, str], int] = dict(stats.rejected)
        findings, watts = self._engine.finding_counts()
        receivers = self._engine.receivers()
        until = None if self._follower is None else self._follower.until
        return replace(
            self._figures,
            last_readings=live,
            findings=findings,
            finding_watts=watts,
            readings=dict.fromkeys(self._config.sites, 0) | dict(stats.readings),
            rejected=rejected,
            notifications_waiting={(each["receiver"],): each["waiting"] for each in receivers},
            notifications_delivered={(each["receiver"],): each["delivered"] for each in receivers},
            reports_issued=self._engine.schedule.issued_at(),
            reports_refused={(site,): count for site, count in self._engine.schedule.refusals().items()},
            notifications_lost={(each["receiver"],): each["lost"] for each in receivers},
            spool_readings=self._waiting(),
            ingest_lag_seconds=stats.lag_seconds,
            followed_until=None if until is None else until / SECOND,
        )

    def _waiting(self) -> int:
        if self._forwarder is not None:
            return self._forwarder.state().waiting
        return 0 if self._collector is None else self._collector.waiting


class _Noting:
    """The store as the collector sees it: notes the earliest reading since the last analysis."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self.earliest = 2**62

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine.store, name)

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Commits, and notes the earliest time."""
        committed = self._engine.store.commit(readings, rejects)
        if committed.added:
            with self._lock:
                self.earliest = min(self.earliest, int(readings.at.min()))
        return committed

    def take_earliest(self) -> None:
        """Begins anew: what comes from now on is for the next analysis."""
        with self._lock:
            self.earliest = 2**62


class _Answers:
    """The engine's answers with the service's own snapshot."""

    def __init__(self, engine: Engine, snapshot: Callable[[], Snapshot]) -> None:
        self._engine = engine
        self.snapshot = snapshot

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


@contextlib.contextmanager
def running(config: Config, roles: Collection[str] = ROLES, now: Callable[[], int] = clock) -> Iterator[Service]:
    """A started service, stopped at the end."""
    files = ReportFiles(config.reports.fonts)
    notifiers = notifiers_of(config, now, files.attach) if "alerts" in roles else None
    with (
        open_engine(config, now, notifiers, detect=True) as engine,
        owning(config, partial(_reserve, config, engine.store, roles)),
        forwarding(config, engine.store, now, engine.kpi_series if "analytics" in roles else None) as forwarder,
        followed(config, engine.store) as source,
    ):
        files.reports = engine.report
        service = Service(config, engine, roles, now, forwarder, source)
        try:
            service.start()
            yield service
        finally:
            service.stop()


def _reserve(config: Config, store: ReadingStore, roles: Collection[str]) -> None:
    """Lets the broker keep what is to come here, where another process must let the sites go first."""
    if "collector" not in roles or config.mqtt is None:
        return
    sites = config.sites.values()
    try:
        reserve(config.mqtt, config.mqtt.subscribe or Router(sites, MeterTable.of(sites)).filters(), store)
    except WattwellError as error:
        _log.error("The broker keeps nothing for us yet; let the process that has our sites run on: %s", error)
    else:
        _log.info("From now on the broker keeps for us what our meters send.")


def roles_of(text: str) -> tuple[str, ...]:
    """The roles of ``--role``; UsageError for an unknown one."""
    chosen = [role.strip() for role in text.split(",") if role.strip()]
    unknown = [role for role in chosen if role not in (*ROLES, "all")]
    if unknown or not chosen:
        raise UsageError(f"role {text!r} is not known; use all, or some of {', '.join(ROLES)} with commas between")
    return ROLES if "all" in chosen else tuple(dict.fromkeys(chosen))
