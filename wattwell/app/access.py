"""How commands reach the figures: through the file, or through the service that holds it; nobody sees a difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from alerts.attachment import Attach
from alerts.defaults import default_rules
from alerts.notify import Notifier, notifier_id
from alerts.opening import open_notifier
from wattwell.app.forward import Forwarder, forwarding
from wattwell.app.wire import pack_readings, pack_rejects, unpack_readings, unpack_rejects
from wattwell.config.settings import Config
from wattwell.engine.detect import SiteDetector
from wattwell.engine.engine import Engine
from wattwell.engine.findings import Detector
from wattwell.engine.queries import Document
from wattwell.errors import ServiceUnavailable, StoreLocked, UsageError
from wattwell.model import AlertRule, Correction, Readings, Reject
from wattwell.store.database import machine_clock
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import Committed
from wattwell.web.control import ControlClient, Handler

_PATIENCE = 15.0
"""Seconds that a command waits for another one that holds the store."""
_PAUSE = 0.1
_FIGURES = ("sites", "kpi", "balance", "series", "power", "alerts", "events", "rejects", "unmapped", "problems")
_LEDGER = ("explain", "issue", "audit", "verify", "enter_readings")
_DESK = ("silences", "silence", "maintenance", "expire", "acknowledge", "receivers", "suggest")
_FOUND = ("findings", "finding", "models", "judge")
_REPORTS = ("report", "draft", "reports", "issue_report", "overdue", "export")
QUESTIONS = (*_FIGURES, *_LEDGER, *_DESK, *_FOUND, *_REPORTS)
"""Methods of the engine that a command may ask over the socket."""


clock = machine_clock
"""Now, microseconds UTC."""


class Access(Protocol):
    """What a command can do."""

    def ask(self, question: str, **args: Any) -> Any:
        """Answers one of QUESTIONS."""

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> object:
        """Stores readings and rejects durably."""

    def correct(self, corrections: Sequence[Correction]) -> None:
        """Stores corrections, checked against the readings."""

    def refresh(self) -> None:
        """Brings all figures up to date."""

    def forward(self) -> int:
        """Sends readings on to the remote store as far as it takes them; how many nobody sends on now."""

    def resend(self) -> int:
        """Has everything that the spool holds sent to the remote store once more; how many readings.

        UsageError for an embedded store.
        """

    def spool(self, start: int, end: int) -> Document | None:
        """What waits for the remote store, and what it must hold of ``[start, end)``; None for an embedded store."""

    def back_up(self, target: Path) -> int:
        """Copies the store's file, or that of the spool, to a new file; returns its bytes."""


class LocalAccess:
    """Through the store's file."""

    def __init__(self, engine: Engine, config: Config, now: Callable[[], int]) -> None:
        self._engine = engine
        self._config = config
        self._now = now
        self.commit = engine.store.commit
        self.correct = engine.correct
        self.back_up = engine.store.back_up

    def ask(self, question: str, **args: Any) -> Any:
        """See :class:`Access`."""
        return getattr(self._engine, question)(**args)

    def refresh(self) -> None:
        """See :class:`Access`."""
        self._engine.refresh()

    def forward(self) -> int:
        """See :class:`Access`."""
        with forwarding(self._config, self._engine.store, self._now) as forwarder:
            return 0 if forwarder is None else forwarder.drain()

    def resend(self) -> int:
        """See :class:`Access`; they are sent by :meth:`forward`, or by the service."""
        with forwarding(self._config, self._engine.store, self._now, self._engine.kpi_series) as forwarder:
            count = send_again(forwarder)
            if forwarder is not None:
                forwarder.save()
        return count

    def spool(self, start: int, end: int) -> Document | None:
        """See :class:`Access`."""
        with forwarding(self._config, self._engine.store, self._now) as forwarder:
            return spool_document(forwarder, start, end)


class RemoteAccess:
    """Through the service's control socket."""

    def __init__(self, client: ControlClient) -> None:
        self._client = client

    def ask(self, question: str, **args: Any) -> Any:
        """See :class:`Access`."""
        return self._client.call(question, args)

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> object:
        """See :class:`Access`."""
        return self._client.call("commit", {"rejects": pack_rejects(rejects)}, pack_readings(readings))

    def correct(self, corrections: Sequence[Correction]) -> None:
        """See :class:`Access`."""
        names = Correction.__slots__
        self._client.call("correct", {"corrections": [{n: getattr(c, n) for n in names} for c in corrections]})

    def refresh(self) -> None:
        """See :class:`Access`."""
        self._client.call("refresh", {})

    def forward(self) -> int:
        """See :class:`Access`; the service sends by itself."""
        return 0

    def resend(self) -> int:
        """See :class:`Access`."""
        return int(self._client.call("resend", {}))

    def spool(self, start: int, end: int) -> Document | None:
        """See :class:`Access`."""
        found: Document | None = self._client.call("spool", {"start": start, "end": end})
        return found

    def back_up(self, target: Path) -> int:
        """See :class:`Access`; the service writes the file, as the user that it runs as."""
        return int(self._client.call("back_up", {"target": str(target)}))


def send_again(forwarder: Forwarder | None) -> int:
    """Has everything sent once more; UsageError where there is no remote store."""
    if forwarder is None:
        raise UsageError("the store is embedded: there is no remote store to send to; name one in store.url")
    return forwarder.send_again()


