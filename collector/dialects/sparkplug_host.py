"""The host's side of Sparkplug B: what each edge node's births have told, by which its data are read. Pure.

A birth names the metrics of its node or device and gives each an alias and a datatype; data may then carry the alias
alone. So births outlive a restart (:meth:`SparkplugHost.documents`), an alias counts only under the birth that gave it,
and whatever cannot be read asks for a new birth: data before their birth, and a gap in the sequence numbers that is
not filled within two seconds, since a birth may have been in it. Data after a gap are read all the same: each metric
has a time of its own, and no birth but one after a death changes what an alias means in practice. Deaths are sent at
QoS 1, so a broker keeps them for an absent collector. A message that comes again changes nothing, except that births
and deaths that come again are lived through again: data between them come again too, and mean what they meant before.

What is kept is bounded by the configuration: the metrics that meters read, and the aliases of all others as ranges.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from collector.dialects.base import NO_TIME, Message, PayloadError
from collector.dialects.sparkplug import UnreadableError, instant_of, properties_of, text_of, value_of
from collector.dialects.sparkplug_schema import BOOLEAN, Metric, Payload, new_payload, parse
from collector.points import PointsBuilder
from collector.scalars import UNREADABLE
from collector.topics import Binding, EdgeTopic, edge_topic
from wattwell.intervals import MINUTE, SECOND

STATE_PREFIX = "collector.sparkplug/"
"""Start of the names of stored documents, one for each edge node."""
REORDER = 2 * SECOND
"""How long a gap may wait for the message that fills it."""
FIRST_PAUSE = 10 * SECOND
"""Least time between two requests to one edge node; doubled with each of them."""
LONGEST_PAUSE = 5 * MINUTE
_RANGES = 64
_BIRTH_OF_ALL = "no birth is known"


@dataclass(frozen=True, slots=True)
class Request:
    """A rebirth command that is to be published now."""

    node: str
    """GROUP/EDGE."""
    topic: str
    payload: bytes
    reason: str
    count: int
    """How many have been sent since the node's last birth, this one included."""


@dataclass(slots=True)
class _Known:
    """What a birth said of a metric that some meter reads."""

    datatype: int
    unit: str | None
    alias: int | None


class _Device:
    """A device, or the node itself: the meters that read it, and its birth."""

    def __init__(self, bindings: Sequence[Binding]) -> None:
        self.readers: dict[str, list[Binding]] = {}
        for bound in bindings:
            self.readers.setdefault(bound.selector, []).append(bound)
        self.born = False
        self.known: dict[str, _Known] = {}
        self.names: dict[int, str] = {}
        """Metric by alias."""
        self.others: list[list[int]] = []
        """Aliases of metrics that no meter reads: ranges, first and last."""

    def die(self) -> None:
        self.born, self.known, self.names, self.others = False, {}, {}, []

    def birth(self, metrics: Iterable[Metric]) -> None:
        self.die()
        self.born = True
        others: set[int] = set()
        for metric in metrics:
            alias = metric.alias if metric.HasField("alias") else None
            name = text_of(metric.name)
            if name in self.readers:
                self.learn(name, _Known(metric.datatype, properties_of(metric)[1], alias))
            elif alias is not None:
                others.add(alias)
        self.others = _ranges(others)

    def learn(self, name: str, known: _Known) -> None:
        self.known[name] = known
        if known.alias is not None:
            self.names[known.alias] = name

    def name_of(self, metric: Metric) -> str | None:
        """The name of a metric that some meter reads, else None; UnreadableError for an alias without a birth."""
        if metric.name or not metric.HasField("alias"):
            name = text_of(metric.name)
            return name if name in self.readers else None
        found = self.names.get(metric.alias)
        if found is not None:
            return found if found in self.readers else None
        if not any(first <= metric.alias <= last for first, last in self.others):
            why = "is not in its birth" if self.born else "before its birth"
            raise UnreadableError(f"alias {metric.alias} {why}")
        return None


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as ranges; where they are too scattered one range spans them all, so that state stays bounded."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found if len(found) <= _RANGES else [[found[0][0], found[-1][1]]]


@dataclass(slots=True)
class _Sequence:
    """Sequence numbers of one node since its birth: which came, which are missing."""

    last: int | None = None
    seen: dict[int, int] = field(default_factory=dict)
    """Digest of the latest message by its number."""
    missing: set[int] = field(default_factory=set)

    def repeats(self, number: int, digest: int) -> bool:
        """Notes a message; whether it is one that came before."""
        repeated = self.seen.get(number) == digest
        self.seen[number] = digest
        return repeated

    def follow(self, number: int) -> bool:
        """Takes a new message's number; whether it leaves a gap."""
        expected = number if self.last is None else (self.last + 1) % 256
        if number != expected and number in self.missing:
            self.missing.discard(number)
            return False
        self.missing |= {(expected + step) % 256 for step in range((number - expected) % 256)}
        self.last = number
        return number != expected


