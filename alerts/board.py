"""The alert board: every rule on every site, its state, its open alert and what came before. Pure.

The board is stepped one site and one grid edge at a time (:func:`advance`), since sites reach an edge at different
times. It survives a restart as two documents a site, written together: the states with the open alerts, which change
with every step, and the history, which grows when an alert ends. Loading changes nothing: a rule whose threshold was
changed in the meantime is judged anew by the next step, and the open alert of a rule that is no longer configured
ends with the next step too. Its history is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from alerts import documents
from alerts.machine import NO_DATA_SUFFIX, AlertState, Context, Phase, Sample, Status, Transition, data_alert_name, step
from alerts.notification import Notification
from alerts.wording import labels_of, transition_annotations
from wattwell.errors import UsageError
from wattwell.intervals import iso
from wattwell.model import AlertRule

HISTORY_LIMIT = 1000
"""Ended alerts kept by site and alert name; what goes beyond is counted in ``SiteBoard.dropped``."""
VERSION = 1

Samples = Mapping[tuple[str, str], Sample]
"""(kpi, window) -> the figure at one edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One alert from its beginning to its end, as it was told; times are microseconds UTC, data time."""

    name: str
    """The rule's name, or that of its data alert."""
    rule: str
    fired_at: int
    resolved_at: int | None
    """None while it is open."""
    value: float | None
    """When it fired; once it has ended, when it ended."""
    provisional: bool
    """Of ``value``."""
    context: Context
    """What belongs beside ``value``."""
    peak: float | None
    """The worst value judged; None for a data alert."""
    labels: Mapping[str, str]
    """As they were when it fired, so that its end carries the same."""
    annotations: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, by field."""
        return {
            "name": self.name,
            "rule": self.rule,
            "fired_at": self.fired_at,
            "resolved_at": self.resolved_at,
            "value": self.value,
            "provisional": self.provisional,
            "context": self.context.to_json(),
            "peak": self.peak,
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Episode:
        """The episode of a document of :meth:`to_json`; KeyError or TypeError when it is none."""
        return cls(**{**document, "context": Context(**document["context"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBoard:
    """The alerts of one site."""

    at: int | None = None
    """The last edge stepped, microseconds UTC; the next to step is one grid interval later."""
    states: Mapping[str, AlertState] = field(default_factory=dict)
    """By rule name."""
    open: Mapping[str, Episode] = field(default_factory=dict)
    """By alert name: what is firing, the data alerts among it."""
    history: Mapping[str, tuple[Episode, ...]] = field(default_factory=dict)
    """By alert name: what has ended, oldest first."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By alert name: how many ended alerts are no longer kept."""


