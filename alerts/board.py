"""The alert board: every rule on every site, its state, its open alert and what came before. Pure.

The board is stepped one site and one grid edge at a time (:func:`advance`), since sites reach an edge at different
times. It survives a restart as two documents a site, written together: the states with the open alerts, which change
with every step, and the history, which grows when an alert ends. Loading changes nothing: a rule whose threshold was
changed in the meantime is judged anew by the next step, and the open alert of a rule that is no longer configured
ends with the next step too. Its history is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alerts import documents
from alerts.inhibition import Basis, Place, inhibitors, place_of
from alerts.machine import (
    NO_DATA_SUFFIX,
    WITH_DATA_ALERT,
    AlertState,
    Context,
    Key,
    Phase,
    Sample,
    Status,
    Transition,
    data_alert_name,
    key_of,
    step,
)
from alerts.notification import Notification
from alerts.wording import labels_of, transition_annotations
from wattwell.errors import UsageError
from wattwell.intervals import iso
from wattwell.model import ANY_METER, PER_PART, AlertRule

HISTORY_LIMIT = 1000
"""Ended alerts kept by site, alert name and meter; what goes beyond is counted in ``SiteBoard.dropped``."""
VERSION = 2
"""Version 1 had neither meters nor anything that was not told."""
NO_SITE = ""
"""In place of a site: rules that belong to none."""

Samples = Mapping[Key, Sample]
"""What is known at one edge."""


def keyed(name: str, meter: str) -> str:
    """How states and alerts are told apart on one site: neither names nor meters hold a slash."""
    return f"{name}/{meter}" if meter else name


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
    meter: str = ""
    """Of a rule on meters; of a rule on findings their family; else empty."""
    told: bool = True
    """Whether its beginning was told; only then is its end."""
    inhibited_by: str | None = None
    """The alert that keeps it from being told, at the last step."""

    @property
    def key(self) -> str:
        """What tells it apart from the other open alerts of its site."""
        return keyed(self.name, self.meter)

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
            "meter": self.meter,
            "told": self.told,
            "inhibited_by": self.inhibited_by,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Episode:
        """The episode of a document of :meth:`to_json`; KeyError, TypeError or ValueError when it is none."""
        return cls(**{**document, "context": Context.from_json(document["context"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBoard:
    """The alerts of one site."""

    at: int | None = None
    """The last edge stepped, microseconds UTC; the next to step is one grid interval later."""
    states: Mapping[str, AlertState] = field(default_factory=dict)
    """By rule name and meter, see :func:`keyed`."""
    open: Mapping[str, Episode] = field(default_factory=dict)
    """By :attr:`Episode.key`: what is firing, the data alerts among it."""
    history: Mapping[str, tuple[Episode, ...]] = field(default_factory=dict)
    """By :attr:`Episode.key`: what has ended, oldest first."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """By :attr:`Episode.key`: how many ended alerts are no longer kept."""


_UNSTEPPED = SiteBoard()
_NEVER = AlertState()


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The alerts of every site."""

    sites: Mapping[str, SiteBoard] = field(default_factory=dict)

    def site(self, site: str) -> SiteBoard:
        """The alerts of a site; empty for one that was never stepped."""
        return self.sites.get(site, _UNSTEPPED)


def watches(rule: AlertRule, site: str) -> bool:
    """Whether a rule watches a site, or NO_SITE."""
    if rule.signal == "spool":
        return site == NO_SITE
    return site != NO_SITE and (not rule.sites or site in rule.sites)


def rules_of(rules: Iterable[AlertRule], site: str) -> tuple[AlertRule, ...]:
    """The rules that watch a site; UsageError when two of them, or a rule and a data alert, share a name."""
    chosen = tuple(rule for rule in rules if watches(rule, site))
    taken: set[str] = set()
    for rule in chosen:
        names = (rule.name, data_alert_name(rule)) if rule.signal in WITH_DATA_ALERT else (rule.name,)
        if clash := taken.intersection(names):
            raise UsageError(f"alert name {min(clash)} is used twice on site {site}; give each rule a name of its own")
        taken.update(names)
    return chosen


