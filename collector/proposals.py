"""From a message on a topic that no meter listens on, the meters that it could be. Pure.

A proposal is a meter as the configuration writes it. Of a known device it says what the device's file says. Of
anything else it says what names and units tell, and None for what a person must decide: whether a value is a register
or a delta is declared and never guessed. What is proposed is bounded in number and size, and so is the work.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from collector.decoders import DECODERS
from collector.dialects import shelly, tasmota
from collector.dialects.base import Message, PayloadError, document_of, text_of
from collector.dialects.sparkplug import metric_names
from collector.guesses import NOTHING, Guess, of_name, of_unit
from collector.points import PointsBuilder
from collector.scalars import DEVICE, NUMBER, text_number, time_of
from collector.topics import DEFAULT_PREFIX, Binding, Bindings
from wattwell.config.devices import ID, Device, Point
from wattwell.config.values import is_unicode
from wattwell.intervals import SECOND
from wattwell.units import AMOUNT_OF, QuantityKind

MOST = 8
"""Proposals of one topic."""
LONGEST = 2000
"""Characters of one, as JSON."""
LARGEST = 64 * 1024
"""Bytes of a payload that is looked into."""
_LONGEST_ID = 60
_NODES = 500
_DEPTH = 6
_LINES = 50
_TEXT = 16 * 1024
_TIMES = ("time", "Time", "ts", "timestamp", "datetime")
_TIME_UNITS = (("s", 1e9), ("ms", 1e12), ("us", 1e15), ("ns", 1e18))
_LINE = re.compile(r"((?:[^\s\\]|\\.)+) ([^\s\"\\]+)(?: -?[0-9]+)?\s*")
_HEAD = re.compile(r"(?:[^,\\]|\\.)+")
_FIELD_NUMBER = re.compile(r"(-?[0-9.]+(?:[eE][+-]?[0-9]+)?)[iu]?")
_VOLATILE = ("host=", "state=", "health=", "status_desc=", "status_code=", "unit=")
"""Tags that do not tell one meter from another."""
_SOURCE = re.compile(rb'"src"\s*:\s*"([^"]{1,100})"')
_COUNTED = (QuantityKind.ENERGY, QuantityKind.WATER)

Proposal = dict[str, Any]
"""A meter entry; None stands for what a person must decide."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A device's points on one topic pattern."""

    device: Device
    pattern: re.Pattern[str]
    points: Mapping[str, Point]


class Recogniser:
    """Knows devices by the topics and messages that they send."""

    def __init__(self, devices: Iterable[Device]) -> None:
        self._kinds = [kind for device in devices for kind in _kinds(device)]

    def propose(self, message: Message) -> tuple[Proposal, ...]:
        """The meters that a message could be, the best known first; none where it tells nothing."""
        if message.size >= 0 or len(message.payload) > LARGEST:
            return ()
        try:
            found = self._known(message) or list(_unknown(message))
        except PayloadError:
            return ()
        return tuple([one for one in found if _can_be_written(one)][:MOST])

    def _known(self, message: Message) -> list[Proposal]:
        sender = _SOURCE.search(message.payload[:400])
        source = sender[1].decode("utf-8", "replace") if sender else ""
        found: list[tuple[bool, Proposal]] = []
        for kind in self._kinds:
            match = kind.pattern.fullmatch(message.topic)
            if match is None:
                continue
            typical = kind.device.is_typical(match[1], source)
            found += [(typical, _of_device(kind, match[1], name)) for name in _sent(kind, match[1], message)]
        sure = [proposal for typical, proposal in found if typical]
        return sure or [proposal for _, proposal in found]


def _can_be_written(proposal: Proposal) -> bool:
    """Whether it is short enough, and a configuration can hold it; names that a device makes up may be neither."""
    text = json.dumps(proposal, ensure_ascii=False)
    return len(text) <= LONGEST and is_unicode(text)


def _kinds(device: Device) -> Iterator[_Kind]:
    by_topic: dict[str, dict[str, Point]] = {}
    for name, point in device.points.items():
        by_topic.setdefault(device.topic_of(point), {})[name] = point
    for topic, points in by_topic.items():
        if ID in topic and device.decoder in DECODERS:
            head, _, tail = topic.partition(ID)
            parts = (re.escape(part).replace(re.escape("+"), "[^/]+") for part in (head, tail))
            yield _Kind(device, re.compile("(.+)".join(parts)), points)


