"""The days of a month, or the months of a year, one line each, cut in the site's zone."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from analytics.balance import inputs
from analytics.evaluate import Rules
from analytics.report.headlines import Amount, cost
from analytics.report.model import Row
from analytics.report.period import PeriodData
from analytics.report.values import amount_of, value_of
from wattwell.intervals import Interval, calendar_windows, iso, local_date

_TEMPERATURE = "outdoor_dry_bulb"


def rows(data: PeriodData, step: str, rules: Rules) -> tuple[Row, ...]:
    """One row for each ``day`` or ``month`` of a period, as far as it has come; days that a zone left out have none."""
    available = inputs(data.site)
    return tuple(_row(data, step, span, rules, available) for span in _spans(data, step))


def _spans(data: PeriodData, step: str) -> Iterator[Interval]:
    for span in calendar_windows(step, data.span.start, data.span.end, data.site.zone):
        if span.start < data.span.end:
            yield Interval(span.start, min(span.end, data.span.end))


def _row(data: PeriodData, step: str, span: Interval, rules: Rules, available: Collection[str]) -> Row:
    low, high = ((edge - data.span.start) // data.grid for edge in (span.start, span.end))
    pue, wue, ref = (value_of(name, data, low, high, rules, available) for name in ("pue", "wue", "ref"))
    priced = (
        Amount(amount_of(name, data, low, high), 1.0, span) if name in data.quantities else None
        for name in ("import", "water_total")
    )
    money = cost(data.site.prices, *priced)
    return Row(
        key=local_date(span.start, data.site.zone).isoformat()[: 10 if step == "day" else 7],
        start=iso(span.start),
        end=iso(span.end),
        e_dc=amount_of("e_dc", data, low, high),
        e_it=amount_of("e_it", data, low, high),
        water=amount_of("water", data, low, high),
        pue=pue.value,
        wue=wue.value,
        ref=ref.value,
        carbon_location=amount_of("carbon_location", data, low, high),
        carbon_market=amount_of("carbon_market", data, low, high),
        cost=None if money is None else money.value,
        temperature=_temperature(data, low, high),
        usable=pue.usable,
        provisional=pue.provisional,
    )


def _temperature(data: PeriodData, low: int, high: int) -> float | None:
    column = data.roles.get(_TEMPERATURE)
    if column is None:
        return None
    known = column.value[low:high][column.usable[low:high]]
    return float(known.mean()) if len(known) else None