def needed(rules: Iterable[AlertRule], site: str) -> frozenset[Key]:
    """What :func:`advance` wants to see for a site; for a rule on any meter it wants every meter that is watched."""
    return frozenset(key_of(rule) for rule in rules if watches(rule, site))


def meters_of(rule: AlertRule, keys: Collection[Key]) -> tuple[str, ...]:
    """The meters, or families of findings, that a rule has an alert for, of those sampled; else one empty name."""
    if rule.signal not in PER_PART:
        return ("",)
    if rule.of != ANY_METER:
        return (rule.of,) if key_of(rule) in keys else ()
    return tuple(sorted({meter for signal, meter, window in keys if (signal, window) == (rule.signal, rule.window)}))


def advance(
    board: Board,
    rules: Sequence[AlertRule],
    site: str,
    at: int,
    samples: Samples,
    held: Collection[Key] = (),
    *,
    basis: Basis | None = None,
    mute: Callable[[Episode], bool] = lambda _: False,
) -> tuple[Board, tuple[Notification, ...]]:
    """The board after the grid edge ``at`` of a site, and what there is to tell.

    A figure that ``samples`` lacks is one without a value; a meter that it lacks is not watched any more. Rules on a
    key in ``held`` wait as they are: nothing is known of it that could be judged. An alert that ``mute`` chooses, or
    another alert inhibits (``basis`` says what figures are made of), is told once neither holds any more. An edge that
    was stepped before changes nothing. A sample of another edge is a ValueError.
    """
    before = board.site(site)
    if before.at is not None and at <= before.at:
        return board, ()
    watching = rules_of(rules, site)
    found = [*samples, *held] if any(rule.signal in PER_PART for rule in watching) else ()
    stepping = _Stepping(before, site, at)
    watched = [(rule, meter) for rule in watching for meter in meters_of(rule, found)]
    stepping.retire({keyed(rule.name, meter) for rule, meter in watched})
    missing = Sample(at, None)
    for rule, meter in watched:
        key = key_of(rule, meter)
        state = before.states.get(keyed(rule.name, meter), _NEVER)
        if key not in held:
            sample = samples.get(key, missing)
            if sample.at != at:
                raise ValueError(
                    f"alert {rule.name}: the sample is of edge {iso(sample.at)}, the step of edge {iso(at)}"
                )
            state, turned = step(rule, state, sample)
            for each in turned:
                stepping.book(rule, meter, state, each)
        stepping.states[keyed(rule.name, meter)] = state
    told = stepping.tell(_places(watching, stepping.open, basis or {}), mute)
    return Board(sites={**board.sites, site: stepping.result()}), told


def _places(rules: Sequence[AlertRule], alerts: Mapping[str, Episode], basis: Basis) -> list[tuple[str, Place | None]]:
    by_name = {rule.name: (index, rule) for index, rule in enumerate(rules)} if alerts else {}
    return [
        (key, place_of(by_name[each.rule][1], by_name[each.rule][0], each.name, each.meter, basis))
        for key, each in alerts.items()
    ]


