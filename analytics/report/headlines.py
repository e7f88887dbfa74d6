"""The first page's lines: each figure of the period beside its target and beside other spans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analytics.balance import inputs
from analytics.evaluate import Rules
from analytics.report.model import Cell, Headline
from analytics.report.rounding import Scale, digits_of, percent, scale_of, shown
from wattwell.emissions import EmissionEntry
from wattwell.intervals import Interval, iso, overlap
from wattwell.model import KpiValue, Prices, Site

SPANS = ("current", "previous", "year_ago", "ytd", "fiscal")
"""The spans that a line compares."""
DASH = "\u2013"
"""Where there is no value."""
_KPIS = (("pue", "pue", "lower"), ("wue", "wue", "lower"), ("ref", "renewable_share", "higher"))
"""KPI, key of its target, and which way is better."""
_AMOUNTS = (
    ("energy", "Energy of the data centre (E_DC)", "energy"),
    ("water", "Water", "water"),
    ("carbon", "Carbon, location-based", "mass"),
)
"""Name, label, and what kind of amount."""
_M3 = 1000.0
"""Litres."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What something comes to over a span: kWh, L, kg or money."""

    value: float | None
    usable: float
    """Share of the span's intervals that it is made of."""
    span: Interval

    def plus(self, other: float) -> Amount:
        """With something that is known for all of the span; unknown stays so."""
        return Amount(None if self.value is None else self.value + other, self.usable, self.span)


def entered_kg(entries: Iterable[EmissionEntry], span: Interval) -> float:
    """kg CO2 equivalent of the entries made by hand, as far as they fall into a span, evenly by time."""
    return sum(
        entry.amount * entry.kg_per_unit * shared / entry.interval.width
        for entry in entries
        if (shared := overlap(entry.interval, span))
    )


def cost(prices: Prices | None, bought: Amount | None, water: Amount | None) -> Amount | None:
    """Imported electricity and incoming water at the site's prices; None: the site has no meter for it, or no price.

    Without a value where a part is not known.
    """
    priced = [] if prices is None else [(bought, prices.electricity_per_kwh), (water, prices.water_per_m3 / _M3)]
    parts = [(each, price) for each, price in priced if each is not None]
    if not parts:
        return None
    money = [each.value * price for each, price in parts if each.value is not None]
    value = sum(money) if len(money) == len(parts) else None
    return Amount(value, min(each.usable for each, _ in parts), parts[0][0].span)


def headlines(
    site: Site,
    values: Mapping[str, Mapping[str, KpiValue]],
    amounts: Mapping[str, Mapping[str, Amount]],
    rules: Rules,
) -> tuple[Headline, ...]:
    """One line for each figure; ``values`` and ``amounts`` by span, then by name.

    Amounts stand, are provisional or have no value by the same shares of usable intervals as KPIs.
    """
    lines = [_kpi(name, key, better, site, values) for name, key, better in _KPIS]
    for name, label, kind in _AMOUNTS:
        most = max((abs(each[name].value or 0.0) for each in amounts.values()), default=0.0)
        lines.append(_amount(name, label, scale_of(kind, most), amounts, rules))
    if site.prices is not None and all("cost" in each for each in amounts.values()):
        money = Scale(unit=site.prices.currency, size=1.0, digits=0)
        label = "Cost of electricity and water" if "water_total" in inputs(site) else "Cost of electricity"
        lines.append(_amount("cost", label, money, amounts, rules))
    return tuple(lines)


def _kpi(name: str, key: str, better: str, site: Site, values: Mapping[str, Mapping[str, KpiValue]]) -> Headline:
    cells = {span: _value_cell(values[span][name]) for span in SPANS}
    now = values["current"][name]
    target = site.targets.get(key, site.targets.get(name))
    met = None
    if target is not None and now.value is not None:
        met = now.value <= target if better == "lower" else now.value >= target
    return Headline(
        name=name,
        label=now.label,
        unit="%" if percent(name) else now.unit,
        better=better,
        target=target,
        target_shown=None if target is None else _written(name, target),
        met=met,
        **cells,
    )


def _value_cell(value: KpiValue) -> Cell:
    why = next((issue.message for issue in value.issues), None)
    return Cell(
        value=value.value,
        shown=DASH if value.value is None else _written(value.kpi, value.value),
        provisional=value.provisional,
        usable=value.usable,
        start=iso(value.interval.start),
        end=iso(value.interval.end),
        note=why if value.value is None else None,
    )


def _written(name: str, value: float) -> str:
    return shown(value * 100 if percent(name) else value, digits_of(name))


def _amount(name: str, label: str, scale: Scale, amounts: Mapping[str, Mapping[str, Amount]], rules: Rules) -> Headline:
    cells = {span: _amount_cell(amounts[span][name], scale, rules) for span in SPANS}
    return Headline(
        name=name,
        label=label,
        unit=scale.unit,
        better="lower",
        target=None,
        target_shown=None,
        met=None,
        **cells,
    )


def _amount_cell(amount: Amount, scale: Scale, rules: Rules) -> Cell:
    value = amount.value if amount.usable >= rules.provisional else None
    thin = amount.value is not None and value is None
    return Cell(
        value=value,
        shown=DASH if value is None else shown(value / scale.size, scale.digits),
        provisional=value is not None and amount.usable < rules.full,
        usable=amount.usable,
        start=iso(amount.span.start),
        end=iso(amount.span.end),
        note=None
        if value is not None
        else f"{amount.usable:.1%} of the span is usable, at least {rules.provisional:.0%} are needed"
        if thin
        else "no meter, factor or data",
    )
