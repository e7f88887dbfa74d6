"""The ``alerts`` list of the command line, the API and the page, and the counts for /metrics. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.board import NO_SITE, Board, Episode, SiteBoard, keyed, rules_of
from alerts.machine import AlertState, Context, Phase, data_alert_name
from alerts.silences import Silences
from alerts.wording import annotations_of, labels_of
from wattwell.intervals import iso
from wattwell.model import PER_PART, AlertRule

Document = dict[str, Any]


def listing(
    board: Board,
    rules: Sequence[AlertRule],
    sites: Iterable[str],
    silences: Silences | None = None,
    now: int = 0,
) -> list[Document]:
    """Every rule on every site of ``sites`` as it is now, and the open data alerts; then what has ended, latest first.

    Each object: name, signal (null for a data alert), site (null for a rule that belongs to none), state, value, since,
    fired_at, resolved_at, labels, annotations, and beside the value window, unit, category, coverage, provisional, peak
    (the worst value judged) and between (the interval of an expected figure), and above, below and clear of its rule as
    configured now (null for a data alert, which has no threshold). An open alert says why it is not told: inhibited_by
    (an alert of the site) and silenced_by (the silence in force at ``now``), and who has it in hand: acknowledged_by.
    A rule on meters has an object for each of them. A rule that is inactive carries its latest alert's fired_at and
    resolved_at; so each alert appears once with a fired_at. A data alert has an object of its own, ``no_data`` while it
    is open and ``inactive`` afterwards.
    """
    current: list[Document] = []
    before: list[tuple[int, Document]] = []
    marks = _Marks(silences or Silences(), now)
    for site in sites:
        alerts = board.site(site)
        watched = _watched(alerts, rules_of(rules, site))
        by_key = {keyed(rule.name, meter): rule for rule, meter in watched}
        carried = _carried(alerts, by_key)
        for rule, meter in watched:
            current.append(_current(alerts, rule, site, meter, carried, marks))
            data = alerts.open.get(keyed(data_alert_name(rule), meter))
            current.extend([] if data is None else [_episode(data, site, Phase.NO_DATA, None, marks)])
        before.extend(
            (episode.fired_at, _episode(episode, site, Phase.INACTIVE, by_key.get(key), marks))
            for key, episodes in alerts.history.items()
            for episode in episodes
            if carried.get(key) is not episode
        )
        before.extend(_unwatched(alerts, by_key, site, marks))
    before.sort(key=lambda each: each[0], reverse=True)
    return current + [document for _, document in before]


def counts(board: Board, rules: Sequence[AlertRule], sites: Iterable[str]) -> dict[tuple[str, str, str], int]:
    """(site, rule name, state) -> how many of the rule are in that state: one of the rule, or one of each meter."""
    found: dict[tuple[str, str, str], int] = {}
    for site in sites:
        alerts = board.site(site)
        chosen = rules_of(rules, site)
        found |= {(site, rule.name, phase.value): 0 for rule in chosen for phase in Phase}
        for rule, meter in _watched(alerts, chosen):
            found[site, rule.name, alerts.states.get(keyed(rule.name, meter), _NEVER).phase.value] += 1
    return found


def places(sites: Iterable[str], rules: Iterable[AlertRule]) -> list[str]:
    """The sites, and in place of one NO_SITE where a rule belongs to none."""
    return [*sites, *([NO_SITE] if any(rule.signal == "spool" for rule in rules) else [])]


_NEVER = AlertState()


@dataclass(frozen=True, slots=True)
class _Marks:
    """Why an open alert is not told."""

    silences: Silences
    now: int

    def of(self, site: str, episode: Episode | None) -> Document:
        if episode is None or episode.resolved_at is not None:
            return {"inhibited_by": None, "silenced_by": None, "acknowledged_by": None}
        silence = self.silences.silencing(episode.labels, self.now)
        known = self.silences.acknowledged.get((site, episode.name, episode.meter, episode.fired_at))
        return {
            "inhibited_by": episode.inhibited_by,
            "silenced_by": None if silence is None else silence.to_json(self.now),
            "acknowledged_by": None if known is None else known.to_json(),
        }


def _watched(alerts: SiteBoard, rules: Sequence[AlertRule]) -> list[tuple[AlertRule, str]]:
    """Each rule, once for each of its meters that was stepped."""
    found: list[tuple[AlertRule, str]] = []
    for rule in rules:
        if rule.signal in PER_PART:
            of_rule = (key.partition("/") for key in alerts.states)
            found += [(rule, meter) for name, _, meter in of_rule if name == rule.name and meter]
        else:
            found.append((rule, ""))
    return found


def _carried(alerts: SiteBoard, keys: Iterable[str]) -> dict[str, Episode]:
    """The ended alerts that inactive rules carry themselves: rule and meter -> its latest."""
    return {
        key: alerts.history[key][-1]
        for key in keys
        if alerts.states.get(key, _NEVER).phase is Phase.INACTIVE and alerts.history.get(key)
    }


def _unwatched(alerts: SiteBoard, watched: Collection[str], site: str, marks: _Marks) -> list[tuple[int, Document]]:
    """Open alerts of rules that are no longer configured; the next step of the site ends them."""
    return [
        (episode.fired_at, _episode(episode, site, _open_phase(episode), None, marks))
        for episode in alerts.open.values()
        if keyed(episode.rule, episode.meter) not in watched
    ]


def _open_phase(episode: Episode) -> Phase:
    return Phase.NO_DATA if episode.name != episode.rule else Phase.FIRING


def _current(
    alerts: SiteBoard, rule: AlertRule, site: str, meter: str, carried: Mapping[str, Episode], marks: _Marks
) -> Document:
    key = keyed(rule.name, meter)
    state = alerts.states.get(key, _NEVER)
    episode = alerts.open.get(key, carried.get(key))
    return {
        "name": rule.name,
        "signal": rule.signal,
        "site": site or None,
        "state": state.phase.value,
        "value": state.value,
        "since": _iso(state.since),
        "fired_at": None if episode is None else _iso(episode.fired_at),
        "resolved_at": None if episode is None else _iso(episode.resolved_at),
        "labels": labels_of(rule, site, meter),
        "annotations": annotations_of(rule, site, state, meter),
        "window": rule.window or None,
        "peak": state.peak if episode is None or episode.resolved_at is None else episode.peak,
        "provisional": state.provisional,
        **_beside(state.context),
        **_limits(rule),
        **marks.of(site, episode),
    }


def _episode(episode: Episode, site: str, phase: Phase, rule: AlertRule | None, marks: _Marks) -> Document:
    return {
        "name": episode.name,
        "signal": None if rule is None else rule.signal,
        "site": site or None,
        "state": phase.value,
        "value": episode.value,
        "since": _iso(episode.fired_at if episode.resolved_at is None else episode.resolved_at),
        "fired_at": _iso(episode.fired_at),
        "resolved_at": _iso(episode.resolved_at),
        "labels": dict(episode.labels),
        "annotations": dict(episode.annotations),
        "window": episode.labels.get("window"),
        "peak": episode.peak,
        "provisional": episode.provisional,
        **_beside(episode.context),
        **_limits(rule),
        **marks.of(site, episode),
    }


def _beside(context: Context) -> Document:
    between = None if context.between is None else list(context.between)
    return {"unit": context.unit, "category": context.category, "coverage": context.coverage, "between": between}


def _limits(rule: AlertRule | None) -> Document:
    return {side: None if rule is None else getattr(rule, side) for side in ("above", "below", "clear")}


def _iso(instant: int | None) -> str | None:
    return None if instant is None else iso(instant)
