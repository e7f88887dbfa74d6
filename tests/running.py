"""A whole engine over a small site: readings in, documents out, in data time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerts.notification import Notification
from tests.support import T0, readings_of
from wattwell.config import parse
from wattwell.config.settings import Config
from wattwell.engine.engine import Engine
from wattwell.engine.findings import Detector, Expectations
from wattwell.intervals import HOUR, MINUTE, parse_iso
from wattwell.store.duckdb import DuckdbStore

GRID = 15 * MINUTE
RULE: dict[str, Any] = {"name": "PueHigh", "kpi": "pue", "window": "1h", "above": 1.3, "clear": 1.27, "for": "30m"}
STEP = {"quantity": "power", "accumulation": "instantaneous", "interpolation": "step", "period": "5m", "max_gap": "12m"}


def two_meters(folder: Path, *rules: Mapping[str, Any], **site: Any) -> Config:
    """Site ``s`` with the powers ``grid`` and ``it``, each sample holding until the next, and these alert rules."""
    meters = [{"id": "grid", "role": "utility_import", **STEP}, {"id": "it", "role": "it_ups", **STEP}]
    fields = {"id": "s", "timezone": "UTC", "pue_category": 1, "meters": meters}
    return parse({"sites": [fields | site], "alerts": [dict(rule) for rule in rules or (RULE,)]}, folder)


@dataclass(kw_only=True)
class Listener:
    """A notifier that keeps what it is told."""

    told: list[Notification] = field(default_factory=list)

    def send(self, batch: tuple[Notification, ...]) -> None:
        """Takes a batch."""
        self.told.extend(batch)


@dataclass(kw_only=True)
class Site:
    """A site that reports every five minutes, its store, and a clock that somebody sets."""

    config: Config
    store: DuckdbStore
    pue: Callable[[float], float]
    """PUE by hours since T0."""
    it: Callable[[float], float | None] = lambda _: 100.0
    """kW by hours since T0; None: the meter is silent."""
    now: int = T0
    sent: int = T0
    """Readings before it are stored."""
    listener: Listener | None = field(default_factory=Listener)
    """None where history is filled in."""
    detector: Detector | None = None
    expectations: Expectations | None = None
    period: Mapping[str, int] = field(default_factory=lambda: {"grid": 5 * MINUTE, "it": 5 * MINUTE})

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new engine on the same store."""
        notifiers = None if self.listener is None else {"listener": self.listener}
        found = (self.detector, self.expectations)
        self.engine = Engine(self.config, self.config.rules, self.store, lambda: self.now, notifiers, *found)

    def send(self, until: int) -> None:
        """Stores the readings up to an instant, that included."""
        rows = []
        for at in range(self.sent, until + 1, MINUTE):
            hours = (at - T0) / HOUR
            load = self.it(hours)
            if (at - T0) % self.period["grid"] == 0:
                rows.append((("s", "grid"), at, self.pue(hours) * 100.0))
            if load is not None and (at - T0) % self.period["it"] == 0:
                rows.append((("s", "it"), at, load))
        self.sent = max(until + MINUTE, self.sent)
        if rows:
            self.store.commit(readings_of(rows, received_at=self.now), [])

    def live(self, until: float, *, restart: bool = False, send: bool = True) -> None:
        """Time passes to so many hours since T0: readings come as they are made, a refresh follows each quarter."""
        while self.now < T0 + until * HOUR:
            self.now += GRID
            if send:
                self.send(self.now)
            if restart:
                self.restart()
            self.refresh()

    def refresh(self) -> None:
        """One refresh, and what there is to tell is told."""
        self.engine.refresh()
        self.engine.watch.deliver(self.now)

    def alerts(self) -> list[tuple[str, str, float | None, float | None]]:
        """(name, state, fired, resolved) of every alert that ever fired, in hours since T0, in order."""
        found = [
            (each["name"], each["state"], hours_of(each["fired_at"]), hours_of(each["resolved_at"]))
            for each in self.engine.alerts()
            if each["fired_at"] is not None
        ]
        return sorted(found, key=lambda each: each[2] or 0)

    def told(self) -> list[tuple[str, str, float]]:
        """(name, status, time in hours since T0) of everything that was told."""
        assert self.listener is not None
        return [
            (each.name, each.status.value, ((each.ends_at or each.starts_at) - T0) / HOUR)
            for each in self.listener.told
        ]


def hours_of(text: str | None) -> float | None:
    """A time of a document in hours since T0."""
    return None if text is None else (parse_iso(text) - T0) / HOUR
