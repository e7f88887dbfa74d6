"""Topics: what each meter listens on, that no message feeds two meters, and what to subscribe to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from wattwell.config.dialects import source_of
from wattwell.config.filters import FilterTree, covers, is_filter, overlap, unshared
from wattwell.config.places import Faults, Place
from wattwell.config.sites import Draft

DEFAULT_SUBSCRIPTION = "wattwell/#"
"""Covers the default topics of every site."""


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
        first: dict[str, str] = {}
        tree = FilterTree()
        for topic, place, meter in bound:
            # One on the same topic is named before one on a filter, and that before one on another topic.
            near = sorted(tree.overlapping(topic), key=lambda seen: (seen != topic, not is_filter(seen)))
            other = first[near[0]] if near else None
            if other is not None and other != meter:
                remedy = f"the value {path} of this topic already feeds the meter {other}; give each its own"
                faults.add(place, f"{remedy} topic or value path", topic)
            first.setdefault(topic, meter)
            tree.add(topic)


def subscriptions(drafts: Sequence[Draft]) -> tuple[str, ...]:
    """What to subscribe to where the configuration does not say: the default topics and each meter's own."""
    sources = [entry.raw.source for draft in drafts for entry in draft.meters.values()]
    topics = dict.fromkeys(heard(source.topic, source.decoder) for source in sources if source is not None)
    return (DEFAULT_SUBSCRIPTION, *(topic for topic in topics if not covers(DEFAULT_SUBSCRIPTION, topic)))


def check_shared(drafts: Sequence[Draft], subscribed: Sequence[str], faults: Faults) -> None:
    """A shared subscription that brings what a Sparkplug source reads is a fault: births tell of what follows."""
    sources = [entry.raw.source for draft in drafts for entry in draft.meters.values()]
    births = [heard(each.topic, each.decoder) for each in sources if each is not None and each.decoder == "sparkplug"]
    for pattern in subscribed:
        shared = unshared(pattern) != pattern
        found = next((topic for topic in births if shared and overlap(unshared(pattern), topic)), None)
        if found is not None:
            remedy = "what a Sparkplug device sends is told by its birth, which another collector may get; share "
            remedy += f"filters that do not match {found}, and give that one to one collector"
            faults.add(Place() / "mqtt" / "subscribe", remedy, pattern)


def heard(topic: str, decoder: str | None) -> str:
    """What a source must hear: of a Sparkplug edge node everything, its devices included."""
    return "/".join([*topic.split("/")[:4], "#"]) if decoder == "sparkplug" else topic


def unheard(drafts: Sequence[Draft], subscribed: Sequence[str]) -> list[str]:
    """A note for each meter whose topic no subscription covers."""
    filters = FilterTree(unshared(topic) for topic in subscribed)
    heard: dict[str, bool] = {}
    silent: dict[str, str] = {}
    for topic, _, _, meter in _bindings(drafts):
        heard[meter] = heard.get(meter, False) or bool(filters.overlapping(topic))
        silent.setdefault(meter, topic)
    return [
        f"mqtt.subscribe: nothing covers {silent[meter]} of the meter {meter}; add a filter for it"
        for meter, known in heard.items()
        if not known
    ]
