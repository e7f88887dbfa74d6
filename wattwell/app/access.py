"""How commands reach the figures: through the file, or through the service that holds it; nobody sees a difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from alerts.defaults import default_rules
from alerts.notify import Notifier, notifier_id, open_notifier
from wattwell.app.wire import pack_readings, pack_rejects, unpack_readings, unpack_rejects
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.errors import ServiceUnavailable, StoreLocked, UsageError
from wattwell.model import AlertRule, Correction, Readings, Reject
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.protocol import Committed
from wattwell.web.control import ControlClient, Handler

_PATIENCE = 15.0
"""Seconds that a command waits for another one that holds the store."""
_PAUSE = 0.1
QUESTIONS = ("sites", "kpi", "series", "power", "alerts", "events", "rejects", "unmapped", "problems")
"""Methods of the engine that a command may ask over the socket."""


def clock() -> int:
    """Now, microseconds UTC."""
    return time.time_ns() // 1000


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


class LocalAccess:
    """Through the store's file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.commit = engine.store.commit
        self.correct = engine.correct

    def ask(self, question: str, **args: Any) -> Any:
        """See :class:`Access`."""
        return getattr(self._engine, question)(**args)

    def refresh(self) -> None:
        """See :class:`Access`."""
        self._engine.refresh()


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


class Entering(Protocol):
    """Where the service takes in what a command enters, so that its figures follow."""

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Stores readings and rejects durably."""

    def refresh(self) -> object:
        """Brings all figures up to date."""


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

    asked = {name: question(name) for name in QUESTIONS}
    return asked | {"commit": commit, "correct": correct, "refresh": refresh, "ping": ping}


def store_path(config: Config) -> Path:
    """The embedded store's file."""
    if config.store.path is None:
        raise UsageError(f"store {config.store.url} is not available in this release; use duckdb:FILE")
    return config.store.path


def control_path(config: Config) -> Path:
    """The service's control socket: beside the store's file."""
    path = store_path(config)
    return path.with_name(path.name + ".sock")


def rules_of(config: Config) -> tuple[AlertRule, ...]:
    """The alert rules: those of the configuration, or else the shipped one with each site's own target."""
    return config.rules if config.alerts_declared else default_rules(config.sites)


def notifiers_of(config: Config) -> dict[str, Notifier]:
    """Who is told of alerts, by id."""
    return {notifier_id(target.url): open_notifier(target.url, target.token_file) for target in config.notify}


@contextmanager
def open_engine(
    config: Config, now: Callable[[], int] = clock, notifiers: Mapping[str, Notifier] | None = None
) -> Iterator[Engine]:
    """The engine on the store's own file, which this process holds meanwhile; waits a little while a command has it.

    StoreLocked when somebody keeps it, at once when that is a service.
    """
    with _engine_on(_open_patiently(config), config, now, notifiers) as engine:
        yield engine


@contextmanager
def _engine_on(
    store: DuckdbStore, config: Config, now: Callable[[], int], notifiers: Mapping[str, Notifier] | None
) -> Iterator[Engine]:
    try:
        yield Engine(config, rules_of(config), store, now, notifiers)
    finally:
        store.close()


@contextmanager
def reach(config: Config, now: Callable[[], int] = clock) -> Iterator[Access]:
    """The figures, by whichever way is open; waits a little for another command that holds the file."""
    try:
        store = _open_patiently(config)
    except StoreLocked:
        client = ControlClient(control_path(config))
        if not _answers(client):
            raise
        yield RemoteAccess(client)
        return
    with _engine_on(store, config, now, None) as engine:
        yield LocalAccess(engine)


def _open_patiently(config: Config) -> DuckdbStore:
    """The store as soon as whoever holds it lets it go; StoreLocked for a service that answers, or after a while."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return DuckdbStore.open(store_path(config))
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
