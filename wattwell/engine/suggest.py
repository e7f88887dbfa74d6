"""What a threshold would have done: each rule on a KPI, played over the site's own last year."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from alerts.board import rules_of
from alerts.machine import AlertState, Sample, Status, run, sample_of, threshold_of
from analytics.evaluate import Window
from wattwell.engine.book import KpiBook
from wattwell.engine.queries import Document
from wattwell.engine.spans import ROLLING
from wattwell.intervals import DAY, HOUR, Interval, iso
from wattwell.model import AlertRule

_SPAN = 365 * DAY
_SHARES = (50, 90, 99)
"""Per cent of the time in which the figure is on the good side of each percentile."""


def suggestions(
    book: KpiBook, rules: Sequence[AlertRule], site: str, extent: tuple[int, int] | None, grid: int
) -> Iterator[Document]:
    """By rule on a KPI: percentiles of its rolling window over the last year, and what each would have fired as the
    threshold, and the rule's own; ``extent``: starts of the site's first and last interval."""
    for rule in rules_of(rules, site):
        if rule.signal == "kpi" and extent is not None:
            span, last = ROLLING[rule.window], extent[1] + grid
            first = max(extent[0] + span, last - _SPAN)
            samples = [
                sample_of(book.value(site, rule.kpi, Window(name=rule.window, interval=Interval(edge - span, edge))))
                for edge in range(first, last + 1, grid)
            ]
            yield _document(rule, site, samples, first, max(first, last))


def _document(rule: AlertRule, site: str, samples: Sequence[Sample], first: int, last: int) -> Document:
    values = [each.value for each in samples if each.value is not None and not each.provisional]
    high = rule.above is not None
    found = {share: float(np.percentile(values, share if high else 100 - share)) for share in _SHARES if values}
    own = threshold_of(rule)
    tried = {"own": own} | {f"p{share}": value for share, value in found.items()}
    return {
        "site": site,
        "name": rule.name,
        "kpi": rule.kpi,
        "window": rule.window,
        "from": iso(first),
        "to": iso(last),
        "side": "above" if high else "below",
        "judged": len(values),
        "thresholds": [
            {"of": name, "threshold": value, **_played(_with(rule, value), samples)} for name, value in tried.items()
        ],
    }


def _with(rule: AlertRule, threshold: float) -> AlertRule:
    """The rule with another threshold, its clear line as far from it as before."""
    clear = None if rule.clear is None else threshold + rule.clear - threshold_of(rule)
    if rule.above is not None:
        return replace(rule, above=threshold, clear=clear)
    return replace(rule, below=threshold, clear=clear)


def _played(rule: AlertRule, samples: Sequence[Sample]) -> Document:
    turned = [each for _, many in run(rule, AlertState(), samples)[1] for each in many if not each.data]
    fired = [each.at for each in turned if each.status is Status.FIRING]
    ends = [each.at for each in turned if each.status is Status.RESOLVED]
    if len(ends) < len(fired):
        ends.append(samples[-1].at)
    hours = sum(end - start for start, end in zip(fired, ends, strict=True)) / HOUR
    return {"alerts": len(fired), "hours": hours}