class _Node:
    """An edge node: its births, its sequence numbers, and whether a rebirth is wanted."""

    def __init__(self, spot: EdgeTopic) -> None:
        self.spot = spot
        self.devices: dict[str, _Device] = {}
        self.born = False
        self.bd_seq: int | None = None
        self.digest: int | None = None
        """Of the latest NBIRTH."""
        self.sequence = _Sequence()
        self.unsaved = False
        self.saved_last: int | None = None
        self.wanted: str | None = None
        """Why a rebirth is wanted."""
        self.gap = False
        """Whether that is for a gap alone, which may still be filled."""
        self.since: int | None = None
        self.pause = FIRST_PAUSE
        self.asked: int | None = None
        """When the latest request was sent."""
        self.count = 0

    @property
    def name(self) -> str:
        return f"{self.spot.group}/{self.spot.edge}"

    def want(self, reason: str, *, gap: bool = False) -> None:
        if self.wanted is None or (self.gap and not gap):
            self.wanted, self.gap = reason, gap

    def content(self) -> None:
        self.wanted, self.since, self.count = None, None, 0

    def birth(self, payload: Payload, digest: int) -> None:
        for device in self.devices.values():
            device.die()
        self.born, self.bd_seq, self.digest = True, _bd_seq(payload), digest
        self.sequence = _Sequence(payload.seq % 256 if payload.HasField("seq") else None)
        self.unsaved = True
        self.content()

    def death(self, payload: Payload) -> None:
        """Forgets every alias, unless the death belongs to an earlier birth than the latest known."""
        ended = _bd_seq(payload)
        if ended is not None and self.bd_seq is not None and (ended - self.bd_seq) % 256 >= 128:
            return
        for device in self.devices.values():
            device.die()
        self.born, self.sequence, self.unsaved = False, _Sequence(), True
        self.content()

    def repeats(self, kind: str, payload: Payload, digest: int) -> bool:
        """Follows the sequence numbers; whether the message has come before."""
        if kind == "NBIRTH":
            return self.born and digest == self.digest
        if kind == "NDEATH" or not payload.HasField("seq") or payload.seq > 255:
            return False
        if self.sequence.repeats(payload.seq, digest):
            return True
        if self.sequence.follow(payload.seq):
            self.want(f"a gap before sequence number {payload.seq}", gap=True)
        elif self.gap and self.wanted is not None and not self.sequence.missing and self.count == 0:
            self.content()
        return False

    def due(self, passed: int) -> bool:
        """Whether to ask now; notes when the wish was first seen."""
        if self.wanted is None:
            return False
        self.since = passed if self.since is None else self.since
        ready = self.since + (REORDER if self.gap else 0)
        return passed >= ready and (self.asked is None or passed >= self.asked + self.pause)

    def ask(self, passed: int, now: int) -> Request:
        if self.asked is None or passed - self.asked >= 2 * LONGEST_PAUSE:
            self.pause = FIRST_PAUSE
        else:
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
        self.asked = passed
        self.count += 1
        return Request(self.name, self.spot.command, rebirth(now), self.wanted or "", self.count)


def _bd_seq(payload: Payload) -> int | None:
    for metric in payload.metrics:
        if metric.name == b"bdSeq":
            return metric.long_value if metric.WhichOneof("value") == "long_value" else metric.int_value
    return None


def rebirth(now: int) -> bytes:
    """The command that asks an edge node for all its births; ``now`` in microseconds UTC."""
    payload = new_payload()
    payload.timestamp = now // 1000
    metric = payload.metrics.add()
    metric.name, metric.timestamp, metric.datatype = b"Node Control/Rebirth", now // 1000, BOOLEAN
    metric.boolean_value = True
    return payload.SerializeToString()


