"""How commands reach the figures: through the file, or through the service that holds it; nobody sees a difference."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from alerts.defaults import default_rules
from alerts.notify import Notifier, notifier_id, open_notifier
from wattwell.app.wire import pack_readings, pack_rejects, unpack_readings, unpack_rejects
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.errors import ServiceUnavailable, StoreError, StoreLocked, UsageError
from wattwell.model import AlertRule, Correction, Readings, Reject
from wattwell.store.duckdb import DuckdbStore
from wattwell.web.control import ControlClient, Handler

_PATIENCE = 15.0
"""Seconds that a command waits for another one that holds the store."""
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


def handlers(engine: Engine) -> Mapping[str, Handler]:
    """What the service answers on its control socket."""

    def question(name: str) -> Handler:
        return lambda args, _body: getattr(engine, name)(**args)

    def commit(args: dict[str, Any], body: bytes) -> object:
        return engine.store.commit(unpack_readings(body), unpack_rejects(args["rejects"])).added

    def correct(args: dict[str, Any], _body: bytes) -> object:
        engine.correct([Correction(**document) for document in args["corrections"]])
        return None

    def ping(_args: dict[str, Any], _body: bytes) -> object:
        return "wattwell"

    asked = {name: question(name) for name in QUESTIONS}
    return asked | {"commit": commit, "correct": correct, "refresh": lambda _a, _b: engine.refresh(), "ping": ping}


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
    """The engine on the store's own file, which this process holds meanwhile."""
    store = DuckdbStore.open(store_path(config))
    try:
        yield Engine(config, rules_of(config), store, now, notifiers)
    finally:
        store.close()


@contextmanager
def reach(config: Config) -> Iterator[Access]:
    """The figures, by whichever way is open; waits a little for another command that holds the file."""
    with ExitStack() as stack:
        yield _reach(config, stack)


def _reach(config: Config, stack: ExitStack) -> Access:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return LocalAccess(stack.enter_context(open_engine(config)))
        except StoreLocked as locked:
            client = ControlClient(control_path(config))
            try:
                client.call("ping", {})
            except ServiceUnavailable as silent:
                if time.monotonic() > deadline:
                    raise StoreError(f"{locked} ({silent})") from silent
            else:
                return RemoteAccess(client)
        time.sleep(0.2)
