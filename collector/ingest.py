"""Messages to stored readings: decode, normalise, one durable commit for each batch.

The broker delivers at least once and the store's writes are idempotent, so a batch that failed is simply tried again.
Nothing here acknowledges anything: the caller does so when :meth:`Ingestor.ingest` has returned True.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from collector.clock import ClockGuard
from collector.decoders import DECODERS, decode
from collector.dialects.base import Message
from collector.nodes import EdgeNodes
from collector.normalise import MeterTable, Normalised, normalise
from collector.points import PointsBuilder
from collector.proposals import Proposal, Proposer
from collector.scalars import clean, listed, shown
from collector.topics import SPARKPLUG, Router
from wattwell.config.devices import shipped_devices
from wattwell.config.settings import Config
from wattwell.errors import ClockError, StoreError, WattwellError
from wattwell.intervals import SECOND, iso
from wattwell.model import Reject
from wattwell.store.protocol import ReadingStore

log = logging.getLogger(__name__)

UNMAPPED_STATE = "collector.unmapped"
"""Name of the stored document that lists topics bound to no meter."""
UNMAPPED_TOPICS = 1000
"""Topics kept in that list; the one seen longest ago makes room."""
PROPOSALS = 1000
"""Proposals kept in that list, over all topics."""
_SAVE_EVERY = 10 * SECOND
_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmapped:
    """A topic that brought messages and is bound to no meter."""

    topic: str
    first_seen: int
    """Microseconds UTC."""
    last_seen: int
    """Microseconds UTC."""
    count: int
    example: str
    """The latest payload as text, cut to a bounded length."""
    proposals: Sequence[Proposal] = ()
    """Meters that it could be, from the first message that told."""

    def as_json(self) -> dict[str, Any]:
        """The shape of ``wattwell unmapped --json``."""
        return {
            "topic": self.topic,
            "first_seen": iso(self.first_seen),
            "last_seen": iso(self.last_seen),
            "count": self.count,
            "example": self.example,
            "proposals": list(self.proposals),
        }


def read_unmapped(document: str | None) -> list[Unmapped]:
    """The list kept under UNMAPPED_STATE, the latest topic last; empty where there is none."""
    return [] if document is None else [Unmapped(**entry) for entry in json.loads(document)]


def _write_unmapped(topics: Sequence[Unmapped]) -> str:
    names = Unmapped.__slots__
    return json.dumps([{name: getattr(entry, name) for name in names} for entry in topics])


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestStats:
    """What was ingested since the start."""

    messages: int
    readings: Mapping[str, int]
    """Accepted readings by site, repeats among them."""
    rejected: Mapping[tuple[str, str], int]
    """By (site or "", reason)."""
    lag_seconds: float
    """From the arrival of the oldest message in the latest batch to its commit, or to now while it waits."""
    store_error: str | None
    """Why the store refuses, while it does."""


@dataclass(slots=True)
class _Totals:
    messages: int = 0
    readings: Counter[str] = field(default_factory=Counter)
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    lag: int = 0
    waiting_since: int | None = None
    store_error: str | None = None


class Ingestor:
    """Decodes, judges and commits messages; one thread calls it, any thread may ask for its statistics."""

    def __init__(
        self,
        config: Config,
        store: ReadingStore,
        clock: Callable[[], int],
        passed: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
    ) -> None:
        """``clock`` gives microseconds UTC; ``passed`` counts microseconds whatever that clock does."""
        self.table = MeterTable.of(config.sites.values())
        self.router = Router(config.sites.values(), self.table)
        self._nodes = EdgeNodes(self.router.devices, store)
        self._decoders = {**DECODERS, SPARKPLUG: self._nodes.host.points}
        self._late = config.late
        self.store = store
        self._clock = clock
        self._passed = passed
        self._guard: ClockGuard | None = None
        self._lock = threading.Lock()
        self._totals = _Totals()
        self._unmapped: OrderedDict[str, Unmapped] | None = None
        self._proposer = Proposer(lambda: shipped_devices().values())
        self._proposals = 0
        self._new_topic = self._unsaved = False
        self._saved_at = self._passed() - _SAVE_EVERY

    def ingest(self, messages: Sequence[Message], wait: Callable[[float], bool]) -> bool:
        """Commits a batch, however long the store refuses; False when ``wait`` says to give up.

        ``wait`` pauses for the seconds given and returns True when the service is stopping. The log gets one line
        when the store begins to refuse (and one for each new reason), one when it works again.
        """
        delay = _FIRST_RETRY
        batch: Normalised | None = None
        while True:
            try:
                batch = batch or self._prepare(self._believed(messages))
                self._commit(batch, messages)
            except (StoreError, ClockError) as error:
                self._refused(error, messages)
                if wait(delay):
                    return False
                delay = min(2 * delay, _LONGEST_RETRY)
            else:
                self._accepted()
                return True

    def housekeeping(self, *, final: bool = False) -> None:
        """Saves the list of unmapped topics: counts every 10 seconds, new topics within a second, all at the end.

        Also what is known of Sparkplug edge nodes, which is restored here when no message came before.
        """
        pause = SECOND if self._new_topic else _SAVE_EVERY
        due = final or self._passed() >= self._saved_at + pause
        try:
            asked = self._nodes.restore() | self._nodes.save(final=final)
            if self._unsaved and due:
                self.store.save_states({UNMAPPED_STATE: _write_unmapped(self.unmapped())})
                self._saved_at, self._unsaved, self._new_topic, asked = self._passed(), False, False, True
        except StoreError as error:
            self._refused(error, ())
        else:
            if asked:
                self._accepted()

    def commands(self) -> list[tuple[str, bytes]]:
        """Topic and payload of what is to be published now, at QoS 0: rebirth requests to Sparkplug edge nodes."""
        return self._nodes.commands(self._passed(), self._clock())

    def unmapped(self) -> list[Unmapped]:
        """Topics seen but bound to no meter, the latest last."""
        with self._lock:
            return list(self._register().values())

    def stats(self) -> IngestStats:
        """Counts since the start."""
        now = self._clock()
        with self._lock:
            totals = self._totals
            lag = totals.lag if totals.waiting_since is None else now - totals.waiting_since
            return IngestStats(
                messages=totals.messages,
                readings=dict(totals.readings),
                rejected=dict(totals.rejected),
                lag_seconds=max(lag, 0) / SECOND,
                store_error=totals.store_error,
            )

    def _believed(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages with arrival times that can be believed; ClockError while the machine's clock cannot be."""
        now = self._clock()
        if self._guard is None:
            self._guard = ClockGuard(max(self.store.last_readings().values(), default=now))
        if fault := self._guard.fault(now, self._passed()):
            raise ClockError(fault)
        stale = self._guard.stale_before
        return [replace(m, received_at=now) if m.received_at < stale else m for m in messages]

    def _prepare(self, messages: Sequence[Message]) -> Normalised:
        self._nodes.restore()
        points = PointsBuilder()
        refused: list[Reject] = []
        strays: list[Message] = []
        for message in messages:
            route = self.router.route(message.topic)
            if self.router.is_stray(message.topic, route):
                strays.append(message)
            if route is not None and (reject := decode(message, route, points, self._decoders)):
                refused.append(reject)
        with self._lock:
            refused += [self._stray(message) for message in strays]
        batch = normalise(points.build(), self.table, self._late)
        return Normalised(batch.readings, refused + batch.rejects)

    def _commit(self, batch: Normalised, messages: Sequence[Message]) -> None:
        self.store.commit(batch.readings, batch.rejects)
        self._nodes.save()  # after the readings: what a crash comes between is sent again, and told again
        sites = self._accepted_by_site(batch)
        now = self._clock()
        with self._lock:
            totals = self._totals
            totals.messages += len(messages)
            totals.readings.update(sites)
            totals.rejected.update((reject.site or "", reject.reason) for reject in batch.rejects)
            totals.lag = now - min((message.received_at for message in messages), default=now)
            totals.waiting_since = None

    @staticmethod
    def _accepted_by_site(batch: Normalised) -> Counter[str]:
        readings = batch.readings
        accepted = readings.meter[~np.isnan(readings.value)]
        counts: Counter[str] = Counter()
        for key, count in zip(readings.keys, np.bincount(accepted, minlength=len(readings.keys)), strict=True):
            counts[key[0]] += int(count)
        return counts

    def _stray(self, message: Message) -> Reject:
        """Notes a message on a topic that no meter listens on."""
        register = self._register()
        example, topic = shown(message.payload), listed(message.topic)
        known = register.pop(topic, None)
        proposals = known.proposals if known else ()
        if not proposals and self._proposals < PROPOSALS:
            proposals = self._proposer.propose(message)
            self._proposals += len(proposals)
        register[topic] = Unmapped(
            topic=topic,
            first_seen=known.first_seen if known else message.received_at,
            last_seen=message.received_at,
            count=known.count + 1 if known else 1,
            example=example,
            proposals=proposals,
        )
        if len(register) > UNMAPPED_TOPICS:
            self._proposals -= len(register.popitem(last=False)[1].proposals)
        self._new_topic = self._new_topic or known is None
        self._unsaved = True
        site, meter = self.router.named(message.topic)
        return Reject(
            site=site,
            meter=None if meter is None else clean(meter),
            topic=topic,
            at=None,
            received_at=message.received_at,
            reason="point.unknown",
            value=example,
        )

    def _register(self) -> OrderedDict[str, Unmapped]:
        if self._unmapped is None:
            stored = read_unmapped(self.store.load_state(UNMAPPED_STATE))
            self._unmapped = OrderedDict((entry.topic, entry) for entry in stored)
            self._proposals = sum(len(entry.proposals) for entry in stored)
        return self._unmapped

    def _refused(self, error: WattwellError, messages: Sequence[Message]) -> None:
        text = str(error)
        with self._lock:
            changed = self._totals.store_error != text
            self._totals.store_error = text
            if messages:
                self._totals.waiting_since = min(message.received_at for message in messages)
        if changed:
            log.error("Readings are not taken and stay unacknowledged until they are: %s", text)

    def _accepted(self) -> None:
        with self._lock:
            changed = self._totals.store_error is not None
            self._totals.store_error = None
        if changed:
            log.info("Readings are taken again; nothing was lost.")
