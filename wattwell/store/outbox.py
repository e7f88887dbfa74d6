"""The way of committed readings from the local store to a remote one (transactional outbox). Pure.

Every commit is durable in the local store first; from there its readings are sent on in the order of the commits. A
remote store may acknowledge what it holds in memory only, so two marks are kept: readings up to ``sent`` were
acknowledged, those up to ``settled`` are safe. A mark becomes safe when it is old enough and the server is still the
process that acknowledged it; where that has changed, everything after ``settled`` is sent again. So each reading
arrives at least once, always with the same identity and value, and counts once.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from wattwell.errors import RemoteStoreError
from wattwell.intervals import SECOND
from wattwell.model import Bool, Float64, Int64, MeterKey

_WHOLE = 2**62
_LISTED = 1000
"""Refused readings that are known one by one."""


class Place(NamedTuple):
    """How far the outbox has been read: by commit, within it by meter number and time."""

    token: int
    series: int = _WHOLE
    """Meter number; by default the whole commit has been read."""
    at: int = _WHOLE

    @property
    def whole(self) -> int:
        """The last commit that has been read to its end."""
        return self.token if self.series == _WHOLE else self.token - 1

    def parameters(self) -> list[int]:
        """What the store's query for everything after this place asks for."""
        return [self.token, self.token, self.series, self.series, self.at]