def _sent(kind: _Kind, identity: str, message: Message) -> list[str]:
    """The points of which a message carries a number."""
    names = list(kind.points)
    bindings = []
    for position, point in enumerate(kind.points.values()):
        source = kind.device.source(point, identity)
        value = source.get("value") or ("ENERGY.Total" if kind.device.decoder == "tasmota" else "")
        bindings.append(
            Binding(
                meter=position,
                site="",
                zone="UTC",
                name=names[position],
                decoder=kind.device.decoder,
                value=tuple(value.split(".")) if value else (),
                selector=value,
                time=None,
                time_unit=source.get("time_unit") or "s",
                unit=None,
            )
        )
    out = PointsBuilder()
    out.message(message.topic, message.received_at, retained=False)
    try:
        DECODERS[kind.device.decoder](message, Bindings(bindings), out)
    except PayloadError:
        return []
    points = out.build()
    return [names[row] for row in points.meter[points.form == NUMBER].tolist()]


def _of_device(kind: _Kind, identity: str, name: str) -> Proposal:
    point = kind.points[name]
    proposal = {"id": _slug(identity, name), "quantity": str(point.quantity), "accumulation": str(point.accumulation)}
    rate = {} if point.max_rate is None else {"max_rate": point.max_rate}
    return {**proposal, **rate, "source": {"device": kind.device.name, "id": identity, "point": name}}


def _unknown(message: Message) -> Iterator[Proposal]:
    levels = message.topic.split("/")
    if levels[0] == "spBv1.0":
        if len(levels) in (4, 5) and levels[2] in ("NBIRTH", "DBIRTH"):
            topic = "/".join([*levels[:2], "+", *levels[3:]])
            named = [(name, unit) for name, kind, unit in metric_names(message.payload) if _measures(name, kind)]
            yield from _offer(topic, "sparkplug", [(name, _better(name, unit)) for name, unit in named])
        return
    text = text_of(message.payload).strip()
    if text_number(text.partition(" ")[0])[1] == NUMBER and len(text.split()) in (1, 2):
        yield from _number(message.topic, text)
    elif text[:1] in ("{", "["):
        yield from _document(message)
    else:
        yield from _offer(message.topic, "influx", list(islice(_line_values(text), _LINES)))


def _on_default_topic(proposal: Proposal) -> Proposal:
    """The meter that a default topic means needs no source."""
    source, levels = proposal["source"], proposal["source"]["topic"].split("/")
    default = {"topic": "/".join(levels), "decoder": source["decoder"]}
    default |= {} if source["decoder"] == "plain" else {"value": "value"}
    if levels[0] != DEFAULT_PREFIX or len(levels) != 3 or source != default:
        return proposal
    return {**{key: value for key, value in proposal.items() if key != "source"}, "id": _slug(levels[2])}


def _measures(name: str, datatype: str) -> bool:
    number = datatype.startswith(("Int", "UInt", "Float", "Double"))
    return number and name != "bdSeq" and not name.startswith(("Node Control/", "Device Control/"))


def _number(topic: str, text: str) -> Iterator[Proposal]:
    name = "/".join(topic.split("/")[-2:])
    unit = of_unit(text.partition(" ")[2].strip())
    yield _on_default_topic(_entry(topic, "plain", None, unit if unit != NOTHING else of_name(name)))


def _document(message: Message) -> Iterator[Proposal]:
    document = document_of(message.payload)
    topic = message.topic
    if isinstance(document, list):
        yield from _offer(topic, "senml", list(_records(document)))
    elif isinstance(document, dict) and document.get("method") in ("NotifyStatus", "NotifyFullStatus"):
        parts, _, _ = shelly.components_of(message)
        yield from _offer(topic, "shelly", list(_components(parts)))
    elif isinstance(document, dict) and _is_tasmota(topic, document):
        telemetry = tasmota.telemetry_of(message)
        units = [(path, of_unit(tasmota.unit_of(path.split("."), telemetry))) for path, _ in _leaves(telemetry)]
        yield from _offer(topic, "tasmota", [(path, guess) for path, guess in units if guess != NOTHING])
    elif isinstance(document, dict):
        beside = of_unit(document.get("unit"))
        named = [
            (path, beside if path == "value" and beside != NOTHING else of_name(path)) for path, _ in _leaves(document)
        ]
        for proposal in _offer(topic, "json", named):
            proposal["source"].update(_clock(document))
            yield _on_default_topic(proposal)


def _is_tasmota(topic: str, document: Mapping[str, object]) -> bool:
    return "StatusSNS" in document or (topic.endswith("/SENSOR") and "Time" in document)


def _leaves(document: object) -> Iterator[tuple[str, float]]:
    """Path and number of each number in a document, level by level."""
    level: list[tuple[str, object]] = [("", document)]
    seen = 0
    for _ in range(_DEPTH):
        below: list[tuple[str, object]] = []
        for path, node in level:
            inner: Iterable[tuple[object, object]] = ()
            if isinstance(node, dict):
                inner = node.items()
            elif isinstance(node, list):
                inner = enumerate(node)
            for key, value in inner:
                seen += 1
                if seen > _NODES:
                    return
                name = f"{path}.{key}" if path else str(key)
                if isinstance(value, dict | list):
                    below.append((name, value))
                elif isinstance(value, int | float) and not isinstance(value, bool) and all(name.split(".")):
                    yield name, value
        level = below


