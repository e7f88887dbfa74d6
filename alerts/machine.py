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
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from enum import StrEnum
from typing import Any

from wattwell.errors import UsageError
from wattwell.intervals import iso
from wattwell.model import AlertRule, KpiValue

NO_DATA_SUFFIX = "NoData"
"""Appended to a rule's name, it names the rule's data alert."""
CONTRADICTION = "pue.below_one"
"""The issue of a figure whose data are there and contradict each other."""
WITH_DATA_ALERT = ("kpi", "power")
"""Signals whose rules have a data alert; the other ones are data signals themselves, or speak late."""
Key = tuple[str, str, str]
"""What a sample is of: signal; KPI, subsystem, meter, family or ``readings``; window. Of course: low or high."""


class Phase(StrEnum):
    """The state of a rule on a site."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    NO_DATA = "no_data"


class Status(StrEnum):
    """What a transition, and the notification made from it, tells; the last two are of reports and of no alert."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ISSUED = "issued"
    REFUSED = "not issued"


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
    between: tuple[float, float] | None = None
    """The interval of an expected figure, its lower end first."""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object that :meth:`from_json` reads back."""
        found = {"label": self.label, "unit": self.unit, "coverage": self.coverage, "category": self.category}
        return found if self.between is None else found | {"between": list(self.between)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Context:
        """The context of a document of :meth:`to_json`; TypeError or ValueError when it is none."""
        fields = dict(document)
        if "between" in fields:
            low, high = fields["between"]
            fields["between"] = (low, high)
        return cls(**fields)


_NOTHING_BESIDE = Context()


@dataclass(frozen=True, slots=True)
class Sample:
    """A rule's figure at one grid edge."""

    at: int
    """The grid edge at which the figure's window ends, microseconds UTC."""
    value: float | None
    """None where there is none; never NaN."""
    provisional: bool = False
    """True where the figure may be shown, but not judged."""
    context: Context = _NOTHING_BESIDE
    withheld: float | None = None
    """What a figure without a value would be, where the data are there and contradict each other (PUE below 1): it may
    breach a threshold, but clears nothing, and is no outage."""

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"value {self.value} at {iso(self.at)} is no number; a figure without one is None")


def sample_of(kpi: KpiValue) -> Sample:
    """A KPI value as a rule sees it: placed at the end of its window."""
    value = kpi.value if kpi.value is not None and math.isfinite(kpi.value) else None
    context = Context(label=kpi.label, unit=kpi.unit, coverage=kpi.coverage, category=kpi.category)
    return Sample(kpi.interval.end, value, kpi.provisional, context, withheld_of(kpi))


def withheld_of(kpi: KpiValue) -> float | None:
    """What a KPI value would be that is withheld only because its data contradict each other."""
    if kpi.value is not None:
        return None
    codes = {issue.code for issue in kpi.issues}
    if CONTRADICTION not in codes or any(code.startswith("coverage.") for code in codes):
        return None
    return kpi.numerator / kpi.denominator if kpi.numerator is not None and kpi.denominator else None


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
    context: Context = _NOTHING_BESIDE
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
        return cls(**{**fields, "phase": Phase(fields["phase"]), "context": Context.from_json(fields["context"])})


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


def key_of(rule: AlertRule, meter: str = "") -> Key:
    """What a rule looks at; of a rule on any meter: of this meter."""
    if rule.signal == "course":
        return rule.signal, rule.kpi, "low" if rule.above is not None else "high"
    return rule.signal, meter or rule.of or rule.kpi, rule.window


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
    missing_since, data_fired_at, data = _outage(rule, state, sample)
    phase, since, peak, last_breach = _judge(rule, threshold, state, sample)
    value = sample.withheld if sample.value is None and last_breach == sample.at else sample.value
    after = AlertState(
        at=sample.at,
        phase=phase,
        since=since,
        value=value,
        provisional=sample.provisional,
        context=_context(state, sample),
        peak=peak,
        last_breach=last_breach,
        missing_since=missing_since,
        data_fired_at=data_fired_at,
    )
    fires = phase is Phase.FIRING
    if fires == (state.phase is Phase.FIRING):
        return after, data
    status = Status.FIRING if fires else Status.RESOLVED
    turned = Transition(
        name=rule.name, data=False, status=status, at=sample.at, value=value, peak=peak if fires else state.peak
    )
    return after, (*data, turned)


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


_Outage = tuple[int | None, int | None, tuple[Transition, ...]]


def _outage(rule: AlertRule, state: AlertState, sample: Sample) -> _Outage:
    """The data alert: once per run of edges without a value, ``hold`` after the first of them.

    The first of them, when the alert fired, and what began or ended.
    """
    if sample.value is not None or sample.withheld is not None or rule.signal not in WITH_DATA_ALERT:
        if state.data_fired_at is None:
            return None, None, ()
        return None, None, (_data(rule, Status.RESOLVED, sample),)
    since = sample.at if state.missing_since is None else state.missing_since
    if state.data_fired_at is not None or sample.at - since < rule.hold:
        return since, state.data_fired_at, ()
    return since, sample.at, (_data(rule, Status.FIRING, sample),)


def _data(rule: AlertRule, status: Status, sample: Sample) -> Transition:
    return Transition(name=data_alert_name(rule), data=True, status=status, at=sample.at, value=sample.value, peak=None)


_Judged = tuple[Phase, int | None, float | None, int | None]


def _judge(rule: AlertRule, threshold: float, state: AlertState, sample: Sample) -> _Judged:
    """The rule's own phase after a sample, since when, the worst value and the last breach."""
    value = sample.withheld if sample.value is None else sample.value
    # Mirrored at zero a `below` is an `above`: one comparison serves both.
    sense = 1.0 if rule.above is not None else -1.0
    if value is not None and not sample.provisional and sense * value > sense * threshold:
        return _breach(rule, sense, state, sample.at, value)
    unchanged = (state.phase, state.since, state.peak, state.last_breach)
    if state.phase is not Phase.FIRING:
        phase = Phase.NO_DATA if sample.value is None else Phase.INACTIVE
        return phase, state.since if state.phase is phase and state.since is not None else sample.at, None, None
    if sample.value is None or sample.provisional:
        return unchanged
    cleared = rule.clear is None or sense * sample.value <= sense * rule.clear
    kept = state.last_breach is None or sample.at - state.last_breach >= rule.keep_firing
    return (Phase.INACTIVE, sample.at, None, None) if cleared and kept else unchanged


def _breach(rule: AlertRule, sense: float, state: AlertState, at: int, value: float) -> _Judged:
    begun = state.phase in (Phase.PENDING, Phase.FIRING)
    since = state.since if begun and state.since is not None else at
    worst = state.peak if begun else None
    peak = value if worst is None or sense * value > sense * worst else worst
    if state.phase is Phase.FIRING:
        return Phase.FIRING, since, peak, at
    return (Phase.FIRING, at, peak, at) if at - since >= rule.hold else (Phase.PENDING, since, peak, at)
