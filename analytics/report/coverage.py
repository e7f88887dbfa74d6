"""What a reader of a report must know before trusting its figures, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from analytics.report.period import PeriodData
from wattwell.model import KpiValue

_MOST = 20
_NAMED = 5
"""Meters named of which the same is said."""
_FULL = 0.9995
"""A share that is printed as 100 % needs no words."""
_NOT_SAID = ("input.missing", "window.open")
"""Issues that the report shows otherwise."""


def caveats(data: PeriodData, values: Mapping[str, KpiValue]) -> tuple[str, ...]:
    """Issues of the KPIs, each once, then meters with gaps or estimates; the first 20, and how many more there are."""
    said = list(dict.fromkeys([*_issues(values), *_meters(data)]))
    more = len(said) - _MOST
    return (*said[:_MOST], *([f"And {more} more of this kind."] if more > 0 else []))


def _issues(values: Mapping[str, KpiValue]) -> Iterator[str]:
    by_message: dict[str, list[str]] = {}
    for value in values.values():
        for issue in value.issues:
            if issue.code not in _NOT_SAID and issue.severity != "info":
                by_message.setdefault(issue.message, []).append(value.label)
    for message, labels in by_message.items():
        yield f"{', '.join(labels[:3])}{' and others' if len(labels) > 3 else ''}: {message}."


def _meters(data: PeriodData) -> Iterator[str]:
    """The meters that miss or estimate most, first; those of which the same is said together."""
    by_text: dict[str, list[str]] = {}
    for meter, text in _gaps(data):
        by_text.setdefault(text, []).append(meter)
    for text, meters in by_text.items():
        more = len(meters) - _NAMED
        yield f"{', '.join(meters[:_NAMED])}{f' and {more} more' if more > 0 else ''}: {text}."


def _gaps(data: PeriodData) -> Iterator[tuple[str, str]]:
    for meter in sorted(data.meters, key=lambda each: (-each.missing, -each.estimated, each.meter)):
        if not meter.in_service:
            continue
        parts = []
        if 1 - meter.missing < _FULL:
            parts.append(f"{meter.missing:.1%} of its time is missing")
        if 1 - meter.estimated < _FULL:
            parts.append(f"{meter.estimated:.1%} of its time is estimated")
        if meter.recovered:
            parts.append(f"{meter.recovered} intervals have a measured amount whose spread in time is not")
        if parts:
            yield meter.meter, ", ".join(parts)
