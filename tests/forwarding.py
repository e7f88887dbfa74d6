"""A remote store as tests need it: one that forgets, refuses and breaks off, and a local one that sends to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from tests.support import T0
from wattwell.app.forward import Forwarder
from wattwell.errors import RemoteStoreError
from wattwell.intervals import SECOND
from wattwell.model import MeterKey
from wattwell.store.duckdb import DuckdbStore
from wattwell.store.outbox import START, Outgoing, Refusal, TooManyRefused

FLUSH = 45.0
"""Seconds after which the server has on disk what it acknowledged."""
SAFE = 60.0
Identity = tuple[MeterKey, int, int, int | None]
"""(meter, whole millisecond, revision, microseconds where it stands apart)."""


@dataclass
class Server:
    """A remote store that acknowledges from memory and keeps equal samples as one."""

    url: str = "http://remote:8428"
    now: float = 0.0
    """Seconds."""
    up: bool = True
    full: bool = False
    """Whether it answers, and takes nothing."""
    starts: int = 1
    disk: dict[Identity, set[float]] = field(default_factory=dict)
    memory: list[tuple[float, Identity, float]] = field(default_factory=list)
    written: int = 0
    poison: frozenset[float] = frozenset()
    """Values that it refuses for good."""
    too_many: int | None = None
    """Readings of which it does not tell any more which of them it refuses."""
    break_after: int | None = None
    """Readings that the next write takes before it fails."""

    def write(self, readings: Outgoing) -> list[Refusal]:
        """Takes readings but those that it refuses, or some of them and then breaks off."""
        self._reachable()
        if self.full:
            raise RemoteStoreError("full")
        if self.too_many is not None and len(readings) > self.too_many and self.poison & set(readings.value.tolist()):
            raise TooManyRefused("too many")
        refused = []
        for count, (identity, value) in enumerate(samples(readings)):
            if count == self.break_after:
                self.break_after = None
                raise RemoteStoreError("broken off")
            if value in self.poison:
                refused.append(readings.refusal(count, "not that"))
                continue
            self.memory.append((self.now, identity, value))
            self.written += 1
        return refused

    def identity(self) -> str | None:
        """Which start of the server this is."""
        self._reachable()
        return str(self.starts)

    def _reachable(self) -> None:
        if not self.up:
            raise RemoteStoreError("away")
        kept = [each for each in self.memory if each[0] > self.now - FLUSH]
        for _, identity, value in self.memory[: len(self.memory) - len(kept)]:
            self.disk.setdefault(identity, set()).add(value)
        self.memory = kept

    def kill(self) -> None:
        """It forgets what is not on its disk, and is there again."""
        if self.up:
            self._reachable()
        self.memory.clear()
        self.starts += 1
        self.up = True

    def held(self) -> dict[Identity, set[float]]:
        """Every sample it would show: one, unless different values were sent as the same."""
        found = {identity: set(values) for identity, values in self.disk.items()}
        for _, identity, value in self.memory:
            found.setdefault(identity, set()).add(value)
        return found


def samples(readings: Outgoing) -> list[tuple[Identity, float]]:
    """What readings are to a store of milliseconds."""
    columns = (readings.meter, readings.at, readings.value, readings.revision, readings.apart)
    return [
        ((readings.keys[meter], at // 1000, revision, at % 1000 if apart else None), value)
        for meter, at, value, revision, apart in zip(*(each.tolist() for each in columns), strict=True)
    ]


def outgoing(*rows: tuple[MeterKey, int]) -> Outgoing:
    """Readings at microseconds after T0."""
    keys = tuple(dict.fromkeys(key for key, _ in rows))
    count = len(rows)
    return Outgoing(
        keys=keys,
        meter=np.array([keys.index(key) for key, _ in rows], np.int64),
        at=np.array([T0 + at for _, at in rows], np.int64),
        value=np.ones(count),
        revision=np.zeros(count, np.int64),
        apart=np.zeros(count, np.bool_),
        last=START,
    )


@dataclass
class World:
    """A local store, a server, a clock for both, and a forwarder that may be lost at any time."""

    server: Server = field(default_factory=Server)

    def __post_init__(self) -> None:
        self.store = DuckdbStore(Path("spool"), duckdb.connect(":memory:"))
        self.restart()

    def restart(self) -> None:
        """The process is killed: only what the store keeps is known to the next one."""
        self.forwarder = Forwarder(
            self.store,
            self.server,
            lambda: T0 + round(self.server.now * SECOND),
            lambda: self.server.now,
            SAFE,
            batch=3,
        )

    def send(self) -> bool:
        """Steps until there is nothing to do; False where the server refused."""
        try:
            while self.forwarder.step():
                pass
        except RemoteStoreError:
            return False
        return True

    def expected(self) -> Mapping[Identity, float]:
        """What the server must hold at the end: every accepted reading of the local store."""
        found = samples(self.store.outgoing(START, 10**9))
        assert len({identity for identity, _ in found}) == len(found)
        return dict(found)