class SparkplugHost:
    """The edge nodes that some meter belongs to; one thread uses it."""

    def __init__(self, devices: Mapping[EdgeTopic, Sequence[Binding]]) -> None:
        """``devices`` are the meters of each Sparkplug source."""
        self._nodes: dict[tuple[str, str], _Node] = {}
        for spot, bindings in devices.items():
            node = self._nodes.setdefault((spot.group, spot.edge), _Node(spot))
            node.devices[spot.device] = _Device(bindings)

    def points(self, message: Message, _bindings: Sequence[Binding], out: PointsBuilder) -> None:
        """The decoder: adds a point for each metric that a meter reads, and keeps what births and deaths tell.

        Raises PayloadError where the message, or a part of it, cannot be read.
        """
        spot = edge_topic(message.topic)
        node = None if spot is None else self._nodes.get((spot.group, spot.edge))
        if spot is None or node is None or spot.kind[1:] not in {"BIRTH", "DATA", "DEATH"}:
            return
        payload = parse(message.payload)
        device = node.devices.get(spot.device)
        digest = crc32(message.payload)
        # What a broker kept may be older than anything that came since.
        if not message.retained:
            repeated = node.repeats(spot.kind, payload, digest)
            if not repeated or spot.kind in {"DBIRTH", "DDEATH"}:
                _take(node, device, spot.kind, payload, digest)
        if device is not None and not spot.kind.endswith("DEATH"):
            _read(node, device, payload, out)

    def documents(self, *, final: bool = False) -> dict[str, str]:
        """What must be stored so that a restart can go on: nodes with a birth or death that is not :meth:`saved`.

        At the end also those whose sequence number has moved, so that a restart knows whether it missed something.
        """
        return {
            STATE_PREFIX + node.name: _write(node)
            for node in self._nodes.values()
            if node.unsaved or (final and node.sequence.last != node.saved_last)
        }

    def saved(self, names: Collection[str]) -> None:
        """Notes that these documents have been stored as they are now."""
        for node in self._nodes.values():
            if STATE_PREFIX + node.name in names:
                node.unsaved, node.saved_last = False, node.sequence.last

    def names(self) -> list[str]:
        """Names of the documents to look for at the start."""
        return [STATE_PREFIX + node.name for node in self._nodes.values()]

    def restore(self, documents: Mapping[str, str | None]) -> None:
        """Takes up what was stored; asks for the births that are not known."""
        for node in self._nodes.values():
            text = documents.get(STATE_PREFIX + node.name)
            if text is not None:
                _restore(node, json.loads(text))
            if not node.born:
                node.want(_BIRTH_OF_ALL)

    def requests(self, passed: int, now: int) -> list[Request]:
        """Rebirth commands that are due, each counted as sent.

        ``passed`` counts microseconds whatever the clock does; ``now`` is the time of day, microseconds UTC.
        """
        return [node.ask(passed, now) for node in self._nodes.values() if node.due(passed)]


def _take(node: _Node, device: _Device | None, kind: str, payload: Payload, digest: int) -> None:
    """What a message that has not come before tells of its node."""
    if kind == "NDEATH":
        node.death(payload)
        return
    if kind == "NBIRTH":
        node.birth(payload, digest)
    elif not node.born:
        node.want(_BIRTH_OF_ALL)
    if device is not None and kind.endswith("BIRTH"):
        device.birth(payload.metrics)
        node.unsaved = True
    elif device is not None and kind == "DDEATH":
        device.die()
        node.unsaved = True


def _read(node: _Node, device: _Device, payload: Payload, out: PointsBuilder) -> None:
    unread: list[str] = []
    for metric in payload.metrics:
        try:
            name = device.name_of(metric)
            if name is not None:
                _add_points(node, device, name, metric, payload, out)
        except UnreadableError as error:
            unread.append(str(error))
    if unread:
        text = unread[0] + (f", and {len(unread) - 1} more" if len(unread) > 1 else "")
        node.want(text)
        raise PayloadError(text, text)


def _add_points(node: _Node, device: _Device, name: str, metric: Metric, payload: Payload, out: PointsBuilder) -> None:
    known = device.known.get(name)
    try:
        value = value_of(metric, metric.datatype or (known.datatype if known else 0))
    except UnreadableError as error:
        raise UnreadableError(f"{name}: {error}") from None
    good, unit = properties_of(metric)
    if known is not None and unit not in (None, known.unit):
        known.unit, node.unsaved = unit, True
    time = instant_of(metric, payload)
    for bound in device.readers[name]:
        # Without a clock that counts, a value of the past belongs nowhere.
        own = time if bound.time is not None else (0, UNREADABLE) if metric.is_historical else NO_TIME
        if good:
            sent = None if bound.unit is None else unit or (known.unit if known else None)
            out.add(bound.meter, own, value, sent)
        else:
            out.add_bad(bound.meter, own, value)


def _write(node: _Node) -> str:
    devices = {
        name: {
            "read": sorted(device.readers),
            "born": device.born,
            "known": {metric: [known.datatype, known.unit, known.alias] for metric, known in device.known.items()},
            "others": device.others,
        }
        for name, device in node.devices.items()
    }
    document = {
        "born": node.born,
        "bd_seq": node.bd_seq,
        "digest": node.digest,
        "seq": node.sequence.last,
        "devices": devices,
    }
    return json.dumps(document)


def _restore(node: _Node, document: Mapping[str, Any]) -> None:
    node.born, node.bd_seq, node.digest = document["born"], document["bd_seq"], document["digest"]
    node.sequence.last = node.saved_last = document["seq"]
    for name, device in node.devices.items():
        entry = document["devices"].get(name)
        if entry is None or not device.readers.keys() <= set(entry["read"]):
            # Its birth, if there was one, was read for other meters than these.
            node.want("meters were added")
        elif entry["born"]:
            device.born, device.others = True, entry["others"]
            for metric, known in entry["known"].items():
                device.learn(metric, _Known(*known))
