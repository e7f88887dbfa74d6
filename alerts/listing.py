"""The ``alerts`` list of the command line, the API and the page, and the counts for /metrics. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any

from alerts.board import Board, Episode, SiteBoard, rules_of
from alerts.machine import AlertState, Context, Phase, data_alert_name
from alerts.wording import annotations_of, labels_of
from wattwell.intervals import iso
from wattwell.model import AlertRule

Document = dict[str, Any]


def listing(board: Board, rules: Sequence[AlertRule], sites: Iterable[str]) -> list[Document]:
    """Every rule on every site of ``sites`` as it is now, and the open data alerts; then what has ended, latest first.

    Each object: name, site, state, value, since, fired_at, resolved_at, labels, annotations, and beside the value
    window, unit, category, coverage, provisional and peak (the worst value judged), and above, below and clear of its
    rule as configured now (null for a data alert, which has no threshold). A rule that is inactive carries
    its latest alert's fired_at and resolved_at; so each alert appears once with a fired_at. A data alert has an
    object of its own, ``no_data`` while it is open and ``inactive`` afterwards.
    """
    current: list[Document] = []
    before: list[tuple[int, Document]] = []
    for site in sites:
        alerts = board.site(site)
        watching = rules_of(rules, site)
        carried = _carried(alerts, watching)
        for rule in watching:
            current.append(_current(alerts, rule, site, carried.get(rule.name)))
            data = alerts.open.get(data_alert_name(rule))
            current.extend([] if data is None else [_episode(data, site, Phase.NO_DATA, None)])
        by_name = {rule.name: rule for rule in watching}
        before.extend(
            (episode.fired_at, _episode(episode, site, Phase.INACTIVE, by_name.get(episode.name)))
            for episodes in alerts.history.values()
            for episode in episodes
            if carried.get(episode.name) is not episode
        )
        before.extend(_unconfigured(alerts, set(by_name), site))
    before.sort(key=lambda each: each[0], reverse=True)
    return current + [document for _, document in before]


def counts(board: Board, rules: Sequence[AlertRule], sites: Iterable[str]) -> dict[tuple[str, str, str], int]:
    """(site, rule name, state) -> 1 for the state that the rule is in, 0 for the three others."""
    return {
        (site, rule.name, phase.value): int(board.site(site).states.get(rule.name, _NEVER).phase is phase)
        for site in sites
        for rule in rules_of(rules, site)
        for phase in Phase
    }


_NEVER = AlertState()


def _carried(alerts: SiteBoard, rules: Sequence[AlertRule]) -> dict[str, Episode]:
    """The ended alerts that inactive rules carry themselves: rule name -> its latest."""
    return {
        rule.name: alerts.history[rule.name][-1]
        for rule in rules
        if alerts.states.get(rule.name, _NEVER).phase is Phase.INACTIVE and alerts.history.get(rule.name)
    }


def _unconfigured(alerts: SiteBoard, rules: Set[str], site: str) -> list[tuple[int, Document]]:
    """Open alerts of rules that are no longer configured; the next step of the site ends them."""
    return [
        (episode.fired_at, _episode(episode, site, _open_phase(episode), None))
        for episode in alerts.open.values()
        if episode.rule not in rules
    ]


def _open_phase(episode: Episode) -> Phase:
    return Phase.NO_DATA if episode.name != episode.rule else Phase.FIRING


def _current(alerts: SiteBoard, rule: AlertRule, site: str, latest: Episode | None) -> Document:
    state = alerts.states.get(rule.name, _NEVER)
    episode = alerts.open.get(rule.name, latest)
    return {
        "name": rule.name,
        "site": site,
        "state": state.phase.value,
        "value": state.value,
        "since": _iso(state.since),
        "fired_at": None if episode is None else _iso(episode.fired_at),
        "resolved_at": None if episode is None else _iso(episode.resolved_at),
        "labels": labels_of(rule, site),
        "annotations": annotations_of(rule, site, state),
        "window": rule.window,
        "peak": state.peak if episode is None or episode.resolved_at is None else episode.peak,
        "provisional": state.provisional,
        **_beside(state.context),
        **_limits(rule),
    }


def _episode(episode: Episode, site: str, phase: Phase, rule: AlertRule | None) -> Document:
    return {
        "name": episode.name,
        "site": site,
        "state": phase.value,
        "value": episode.value,
        "since": _iso(episode.fired_at if episode.resolved_at is None else episode.resolved_at),
        "fired_at": _iso(episode.fired_at),
        "resolved_at": _iso(episode.resolved_at),
        "labels": dict(episode.labels),
        "annotations": dict(episode.annotations),
        "window": episode.labels["window"],
        "peak": episode.peak,
        "provisional": episode.provisional,
        **_beside(episode.context),
        **_limits(rule),
    }


def _beside(context: Context) -> Document:
    return {"unit": context.unit, "category": context.category, "coverage": context.coverage}


def _limits(rule: AlertRule | None) -> Document:
    return {side: None if rule is None else getattr(rule, side) for side in ("above", "below", "clear")}


def _iso(instant: int | None) -> str | None:
    return None if instant is None else iso(instant)
