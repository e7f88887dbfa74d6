"""The words of an alert: its labels, and sentences with value, threshold, window, category and coverage."""

from __future__ import annotations

import math

from alerts.machine import AlertState, Context, Phase, Status, Transition, data_alert_name, threshold_of
from wattwell.intervals import format_duration, iso
from wattwell.model import AlertRule

_MOST_DECIMALS = 9


def number(value: float, apart_from: float | None = None) -> str:
    """A value with four significant digits, and with as many more as tell it apart from a threshold it differs from.

    >>> number(1.31249), number(12345.6), number(1.30004, apart_from=1.3)
    ('1.312', '12346', '1.30004')
    """
    decimals = 3 if value == 0 else min(max(3 - math.floor(math.log10(abs(value))), 0), _MOST_DECIMALS)
    text = f"{value:.{decimals}f}"
    while apart_from is not None and value != apart_from and float(text) == apart_from and decimals < _MOST_DECIMALS:
        decimals += 1
        text = f"{value:.{decimals}f}"
    return text


def labels_of(rule: AlertRule, site: str, *, data: bool = False) -> dict[str, str]:
    """What identifies an alert: the rule's own labels, and those that no rule may replace."""
    return {
        **rule.labels,
        "alertname": data_alert_name(rule) if data else rule.name,
        "site": site,
        "severity": rule.severity,
        "kpi": rule.kpi,
        "window": rule.window,
    }


def annotations_of(rule: AlertRule, site: str, state: AlertState) -> dict[str, str]:
    """Annotations of the state a rule is in."""
    return {"summary": _state_sentence(rule, site, state), **rule.annotations}


def transition_annotations(rule: AlertRule, site: str, state: AlertState, turned: Transition) -> dict[str, str]:
    """Annotations of what has just begun or ended; ``state`` is the one after it."""
    if turned.data:
        summary = data_sentence(rule, site, state, turned.status)
    elif turned.status is Status.FIRING:
        summary = _state_sentence(rule, site, state)
    else:
        summary = f"{_figure(rule, site, state)}: {_cleared(rule)}; the worst was {_peak(rule, turned.peak)}."
    return {"summary": summary, **rule.annotations}


def data_sentence(rule: AlertRule, site: str, state: AlertState, status: Status) -> str:
    """The sentence of the data alert."""
    if status is Status.RESOLVED:
        return f"{_figure(rule, site, state)}: the value is back."
    since = "" if state.missing_since is None else f" since {iso(state.missing_since)}"
    fires = f"; {rule.name} stays firing meanwhile" if state.phase is Phase.FIRING else ""
    return f"{_subject(rule, site, state.context)} has had no value{since}{_basis(state)}{fires}."


def _state_sentence(rule: AlertRule, site: str, state: AlertState) -> str:
    figure = _figure(rule, site, state)
    if state.at is None:
        return f"{_subject(rule, site, state.context)} has not been judged yet."
    if state.phase is Phase.PENDING and state.since is not None:
        return f"{figure}: {_side(rule)} since {iso(state.since)}, fires after {format_duration(rule.hold)}."
    if state.phase is Phase.FIRING:
        return f"{figure}: {_firing(rule, state)}"
    if state.phase is Phase.NO_DATA:
        return f"{figure}."
    return f"{figure}: {'not judged while provisional' if state.provisional else 'not ' + _side(rule)}."


def _firing(rule: AlertRule, state: AlertState) -> str:
    worst = f"the worst was {_peak(rule, state.peak)}"
    if state.value is None or state.provisional:
        return f"it was {_side(rule)} before and stays firing; {worst}."
    if state.last_breach == state.at:
        held = f" for {format_duration(rule.hold)} or more" if rule.hold and state.since == state.at else ""
        return f"{_side(rule)}{held}; {worst}."
    return f"no longer {_side(rule)}, but not yet clear; {worst}."


def _subject(rule: AlertRule, site: str, context: Context) -> str:
    return f"{context.label or rule.kpi} of {site} over {rule.window}"


def _figure(rule: AlertRule, site: str, state: AlertState) -> str:
    unit = "" if state.context.unit in ("", "1") else f" {state.context.unit}"
    said = "has no value" if state.value is None else f"is {number(state.value, threshold_of(rule))}{unit}"
    return f"{_subject(rule, site, state.context)} {said}{_basis(state)}"


def _basis(state: AlertState) -> str:
    """Category, coverage and the provisional mark, without which no figure is shown."""
    parts = []
    if state.context.category is not None:
        parts.append(f"category {state.context.category}")
    if state.context.coverage is not None:
        parts.append(f"coverage {100 * state.context.coverage:.1f} %")
    if state.provisional:
        parts.append("provisional")
    return f" ({', '.join(parts)})" if parts else ""


def _side(rule: AlertRule) -> str:
    return f"{'above' if rule.above is not None else 'below'} {threshold_of(rule):.9g}"


def _cleared(rule: AlertRule) -> str:
    if rule.clear is None:
        return f"no longer {_side(rule)}"
    return f"{'at or below' if rule.above is not None else 'at or above'} the clear line {rule.clear:.9g}"


def _peak(rule: AlertRule, peak: float | None) -> str:
    return "unknown" if peak is None else number(peak, threshold_of(rule))
