"""From MQTT topics to meters. Pure.

A meter with a ``source`` listens on that topic filter. A meter without one listens on ``wattwell/SITE/METER`` and is
named in the documents on ``wattwell/SITE``. Many meters may share one topic, each with a path of its own into the
document, which is decoded once. Of a Sparkplug edge node with a meter every message is read, since births, deaths and
sequence numbers belong to the node as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from collector.normalise import MeterTable
from collector.scalars import LONGEST_TOPIC
from wattwell.config.filters import FilterTree, is_filter, unshared
from wattwell.model import Meter, Site, Source

DEFAULT_PREFIX = "wattwell"
"""First level of the default topics."""
SPARKPLUG = "sparkplug"
"""Name of the decoder that reads whole edge nodes."""
_SPARKPLUG_PREFIX = "spBv1.0"
_NO_READINGS = frozenset({"NDEATH", "DDEATH", "NCMD", "DCMD"})
_REMEMBERED = 50_000
"""Topics whose route is kept; a flood of others makes it start anew."""
_Prepared = TypeVar("_Prepared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One meter's place in the messages of a topic."""

    meter: int
    """Position in the meter table."""
    site: str
    zone: str
    """The site's IANA zone, for devices that send local times."""
    name: str
    decoder: str
    value: tuple[str, ...]
    """Path of the value, cut at its dots."""
    selector: str
    """``value`` as written, for dialects that select in another way."""
    time: tuple[str, ...] | None
    time_unit: str
    unit: tuple[str, ...] | None


class Bindings(tuple[Binding, ...]):
    """The meters that one decoder reads a topic's messages for, with what it has prepared to find them fast."""

    _made: dict[Callable[[Sequence[Binding]], Any], Any]

    def __new__(cls, bindings: Iterable[Binding]) -> Self:
        """Bindings with nothing prepared."""
        self = super().__new__(cls, bindings)
        self._made = {}
        return self

    def prepared(self, prepare: Callable[[Sequence[Binding]], _Prepared]) -> _Prepared:
        """What ``prepare`` makes of these bindings: made once, at the first message."""
        if prepare not in self._made:
            self._made[prepare] = prepare(self)
        made: _Prepared = self._made[prepare]
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBinding:
    """The default topic of a site, on which one message carries many meters."""

    site: str
    meters: Mapping[str, int]
    """Position in the meter table by meter id."""


@dataclass(frozen=True, slots=True)
class EdgeTopic:
    """What a Sparkplug topic or source names: ``spBv1.0/GROUP/KIND/EDGE[/DEVICE]``."""

    group: str
    kind: str
    """NBIRTH, NDATA, NDEATH, NCMD, the same with D of a device, or a wildcard."""
    edge: str
    device: str
    """Empty for the edge node itself."""

    @property
    def whole(self) -> str:
        """The filter of every message of the edge node and its devices."""
        return f"{_SPARKPLUG_PREFIX}/{self.group}/+/{self.edge}/#"

    @property
    def command(self) -> str:
        """The topic on which the edge node takes commands."""
        return f"{_SPARKPLUG_PREFIX}/{self.group}/NCMD/{self.edge}"


def edge_topic(topic: str) -> EdgeTopic | None:
    """The parts of a Sparkplug topic, None for others.

    >>> edge_topic("spBv1.0/plant/DDATA/edge1/pdu7")
    EdgeTopic(group='plant', kind='DDATA', edge='edge1', device='pdu7')
    """
    levels = topic.split("/")
    if len(levels) not in (4, 5) or levels[0] != _SPARKPLUG_PREFIX:
        return None
    return EdgeTopic(levels[1], levels[2], levels[3], levels[4] if len(levels) == 5 else "")


@dataclass(frozen=True, slots=True)
class Route:
    """Everything that a topic's messages are read for."""

    bindings: Mapping[str, Bindings]
    """By decoder."""
    site: SiteBinding | None = None
    """Of the site whose default topic it is."""

    def owner(self) -> tuple[str | None, str | None]:
        """Site and meter that a message belongs to, each None where there are several."""
        owners: set[tuple[str, str | None]]
        owners = {(bound.site, bound.name) for group in self.bindings.values() for bound in group}
        if self.site is not None:
            owners.add((self.site.site, None))
        sites = {site for site, _ in owners}
        return next(iter(sites)) if len(sites) == 1 else None, next(iter(owners))[1] if len(owners) == 1 else None


_Bound = Binding | SiteBinding | EdgeTopic
"""What may stand behind a topic filter; an EdgeTopic for all that its edge node sends."""


