"""The storage port: what every store must do, and the contract suite in ``tests/contract`` checks.

Collectors deliver at least once, so every write is idempotent: the same reading twice is one reading, and the same
analysis saved twice is one analysis. Each call that writes is one durable transaction: when it returns, a power cut
loses nothing of it; when it raises :class:`~wattwell.errors.StoreError`, nothing of it is in the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from wattwell.ledger import Entry
from wattwell.model import (
    Correction,
    Float64,
    Int64,
    IntervalValues,
    MeterEvent,
    MeterKey,
    Readings,
    Reject,
    SiteIntervals,
)
from wattwell.store.outbox import Accepted, Outgoing, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit did."""

    added: int
    """Readings that are new or replaced a different one."""
    repeated: int
    """Readings that were there already."""
    rejects: tuple[Reject, ...]
    """Rejects newly listed, the conflicts that the commit itself found among them; repeats are left out."""


@dataclass(frozen=True, slots=True)
class Dirty:
    """Readings or corrections of one meter that the analysis has not seen."""

    key: MeterKey
    low: int
    """Earliest time touched."""
    high: int
    """Latest time touched."""


@dataclass(frozen=True, slots=True)
class DirtySet:
    """What is dirty, and the token by which exactly that is cleared."""

    token: int
    meters: tuple[Dirty, ...]