_UNSTEPPED = SiteBoard()
_NEVER = AlertState()


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The alerts of every site."""

    sites: Mapping[str, SiteBoard] = field(default_factory=dict)

    def site(self, site: str) -> SiteBoard:
        """The alerts of a site; empty for one that was never stepped."""
        return self.sites.get(site, _UNSTEPPED)


def rules_of(rules: Iterable[AlertRule], site: str) -> tuple[AlertRule, ...]:
    """The rules that watch a site; UsageError when two of them, or a rule and a data alert, share a name."""
    chosen = tuple(rule for rule in rules if not rule.sites or site in rule.sites)
    taken: set[str] = set()
    for rule in chosen:
        names = {rule.name, data_alert_name(rule)}
        if clash := names & taken:
            raise UsageError(f"alert name {min(clash)} is used twice on site {site}; give each rule a name of its own")
        taken |= names
    return chosen


def needed(rules: Iterable[AlertRule], site: str) -> frozenset[tuple[str, str]]:
    """The (kpi, window) pairs that :func:`advance` wants to see for a site."""
    return frozenset((rule.kpi, rule.window) for rule in rules if not rule.sites or site in rule.sites)


def advance(
    board: Board,
    rules: Sequence[AlertRule],
    site: str,
    at: int,
    samples: Samples,
    warming: Collection[tuple[str, str]] = (),
) -> tuple[Board, tuple[Notification, ...]]:
    """The board after the grid edge ``at`` of a site, and what there is to tell.

    A pair (kpi, window) that ``samples`` lacks is a figure without a value; rules on a pair in ``warming``, whose
    window reaches back before the site's first data, wait as they are. An edge that was stepped before changes
    nothing. A sample of another edge is a ValueError.
    """
    before = board.site(site)
    if before.at is not None and at <= before.at:
        return board, ()
    watching = rules_of(rules, site)
    after, told = _retire(before, {rule.name for rule in watching}, site, at)
    states: dict[str, AlertState] = {}
    missing = Sample(at, None)
    for rule in watching:
        if (rule.kpi, rule.window) in warming:
            states[rule.name] = after.states.get(rule.name, _NEVER)
            continue
        sample = samples.get((rule.kpi, rule.window), missing)
        if sample.at != at:
            raise ValueError(f"alert {rule.name}: the sample is of edge {iso(sample.at)}, the step of edge {iso(at)}")
        states[rule.name], turned = step(rule, after.states.get(rule.name, _NEVER), sample)
        for each in turned:
            after, notification = _book(after, rule, site, states[rule.name], each)
            told.append(notification)
    after = replace(after, at=at, states=states)
    return Board(sites={**board.sites, site: after}), tuple(told)


def open_notifications(board: Board) -> tuple[Notification, ...]:
    """What is firing now, for someone who has not been told: oldest first."""
    found = [_told(site, episode) for site, alerts in board.sites.items() for episode in alerts.open.values()]
    return tuple(sorted(found, key=lambda each: (each.starts_at, each.key)))


def _book(
    alerts: SiteBoard, rule: AlertRule, site: str, state: AlertState, turned: Transition
) -> tuple[SiteBoard, Notification]:
    annotations = transition_annotations(rule, site, state, turned)
    if turned.status is Status.RESOLVED:
        return _close(
            alerts,
            site,
            replace(
                alerts.open[turned.name],
                resolved_at=turned.at,
                value=turned.value,
                provisional=state.provisional,
                context=state.context,
                peak=turned.peak,
                annotations=annotations,
            ),
        )
    begun = Episode(
        name=turned.name,
        rule=rule.name,
        fired_at=turned.at,
        resolved_at=None,
        value=turned.value,
        provisional=state.provisional,
        context=state.context,
        peak=turned.peak,
        labels=labels_of(rule, site, data=turned.data),
        annotations=annotations,
    )
    return replace(alerts, open={**alerts.open, begun.name: begun}), _told(site, begun)


def _close(alerts: SiteBoard, site: str, ended: Episode) -> tuple[SiteBoard, Notification]:
    kept = (*alerts.history.get(ended.name, ()), ended)
    surplus = max(len(kept) - HISTORY_LIMIT, 0)
    dropped = alerts.dropped
    if surplus:
        dropped = {**dropped, ended.name: dropped.get(ended.name, 0) + surplus}
    still_open = {name: episode for name, episode in alerts.open.items() if name != ended.name}
    history = {**alerts.history, ended.name: kept[surplus:]}
    return replace(alerts, open=still_open, history=history, dropped=dropped), _told(site, ended)


def _retire(alerts: SiteBoard, rules: Set[str], site: str, at: int) -> tuple[SiteBoard, list[Notification]]:
    """Ends the open alerts of rules that are no longer configured: nothing would ever clear them."""
    told: list[Notification] = []
    for episode in tuple(alerts.open.values()):
        if episode.rule in rules:
            continue
        summary = (
            f"{episode.name} on {site} ended because {episode.rule} is no longer configured, not because it cleared."
        )
        ended = replace(episode, resolved_at=at, annotations={**episode.annotations, "summary": summary})
        alerts, notification = _close(alerts, site, ended)
        told.append(notification)
    return alerts, told


def _told(site: str, episode: Episode) -> Notification:
    return Notification(
        site=site,
        name=episode.name,
        status=Status.FIRING if episode.resolved_at is None else Status.RESOLVED,
        starts_at=episode.fired_at,
        ends_at=episode.resolved_at,
        labels=episode.labels,
        annotations=episode.annotations,
    )


def documents_of(board: Board, since: Board | None = None) -> dict[str, str]:
    """The board as named documents for one call of ``ReadingStore.save_states``: those that differ from ``since``."""
    written: dict[str, str] = {}
    for site, alerts in board.sites.items():
        before = None if since is None else since.sites.get(site)
        if before is alerts:
            continue
        states = _states_name(site)
        written[states] = documents.write(states, VERSION, _states_document(alerts))
        if before is None or before.history is not alerts.history:
            history = _history_name(site)
            written[history] = documents.write(history, VERSION, _history_document(alerts))
    return written


def load(sites: Iterable[str], load_state: Callable[[str], str | None]) -> Board:
    """The board of these sites from stored documents; DocumentError for one that cannot be read."""
    found: dict[str, SiteBoard] = {}
    for site in sites:
        name, history = _states_name(site), load_state(_history_name(site))
        if (text := load_state(name)) is None:
            continue
        alerts = documents.read(text, name, VERSION, _parse_states)
        if history is not None:
            kept, dropped = documents.read(history, _history_name(site), VERSION, _parse_history)
            alerts = replace(alerts, history=kept, dropped=dropped)
        found[site] = alerts
    return Board(sites=found)


def _states_name(site: str) -> str:
    return f"alerts.states:{site}"


def _history_name(site: str) -> str:
    return f"alerts.history:{site}"


def _states_document(alerts: SiteBoard) -> dict[str, Any]:
    return {
        "at": alerts.at,
        "states": {name: state.to_json() for name, state in alerts.states.items()},
        "open": [episode.to_json() for episode in alerts.open.values()],
    }


def _history_document(alerts: SiteBoard) -> dict[str, Any]:
    return {
        "history": [episode.to_json() for episodes in alerts.history.values() for episode in episodes],
        "dropped": dict(alerts.dropped),
    }


def _parse_states(document: Mapping[str, Any]) -> SiteBoard:
    states = {name: AlertState.from_json(state) for name, state in document["states"].items()}
    opened = {episode["name"]: Episode.from_json(episode) for episode in document["open"]}
    firing = {name for name, state in states.items() if state.phase is Phase.FIRING}
    outages = {name + NO_DATA_SUFFIX for name, state in states.items() if state.data_fired_at is not None}
    if set(opened) != firing | outages:
        raise ValueError(f"open alerts {sorted(opened)} where the states say {sorted(firing | outages)}")
    return SiteBoard(at=document["at"], states=states, open=opened)


def _parse_history(document: Mapping[str, Any]) -> tuple[dict[str, tuple[Episode, ...]], dict[str, int]]:
    by_name: dict[str, list[Episode]] = {}
    for episode in document["history"]:
        by_name.setdefault(episode["name"], []).append(Episode.from_json(episode))
    return {name: tuple(episodes) for name, episodes in by_name.items()}, dict(document["dropped"])
