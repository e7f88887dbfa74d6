"""One rule on one site as a pure state machine, stepped once per grid interval in data time.

::

              breach                    a breach without a break for ``hold``
    inactive --------> pending --------------------------------> firing
       ^  ^              |                                         |
       |  +--------------+  no breach, or a provisional value      |
       |                                                           |
       +-----------------------------------------------------------+
          at ``clear`` or beyond (where declared; else no breach) and ``keep_firing`` past the last breach

    no_data: no value, and not firing. ``hold`` after the first edge without a value the data alert ``<rule>NoData``
    fires, also while the rule itself is firing; it resolves with the next value, be it provisional.

A provisional or missing value is neither a breach nor a clear: a pending rule starts anew, a firing one stays firing.
Nothing here reads a clock: a restart, however long, changes no state, and an edge that was stepped before changes
nothing either, so that a caller who is not sure may step it again. The caller steps every edge of the grid; an edge
without a figure is a :class:`Sample` without a value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from dataclasses import fields as fields_of
from enum import StrEnum
from typing import Any

from wattwell.errors import UsageError
from wattwell.intervals import iso
from wattwell.model import AlertRule, KpiValue

NO_DATA_SUFFIX = "NoData"
"""Appended to a rule's name, it names the rule's data alert."""


class Phase(StrEnum):
    """The state of a rule on a site."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    NO_DATA = "no_data"


class Status(StrEnum):
    """What a transition, and the notification made from it, tells."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What must be shown beside a figure; it takes no part in any decision."""

    label: str | None = None
    """The figure's printed name, for example ``iPUE``."""
    unit: str = ""
    """``1`` or empty for a plain ratio."""
    coverage: float | None = None
    """Share of the window that every meter needed measured, 0-1."""
    category: int | None = None
    """PUE category where the figure has one."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, by field."""
        return {"label": self.label, "unit": self.unit, "coverage": self.coverage, "category": self.category}


@dataclass(frozen=True, slots=True)
class Sample:
    """A rule's figure at one grid edge."""

    at: int
    """The grid edge at which the figure's window ends, microseconds UTC."""
    value: float | None
    """None where there is none; never NaN."""
    provisional: bool = False
    """True where the figure may be shown, but not judged."""
    context: Context = field(default_factory=Context)

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"value {self.value} at {iso(self.at)} is no number; a figure without one is None")