def _clock(document: Mapping[str, object]) -> dict[str, str]:
    """Where a document's time is, as a source says it."""
    for key in _TIMES:
        value = document.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            unit = next((name for name, least in _TIME_UNITS if least <= value < 10 * least), None)
            if unit is not None:
                return ({} if key == "time" else {"time": key}) | ({} if unit == "s" else {"time_unit": unit})
        elif isinstance(value, str) and time_of(value)[1] == DEVICE:
            return {} if key == "time" else {"time": key}
    return {}


def _records(pack: Sequence[object]) -> Iterator[tuple[str, Guess]]:
    """Name and guess of each SenML record with a number."""
    base, unit = "", None
    for record in pack[:_NODES]:
        if not isinstance(record, dict):
            return
        name, base = record.get("n", ""), record.get("bn", base)
        unit = record.get("bu", unit)
        if not isinstance(name, str) or not isinstance(base, str) or not base + name:
            return
        if isinstance(record.get("v", record.get("bv")), int | float):
            sent = record.get("u", unit)
            yield base + name, _better(base + name, {"Cel": "degC", "l": "L", "l/s": "L/s"}.get(str(sent), sent))


def _components(parts: Mapping[str, object]) -> Iterator[tuple[str, Guess]]:
    for path, _ in _leaves({name: part for name, part in parts.items() if ":" in name}):
        guess = of_unit(shelly.unit_of(path.rpartition(".")[2]))
        if guess[0] is not None and ".by_minute" not in path:
            yield path, guess


def _line_values(text: str) -> Iterator[tuple[str, Guess]]:
    """Selector and guess of each number in line protocol."""
    for line in text[:_TEXT].splitlines()[:_LINES]:
        found = _LINE.fullmatch(line)
        if found is None:
            return
        measurement, *tags = _HEAD.findall(found[1])
        head = ",".join([measurement, *(tag for tag in tags if "=" in tag and not tag.startswith(_VOLATILE))])
        for field in found[2].split(","):
            key, _, value = field.partition("=")
            if key and _FIELD_NUMBER.fullmatch(value):
                yield f"{head} {key}", of_name(f"{measurement} {key}")


def _better(name: str, unit: object) -> Guess:
    """What a unit tells, else what a name does."""
    guess = of_unit(unit)
    return guess if guess[0] is not None else of_name(name)


def _offer(topic: str, decoder: str, named: Sequence[tuple[str, Guess]]) -> Iterator[Proposal]:
    """Entries for the values that look metered; where none does, for the first that there are."""
    telling = [(name, guess) for name, guess in named if guess[0] is not None]
    for name, guess in dict((telling or list(named))[: 4 * MOST]).items():
        yield _entry(topic, decoder, name, guess)


def _entry(topic: str, decoder: str, value: str | None, guess: Guess) -> Proposal:
    quantity, unit = guess
    entry: Proposal = {
        "id": _slug(topic.replace("/+/", "/"), value or ""),
        "quantity": None if quantity is None else str(quantity),
    }
    entry["accumulation"] = None if quantity is None or quantity in _COUNTED else "instantaneous"
    entry["unit"] = unit
    if quantity is None or (quantity in AMOUNT_OF and quantity in _COUNTED):
        entry["max_rate"] = None
    source = {"topic": topic, "decoder": decoder}
    return {**entry, "source": source if value is None else {**source, "value": value}}


def _slug(*parts: str) -> str:
    """A meter id made of names, as far as they may be part of one."""
    text = re.sub(r"[^A-Za-z0-9_.]+", "-", "-".join(part[-_LONGEST_ID:] for part in parts))
    return text[-_LONGEST_ID:].strip("-._") or "meter"


class Proposer:
    """Proposals for new topics, as many a second as cost little, so that a flood of topics stays cheap."""

    PER_SECOND = 20

    def __init__(self, devices: Callable[[], Iterable[Device]]) -> None:
        """``devices`` is asked at the first topic that no meter listens on."""
        self._devices = devices
        self._recogniser: Recogniser | None = None
        self._second = 0
        self._made = 0

    def propose(self, message: Message) -> tuple[Proposal, ...]:
        """The meters that a message could be; none where the second's share is used up, to be asked again."""
        second = message.received_at // SECOND
        if second != self._second:
            self._second, self._made = second, 0
        if self._made >= self.PER_SECOND:
            return ()
        self._made += 1
        if self._recogniser is None:
            self._recogniser = Recogniser(self._devices())
        return self._recogniser.propose(message)