class _Stepping:
    """One site's alerts while an edge is stepped."""

    def __init__(self, before: SiteBoard, site: str, at: int) -> None:
        self._before, self._site, self._at = before, site, at
        self.states: dict[str, AlertState] = {}
        self.open = before.open
        self._history, self._dropped = before.history, before.dropped
        self._turned: list[Episode] = []

    def retire(self, watched: Collection[str]) -> None:
        """Ends the open alerts of what is no longer watched: nothing would ever clear them."""
        for episode in tuple(self.open.values()):
            if keyed(episode.rule, episode.meter) in watched:
                continue
            what = (
                f"{episode.rule} is no longer configured"
                if not episode.meter
                else f"{episode.meter} is watched no more"
            )
            where = f" on {self._site}" if self._site else ""
            summary = f"{episode.name}{where} ended because {what}, not because it cleared."
            annotations = {**episode.annotations, "summary": summary}
            self._close(replace(episode, resolved_at=self._at, annotations=annotations))

    def book(self, rule: AlertRule, meter: str, state: AlertState, turned: Transition) -> None:
        """Opens or ends an alert."""
        annotations = transition_annotations(rule, self._site, state, turned, meter)
        if turned.status is Status.RESOLVED:
            self._close(
                replace(
                    self.open[keyed(turned.name, meter)],
                    resolved_at=turned.at,
                    value=turned.value,
                    provisional=state.provisional,
                    context=state.context,
                    peak=turned.peak,
                    annotations=annotations,
                )
            )
            return
        begun = Episode(
            name=turned.name,
            rule=rule.name,
            fired_at=turned.at,
            resolved_at=None,
            value=turned.value,
            provisional=state.provisional,
            context=state.context,
            peak=turned.peak,
            labels=labels_of(rule, self._site, meter, data=turned.data),
            annotations=annotations,
            meter=meter,
            told=False,
        )
        self.open = {**self.open, begun.key: begun}
        self._turned.append(begun)

    def _close(self, ended: Episode) -> None:
        kept = (*self._history.get(ended.key, ()), ended)
        surplus = max(len(kept) - HISTORY_LIMIT, 0)
        if surplus:
            self._dropped = {**self._dropped, ended.key: self._dropped.get(ended.key, 0) + surplus}
        self.open = {key: episode for key, episode in self.open.items() if key != ended.key}
        self._history = {**self._history, ended.key: kept[surplus:]}
        self._turned.append(ended)

    def tell(
        self, places: Iterable[tuple[str, Place | None]], mute: Callable[[Episode], bool]
    ) -> tuple[Notification, ...]:
        """What there is to tell: what turned, then what may be told by now; marks what is inhibited."""
        if not self.open and not self._turned:
            return ()
        inhibited = inhibitors(places)
        after: dict[str, Episode] = {}
        for key, episode in self.open.items():
            by = inhibited.get(key)
            told = episode.told or (by is None and not mute(episode))
            changed = (told, by) != (episode.told, episode.inhibited_by)
            after[key] = replace(episode, told=told, inhibited_by=by) if changed else episode
        begun = {each.key for each in self._turned if each.resolved_at is None}
        turned = [after.get(each.key, each) if each.resolved_at is None else each for each in self._turned]
        freed = [each for key, each in after.items() if key not in begun and each.told and not self.open[key].told]
        self.open = after
        return tuple(_told(self._site, each) for each in (*turned, *freed) if each.told)

    def result(self) -> SiteBoard:
        """The site's alerts after the edge."""
        return SiteBoard(at=self._at, states=self.states, open=self.open, history=self._history, dropped=self._dropped)


def open_notifications(board: Board) -> tuple[Notification, ...]:
    """What is firing now and was told, for someone who has not been told: oldest first."""
    found = [
        _told(site, episode) for site, alerts in board.sites.items() for episode in alerts.open.values() if episode.told
    ]
    return tuple(sorted(found, key=lambda each: (each.starts_at, each.key)))


def _told(site: str, episode: Episode) -> Notification:
    return Notification(
        site=site,
        name=episode.name,
        status=Status.FIRING if episode.resolved_at is None else Status.RESOLVED,
        starts_at=episode.fired_at,
        ends_at=episode.resolved_at,
        labels=episode.labels,
        annotations=episode.annotations,
        meter=episode.meter,
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
        alerts = documents.read(text, name, VERSION, _parse_states, oldest=1)
        if history is not None:
            kept, dropped = documents.read(history, _history_name(site), VERSION, _parse_history, oldest=1)
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
    opened = {episode.key: episode for episode in map(Episode.from_json, document["open"])}
    firing = {key for key, state in states.items() if state.phase is Phase.FIRING}
    outages = {_data_key(key) for key, state in states.items() if state.data_fired_at is not None}
    if set(opened) != firing | outages:
        raise ValueError(f"open alerts {sorted(opened)} where the states say {sorted(firing | outages)}")
    return SiteBoard(at=document["at"], states=states, open=opened)


def _parse_history(document: Mapping[str, Any]) -> tuple[dict[str, tuple[Episode, ...]], dict[str, int]]:
    by_key: dict[str, list[Episode]] = {}
    for episode in map(Episode.from_json, document["history"]):
        by_key.setdefault(episode.key, []).append(episode)
    return {key: tuple(episodes) for key, episodes in by_key.items()}, dict(document["dropped"])


def _data_key(key: str) -> str:
    name, _, meter = key.partition("/")
    return keyed(name + NO_DATA_SUFFIX, meter)
