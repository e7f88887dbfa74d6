"""Topics: what each meter listens on, that no message feeds two meters, and what to subscribe to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from wattwell.config.dialects import source_of
from wattwell.config.places import Faults, Place
from wattwell.config.schema import RawSource
from wattwell.config.sites import Draft

DEFAULT_SUBSCRIPTION = "wattwell/#"
"""Covers the default topics of every site."""


def topics_overlap(one: str, other: str) -> bool:
    """Whether some topic matches both filters (MQTT 5, 4.7)."""
    left, right = one.split("/"), other.split("/")
    for a, b in zip(left, right, strict=False):
        if "#" in (a, b):
            return True
        if a != b and "+" not in (a, b):
            return False
    if len(left) == len(right):
        return True
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    return longer[len(shorter)] == "#"


def covers(outer: str, inner: str) -> bool:
    """Whether every topic that ``inner`` matches is matched by ``outer``."""
    wide, narrow = outer.split("/"), inner.split("/")
    for position, level in enumerate(wide):
        if level == "#":
            return True
        if position >= len(narrow) or narrow[position] == "#" or (level != "+" and level != narrow[position]):
            return False
    return len(wide) == len(narrow)


def _bindings(drafts: Sequence[Draft]) -> Iterable[tuple[str, str, Place, str]]:
    """(topic filter, value path, place, meter) of every real meter; two for one on the default topics."""
    for draft in drafts:
        site = draft.raw.id
        for meter, entry in draft.meters.items():
            raw, named = entry.raw, f"{site or draft.place}/{meter}"
            if raw.source is not None:
                source = source_of(raw.source)
                yield source.topic, source.value, entry.place / "source", named
            elif raw.formula is None and site is not None and not raw.broken("source"):
                yield f"wattwell/{site}/{meter}", "value", entry.place, named
                yield f"wattwell/{site}", f"values.{meter}", entry.place, named


def check_sources(drafts: Sequence[Draft], faults: Faults) -> None:
    """Two meters of all sites on the same topic and value path are a fault: one message would count twice."""
    by_path: dict[str, list[tuple[str, Place, str]]] = defaultdict(list)
    for topic, path, place, meter in _bindings(drafts):
        by_path[path].append((topic, place, meter))
    for path, bound in by_path.items():
        exact: dict[str, str] = {}
        wild: list[tuple[str, str]] = []
        for topic, place, meter in bound:
            other = exact.get(topic) or next((name for filt, name in wild if topics_overlap(filt, topic)), None)
            if "+" in topic or "#" in topic:
                other = other or next((name for seen, name in exact.items() if topics_overlap(seen, topic)), None)
                wild.append((topic, meter))
            if other is not None and other != meter:
                remedy = f"the value {path} of this topic already feeds the meter {other}; give each its own"
                faults.add(place, f"{remedy} topic or value path", topic)
            exact.setdefault(topic, meter)


def subscriptions(drafts: Sequence[Draft]) -> tuple[str, ...]:
    """What to subscribe to where the configuration does not say: the default topics and each meter's own."""
    sources = [entry.raw.source for draft in drafts for entry in draft.meters.values()]
    topics = dict.fromkeys(_heard(source) for source in sources if source is not None)
    return (DEFAULT_SUBSCRIPTION, *(topic for topic in topics if not covers(DEFAULT_SUBSCRIPTION, topic)))


def _heard(source: RawSource) -> str:
    """What a source must hear: of a Sparkplug edge node everything, its devices included."""
    levels = source.topic.split("/")
    return "/".join([*levels[:4], "#"]) if source.decoder == "sparkplug" else source.topic


def unheard(drafts: Sequence[Draft], subscribed: Sequence[str]) -> list[str]:
    """A note for each meter whose topic no subscription covers."""
    filters = [topic.split("/", 2)[2] if topic.startswith("$share/") else topic for topic in subscribed]
    heard: dict[str, bool] = {}
    silent: dict[str, str] = {}
    for topic, _, _, meter in _bindings(drafts):
        heard[meter] = heard.get(meter, False) or any(topics_overlap(filt, topic) for filt in filters)
        silent.setdefault(meter, topic)
    return [
        f"mqtt.subscribe: nothing covers {silent[meter]} of the meter {meter}; add a filter for it"
        for meter, known in heard.items()
        if not known
    ]