def spool_document(forwarder: Forwarder | None, start: int, end: int) -> Document | None:
    """waiting, since, error; refused and last_refused, how many it will not have and the latest of them in words; due:
    [site, meter, revision, count] of what the remote store must hold."""
    if forwarder is None:
        return None
    state = forwarder.state()
    due = [[*key, revision, count] for (key, revision), count in forwarder.due(start, end).items()]
    told = {"waiting": state.waiting, "since": state.since, "error": state.error}
    return told | {"refused": state.refused, "last_refused": list(state.last_refused), "due": due}


class Entering(Protocol):
    """Where the service takes in what a command enters, so that its figures follow."""

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Stores readings and rejects durably."""

    def refresh(self) -> object:
        """Brings all figures up to date."""

    def spool(self, start: int, end: int) -> Document | None:
        """See :meth:`Access.spool`."""

    def resend(self) -> int:
        """See :meth:`Access.resend`."""


def handlers(engine: Engine, entering: Entering) -> Mapping[str, Handler]:
    """What the service answers on its control socket."""

    def question(name: str) -> Handler:
        return lambda args, _body: getattr(engine, name)(**args)

    def commit(args: dict[str, Any], body: bytes) -> object:
        return entering.commit(unpack_readings(body), unpack_rejects(args["rejects"])).added

    def correct(args: dict[str, Any], _body: bytes) -> object:
        engine.correct([Correction(**document) for document in args["corrections"]])
        return None

    def ping(_args: dict[str, Any], _body: bytes) -> object:
        return "wattwell"

    def refresh(_args: dict[str, Any], _body: bytes) -> object:
        entering.refresh()
        return None

    def spool(args: dict[str, Any], _body: bytes) -> object:
        return entering.spool(**args)

    def resend(_args: dict[str, Any], _body: bytes) -> object:
        return entering.resend()

    def back_up(args: dict[str, Any], _body: bytes) -> object:
        return engine.store.back_up(Path(args["target"]))

    asked = {name: question(name) for name in QUESTIONS}
    told = {"commit": commit, "correct": correct, "refresh": refresh, "ping": ping, "spool": spool, "back_up": back_up}
    return asked | told | {"resend": resend}


def store_path(config: Config) -> Path:
    """The file of the embedded store, or of the spool before a remote one."""
    if config.store.path is None:
        raise UsageError(f"store {config.store.url} names no file; use duckdb:FILE")
    return config.store.path


def control_path(config: Config) -> Path:
    """The service's control socket: beside the store's file."""
    path = store_path(config)
    return path.with_name(path.name + ".sock")


def rules_of(config: Config) -> tuple[AlertRule, ...]:
    """The alert rules: those of the configuration, or else the shipped ones with each site's own target."""
    rules = config.rules if config.alerts_declared else default_rules(config.sites)
    return tuple(replace(rule, boards=config.http.grafana_url, labels=_labels(config, rule)) for rule in rules)


def _labels(config: Config, rule: AlertRule) -> Mapping[str, str]:
    """A rule's own; where it belongs to no site, the shard tells its alerts from those of the others."""
    apart = config.shard is not None and rule.signal == "spool"
    return {"shard": str(config.shard), **rule.labels} if apart else rule.labels


def notifiers_of(config: Config, now: Callable[[], int] = clock, attach: Attach | None = None) -> dict[str, Notifier]:
    """Who is told of alerts and reports, by id; ``attach`` makes the file that goes with a report."""
    page = config.http.public_url
    return {
        notifier_id(target.url): open_notifier(target.url, target.token_file, page=page, now=now, attach=attach)
        for target in config.notify
    }


@contextmanager
def open_engine(
    config: Config,
    now: Callable[[], int] = clock,
    notifiers: Mapping[str, Notifier] | None = None,
    detector: Detector | None = None,
    detect: bool = False,
) -> Iterator[Engine]:
    """The engine on the store's own file, which this process holds meanwhile; waits a little while a command has it.

    ``detect``: whether it looks for findings, with its own detector unless another is given. StoreLocked when somebody
    keeps it, at once when that is a service.
    """
    with _engine_on(_open_patiently(config, now), config, now, notifiers, detector, detect) as engine:
        yield engine


@contextmanager
def _engine_on(
    store: DuckdbStore,
    config: Config,
    now: Callable[[], int],
    notifiers: Mapping[str, Notifier] | None = None,
    detector: Detector | None = None,
    detect: bool = False,
) -> Iterator[Engine]:
    own = SiteDetector(store, config.grid) if detect else None
    try:
        yield Engine(config, rules_of(config), store, now, notifiers, detector or own, own)
    finally:
        store.close()


@contextmanager
def reach(config: Config, now: Callable[[], int] = clock, detect: bool = False) -> Iterator[Access]:
    """The figures, by whichever way is open; waits a little for another command that holds the file.

    ``detect``: whether findings are brought up to date too; a service does that anyway.
    """
    try:
        store = _open_patiently(config, now)
    except StoreLocked:
        client = ControlClient(control_path(config))
        if not _answers(client):
            raise
        yield RemoteAccess(client)
        return
    with _engine_on(store, config, now, detect=detect) as engine:
        yield LocalAccess(engine, config, now)


def _open_patiently(config: Config, now: Callable[[], int]) -> DuckdbStore:
    """The store as soon as whoever holds it lets it go; StoreLocked for a service that answers, or after a while."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return DuckdbStore.open(store_path(config), now)
        except StoreLocked:
            if _answers(ControlClient(control_path(config))) or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _answers(client: ControlClient) -> bool:
    try:
        client.call("ping", {})
    except ServiceUnavailable:
        return False
    return True