class Router:
    """Finds the route of a topic: exact topics by one look-up, wildcards once for each topic seen."""

    def __init__(self, sites: Iterable[Site], table: MeterTable) -> None:
        self._exact: dict[str, list[_Bound]] = {}
        self._filters: dict[str, list[_Bound]] = {}
        self._wild = FilterTree()
        self.devices: dict[EdgeTopic, list[Binding]] = {}
        """The meters of each Sparkplug source."""
        self._sites = {site.id: site for site in sites}
        self._seen: dict[str, Route | None] = {}
        self._routes: dict[tuple[str, ...], Route] = {}
        for meter in table.meters:
            self._bind(meter, table.position[meter.site, meter.id])
        for site in self._sites.values():
            self._bind_site(site, table)

    def _bind(self, meter: Meter, position: int) -> None:
        source = meter.source or Source(topic=f"{DEFAULT_PREFIX}/{meter.site}/{meter.id}")
        binding = Binding(
            meter=position,
            site=meter.site,
            zone=self._sites[meter.site].zone,
            name=meter.id,
            decoder=source.decoder,
            value=_path(source.value),
            selector=source.value,
            time=None if source.time is None else _path(source.time),
            time_unit=source.time_unit,
            unit=None if source.unit is None else _path(source.unit),
        )
        self._add(source.topic, binding)
        spot = edge_topic(source.topic) if source.decoder == SPARKPLUG else None
        if spot is not None:
            self._add(spot.whole, spot)
            self.devices.setdefault(spot, []).append(binding)

    def _bind_site(self, site: Site, table: MeterTable) -> None:
        meters = {
            meter.id: table.position[site.id, meter.id]
            for meter in site.meters.values()
            if meter.source is None and not meter.virtual
        }
        if meters:
            self._add(f"{DEFAULT_PREFIX}/{site.id}", SiteBinding(site=site.id, meters=meters))

    def _add(self, pattern: str, bound: _Bound) -> None:
        where = self._exact
        if is_filter(pattern):
            where = self._filters
            self._wild.add(pattern)
        where.setdefault(pattern, []).append(bound)

    def route(self, topic: str) -> Route | None:
        """What a topic's messages are read for; None where no meter listens."""
        if topic in self._seen:
            return self._seen[topic]
        patterns = [topic] if topic in self._exact else []
        patterns += self._wild.covering(topic)
        route = self._shared(tuple(patterns)) if patterns else None
        if len(topic) <= LONGEST_TOPIC:
            if len(self._seen) == _REMEMBERED:
                self._seen.clear()
                self._routes.clear()
            self._seen[topic] = route
        return route

    def _shared(self, patterns: tuple[str, ...]) -> Route:
        """One route for all topics that the same patterns match, however many topics there are."""
        if patterns not in self._routes:
            found = [bound for pattern in patterns for bound in self._exact.get(pattern) or self._filters[pattern]]
            self._routes[patterns] = _route(found)
        return self._routes[patterns]

    def is_stray(self, topic: str, route: Route | None) -> bool:
        """Whether messages on a topic carry readings that no meter takes, so that they are worth listing."""
        if route is not None and (route.site or any(route.bindings.values())):
            return False
        spot = edge_topic(topic)
        if spot is None:
            return not topic.startswith(f"{_SPARKPLUG_PREFIX}/STATE/")
        # Of a node that we follow its own births and data are read for its devices' sake.
        return spot.kind not in _NO_READINGS and (route is None or spot.device != "")

    def named(self, topic: str) -> tuple[str | None, str | None]:
        """Site and meter that an unmapped topic means by the default scheme, where it follows it."""
        levels = topic.split("/")
        if len(levels) in (2, 3) and levels[0] == DEFAULT_PREFIX and levels[1] in self._sites:
            return levels[1], levels[2] if len(levels) == 3 else None
        return None, None

    def filters(self) -> tuple[str, ...]:
        """Topic filters to subscribe to, none of them inside another: the sources', and ``wattwell/SITE/#``.

        The latter also brings messages for meters that do not exist, so that they can be listed.
        """
        wanted = {pattern for pattern in (*self._exact, *self._filters) if not self._is_default(pattern)}
        wanted |= {
            f"{DEFAULT_PREFIX}/{bound.site}/#"
            for group in self._exact.values()
            for bound in group
            if isinstance(bound, SiteBinding)
        }
        tree = FilterTree(wanted)
        return tuple(sorted(own for own in wanted if tree.covering(own) == [own]))

    def uncovered(self, subscribed: Sequence[str]) -> tuple[str, ...]:
        """Filters of meters that a configured list of subscriptions would not bring."""
        plain = FilterTree(unshared(pattern) for pattern in subscribed)
        return tuple(own for own in self.filters() if not plain.covering(own))

    def _is_default(self, pattern: str) -> bool:
        bound = self._exact.get(pattern, [])
        if any(isinstance(one, SiteBinding) for one in bound):
            return True
        levels = pattern.split("/")
        site = self._sites.get(levels[1]) if len(levels) == 3 and levels[0] == DEFAULT_PREFIX else None
        meter = site.meters.get(levels[2]) if site else None
        return meter is not None and meter.source is None and not meter.virtual


def _path(text: str) -> tuple[str, ...]:
    """A path cut at its dots; the empty one is the document itself."""
    return tuple(text.split(".")) if text else ()


def _route(found: Sequence[_Bound]) -> Route:
    groups: dict[str, list[Binding]] = {}
    for bound in found:
        if isinstance(bound, Binding):
            groups.setdefault(bound.decoder, []).append(bound)
        elif isinstance(bound, EdgeTopic):
            groups.setdefault(SPARKPLUG, [])
    return Route(
        {decoder: Bindings(group) for decoder, group in groups.items()},
        next((bound for bound in found if isinstance(bound, SiteBinding)), None),
    )
