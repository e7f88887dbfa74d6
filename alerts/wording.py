"""The words of an alert: its labels, and sentences with value, threshold, window, category and coverage."""

from __future__ import annotations

import math
from dataclasses import dataclass

from alerts.machine import AlertState, Context, Phase, Status, Transition, data_alert_name, threshold_of
from wattwell.intervals import SECOND, format_duration, iso
from wattwell.model import OF_FINDINGS, AlertRule

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


def labels_of(rule: AlertRule, site: str, meter: str = "", *, data: bool = False) -> dict[str, str]:
    """What identifies an alert: the rule's own labels, and those that no rule may replace; none of them is empty."""
    own = {
        "alertname": data_alert_name(rule) if data else rule.name,
        "site": site,
        "severity": rule.severity,
        "kpi": rule.kpi,
        "window": rule.window,
        "family" if rule.signal in OF_FINDINGS else "meter": meter,
        "subsystem": rule.of if rule.signal == "power" else "",
    }
    return {**rule.labels, **{name: text for name, text in own.items() if text}}


def dashboard_of(rule: AlertRule, site: str) -> dict[str, str]:
    """The annotation that leads to the board about what a rule watches; empty where there are no boards."""
    if rule.boards is None:
        return {}
    board = _BOARDS.get(rule.signal) or _KPI_BOARDS.get(rule.kpi, "site")
    asked = "&".join(f"var-{name}={text}" for name, text in (("site", site), ("window", rule.window)) if text)
    return {"dashboard_url": f"{rule.boards}/d/wattwell-{board}{'?' if asked else ''}{asked}"}


_BOARDS = {
    **dict.fromkeys(("coverage", "stale", "balance", "spool"), "ingest"),
    **dict.fromkeys(OF_FINDINGS, "findings"),
}
_KPI_BOARDS = {"wue": "water", "ref": "renewables"}


def annotations_of(rule: AlertRule, site: str, state: AlertState, meter: str = "") -> dict[str, str]:
    """Annotations of the state a rule is in."""
    return _annotations(rule, site, _Words(rule, site, meter).state(state))


def transition_annotations(
    rule: AlertRule, site: str, state: AlertState, turned: Transition, meter: str = ""
) -> dict[str, str]:
    """Annotations of what has just begun or ended; ``state`` is the one after it."""
    words = _Words(rule, site, meter)
    if turned.data:
        return _annotations(rule, site, words.data(state, turned.status))
    fires = turned.status is Status.FIRING
    return _annotations(rule, site, words.state(state) if fires else words.ended(state, turned))


def _annotations(rule: AlertRule, site: str, summary: str) -> dict[str, str]:
    runbook = {} if rule.runbook is None else {"runbook_url": rule.runbook}
    return {"summary": summary, **runbook, **dashboard_of(rule, site), **rule.annotations}


@dataclass(frozen=True, slots=True)
class _Words:
    """The sentences about one rule on one site, and meter where it has one."""

    rule: AlertRule
    site: str
    meter: str

    def state(self, state: AlertState) -> str:
        """The state that the rule is in."""
        figure = self._figure(state)
        if state.at is None:
            return f"{self._subject(state.context)} has not been judged yet."
        if state.phase is Phase.PENDING and state.since is not None:
            hold = format_duration(self.rule.hold)
            return f"{figure}: {self._side()} since {iso(state.since)}, fires after {hold}."
        if state.phase is Phase.FIRING:
            return f"{figure}: {self._firing(state)}"
        if state.phase is Phase.NO_DATA:
            return f"{figure}."
        return f"{figure}: {'not judged while provisional' if state.provisional else 'not ' + self._side()}."

    def ended(self, state: AlertState, turned: Transition) -> str:
        """The end of the rule's alert."""
        cleared = f"no longer {self._side()}"
        if self.rule.clear is not None:
            beyond = "at or below" if self.rule.above is not None else "at or above"
            cleared = f"{beyond} the clear line {self._shown(self.rule.clear, exact=True)}"
        return f"{self._figure(state)}: {cleared}; the worst was {self._worst(turned.peak)}."

    def data(self, state: AlertState, status: Status) -> str:
        """The beginning or the end of the data alert."""
        if status is Status.RESOLVED:
            return f"{self._figure(state)}: the value is back."
        since = "" if state.missing_since is None else f" since {iso(state.missing_since)}"
        fires = f"; {self.rule.name} stays firing meanwhile" if state.phase is Phase.FIRING else ""
        return f"{self._subject(state.context)} has had no value{since}{_basis(state)}{fires}."

    def _firing(self, state: AlertState) -> str:
        worst = f"the worst was {self._worst(state.peak)}"
        if state.value is None or state.provisional:
            return f"it was {self._side()} before and stays firing; {worst}."
        if state.last_breach == state.at:
            held = self.rule.hold and state.since == state.at
            lasted = f" for {format_duration(self.rule.hold)} or more" if held else ""
            return f"{self._side()}{lasted}; {worst}."
        return f"no longer {self._side()}, but not yet clear; {worst}."

    def _subject(self, context: Context) -> str:
        rule, of = self.rule, f" of {self.site}" if self.site else ""
        label, over = context.label or rule.kpi, f" over {rule.window}" if rule.window else ""
        match rule.signal:
            case "coverage":
                return f"The coverage of {label}{of}{over}"
            case "power":
                return f"The power of {rule.of.replace('_', ' ')}{of}{over or ' over the last interval'}"
            case "stale":
                return f"The time since the last reading of {self.meter}{of}"
            case "balance":
                return f"What the meters below {self.meter}{of} count more than it{over}"
            case "finding" | "findings":
                drawn = "What the" if rule.signal == "finding" else "The number of"
                beyond = " draw beyond what is expected" if rule.signal == "finding" else ""
                return f"{drawn} open findings of {self.meter.replace('_', ' ')}{of}{beyond}{_named(context)}"
            case "spool":
                return "The number of readings that wait for the store"
            case "course":
                return f"{label}{of} for the year"
            case _:
                found = f"{label}{of}{over}"
                expected = rule.signal == "expected"
                return f"What {found} is above what weather and load let expect" if expected else found

    def _figure(self, state: AlertState) -> str:
        return f"{self._subject(state.context)} {self._said(state)}{_basis(state)}"

    def _said(self, state: AlertState) -> str:
        if state.value is None:
            return "has no value"
        if self.rule.signal == "course" and state.context.between is not None:
            low, high = (self._shown(end) for end in state.context.between)
            return f"is on course for {low} to {high}{_unit(state.context)}"
        return f"is {self._shown(state.value)}{_unit(state.context)}"

    def _side(self) -> str:
        side = "above" if self.rule.above is not None else "below"
        return f"{side} {self._shown(threshold_of(self.rule), exact=True)}"

    def _worst(self, peak: float | None) -> str:
        return "unknown" if peak is None else self._shown(peak)

    def _shown(self, value: float, *, exact: bool = False) -> str:
        """A value in the words of its signal: a duration, a share, a multiple, or a number."""
        if self.rule.signal == "stale":
            return format_duration(round(value) * SECOND)
        scale, unit = _SCALES.get(self.rule.signal, (1.0, ""))
        threshold = threshold_of(self.rule) * scale
        return (f"{value * scale:.9g}" if exact else number(value * scale, threshold)) + unit


def _named(context: Context) -> str:
    """The finding that costs most."""
    return "" if context.label is None else f" ({context.label})"


_SCALES = {"coverage": (100.0, " %"), "balance": (1.0, " times what accuracy explains")}


def _unit(context: Context) -> str:
    return "" if context.unit in ("", "1") else f" {context.unit}"


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