class Checkpoint(NamedTuple):
    """A meter's fold state after every reading before ``edge``, by which analysis resumes (see analytics.fold)."""

    edge: int
    state: tuple[float | int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterUpdate:
    """The analysis of one meter over one span of time, to be stored instead of what was there."""

    key: MeterKey
    start: int
    """Interval values that start in [start, end) are replaced."""
    end: int
    values: IntervalValues
    events: tuple[MeterEvent, ...]
    """Events judged anew; each replaces the stored one of the same time and name, a transient also a rollover."""
    events_from: int
    """Stored events in [events_from, events_to) that ``events`` do not replace become ``withdrawn``."""
    events_to: int
    checkpoints: tuple[Checkpoint, ...]
    """Replace the stored ones of the same edge."""
    forget_from: int
    """Stored checkpoints in [forget_from, forget_to) that are not among ``checkpoints`` are dropped."""
    forget_to: int


@dataclass(frozen=True, slots=True)
class DaySums:
    """What was added up of a site's interval values over one UTC day, in the writer's own form."""

    site: str
    day: int
    """UTC midnight."""
    digest: str
    """Of all that the sums depend on besides the interval values."""
    sums: bytes


class ReadingStore(Protocol):
    """A store of readings and of what was made from them. All times are microseconds UTC."""

    def commit(self, readings: Readings, rejects: Sequence[Reject]) -> Committed:
        """Adds readings and rejects, and marks what they touch as dirty, durably.

        Of two different amounts at the same (meter, time) the later arrival (later call, then later row) counts and
        the other is listed as ``conflict``; an amount already listed so is a repetition and ignored. An accepted
        reading always outranks one rejected for its value (NaN) at the same time.
        """

    def readings(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, tuple[Int64, Float64]]:
        """Times (ascending, unique) and values in the meter's own unit in ``[start, end)``; NaN marks rejected ones."""

    def transits(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, tuple[Int64, Int64]]:
        """Device times (ascending) and arrival times of the readings in ``[start, end)``, rejected ones among them.

        Readings that took their arrival time, since their message carried none, are left out.
        """

    def count_readings(self, start: int, end: int) -> int:
        """How many readings lie in ``[start, end)``, over all meters."""

    def last_readings(self) -> Mapping[MeterKey, int]:
        """Time of the latest accepted reading of each meter."""

    def first_reading(self, site: str) -> int | None:
        """Time of the earliest reading of a site."""

    def dirty(self) -> DirtySet:
        """What the analysis has not seen yet: spans of one meter that lie more than a day apart stay apart."""

    def checkpoints(self, keys: Sequence[MeterKey], since: int) -> Mapping[MeterKey, tuple[Checkpoint, ...]]:
        """Stored checkpoints of each meter whose edge is not before ``since``, ascending."""

    def save(self, updates: Sequence[MeterUpdate]) -> None:
        """Stores analyses, durably and all or nothing."""

    def clear(self, token: int) -> None:
        """Clears the dirt that carries this token or an older one."""

    def forget(self, keys: Sequence[MeterKey]) -> None:
        """Drops interval values and checkpoints of meters that must be computed from the start; marks them dirty.

        Where raw readings have been dropped, the start is that instant: what lies before it stays.
        """

    def intervals(self, site: str, meters: Sequence[str], start: int, end: int) -> SiteIntervals:
        """Stored interval values that start in ``[start, end)``, by meter and time. Missing intervals have no row."""

    def intervals_of(self, wanted: Mapping[str, Sequence[str]], start: int, end: int) -> Mapping[str, SiteIntervals]:
        """The same of many sites at once: for each site of ``wanted`` what :meth:`intervals` gives of its meters."""

    def day_sums(self, site: str, digest: str, start: int, end: int) -> Mapping[int, bytes]:
        """The sums of days that begin in ``[start, end)``, by UTC midnight, as they were kept under this digest."""

    def keep_day_sums(self, kept: Sequence[DaySums]) -> None:
        """Keeps sums of days, durably and all or nothing, in place of those of the same site and day.

        :meth:`save` and :meth:`forget` drop, with what they store or drop, the sums of every day of the site in which
        they touch interval values. So who keeps some must have made them of the interval values that are stored.
        """

    def extent(self, site: str) -> tuple[int, int] | None:
        """Start of the first and of the last stored interval of a site."""

    def events(self, site: str | None, meter: str | None, start: int | None, end: int | None) -> Sequence[MeterEvent]:
        """The meter-event ledger, by time."""

    def event_counts(self) -> Mapping[tuple[str, str, str], int]:
        """(site, event, state) and how many the meter-event ledger holds."""

    def rejects(self, site: str | None, limit: int) -> Sequence[tuple[Reject, int]]:
        """Rejected readings with how often each was seen, latest first."""

    def reject_counts(self) -> Mapping[tuple[str | None, str | None, str | None, str], int]:
        """(site, meter, topic, reason) and how many rejected, also those whose rows are no longer kept."""

    def corrections(self, key: MeterKey | None = None) -> Sequence[Correction]:
        """What operators entered, by time."""

    def add_corrections(self, corrections: Sequence[Correction]) -> None:
        """Adds corrections and marks their times dirty, durably; the same one twice is one."""

    def audit(self, kind: str | None = None, last: int | None = None) -> Sequence[Entry]:
        """The audit ledger (:mod:`wattwell.ledger`), by number; of one kind, and the ``last`` so many of them.

        Whatever stands in it was entered once and is never changed. Besides :meth:`append_audit`, :meth:`save` enters
        each event that is new or differs, and :meth:`add_corrections` each correction, with what they store.
        """

    def append_audit(
        self, items: Sequence[tuple[str, Mapping[str, Any]]], documents: Mapping[str, str] | None = None
    ) -> Sequence[Entry]:
        """Appends (kind, document) to the audit ledger at the writer's time, durably and all or nothing.

        ``documents``: small named ones that are stored in the same transaction, as by :meth:`save_states`.
        """

    def arrivals(self, pairs: Sequence[tuple[MeterKey, int]]) -> Mapping[tuple[MeterKey, int], int]:
        """When the readings of these meters at these times arrived; where there is none, the pair is left out."""

    def rejects_within(self, site: str, start: int, end: int) -> Sequence[Reject]:
        """Rejected readings of a site that are kept and whose own time lies in ``[start, end)``, by time."""

    def load_state(self, name: str) -> str | None:
        """A small named document (alert states, fingerprints), or None."""

    def save_states(self, documents: Mapping[str, str]) -> None:
        """Stores small named documents, durably and all or nothing."""

    def outgoing(self, after: Place, limit: int) -> Outgoing:
        """The next accepted readings after a place, in the order of their commits, at most so many."""

    def waiting(self, after: Place) -> tuple[int, int | None]:
        """How many accepted readings come after a place, and when the first of them arrived."""

    def count_by_meter(self, start: int, end: int, token: int) -> Mapping[tuple[MeterKey, int], int]:
        """Accepted readings in ``[start, end)`` of commits up to a token, by meter and revision."""

    def accepted(self, keys: Sequence[MeterKey], start: int, end: int) -> Mapping[MeterKey, Accepted]:
        """Accepted readings of each meter in ``[start, end)``; a meter without any is left out."""

    def hold(self, token: int) -> None:
        """From now on :meth:`prune` keeps the accepted readings of commits after this one."""

    def pruned(self) -> int:
        """The instant before which raw readings have been dropped; far in the past where none were."""

    def prune(
        self, before: int, keep: Mapping[MeterKey, Sequence[int]], cuts: Mapping[MeterKey, int] | None = None
    ) -> int:
        """Drops raw readings older than ``before`` but for the nearest before and after each instant in ``keep``.

        ``cuts`` names meters whose readings are dropped from an earlier instant back only.
        Interval values, events and rejects stay. Later commits older than ``before`` are rejected as ``clock.past``.
        Returns how many readings were dropped.
        """

    def back_up(self, target: Path) -> int:
        """Copies all that is committed by now to a new file, which opens as a store; returns its bytes.

        Others go on reading and writing meanwhile. UsageError for a file that is there already.
        """

    def close(self) -> None:
        """Releases the store; a second call does nothing."""