def sample_of(kpi: KpiValue) -> Sample:
    """A KPI value as a rule sees it: placed at the end of its window."""
    value = kpi.value if kpi.value is not None and math.isfinite(kpi.value) else None
    context = Context(label=kpi.label, unit=kpi.unit, coverage=kpi.coverage, category=kpi.category)
    return Sample(kpi.interval.end, value, kpi.provisional, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """All that is remembered of one rule on one site between two steps. Times are microseconds UTC, data time."""

    at: int | None = None
    """The last edge stepped."""
    phase: Phase = Phase.INACTIVE
    since: int | None = None
    """Edge at which the phase began; of ``pending``: the first breach."""
    value: float | None = None
    """At the last edge."""
    provisional: bool = False
    context: Context = field(default_factory=Context)
    peak: float | None = None
    """The worst value judged since the breach began that is pending or firing."""
    last_breach: int | None = None
    """The latest edge with a breach while pending or firing."""
    missing_since: int | None = None
    """The first of the edges without a value that last until now."""
    data_fired_at: int | None = None
    """When the data alert fired; None while it is not open."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object that :meth:`from_json` reads back to an equal state."""
        document = {name: getattr(self, name) for name in _STATE_FIELDS}
        document["context"] = self.context.to_json()
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> AlertState:
        """The state of a document of :meth:`to_json`; KeyError, TypeError or ValueError when it is none."""
        fields = dict(document)
        return cls(**{**fields, "phase": Phase(fields["phase"]), "context": Context(**fields["context"])})


_STATE_FIELDS = tuple(each.name for each in fields_of(AlertState))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An alert began or ended."""

    name: str
    """The rule's name, or that of its data alert."""
    data: bool
    """True for the data alert."""
    status: Status
    at: int
    """The edge at which it happened."""
    value: float | None
    """The figure at that edge."""
    peak: float | None
    """The worst value judged so far; None for the data alert."""


def data_alert_name(rule: AlertRule) -> str:
    """The name under which a rule without values is reported."""
    return rule.name + NO_DATA_SUFFIX


def threshold_of(rule: AlertRule) -> float:
    """The rule's threshold; UsageError when it declares none, or both ``above`` and ``below``."""
    if rule.above is not None and rule.below is None:
        return rule.above
    if rule.below is not None and rule.above is None:
        return rule.below
    raise UsageError(f"alert {rule.name}: declare exactly one of above and below, not {_sides(rule)}")


def _sides(rule: AlertRule) -> str:
    return "none" if rule.above is None else f"above {rule.above} and below {rule.below}"


def step(rule: AlertRule, state: AlertState, sample: Sample) -> tuple[AlertState, tuple[Transition, ...]]:
    """The state after one more edge, and what began or ended with it.

    An edge that is not after ``state.at`` was stepped before: the state comes back as it is, without transitions.
    """
    threshold = threshold_of(rule)
    if state.at is not None and sample.at <= state.at:
        return state, ()
    seen = replace(
        state, at=sample.at, value=sample.value, provisional=sample.provisional, context=_context(state, sample)
    )
    seen, data = _outage(rule, seen, sample)
    judged = _judge(rule, threshold, seen, sample)
    if (judged.phase is Phase.FIRING) == (state.phase is Phase.FIRING):
        return judged, data
    status = Status.FIRING if judged.phase is Phase.FIRING else Status.RESOLVED
    turned = Transition(name=rule.name, data=False, status=status, at=sample.at, value=sample.value, peak=judged.peak)
    return judged, (*data, turned)


def run(
    rule: AlertRule, state: AlertState, samples: Iterable[Sample]
) -> tuple[AlertState, tuple[tuple[AlertState, tuple[Transition, ...]], ...]]:
    """Steps samples in turn: the last state, and the outcome of each sample.

    Samples at or before ``state.at`` change nothing; a sample that is not after the one before it is a ValueError.
    """
    outcomes: list[tuple[AlertState, tuple[Transition, ...]]] = []
    previous: int | None = None
    for sample in samples:
        if previous is not None and sample.at <= previous:
            raise ValueError(
                f"alert {rule.name}: edge {iso(sample.at)} follows {iso(previous)}; give edges in ascending order"
            )
        previous = sample.at
        state, turned = step(rule, state, sample)
        outcomes.append((state, turned))
    return state, tuple(outcomes)


def _context(state: AlertState, sample: Sample) -> Context:
    """The sample's context; an edge of which nothing at all is known keeps the figure's name and unit."""
    if sample.context.label is None and sample.value is None:
        return replace(state.context, coverage=sample.context.coverage)
    return sample.context


def _outage(rule: AlertRule, state: AlertState, sample: Sample) -> tuple[AlertState, tuple[Transition, ...]]:
    """The data alert: once per run of edges without a value, ``hold`` after the first of them."""
    name = data_alert_name(rule)
    if sample.value is not None:
        if state.missing_since is None:
            return state, ()
        back = replace(state, missing_since=None, data_fired_at=None)
        if state.data_fired_at is None:
            return back, ()
        return back, (
            Transition(name=name, data=True, status=Status.RESOLVED, at=sample.at, value=sample.value, peak=None),
        )
    missing_since = sample.at if state.missing_since is None else state.missing_since
    if state.data_fired_at is not None or sample.at - missing_since < rule.hold:
        return replace(state, missing_since=missing_since), ()
    out = replace(state, missing_since=missing_since, data_fired_at=sample.at)
    return out, (Transition(name=name, data=True, status=Status.FIRING, at=sample.at, value=None, peak=None),)


def _judge(rule: AlertRule, threshold: float, state: AlertState, sample: Sample) -> AlertState:
    """The rule's own phase after a sample."""
    firing = state.phase is Phase.FIRING
    if sample.value is None:
        return state if firing else _enter(state, Phase.NO_DATA, sample.at)
    if sample.provisional:
        return state if firing else _enter(state, Phase.INACTIVE, sample.at)
    # Mirrored at zero a `below` is an `above`: one comparison serves both.
    sense = 1.0 if rule.above is not None else -1.0
    if sense * sample.value > sense * threshold:
        return _breach(rule, sense, state, sample.at, sample.value)
    if not firing:
        return _enter(state, Phase.INACTIVE, sample.at)
    cleared = rule.clear is None or sense * sample.value <= sense * rule.clear
    kept = state.last_breach is None or sample.at - state.last_breach >= rule.keep_firing
    return _enter(state, Phase.INACTIVE, sample.at, peak=state.peak) if cleared and kept else state


def _breach(rule: AlertRule, sense: float, state: AlertState, at: int, value: float) -> AlertState:
    if state.phase not in (Phase.PENDING, Phase.FIRING):
        state = _enter(state, Phase.PENDING, at)
    peak = value if state.peak is None or sense * value > sense * state.peak else state.peak
    state = replace(state, last_breach=at, peak=peak)
    since = at if state.since is None else state.since
    if state.phase is Phase.PENDING and at - since >= rule.hold:
        return replace(state, phase=Phase.FIRING, since=at)
    return state


def _enter(state: AlertState, phase: Phase, at: int, *, peak: float | None = None) -> AlertState:
    """The state in a phase that remembers no breach; entered now unless it is in it already."""
    since = state.since if state.phase is phase and state.since is not None else at
    return replace(state, phase=phase, since=since, peak=peak, last_breach=None)