START = Place(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A reading that a remote store will not have, however often it is sent."""

    key: MeterKey
    at: int
    """Microseconds UTC."""
    revision: int = 0
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Accepted readings on their way, as columns of equal length."""

    keys: tuple[MeterKey, ...]
    meter: Int64
    """Place in ``keys``."""
    at: Int64
    """Microseconds UTC."""
    value: Float64
    """In the meter's own unit."""
    revision: Int64
    """How many accepted values stood at this (meter, time) before; the highest one counts."""
    apart: Bool
    """Whether another reading of the meter came earlier in the same millisecond."""
    last: Place
    """Where to go on."""

    def __len__(self) -> int:
        return len(self.at)

    def refusal(self, place: int, why: str) -> Refusal:
        """That the reading at this place is refused for good."""
        key = self.keys[int(self.meter[place])]
        return Refusal(key=key, at=int(self.at[place]), revision=int(self.revision[place]), why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Accepted readings of one meter by time, with what a remote store knows them by; columns of equal length."""

    at: Int64
    """Microseconds UTC."""
    value: Float64
    """In the meter's own unit."""
    revision: Int64
    apart: Bool
    """See :class:`Outgoing`."""
    token: Int64
    """The commit of each."""


class Outbox(Protocol):
    """What is asked of the local store by whoever sends; see :class:`~wattwell.store.protocol.ReadingStore`."""

    def load_state(self, name: str) -> str | None:
        """A small named document, or None."""

    def save_states(self, documents: Mapping[str, str]) -> None:
        """Stores small named documents, durably and all or nothing."""

    def outgoing(self, after: Place, limit: int) -> Outgoing:
        """The next accepted readings after a place, in the order of their commits, at most so many."""

    def waiting(self, after: Place) -> tuple[int, int | None]:
        """How many accepted readings come after a place, and when the first of them arrived."""

    def count_by_meter(self, start: int, end: int, token: int) -> Mapping[tuple[MeterKey, int], int]:
        """Accepted readings in ``[start, end)`` of commits up to a token, by meter and revision."""

    def hold(self, token: int) -> None:
        """From now on accepted readings of commits after this one are kept."""


class Unsent:
    """The :class:`Outbox` of a store that follows the remote one: nothing is sent, or remembered of it."""

    def load_state(self, name: str) -> str | None:  # noqa: ARG002 - there are none
        """None."""
        return None

    def save_states(self, documents: Mapping[str, str]) -> None:
        """Nothing is kept."""

    def outgoing(self, after: Place, limit: int) -> Outgoing:  # noqa: ARG002 - there are none
        """None."""
        none, number = np.empty(0, np.int64), np.empty(0, np.float64)
        apart = np.empty(0, np.bool_)
        return Outgoing(keys=(), meter=none, at=none, value=number, revision=none, apart=apart, last=after)

    def waiting(self, after: Place) -> tuple[int, int | None]:  # noqa: ARG002 - there are none
        """None."""
        return 0, None

    def count_by_meter(self, start: int, end: int, token: int) -> Mapping[tuple[MeterKey, int], int]:  # noqa: ARG002
        """None."""
        return {}

    def hold(self, token: int) -> None:
        """Nothing is held."""


class TooManyRefused(RemoteStoreError):
    """A remote store takes readings, but refuses so many of these that fewer must be sent at once to tell which."""


class ReadingSink(Protocol):
    """A remote store. Writing the same readings again must leave it as it was. Raises RemoteStoreError."""

    @property
    def url(self) -> str:
        """Which store it is; without secrets."""

    def write(self, readings: Outgoing) -> Sequence[Refusal]:
        """Returns when the store has acknowledged all of them but those that it refuses for good.

        TooManyRefused, not for a hundred readings, where that would take too long.
        """

    def identity(self) -> str | None:
        """What changes whenever the server may have forgotten what it had acknowledged; None: ask again in a moment."""


@dataclass(slots=True)
class Progress:
    """How far one remote store has got. Times are seconds of a clock that never steps."""

    settled: int = 0
    """The last commit that is safe in the remote store."""
    sent: Place = START
    """What it has acknowledged."""
    identity: str | None = None
    """The server that acknowledged everything between the two."""
    unsafe: deque[tuple[int, float]] = field(default_factory=deque)
    """(commit, when) of what was acknowledged and is not yet safe, oldest first."""

    def wrote(self, place: Place, now: float) -> None:
        """The server has acknowledged everything up to a place."""
        self.sent = place
        if place.whole > (self.unsafe[-1][0] if self.unsafe else self.settled):
            self.unsafe.append((place.whole, now))

    def met(self, identity: str, now: float, age: float) -> bool:
        """The server is this one now; False: another one than before, so what is not safe must be sent again."""
        same = self.identity in (None, identity)
        self.identity = identity
        if not same:
            self.again()
        while self.unsafe and self.unsafe[0][1] <= now - age:
            self.settled = self.unsafe.popleft()[0]
        return same

    def again(self) -> None:
        """What is not safe must be sent again."""
        self.sent = Place(self.settled)
        self.unsafe.clear()

    # -- as a document ----------------------------------------------------------------------------------------

    def document(self, url: str, wall: int, now: float) -> str:
        """What survives a restart; ``wall`` is microseconds UTC, the same instant as ``now``."""
        sent_at = wall - round((now - self.unsafe[-1][1]) * SECOND) if self.unsafe else 0
        marks = {"settled": self.settled, "sent": max(self.settled, self.sent.whole), "identity": self.identity}
        return json.dumps({"remote": url, **marks, "sent_at": sent_at})

    @classmethod
    def of(cls, document: str | None, url: str, wall: int, now: float) -> Progress:
        """What a document says of this remote store; everything is sent anew to one that it does not speak of."""
        kept = {} if document is None else json.loads(document)
        if kept.get("remote") != url:
            return cls()
        progress = cls(kept["settled"], Place(kept["sent"]), kept["identity"])
        if kept["sent"] > kept["settled"]:
            progress.unsafe.append((kept["sent"], now - max(0, wall - kept["sent_at"]) / SECOND))
        return progress


@dataclass(slots=True)
class SetAside:
    """Readings that one remote store has refused for good.

    They count in every figure, and stay in the local store for as long as it keeps raw readings.
    """

    known: dict[tuple[MeterKey, int, int], str] = field(default_factory=dict)
    """Why, by meter, time and revision; the latest of them."""
    more: int = 0
    """How many were known before those, at most: one that is sent again may count again."""

    def add(self, refusals: Iterable[Refusal]) -> None:
        """Takes in what was refused just now."""
        for each in refusals:
            self.known.pop((each.key, each.at, each.revision), None)
            self.known[each.key, each.at, each.revision] = each.why
        while len(self.known) > _LISTED:
            del self.known[next(iter(self.known))]
            self.more += 1

    @property
    def count(self) -> int:
        """How many readings."""
        return len(self.known) + self.more

    def within(self, start: int, end: int) -> Counter[tuple[MeterKey, int]]:
        """How many of those that are known in ``[start, end)``, by meter and revision. Any thread may ask."""
        return Counter((key, revision) for key, at, revision in list(self.known) if start <= at < end)

    def document(self, url: str) -> str:
        """What survives a restart."""
        listed = [[*key, at, why, revision] for (key, at, revision), why in self.known.items()]
        return json.dumps({"remote": url, "more": self.more, "known": listed})

    @classmethod
    def of(cls, document: str | None, url: str) -> SetAside:
        """What a document says of this remote store; nothing where it does not speak of it."""
        kept = {} if document is None else json.loads(document)
        if kept.get("remote") != url:
            return cls()
        known = {}
        for site, meter, at, why, *revision in kept["known"]:  # 0.4.0 kept no revision
            known[(site, meter), at, revision[0] if revision else 0] = why
        return cls(known, kept["more"])
